"""The things that a count counts, as one question: those that are added up to facts, and listed behind a number."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Date, DateTime, Text, TextClause, bindparam, text
from sqlalchemy.types import TypeEngine

from crm_sync.book.deadlines import forgotten_since
from directory.model import Directory
from directory.versions import GIVEN_UP
from reports.measures import Count

NOTHING: Final = """
    select cast(null as timestamptz) as at, cast(null as uuid) as call_id, cast(null as bigint) as lead_id,
           cast(null as bigint) as promise_id, '' as line, '' as person, '' as detail, cast(0 as float) as value
    where false
"""
"""The question of a count that nothing is known of."""

# The team is the line's, else the first of the person's. A line that was given up keeps its number and its team, and so
# its past.
_THINGS: Final = """
    select told.at, told.call_id, told.lead_id, told.promise_id,
           coalesce(lines.number, ltrim(told.line, '+'), '') as line,
           coalesce(told.person, '') as person, coalesce(told.detail, '') as detail, told.value,
           coalesce(lines.team, given_up.team, (
               select teams.key from team_members join teams on teams.key = team_members.team
               where team_members.person = told.person order by teams.position, teams.key limit 1), '') as team
    from ({items}) as told left join lines on lines.number = ltrim(told.line, '+')
    left join ({given_up}) as given_up on lines.number is null and given_up.number = ltrim(told.line, '+')
"""


def things(count: Count) -> str:
    """A SELECT of what `count` counts, by the parameters of `asked`, with team and line as the directory has them."""
    return _THINGS.format(items=count.items or NOTHING, given_up=GIVEN_UP)


_TYPES: Final[dict[str, TypeEngine[Any]]] = {
    **dict.fromkeys(("since", "until", "now", "after_at"), DateTime(timezone=True)),
    **dict.fromkeys(("zone", "count", "quiet", "after_place"), Text()),
    "day": Date(),
}


def question(sql: str) -> TextClause:
    """The statement, with types of its parameters: the database knows none where one is only reckoned with."""
    named = [bindparam(name, type_=of) for name, of in _TYPES.items() if re.search(rf":{name}\b", sql)]
    return text(sql).bindparams(*named)


def asked(count: Count, zone: str, first: date, last: date, now: datetime) -> dict[str, Any]:
    """The parameters of its question for the days `first` to `last`, both counted, as of `now`; but for `:quiet`."""
    told = {"zone": zone, "since": midnight(first, zone), "until": midnight(last + timedelta(days=1), zone), "now": now}
    return {name: value for name, value in told.items() if f":{name}" in count.items}


def quiet(directory: Directory, first: date, last: date, now: datetime) -> str:
    """Day -> line ("": of none of ours) -> since when nobody talked with who is forgotten at its end, as JSON."""
    found: dict[str, dict[str, str]] = {}
    for day in (first + timedelta(days=number) for number in range((last - first).days + 1)):
        moment = min(midnight(day + timedelta(days=1), directory.company.time_zone), now)
        since = {line: forgotten_since(directory, line or None, moment) for line in _lines(directory)}
        found[day.isoformat()] = {line: at.isoformat() if at else "-infinity" for line, at in since.items()}
    return json.dumps(found)


def needs_quiet(count: Count) -> bool:
    """Whether its question has the parameter `:quiet`."""
    return ":quiet" in count.items


def midnight(day: date, zone: str) -> datetime:
    """When a day begins there."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def _lines(directory: Directory) -> tuple[str, ...]:
    return ("", *(line.number for line in directory.lines))
