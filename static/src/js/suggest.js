// Suggestions under a search field (data-suggest: where to ask): a combobox whose list is made of links.
// The field keeps the focus; without a choice, Enter sends the form as it does without scripts.
const WAIT_MS = 150;
const CJK = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]/;

const worth = (text) => text.length > 1 || CJK.test(text);

function part(name, text) {
  const element = document.createElement("span");
  element.className = name;
  element.textContent = text;
  return element;
}

function option(found, id) {
  const link = document.createElement("a");
  Object.assign(link, { id, className: "suggestion", href: found.url, tabIndex: -1, role: "option", ariaSelected: "false" });
  link.append(part("hint", found.hint), part("text", found.text), part("kind", found.label));
  return link;
}

export function attach(field) {
  const form = field.form;
  const list = form.querySelector("[role=listbox]");
  if (!list || field.role === "combobox") return;
  let timer;
  let request;
  let asked = "";
  let active = -1;

  Object.assign(field, { role: "combobox", ariaAutoComplete: "list", ariaExpanded: "false" });
  field.setAttribute("aria-controls", list.id);

  const open = () => !list.hidden;

  function choose(place) {
    active = place;
    [...list.children].forEach((link, at) => (link.ariaSelected = String(at === place)));
    const link = list.children[place];
    if (link) field.setAttribute("aria-activedescendant", link.id);
    else field.removeAttribute("aria-activedescendant");
    link?.scrollIntoView({ block: "nearest" });
  }

  function show(found) {
    // a person or a team has no page of its own to go to
    list.replaceChildren(...found.filter(({ url }) => url).map((one, place) => option(one, `${list.id}-${place}`)));
    list.hidden = !list.childElementCount;
    field.ariaExpanded = String(open());
    choose(-1);
    list.scrollTop = 0;
  }

  function close() {
    clearTimeout(timer);
    request?.abort();
    asked = "";
    if (open()) show([]);
  }

  async function ask() {
    const text = field.value;
    if (!worth(text.trim())) return close();
    if (text === asked) return;
    request?.abort();
    asked = text;
    const own = (request = new AbortController());
    const url = new URL(field.dataset.suggest, location.href);
    url.searchParams.set("q", text);
    try {
      const answer = await fetch(url, { headers: { Accept: "application/json" }, signal: own.signal });
      const found = answer.ok ? await answer.json() : [];
      if (request === own && document.activeElement === field) show(found);
    } catch {
      // Newer text is on its way, or there is no answer: the field searches all the same.
      if (request === own && !own.signal.aborted) show([]);
    }
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT_MS);
  }

  function walk(step) {
    const stops = list.childElementCount + 1;
    // one stop is the field itself, before the first and after the last
    choose(((active + 1 + step + stops) % stops) - 1);
  }

  field.addEventListener("input", (event) => {
    // Enter means the new text, not what was chosen for the old one
    choose(-1);
    if (!event.isComposing) soon();
  });
  field.addEventListener("compositionend", soon);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && open()) walk(step);
    else if (event.key === "ArrowDown") ask();
    else if (event.key === "Enter" && active >= 0) list.children[active].click();
    else if (event.key === "Escape" && open()) close();
    else {
      // what is on its way isn't wanted any more; the browser empties the field
      if (event.key === "Escape") close();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  // a click on a suggestion must not take the focus first: that would close the list under it
  list.addEventListener("mousedown", (event) => event.preventDefault());
  field.addEventListener("blur", close);
  form.addEventListener("submit", close);
}
