// The player: both voices drawn, one sound, the text following it. Its keys work from anywhere on the page.
import WaveSurfer from "/static/vendor/wavesurfer.esm.js";
import { silencesOf } from "./silence.js";

const player = document.getElementById("player");
const at = (id) => document.getElementById(id);
const [play, seek, position, skip, told] = ["play", "seek", "position", "skip", "told"].map(at);
const transcript = at("transcript");
const speeds = [...player.querySelectorAll("[data-speed]")];
const pieces = [...transcript.querySelectorAll(".piece")].map(spanOf);
const silences = [...player.querySelectorAll(".silence")].map(spanOf);
const marks = [...player.querySelectorAll(".comment-mark")].map(spanOf);
const words = [...transcript.querySelectorAll(".word")].map(spanOf);
const sound = new Audio();
sound.preload = "metadata";
sound.src = player.dataset.sound;
let quiet = [];

function spanOf(element) {
  return { element, start: Number(element.dataset.start), end: Number(element.dataset.end) };
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

function goTo(seconds) {
  sound.currentTime = Math.max(0, Math.min(seconds, Number(seek.max)));
  follow();
}

// What is silent is hatched over both voices, and what is said of a moment stands there; both lead there.
function place() {
  for (const { element, start, end } of silences) {
    element.style.left = `${(100 * start) / seek.max}%`;
    element.style.width = `${(100 * (end - start)) / seek.max}%`;
  }
  for (const { element, start } of marks) element.style.left = `${(100 * Math.min(start, seek.max)) / seek.max}%`;
}

// A browser seeks to the nearest sample, which may lie a hair before the word that was clicked.
const HAIR = 0.02;

function mark(spans, now) {
  for (const span of spans) span.element.classList.toggle("current", now + HAIR >= span.start && now < span.end - HAIR);
}

// The text goes along with the sound, unless its reader has just moved it.
const READING_MS = 4000;
let movedAt = -READING_MS;
for (const kind of ["wheel", "touchmove", "keydown", "pointerdown"]) {
  transcript.addEventListener(kind, () => { movedAt = performance.now(); }, { passive: true });
}

function goAlong() {
  const current = pieces.find((piece) => piece.element.classList.contains("current"));
  if (!current || sound.paused || performance.now() - movedAt < READING_MS) return;
  const [shown, own] = [transcript.getBoundingClientRect(), current.element.getBoundingClientRect()];
  if (own.top < shown.top || own.bottom > shown.bottom) transcript.scrollTop += own.top - shown.top - shown.height / 4;
}

const [commentAt, commentText] = [at("comment-at"), at("comment-text")];

function follow() {
  const now = sound.currentTime;
  position.textContent = clock(now);
  seek.value = now;
  seek.setAttribute("aria-valuetext", clock(now));
  mark(words, now);
  mark(pieces, now);
  goAlong();
  // Whoever has begun to write means the moment at which they began.
  if (!commentText.value && document.activeElement !== commentAt) commentAt.value = clock(now);
}

function everyFrame() {
  const silence = quiet.find(({ start, end }) => sound.currentTime >= start && sound.currentTime < end - HAIR);
  if (silence && skipping() && !sound.paused && !sound.seeking) sound.currentTime = silence.end;
  follow();
  if (!sound.paused) requestAnimationFrame(everyFrame);
}

// A pause while the sound is still on its way ends the wish to play: that is no error.
const start = () => sound.play().catch((error) => { if (error.name !== "AbortError") throw error; });
function toggle() {
  if (sound.paused) start(); else sound.pause();
}

const skipping = () => skip.getAttribute("aria-pressed") === "true";
const toggleSkipping = () => skip.setAttribute("aria-pressed", String(!skipping()));

function setSpeed(step) {
  const now = speeds.findIndex((button) => button.getAttribute("aria-pressed") === "true");
  const next = speeds[Math.max(0, Math.min(now + step, speeds.length - 1))];
  chooseSpeed(next);
}

function chooseSpeed(chosen) {
  sound.preservesPitch = true;
  sound.playbackRate = Number(chosen.dataset.speed);
  for (const button of speeds) button.setAttribute("aria-pressed", String(button === chosen));
}

// The address then names the moment, also where the browser lets no page copy.
async function copyLink() {
  const seconds = Math.floor(sound.currentTime * 10) / 10;
  history.replaceState(null, "", `#t=${seconds}`);
  const copied = navigator.clipboard && (await navigator.clipboard.writeText(location.href).then(() => true, () => false));
  told.textContent = at("link").dataset[copied ? "copied" : "shown"].replace("{time}", clock(seconds));
}

function comment() {
  commentAt.value = clock(sound.currentTime);
  commentText.focus();
}

async function draw() {
  const response = await fetch(player.dataset.outline);
  if (!response.ok) return;
  const outline = await response.json();
  seek.max = outline.seconds;
  place();
  quiet = silencesOf(outline);
  const style = getComputedStyle(document.documentElement);
  // The canvas needs a plain colour: it is read off an element that wears the style sheet's.
  const shade = (name) => {
    const probe = document.createElement("span");
    probe.className = name;
    player.append(probe);
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };
  const shape = { barWidth: 2, barGap: 1.5, barRadius: 2, height: 76 };
  const wave = WaveSurfer.create({
    container: "#wave",
    media: sound,
    peaks: [outline.caller, outline.staff],
    duration: outline.seconds,
    cursorColor: style.color,
    cursorWidth: 2,
    normalize: true,
    cspNonce: player.dataset.nonce,
    splitChannels: [
      { ...shape, waveColor: shade("faint-caller"), progressColor: shade("said-caller") },
      { ...shape, waveColor: shade("faint-staff"), progressColor: shade("said-staff") },
    ],
    ...shape,
  });
  wave.on("interaction", follow);
}

play.addEventListener("click", toggle);
at("back").addEventListener("click", () => goTo(sound.currentTime - 10));
at("forward").addEventListener("click", () => goTo(sound.currentTime + 10));
seek.addEventListener("input", () => goTo(Number(seek.value)));
skip.addEventListener("click", toggleSkipping);
at("link").addEventListener("click", copyLink);
for (const button of speeds) button.addEventListener("click", () => chooseSpeed(button));
for (const [event, label] of [["play", "pause"], ["pause", "play"]]) {
  sound.addEventListener(event, () => {
    player.classList.toggle("playing", event === "play");
    play.setAttribute("aria-label", player.dataset[label]);
    everyFrame();
  });
}
for (const { element, start } of silences) element.addEventListener("click", () => goTo(start));
sound.addEventListener("seeked", follow);
transcript.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-seek], .word");
  if (!chosen) return;
  goTo(Number(chosen.dataset.seek ?? chosen.dataset.start));
  start();
});
document.addEventListener("moment", (event) => {
  goTo(event.detail.seconds);
  if (event.detail.play) start();
});

// A letter is known by its place on the keyboard: it is the same key whatever alphabet is set.
const far = (event) => (event.shiftKey ? 30 : 5);
const keys = {
  ArrowLeft: (event) => goTo(sound.currentTime - far(event)),
  ArrowRight: (event) => goTo(sound.currentTime + far(event)),
  "<": () => setSpeed(-1),
  ">": () => setSpeed(1),
  "?": () => { at("keys").open = !at("keys").open; },
};
const letters = { KeyS: toggleSkipping, KeyC: comment, KeyL: copyLink };
const shifted = { Comma: keys["<"], Period: keys[">"] };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  const does = keys[event.key] ?? (event.shiftKey ? shifted : letters)[event.code];
  if (does) { event.preventDefault(); does(event); }
  if (event.key === " " && !event.target.closest("button, a, summary")) { event.preventDefault(); toggle(); }
});
place();
draw();
