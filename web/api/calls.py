"""Calls by the API: the list, one call, its timeline and decision."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import AwareDatetime, Field

from calls.view import to_json
from recordings.rows import recordings_of
from web.api.models import CallBrief, CallPage, CallWhole, CrmCopy, Decision, MomentTold, Timeline
from web.api.operations import NoQuery, Query
from web.crm_copy import word_of
from web.finding import FilterError, Filters, find
from web.guard import VIEWER
from web.house import HOUSE
from web.one_call import read_call
from web.page import language_of
from web.rights import scope_of
from web.services import SERVICES
from web.timeline import timeline
from web.told import reasons

Audio = Literal["gap", "missing", "unreadable", "empty", "silent", "short", "not_in_crm", "stored"]
"""How the audio of a call stands; gap: any but stored."""

Limit = Annotated[int, Field(ge=1, le=200)]


class CallsQuery(Query):
    """Which calls; `since` is included, `until` is not."""

    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    line: str = ""
    person: str = ""
    status: Literal["ringing", "talking", "answered", "missed", "failed", "voicemail"] | None = None
    number: str = ""
    audio: Audio | None = None
    cursor: str | None = None
    limit: Limit = 50


async def list_calls(request: web.Request, query: CallsQuery) -> CallPage:
    """GET /calls."""
    filters = Filters(
        since=utc("since", query.since),
        until=utc("until", query.until),
        line=query.line,
        person=query.person,
        status=query.status or "",
        number=query.number,
        audio=query.audio or "",
    )
    scope = scope_of(request[VIEWER], await request.app[HOUSE].read())
    async with request.app[SERVICES].engine.connect() as connection:
        try:
            found = await find(connection, scope, filters, query.cursor, query.limit)
        except FilterError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
    return CallPage(items=[brief(row) for row in found.rows], next=found.cursor)


def brief(row: Any) -> CallBrief:
    """A row of `web.finding` as it is answered."""
    told = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return CallBrief.model_validate(told | {"people": told["people"] or []})


async def get_call(request: web.Request, _query: NoQuery) -> CallWhole:
    """GET /calls/{id}."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_call(request, connection)
    row = one.row
    return CallWhole(
        id=one.id,
        status=row.status,
        person=row.person,
        line=row.line,
        settled_at=row.settled_at,
        recovered=row.recovered,
        party_id=row.party_id,
        lead_id=row.lead_id,
        record=to_json(one.seen),
    )


async def get_timeline(request: web.Request, _query: NoQuery) -> Timeline:
    """GET /calls/{id}/timeline."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_call(request, connection)
        sides = await recordings_of(connection, one.id)
    directory = await request.app[HOUSE].read()
    moments = timeline(one.call, one.seen, directory, language_of(request), sides)
    return Timeline(items=[MomentTold(at=moment.at, kind=moment.key, text=moment.text) for moment in moments])


async def get_decision(request: web.Request, _query: NoQuery) -> Decision:
    """GET /calls/{id}/decision."""
    async with request.app[SERVICES].engine.connect() as connection:
        one = await read_call(request, connection)
    routed = one.routed
    decided_at: datetime | None = routed.at if routed else None
    word = word_of(one.plan, decided_at - one.row.ahead) if decided_at else None
    copy = word.to_json() if word else None
    return Decision(
        decided_at=decided_at,
        outcome=routed.outcome if routed else "",
        seconds=routed.seconds if routed else 0.0,
        reasons=reasons(one.plan, language_of(request)),
        crm_copy=CrmCopy.model_validate(copy) if copy else None,
        plan=one.plan,
    )


def utc(name: str, at: datetime | None) -> datetime | None:
    """The moment in UTC. Raises 400 where the calendar ends."""
    try:
        return at.astimezone(UTC) if at else None
    except OverflowError:
        raise web.HTTPBadRequest(text=f"{name}: is beyond the calendar") from None
