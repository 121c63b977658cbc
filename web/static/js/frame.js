// What every page has: the key / goes to the search, Escape closes what was opened, a click elsewhere closes the menu.
const OPENED = "details.menu[open], details.do[open]";

function close(details) {
  const within = details.contains(document.activeElement);
  details.open = false;
  if (within) details.querySelector("summary").focus();
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape") {
    const opened = event.target.closest(OPENED) ?? document.querySelector(OPENED);
    if (opened) close(opened);
    return;
  }
  if (event.key !== "/" || event.target.closest("input, select, textarea, [contenteditable]")) return;
  event.preventDefault();
  const field = document.getElementById("search");
  field.focus();
  field.select();
});

// On a phone the sections and the tabs may be wider than the screen: the one that is open is in sight.
for (const nav of document.querySelectorAll("nav")) {
  const current = nav.querySelector("[aria-current]");
  if (!current) continue;
  const [outer, inner] = [nav.getBoundingClientRect(), current.getBoundingClientRect()];
  nav.scrollLeft += inner.left - outer.left - (outer.width - inner.width) / 2;
}

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
