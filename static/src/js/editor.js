// The comment editor: reply or work note, Markdown helpers, pasted pictures, a draft that survives the tab.
import { Tray, dropZone } from "./files.js";
import { say } from "./strings.js";

const DRAFT_DAYS = 30;
const SENT_MS = 60_000;

function visibility(form, value) {
  form.elements.visibility.value = value;
  form.classList.toggle("note", value === "note");
  for (const tab of form.querySelectorAll("[data-visibility]")) {
    tab.setAttribute("aria-pressed", String(tab.dataset.visibility === value));
  }
  for (const part of form.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== value;
}

function insert(area, text) {
  area.focus();
  area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

function wrap(area, before, after, perLine = false) {
  const { selectionStart: start, selectionEnd: end, value } = area;
  const chosen = value.slice(start, end);
  const text = perLine ? (chosen || "").split("\n").map((line) => before + line).join("\n") : before + chosen + after;
  area.focus();
  area.setRangeText(text, start, end, "end");
  if (!chosen && after) area.selectionStart = area.selectionEnd = start + before.length;
  area.dispatchEvent(new Event("input", { bubbles: true }));
}

const markdown = {
  bold: (area) => wrap(area, "**", "**"),
  list: (area) => wrap(area, "- ", "", true),
  quote: (area) => wrap(area, "> ", "", true),
  code: (area) => (area.value.slice(area.selectionStart, area.selectionEnd).includes("\n") ? wrap(area, "```\n", "\n```") : wrap(area, "`", "`")),
  link: (area) => wrap(area, "[", "](https://)"),
};

/** Keeps text and tab in localStorage under the record's number; storage may be full or off, which costs only the draft. */
class Draft {
  constructor(form, area, note) {
    this.key = form.dataset.draft && `draft:${form.dataset.draft}`;
    Object.assign(this, { form, area, note });
    if (!this.key) return;
    const kept = this.read();
    const sent = kept?.sent && Date.now() - kept.sent < SENT_MS && !area.value;
    const old = kept && Date.now() - kept.at > DRAFT_DAYS * 864e5;
    if (sent || old) this.drop();
    else if (kept?.text && !area.value) {
      area.value = kept.text;
      if (form.querySelector(`[data-visibility="${kept.visibility}"]`)) visibility(form, kept.visibility);
      this.offer();
    }
    area.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.keep(), 400);
    });
    window.addEventListener("pagehide", () => this.keep());
  }

  read() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  keep(extra = {}) {
    clearTimeout(this.timer);
    if (!this.key || !this.form.isConnected) return;
    if (!this.area.value.trim()) return this.drop();
    const value = { text: this.area.value, visibility: this.form.elements.visibility.value, at: Date.now(), ...this.mark, ...extra };
    try {
      localStorage.setItem(this.key, JSON.stringify(value));
      this.say(say("draft"));
    } catch {
      this.say("");
    }
  }

  /** A plain submit leaves the page: whether it went well shows when the page is back with an empty field. */
  sending() {
    this.mark = { sent: Date.now() };
    this.keep();
  }

  drop() {
    clearTimeout(this.timer);
    if (this.key) localStorage.removeItem(this.key);
    this.say("");
  }

  offer() {
    this.say(`${say("draft_restored")} · `);
    const button = Object.assign(document.createElement("button"), { type: "button", className: "link bare", textContent: say("discard") });
    button.addEventListener("click", () => {
      this.area.value = "";
      this.drop();
      this.area.focus();
    });
    this.note.append(button, " · ");
  }

  say(text) {
    this.note.textContent = text && !text.endsWith("· ") ? `${text} · ` : text;
    this.note.hidden = !text;
  }
}

export function attach(form) {
  if (form.dataset.ready) return;
  form.dataset.ready = "1";
  const area = form.querySelector("textarea");
  const input = form.querySelector("input[type=file]");
  const tray = new Tray(input, form.querySelector("[data-file-list]"), {
    removed: (file) => {
      area.value = area.value.split(`![${file.name}](attachment:${file.name})`).join("").trim();
      area.dispatchEvent(new Event("input"));
    },
  });
  const draft = new Draft(form, area, form.querySelector("[data-draft-note]"));

  const take = (files) => {
    for (const file of tray.add(files)) {
      if (!file.type.startsWith("image/")) continue;
      const gap = area.value && !/\n$/.test(area.value.slice(0, area.selectionStart)) ? "\n" : "";
      insert(area, `${gap}![${file.name}](attachment:${file.name})\n`);
    }
  };
  dropZone(form, take);
  area.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  form.addEventListener("click", ({ target }) => {
    const tab = target.closest("[data-visibility]");
    const tool = target.closest("[data-md]");
    if (tab) {
      visibility(form, tab.dataset.visibility);
      draft.keep();
      area.focus();
    } else if (tool) markdown[tool.dataset.md](area);
    else if (target.closest("[data-attach]")) input.click();
  });
  form.addEventListener("submit", () => form.hasAttribute("hx-post") || draft.sending());
  form.addEventListener("htmx:beforeRequest", ({ target }) => {
    if (target === form) area.readOnly = true;
  });
  // Before the answer is put in place: it may bring a new editor, which must not find the old draft.
  form.addEventListener("htmx:beforeOnLoad", ({ target, detail }) => {
    if (target === form && detail.xhr.status < 300) draft.drop();
  });
  form.addEventListener("htmx:afterRequest", ({ target, detail }) => {
    if (target !== form) return;
    area.readOnly = false;
    if (!detail.successful || detail.xhr.status === 422) return;
    area.value = "";
    form.reset();
    visibility(form, form.elements.visibility.defaultValue);
  });
}
