// Where nobody is heard: the seconds in which neither voice of an outline is louder than the noise of a line.
const LOUD = 0.015;
const LEAST_SECONDS = 1.2;
// What is kept of a silence on both sides, so that no breath is cut off.
const KEPT_SECONDS = 0.25;

export function silencesOf({ seconds, caller, staff }) {
  const count = Math.max(caller.length, staff.length);
  const step = seconds / count;
  const found = [];
  let since = null;
  for (let at = 0; at <= count; at += 1) {
    const silent = at < count && (caller[at] ?? 0) < LOUD && (staff[at] ?? 0) < LOUD;
    if (silent && since === null) since = at;
    if (silent || since === null) continue;
    const [start, end] = [since * step, at * step];
    if (end - start >= LEAST_SECONDS) found.push({ start: start ? start + KEPT_SECONDS : 0, end: end - KEPT_SECONDS });
    since = null;
  }
  return found;
}
