const words = JSON.parse(document.querySelector('meta[name="ui-strings"]')?.content || "{}");

/** The translated words for `key`, with %(name)s filled in. */
export function say(key, values = {}) {
  return (words[key] ?? key).replace(/%\((\w+)\)s/g, (_, name) => values[name] ?? "").replace(/%%/g, "%");
}
