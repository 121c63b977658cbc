"""Light or dark: as the device has it, or as the viewer chose on this device."""

from typing import Final

from aiohttp import web

THEMES: Final = ("light", "dark")
SYSTEM: Final = "system"
_COOKIE: Final = "theme"
_YEAR_SECONDS: Final = 365 * 24 * 3600


def theme_of(request: web.Request) -> str:
    """What was chosen; empty: as the device has it."""
    chosen = request.cookies.get(_COOKIE, "")
    return chosen if chosen in THEMES else ""


def keep(response: web.StreamResponse, theme: str, *, secure: bool) -> None:
    """Have the device remember a choice for a year, SYSTEM for none."""
    if theme in THEMES:
        response.set_cookie(
            _COOKIE, theme, max_age=_YEAR_SECONDS, path="/", httponly=True, secure=secure, samesite="Lax"
        )
    else:
        response.del_cookie(_COOKIE, path="/")
