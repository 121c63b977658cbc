"""What a person who watched a call would write down, and what the record says of it, in one form."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from pathlib import PurePosixPath
from typing import Any

from calls.view import to_json


@dataclass(frozen=True, kw_only=True)
class Record:
    """One call. Devices are `PJSIP/m1`, whoever is behind the trunk is a number in talks; spans are seconds."""

    status: str = "answered"
    direction: str = "inbound"
    caller: str = "79161234567"
    dialed: str = "500"
    missed_cause: str | None = None
    ended_by: str | None = None
    answered_by: tuple[str, ...] = ()
    legs: tuple[tuple[str, str], ...] = ()
    """(device, outcome)"""
    talks: tuple[tuple[str, str], ...] = ()
    transfers: tuple[tuple[str, str, str, tuple[str, ...], bool], ...] = ()
    """(kind, by, to, reached, completed)"""
    pickups: tuple[tuple[str, str], ...] = ()
    """(by, of)"""
    forwards: tuple[tuple[str, str], ...] = ()
    """(by, to)"""
    queues: tuple[tuple[str, str], ...] = ()
    """(name, outcome)"""
    parks: tuple[tuple[str, str, str], ...] = ()
    """(by, outcome, taken_by)"""
    conference: bool = False
    recordings: tuple[str, ...] = ()
    """Names of the files; `*` is a uniqueid."""
    wait: float = 0.0
    talk: float = 0.0
    hold: float = 0.0


RECORDED = ("*.wav",)
"""One recording, by a dialplan that names it for the channel."""
_UNIQUE = re.compile(r"^\d+\.\d+")
SPANS = ("wait", "talk", "hold")
EARLY = 0.8
"""Seconds that a span may be shorter than played: the PBX is told of an answer after the person picked up."""


def told(seen: Any, plain: Any = lambda value: value) -> Record:
    """The record of a call as `switchhook replay` prints it, with the names that `plain` gives; `seen` is its view."""
    record = plain(to_json(seen))
    return Record(
        status=record["status"],
        direction=record["direction"],
        caller=record["caller"]["number"],
        dialed=record["dialed"],
        missed_cause=record["missed_cause"],
        ended_by=record.get("ended_by"),
        answered_by=tuple(record["answered_by"]),
        legs=tuple((one["device"], one["outcome"]) for one in record["legs"]),
        talks=tuple((one["between"][0], one["between"][1]) for one in record["talks"]),
        transfers=tuple(
            (one["kind"], one["by"], one["to"], tuple(one["reached"]), one["completed"]) for one in record["transfers"]
        ),
        pickups=tuple((one["by"], one["of"]) for one in record["pickups"]),
        forwards=tuple((one["by"], one["to"]) for one in record["forwards"]),
        queues=tuple((one["name"], one["outcome"]) for one in record["queues"]),
        parks=tuple((one["by"], one["outcome"], one["taken_by"]) for one in record.get("parks", ())),
        conference=record.get("conference", False),
        recordings=tuple(_UNIQUE.sub("*", PurePosixPath(path).name) for path in record["recordings"]),
        wait=record["wait_seconds"],
        talk=record["talk_seconds"],
        hold=record["hold_seconds"],
    )


def alike(record: Record, wanted: Record, seconds: float, unknown: Collection[str] = ()) -> Record:
    """`record`, with what is `unknown` to its witness and spans that are right within `seconds` as they are wanted.

    A busy machine makes a span longer; shorter than EARLY allows it is wrong, however busy that was. A test compares
    the two as a whole, and a failure shows every difference.
    """
    assert set(unknown) <= {field.name for field in fields(Record)}
    late = {name: getattr(record, name) - getattr(wanted, name) for name in SPANS}
    same = {name for name in SPANS if -min(seconds, EARLY) <= late[name] <= seconds}
    # Phones that ring together have no order.
    same |= {"legs"} if sorted(record.legs) == sorted(wanted.legs) else set()
    return replace(record, **{name: getattr(wanted, name) for name in same | set(unknown)})
