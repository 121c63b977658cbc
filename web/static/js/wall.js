// A screen on a wall, which nobody touches for months: timers, the clock, and coming back by itself whatever happened.
import { run, tick } from "./clock.js";

const live = document.getElementById("live");
const lost = document.getElementById("lost");
const wall = document.getElementById("wall-clock");
const ahead = Date.parse(document.body.dataset.now) - Date.now();
const shown = wall.textContent;
const offset = Number(shown.slice(0, 2)) * 60 + Number(shown.slice(3)) - Math.floor(Date.parse(wall.dateTime) / 60000);
const FRESH_MS = 6 * 60 * 60 * 1000;
const opened = Date.now();

function tellTime() {
  const minutes = (((Math.floor((Date.now() + ahead) / 60000) + offset) % 1440) + 1440) % 1440;
  const two = (number) => String(number).padStart(2, "0");
  wall.textContent = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

live.addEventListener("htmx:sse:after:connection", () => { lost.hidden = true; });
for (const failed of ["htmx:error", "htmx:response:error"]) live.addEventListener(failed, () => { lost.hidden = false; });
live.addEventListener("htmx:sse:error", (event) => {
  lost.hidden = false;
  // The link was revoked: nothing of it stays on the screen.
  if (event.detail.status >= 400 && event.detail.status < 500) location.reload();
});
live.addEventListener("htmx:sse:after:message", () => {
  tick();
  // What an update of the service changed reaches the screen too; only now is it sure that a page will come.
  if (Date.now() - opened > FRESH_MS) location.reload();
});

run();
setInterval(tellTime, 1000);
