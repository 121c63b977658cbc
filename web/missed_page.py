"""Missed: what waits to be called back, who is on it, and for which causes calls were missed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from functools import partial
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.follow_up_list import history
from calls.follow_ups import FollowUpRefused
from web import promises
from web.api.operations import number_in
from web.audited import audited
from web.cards import LiveCall
from web.cause_share import STEPS, WIDTH, Shares, Step, first_day, shares
from web.filters import FilterError
from web.guard import VIEWER, read_form
from web.house import HOUSE
from web.leads.wording import age
from web.live import LIVE
from web.missed_list import MINE, MOST, NOBODYS, PAGE, Asked, read_asked, waiting
from web.page import fragment, language_of, page, zone_of
from web.promises import CLOSERS, PromiseError
from web.rights import Scope, own_follow_ups, scope_of
from web.services import SERVICES
from web.tried import tried
from web.watching import Right, drawn_stream
from web.wording import short_day
from web.words import has_words, say

CALM_SECONDS: Final = 1.0
"""An open page is drawn anew so often at most, however much happens."""

# As the list of calls reads times; the index of failed calls answers it alone.
_COUNTED: Final = text(
    """
    select cast(timezone(:zone, started_at) as date) as day, coalesce(missed_cause, 'unknown') as cause, count(*) as n
    from calls
    where status = 'missed' and joined_into is null and started_at >= :since
      and (:everything or line = any(cast(:lines as text[])))
    group by 1, 2
    """
)


async def show(request: web.Request) -> web.Response:
    """GET /missed: `why`, `age`, `line` and `owner` narrow it, `most` are shown; `by` is the step of the shares."""
    directory, viewer, query = await request.app[HOUSE].read(), request[VIEWER], request.query
    step = _step(query)
    scope = scope_of(viewer, directory)
    context = await _waiting(request)
    zone = ZoneInfo(zone_of(request, directory))
    async with request.app[SERVICES].engine.connect() as connection:
        told = await _shares(connection, scope, step, zone)
    context |= {"shares": told, "steps": list(STEPS), "bar_width": WIDTH, "said": _said(request)}
    context |= {"short_day": partial(short_day, language=language_of(request))}
    return await page(request, "missed.html", **context)


async def stream(request: web.Request) -> web.StreamResponse:
    """GET /missed/stream: the list with the same filters, whenever something about a promise changed."""
    _asked(request)
    right = await Right.of(request)
    watch = request.app[LIVE].open(_no_call, promises=True)

    async def drawn() -> str:
        return await fragment(request, "missed_waiting.html", **await _waiting(request))

    return await drawn_stream(
        request, watch, drawn, right.stands, look_seconds=lambda: right.good_seconds, calm_seconds=CALM_SECONDS
    )


async def show_one(request: web.Request) -> web.Response:
    """GET /missed/{number}: one promise with what was done about it, and for heads the form that closes it."""
    return await _one(request)


@audited("call_asked", "follow_up_taken", "follow_up_let_go", "follow_up_closed")
async def change(request: web.Request) -> web.Response:
    """POST /missed/{number}: `do` is call, take, let_go or close (with `reason`); `back` is the list's query."""
    form, number = await read_form(request), number_in(request)
    do, said = form.get("do", ""), ""
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            row = await promises.read_mine(request, connection, number)
            if do == "call":
                answered = await promises.call_back(request, connection, row)
                said = f"refused.{answered.reason_key}" if answered.state == "refused" else "calling"
            elif do == "take":
                await promises.take(request, connection, row)
            elif do == "let_go":
                await promises.let_go(request, connection, row)
            elif do == "close":
                await promises.close(request, connection, row, form.get("reason", "")[:500])
            else:
                raise web.HTTPBadRequest(text=f"do must be call, take, let_go or close, got {do[:20]!r}")
    except PromiseError as error:
        said = f"cannot.{error.why}"
    except FollowUpRefused:
        return await _one(request, say(language_of(request), "missed.reason_needed"))
    back = _back(form.get("back", ""))
    if "HX-Request" in request.headers:
        return web.Response(text=_words(request, said))  # the list itself comes by the stream
    query = urlencode(back.kept | ({"said": said} if said else {}))
    return web.Response(status=303, headers={"Location": f"/missed?{query}" if query else "/missed"})


async def _one(request: web.Request, wrong: str = "") -> web.Response:
    number = number_in(request)
    async with request.app[SERVICES].engine.begin() as connection:
        row = await promises.read_mine(request, connection, number)
        actions = (await history(connection, [number]))[number]
        in_vain = (await tried(connection, [row], await request.app[HOUSE].read()))[number]
    context = {"row": row, "actions": actions, "tried": in_vain, "wrong": wrong}
    told = await page(request, "missed_one.html", **context, **_rights(request))
    told.set_status(422 if wrong else 200)
    return told


async def _waiting(request: web.Request) -> dict[str, Any]:
    """What the template missed_waiting.html shows."""
    viewer, asked, directory = request[VIEWER], _asked(request), await request.app[HOUSE].read()
    scope = scope_of(viewer, directory)
    mine = own_follow_ups(viewer, scope)
    async with request.app[SERVICES].engine.connect() as connection:
        found = await waiting(connection, mine, asked, viewer.person)
        in_vain = await tried(connection, found.rows, directory)
    language = language_of(request)
    more = asked.most + PAGE <= MOST and found.more
    return {
        "waiting": found,
        "tried": in_vain,
        "kept": asked.kept,
        "back": urlencode(asked.kept | ({"most": str(asked.most)} if asked.most != PAGE else {})),
        "more": urlencode(asked.kept | {"most": str(asked.most + PAGE)}) if more else None,
        "link": lambda name, value: urlencode({**asked.kept, name: value} if value else _without(asked.kept, name)),
        "lines": [line for line in directory.lines if scope.everything or line.number in scope.lines],
        "age_of": lambda span: age(span.total_seconds(), language),
        "mine": MINE,
        "nobodys": NOBODYS,
    } | _rights(request)


def _rights(request: web.Request) -> dict[str, Any]:
    viewer = request[VIEWER]
    return {"me": promises.name_of(viewer), "may_call": viewer.person is not None, "may_close": viewer.role in CLOSERS}


def _asked(request: web.Request) -> Asked:
    try:
        return read_asked(request.query)
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error


def _back(told: str) -> Asked:
    """The list from which somebody did something; the whole list where that cannot be read."""
    try:
        return read_asked(dict(parse_qsl(told[:1000])))
    except FilterError:
        return Asked()


def _step(query: Mapping[str, str]) -> Step:
    told = query.get("by", "day")
    if told not in STEPS:
        raise web.HTTPBadRequest(text=f"by must be one of {', '.join(STEPS)}, got {told[:20]!r}")
    return "week" if told == "week" else "day"


async def _shares(connection: AsyncConnection, scope: Scope, step: Step, zone: ZoneInfo) -> Shares:
    today = datetime.now(zone).date()
    since = datetime.combine(first_day(step, today), time(), zone)
    told = {"zone": zone.key, "since": since, "everything": scope.everything, "lines": sorted(scope.lines)}
    rows = await connection.execute(_COUNTED, told)
    return shares(step, today, ((row.day, row.cause, row.n) for row in rows))


def _said(request: web.Request) -> str:
    return _words(request, request.query.get("said", ""))


def _words(request: web.Request, said: str) -> str:
    """What became of it, in words; empty for what is none of ours."""
    key = f"not_called.{said.removeprefix('refused.')}" if said.startswith("refused.") else f"missed.{said}"
    return say(language_of(request), key) if said and has_words(key) else ""


def _without(told: Mapping[str, str], name: str) -> dict[str, str]:
    return {key: value for key, value in told.items() if key != name}


def _no_call(_call: LiveCall) -> bool:
    return False
