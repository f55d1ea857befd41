// Picking rows: one, a range with Shift, all; the bulk bar says how many.
import { say } from "./strings.js";

export function attach(form) {
  if (form.dataset.ready) return;
  form.dataset.ready = "1";
  const bar = form.querySelector("[data-bulk]");
  const all = form.querySelector("[data-pick-all]");
  const boxes = () => [...form.querySelectorAll("input[name=pick]")];
  let last = null;

  function show() {
    const picked = boxes().filter((box) => box.checked).length;
    if (bar) {
      bar.hidden = !picked;
      bar.querySelector("[data-count]").textContent = say("selected", { n: picked });
    }
    if (all) {
      all.checked = picked > 0 && picked === boxes().length;
      all.indeterminate = picked > 0 && picked < boxes().length;
    }
  }

  form.addEventListener("click", (event) => {
    const box = event.target.closest("input[name=pick]");
    if (box) {
      const row = boxes();
      if (event.shiftKey && last?.isConnected) {
        const [from, to] = [row.indexOf(last), row.indexOf(box)].sort((a, b) => a - b);
        for (const other of row.slice(from, to + 1)) other.checked = box.checked;
      }
      last = box;
      show();
    } else if (event.target === all) {
      for (const other of boxes()) other.checked = all.checked;
      show();
    } else if (event.target.closest("[data-clear]")) {
      for (const other of boxes()) other.checked = false;
      show();
      all?.focus();
    }
  });
  form.addEventListener("rows-changed", show);
  show();
}
