"""Whether the service lives, and whether it is ready with a reason a part."""

from aiohttp import web

from web.live import LIVE
from web.services import SERVICES, Part


async def alive(_request: web.Request) -> web.Response:
    """GET /healthz: this process answers."""
    return web.json_response({"alive": True})


async def ready(request: web.Request) -> web.Response:
    """GET /readyz: every part with its reason; 503 when one is not ready."""
    parts = [*await request.app[SERVICES].readiness(), _pages(request)]
    told = {part.name: {"ready": part.ready} | ({"reason": part.reason} if part.reason else {}) for part in parts}
    whole = all(part.ready for part in parts)
    return web.json_response({"ready": whole, "parts": told}, status=200 if whole else 503)


def _pages(request: web.Request) -> Part:
    connected = request.app[LIVE].connected
    return Part("pages", connected, "" if connected else "the database does not tell what happens to calls")
