"""Those who are told by HTTP, on the loopback and strict: a Telegram-shaped server, and a company's webhook."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, NamedTuple

from aiohttp import web

from notices.signing import verify, write_secret

TOKEN = "123456:a-token-of-tests"
KEY = b"a key of the tests, 32 bytes lon"
SECRET = write_secret(KEY)
CHAT = "77"
_TAGS = {"b", "i", "u", "s", "a", "code", "pre"}

_PNG = b"\x89PNG\r\n\x1a\n"


class _Form(NamedTuple):
    """What a method of the Bot API takes."""

    content_type: str
    fields: set[str]
    text: str
    most: int


_FORMS = {
    "sendMessage": _Form("application/json", {"chat_id", "text", "parse_mode", "link_preview_options"}, "text", 4096),
    "sendPhoto": _Form("multipart/form-data", {"chat_id", "photo", "caption", "parse_mode"}, "caption", 1024),
}

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


def _said(text: str) -> str | None:
    """What a text says without its tags; None where Telegram would not read it."""
    marked = _Marked()
    try:
        marked.feed(text)
        marked.close()
    except ValueError:
        return None
    return None if marked.open else marked.said


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
        """SendMessage, sendPhoto and getMe, as https://core.telegram.org/bots/api has them."""
        method = request.match_info["method"]
        if request.match_info["token"] != f"bot{TOKEN}":
            return await telegram_error(401, "Unauthorized")(request)
        if method == "getMe":
            return web.json_response({"ok": True, "result": {"id": 123456, "is_bot": True, "username": "romashka_bot"}})
        form = _FORMS.get(method)
        if form is None or request.content_type != form.content_type:
            return await telegram_error(404, "Not Found")(request)
        told: Mapping[str, Any] = await request.post() if method == "sendPhoto" else await request.json()
        if set(told) != form.fields or told["parse_mode"] != "HTML":
            return await telegram_error(400, "Bad Request: unknown parameter")(request)
        if int(told["chat_id"]) != int(CHAT):
            return await telegram_error(400, "Bad Request: chat not found")(request)
        said = _said(told[form.text])
        if said is None or not said.strip():
            return await telegram_error(400, "Bad Request: can't parse entities")(request)
        # Telegram counts what is read, in the units of UTF-16.
        if len(said.encode("utf-16-le")) // 2 > form.most:
            return await telegram_error(400, f"Bad Request: message {form.text} is too long")(request)
        photo = told["photo"].file.read() if method == "sendPhoto" else b""
        if photo and not photo.startswith(_PNG):
            return await telegram_error(400, "Bad Request: IMAGE_PROCESS_FAILED")(request)
        usual = web.json_response({"ok": True, "result": {"message_id": len(self.taken) + 1}})
        taken = {"chat": int(told["chat_id"]), "text": said}
        return await self._answer(request, taken | ({"photo": photo} if photo else {}), usual)

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
