// The moment that the address names (#t=12.3): its word is shown and marked, and the player, if there is one, goes there.
const words = [...document.querySelectorAll(".word")];
const HAIR = 0.02;

function named() {
  const seconds = Number(/^#t=(\d{1,6}(?:\.\d{1,3})?)$/.exec(location.hash)?.[1]);
  return Number.isNaN(seconds) ? null : seconds;
}

function show(play) {
  const seconds = named();
  if (seconds === null) return;
  const word = words.find((one) => Number(one.dataset.end) > seconds + HAIR);
  for (const one of words) one.classList.toggle("sought", one === word);
  word?.scrollIntoView({ block: "center" });
  document.dispatchEvent(new CustomEvent("moment", { detail: { seconds, play } }));
}

addEventListener("hashchange", () => show(false));
document.addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#t="]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.replaceState(null, "", link.hash);
  show(true);
});
show(false);
