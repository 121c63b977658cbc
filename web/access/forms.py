"""What forms of logins share: numbers, terms of a token, and the address at which a link of ours is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from web.services import SERVICES
from web.users import Scope, UserError

TOKEN_DAYS_MOST: Final = 365


def number_of(form: Mapping[str, str], name: str) -> int:
    """A number of the form; 0, which nothing has, for what is none."""
    told = form.get(name, "")
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 19 else 0


def token_days(form: Mapping[str, str]) -> int:
    """For how many days a token shall be good, a year at most. Raises UserError."""
    told = form.get("days", "").strip()
    if not (told.isascii() and told.isdecimal() and len(told) <= 3 and 1 <= int(told) <= TOKEN_DAYS_MOST):
        raise UserError(f"days: must be from 1 to {TOKEN_DAYS_MOST}, got {told[:20]!r}", "days")
    return int(told)


def token_scope(form: Mapping[str, str]) -> Scope:
    """What a token shall open: all that its login may, or only reading, unless all was chosen."""
    return "all" if form.get("scope") == "all" else "read"


def own_url(request: web.Request, path: str) -> str:
    """A path of ours as an address to give away: by the settings' public one, else as the browser came here."""
    services = request.app[SERVICES]
    scheme = "https" if services.secure else request.scheme
    return (services.public_url or f"{scheme}://{request.host}") + path
