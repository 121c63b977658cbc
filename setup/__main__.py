"""`python3 -m setup PART…` makes those parts ready: python, assets, asterisk, whisper, chromium, fuzz, systemd."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from setup import assets, chromium, environment, fuzz, systemd, whisper
from setup.steps import ROOT, SetupError, old_enough, only_one, say


@dataclass(frozen=True)
class Part:
    """A thing that must be there; `after` names the part that it is made with."""

    make: Callable[[], None]
    after: str | None = None


def _asterisk() -> None:
    # A program of its own: it fetches from Debian's archive while the Python part fetches from the Python registry.
    if subprocess.run([sys.executable, "-m", "setup.asterisk"], cwd=ROOT, check=False).returncode:
        message = "asterisk: not ready; the lines above say why."
        raise SetupError(message)


PARTS = {
    "python": Part(environment.make),
    "assets": Part(assets.make, after="python"),
    "whisper": Part(whisper.make, after="python"),
    "chromium": Part(chromium.make, after="python"),
    "fuzz": Part(fuzz.make, after="python"),
    "systemd": Part(systemd.make, after="python"),
    "asterisk": Part(_asterisk),
}


def make(names: list[str]) -> list[str]:
    """Make the parts ready, each after the one it needs, independent ones side by side; returns what went wrong."""
    wanted = set(names) | {after for name in names if (after := PARTS[name].after)}
    chains = [["python", *(name for name in PARTS if PARTS[name].after == "python" and name in wanted)]]
    chains += [[name] for name in PARTS if name in wanted and name != "python" and PARTS[name].after is None]

    def work(chain: list[str]) -> list[str]:
        problems = []
        for name in chain:
            try:
                PARTS[name].make()
            except SetupError as problem:
                problems.append(str(problem))
                if name == "python":
                    break
        return problems

    with ThreadPoolExecutor(len(chains)) as pool:
        return [problem for problems in pool.map(work, chains) for problem in problems]


def main(names: list[str]) -> int:
    """Exit code 0 when all is ready, 1 when something cannot be had, 2 for a part that does not exist."""
    if unknown := [name for name in names if name not in PARTS]:
        print(f"setup: no part {unknown[0]!r}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    try:
        old_enough()
        with only_one(ROOT / "var/setup.lock"):
            problems = make(names or list(PARTS))
    except SetupError as refusal:
        problems = [str(refusal)]
    for problem in problems:
        print(f"\n{problem}", file=sys.stderr)
    if not problems and (seconds := time.monotonic() - started) > 2:
        say("setup", f"everything is ready after {seconds:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
