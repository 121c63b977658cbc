"""The wallboard with its links, overhearing calls, and what was refused, by the API."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from aiohttp import web
from pydantic import Field

from telephony import overhearings
from web import wall_links
from web.api.operations import Answer, Body, NoBody, NoQuery, Query, number_in, refusal
from web.audited import audited
from web.guard import VIEWER, only
from web.head import figures
from web.head.board import numbers_of, read_board
from web.head.floor import members
from web.head.head_page import LEADERS, why
from web.head.overhearing import NotOverheard, ask
from web.head.wall_page import MAKERS, address, own_teams
from web.house import HOUSE
from web.keeping import actor_of
from web.page import language_of
from web.services import SERVICES
from web.wall_links import LABEL_MOST, WallLinkRefused
from web.words import say


class WallboardQuery(Query):
    """Which team's; the whole house's when left out."""

    team: Annotated[str, Field(max_length=64)] | None = None


class WallboardTold(Answer):
    """The wallboard of this moment; no number and no name of anybody."""

    waiting: int = Field(description="Callers whom nobody talks with yet.")
    waiting_since: datetime | None = Field(description="Of the one who waits longest.")
    talking: int = Field(description="Calls that are talked on.")
    free: int = Field(description="People who could be rung now.")
    on_shift: int
    missed_open: int = Field(description="Promises to call back that are not kept yet.")
    missed_overdue: int
    answered: int = Field(description="Inbound calls of today.")
    answered_soon: int = Field(description="Those of them that were answered within soon_seconds.")
    missed: int = Field(description="Without callers who gave up before anybody could answer, and calls out of hours.")
    soon_seconds: int
    service_level: int | None = Field(description="Percent: answered_soon of answered and missed; null: none yet.")


class WallLinkTold(Answer):
    """A link at which a screen shows the wallboard without a login."""

    number: int
    label: str
    team: str | None = Field(description="Null: the whole house.")
    made_by: str
    made_at: datetime
    used_at: datetime | None


class WallLinkList(Answer):
    """Those that open something, the newest first."""

    items: list[WallLinkTold]


class WallLinkWish(Body):
    """Which screen it is for, and of which team; null: the whole house."""

    label: Annotated[str, Field(min_length=1, max_length=LABEL_MOST)]
    team: Annotated[str, Field(max_length=64)] | None = None


class WallLinkMade(Answer):
    """A new link; its address is told this once."""

    number: int
    url: str


class WallLinkEnded(Answer):
    """A link that opens nothing any more."""

    number: int


class OverhearWish(Body):
    """How: heard by nobody, by the colleague alone, or by everybody."""

    mode: Literal["listen", "whisper", "join"]


class OverhearingTold(Answer):
    """Somebody's overhearing of a call."""

    id: UUID
    call_id: UUID
    person: str
    mode: Literal["listen", "whisper", "join"]
    state: Literal["wanted", "placed", "heard", "over", "failed"]
    reason: str | None = Field(description="The stable key of why it failed.")
    asked_at: datetime
    began_at: datetime | None
    ended_at: datetime | None


class RefusedTold(Answer):
    """Something that was refused; `reason` is a stable key, `why` its words."""

    at: datetime
    what: Literal["caller", "call_out", "recording"]
    reason: str
    why: str
    number: str | None
    person: str | None
    line: str | None
    call_id: UUID | None


class RefusedList(Answer):
    """At most thirty, the newest first."""

    items: list[RefusedTold]


class RefusedQuery(Query):
    """Of how many days."""

    days: Annotated[int, Field(ge=1, le=31)] = 7


async def get_wallboard(request: web.Request, query: WallboardQuery) -> WallboardTold:
    """GET /wallboard."""
    if query.team is not None and (await request.app[HOUSE].read()).team(query.team) is None:
        raise web.HTTPBadRequest(text=f"team: there is no team {query.team!r}")
    board = await read_board(request, frozenset({query.team}) if query.team else None)
    return WallboardTold(
        waiting=board.waiting,
        waiting_since=board.waiting_since,
        talking=board.talking,
        free=board.free,
        on_shift=board.on_shift,
        missed_open=board.missed.open,
        missed_overdue=board.missed.overdue,
        answered=board.level.answered,
        answered_soon=board.level.soon,
        missed=board.level.missed,
        soon_seconds=board.soon_seconds,
        service_level=board.level.percent,
    )


async def list_wall_links(request: web.Request, _query: NoQuery) -> WallLinkList:
    """GET /wallboard/links, for heads, of own teams and their own, and admins."""
    only(request, *MAKERS)
    led = await own_teams(request)
    async with request.app[SERVICES].engine.connect() as connection:
        found = await wall_links.alive(connection, request[VIEWER].login, led)
    names = ("label", "team", "made_by", "made_at", "used_at")
    return WallLinkList(
        items=[WallLinkTold(number=one.id, **{name: getattr(one, name) for name in names}) for one in found]
    )


@audited("wall_link_made")
async def make_wall_link(request: web.Request, wish: WallLinkWish) -> WallLinkMade | web.Response:
    """POST /wallboard/links, by heads, of a team that they lead, and admins."""
    only(request, *MAKERS)
    directory, led = await request.app[HOUSE].read(), await own_teams(request)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            number, path = await wall_links.make(
                connection, actor_of(request), directory, wish.label, wish.team, led=led
            )
    except WallLinkRefused as error:
        return refusal(422, error.field, str(error), field=error.field)
    return WallLinkMade(number=number, url=address(request, path))


@audited("wall_link_revoked")
async def revoke_wall_link(request: web.Request, _body: NoBody) -> WallLinkEnded:
    """POST /wallboard/links/{number}/revoke, by heads, of own teams and their own, and admins."""
    only(request, *MAKERS)
    number, led = number_in(request), await own_teams(request)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            await wall_links.revoke(connection, actor_of(request), number, led)
    except WallLinkRefused as error:
        raise web.HTTPNotFound(text=str(error)) from None
    return WallLinkEnded(number=number)


@audited("call_overheard")
async def overhear_call(request: web.Request, wish: OverhearWish) -> OverhearingTold | web.Response:
    """POST /calls/{id}/overhear, by heads of its team and admins: their own telephone is called."""
    try:
        call_id = UUID(request.match_info["id"])
    except ValueError:
        raise web.HTTPNotFound(text="There is no such call.") from None
    try:
        asked = await ask(request, call_id, wish.mode)
    except NotOverheard as error:
        return refusal(422, error.reason, say(language_of(request), f"overhear.failed.{error.reason}"))
    return await _overhearing(request, asked)


async def get_overhearing(request: web.Request, _query: NoQuery) -> OverhearingTold:
    """GET /overhearings/{id}: what became of one's own wish; of anybody's for admins."""
    only(request, *LEADERS)
    try:
        asked = UUID(request.match_info["id"])
    except ValueError:
        raise web.HTTPNotFound(text="There is no such overhearing.") from None
    return await _overhearing(request, asked)


async def list_refused(request: web.Request, query: RefusedQuery) -> RefusedList:
    """GET /refused, for heads and admins: of own teams, of everybody for admins."""
    only(request, *LEADERS)
    directory, teams, language = await request.app[HOUSE].read(), await own_teams(request), language_of(request)
    people = None if teams is None else sorted(members(directory, teams))
    since = datetime.now(UTC) - timedelta(days=query.days)
    async with request.app[SERVICES].engine.connect() as connection:
        found = await figures.refused(connection, since, numbers_of(directory, teams), people)
    items = [
        RefusedTold(
            at=one.at,
            what=one.what,
            reason=one.reason,
            why=why(one, language),
            number=one.number,
            person=one.person,
            line=one.line,
            call_id=one.call,
        )
        for one in found
    ]
    return RefusedList(items=items)


async def _overhearing(request: web.Request, asked: UUID) -> OverhearingTold:
    viewer = request[VIEWER]
    async with request.app[SERVICES].engine.connect() as connection:
        row = await overhearings.find(connection, asked)
    if row is None:
        raise web.HTTPNotFound(text="There is no such overhearing.")
    if viewer.role != "admin" and row.person != viewer.person:
        raise web.HTTPForbidden(text="Another person's overhearing is for admins.")
    return OverhearingTold.model_validate({name: getattr(row, name) for name in OverhearingTold.model_fields})
