"""The wallboard: for whoever is logged in, and at the address of a link for a screen on a wall without a login."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any, Final

from aiohttp import web

from web import wall_links
from web.audited import audited
from web.guard import VIEWER, only, read_form
from web.head.board import LOOK_SECONDS, REST_SECONDS, Teams, read_board
from web.house import HOUSE
from web.keeping import actor_of
from web.live import LIVE
from web.page import fragment, language_of, page
from web.render import render
from web.rights import teams_led
from web.services import SERVICES
from web.wall_links import WallLink, WallLinkRefused
from web.watching import Right, drawn_stream

MAKERS: Final = ("head", "admin")
CHECK_SECONDS: Final = 10.0
"""A link that is revoked shows nothing any more after so long."""


async def show(request: web.Request) -> web.Response:
    """GET /wallboard: of the house, or of `team`; heads and admins find the links of screens below it."""
    return await _page(request, {})


@audited("wall_link_made", "wall_link_revoked")
async def change(request: web.Request) -> web.Response:
    """POST /wallboard, by heads and admins: `do` make (label, team) or revoke (link); a new address is told once."""
    only(request, *MAKERS)
    form, directory, made = await read_form(request), await request.app[HOUSE].read(), ""
    led = await own_teams(request)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            match form.get("do"):
                case "make":
                    team = form.get("team") or None
                    _, made = await wall_links.make(
                        connection, actor_of(request), directory, form.get("label", ""), team, led=led
                    )
                case "revoke":
                    await wall_links.revoke(connection, actor_of(request), _number(form.get("link", "")), led)
                case _:
                    raise web.HTTPBadRequest(text="do must be one of make, revoke")
    except WallLinkRefused as error:
        return await _page(request, {"fault": error.field, "label": form.get("label", "")}, status=422)
    if made:
        return await _page(request, {"made": address(request, made)})
    return web.Response(status=303, headers={"Location": "/wallboard"})


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /wallboard/stream: the board whenever it changes."""
    teams, right = await _teams(request), await Right.of(request)

    async def drawn() -> str:
        return await fragment(request, "wall_board.html", board=await read_board(request, teams))

    return await streamed(request, drawn, right.stands)


async def show_wall(request: web.Request) -> web.Response:
    """GET /wall/{told}: the board alone. 404 for what is no link, and for one that was revoked."""
    link, directory = await _link(request), await request.app[HOUSE].read()
    team = directory.team(link.team) if link.team else None
    text = render(
        "wall.html",
        language_of(request),
        zone=directory.company.time_zone,
        board=await read_board(request, _of(link)),
        path=f"{request.path}/stream",
        title=team.name if team else directory.company.name,
    )
    return web.Response(text=text, content_type="text/html")


async def stream_wall(request: web.Request) -> web.StreamResponse:
    """GET /wall/{told}/stream: the same for as long as the link stands."""
    link, language = await _link(request), language_of(request)
    looked_at = monotonic()

    async def drawn() -> str:
        return render("wall_board.html", language, board=await read_board(request, _of(link)))

    async def stands() -> bool:
        nonlocal looked_at
        if monotonic() - looked_at < CHECK_SECONDS:
            return True
        looked_at = monotonic()
        return await _opened(request) is not None

    return await streamed(request, drawn, stands)


async def streamed(
    request: web.Request, drawn: Callable[[], Awaitable[str]], stands: Callable[[], Awaitable[bool]]
) -> web.StreamResponse:
    """What `drawn` gives whenever it changes, as calls, people and telephones do, for as long as `stands` says."""
    watch = request.app[LIVE].open(lambda _call: True, everybody=True)
    return await drawn_stream(
        request, watch, drawn, stands, look_seconds=lambda: LOOK_SECONDS, calm_seconds=REST_SECONDS
    )


def address(request: web.Request, path: str) -> str:
    """The whole address of a path of ours, as whoever asks reached us; a screen keeps the language of its maker."""
    scheme = "https" if request.app[SERVICES].secure else request.scheme
    language = language_of(request)
    asked = f"?lang={language}" if language != request.app[SERVICES].language else ""
    return f"{scheme}://{request.host}{path}{asked}"


async def own_teams(request: web.Request) -> Teams:
    """The teams that the viewer leads; None for an admin, whose is the whole house."""
    viewer = request[VIEWER]
    return None if viewer.role == "admin" else teams_led(viewer, await request.app[HOUSE].read())


async def _page(request: web.Request, told: dict[str, Any], status: int = 200) -> web.Response:
    teams, directory, viewer = await _teams(request), await request.app[HOUSE].read(), request[VIEWER]
    led = await own_teams(request)
    links: list[WallLink] = []
    if viewer.role in MAKERS:
        async with request.app[SERVICES].engine.connect() as connection:
            links = await wall_links.alive(connection, viewer.login, led)
    shown = await page(
        request,
        "wallboard.html",
        board=await read_board(request, teams),
        team=next(iter(teams), "") if teams else "",
        teams=directory.teams,
        linked=[one for one in directory.teams if led is None or one.key in led],
        whole=led is None,
        links=links,
        may_make=viewer.role in MAKERS,
        team_name=lambda key: found.name if (found := directory.team(key)) else key,
        **({"made": "", "fault": "", "label": ""} | told),
    )
    shown.set_status(status)
    return shown


async def _teams(request: web.Request) -> Teams:
    """The team that the query names. Raises 404 for one that is not there."""
    told = request.query.get("team") or None
    if told is not None and (await request.app[HOUSE].read()).team(told) is None:
        raise web.HTTPNotFound(text=f"There is no team {told[:40]!r}.")
    return frozenset({told}) if told else None


def _number(told: str) -> int:
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0


def _of(link: WallLink) -> Teams:
    return frozenset({link.team}) if link.team else None


async def _link(request: web.Request) -> WallLink:
    link = await _opened(request)
    if link is None:
        raise web.HTTPNotFound(text="There is nothing here.")
    return link


async def _opened(request: web.Request) -> WallLink | None:
    """The link that the path names; of a team that is no more it shows nothing."""
    async with request.app[SERVICES].engine.begin() as connection:
        link = await wall_links.opened(connection, request.match_info["told"])
    directory = await request.app[HOUSE].read()
    return link if link is None or link.team is None or directory.team(link.team) else None
