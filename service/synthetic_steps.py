"""How far a synthetic call came, by what is in the record, and which step it failed at (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from calls.call import Call, earliest
from calls.events import Arrived, FallbackTaken, RecordingStarted, Routed, TranscriptionGivenUp
from calls.synthetic import STEPS
from calls.view import view
from recordings.gaps import KEPT
from recordings.names import SIDES

LATEST: Final[Mapping[str, float]] = {
    "arrived": 10.0,
    "decided": 15.0,
    "rang": 30.0,
    "answered": 40.0,
    "recorded": 45.0,
    "stored": 180.0,
}
"""Seconds from the beginning by which a step is done, or failed; the text's are the settings'."""

_PLANNED_SECONDS: Final = 30.0
"""What is told of a text is planned with it: so long after the text's own time it is there."""

SAID: Final[Mapping[str, Mapping[str, str]]] = {
    "ru": {
        "caller": "операторы заняты пожалуйста оставайтесь линии звонок будет обслужен первым доступным оператором",
        "staff": "данный момент никто может принять звонок",
    },
    "en": {
        "caller": "representatives currently busy please stay line your call will answered next available",
        "staff": "nobody available take your call moment",
    },
}
"""What each side says, as the prompts' authors wrote it down: words that can be known again."""

_HEARD_SHARE: Final = 0.5
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the recording in the store: how it stands, why, and since when."""

    state: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in the record of a synthetic call by now; times are the database's, but those of the call the PBX's."""

    call: Call | None = None
    sides: Mapping[str, Side] = field(default_factory=dict)
    words: Sequence[Mapping[str, Any]] | None = None
    text_at: datetime | None = None
    owed: Collection[tuple[str, str]] = ()
    planned: Mapping[tuple[str, str], datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """The steps that were done, each with seconds since the beginning; `failed` at, and why."""

    steps: Mapping[str, float]
    failed: str | None = None
    why: str = ""

    @property
    def whole(self) -> bool:
        """Whether every step was done."""
        return self.failed is None and len(self.steps) == len(STEPS)


def progress(seen: Seen, began_at: datetime, age: float, language: str, text_seconds: float) -> Progress:
    """How far it came `age` seconds after it began. A step that comes after one that failed is told all the same."""
    steps: dict[str, float] = {"begun": 0.0}
    failures: dict[str, str] = {}
    if seen.call is not None:
        _of_call(seen.call, steps, failures)
    _of_sound(seen, began_at, language, steps, failures)
    told: dict[str, float] = {name: round(max(steps[name], 0.0), 3) for name in STEPS if name in steps}
    latest = {**LATEST, "transcribed": text_seconds, "planned": text_seconds + _PLANNED_SECONDS}
    missing = next((name for name in STEPS if name not in told or name in failures), None)
    if missing is None:
        return Progress(told)
    if missing in failures:
        return Progress(told, missing, failures[missing])
    if age > latest[missing]:
        return Progress(told, missing, f"not within {latest[missing]:g} s")
    return Progress(told)


def _of_call(call: Call, steps: dict[str, float], failures: dict[str, str]) -> None:
    """The steps that the PBX and routing told, by the PBX's clock."""
    read = view(call)
    if (began := read.started_at) is None:
        return
    arrived, routed, fallback = earliest(call, Arrived), earliest(call, Routed), earliest(call, FallbackTaken)
    recorded = earliest(call, RecordingStarted)
    rang = min((leg.rang_at for leg in read.legs if leg.rang_at), default=None)
    moments = {
        "arrived": arrived and arrived.at,
        "decided": routed and routed.at,
        "rang": rang,
        "answered": read.answered_at,
        "recorded": recorded and recorded.at,
    }
    steps |= {name: (at - began).total_seconds() for name, at in moments.items() if at}
    if fallback is not None:
        failures["decided"] = f"the dialplan went on without the service: {fallback.reason or 'fallback'}"
    elif routed is not None and (why := _not_decided(routed)):
        failures["decided"] = why
    if read.ended_at is not None:
        left = [name for name in moments if name not in steps]
        why = ", ".join(leg.outcome for leg in read.legs if leg.outcome) or "the call ended before"
        failures.update({name: why for name in left if name not in failures})


def _not_decided(routed: Routed) -> str:
    if routed.outcome not in {"in_time", "from_cache"}:
        return f"the plan was not taken in time: {routed.outcome}"
    return "" if json.loads(routed.plan).get("steps") else f"the plan has no step: rule {routed.rule}"


def _of_sound(seen: Seen, began_at: datetime, language: str, steps: dict[str, float], failures: dict[str, str]) -> None:
    """The steps after the call, by the database's clock."""
    lost = [f"{name}: {side.state}, {side.reason}" for name, side in seen.sides.items() if side.state not in KEPT]
    if lost:
        failures["stored"] = "; ".join(lost)
    elif set(SIDES) <= seen.sides.keys():
        steps["stored"] = _since(began_at, (side.at for side in seen.sides.values()))
    given_up = seen.call and earliest(seen.call, TranscriptionGivenUp)
    if seen.text_at is not None:
        steps["transcribed"] = _since(began_at, [seen.text_at])
        if why := not_heard(seen.words or (), language):
            failures["transcribed"] = why
    elif given_up:
        failures["transcribed"] = given_up.reason
    if "transcribed" in steps and set(seen.owed) <= seen.planned.keys():
        steps["planned"] = _since(began_at, [*seen.planned.values(), seen.text_at or began_at])


def not_heard(words: Sequence[Mapping[str, Any]], language: str) -> str:
    """Why the text is not what was said, empty where enough of its words are there."""
    for side, said in SAID[language].items():
        known = set(_WORD.findall(said))
        told = {word for one in words if one["side"] == side for word in _WORD.findall(str(one["text"]).lower())}
        if len(known & told) < len(known) * _HEARD_SHARE:
            return f"of what the {side} says {len(known & told)} of {len(known)} words are in the text"
    return ""


def _since(began_at: datetime, moments: Iterable[datetime]) -> float:
    return (max(moments) - began_at).total_seconds()
