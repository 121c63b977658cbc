"""The doors: safe headers on every answer, no requests from other sites, nobody unknown, and errors in words."""

import json
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlsplit

import structlog
from aiohttp import web
from sqlalchemy.exc import DBAPIError

from crm_sync.connections import OUR_PAGES
from reports.nps_links import PREFIX as NPS
from web import sessions
from web.addresses import Address, client_of
from web.links import PREFIX as LINKED
from web.render import error_page
from web.services import SERVICES
from web.sessions import Viewer
from web.theme import theme_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VIEWER: Final = web.RequestKey("viewer", Viewer)
NONCE: Final = web.RequestKey("nonce", str)
_REQUEST: Final = web.RequestKey("request", str)

_OPEN: Final = ("/login", "/login/oidc", "/login/oidc/return", "/healthz", "/readyz")
PASSWORDS: Final = "/password/"
"""Whoever has such an address chooses the password of its login (`web.access.password_page`)."""
UPLOADS: Final = "/api/v1/uploads/"
"""Has a door of its own: PBXes send there, with tokens that open nothing else (`web.api.uploads`)."""

WALL: Final = "/wall/"
"""Screens on walls come here, each with a link of its own that opens nothing else (`web.wall_links`)."""

WEBHOOKS: Final = "/api/v1/webhooks/"
"""CRMs come here too; as at the other door it is checked by itself who does (`web.crm_doors`)."""

_CRM_DOORS: Final = re.compile(r"/crm/([a-z0-9][a-z0-9_-]{0,39})/(?:oauth|events)")
"""Who comes here brings no cookie of ours; each door checks by itself who is before it (`web.crm_doors`)."""

_LINKED_HEADERS: Final = {
    # A page that plays it tells nobody its address, no index keeps it, and another site's page may play it.
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_log = structlog.get_logger(__name__)


def is_api(request: web.Request) -> bool:
    """Whether the answer is for a program, which wants problem documents and no redirects."""
    return request.path.startswith("/api/")


def is_crm_door(request: web.Request) -> bool:
    """Whether a door for CRMs answers, and no page of ours: by the path as it is routed, where `%2F` is no `/`."""
    path = request.rel_url.raw_path
    if path.startswith(WEBHOOKS):
        return True
    door = _CRM_DOORS.fullmatch(path)
    return door is not None and door[1] not in OUR_PAGES


def nonce(request: web.Request) -> str:
    """This answer's nonce for the one style sheet that the waveform makes itself."""
    if NONCE not in request:
        request[NONCE] = secrets.token_urlsafe(16)
    return request[NONCE]


def request_id(request: web.Request) -> str:
    """By what the log and the audit name this request; its answer has it in the header X-Request-Id."""
    if _REQUEST not in request:
        request[_REQUEST] = secrets.token_hex(8)
    return request[_REQUEST]


def address_of(request: web.Request) -> Address | None:
    """Who asks, through the proxies that we trust; None when the transport has no IP address, as a UNIX socket."""
    forwarded = request.headers.getall("X-Forwarded-For", [])
    return client_of(request.remote, forwarded, request.app[SERVICES].trusted_proxies)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the safe headers on every answer, also on streams and files (signal on_response_prepare)."""
    style = f" 'nonce-{request[NONCE]}'" if NONCE in request else ""
    response.headers.update(_HEADERS)
    response.headers["X-Request-Id"] = request_id(request)
    if request.path.startswith(LINKED):
        response.headers.update(_LINKED_HEADERS)
    if request.path.startswith(WALL):
        response.headers["Referrer-Policy"] = "no-referrer"
    # A form of a page without a referrer is sent with `Origin: null`, as another site's; nobody else is told NPS's.
    if request.path.startswith((WALL, NPS)):
        response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Content-Security-Policy"] = (
        f"default-src 'self'; style-src 'self'{style}; img-src 'self' data:; object-src 'none'; base-uri 'none';"
        " form-action 'self'; frame-ancestors 'none'"
    )
    if not request.path.startswith("/static/"):
        response.headers.setdefault("Cache-Control", "no-store")
    elif "v" in request.query:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    else:
        response.headers["Cache-Control"] = "no-cache"
    if request.app[SERVICES].secure:
        response.headers["Strict-Transport-Security"] = "max-age=31536000"


@web.middleware
async def tell_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into a page or a problem document (RFC 9457); an unforeseen one is logged, never shown."""
    try:
        return await handler(request)
    except web.HTTPError as error:
        plain = error.text or ""
        response = _told(request, error.status, plain if plain != f"{error.status}: {error.reason}" else "")
        for name in ("Allow", "Retry-After", "WWW-Authenticate", "Content-Range", "HX-Redirect"):
            if name in error.headers:
                response.headers[name] = error.headers[name]
        return response
    except web.HTTPException:
        raise
    except ConnectionError:
        raise
    except Exception:  # noqa: BLE001 - the outermost door: whatever went wrong, the answer is a plain 500
        _log.exception("request failed", method=request.method, route=_route(request), request=request_id(request))
        if request.writer.output_size:
            raise ConnectionAbortedError("what was begun cannot be told otherwise any more") from None
        return _told(request, 500, "")


@web.middleware
async def read_again(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Ask once more what only reads, where the database closed the connection beneath it: a restart is no error."""
    try:
        return await handler(request)
    except DBAPIError as error:
        if not error.connection_invalidated or request.method not in _SAFE or request.writer.output_size:
            raise
    return await handler(request)


@web.middleware
async def refuse_other_sites(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request that changes something when another site sent it.

    Browsers tell the sender in Sec-Fetch-Site, older ones in Origin; a program with a token sends neither.
    """
    if request.method not in _SAFE and "Authorization" not in request.headers and not is_crm_door(request):
        site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
        foreign = site not in {"same-origin", "none"} if site else origin and urlsplit(origin).netloc != request.host
        if foreign:
            raise web.HTTPForbidden(text="This request came from another site.")
    return await handler(request)


@web.middleware
async def refuse_nul(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a NUL in an address: no text of ours holds one and PostgreSQL takes none."""
    for name, value in request.query.items():
        if "\0" in name + value:
            raise web.HTTPBadRequest(text=f"{name.partition(chr(0))[0]}: must hold no NUL".lstrip(": "))
    return await handler(request)


async def read_form(request: web.Request) -> dict[str, str]:
    """The text fields of a form; files and fields with a NUL read as empty. Raises 400 for a body that is no form."""
    try:
        form = await request.post()
    except ValueError:
        raise web.HTTPBadRequest(text="The form cannot be read.") from None
    return {name: value if isinstance(value, str) and "\0" not in value else "" for name, value in form.items()}


@web.middleware
async def know_viewer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks; nobody unknown passes but to the login page, the health checks and what has its own door."""
    has_own_door = request.path.startswith(("/static/", UPLOADS, LINKED, WALL, PASSWORDS, NPS)) or is_crm_door(request)
    if request.path in _OPEN or has_own_door:
        return await handler(request)
    viewer = await viewer_of(request)
    if viewer is None:
        raise _unknown(request)
    if viewer.reads_only and request.method not in _SAFE:
        raise web.HTTPForbidden(text="This token may only read.")
    request[VIEWER] = viewer
    return await handler(request)


def only(request: web.Request, *roles: str) -> None:
    """Raise HTTPForbidden, which names the roles, for a viewer who has none of them; nobody is to log in first."""
    if VIEWER not in request:
        raise _unknown(request)
    if request[VIEWER].role not in roles:
        raise web.HTTPForbidden(text=f"Only for {' and '.join(f'{role}s' for role in roles)}.")


async def viewer_of(request: web.Request) -> Viewer | None:
    """Whose cookie or token the request brings, as the database stands now; None when it opens nothing."""
    services = request.app[SERVICES]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    cookie = sessions.cookie_of(request, secure=services.secure)
    if scheme:
        if scheme.lower() != "bearer" or not token or not is_api(request):
            return None
        async with services.engine.begin() as connection:
            return await sessions.by_token(connection, token.strip())
    if cookie is None:
        return None
    async with services.engine.begin() as connection:
        return await sessions.by_cookie(connection, cookie)


def _unknown(request: web.Request) -> web.HTTPException:
    if is_api(request):
        challenge = {"WWW-Authenticate": 'Bearer realm="switchhook"'}
        return web.HTTPUnauthorized(text="Log in, or send a bearer token.", headers=challenge)
    login = "/login" + (f"?next={quote(request.path_qs, safe='')}" if request.path != "/" else "")
    if "HX-Request" in request.headers:
        return web.HTTPUnauthorized(headers={"HX-Redirect": login})
    return web.HTTPSeeOther(login)


def _told(request: web.Request, status: int, detail: str) -> web.Response:
    title = HTTPStatus(status).phrase
    if is_api(request):
        problem = {"type": "about:blank", "title": title, "status": status, "detail": detail or title}
        return web.Response(status=status, text=json.dumps(problem), content_type="application/problem+json")
    language = request[VIEWER].language if VIEWER in request else None
    text = error_page(status, language or request.app[SERVICES].language, theme_of(request), request.path)
    return web.Response(status=status, text=text, content_type="text/html")


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource else "unknown"
