// Every request of the page: the CSRF token goes along, a failure is told in words.
import { say } from "./strings.js";
import { toast } from "./toast.js";

/** The cookie first: it is renewed by signing in again in another tab, the page's own copy isn't. */
export function csrf() {
  const cookie = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie)?.[1];
  return cookie ?? document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

export function post(url, body = new FormData()) {
  return fetch(url, { method: "POST", body, headers: { "X-CSRFToken": csrf(), "HX-Request": "true" } });
}

/** What happened, and what is kept, for an answer that is an error. */
export function tell(status, detail = "") {
  if (status === 0) toast({ tone: "error", text: say("err_network"), hint: say("err_network_hint") });
  else if (status === 401) toast({ tone: "error", text: say("err_session"), hint: say("err_session_hint") });
  else if (status === 409 || status === 412) toast({ tone: "warning", text: detail || say("err_409"), hint: say("err_409_hint") });
  else if (status === 429) toast({ tone: "warning", text: say("err_429"), hint: say("err_429_hint") });
  else if (status >= 500) toast({ tone: "error", text: say("err_500"), hint: say("err_500_hint") });
  else toast({ tone: "error", text: detail || say([403, 404, 413].includes(status) ? `err_${status}` : "err_500") });
}

/** The sentence inside a problem+json or plain-text answer, if there is one. */
export function sentence(type, text) {
  if (type?.includes("json")) {
    try {
      return JSON.parse(text).detail ?? "";
    } catch {
      return "";
    }
  }
  return type?.startsWith("text/plain") && text.length < 300 ? text : "";
}

document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.verb !== "get") detail.headers["X-CSRFToken"] = csrf();
});

document.addEventListener("htmx:responseError", ({ detail: { xhr } }) => {
  tell(xhr.status, sentence(xhr.getResponseHeader("Content-Type"), xhr.responseText));
});
for (const failure of ["htmx:sendError", "htmx:timeout"]) document.addEventListener(failure, () => tell(0));

// A whole page where a part was asked for: the session ended, or the record moved. Never paste it in.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, target } = event.detail;
  if (xhr.status >= 400 || target === document.body || !/^\s*<!doctype/i.test(xhr.responseText)) return;
  event.detail.shouldSwap = false;
  if (/\/login\b/.test(xhr.responseURL)) tell(401);
  else location.assign(xhr.responseURL);
});
