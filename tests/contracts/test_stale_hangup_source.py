"""Who transferred may hang up before the PBX has moved the other on: then CEL names them at that one's end for good."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from service.commands.replay import replay

TAPES = Path(__file__).parents[1] / "tapes"


@pytest.mark.parametrize("name", ["blind_refer", "blind_refer_answered"])
def test_who_ended_a_call_is_told_by_the_end_of_the_last_they_talked_with(name: str, tmp_path: Path) -> None:
    """The record is that of the tape, where the caller's own end names who hung up."""
    tape = TAPES / f"{name}.cel.csv"
    rows = list(csv.DictReader(io.StringIO(tape.read_text(encoding="utf-8"))))
    channel, extra = ("channame", "eventextra") if "channame" in rows[0] else ("channel", "extra")
    caller = rows[0][channel]
    (sender,) = (row[channel] for row in rows if row["eventtype"] == "BLINDTRANSFER")
    told = [row for row in rows if row["eventtype"] == "HANGUP" and f'"hangupsource":"{caller}"' in row[extra]]
    assert len(told) == 2, "the caller's own end, and that of the last they talked with"
    (own,) = (row for row in told if row[channel] == caller)
    own[extra] = own[extra].replace(caller, sender)
    stale = tmp_path / tape.name
    with stale.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    records = replay([tape])[0]
    assert [one.ended_by for one in records] == ["caller"]
    assert replay([stale])[0] == records
