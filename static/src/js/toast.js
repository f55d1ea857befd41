import { post, tell } from "./requests.js";
import { say } from "./strings.js";

const box = document.getElementById("toasts");
const SHOWN_MS = 6000;
const UNDO_MS = 12000;

/** Into the top layer, above an open dialog. */
function raise() {
  if (!box.popover) box.popover = "manual";
  if (box.matches(":popover-open")) box.hidePopover();
  box.showPopover();
}

function settle(element, lasts) {
  let timer;
  const close = () => {
    element.remove();
    if (!box.children.length && box.matches(":popover-open")) box.hidePopover();
  };
  const start = () => {
    if (lasts) timer = setTimeout(close, lasts);
  };
  const hold = () => clearTimeout(timer);
  for (const type of ["pointerenter", "focusin"]) element.addEventListener(type, hold);
  for (const type of ["pointerleave", "focusout"]) element.addEventListener(type, start);
  element.addEventListener("click", async ({ target }) => {
    const undo = target.closest("[data-undo]");
    if (undo) {
      undo.ariaBusy = "true";
      const answer = await post(undo.dataset.undo).catch(() => null);
      close();
      if (!answer?.ok) return tell(answer?.status ?? 0);
      toast({ text: say("undone") });
      document.dispatchEvent(new CustomEvent("refresh"));
    } else if (target.closest("[data-close]")) close();
  });
  start();
}

/** Says one thing and goes away; an error stays until it is closed. `undo` is a URL to POST to. */
export function toast({ text, tone = "success", hint = "", undo = "" }) {
  const kind = { error: "bad", warning: "warn", info: "info" }[tone] ?? "";
  const symbol = { error: "alert-circle", warning: "alert", info: "info" }[tone] ?? "success";
  const element = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  if (kind) element.classList.add(kind);
  const use = element.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${symbol}`));
  element.querySelector("[data-text]").textContent = text;
  if (hint) {
    const small = document.createElement("small");
    small.textContent = hint;
    element.querySelector(".what").append(small);
  }
  if (undo) {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "btn small", textContent: say("undo") });
    button.dataset.undo = undo;
    element.querySelector("[data-close]").before(button);
  }
  raise();
  box.append(element);
  settle(element, tone === "error" ? 0 : undo ? UNDO_MS : SHOWN_MS);
  return element;
}

for (const element of box.querySelectorAll(".toast")) {
  settle(element, element.classList.contains("bad") ? 0 : element.querySelector("[data-undo]") ? UNDO_MS : SHOWN_MS);
}
if (box.querySelector(".toast")) raise();
document.addEventListener("toast", ({ detail }) => toast(detail));
