// Forms: sent once, never left by accident with unsaved input.
import { say } from "./strings.js";

const touched = new WeakSet();
const STUCK_MS = 10_000;
let leaving = false;

function release(form) {
  leaving = false;
  delete form.dataset.sent;
  form.querySelector("[aria-busy]")?.removeAttribute("aria-busy");
}

document.addEventListener("input", ({ target }) => {
  const form = target.closest?.("form[data-guard]");
  if (form) touched.add(form);
});
window.addEventListener("beforeunload", (event) => {
  if (leaving) return;
  if ([...document.querySelectorAll("form[data-guard]")].some((form) => touched.has(form))) {
    event.preventDefault();
    event.returnValue = say("leave");
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  touched.delete(form);
  // htmx sends its own forms and marks them while they are under way
  if (form.matches("[hx-post], [hx-put], [hx-patch], [hx-delete]")) return;
  if (form.dataset.sent) return event.preventDefault();
  form.dataset.sent = "1";
  leaving = true;
  if (event.submitter?.matches(".btn")) event.submitter.setAttribute("aria-busy", "true");
  // an answer that leaves the page where it is (a download) must not leave the button dead
  setTimeout(() => release(form), STUCK_MS);
});
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && detail.elt.matches("form")) touched.delete(detail.elt);
});

// back through the browser's cache: the button must work again
window.addEventListener("pageshow", ({ persisted }) => {
  if (!persisted) return;
  document.querySelectorAll("form[data-sent]").forEach(release);
});

document.addEventListener("change", ({ target }) => {
  if (target.closest?.("[data-autosubmit]")) target.form?.requestSubmit();
});
