// The desk's own behaviour: timers, the tab's title while the phone rings, and saying so when the connection is lost.
import { run, tick } from "./clock.js";

const live = document.getElementById("live");
const lost = document.getElementById("lost");
const title = document.title;

function tellTitle() {
  const ringing = live.querySelector("[data-title]:not([data-title=''])");
  document.title = ringing ? `● ${ringing.dataset.title}` : title;
}

live.addEventListener("htmx:sse:after:connection", () => { lost.hidden = true; });
// The first connection of a page is an ordinary request, whose failure has names of its own; so has a refusal.
for (const failed of ["htmx:error", "htmx:response:error"]) live.addEventListener(failed, () => { lost.hidden = false; });
live.addEventListener("htmx:sse:error", (event) => {
  lost.hidden = false;
  // The session ended, or the service was replaced by one that does not know it: the page asks to log in again.
  if (event.detail.status === 401 || event.detail.status === 303) location.reload();
});
live.addEventListener("htmx:sse:after:message", () => { tick(); tellTitle(); });

// A choice counts as soon as it is made; its button is for browsers without scripts.
document.querySelector("main").addEventListener("change", (event) => {
  if (event.target.id === "cards-when") event.target.form.requestSubmit();
});
document.documentElement.classList.add("scripted");

run();
tellTitle();
