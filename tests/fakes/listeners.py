"""Those who are told by HTTP, on the loopback and strict: a Telegram-shaped server, and a company's webhook."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from aiohttp import web

from notices.signing import verify, write_secret

TOKEN = "123456:a-token-of-tests"
KEY = b"a key of the tests, 32 bytes lon"
SECRET = write_secret(KEY)
CHAT = "77"
_TAGS = {"b", "i", "u", "s", "a", "code", "pre"}

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Close the connection without a word."""
    assert request.transport is not None
    request.transport.close()
    return web.Response()


def says(status: int, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> Answer:
    """This answer, whatever was asked."""

    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.json_response(body or {}, status=status, headers=headers)

    return answer


def telegram_error(code: int, description: str, **parameters: int) -> Answer:
    """An error as the Bot API writes it."""
    told = {"ok": False, "error_code": code, "description": description}
    return says(code, told | ({"parameters": parameters} if parameters else {}))


class _Marked(HTMLParser):
    """Reads a text as Telegram does: known tags, each closed, and what it says without them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.said = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise ValueError(tag)
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            raise ValueError(tag)

    def handle_data(self, data: str) -> None:
        self.said += data


@dataclass
class Listener:
    """`taken` is what arrived and was right; `answers` are given in place of the usual one, one a request."""

    url: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    asked: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def _answer(self, request: web.Request, told: dict[str, Any], usual: web.Response) -> web.StreamResponse:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else None
        response = await answer(request) if answer else usual
        if answer is hang_up or response.status == 200:
            self.taken.append(told)
            self.arrived.set()
        return response

    async def telegram(self, request: web.Request) -> web.StreamResponse:
        """SendMessage and getMe, as https://core.telegram.org/bots/api has them."""
        if request.match_info["token"] != f"bot{TOKEN}":
            return await telegram_error(401, "Unauthorized")(request)
        told = json.loads(await request.text())
        if request.match_info["method"] == "getMe":
            return web.json_response({"ok": True, "result": {"id": 123456, "is_bot": True, "username": "romashka_bot"}})
        if request.match_info["method"] != "sendMessage" or request.content_type != "application/json":
            return await telegram_error(404, "Not Found")(request)
        if set(told) != {"chat_id", "text", "parse_mode", "link_preview_options"} or told["parse_mode"] != "HTML":
            return await telegram_error(400, "Bad Request: unknown parameter")(request)
        if told["chat_id"] != int(CHAT):
            return await telegram_error(400, "Bad Request: chat not found")(request)
        marked = _Marked()
        try:
            marked.feed(told["text"])
            marked.close()
        except ValueError:
            return await telegram_error(400, "Bad Request: can't parse entities")(request)
        if marked.open or not marked.said.strip() or len(marked.said) > 4096:
            return await telegram_error(400, "Bad Request: can't parse entities")(request)
        usual = web.json_response({"ok": True, "result": {"message_id": len(self.taken) + 1}})
        return await self._answer(request, {"chat": told["chat_id"], "text": marked.said}, usual)

    async def webhook(self, request: web.Request) -> web.StreamResponse:
        """Take what is signed, and nothing else."""
        body = await request.read()
        told = {name.lower(): value for name, value in request.headers.items()}
        message_id = verify([KEY], told, body, int(time.time()))
        return await self._answer(request, {"id": message_id, **json.loads(body)}, web.Response())


@asynccontextmanager
async def open_listener(path: str, method: str) -> AsyncIterator[Listener]:
    """A listener on a free port of the loopback."""
    listener, app = Listener(), web.Application()
    app.router.add_post(path, getattr(listener, method))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield listener
    finally:
        await runner.cleanup()
