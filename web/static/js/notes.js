// Notes of the cards: kept as they are typed. What the service has not taken yet stays in the browser and is sent again.
const live = document.getElementById("live");
const KEY = "switchhook note ";
const TYPED_MS = 400, AGAIN_MS = 2000, DAY_MS = 86_400_000;
const waiting = new Map();

const callOf = (field) => field.closest("[data-call]").dataset.call;
const fieldOf = (call) => live.querySelector(`[data-call="${call}"] .card-note textarea`);
const draftOf = (call) => JSON.parse(localStorage.getItem(KEY + call));

function say(field, text) { field.parentElement.querySelector(".note-state").textContent = text; }

function plan(call, ms) {
  clearTimeout(waiting.get(call));
  waiting.set(call, setTimeout(() => send(call), ms));
}

async function send(call) {
  waiting.delete(call);
  const draft = draftOf(call);
  if (!draft) return;
  let kept = false;
  try {
    const body = new URLSearchParams({ note: draft.text });
    const answer = await fetch(`/calls/${call}/note`, { method: "POST", body, headers: { "HX-Request": "true" } });
    kept = answer.ok;
    // Refused for good (not one's call, no text): it is not sent again and again, and stays in the field.
    if (answer.status >= 400 && answer.status < 500 && answer.status !== 401) localStorage.removeItem(KEY + call);
  } catch { /* no connection: below */ }
  const field = fieldOf(call);
  if (kept && draftOf(call)?.text === draft.text) localStorage.removeItem(KEY + call);
  if (field) say(field, draftOf(call) ? field.dataset.waits : kept ? field.dataset.kept : "");
  if (draftOf(call)) plan(call, AGAIN_MS);
}

live.addEventListener("input", (event) => {
  const field = event.target.closest(".card-note textarea");
  if (!field) return;
  localStorage.setItem(KEY + callOf(field), JSON.stringify({ text: field.value, at: Date.now() }));
  say(field, "");
  plan(callOf(field), TYPED_MS);
});

// What stands in a field: what was typed here and is not taken yet, else what the service has, as from another window.
function restore() {
  for (const field of live.querySelectorAll(".card-note textarea")) {
    const call = callOf(field), draft = draftOf(call);
    field.parentElement.querySelector(".note-save").hidden = true;
    if (draft) {
      if (document.activeElement !== field) field.value = draft.text;
      if (!waiting.has(call)) plan(call, 0);
    } else if (document.activeElement !== field && field.value !== field.closest("[data-call]").dataset.note) {
      field.value = field.closest("[data-call]").dataset.note;
    }
  }
}

// An outcome takes the note with it, so nothing is left to be sent.
live.addEventListener("htmx:after:request", (event) => {
  const form = event.target.closest?.(".card-own");
  if (form && event.detail.ctx.response?.status === 200 && event.detail.ctx.text === "") {
    const call = form.closest("[data-call]").dataset.call;
    clearTimeout(waiting.get(call));
    waiting.delete(call);
    localStorage.removeItem(KEY + call);
  }
});

for (const key of Object.keys(localStorage)) {
  if (key.startsWith(KEY) && Date.now() - (JSON.parse(localStorage.getItem(key))?.at ?? 0) > DAY_MS) localStorage.removeItem(key);
}
addEventListener("online", restore);
live.addEventListener("htmx:sse:after:connection", restore);
live.addEventListener("htmx:sse:after:message", restore);
restore();
