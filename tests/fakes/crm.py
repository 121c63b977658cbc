"""A CRM on the loopback that answers who owns a number: as it should, late, never, with an error, or with garbage."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

TOKEN = "a-token-of-tests"
PATH = "/owner"

Answer = Callable[[], Awaitable[web.StreamResponse]]


@dataclass
class Crm:
    """`owners` by number; `answer` replaces its usual answer; `asked` are the numbers it was asked for."""

    url: str = ""
    owners: dict[str, str] = field(default_factory=dict)
    answer: Answer | None = None
    asked: list[str] = field(default_factory=list)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def late(self) -> web.StreamResponse:
        """The usual answer, but not before `go_on` is set."""
        await self.go_on.wait()
        return self._owner()

    async def never(self) -> web.StreamResponse:
        """No answer at all."""
        await asyncio.Event().wait()
        raise AssertionError

    def _owner(self) -> web.Response:
        return web.json_response({"owner": self.owners.get(self.asked[-1])})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Strict: whoever asks otherwise than as the docs say fails."""
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "who are you?"}, status=401)
        body = json.loads(await request.text())
        if request.content_type != "application/json" or set(body) != {"number"}:
            return web.json_response({"error": "what do you want?"}, status=400)
        if not re.fullmatch(r"[0-9]{7,15}", body["number"]):
            return web.json_response({"error": "that is no number"}, status=422)
        self.asked.append(body["number"])
        response = await self.answer() if self.answer else self._owner()
        self.answered.set()
        return response


def says(body: bytes, *, status: int = 200, kind: str = "application/json", **headers: str) -> Answer:
    """This answer, whatever it is."""

    async def answer() -> web.StreamResponse:
        return web.Response(body=body, status=status, content_type=kind, headers=headers)

    return answer


@asynccontextmanager
async def open_crm() -> AsyncIterator[Crm]:
    """A CRM on a free port of the loopback."""
    crm = Crm()
    app = web.Application()
    app.router.add_post(PATH, crm.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    crm.url = f"http://127.0.0.1:{runner.addresses[0][1]}{PATH}"
    try:
        yield crm
    finally:
        await runner.cleanup()
