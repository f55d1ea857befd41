// Where the side column lies under the header, its panels start folded, but for the first: what is due.
const narrow = matchMedia("(max-width: 1000px)");

export function attach(side) {
  if (side.dataset.ready) return;
  side.dataset.ready = "1";
  if (!narrow.matches) return;
  for (const panel of side.querySelectorAll("details.panel:not([data-keep-open])")) panel.open = false;
}
