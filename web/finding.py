"""Finds calls: the filters of the list and of the API, the newest first, page by page without counting."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Select,
    Text,
    Uuid,
    and_,
    any_,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls, incident_calls, legs
from crm_sync.tables import parties
from recordings.gaps import KEPT, OF_CALLS
from recordings.rows import AUDIO_STATE, few_with, lately, said, said_since
from recordings.tables import call_audio, recordings, transcripts
from web import few
from web.filters import AUDIO, GAP, LIVE, STATUSES, FilterError, Filters, read_days, spelt
from web.rights import Scope

__all__ = ["AUDIO", "GAP", "STATUSES", "FilterError", "Filters", "Found", "find", "moment_of", "newest", "read_days"]

WINDOWS: Final = (2_000, 18_000, 20_000)
"""Calls among which is looked, one after the other for one page, for what several filters have in common.

What is met often is met among the first of them, one after another by time; among more, the rarer filter finds them.
"""

_STATUS: Final = {status: literal_column(f"'{status}'", Text) for status in STATUSES}
"""In the words of the index of calls that failed."""


@dataclass(frozen=True, slots=True)
class Found:
    """One page of calls; `cursor` asks for the next, None on the last."""

    rows: list[Any]
    cursor: str | None


async def find(
    connection: AsyncConnection, scope: Scope, filters: Filters, cursor: str | None = None, limit: int = 50
) -> Found:
    """The calls that fit and may be seen. Raises FilterError for a cursor that this service did not give.

    What two filters have in common may be so rare that a page is short, or empty, and the cursor leads further back.
    """
    asked = _filtered(_seen(scope), filters)
    before = _read_cursor(cursor) if cursor is not None else None
    behind = None
    ids = await _rare(connection, scope, filters)
    if ids is not None:
        rows = await _newest_of(connection, _said_there(_before(asked, before), filters.said), ids, limit + 1)
    elif filters.said and (ids := await _few_talks(connection, filters.said)) is not None:
        rows = await _newest_of(connection, _before(asked, before), ids, limit + 1) if ids else []
    elif _are_many(scope, filters):
        rows, behind = await _by_windows(connection, _said_there(asked, filters.said), filters, before, limit + 1)
    elif filters.said:
        rows = await _said_lately(connection, _before(asked, before), filters.said, limit + 1)
    else:
        rows = list(await connection.execute(_told(_before(asked, before), limit + 1)))
    more = _cursor(rows[limit - 1].started_at, rows[limit - 1].id) if len(rows) > limit else None
    if more is None and behind is not None:
        more = _cursor(behind, UUID(int=0))
    return Found(rows[:limit], more)


def every(scope: Scope, filters: Filters) -> Select[Any]:
    """All calls that fit and may be seen, with the columns that `find` gives, the newest first."""
    asked = _columns().where(calls.c.joined_into.is_(None), calls.c.started_at.is_not(None), scope.rows())
    if filters.said:
        asked = asked.where(said_since(filters.said, None))
    return _filtered(asked, filters).order_by(calls.c.started_at.desc(), calls.c.id.desc())


async def _rare(connection: AsyncConnection, scope: Scope, filters: Filters) -> Sequence[UUID] | None:
    """The calls of one filter that has few, of which the others choose; None: each has many."""
    if filters.incident is not None:
        of = select(incident_calls.c.call_id).where(incident_calls.c.incident_id == filters.incident)
        return (await connection.scalars(of)).all()
    if few.digits_of(filters.number) and (ids := await few.with_number(connection, filters.number)) is not None:
        return ids
    if filters.audio and filters.audio != OF_CALLS[-1] and (ids := await few.with_gaps(connection)) is not None:
        return ids
    reached = []
    if filters.person:
        reached.append((frozenset({filters.person}), frozenset[str]()))
    if filters.line:
        reached.append((frozenset(), frozenset(spelt(filters.line))))
    if filters.team:
        reached.append((filters.team.people, filters.team.lines))
    if not scope.everything and not scope.live:
        reached.append((scope.people, scope.lines))
    for people, lines in reached:
        if (ids := await few.reached(connection, people, lines)) is not None:
            return ids
    return None


def _are_many(scope: Scope, filters: Filters) -> bool:
    """Whether two filters or more choose: each has many calls, and both together may have none.

    Words that many talks hold are told in all teams' talks.
    """
    chosen = (filters.line, filters.team, filters.person, filters.status, filters.cause, filters.number, filters.audio)
    return any(chosen) if filters.said else sum(map(bool, (*chosen, not scope.everything))) > 1


async def _by_windows(
    connection: AsyncConnection, asked: Select[Any], filters: Filters, before: tuple[datetime, UUID] | None, most: int
) -> tuple[list[Any], datetime | None]:
    """The newest of these calls, looked for among so many calls at most; and since when was not looked, None: all was.

    Left to choose, the planner would look through all calls there are for what hardly any has.
    """
    rows: list[Any] = []
    since: datetime | None = None
    for place, size in enumerate(WINDOWS):
        passed = _before(select(calls.c.started_at).where(calls.c.joined_into.is_(None)), before)
        passed = passed.where(calls.c.started_at < filters.until) if filters.until else passed
        end = passed.order_by(calls.c.started_at.desc(), calls.c.id.desc()).offset(size).limit(1)
        since = await connection.scalar(end)
        window = _before(asked, before)
        window = window.where(calls.c.started_at >= since) if since else window
        window = window.where(_reached_since(filters.person, since)) if since and filters.person and place else window
        left = most - len(rows)
        among = _told(window, left) if place == 0 else _columns_of(_all_looked_up(window, left))
        rows += list(await connection.execute(among))
        if len(rows) == most or since is None or (filters.since and since <= filters.since):
            return rows, None
        before = since, UUID(int=0)
    return rows, since


def _before(asked: Select[Any], before: tuple[datetime, UUID] | None) -> Select[Any]:
    return asked.where(tuple_(calls.c.started_at, calls.c.id) < tuple_(*before)) if before else asked


def _said_there(asked: Select[Any], query: str) -> Select[Any]:
    """Of these calls, looked at one after another, those in whose talk it was said."""
    if not query:
        return asked
    there = select(literal(1)).where(transcripts.c.call_id == calls.c.id, said(query)).limit(1)
    return asked.where(there.scalar_subquery().is_not(None))


async def _few_talks(connection: AsyncConnection, query: str) -> Sequence[UUID] | None:
    # To tell how many talks hold a phrase, each with its words has to be read.
    return None if '"' in query else await few_with(connection, query)


async def _said_lately(connection: AsyncConnection, asked: Select[Any], query: str, most: int) -> list[Any]:
    """The newest of these calls in whose talk it was said.

    Left to choose, the planner would look for rare words in one call after the other, to the very first.
    """
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
        asked = asked.where(calls.c.line.in_(spelt(filters.line)))
    if filters.team:
        asked = asked.where(or_(calls.c.person.in_(filters.team.people), calls.c.line.in_(filters.team.lines)))
    if filters.person:
        asked = asked.where(_reached(filters.person))
    if filters.status:
        asked = asked.where(_has_status(filters.status))
    if filters.cause:
        asked = asked.where(calls.c.missed_cause == filters.cause)
    if filters.audio:
        asked = asked.where(AUDIO_STATE.in_([filters.audio] if filters.audio != GAP else OF_CALLS[:-1]))
    if filters.incident is not None:
        of = select(incident_calls.c.call_id).where(incident_calls.c.incident_id == filters.incident)
        asked = asked.where(calls.c.id.in_(of))
    if few.digits_of(filters.number):
        asked = asked.where(few.has_number(filters.number))
    return asked


def _reached(person: str) -> ColumnElement[bool]:
    """Who talked or called out; of a call out also who took it over, of a call that nobody talked on whom it rang."""
    nobodys = calls.c.person.is_(None)
    theirs = select(literal(1)).where(
        legs.c.call_id == calls.c.id, legs.c.person == person, or_(nobodys, legs.c.answered_at.is_not(None))
    )
    others = or_(nobodys, calls.c.direction == "outbound")
    return or_(calls.c.person == person, and_(others, theirs.limit(1).scalar_subquery().is_not(None)))


def _reached_since(person: str, since: datetime) -> ColumnElement[bool]:
    """What is true of all whom `_reached` finds since a moment: their legs are few beside all calls of that time.

    A leg begins no earlier than its call by more than clocks differ, so that a day is plenty.
    """
    late = or_(legs.c.started_at >= since - timedelta(days=1), legs.c.started_at.is_(None))
    return or_(calls.c.person == person, calls.c.id.in_(select(legs.c.call_id).where(legs.c.person == person, late)))


def _has_status(status: str) -> ColumnElement[bool]:
    """Calls that go on are few, and none of them is settled."""
    has = calls.c.status == _STATUS[status]
    return and_(has, calls.c.settled_at.is_(None)) if status in LIVE else has


def _cursor(at: datetime, id_: UUID) -> str:
    return base64.urlsafe_b64encode(f"{at.astimezone(UTC).isoformat()} {id_}".encode()).decode()


def moment_of(cursor: str) -> datetime:
    """Before which moment the next page begins."""
    return _read_cursor(cursor)[0]


def _read_cursor(text: str) -> tuple[datetime, UUID]:
    try:
        at, _, id_ = base64.urlsafe_b64decode(text.encode()).decode().partition(" ")
        moment = datetime.fromisoformat(at)
        return moment.astimezone(UTC), UUID(id_)
    except (ValueError, OverflowError):
        raise FilterError("cursor", "is none that this service gave") from None
