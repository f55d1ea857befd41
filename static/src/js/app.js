// Entry: one file with all that lists and records need; a heavier widget comes when a page has one.
import htmx from "htmx.org";
import "./choices.js";
import { attach as drop } from "./drop.js";
import { attach as editor } from "./editor.js";
import { attach as fold } from "./fold.js";
import "./forms.js";
import "./keyboard.js";
import { attach as list } from "./list.js";
import { attach as live } from "./live.js";
import "./overlays.js";
import "./requests.js";
import "./rowkeys.js";
import { say } from "./strings.js";
import { attach as suggest } from "./suggest.js";
import { watchTimes } from "./times.js";

// For tests and a curious person's console.
window.htmx = htmx;

// A chunk gets what it shares with this file as an argument: an import would split it out as one more request.
const combobox = (select) => import("./combobox.js").then((module) => select.isConnected && module.attach(select, say));

const widgets = { ".record > .side": fold, "[data-list]": list, "[data-live]": live, "[data-editor]": editor, "[data-drop]": drop, "[data-suggest]": suggest, "select[data-combobox]": combobox };

/** Brings to life what is in `root`: called for the page and for every part that htmx swaps in. */
function enliven(root) {
  for (const [selector, attach] of Object.entries(widgets)) {
    if (root.matches?.(selector)) attach(root);
    root.querySelectorAll(selector).forEach((element) => attach(element));
  }
  root.querySelector("[data-focus]:not(.specimen [data-focus])")?.focus();
}

htmx.onLoad(enliven);
watchTimes();
