"""Whether the service lives, and whether it is ready, with a reason a part for those who are logged in."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiohttp import web
from sqlalchemy.exc import SQLAlchemyError

from web.guard import viewer_of
from web.lately import Lately
from web.live import LIVE
from web.services import Part, WebServices

FRESH_SECONDS: Final = 1.0
KNOWN_SECONDS: Final = 2.0
"""How long a broken database may take to say who asks."""


class Readiness:
    """Remembers the parts for a second: whoever may ask as often as they like makes no work."""

    def __init__(self, services: WebServices) -> None:
        self._read = services.readiness
        self._parts: Lately[Sequence[Part]] = Lately(())

    async def read(self) -> Sequence[Part]:
        """The parts, at most FRESH_SECONDS old."""
        return await self._parts.get(self._read, FRESH_SECONDS)


READINESS: Final = web.AppKey("readiness", Readiness)


async def alive(_request: web.Request) -> web.Response:
    """GET /healthz: this process answers."""
    return web.json_response({"alive": True})


async def ready(request: web.Request) -> web.Response:
    """GET /readyz: every part, with its reason for those who are logged in; 503 when one is not ready."""
    parts = [*await request.app[READINESS].read(), _pages(request)]
    reasons = await _is_known(request)
    told = {
        part.name: {"ready": part.ready} | ({"reason": part.reason} if part.reason and reasons else {})
        for part in parts
    }
    whole = all(part.ready for part in parts)
    return web.json_response({"ready": whole, "parts": told}, status=200 if whole else 503)


async def _is_known(request: web.Request) -> bool:
    try:
        async with asyncio.timeout(KNOWN_SECONDS):
            return await viewer_of(request) is not None
    except (SQLAlchemyError, OSError, TimeoutError):
        return False


def _pages(request: web.Request) -> Part:
    connected = request.app[LIVE].connected
    return Part("pages", connected, "" if connected else "the database does not tell what happens to calls")
