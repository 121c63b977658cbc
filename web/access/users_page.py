"""Who may log in, for admins: each login with its role and person, its sessions and tokens, and its way in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from directory.model import ROLES
from recordings.audit import note
from web import users
from web.access import logins, passwords
from web.access.forms import number_of, own_url, token_days, token_scope
from web.api.operations import number_in
from web.audited import audited
from web.guard import VIEWER, only, read_form
from web.house import HOUSE
from web.keeping import actor_of
from web.page import page
from web.services import SERVICES
from web.users import UserError

ADMIN: Final = "admin"


@dataclass(frozen=True, slots=True)
class Shown:
    """What a form's answer shows once: a `link` to choose a password, a `token`; or what was `wrong` with the form."""

    link: str = ""
    token: str = ""
    wrong: UserError | None = None
    form: Mapping[str, str] = field(default_factory=dict)


NOTHING: Final = Shown()


@dataclass(frozen=True, slots=True)
class Asked:
    """A form to carry out on one login, in a transaction of its own."""

    request: web.Request
    connection: AsyncConnection
    one: Any
    form: Mapping[str, str]

    async def note(self, action: str, **told: Any) -> None:
        """Write down that it was done to this login."""
        await note(self.connection, actor_of(self.request), action, f"user {self.one.id}", **told)


async def show_all(request: web.Request) -> web.Response:
    """GET /admin/users."""
    only(request, ADMIN)
    return await _list(request)


@audited("user_added")
async def add(request: web.Request) -> web.Response:
    """POST /admin/users: a new login, whose link to choose a password is shown once."""
    only(request, ADMIN)
    form = await read_form(request)
    login, role, person = form.get("login", "").strip(), form.get("role", ""), form.get("person") or None
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            user, link = await add_login(request, connection, login, role, person)
    except UserError as error:
        return await _list(request, Shown(wrong=error, form=form), status=422)
    return await _one_page(request, user, Shown(link=link))


async def add_login(
    request: web.Request, connection: AsyncConnection, login: str, role: str, person: str | None
) -> tuple[int, str]:
    """Add a login and write it down: its id, and where it chooses its password. Raises UserError and 403."""
    _keep_admins(request, role)
    user = await users.add(connection, login, role, person=person)
    link = await passwords.make(connection, user)
    told = {"login": login, "role": role, "person": person}
    await note(connection, actor_of(request), "user_added", f"user {user}", after=told)
    return user, own_url(request, link)


async def show(request: web.Request) -> web.Response:
    """GET /admin/users/{number}."""
    only(request, ADMIN)
    return await _one_page(request, number_in(request))


@audited(
    *("user_changed", "user_disabled", "user_enabled", "sessions_ended", "provider_forgotten", "password_link_made"),
    *("token_made", "token_revoked"),
)
async def change(request: web.Request) -> web.Response:
    """POST /admin/users/{number}: `do` is one of `_DOES`; 303 to the page, or the page with what is shown once.

    What may not be is answered with 422 and the words beside the field.
    """
    only(request, ADMIN)
    user, form = number_in(request), await read_form(request)
    try:
        shown = await carry_out(request, user, form.get("do", ""), form)
    except UserError as error:
        return await _one_page(request, user, Shown(wrong=error, form=form), status=422)
    if shown is not NOTHING:
        return await _one_page(request, user, shown)
    return web.Response(status=303, headers={"Location": f"/admin/users/{user}"})


async def carry_out(request: web.Request, user: int, do: str, form: Mapping[str, str]) -> Shown:
    """Do one of `_DOES` to a login, in a transaction; what is shown once. Raises UserError, 400, 403 and 404."""
    does = _DOES.get(do)
    if does is None:
        raise web.HTTPBadRequest(text=f"do must be one of {', '.join(_DOES)}")
    async with request.app[SERVICES].engine.begin() as connection:
        return await does(Asked(request, connection, await read_login(connection, user), form)) or NOTHING


async def _change(asked: Asked) -> None:
    one, role, person = asked.one, asked.form.get("role", ""), asked.form.get("person") or None
    if one.role != role:
        _keep_admins(asked.request, role)
    if one.role == ADMIN != role:
        await users.keep_an_admin(asked.connection, one.login)
    await users.change(asked.connection, one.login, role, person, actor_of(asked.request))
    before, after = {"role": one.role, "person": one.person_key}, {"role": role, "person": person}
    if before != after:
        await asked.note("user_changed", before=before, after=after)


async def _disable(asked: Asked) -> None:
    if asked.one.role == ADMIN:
        await users.keep_an_admin(asked.connection, asked.one.login)
    await users.disable(asked.connection, asked.one.login, actor_of(asked.request))
    await asked.note("user_disabled")


async def _enable(asked: Asked) -> None:
    _keep_admins(asked.request, asked.one.role)
    await users.enable(asked.connection, asked.one.login)
    await asked.note("user_enabled")


async def _reset(asked: Asked) -> Shown:
    _keep_admins(asked.request, asked.one.role)
    if asked.one.id == asked.request[VIEWER].user:
        raise web.HTTPForbidden(text="One's own password is chosen at /me, by the one before.")
    if asked.one.disabled_at is not None:
        raise UserError(f"login: {asked.one.login!r} is disabled", "disabled")
    link = await passwords.make(asked.connection, asked.one.id)
    await asked.note("password_link_made", details={"tokens": await users.end_tokens(asked.connection, asked.one.id)})
    return Shown(link=own_url(asked.request, link))


async def _end_sessions(asked: Asked) -> None:
    count = await users.end_sessions(asked.connection, asked.one.id)
    revoked = await users.end_tokens(asked.connection, asked.one.id)
    await asked.note("sessions_ended", details={"count": count, "tokens": revoked})


async def _forget_provider(asked: Asked) -> None:
    _keep_admins(asked.request, asked.one.role)
    await logins.forget_provider(asked.connection, asked.one.id)
    await asked.note("provider_forgotten")


async def _make_token(asked: Asked) -> Shown:
    _keep_admins(asked.request, asked.one.role)
    if asked.one.disabled_at is not None:
        raise UserError(f"login: {asked.one.login!r} is disabled", "disabled")
    if asked.one.id == asked.request[VIEWER].user:
        raise web.HTTPBadRequest(text="One's own token is made at /me, by one's password.")
    return Shown(token=await make_token(asked))


async def make_token(asked: Asked) -> str:
    """Make the API token that a form asks for, and write it down."""
    form = asked.form
    name, scope, ends = form.get("name", "").strip(), token_scope(form), users.expiry(token_days(form))
    token = await users.create_token(asked.connection, asked.one.login, name, ends, scope=scope)
    await asked.note("token_made", details={"name": name, "scope": scope, "ends": ends and ends.isoformat()})
    return token


async def revoke_token(asked: Asked) -> None:
    """End the API token that a form names, and write it down; one that is over already stays so."""
    name = await logins.revoke_token(asked.connection, asked.one.id, number_of(asked.form, "id"))
    if name is not None:
        await asked.note("token_revoked", details={"name": name})


_DOES: Final[Mapping[str, Callable[[Asked], Awaitable[Shown | None]]]] = {
    "change": _change, "disable": _disable, "enable": _enable, "reset": _reset, "end_sessions": _end_sessions,
    "forget_provider": _forget_provider, "token": _make_token, "revoke": revoke_token,
}  # fmt: skip


def _keep_admins(request: web.Request, role: str) -> None:
    """Raise 403 where a token would give whoever holds it a way in as an admin, which outlives the token."""
    if request[VIEWER].by_token and role == ADMIN:
        raise web.HTTPForbidden(
            text="A token lets no admin in: that is done on the pages, by an admin who is logged in."
        )


async def read_login(connection: AsyncConnection, user: int) -> Any:
    """A login as `logins.one_login` tells it. Raises 404."""
    one = await logins.one_login(connection, user)
    if one is None:
        raise web.HTTPNotFound(text=f"There is no user {user}.")
    return one


async def _list(request: web.Request, shown: Shown = NOTHING, status: int = 200) -> web.Response:
    async with request.app[SERVICES].engine.connect() as connection:
        found = await logins.all_logins(connection)
    return await _page(request, "users.html", shown, status, logins=found)


async def _one_page(request: web.Request, user: int, shown: Shown = NOTHING, status: int = 200) -> web.Response:
    async with request.app[SERVICES].engine.begin() as connection:
        one = await read_login(connection, user)
        tokens = await logins.tokens_of(connection, user)
    mine = one.id == request[VIEWER].user
    return await _page(request, "user.html", shown, status, one=one, tokens=tokens, mine=mine)


async def _page(request: web.Request, template: str, shown: Shown, status: int, **context: Any) -> web.Response:
    directory = await request.app[HOUSE].read()
    provider = request.app[SERVICES].sign_on
    answer = await page(
        request, template, shown=shown, roles=ROLES, people=directory.people, provider=provider, **context
    )
    answer.set_status(status)
    return answer
