"""Views of the list of calls: filters that somebody gave a name, for themselves, or by a head for a team."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from aiohttp import web
from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.forgetting import Person
from directory.model import Directory, Team
from directory.tables import users
from recordings.audit import note
from web.audited import audited
from web.filters import FilterError, read_days
from web.guard import VIEWER, only, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.page import zone_of
from web.services import SERVICES
from web.sessions import Viewer
from web.tables import saved_views

KEPT: Final = ("period", "from", "to", "line", "team", "person", "status", "cause", "audio", "text")
"""The filters that a view keeps. A number is somebody's, and is none of them."""

NAME_MOST: Final = 60
VIEWS_MOST: Final = 50
SHARERS: Final = ("head", "admin")


@dataclass(frozen=True, slots=True)
class View:
    """One view as its viewer sees it: `by` is the login of whose it is, None where it is their own."""

    id: int
    name: str
    filters: Mapping[str, str]
    team: str | None
    by: str | None

    @property
    def query(self) -> str:
        """The list's query that shows it."""
        return urlencode({**self.filters, "view": str(self.id)})


class _WrongError(Exception):
    """What was asked cannot be; `why` is a key of `calls.view_wrong.*`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


async def views_of(connection: AsyncConnection, viewer: Viewer, directory: Directory) -> list[View]:
    """The viewer's own views by name, then those of their teams."""
    teams = [team.key for team in directory.teams if viewer.person in team.members]
    mine = saved_views.c.user_id == viewer.user
    asked = select(saved_views, users.c.login).join(users, users.c.id == saved_views.c.user_id)
    asked = asked.where(or_(mine, saved_views.c.team.in_(teams)))
    rows = await connection.execute(asked.order_by(mine.desc(), saved_views.c.name, saved_views.c.id))
    return [
        View(row.id, row.name, row.filters, row.team, None if row.user_id == viewer.user else row.login) for row in rows
    ]


def may_share_with(viewer: Viewer, directory: Directory) -> Sequence[Team]:
    """The teams with which a head or an admin shares a view: their own, or all where they are in none."""
    if viewer.role not in SHARERS:
        return ()
    return [team for team in directory.teams if viewer.person in team.members] or directory.teams


@audited("view_saved", "view_removed")
async def change(request: web.Request) -> web.Response:
    """POST /calls/views: `do` is save (`query`, `name`), rename (`id`, `name`), share (`id`, `team`), remove (`id`)."""
    form, directory = await read_form(request), await request.app[HOUSE].read()
    told = parse_qsl(form.get("query", "")[:4000])
    filters = {name: value[:200] for name, value in told if name in KEPT and value and "\0" not in value}
    try:
        read_days(filters, zone_of(request, directory), directory, datetime.now(UTC))
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from None
    back = dict(filters)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            back |= await _do(request, connection, directory, form, filters)
    except _WrongError as error:
        back |= {"wrong": error.why} | ({"view": form["id"]} if form.get("id") else {})
    return web.Response(status=303, headers={"Location": f"/calls?{urlencode(back)}" if back else "/calls"})


async def _do(
    request: web.Request,
    connection: AsyncConnection,
    directory: Directory,
    form: Mapping[str, str],
    filters: Mapping[str, str],
) -> dict[str, str]:
    """Do it; what the list's query is to have besides the filters. Raises _WrongError."""
    viewer, actor, do = request[VIEWER], actor_of(request), form.get("do")
    if do == "save":
        made = await _save(connection, viewer, _name(form), filters)
        await note(connection, actor, "view_saved", f"view {made}")
        return {"view": str(made)}
    mine = _mine(viewer, form.get("id", ""))
    if do == "remove":
        await _must(connection, delete(saved_views).where(mine))
        await note(connection, actor, "view_removed", f"view {form['id']}")
        return {}
    if do == "rename":
        values: dict[str, Any] = {"name": _name(form)}
    elif do == "share":
        only(request, *SHARERS)
        team = form.get("team", "")
        if team and team not in {one.key for one in may_share_with(viewer, directory)}:
            raise web.HTTPForbidden(text="A view is shared with a team of one's own.")
        values = {"team": team or None}
    else:
        raise web.HTTPBadRequest(text="do must be save, rename, share or remove")
    try:
        await _must(connection, update(saved_views).where(mine).values(**values, changed_at=func.now()))
    except IntegrityError:
        raise _WrongError("taken") from None
    shared = {"team": values["team"]} if do == "share" else {}
    await note(connection, actor, "view_saved", f"view {form['id']}", shared)
    return {"view": form["id"]}


async def _save(connection: AsyncConnection, viewer: Viewer, name: str, filters: Mapping[str, str]) -> int:
    if not filters:
        raise _WrongError("empty")
    count = select(func.count()).where(saved_views.c.user_id == viewer.user)
    if (await connection.execute(count)).scalar_one() >= VIEWS_MOST:
        raise _WrongError("many")
    row = {"user_id": viewer.user, "name": name, "filters": dict(filters)}
    try:
        made: int = (await connection.execute(insert(saved_views).values(row).returning(saved_views.c.id))).scalar_one()
    except IntegrityError:
        raise _WrongError("taken") from None
    return made


def _name(form: Mapping[str, str]) -> str:
    name = " ".join(form.get("name", "").split())
    if not 1 <= len(name) <= NAME_MOST or not name.isprintable():
        raise _WrongError("name")
    return name


def _mine(viewer: Viewer, told: str) -> ColumnElement[bool]:
    number = int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0
    return (saved_views.c.id == number) & (saved_views.c.user_id == viewer.user)


async def _must(connection: AsyncConnection, statement: Any) -> None:
    """Raises 404 where nothing was changed: there is no such view, or it is somebody else's."""
    if not (await connection.execute(statement)).rowcount:
        raise web.HTTPNotFound(text="There is no such view of yours.")


async def forget(connection: AsyncConnection, person: Person) -> int:
    """Remove the views that name a person to be forgotten, by number or by name; returns how many there were."""
    rows = await connection.execute(select(saved_views.c.id, saved_views.c.name, saved_views.c.filters))
    gone = [row.id for row in rows if person.text(row.name) != row.name or person.value(row.filters) != row.filters]
    await connection.execute(delete(saved_views).where(saved_views.c.id.in_(gone)))
    return len(gone)
