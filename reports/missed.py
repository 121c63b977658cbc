"""Missed calls of a period, counted: how many, why, whose, how soon they were called back, and the trend (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from statistics import median
from typing import Any, Final

from calls.missed import GROUPS

WEEKS: Final = 4
"""A day is held against the same weekday of so many weeks before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedCall:
    """One missed call: `at` on the company's wall, `line` "" when it is none of ours; keys of people.

    `owed`: a call back was promised; `called_back_seconds`: until somebody talked with the caller, None: nobody did.
    """

    at: datetime
    line: str
    cause: str
    charged_to: tuple[str, ...]
    owner: str | None
    known: bool
    owed: bool
    called_back_seconds: float | None


@dataclass(frozen=True, slots=True)
class DayCount:
    """All inbound calls of a day, and the missed ones of them."""

    day: date
    inbound: int
    missed: int


@dataclass(frozen=True, slots=True)
class Part:
    """Missed calls that share `key`. `never_share`: of those owed a call, 0 to 1; None when none was owed one."""

    key: str
    missed: int
    owed: int
    called_back: int
    median_seconds: float | None
    never_share: float | None


@dataclass(frozen=True, slots=True)
class DayTrend:
    """A day against the same weekday before: `usual` is the mean number of missed calls; None without any such day."""

    day: date
    inbound: int
    missed: int
    usual: float | None
    difference: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedReport:
    """The figures of a period; every list but the days is sorted by how many were missed."""

    total: Part
    inbound: int
    clients: tuple[Part, ...]
    by_cause: tuple[Part, ...]
    by_group: tuple[Part, ...]
    by_line: tuple[Part, ...]
    by_person: tuple[Part, ...]
    by_owner: tuple[Part, ...]
    by_hour: tuple[Part, ...]
    days: tuple[DayTrend, ...]

    @property
    def missed_share(self) -> float | None:
        """Of all inbound calls, 0 to 1; None when there was none."""
        return self.total.missed / self.inbound if self.inbound else None

    def to_json(self) -> dict[str, Any]:
        """Give the figures by their names; days as ISO 8601."""
        told = asdict(self)
        told["days"] = [one | {"day": one["day"].isoformat()} for one in told["days"]]
        return told | {"missed_share": self.missed_share}


def summarise(calls: Sequence[MissedCall], days: Sequence[DayCount], first: date) -> MissedReport:
    """The figures of `calls`; `days` are those of the period, from `first` on, and of the weeks before it."""
    period = [one for one in days if one.day >= first]
    return MissedReport(
        total=_part("all", calls),
        inbound=sum(one.inbound for one in period),
        clients=_parts(calls, lambda call: ("known" if call.known else "new",)),
        by_cause=_parts(calls, lambda call: (call.cause,)),
        by_group=_parts(calls, lambda call: (GROUPS.get(call.cause, "unknown"),)),
        by_line=_parts(calls, lambda call: (call.line,)),
        by_person=_parts(calls, lambda call: call.charged_to),
        by_owner=_parts(calls, lambda call: (call.owner,) if call.owner else ()),
        by_hour=tuple(sorted(_parts(calls, lambda call: (f"{call.at.hour:02}",)), key=lambda part: part.key)),
        days=tuple(_trend(one, {day.day: day for day in days}) for one in sorted(period, key=lambda day: day.day)),
    )


def _parts(calls: Iterable[MissedCall], keys: Callable[[MissedCall], Iterable[str]]) -> tuple[Part, ...]:
    found: dict[str, list[MissedCall]] = {}
    for call in calls:
        for key in keys(call):
            found.setdefault(key, []).append(call)
    parts = [_part(key, own) for key, own in found.items()]
    return tuple(sorted(parts, key=lambda part: (-part.missed, part.key)))


def _part(key: str, calls: Sequence[MissedCall]) -> Part:
    owed = [call for call in calls if call.owed]
    spent = [call.called_back_seconds for call in owed if call.called_back_seconds is not None]
    return Part(
        key=key,
        missed=len(calls),
        owed=len(owed),
        called_back=len(spent),
        median_seconds=median(spent) if spent else None,
        never_share=1 - len(spent) / len(owed) if owed else None,
    )


def _trend(one: DayCount, days: Mapping[date, DayCount]) -> DayTrend:
    before = [days.get(one.day - timedelta(weeks=weeks)) for weeks in range(1, WEEKS + 1)]
    missed = [day.missed for day in before if day is not None]
    usual = sum(missed) / len(missed) if missed else None
    return DayTrend(one.day, one.inbound, one.missed, usual, None if usual is None else one.missed - usual)
