"""`python -m tests.lab.scenarios record NAME…` plays scenarios and keeps them as tapes; `list` tells what there is."""

from __future__ import annotations

import asyncio
import csv
import sys
from pathlib import Path

from telephony.cel import COLUMNS
from tests.lab.scenarios.catalogue import SCENARIOS
from tests.lab.scenarios.play import play

TAPES = Path(__file__).parents[2] / "tapes"
USAGE = "python -m tests.lab.scenarios list | record NAME… | record --missing"


def main(arguments: list[str]) -> int:
    """The exit code: 2 when the arguments say nothing that can be done, 1 when a scenario failed."""
    match arguments:
        case ["list"]:
            for one in SCENARIOS.values():
                taped = "yes" if (TAPES / f"{one.name}.ami").exists() else "no"
                print(f"| {one.name} | {one.story} | {taped} |")  # noqa: T201 - the table of tests/tapes/README.md
            return 0
        case ["record", "--missing"]:
            names = [one.name for one in SCENARIOS.values() if one.taped and not (TAPES / f"{one.name}.ami").exists()]
        case ["record", *names] if names and set(names) <= set(SCENARIOS):
            pass
        case _:
            unknown = ", ".join(sorted(set(arguments[1:]) - set(SCENARIOS))) or "nothing"
            print(f"{USAGE}\nno scenario of that name: {unknown}", file=sys.stderr)  # noqa: T201 - to the person at the terminal
            return 2
    return max([_record(name) for name in names], default=0)


def _record(name: str) -> int:
    """Play it on a PBX of its own, and keep what both witnesses told."""
    played = asyncio.run(play([SCENARIOS[name]]))
    if name in played.failed:
        print(f"{name}: {played.failed[name]!r}", file=sys.stderr)  # noqa: T201 - to the person at the terminal
        return 1
    # What is told before the first channel begins is about the telephones' registration.
    ami = played.ami[played.ami.index("Event: Newchannel\r\n") :]
    (TAPES / f"{name}.ami").write_text(ami, encoding="utf-8", newline="")
    with (TAPES / f"{name}.cel.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(COLUMNS)
        file.write(played.cel)
    print(f"{name}: recorded")  # noqa: T201 - to the person at the terminal
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
