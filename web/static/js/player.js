// The player: both voices drawn, one sound, the text following it. Space, arrows and < > work from anywhere on the page.
import WaveSurfer from "/static/vendor/wavesurfer.esm.js";

const player = document.getElementById("player");
const at = (id) => document.getElementById(id);
const [play, seek, position] = [at("play"), at("seek"), at("position")];
const transcript = at("transcript");
const speeds = [...player.querySelectorAll("[data-speed]")];
const pieces = [...transcript.querySelectorAll(".piece")].map(spanOf);
const silences = [...player.querySelectorAll(".silence")].map(spanOf);
const words = [...transcript.querySelectorAll(".word")].map(spanOf);
const sound = new Audio();
sound.preload = "metadata";
sound.src = player.dataset.sound;

function spanOf(element) {
  return { element, start: Number(element.dataset.start), end: Number(element.dataset.end) };
}

function told(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function goTo(seconds) {
  sound.currentTime = Math.max(0, Math.min(seconds, Number(seek.max)));
  follow();
}

// What is silent is hatched over both voices, and leads there.
function place() {
  for (const { element, start, end } of silences) {
    element.style.left = `${(100 * start) / seek.max}%`;
    element.style.width = `${(100 * (end - start)) / seek.max}%`;
  }
}

// A browser seeks to the nearest sample, which may lie a hair before the word that was clicked.
const HAIR = 0.02;

function mark(spans, now) {
  for (const span of spans) span.element.classList.toggle("current", now + HAIR >= span.start && now < span.end - HAIR);
}

function follow() {
  const now = sound.currentTime;
  position.textContent = told(now);
  seek.value = now;
  seek.setAttribute("aria-valuetext", told(now));
  mark(words, now);
  mark(pieces, now);
}

function everyFrame() {
  follow();
  if (!sound.paused) requestAnimationFrame(everyFrame);
}

// A pause while the sound is still on its way ends the wish to play: that is no error.
const start = () => sound.play().catch((error) => { if (error.name !== "AbortError") throw error; });
function toggle() {
  if (sound.paused) start(); else sound.pause();
}

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

async function draw() {
  const response = await fetch(player.dataset.outline);
  if (!response.ok) return;
  const outline = await response.json();
  seek.max = outline.seconds;
  place();
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
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, select, textarea")) return;
  const onButton = event.target.closest("button, a");
  const moves = { ArrowLeft: () => goTo(sound.currentTime - 5), ArrowRight: () => goTo(sound.currentTime + 5), "<": () => setSpeed(-1), ">": () => setSpeed(1) };
  if (event.key === " " && !onButton) { event.preventDefault(); toggle(); }
  if (moves[event.key]) { event.preventDefault(); moves[event.key](); }
});
place();
draw();
