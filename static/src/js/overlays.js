// Dialogs and menus. The elements are native; here is only what they don't do by themselves.
import "./toast.js";

const shared = document.getElementById("dialog");
const slot = document.getElementById("dialog-slot");

const typed = (dialog) =>
  [...dialog.querySelectorAll("textarea, input:not([type=hidden])")].some((field) =>
    field.type === "checkbox" || field.type === "radio" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue,
  );

const close = (dialog) => dialog.close();

document.addEventListener("click", ({ target }) => {
  const opener = target.closest?.("[data-dialog]");
  if (opener) {
    opener.closest("[popover]:popover-open")?.hidePopover();
    document.getElementById(opener.dataset.dialog)?.showModal();
  }
  const closer = target.closest?.("[data-close]");
  const dialog = closer?.closest("dialog");
  if (dialog) close(dialog);
  // a click beside a dialog closes it, unless something was typed into it
  if (target.matches?.("dialog[open]") && !typed(target)) close(target);
});
// Later than the events of the same answer: they are sent from the form that is in here.
shared.addEventListener("close", () => shared.open || slot.replaceChildren());

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target !== slot) return;
  if (!slot.childElementCount) return shared.open && close(shared);
  if (!shared.open) {
    document.querySelector(".menu:popover-open")?.hidePopover();
    shared.showModal();
  }
  const first = slot.querySelector(
    "[aria-invalid=true], [autofocus], .body :is(input:not([type=hidden]), select, textarea):not(:disabled)",
  );
  first?.focus();
});
document.addEventListener("closeDialog", () => shared.open && close(shared));

// Menus: arrows walk, Home and End jump; where CSS can't anchor, place it by hand.
document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.(".menu:popover-open");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!menu || (!step && event.key !== "Home" && event.key !== "End") || event.target.matches("input, select, textarea")) return;
  const stops = [...menu.querySelectorAll("a[href], button:not(:disabled)")];
  const at = stops.indexOf(event.target);
  const next = event.key === "Home" ? 0 : event.key === "End" ? -1 : (at + step) % stops.length;
  stops.at(next)?.focus();
  event.preventDefault();
});

const anchors = CSS.supports("position-area", "bottom");
document.addEventListener(
  "toggle",
  (event) => {
    const menu = event.target;
    if (!menu.matches?.(".menu") || event.newState !== "open") return;
    const opener = document.querySelector(`[popovertarget="${menu.id}"]`);
    if (event.target.contains(document.activeElement) === false && opener?.matches(":focus-visible")) {
      menu.querySelector("a[href], button, input")?.focus();
    }
    if (anchors || !opener) return;
    const box = opener.getBoundingClientRect();
    const left = menu.classList.contains("end") ? box.right - menu.offsetWidth : box.left;
    const below = box.bottom + menu.offsetHeight < innerHeight;
    menu.style.left = `${Math.max(8, Math.min(left, innerWidth - menu.offsetWidth - 8))}px`;
    menu.style.top = `${below ? box.bottom : Math.max(8, box.top - menu.offsetHeight - 8)}px`;
  },
  true,
);
// the button says whether its menu is open
document.addEventListener(
  "beforetoggle",
  ({ target, newState }) => {
    for (const opener of document.querySelectorAll(`[popovertarget="${target.id}"]`)) {
      opener.setAttribute("aria-expanded", String(newState === "open"));
    }
  },
  true,
);
