"""Calls by the API: the list, one call, its timeline and decision."""

from datetime import datetime
from typing import Annotated, Any, Literal

from aiohttp import web
from pydantic import Field

from calls.missed import CAUSES
from calls.view import to_json
from directory.model import Directory
from recordings.rows import recordings_of
from web import calls_export
from web.api.models import CallBrief, CallPage, CallWhole, CrmCopy, Decision, MomentTold, Timeline
from web.api.operations import Moment, NoQuery, Query
from web.crm_copy import word_of
from web.filters import TEXT_MOST, team_of
from web.finding import FilterError, Filters, find
from web.guard import VIEWER, only
from web.house import HOUSE
from web.one_call import read_call
from web.page import language_of
from web.rights import scope_of
from web.services import SERVICES
from web.timeline import timeline
from web.told import reasons

Audio = Literal["gap", "missing", "unreadable", "empty", "silent", "short", "not_in_crm", "stored"]
"""How the audio of a call stands; gap: any but stored."""

Cause = Literal[CAUSES]  # type: ignore[valid-type]
"""Why a call was missed."""

Limit = Annotated[int, Field(ge=1, le=200)]


class CallsWanted(Query):
    """Which calls; `since` is included, `until` is not. `text`: words of the talk, as the search takes them."""

    since: Moment | None = None
    until: Moment | None = None
    line: str = ""
    team: str = ""
    person: str = ""
    cause: Cause | None = None
    text: Annotated[str, Field(max_length=TEXT_MOST)] = ""
    status: Literal["ringing", "talking", "answered", "missed", "failed", "voicemail"] | None = None
    number: str = ""
    audio: Audio | None = None
    incident: Annotated[int, Field(ge=1, lt=2**63)] | None = None


class CallsQuery(CallsWanted):
    """Which calls, and which page of them."""

    cursor: str | None = None
    limit: Limit = 50


class ExportQuery(CallsWanted):
    """Which calls, and as what."""

    format: Literal["csv", "xlsx"] = "csv"


async def list_calls(request: web.Request, query: CallsQuery) -> CallPage:
    """GET /calls."""
    directory = await request.app[HOUSE].read()
    filters = filters_of(query, directory)
    scope = scope_of(request[VIEWER], directory)
    async with request.app[SERVICES].engine.connect() as connection:
        try:
            found = await find(connection, scope, filters, query.cursor, query.limit)
        except FilterError as error:
            raise web.HTTPBadRequest(text=str(error)) from error
    return CallPage(items=[brief(row) for row in found.rows], next=found.cursor)


async def export_calls(request: web.Request, query: ExportQuery) -> web.StreamResponse:
    """GET /calls/export, for heads and admins; who takes which calls is written down before the first byte."""
    only(request, *calls_export.TAKERS)
    told = query.model_dump(mode="json", exclude_defaults=True, exclude={"number", "text", "format"})
    return await calls_export.send(request, filters_of(query, await request.app[HOUSE].read()), query.format, told)


def filters_of(query: CallsWanted, directory: Directory) -> Filters:
    """What is asked for. Raises 400 for a team that is none."""
    try:
        team = team_of(directory, query.team)
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    return Filters(
        since=query.since,
        until=query.until,
        line=query.line,
        team=team,
        person=query.person,
        status=query.status or "",
        cause=query.cause or "",
        number=query.number,
        said=query.text.strip(),
        audio=query.audio or "",
        incident=query.incident,
    )


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
