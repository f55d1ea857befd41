// One key, one thing. A page adds its own with data-key="a" on a button or a field.
const typing = (element) => element.closest("input, textarea, select, [contenteditable], .ts-control");

function rows() {
  return [...document.querySelectorAll(".list .row-link")].filter((link) => link.offsetParent !== null);
}

function walk(step) {
  const links = rows();
  if (!links.length) return;
  const current = document.activeElement.closest(".list tr")?.querySelector(".row-link");
  const at = links.indexOf(current);
  const next = links[Math.max(0, Math.min(links.length - 1, at < 0 ? (step > 0 ? 0 : links.length - 1) : at + step))];
  next.focus({ preventScroll: true, focusVisible: true });
  next.closest("tr").scrollIntoView({ block: "nearest" });
}

function search() {
  const field = document.querySelector("[data-search]");
  field?.focus();
  field?.select();
  return Boolean(field);
}

const keys = {
  "/": search,
  j: () => walk(1),
  k: () => walk(-1),
  x: () => document.activeElement.closest(".list tr")?.querySelector("input[name=pick]")?.click(),
  "?": () => document.getElementById("keys-dialog")?.showModal(),
};

document.addEventListener("keydown", (event) => {
  const command = event.ctrlKey || event.metaKey;
  if (command && event.key.toLowerCase() === "k") {
    if (search()) event.preventDefault();
    return;
  }
  if (command && event.key === "Enter") {
    const form = event.target.closest("form");
    if (form && event.target.matches("textarea, input")) {
      form.requestSubmit();
      event.preventDefault();
    }
    return;
  }
  if (command || event.altKey || event.isComposing || typing(event.target)) return;
  if (document.querySelector("dialog[open], .menu:popover-open")) return;
  const own = [...document.querySelectorAll(`[data-key="${CSS.escape(event.key)}"]`)].find((element) => element.offsetParent !== null);
  if (own) {
    if (own.matches("input, textarea, select")) own.focus();
    else own.click();
  } else if (keys[event.key]) keys[event.key]();
  else return;
  event.preventDefault();
});
