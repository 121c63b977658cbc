"""Finds calls: the filters of the list and of the API, the newest first, page by page without counting."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, ColumnElement, Select, Uuid, any_, exists, func, literal, or_, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls, legs
from crm_sync.tables import parties
from recordings.gaps import KEPT, OF_CALLS
from recordings.rows import AUDIO_STATE, few_with, lately, said_since
from recordings.tables import call_audio, recordings, transcripts
from web.rights import Scope

STATUSES: Final = ("ringing", "talking", "answered", "missed", "failed", "voicemail")
GAP: Final = "gap"
AUDIO: Final = (GAP, *OF_CALLS)
_NOT_DIGITS: Final = re.compile(r"[^0-9]")


class FilterError(ValueError):
    """A filter or cursor that cannot be read; `name` says which."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is looked for; None and empty mean anything. `since` is included, `until` is not; `said` in the talk.

    `audio` is a state of `recordings.gaps.OF_CALLS`, or GAP for any but the well one.
    """

    since: datetime | None = None
    until: datetime | None = None
    line: str = ""
    person: str = ""
    status: str = ""
    number: str = ""
    said: str = ""
    audio: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of calls; `cursor` asks for the next, None on the last."""

    rows: list[Any]
    cursor: str | None


def read_days(query: Mapping[str, str], zone: str) -> Filters:
    """The filters of the list's form: whole days on the viewer's wall. Raises FilterError."""
    since, until = _day(query, "from", zone), _day(query, "to", zone, days_later=1)
    status = query.get("status", "")
    if status and status not in STATUSES:
        raise FilterError("status", f"must be one of {', '.join(STATUSES)}")
    audio = query.get("audio", "")
    if audio and audio not in AUDIO:
        raise FilterError("audio", f"must be one of {', '.join(AUDIO)}")
    return Filters(
        since=since,
        until=until,
        line=query.get("line", ""),
        person=query.get("person", ""),
        status=status,
        audio=audio,
        number=query.get("number", ""),
    )


async def find(
    connection: AsyncConnection, scope: Scope, filters: Filters, cursor: str | None = None, limit: int = 50
) -> Found:
    """The calls that fit and may be seen. Raises FilterError for a cursor that this service did not give."""
    asked = _filtered(_seen(scope), filters)
    if cursor is not None:
        asked = asked.where(tuple_(calls.c.started_at, calls.c.id) < tuple_(*_read_cursor(cursor)))
    if not filters.said:
        rows = list(await connection.execute(_told(asked, limit + 1)))
    else:
        rows = await _said(connection, asked, filters.said, limit + 1)
    more = _cursor(rows[limit - 1]) if len(rows) > limit else None
    return Found(rows[:limit], more)


async def _said(connection: AsyncConnection, asked: Select[Any], query: str, most: int) -> list[Any]:
    """The newest of these calls in whose talk it was said.

    Left to choose, the planner would look for rare words in one call after the other, to the very first.
    """
    # To tell how many talks hold a phrase, each with its words has to be read.
    few = None if '"' in query else await few_with(connection, query)
    if few is not None:
        return await _newest_of(connection, asked, few, most) if few else []
    rows: list[Any] = []
    for since in (*await lately(connection), None):
        among = _all_looked_up(asked.where(said_since(query, since)), most, since)
        rows = list(await connection.execute(_columns_of(among)))
        if len(rows) == most:
            break
    return rows


async def _newest_of(connection: AsyncConnection, asked: Select[Any], ids: Sequence[UUID], limit: int) -> list[Any]:
    among = _all_looked_up(asked.where(calls.c.id == any_(literal(ids, ARRAY(Uuid)))), limit)
    return list(await connection.execute(_columns_of(among)))


async def newest(connection: AsyncConnection, scope: Scope, condition: ColumnElement[bool], limit: int) -> list[Any]:
    """The newest calls that meet a condition and may be seen, as `find` gives them."""
    return list(await connection.execute(_told(_seen(scope).where(condition), limit)))


async def newest_of(connection: AsyncConnection, scope: Scope, ids: Sequence[UUID], limit: int) -> list[Any]:
    """The newest of these calls that may be seen, as `find` gives them."""
    return await _newest_of(connection, _seen(scope), ids, limit)


async def newest_with(connection: AsyncConnection, scope: Scope, party_ids: Sequence[int], limit: int) -> list[Any]:
    """The newest calls with these parties that may be seen, as `find` gives them.

    Of each party the newest, for one of them may have called more often than all others.
    """
    each = select(func.unnest(literal(party_ids, ARRAY(BigInteger))).label("id")).subquery("each")
    of_each = _seen(scope).where(calls.c.party_id == each.c.id).add_columns(calls.c.started_at)
    theirs = of_each.order_by(calls.c.started_at.desc(), calls.c.id.desc()).limit(limit).lateral("theirs")
    chosen = select(theirs.c.id).select_from(each.join(theirs, true()))
    chosen = chosen.order_by(theirs.c.started_at.desc(), theirs.c.id.desc()).limit(limit)
    return list(await connection.execute(_columns_of(chosen)))


def _seen(scope: Scope) -> Select[Any]:
    seen = select(calls.c.id).outerjoin(call_audio)
    return seen.where(calls.c.joined_into.is_(None), calls.c.started_at.is_not(None), scope.rows())


def _told(asked: Select[Any], limit: int) -> Select[Any]:
    return _columns_of(asked.order_by(calls.c.started_at.desc(), calls.c.id.desc()).limit(limit))


def _all_looked_up(asked: Select[Any], limit: int, since: datetime | None = None) -> Select[Any]:
    """The newest of few calls. OFFSET 0 keeps the planner from looking for them among all by the time they began."""
    few = asked.add_columns(calls.c.started_at).offset(0).subquery("few")
    chosen = select(few.c.id).order_by(few.c.started_at.desc(), few.c.id.desc()).limit(limit)
    return chosen.where(few.c.started_at >= since) if since else chosen


def _columns_of(chosen: Select[Any]) -> Select[Any]:
    """What is told of the calls that were chosen; only of them is it looked up."""
    told = _columns().where(calls.c.id.in_(chosen.correlate(None)))
    return told.order_by(calls.c.started_at.desc(), calls.c.id.desc())


def _columns() -> Select[Any]:
    recorded = exists(
        select(recordings.c.call_id).where(recordings.c.call_id == calls.c.id, recordings.c.state.in_(KEPT))
    )
    written = exists(select(transcripts.c.call_id).where(transcripts.c.call_id == calls.c.id))
    reached = (
        select(func.array_agg(legs.c.person.distinct()))
        .where(legs.c.call_id == calls.c.id, legs.c.person.is_not(None))
        .scalar_subquery()
    )
    own = [column for column in calls.c if column.name not in {"state", "linkedids", "joined_into"}]
    asked = select(
        *own,
        parties.c.name.label("party"),
        recorded.label("recorded"),
        written.label("transcribed"),
        reached.label("people"),
        AUDIO_STATE.label("audio"),
        call_audio.c.transfer,
        call_audio.c.trunk,
    )
    return asked.outerjoin(parties, parties.c.id == calls.c.party_id).outerjoin(call_audio)


def _filtered(asked: Select[Any], filters: Filters) -> Select[Any]:
    if filters.since:
        asked = asked.where(calls.c.started_at >= filters.since)
    if filters.until:
        asked = asked.where(calls.c.started_at < filters.until)
    if filters.line:
        asked = asked.where(calls.c.line.in_([filters.line, f"+{filters.line}"]))
    if filters.person:
        asked = asked.where(calls.c.person == filters.person)
    if filters.status:
        asked = asked.where(calls.c.status == filters.status)
    if filters.audio:
        asked = asked.where(AUDIO_STATE.in_([filters.audio] if filters.audio != GAP else OF_CALLS[:-1]))
    if digits := _NOT_DIGITS.sub("", filters.number):
        # In Russia people write 8 916 … for what is stored as 7916….
        forms = {digits, f"7{digits[1:]}"} if digits.startswith("8") else {digits}
        held = [column.contains(form) for column in (calls.c.caller_number, calls.c.dialed) for form in sorted(forms)]
        asked = asked.where(or_(*held))
    return asked


def _day(query: Mapping[str, str], name: str, zone: str, days_later: int = 0) -> datetime | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=days_later)
        return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise FilterError(name, f"must be a date like 2026-03-31, got {text!r}") from None


def _cursor(row: Any) -> str:
    return base64.urlsafe_b64encode(f"{row.started_at.astimezone(UTC).isoformat()} {row.id}".encode()).decode()


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        at, _, id_ = base64.urlsafe_b64decode(text.encode()).decode().partition(" ")
        moment = datetime.fromisoformat(at)
        return moment.astimezone(UTC), UUID(id_)
    except (ValueError, OverflowError):
        raise FilterError("cursor", "is none that this service gave") from None
