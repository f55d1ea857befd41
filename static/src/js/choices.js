// The reader's own settings of the frame: kept in a cookie, so that the next page comes right from the server.
const root = document.documentElement;
const YEAR = 365 * 24 * 3600;

function keep(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${value}; Path=/; Max-Age=${YEAR}; SameSite=Lax${secure}`;
  root.dataset[name] = value;
}

function markTheme() {
  for (const button of document.querySelectorAll("[data-theme-set]")) {
    button.setAttribute("aria-pressed", String(button.dataset.themeSet === root.dataset.theme));
  }
}

document.addEventListener("click", ({ target }) => {
  const theme = target.closest?.("[data-theme-set]");
  if (theme) {
    keep("theme", theme.dataset.themeSet);
    markTheme();
  }
  if (target.closest?.("[data-rail-toggle]")) {
    const narrow = document.getElementById("rail").offsetWidth < 80;
    keep("rail", narrow ? "wide" : "narrow");
  }
});
markTheme();
