"""A receiver of webhooks on the loopback, as strict as the specification, that answers by a script.

It refuses (400) a signature that does not fit the raw body, a timestamp more than five minutes off, a body that is not
of the form, and an id that it had with another body. What it accepts it writes down; the same again it acknowledges
and does not write down twice.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

KEY = b"a-key-of-tests-of-32-bytes-long!"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PATH = "/hook"
TOLERANCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Said:
    """How to answer one request. `takes`: the message is written down first, whatever is answered then.

    `cut`: the connection ends without an answer; `hang`: none comes until the test is over.
    """

    status: int = 200
    takes: bool | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"ok"
    cut: bool = False
    hang: bool = False

    @property
    def commits(self) -> bool:
        """Whether the receiver did what it was asked to."""
        return 200 <= self.status < 300 and not (self.cut or self.hang) if self.takes is None else self.takes


OK = Said()


@dataclass
class Receiver:
    """`script` answers each request that is well-formed, given how many there were; `taken` are bodies by id.

    `meanwhile` happens after a message was taken and before it is answered.
    """

    url: str = ""
    script: Callable[[int, dict[str, Any]], Said] = lambda _count, _told: OK
    meanwhile: Callable[[], Awaitable[None]] | None = None
    keys: tuple[bytes, ...] = (KEY,)
    taken: dict[str, bytes] = field(default_factory=dict)
    order: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    clock: Callable[[], float] = time.time
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        wrong = self._wrong(request, raw)
        if wrong:
            self.refused.append(wrong)
            return web.Response(status=400, text=wrong)
        told = json.loads(raw)
        self.requests.append(told)
        said = self.script(len(self.requests), told)
        if said.commits and request.headers["webhook-id"] not in self.taken:
            self.taken[request.headers["webhook-id"]] = raw
            self.order.append(told)
        if self.meanwhile is not None:
            await self.meanwhile()
        if said.hang:
            await self.over.wait()
        if (said.cut or said.hang) and request.transport is not None:  # who waited in vain has gone
            request.transport.abort()
        return web.Response(status=said.status, body=said.body, headers=said.headers)

    def _wrong(self, request: web.Request, raw: bytes) -> str:
        try:
            message, at = request.headers["webhook-id"], int(request.headers["webhook-timestamp"])
            told = [part.split(",", 1) for part in request.headers["webhook-signature"].split(" ")]
            body = json.loads(raw)
        except (KeyError, ValueError) as error:
            return f"not a webhook: {error!r}"
        if "." in message or request.content_type != "application/json":
            return "not as the specification says"
        signed = f"{message}.{at}.".encode() + raw
        good = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in self.keys]
        if not any(version == "v1" and hmac.compare_digest(mac, one) for version, mac in told for one in good):
            return "the signature does not fit"
        if abs(self.clock() - at) > TOLERANCE_SECONDS:
            return "the timestamp is off"
        if set(body) != {"type", "timestamp", "data"} or len(raw) > 20_000:
            return "the body is not of the form"
        if self.taken.get(message, raw) != raw:
            return "the id was used with another body"
        return ""

    def types(self) -> list[str]:
        """The types of what was taken, in order."""
        return [told["type"] for told in self.order]


@asynccontextmanager
async def open_receiver() -> AsyncIterator[Receiver]:
    """A receiver on a free port of the loopback."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post(PATH, receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    try:
        yield receiver
    finally:
        receiver.over.set()
        await runner.cleanup()
