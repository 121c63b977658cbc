"""A Bitrix24 on the loopback: a portal and, elsewhere, its token server; strict, and failing as a test asks.

Kept as the vendor's pages say: both forms of address (with a token in the body; as an incoming webhook), the envelope
with `time`, pages of fifty, a token's hour and its 401 `expired_token`, refresh tokens that are good once, the leaky
bucket per address, ten minutes of `operating` per method, 302 after a portal was renamed, `batch`, and events as forms.
Its clock is the test's. Everything that is asked is written down in `requests`; a secret in an address, in `leaked`.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from tests.fakes.bitrix24_portal import APP_ONLY, Portal, Refused, keep_record

CLIENT: Final = "local.6f1a2b3c4d5e6f.12345678"
CLIENT_SECRET: Final = "aPpLiCaTiOnSeCrEt0123456789abcdefghijklmnopqrstuvwx"
HOOK_CODE: Final = "w3bh00kc0de1234567"
APPLICATION_TOKEN: Final = "51856fefc120afa4b628cc82d3935cce"
MEMBER: Final = "a223c6b3710f85df22e9377d6c4f7553"
PAGE: Final = 50
ACCESS_SECONDS: Final = 3600
CODE_SECONDS: Final = 30

How = Literal[
    "cut", "cut_body", "hang", "500", "502_html", "503_html", "504", "limit", "operating", "overload", "expired", "400",
    "401", "302", "401_html", "403_html",
]  # fmt: skip


_SAID: Final[Mapping[str, tuple[str, str, int]]] = {
    "500": ("INTERNAL_SERVER_ERROR", "Internal server error", 500),
    "limit": ("QUERY_LIMIT_EXCEEDED", "Too many requests", 503),
    "operating": ("OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit.", 429),
    "overload": ("OVERLOAD_LIMIT", "REST API is blocked due to overload", 503),
    "expired": ("expired_token", "The access token provided has expired.", 401),
    "400": ("ERROR_CORE", "It is refused", 400),
    "401": ("NO_AUTH_FOUND", "Wrong authorization data", 401),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """How one request fails. `commits`: what it asks for is done first, and nobody hears of it."""

    how: How
    commits: bool = False
    retry_after: int | None = None


@dataclass
class _Grant:
    access: str
    refresh: str
    until: float
    kind: str = "app"


@dataclass
class Bitrix24:
    """`script` tells how the n-th request (from 1) to a method fails. `clock` is Unix time.

    `handler` is the address that the application has there, where who agrees is sent back to.
    `bucket` requests may be above what `drains` a second; `operating_limit` seconds a method may take in ten minutes,
    of which each request takes `costs` (0.05 unless named).
    """

    portal: Portal = field(default_factory=Portal)
    url: str = ""
    token_url: str = ""
    renamed_url: str = ""
    renamed: bool = False
    clock: Callable[[], float] = time.time
    script: Callable[[int, str], Fault | None] = lambda _count, _method: None
    webhook_may: bool = False
    bucket: float = 50.0
    drains: float = 2.0
    operating_limit: float = 480.0
    costs: dict[str, float] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    leaked: list[str] = field(default_factory=list)
    grants: dict[str, _Grant] = field(default_factory=dict)
    codes: dict[str, float] = field(default_factory=dict)
    paid: bool = True
    lasts: Any = ACCESS_SECONDS
    given: Callable[[], None] = lambda: None
    handler: str = ""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    _level: dict[str, tuple[float, float]] = field(default_factory=dict)
    _spent: dict[str, deque[tuple[int, float]]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.portal.now = lambda: datetime.fromtimestamp(self.clock(), UTC)

    # What a test does

    def grant(self) -> _Grant:
        """A grant as an app has it after a person let it in."""
        number = next(self._numbers)
        made = _Grant(f"access{number}" + "A" * 60, f"refresh{number}" + "R" * 60, self.clock() + ACCESS_SECONDS)
        self.grants[made.access] = made
        return made

    def code(self) -> str:
        """What the browser brings back after a person let the app in."""
        made = f"code{next(self._numbers)}"
        self.codes[made] = self.clock() + CODE_SECONDS
        return made

    def expire(self) -> None:
        """The hour of every access token is over."""
        for grant in self.grants.values():
            grant.until = self.clock()

    def revoke(self) -> None:
        """The app was removed there."""
        self.grants.clear()

    def click(self, user: int, phone: str, line: str = "") -> bytes:
        """Somebody clicks a number: the call is registered, and its event is what this gives."""
        made = self.portal.call(
            "telephony.externalCall.register",
            {"USER_ID": user, "PHONE_NUMBER": phone, "TYPE": 1, "SHOW": 1, **({"LINE_NUMBER": line} if line else {})},
            CLIENT,
        )
        data = {
            "PHONE_NUMBER": phone, "PHONE_NUMBER_INTERNATIONAL": phone, "EXTENSION": "", "USER_ID": str(user),
            "CALL_LIST_ID": "0", "LINE_NUMBER": line, "IS_MOBILE": "0", "CALL_ID": made["CALL_ID"],
            "CRM_ENTITY_TYPE": made["CRM_ENTITY_TYPE"], "CRM_ENTITY_ID": str(made["CRM_ENTITY_ID"] or ""),
        }  # fmt: skip
        return self.event("ONEXTERNALCALLSTART", data)

    def event(
        self, name: str, data: Mapping[str, Any], *, token: str = APPLICATION_TOKEN, with_access: bool = True
    ) -> bytes:
        """The body of an event: a form with brackets, all of it strings. It is sent once and never again."""
        auth = {"domain": "portal.bitrix24.ru", "member_id": MEMBER, "application_token": token}
        if with_access:
            auth |= {"access_token": "x" * 40, "refresh_token": "y" * 40, "expires_in": "3600"}
        told: list[tuple[str, str]] = [("event", name), ("event_handler_id", "1"), ("ts", str(int(self.clock())))]
        for key, value in data.items():
            if isinstance(value, Mapping):
                told += [(f"data[{key}][{inner}]", str(one)) for inner, one in value.items()]
            else:
                told.append((f"data[{key}]", str(value)))
        return urlencode(told + [(f"auth[{key}]", value) for key, value in auth.items()]).encode()

    # The portal

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request to the portal."""
        if self.renamed and request.url.port == URL(self.url).port:
            return web.Response(status=302, headers={"Location": self.renamed_url + request.path})
        parts = request.path.removeprefix("/rest/").removesuffix(".json").split("/")
        params = await self._params(request)
        method, is_hook = parts[-1], len(parts) == 3
        who = self._who(parts, params, is_hook, method)
        params.pop("auth", None)
        self.requests.append((method, dict(params)))
        fault = self.script(len(self.requests), method)
        if isinstance(who, web.Response):
            return who
        if fault is not None and not fault.commits:
            return await self._fail(request, fault, method)
        answer = self._limited(request.remote or "", method) or await self._answer(who, method, params)
        if fault is not None:
            return await self._fail(request, fault, method)
        return answer

    async def _params(self, request: web.Request) -> dict[str, Any]:
        told: dict[str, Any] = dict(request.query)
        if "auth" in told or "access_token" in told:
            self.leaked.append(request.path)
        if request.method == "POST" and request.can_read_body:
            if request.content_type == "application/json":
                body = await request.json()
                told |= body if isinstance(body, dict) else {}
            else:
                told |= dict(parse_qsl(await request.text()))
        return told

    def _who(self, parts: list[str], params: Mapping[str, Any], is_hook: bool, method: str) -> str | web.Response:
        """The app that asks, "" for an incoming webhook; or what is said to somebody else."""
        if is_hook:
            if parts[1] != HOOK_CODE or parts[0] not in {str(user) for user in self.portal.users}:
                return self._error("NO_AUTH_FOUND", "Wrong authorization data", 401, method=method)
            return ""
        grant = self.grants.get(str(params.get("auth", "")))
        if grant is None:
            return self._error("NO_AUTH_FOUND", "Wrong authorization data", 401, method=method)
        if grant.until <= self.clock():
            return self._error("expired_token", "The access token provided has expired.", 401, method=method)
        return CLIENT

    def _limited(self, address: str, method: str) -> web.Response | None:
        now = self.clock()
        level, at = self._level.get(address, (0.0, now))
        level = max(level - (now - at) * self.drains, 0.0) + 1
        self._level[address] = level, now
        if level > self.bucket:
            self._level[address] = level - 1, now
            return self._error("QUERY_LIMIT_EXCEEDED", "Too many requests", 503, method=method)
        if self._is_spent(method):
            return self._error(*_SAID["operating"], method=method)
        return None

    def _is_spent(self, method: str) -> bool:
        return self._operating(method)[0] > self.operating_limit

    def _charge(self, method: str) -> None:
        """A method's seconds, also within a batch; who crosses the line is the last."""
        spent = self._spent.setdefault(method.lower(), deque())
        spent.append((int(self.clock() // 60), self.costs.get(method, 0.05)))

    def _operating(self, method: str) -> tuple[float, int]:
        """Seconds that a method took in the last ten minutes, and when the oldest minute of them is forgotten."""
        spent, minute = self._spent.setdefault(method.lower(), deque()), int(self.clock() // 60)
        while spent and spent[0][0] <= minute - 10:
            spent.popleft()
        return sum(seconds for _, seconds in spent), ((spent[0][0] if spent else minute) + 10) * 60

    async def _answer(self, app: str, method: str, params: dict[str, Any]) -> web.Response:
        self._charge(method)
        try:
            return self._told(method, await self._done(app, method, params), params)
        except Refused as refused:
            return self._error(refused.code, refused.text, refused.status, method=method)

    async def _done(self, app: str, method: str, params: dict[str, Any]) -> Any:
        if not app and not self.webhook_may and method.lower().startswith(APP_ONLY):
            raise Refused("Current authorization type is denied for this method", "WRONG_AUTH_TYPE", 403)
        if method.lower() == "batch":
            return self._batch(app, params)
        if params.get("RECORD_URL"):
            params["_fetched"] = await _fetch(params["RECORD_URL"])
        return self.portal.call(method, params, app or "hook")

    def _batch(self, app: str, params: Mapping[str, Any]) -> Any:
        """At most fifty, always 200, and empty maps are lists; each method within is charged for itself."""
        if len(params["cmd"]) > PAGE:
            raise Refused("Max batch length exceeded", "ERROR_BATCH_LENGTH_EXCEEDED")
        results: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        times: dict[str, Any] = {}
        for key, told in params["cmd"].items():
            method, _, query = told.partition("?")
            try:
                if method.lower() == "batch" or method.lower().endswith("attachrecord"):
                    raise Refused("Method is not allowed for batch usage", "ERROR_BATCH_METHOD_NOT_ALLOWED", 405)
                if self._is_spent(method):
                    raise Refused(_SAID["operating"][1], _SAID["operating"][0], 429)
                self._charge(method)
                times[key] = self._time(method)
                results[key] = self.portal.call(method, dict(parse_qsl(query)), app or "hook")
            except Refused as refused:
                errors[key] = {"error": refused.code, "error_description": refused.text}
                if params.get("halt"):
                    break
        totals: dict[str, Any] = {"result_total": [], "result_next": [], "result_time": times or []}
        return {"result": results or [], "result_error": errors or [], **totals}

    def _told(self, method: str, result: Any, params: Mapping[str, Any]) -> web.Response:
        told: dict[str, Any] = {"result": result}
        rows = result.get("items") if isinstance(result, dict) else result
        if isinstance(rows, list) and method.lower().endswith((".get", ".list")):
            start = int(params.get("start", 0))
            page = rows[start : start + PAGE]
            told["result"] = {"items": page} if isinstance(result, dict) else page
            told["total"] = len(rows)
            if start + PAGE < len(rows):
                told["next"] = start + PAGE
        return web.json_response(told | {"time": self._time(method)})

    def _time(self, method: str) -> dict[str, Any]:
        operating, resets_at = self._operating(method)
        now = self.clock()
        return {"start": now, "finish": now, "duration": 0.0, "operating": operating, "operating_reset_at": resets_at}

    def _error(
        self,
        code: str,
        text: str,
        status: int,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "",
        asked_for: bool = False,
    ) -> web.Response:
        """An error of the portal, with the times of its `method`, or of the token server."""
        if not asked_for:
            self.refused.append(f"{code}: {text}")
        told = {"error": code, "error_description": text} | ({"time": self._time(method)} if method else {})
        return web.json_response(told, status=status, headers=headers)

    async def _fail(self, request: web.Request, fault: Fault, method: str) -> web.StreamResponse:
        if fault.how == "expired":
            self.expire()
        if fault.how in _SAID:
            headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
            return self._error(*_SAID[fault.how], headers, method=method, asked_for=True)
        if fault.how == "302":
            return web.Response(status=302, headers={"Location": f"http://127.0.0.1:9{request.path}"})
        if fault.how in {"401_html", "403_html", "502_html", "503_html", "504"}:
            page = "<html><body><h1>nginx</h1></body></html>"
            return web.Response(status=int(fault.how[:3]), text=page, content_type="text/html")
        if fault.how == "cut_body":
            response = web.StreamResponse(headers={"Content-Type": "application/json"})
            response.enable_chunked_encoding()
            await response.prepare(request)
            await response.write(b'{"result":')
        if fault.how == "hang":
            await self.over.wait()
        if request.transport is not None:  # whoever asked may be gone
            request.transport.abort()
        return web.Response(status=500)

    async def upload(self, request: web.Request) -> web.Response:
        """The file of a call by the address that attachRecord gave: a form with the field `file`."""
        known = self.portal.uploads.pop(request.match_info["token"], None)
        form = await request.post()
        file = form.get("file")
        if known is None or not isinstance(file, web.FileField):
            return self._error("ERROR_CORE", "File is not uploaded", 400)
        sound = file.file.read()
        self.requests.append(("upload", {"CALL_ID": known[0]}))
        return web.json_response({"result": keep_record(self.portal, known[0], sound)})

    async def authorize(self, request: web.Request) -> web.Response:
        """GET /oauth/authorize/: the page on which a person lets the application in, who is sent back then."""
        asked = request.query
        if asked.get("client_id") != CLIENT or not asked.get("state") or not self.handler:
            return web.Response(status=404, text="<h1>Application not found</h1>", content_type="text/html")
        back = {
            "code": self.code(), "domain": "portal.bitrix24.ru", "member_id": MEMBER, "scope": "telephony,crm,user",
            "server_domain": "oauth.bitrix.info", "state": asked["state"],
        }  # fmt: skip
        link = escape(str(URL(self.handler) % back))
        page = f'<!doctype html><title>Портал</title><link rel="icon" href="data:,"><a href="{link}">Разрешить</a>'
        return web.Response(text=page, content_type="text/html")

    # The token server

    async def token(self, request: web.Request) -> web.Response:
        """GET /oauth/token/: the code of a browser or a refresh token, each good once."""
        told = dict(request.query)
        self.token_requests.append(told)
        if request.method != "GET":
            return self._error("invalid_request", "GET alone", 400)
        if (told.get("client_id"), told.get("client_secret")) != (CLIENT, CLIENT_SECRET):
            return self._error("invalid_client", "", 400)
        if not self.paid:
            return self._error("PAYMENT_REQUIRED", "", 402)
        match told.get("grant_type"):
            case "authorization_code":
                good = self.codes.pop(told.get("code", ""), 0.0) > self.clock()
            case "refresh_token":
                given = told.get("refresh_token") or "none"
                held = next((one for one in self.grants.values() if one.refresh == given), None)
                good = held is not None
                if held is not None:
                    held.refresh, held.until = "", 0.0
            case _:
                return self._error("invalid_request", "", 400)
        if not good:
            return self._error("invalid_grant", "", 400)
        made = self.grant()
        self.given()
        base = self.renamed_url if self.renamed else self.url
        return web.json_response(
            {
                "access_token": made.access, "refresh_token": made.refresh, "expires_in": self.lasts,
                "expires": int(made.until), "client_endpoint": f"{base}/rest/", "server_endpoint": self.token_url,
                "member_id": MEMBER, "domain": base.removeprefix("http://"), "scope": "telephony,crm,user",
                "status": "L", "user_id": 1,
            }
        )  # fmt: skip


async def _fetch(url: str) -> bytes:
    """As the portal fetches RECORD_URL: it waits for it, and needs exactly 200."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        if answer.status != 200:
            raise Refused(f"Server returns HTTP error code {answer.status}")
        return await answer.read()


@asynccontextmanager
async def open_bitrix24() -> AsyncIterator[Bitrix24]:
    """A portal, its token server, and the address that it has after it was renamed, on free ports of the loopback."""
    server = Bitrix24()
    portal, tokens = web.Application(client_max_size=64 * 2**20), web.Application()
    portal.router.add_route("*", "/rest/{tail:.*}", server.handle)
    portal.router.add_post("/upload/{token}", server.upload)
    portal.router.add_get("/oauth/authorize/", server.authorize)
    tokens.router.add_route("*", "/oauth/token/", server.token)
    runners = [web.AppRunner(app, shutdown_timeout=0.1) for app in (portal, tokens)]
    try:
        for runner, sites in zip(runners, (2, 1), strict=True):
            await runner.setup()
            for _ in range(sites):
                await web.TCPSite(runner, "127.0.0.1", 0).start()
        (server.url, server.renamed_url), (server.token_url,) = (
            [f"http://127.0.0.1:{port}" for _, port in runner.addresses] for runner in runners
        )
        server.portal.base = server.url
        yield server
    finally:
        server.over.set()
        for runner in runners:
            await runner.cleanup()
