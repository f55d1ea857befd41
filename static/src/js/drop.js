// A file field as a zone to drop on.
import { Tray, dropZone } from "./files.js";

export function attach(zone) {
  if (zone.dataset.ready) return;
  zone.dataset.ready = "1";
  const input = zone.querySelector("input[type=file]");
  const list = zone.parentElement.querySelector("[data-drop-list]");
  const tray = new Tray(input, list);
  dropZone(zone, (files) => tray.add(input.multiple ? files : files.slice(0, 1), { replace: !input.multiple }));
  // a picture pasted anywhere in the form is meant for its only file field
  input.form?.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    tray.add(files);
  });
}
