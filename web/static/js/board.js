// The board: a lead goes to another column by dragging, or by the menu of its button; the service says whether it may.
// What colleagues do comes by the stream; it waits while a card is dragged or the menu is open, and so does what became
// of the last move while the next card is dragged.
const board = document.getElementById("board");
const dialog = document.getElementById("move");
const form = dialog.querySelector("form");
const to = form.elements.to;
let dragged = null;
let opener = null;
let waiting = "";
let drawn = board.querySelector(".board").outerHTML;

for (const select of document.querySelectorAll("#board-filters select")) {
  select.addEventListener("change", () => select.form.submit());
}
document.querySelector("#board-filters button").hidden = true;

const cardOf = (node) => node.closest(".lead-card");
const allows = (card, stage) => card.dataset.allows.split(" ").includes(stage);

function ready() {
  for (const button of board.querySelectorAll(".lead-card-move")) button.hidden = false;
}

function parse(text) {
  const parsed = new DOMParser().parseFromString(text, "text/html");
  return parsed.querySelector("body > .board") && parsed;
}

function draw(parsed) {
  waiting = "";
  drawn = parsed.querySelector(".board").outerHTML;
  const scrolled = board.querySelector(".board").scrollLeft;
  const focused = board.contains(document.activeElement) ? document.activeElement : null;
  const card = focused && cardOf(focused)?.id;
  board.replaceChildren(...parsed.body.childNodes);
  ready();
  board.querySelector(".board").scrollLeft = scrolled;
  if (card) document.getElementById(card)?.querySelector(focused.matches("a") ? "a" : "button")?.focus({ preventScroll: true });
}

// Why one's own last move was refused stays, whatever colleagues do; what looks the same is left alone.
function drawWaiting() {
  if (!waiting || dragged || dialog.open) return;
  const parsed = parse(waiting);
  waiting = "";
  if (!parsed || parsed.querySelector(".board").outerHTML === drawn) return;
  const refused = board.querySelector(":scope > .wrong");
  draw(parsed);
  if (refused) board.prepend(refused);
}

const lost = document.getElementById("lost");
function listen() {
  const stream = new EventSource(board.dataset.stream);
  stream.addEventListener("open", () => { lost.hidden = true; });
  stream.addEventListener("message", (event) => { waiting = event.data; drawWaiting(); });
  stream.addEventListener("error", () => {
    lost.hidden = false;
    // A browser comes back by itself, but not from an answer that is no stream.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
}

async function send(card, body) {
  const { name, lead } = card.dataset;
  const place = to.querySelector(`option[value="${CSS.escape(body.get("to"))}"]`)?.textContent ?? "";
  const response = await fetch(`/leads/${lead}/board`, { method: "POST", body: new URLSearchParams(body), headers: { "X-Board": "1" } });
  // Whoever is logged out meanwhile, or may not do this at all, reads so on a page of its own.
  if (response.redirected || !(response.ok || [400, 403, 409].includes(response.status))) return location.reload();
  const text = await response.text();
  const parsed = parse(text);
  if (!parsed) return location.reload();
  if (dragged) {
    waiting = text;
    return;
  }
  draw(parsed);
  const moved = document.getElementById(`card-${lead}`);
  (moved?.querySelector(".lead-card-move") ?? board.querySelector(".board")).focus();
  moved?.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.getElementById("board-told").textContent = response.ok ? board.dataset.moved.replace("{name}", name).replace("{place}", place) : "";
}

function bodyOf(card, place) {
  const body = new FormData(form);
  body.set("seen", card.dataset.from);
  body.set("to", place);
  return body;
}

// An end asks for its reason; only the fields of the one that is chosen are sent.
function askWhy() {
  for (const part of form.querySelectorAll(".board-why")) {
    const mine = part.dataset.for === to.value;
    part.hidden = !mine;
    part.disabled = !mine;
  }
  const other = form.querySelector(".board-other");
  const wanted = to.value === "disqualified" && other.closest("fieldset").querySelector("[name=reason]").value === "duplicate";
  other.hidden = !wanted;
  other.querySelector("input").disabled = !wanted;
}

function ask(card, place) {
  opener = card;
  form.reset();
  document.getElementById("move-who").textContent = card.dataset.name;
  for (const option of to.options) {
    option.disabled = option.value === card.dataset.from || !allows(card, option.dataset.stage);
    option.hidden = option.disabled;
  }
  to.value = place ?? [...to.options].find((option) => !option.disabled)?.value;
  askWhy();
  dialog.showModal();
  (place ? form.querySelector(".board-why:not([hidden]) select") : to).focus();
}

board.addEventListener("click", (event) => {
  const button = event.target.closest(".lead-card-move");
  if (button) ask(cardOf(button));
});
form.addEventListener("change", askWhy);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  dialog.close();
  send(opener, bodyOf(opener, to.value));
});
document.getElementById("move-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => { opener?.querySelector(".lead-card-move")?.focus(); drawWaiting(); });

board.addEventListener("dragstart", (event) => {
  dragged = cardOf(event.target);
  if (!dragged) return;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.name);
  for (const column of board.querySelectorAll(".column")) {
    const here = column.dataset.place === dragged.dataset.from;
    column.classList.toggle("column-refuses", !here && !allows(dragged, column.dataset.stage));
  }
});
board.addEventListener("dragover", (event) => {
  const column = event.target.closest(".column");
  if (!dragged || !column) return;
  event.preventDefault();
  for (const one of board.querySelectorAll(".column")) one.classList.toggle("column-over", one === column);
});
board.addEventListener("drop", (event) => {
  const column = event.target.closest(".column");
  if (!dragged || !column) return;
  event.preventDefault();
  const { place } = column.dataset;
  if (place === dragged.dataset.from) return;
  if (allows(dragged, place) && form.querySelector(`.board-why[data-for="${place}"]`)) ask(dragged, place);
  else { form.reset(); askWhy(); send(dragged, bodyOf(dragged, place)); }
});
board.addEventListener("dragend", () => {
  for (const column of board.querySelectorAll(".column")) column.classList.remove("column-refuses", "column-over");
  dragged = null;
  drawWaiting();
});
ready();
listen();
