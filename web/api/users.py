"""Logins by the API, for admins: listed, added and changed as on their pages, with the same words of the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncConnection

from web.access import logins
from web.access.forms import TOKEN_DAYS_MOST
from web.access.users_page import ADMIN, Shown, add_login, carry_out, read_login
from web.api.operations import Answer, Body, Command, Handler, NoBody, NoQuery, number_in, refusal
from web.audited import audited
from web.guard import only
from web.services import SERVICES
from web.users import LOGIN_MOST, NAME_MOST, UserError

Role = Literal["manager", "head", "operator", "admin"]


class UserTold(Answer):
    """A login."""

    id: int
    login: str
    role: str
    person: str | None = Field(description="Key of whose login it is; null: nobody's in the directory.")
    language: str | None
    created_at: datetime
    disabled_at: datetime | None
    has_password: bool
    has_provider: bool = Field(description="It came by the OpenID Connect provider.")
    session_count: int
    seen_at: datetime | None = Field(description="When one of its open sessions was seen last.")
    link_until: datetime | None = Field(description="Until when a link to a new password is good; null: there is none.")


class UserList(Answer):
    """Every login, by its name."""

    items: list[UserTold]


class TokenTold(Answer):
    """A token of the API that opens something."""

    id: int
    name: str
    scope: str
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime | None


class UserWhole(UserTold):
    """A login with its tokens, the newest first."""

    tokens: list[TokenTold]


class UserWish(Body):
    """A new login. By a token none is made for an admin (403)."""

    login: str = Field(max_length=LOGIN_MOST)
    role: Role
    person: str | None = Field(default=None, max_length=64)


class UserChange(Body):
    """What a login is to be from now on. By a token none becomes an admin (403)."""

    role: Role
    person: str | None = Field(max_length=64)


class TokenWish(Body):
    """A token; `scope` read: it changes nothing. By a token none is made for an admin (403)."""

    name: str = Field(max_length=NAME_MOST)
    scope: Literal["read", "all"] = "read"
    days: int = Field(ge=1, le=TOKEN_DAYS_MOST, strict=True)


class TokenGone(Body):
    """Which token ends."""

    id: int = Field(ge=1, lt=2**63)


class PasswordLink(Answer):
    """At `url` the login chooses a password, once and for a day. It is told here only.

    There is none for one's own login, and by a token none for an admin (403).
    """

    url: str


class UserMade(UserTold):
    """A new login, and where it chooses its password."""

    url: str


class TokenMade(Answer):
    """A new token. It is told here only."""

    token: str


async def list_users(request: web.Request, _query: NoQuery) -> UserList:
    """GET /users."""
    only(request, ADMIN)
    async with request.app[SERVICES].engine.connect() as connection:
        return UserList(items=[UserTold(**_told(one)) for one in await logins.all_logins(connection)])


async def get_user(request: web.Request, _query: NoQuery) -> UserWhole:
    """GET /users/{number}."""
    only(request, ADMIN)
    async with request.app[SERVICES].engine.begin() as connection:
        return await _whole(connection, number_in(request))


@audited("user_added")
async def add_user(request: web.Request, wish: UserWish) -> UserMade | web.Response:
    """POST /users."""
    only(request, ADMIN)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            user, url = await add_login(request, connection, wish.login, wish.role, wish.person)
            return UserMade(**_told(await read_login(connection, user)), url=url)
    except UserError as error:
        return _wrong(error)


@audited("user_changed")
async def change_user(request: web.Request, wish: UserChange) -> UserWhole | web.Response:
    """POST /users/{number}/change."""
    return await _do(request, "change", {"role": wish.role, "person": wish.person or ""})


@audited("user_enabled")
async def enable_user(request: web.Request, _body: NoBody) -> UserWhole | web.Response:
    """POST /users/{number}/enable. By a token no admin is let in again (403)."""
    return await _do(request, "enable")


@audited("sessions_ended")
async def end_user_sessions(request: web.Request, _body: NoBody) -> UserWhole | web.Response:
    """POST /users/{number}/end-sessions: its tokens end too."""
    return await _do(request, "end_sessions")


@audited("provider_forgotten")
async def forget_user_provider(request: web.Request, _body: NoBody) -> UserWhole | web.Response:
    """POST /users/{number}/forget-provider: it may come by another account there. By a token no admin may (403)."""
    return await _do(request, "forget_provider")


@audited("password_link_made")
async def make_password_link(request: web.Request, _body: NoBody) -> PasswordLink | web.Response:
    """POST /users/{number}/password-link: for others than oneself."""
    shown = await _carried_out(request, "reset")
    return shown if isinstance(shown, web.Response) else PasswordLink(url=shown.link)


@audited("token_made")
async def make_user_token(request: web.Request, wish: TokenWish) -> TokenMade | web.Response:
    """POST /users/{number}/tokens: for others than oneself."""
    form = {"name": wish.name, "scope": wish.scope, "days": str(wish.days)}
    shown = await _carried_out(request, "token", form)
    return shown if isinstance(shown, web.Response) else TokenMade(token=shown.token)


@audited("token_revoked")
async def revoke_user_token(request: web.Request, wish: TokenGone) -> UserWhole | web.Response:
    """POST /users/{number}/tokens/revoke: one that is over stays so."""
    return await _do(request, "revoke", {"id": str(wish.id)})


@audited("user_disabled")
async def disable_user(request: web.Request, _body: NoBody) -> UserWhole | web.Response:
    """POST /users/{number}/disable."""
    return await _do(request, "disable")


_ONE: Final[Sequence[tuple[str, Handler, str, type[Body], type[Answer], Sequence[int]]]] = (
    ("change", change_user, "Give a login a role and a person", UserChange, UserWhole, (422,)),
    ("enable", enable_user, "Let a disabled login in again", NoBody, UserWhole, ()),
    ("end-sessions", end_user_sessions, "End a login's sessions and tokens", NoBody, UserWhole, ()),
    ("forget-provider", forget_user_provider, "Forget a login's account at the provider", NoBody, UserWhole, ()),
    ("password-link", make_password_link, "Make a link to a new password", NoBody, PasswordLink, (422,)),
    ("tokens", make_user_token, "Make a token for a login", TokenWish, TokenMade, (422,)),
    ("tokens/revoke", revoke_user_token, "End a token of a login", TokenGone, UserWhole, ()),
    ("disable", disable_user, "Let a login in no more", NoBody, UserWhole, (422,)),
)
COMMANDS: Final = (
    Command("/users", add_user, "Add a login", UserWish, UserMade, keyed=False, refuses=(422,)),
    *(
        Command(f"/users/{{number}}/{do}", handler, summary, body, answer, keyed=False, refuses=refuses)
        for do, handler, summary, body, answer, refuses in _ONE
    ),
)
"""What is done to logins, in an order in which each can be."""


async def _do(request: web.Request, do: str, form: Mapping[str, str] | None = None) -> UserWhole | web.Response:
    shown = await _carried_out(request, do, form)
    if isinstance(shown, web.Response):
        return shown
    async with request.app[SERVICES].engine.begin() as connection:
        return await _whole(connection, number_in(request))


async def _carried_out(request: web.Request, do: str, form: Mapping[str, str] | None = None) -> Shown | web.Response:
    only(request, ADMIN)
    try:
        return await carry_out(request, number_in(request), do, form or {})
    except UserError as error:
        return _wrong(error)


async def _whole(connection: AsyncConnection, user: int) -> UserWhole:
    one = await read_login(connection, user)
    names = TokenTold.model_fields
    tokens = [
        TokenTold(**{name: getattr(row, name) for name in names}) for row in await logins.tokens_of(connection, user)
    ]
    return UserWhole(**_told(one), tokens=tokens)


def _told(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name, None) for name in UserTold.model_fields} | {"person": one.person_key}


def _wrong(error: UserError) -> web.Response:
    return refusal(422, error.why, str(error), field=error.field)
