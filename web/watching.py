"""Streams of open pages, and their right to go on: who watches, and what they may see, looked at again and again."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final, get_args

from aiohttp import web
from aiohttp_sse import EventSourceResponse
from sqlalchemy.exc import DBAPIError

from web.cards import LiveCall
from web.guard import VIEWER, viewer_of
from web.house import HOUSE
from web.live import BREATH_SECONDS, LIVE, News, Page
from web.rights import Scope, scope_of
from web.sessions import Viewer

CHECK_SECONDS: Final = 30.0
"""How old a right may be, however much happens meanwhile."""

RETRY_MILLISECONDS: Final = 500, 3000
"""When a page asks again after the service ended, each at another time; a browser left to itself may take longer."""

HEARTBEAT_SECONDS: Final = 15.0
"""Proxies close what is silent for longer, most of them after a minute."""


STREAMS_MOST: Final = 20
"""So many streams of one login, or of one link of a screen, are open at a process at once: each is drawn by itself."""

Streams = defaultdict[int | str, set[web.RequestHandler]]
"""Connections of open streams, by login or path. One that is closed counts no more, before its stream ends."""

STREAMS: Final = web.AppKey("streams", Streams)


async def event_stream(
    request: web.Request, watch: Page, tell: Callable[[EventSourceResponse], Awaitable[None]]
) -> web.StreamResponse:
    """Server-sent events until `tell`, which sends them, ends, or the page behind them is gone; then `watch` is closed.

    A comment is their heartbeat. Where the database closed the connection beneath it `tell` begins anew, with all news.
    Raises 429 where whoever asks has too many streams.
    """
    streams, whose = request.app[STREAMS], request[VIEWER].user if VIEWER in request else request.path
    response = EventSourceResponse(ping_interval=HEARTBEAT_SECONDS)
    streams[whose].add(request.protocol)
    try:
        if sum(one.transport is not None for one in streams[whose]) > STREAMS_MOST:
            raise web.HTTPTooManyRequests(text=f"At most {STREAMS_MOST} streams may be open at once.")
        await response.prepare(request)
        async with response:
            while not await _told(tell, response):
                watch.wake_to(*get_args(News))
                await asyncio.sleep(BREATH_SECONDS)
            if request.app[LIVE].closing:
                await response.write(f"retry: {random.randint(*RETRY_MILLISECONDS)}\n\n".encode())
    except ConnectionError:
        pass
    finally:
        request.app[LIVE].close(watch)
        streams[whose].discard(request.protocol)
        if not streams[whose]:
            del streams[whose]
    return response


async def _told(tell: Callable[[EventSourceResponse], Awaitable[None]], response: EventSourceResponse) -> bool:
    """Whether all was told; False: the database closed the connection that it was read by."""
    try:
        await tell(response)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return False
    return True


async def drawn_stream(  # what is drawn, for whom, and how often
    request: web.Request,
    watch: Page,
    drawn: Callable[[], Awaitable[str]],
    stands: Callable[[], Awaitable[bool]],
    *,
    look_seconds: Callable[[], float],
    calm_seconds: float,
) -> web.StreamResponse:
    """What `drawn` gives whenever it changes, for as long as `stands` says.

    It is drawn when `watch` is woken, after `look_seconds` at the latest and every `calm_seconds` at most.
    """
    live = request.app[LIVE]

    async def tell(response: EventSourceResponse) -> None:
        sent = ""
        while response.is_connected() and not live.closing and await stands():
            drawn_at = monotonic()
            text = await drawn()
            if text != sent:
                await response.send(text)
                sent = text
            await watch.wait(look_seconds())
            if not live.closing:
                await asyncio.sleep(max(0.0, drawn_at + calm_seconds - monotonic()))

    return await event_stream(request, watch, tell)


@dataclass
class Right:
    """The viewer of one stream and what they may see, as of the last look."""

    request: web.Request
    viewer: Viewer
    scope: Scope
    _looked_at: float
    _page: Page | None = None

    @classmethod
    async def of(cls, request: web.Request) -> "Right":
        """The right with which the stream begins."""
        viewer = request[VIEWER]
        return cls(request, viewer, scope_of(viewer, await request.app[HOUSE].read()), monotonic())

    @property
    def good_seconds(self) -> float:
        """How long it need not be looked at again."""
        return max(0.0, self._looked_at + CHECK_SECONDS - monotonic())

    async def stands(self) -> bool:
        """Whether the stream may go on; when it is time, cookie or token, role and teams are read anew."""
        if self.good_seconds > 0:
            return True
        viewer = await viewer_of(self.request)
        if viewer is None or viewer.user != self.viewer.user:
            return False
        self.request[VIEWER] = self.viewer = viewer
        self.scope = scope_of(viewer, await self.request.app[HOUSE].read())
        if self._page is not None:
            self.request.app[LIVE].look_anew(self._page)
        self._looked_at = monotonic()
        return True

    def watch(self) -> Page:
        """Begin to watch what concerns the viewer; whoever does closes the page."""
        self._page = self.request.app[LIVE].open(self.concerns, self.viewer.person)
        return self._page

    def concerns(self, call: LiveCall) -> bool:
        """Whether a change of this call may change what the viewer sees."""
        covered = self.scope.covers(call.people, call.line, ended=call.ended_at is not None)
        return covered or self.viewer.person in call.people
