"""What differs between two readings of one call, as two witnesses may tell it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from calls.view import CallView

NEAR_SECONDS: Final = 0.05
"""Witnesses tell one moment a millisecond apart (seen on Asterisk 22.10, tape queue_ringall)."""

CORE: Final = frozenset({"status", "answered_at", "ended_at", "answered_by", "talk_seconds"})
"""What every witness knows of a call from its begin to its end; the rest one of them may know better."""

Differences = Mapping[str, tuple[Any, Any]]
"""Field -> (how the first reading has it, how the other)."""


def differences(one: CallView, other: CallView, near_seconds: float = NEAR_SECONDS) -> Differences:
    """The fields that read differently; times and spans that are near are the same."""
    first, second = _reading(one), _reading(other)
    return {name: (first[name], second[name]) for name in first if not _same(first[name], second[name], near_seconds)}


def _reading(seen: CallView) -> dict[str, Any]:
    return {
        "direction": seen.direction,
        "line": seen.line,
        "status": seen.status,
        "missed_cause": seen.missed_cause,
        "caller_number": seen.caller_number,
        "dialed": seen.dialed,
        "started_at": seen.started_at,
        "answered_at": seen.answered_at,
        "ended_at": seen.ended_at,
        "answered_by": seen.answered_by,
        "talk_seconds": seen.talk_seconds,
        "hold_seconds": seen.hold_seconds,
        "legs": tuple((leg.device, leg.number, leg.outcome) for leg in seen.legs),
        "talks": tuple(talk.between for talk in seen.talks),
        "transfers": tuple((one.kind, one.by, one.to, one.reached, one.completed) for one in seen.transfers),
        "pickups": tuple((one.by, one.of) for one in seen.pickups),
        "queues": tuple((one.name, one.outcome) for one in seen.queues),
        "recordings": seen.recordings,
    }


def _same(one: Any, other: Any, near_seconds: float) -> bool:
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs((one - other).total_seconds()) <= near_seconds
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= near_seconds
    return bool(one == other)
