// Keys that act on the row one is at: "a" takes it, "c" opens it at the editor.
// A list allows them with data-row-take: what follows the row's address to take it.
import { post, sentence, tell } from "./requests.js";
import { toast } from "./toast.js";

// Names no element: the browser itself would take the focus to one, and away from its field.
const REPLY = "#reply";

async function take(link, list) {
  const row = link.closest("tr");
  const answer = await post(new URL(list.dataset.rowTake, link.href)).catch(() => null);
  if (!answer?.ok) {
    const words = answer ? await answer.text() : "";
    return tell(answer?.status ?? 0, sentence(answer?.headers.get("Content-Type"), words));
  }
  const said = JSON.parse(answer.headers.get("HX-Trigger") ?? "{}").toast;
  if (said) toast(said);
  // the rows come anew: stay where one was, or at the row that took its place
  const at = [...list.querySelectorAll("tbody tr")].indexOf(row);
  list.addEventListener(
    "rows-changed",
    () => {
      const rows = [...list.querySelectorAll("tbody tr")];
      const next = document.getElementById(row.id) ?? rows[Math.min(at, rows.length - 1)];
      next?.querySelector(".row-link")?.focus({ preventScroll: true });
    },
    { once: true },
  );
  document.dispatchEvent(new Event("refresh"));
}

document.addEventListener(
  "keydown",
  (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || !"ac".includes(event.key)) return;
    const link = document.activeElement?.matches(".row-link") ? document.activeElement : null;
    const list = link?.closest("[data-row-take]");
    // with rows selected, the keys are the bulk bar's
    if (!list || list.querySelector("[data-bulk]:not([hidden])")) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key === "a") take(link, list);
    else location.assign(link.href + REPLY);
  },
  { capture: true },
);

if (location.hash === REPLY) document.querySelector("#editor textarea")?.focus();
