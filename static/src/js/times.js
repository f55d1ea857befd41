// Keeps relative times true while a page stays open. Same msgids and rounding as spine/ui/times.py.
import { say } from "./strings.js";

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const HALF_DAY = 12 * HOUR;

export function span(seconds) {
  const minutes = Math.max(1, Math.round(Math.abs(seconds) / MINUTE));
  if (minutes < 60) return say("min", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 10 && minutes % 60) return say("hmin", { h: hours, m: minutes % 60 });
  if (hours < 48) return say("h", { n: Math.round(minutes / 60) });
  return say("d", { n: Math.round(minutes / 60 / 24) });
}

function refresh() {
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const passed = (now - Date.parse(element.dateTime)) / 1000;
    if (passed >= 0 && passed < HALF_DAY) element.textContent = passed < 45 ? say("now") : say("ago", { span: span(passed) });
  }
  for (const element of document.querySelectorAll("time[data-due]")) {
    const left = (Date.parse(element.dateTime) - now) / 1000;
    if (left >= HALF_DAY) continue;
    element.textContent = say(left < 0 ? "over" : "left", { span: span(left) });
    if (left < 0) {
      const due = element.closest(".due");
      due?.classList.remove("soon");
      due?.classList.add("late");
      due?.querySelector(".bar")?.classList.replace("soon", "late");
    }
  }
}

export function watchTimes() {
  setInterval(() => document.hidden || refresh(), 20_000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh());
}
