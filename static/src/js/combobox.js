// A select one can type into. Options are {value, text, hint}; a remote one asks data-src with ?q=.
// Loaded on demand; `say` is handed in (see app.js).
import TomSelect from "tom-select/base";
import clearButton from "tom-select/dist/esm/plugins/clear_button/plugin.js";
import removeButton from "tom-select/dist/esm/plugins/remove_button/plugin.js";

TomSelect.define("clear_button", clearButton);
TomSelect.define("remove_button", removeButton);

const line = (option, escape) =>
  `<div><span class="cut">${escape(option.text)}</span>${option.hint ? `<span class="hint">${escape(option.hint)}</span>` : ""}</div>`;
const quiet = (text) => `<div class="no-results">${text}</div>`;

function remote(source) {
  let latest;
  return function load(query, done) {
    latest?.abort();
    latest = new AbortController();
    const url = new URL(source, location.href);
    url.searchParams.set("q", query);
    fetch(url, { headers: { Accept: "application/json" }, signal: latest.signal })
      .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer)))
      .then((found) => {
        this.clearOptions((option) => this.items.includes(option.value));
        done(found.results ?? found);
      })
      .catch((reason) => reason.name === "AbortError" || done());
  };
}

export function attach(select, say) {
  if (select.tomselect) return;
  const { src, create, placeholder } = select.dataset;
  const label = select.labels?.[0]?.textContent.trim() ?? select.getAttribute("aria-label") ?? "";
  const options = {
    maxOptions: 200,
    // hiding it would also empty the box of whoever types before the focus has settled
    hidePlaceholder: false,
    allowEmptyOption: false,
    placeholder: placeholder ?? (src ? say("type_more") : ""),
    create: create !== undefined,
    plugins: select.multiple ? ["remove_button"] : select.required ? [] : ["clear_button"],
    render: {
      option: line,
      item: line,
      no_results: () => quiet(say("no_match")),
      loading: () => `<div class="loading">${say("searching")}</div>`,
      option_create: (data, escape) => `<div class="create">${escape(say("create", { text: data.input }))}</div>`,
    },
    onInitialize() {
      // the box speaks for it
      select.setAttribute("aria-hidden", "true");
      this.control_input.setAttribute("aria-label", label);
      const about = select.getAttribute("aria-describedby");
      if (about) this.control_input.setAttribute("aria-describedby", about);
      if (select.getAttribute("aria-invalid") === "true") this.wrapper.classList.add("invalid");
    },
  };
  if (src) {
    Object.assign(options, {
      load: remote(src),
      preload: "focus",
      // the server has searched already: by pinyin, initials, number
      score: () => () => 1,
      loadThrottle: 180,
    });
  }
  new TomSelect(select, options);
}
