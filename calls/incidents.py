"""What an incident is: a fault that is kept from its begin to its end, and the calls that it cost (pure).

Rules kept here:
1. One incident a kind and subject is open at a time, whoever sees the fault, and however often.
2. It is over when nobody saw the fault for a minute; it ended when it was seen last. Whoever has not looked on for so
   long yet ends none, for a fault is seen only by who looks.
3. A fault that is back within five minutes is the same incident, open again.
4. A call is lost to it when the call's span meets the incident's and its cause is one that this kind has; saved, where
   people talked on it all the same: by the PBX's fallback, or known only from CEL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Literal

OVER_AFTER: Final = timedelta(minutes=1)
SAME_WITHIN: Final = timedelta(minutes=5)

Scope = Literal["", "pbx", "trunk", "device", "crm"]
What = Literal["opened", "reopened", "closed"]

WHATS: Final[tuple[What, ...]] = ("opened", "reopened", "closed")
"""What happens to an incident."""

OUTCOMES: Final = ("lost", "saved")

_FALLBACK: Final = ("service_down", "routing_late")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. `grave`: calls or recordings are being lost, or nobody is told.

    `causes` are those of `calls.missed` that it explains, `saves` whether calls are saved from it; of calls those count
    that its subject is about (`scope`).
    """

    grave: bool = False
    causes: tuple[str, ...] = ()
    saves: bool = False
    scope: Scope = ""


KINDS: Final[Mapping[str, Kind]] = {
    "service": Kind(grave=True, causes=_FALLBACK, saves=True),
    "database": Kind(grave=True, causes=_FALLBACK, saves=True),
    "pbx": Kind(grave=True, causes=_FALLBACK, saves=True, scope="pbx"),
    "trunk": Kind(grave=True, causes=("trunk_failure",), scope="trunk"),
    "routing": Kind(grave=True, causes=(*_FALLBACK, "no_route"), saves=True, scope="pbx"),
    "events": Kind(saves=True, scope="pbx"),
    "device": Kind(causes=("device_unreachable",), scope="device"),
    "crm_ended": Kind(grave=True, causes=("crm_late",), scope="crm"),
    "crm_late": Kind(causes=("crm_late",), scope="crm"),
    "crm_dead": Kind(scope="crm"),
    "recordings": Kind(grave=True),
    "recordings_missing": Kind(),
    "disk": Kind(),
    "notices": Kind(),
    "jobs": Kind(),
    "erasures": Kind(),
    "stopped": Kind(causes=_FALLBACK, saves=True),
}
"""The closed list; `web/locale` has the words of each."""

OF_PEOPLE: Final = tuple(kind for kind, of in KINDS.items() if of.scope == "device")
"""Kinds that tell who is on shift, by their phone: these are for operators and admins, and for nobody outside."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong: since when, and until when it was seen (None: now). `subject` names what, `reason` why."""

    kind: str
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""
    count: int = 0

    @property
    def of(self) -> tuple[str, str]:
        """What makes two faults one."""
        return self.kind, self.subject


@dataclass(frozen=True, slots=True)
class Known:
    """An incident that is open, or ended not long ago."""

    id: int
    kind: str
    subject: str
    seen_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be written: of the incident `id` (None: a new one) that `fault` was seen, or that it is over."""

    what: What | None
    id: int | None
    fault: Fault | None = field(default=None)


def weigh(known: Sequence[Known], faults: Iterable[Fault], now: datetime, looks_since: datetime) -> Iterator[Step]:
    """What the faults that are seen now make of the incidents that are known; `looks_since`: who sees them looks on."""
    seen = _together(faults)
    still = {(one.kind, one.subject): one for one in known if one.ended_at is None}
    lately = {
        (one.kind, one.subject): one
        for one in sorted(known, key=lambda one: one.seen_at)
        if one.ended_at is not None and now - one.ended_at < SAME_WITHIN
    }
    for of, fault in seen.items():
        if of in still:
            yield Step(None, still[of].id, fault)
        elif of in lately:
            yield Step("reopened", lately[of].id, fault)
        else:
            yield Step("opened", None, fault)
    if now - looks_since < OVER_AFTER:
        return
    for of, one in still.items():
        if of not in seen and now - one.seen_at >= OVER_AFTER:
            yield Step("closed", one.id)


def _together(faults: Iterable[Fault]) -> dict[tuple[str, str], Fault]:
    """One fault a kind and subject; in one order, so that two who write never wait for each other in a ring."""
    seen: dict[tuple[str, str], Fault] = {}
    for fault in sorted(faults, key=lambda one: one.of):
        other = seen.get(fault.of)
        if other is not None:
            began = min((one.since for one in (fault, other) if one.since is not None), default=None)
            ended = max(fault.until, other.until) if fault.until and other.until else None
            fault = replace(fault, since=began, until=ended)  # noqa: PLW2901 - both are one
        seen[fault.of] = fault
    return seen
