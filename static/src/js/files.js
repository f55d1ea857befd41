// The files a form is about to send, shown as rows that can be taken away again.
import { say } from "./strings.js";
import { toast } from "./toast.js";

const PICTURE = /^image\/(png|jpeg|gif|webp|avif)$/;

export function readable(octets) {
  const units = ["B", "KB", "MB", "GB"];
  const power = Math.min(3, Math.floor(Math.log2(Math.max(1, octets)) / 10));
  return `${new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: power > 1 ? 1 : 0 }).format(octets / 1024 ** power)} ${units[power]}`;
}

function symbol(name) {
  const sample = document.querySelector("#toast-template").content.querySelector("svg").cloneNode(true);
  const use = sample.querySelector("use");
  use.setAttribute("href", use.getAttribute("href").replace(/#.*/, `#${name}`));
  sample.setAttribute("class", "i");
  return sample;
}

/** Names that Markdown can point to: no blanks, no brackets. */
export const plainName = (name) => name.replace(/[\s()[\]<>]+/g, "-").replace(/^-+|-+(?=\.)/g, "");

export class Tray {
  #files = [];

  constructor(input, list, { removed = () => {} } = {}) {
    this.input = input;
    this.list = list;
    this.removed = removed;
    input.addEventListener("change", () => {
      const chosen = [...input.files].filter((file) => !this.#files.includes(file));
      this.add(chosen, { replace: !input.multiple });
    });
    input.form?.addEventListener("reset", () => this.clear());
    document.addEventListener("htmx:xhr:progress", ({ detail, target }) => {
      if (target === input.form && detail.lengthComputable) this.progress(detail.loaded / detail.total);
    });
  }

  add(files, { replace = false } = {}) {
    const limit = Number(this.input.dataset.maxBytes) || Infinity;
    const added = [];
    if (replace) this.#files = [];
    for (const file of files) {
      if (file.size > limit) {
        toast({ tone: "warning", text: file.name, hint: say("too_big", { size: readable(limit) }) });
        continue;
      }
      const name = this.#unused(plainName(file.name));
      const kept = name === file.name ? file : new File([file], name, { type: file.type });
      this.#files.push(kept);
      added.push(kept);
    }
    this.#sync();
    return added;
  }

  clear() {
    this.#files = [];
    this.#sync();
  }

  progress(share) {
    for (const bar of this.list.querySelectorAll("progress")) {
      bar.hidden = share >= 1;
      bar.value = Math.round(share * 100);
    }
  }

  #unused(name) {
    const taken = new Set(this.#files.map((file) => file.name));
    const [, stem, extension] = /^(.*?)(\.[^.]*)?$/.exec(name);
    let candidate = name;
    for (let n = 2; taken.has(candidate); n += 1) candidate = `${stem}-${n}${extension ?? ""}`;
    return candidate;
  }

  #sync() {
    const transfer = new DataTransfer();
    this.#files.forEach((file) => transfer.items.add(file));
    this.input.files = transfer.files;
    this.list.replaceChildren(...this.#files.map((file) => this.#row(file)));
    this.list.hidden = !this.#files.length;
  }

  #row(file) {
    const row = document.createElement("li");
    row.className = "file";
    let thumb;
    if (PICTURE.test(file.type)) {
      thumb = new Image(32, 32);
      thumb.alt = "";
      thumb.src = URL.createObjectURL(file);
      thumb.onload = () => URL.revokeObjectURL(thumb.src);
    } else {
      thumb = document.createElement("span");
      thumb.append(symbol("file"));
    }
    thumb.className = "thumb";
    const words = document.createElement("span");
    words.className = "cut";
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: file.name, title: file.name });
    const size = Object.assign(document.createElement("span"), { className: "size", textContent: readable(file.size) });
    words.append(name, size);
    const remove = Object.assign(document.createElement("button"), { type: "button", className: "btn quiet icon small" });
    remove.setAttribute("aria-label", say("remove", { name: file.name }));
    remove.append(symbol("x"));
    remove.addEventListener("click", () => {
      this.#files = this.#files.filter((other) => other !== file);
      this.#sync();
      this.removed(file);
      this.input.form?.querySelector("textarea")?.focus();
    });
    const bar = Object.assign(document.createElement("progress"), { className: "bar", max: 100, value: 0, hidden: true });
    bar.setAttribute("aria-label", file.name);
    row.append(thumb, words, remove, bar);
    return row;
  }
}

/** Calls `take(files)` for what is dropped on `zone`, and marks the zone meanwhile. */
export function dropZone(zone, take) {
  let depth = 0;
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  const mark = (change) => {
    depth = Math.max(0, depth + change);
    zone.classList.toggle("over", depth > 0);
  };
  zone.addEventListener("dragenter", (event) => carries(event) && mark(1));
  zone.addEventListener("dragleave", (event) => carries(event) && mark(-1));
  zone.addEventListener("dragover", (event) => carries(event) && event.preventDefault());
  zone.addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    depth = 0;
    mark(0);
    take([...event.dataTransfer.files]);
  });
}
