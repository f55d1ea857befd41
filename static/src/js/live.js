// A list that stays true without moving what one reads: known rows change in place, gone ones fade,
// new ones wait behind a pill until they are asked for.
import htmx from "htmx.org";
import { say } from "./strings.js";
import { span } from "./times.js";

/** What makes a row different: its version, else its words without the ticking ones. */
function signature(row) {
  if (row.dataset.version) return row.dataset.version;
  const copy = row.cloneNode(true);
  copy.querySelectorAll("time, progress").forEach((part) => part.remove());
  return copy.textContent.replace(/\s+/g, " ");
}

class Live {
  constructor(body) {
    this.body = body;
    this.every = Math.max(5, Number(body.dataset.liveEvery) || 20) * 1000;
    this.note = document.querySelector("[data-live-note]");
    this.latest = null;
    this.at = Date.now();
    this.failures = 0;
    document.addEventListener("refresh", () => this.ask({ all: true }));
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && Date.now() - this.at > this.every) this.ask();
    });
    setInterval(() => this.tell(), 5000);
    this.plan();
  }

  plan() {
    clearTimeout(this.timer);
    // a server in trouble is asked less often
    const wait = this.every * Math.min(8, 2 ** this.failures) * (0.9 + Math.random() * 0.2);
    this.timer = setTimeout(() => (document.hidden ? this.plan() : this.ask()), wait);
  }

  async ask({ all = false } = {}) {
    clearTimeout(this.timer);
    if (!this.body.isConnected) return;
    try {
      const answer = await fetch(this.body.dataset.live, { headers: { "HX-Request": "true", "X-Live": "1" } });
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      const sheet = document.createElement("template");
      sheet.innerHTML = `<table><tbody>${await answer.text()}</tbody></table>`;
      this.latest = [...sheet.content.querySelectorAll("tr[id]")];
      this.failures = 0;
      this.at = Date.now();
      if (all) this.replaceAll();
      else this.merge();
    } catch {
      this.failures += 1;
    }
    this.tell();
    this.plan();
  }

  merge() {
    const fresh = [];
    const seen = new Set();
    for (const row of this.latest) {
      const shown = document.getElementById(row.id);
      seen.add(row.id);
      if (!shown) fresh.push(row);
      else if (shown.outerHTML !== row.outerHTML) this.swap(shown, row);
    }
    for (const row of this.body.querySelectorAll("tr[id]")) row.classList.toggle("gone", !seen.has(row.id));
    this.pill(fresh.length);
  }

  swap(shown, row) {
    const changed = signature(shown) !== signature(row);
    const focused = shown.contains(document.activeElement);
    if (focused && !changed) return;
    const next = row.cloneNode(true);
    const box = next.querySelector("input[name=pick]");
    if (box) box.checked = shown.querySelector("input[name=pick]")?.checked ?? false;
    const inLink = focused && document.activeElement.matches(".row-link");
    shown.replaceWith(next);
    if (changed) next.classList.add("changed");
    htmx.process(next);
    if (inLink) next.querySelector(".row-link")?.focus({ preventScroll: true });
  }

  pill(count) {
    let holder = this.body.closest(".list-wrap")?.querySelector(".fresh");
    if (!count) return holder?.remove();
    if (!holder) {
      holder = Object.assign(document.createElement("div"), { className: "fresh" });
      const button = Object.assign(document.createElement("button"), { type: "button" });
      button.addEventListener("click", () => this.replaceAll());
      holder.append(button);
      this.body.closest(".list-wrap")?.prepend(holder);
    }
    holder.firstChild.textContent = say("fresh", { n: count });
    const voice = document.getElementById("announce");
    if (voice) voice.textContent = holder.firstChild.textContent;
  }

  replaceAll() {
    const picked = new Set([...this.body.querySelectorAll("input[name=pick]:checked")].map((box) => box.value));
    this.body.replaceChildren(...this.latest.map((row) => row.cloneNode(true)));
    for (const box of this.body.querySelectorAll("input[name=pick]")) box.checked = picked.has(box.value);
    htmx.process(this.body);
    this.pill(0);
    this.body.dispatchEvent(new Event("rows-changed", { bubbles: true }));
  }

  tell() {
    if (!this.note) return;
    this.note.classList.toggle("off", this.failures > 0);
    const passed = (Date.now() - this.at) / 1000;
    this.note.textContent = this.failures
      ? say("paused")
      : say("updated", { ago: passed < 45 ? say("now") : say("ago", { span: span(passed) }) });
  }
}

export function attach(body) {
  if (body.dataset.ready) return;
  body.dataset.ready = "1";
  new Live(body);
}
