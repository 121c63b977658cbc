"""What the list of calls is asked for: the filters of its form and of the API (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from calls.missed import CAUSES
from directory.model import Directory
from recordings.gaps import OF_CALLS

STATUSES: Final = ("ringing", "talking", "answered", "missed", "failed", "voicemail")
GAP: Final = "gap"
AUDIO: Final = (GAP, *OF_CALLS)
LIVE: Final = ("ringing", "talking")
PERIODS: Final = ("today", "yesterday", "this_week", "last_week", "last_30_days")
"""Days that move with today; a week begins on Monday."""

TEXT_MOST: Final = 200
"""Characters of words that are looked for."""


class FilterError(ValueError):
    """A filter or cursor that cannot be read; `name` says which."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


@dataclass(frozen=True, slots=True)
class Team:
    """Keys of a team's people, and its lines as trunks spell them."""

    people: frozenset[str]
    lines: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is looked for; None and empty mean anything. `since` is included, `until` is not; `said` in the talk.

    `person` talked or called out, or took a call out over, or was rung where nobody did; `team` as `team_of` tells it.
    `cause` is one of `calls.missed.CAUSES`. `audio` is a state of `recordings.gaps.OF_CALLS`, or GAP for any but the
    well one. `incident` is the id of one that cost the call, or nearly did.
    """

    since: datetime | None = None
    until: datetime | None = None
    line: str = ""
    team: Team | None = None
    person: str = ""
    status: str = ""
    cause: str = ""
    number: str = ""
    said: str = ""
    audio: str = ""
    incident: int | None = None


def read_days(query: Mapping[str, str], zone: str, directory: Directory, now: datetime) -> Filters:
    """The filters of the list's form: whole days on the viewer's wall; days that are told count before a `period`'s.

    Raises FilterError.
    """
    told = {name: query[name] for name in ("from", "to") if query.get(name)}
    days = _days_of(_one_of(query, "period", PERIODS), now.astimezone(ZoneInfo(zone)).date()) | told
    return Filters(
        since=_day(days, "from", zone),
        until=_day(days, "to", zone, days_later=1),
        line=query.get("line", ""),
        team=team_of(directory, query.get("team", "")),
        person=query.get("person", ""),
        status=_one_of(query, "status", STATUSES),
        cause=_one_of(query, "cause", CAUSES),
        audio=_one_of(query, "audio", AUDIO),
        incident=_number(query, "incident"),
        number=query.get("number", ""),
        said=query.get("text", "").strip()[:TEXT_MOST],
    )


def team_of(directory: Directory, key: str) -> Team | None:
    """Whose calls those of a team are: its people's, and those on its lines. Raises FilterError."""
    team = directory.team(key) if key else None
    if key and team is None:
        raise FilterError("team", f"there is no team {key[:40]!r}")
    if team is None:
        return None
    numbers = [line.number for line in directory.lines if line.team == key]
    return Team(frozenset(team.members), frozenset(form for number in numbers for form in spelt(number)))


def _one_of(query: Mapping[str, str], name: str, known: Sequence[str]) -> str:
    told = query.get(name, "")
    if told and told not in known:
        raise FilterError(name, f"must be one of {', '.join(known)}")
    return told


def _number(query: Mapping[str, str], name: str) -> int | None:
    told = query.get(name, "")
    if told and not (told.isascii() and told.isdecimal() and int(told[:20]) < 2**63):
        raise FilterError(name, "must be a number")
    return int(told) if told else None


def spelt(number: str) -> tuple[str, str]:
    """A line's number as trunks spell it."""
    return number, f"+{number}"


def _days_of(period: str, today: date) -> dict[str, str]:
    """The first and the last day of a period; nothing of none."""
    if not period:
        return {}
    monday = today - timedelta(days=today.weekday())
    first, last = {
        "today": (today, today),
        "yesterday": (today - timedelta(days=1), today - timedelta(days=1)),
        "this_week": (monday, today),
        "last_week": (monday - timedelta(days=7), monday - timedelta(days=1)),
        "last_30_days": (today - timedelta(days=29), today),
    }[period]
    return {"from": first.isoformat(), "to": last.isoformat()}


def _day(query: Mapping[str, str], name: str, zone: str, days_later: int = 0) -> datetime | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days_later)
        return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FilterError(name, f"must be a date like 2026-03-31, got {text!r}") from None
