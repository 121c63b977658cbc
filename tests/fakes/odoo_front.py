"""What stands before an Odoo and loses, delays and refuses: before the one in memory, and before a real one.

It keeps Odoo's ways: each connection is closed after its answer, and an error tells its name, message and `debug`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aiohttp import web

Fault = Literal[
    "lost_before", "lost_after", "hangs", "hangs_after", "limit", "away", "refuses", "shut_out", "redirects",
    "serialization", "concurrent", "gateway_after", "crash_after", "limit_now",
]  # fmt: skip
_AFTER: Final = frozenset({"lost_after", "hangs_after", "gateway_after", "crash_after"})


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `named` is its JSON body, empty for none."""

    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    named: dict[str, Any]

    @property
    def writes(self) -> bool:
        """Whether it changes something: all but reading, and `load` of nothing but a name."""
        if self.path == "/jsonrpc":
            call = self.named["params"]["args"]
            if self.named["params"]["service"] != "object":
                return False
            method, told = call[4], call[6]
        else:
            method, told = self.path.rpartition("/")[2], self.named
        reading = {"version", "context_get", "has_access", "search_read", "read", "fields_get"}
        return method not in reading and (method != "load" or told.get("fields") != ["id"])


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer."""

    status: int
    body: bytes
    kind: str = "application/json; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def failed(status: int, name: str, message: str) -> Answered:
    """An error as Odoo tells it."""
    told = {"name": name, "message": message, "arguments": [message], "context": {}}
    return Answered(status, json.dumps(told | {"debug": f"Traceback (most recent call last):\n{message}"}).encode())


_SAID: Final[dict[str, Answered]] = {
    "limit": Answered(429, b"slow down", "text/plain", {"Retry-After": "7"}),
    "away": Answered(503, b"<html>maintenance</html>", "text/html"),
    "refuses": failed(422, "odoo.exceptions.ValidationError", "Missing required value for the field 'Name' (name)."),
    "shut_out": failed(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey"),
    "redirects": Answered(307, b"", "text/html", {"Location": "http://127.0.0.1:9/"}),
    "serialization": failed(
        500, "psycopg2.errors.SerializationFailure", "could not serialize access due to concurrent update"
    ),
    "concurrent": Answered(
        200,
        json.dumps(
            {
                "ids": False,
                "messages": [{"type": "error", "message": "could not serialize access due to concurrent update\n"}],
                "nextrow": 0,
            }
        ).encode(),
    ),
    "gateway_after": Answered(504, b"<html>gateway timeout</html>", "text/html"),
    "limit_now": Answered(429, b"slow down", "text/plain", {"Retry-After": "0"}),
    "crash_after": Answered(500, b"<html>Internal Server Error</html>", "text/html"),
}


@dataclass
class Front:
    """`behind` answers; `script` says for each writing request, given how many there were, what goes wrong with it.

    `looks_fail` says it for each that only looks, `load` of nothing but a name among them.
    `refused` is what `behind` found wrong with what it was asked, by itself.
    """

    behind: Callable[[Asked], Awaitable[Answered]]
    script: Callable[[int, Asked], Fault | None] = lambda _count, _asked: None
    looks_fail: Callable[[Asked], Fault | None] = lambda _asked: None
    url: str = ""
    count: int = 0
    hangs_next: bool = False
    asked: list[Asked] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def fail(self, fault: Fault) -> None:
        """Let the next request that writes go wrong so, or hang the next one of all; those after it go well."""
        if fault == "hangs":
            self.hangs_next = True
            return
        at = self.count + 1
        self.script = lambda count, _asked: fault if count == at else None

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        try:
            named = json.loads(raw) if raw else {}
        except ValueError:
            named = {}
        asked = Asked(
            request.method, request.path, dict(request.headers), raw, named if isinstance(named, dict) else {}
        )
        self.asked.append(asked)
        fault: Fault | None = None
        if request.method == "POST" and asked.writes:
            self.count += 1
            fault = self.script(self.count, asked)
        elif request.method == "POST":
            fault = self.looks_fail(asked)
        if fault == "concurrent" and not request.path.endswith("/load"):
            fault = "serialization"
        if self.hangs_next:
            self.hangs_next, fault = False, "hangs"
        answer = await self.behind(asked) if fault is None or fault in _AFTER else None
        if answer is not None and _is_refusal(asked, answer):
            self.refused.append(f"{asked.path}: {answer.status} {answer.body[:300]!r}")
        if fault is not None:
            answer = _SAID.get(fault)
        if fault in {"hangs", "hangs_after"}:
            await self.over.wait()
        if answer is None:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        response = web.Response(status=answer.status, body=answer.body, headers=answer.headers)
        response.headers["Content-Type"] = answer.kind
        response.force_close()
        return response


def _is_refusal(asked: Asked, answer: Answered) -> bool:
    """Whether what was asked was wrong: not a look for what may not be there, nor two who wrote the same at once."""
    if any(word in answer.body for word in (b"concurrent", b"Only administrators can modify")):
        return False
    return answer.status != 200 or (asked.writes and b'"ids": false' in answer.body)


@asynccontextmanager
async def open_front(behind: Callable[[Asked], Awaitable[Answered]]) -> AsyncIterator[Front]:
    """On a free port of the loopback."""
    front = Front(behind)
    app = web.Application(client_max_size=2**27)
    app.router.add_route("*", "/{path:.*}", front.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield front
    finally:
        front.over.set()
        await runner.cleanup()
