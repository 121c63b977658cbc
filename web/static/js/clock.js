// Runs every timer on the page by the server's clock; a timer says in data-since when it began.
const ahead = Date.parse(document.body.dataset.now) - Date.now();

function told(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

export function tick() {
  const now = Date.now() + ahead;
  for (const timer of document.querySelectorAll("[data-since]")) {
    const text = told((now - Date.parse(timer.dataset.since)) / 1000);
    if (timer.textContent !== text) timer.textContent = text;
  }
}

export function run() {
  tick();
  setInterval(tick, 250);
}
