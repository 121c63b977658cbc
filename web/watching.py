"""A stream's right to go on: who watches, and what they may see, looked at again and again."""

from dataclasses import dataclass
from time import monotonic
from typing import Final

from aiohttp import web
from aiohttp_sse import EventSourceResponse

from web.cards import LiveCall
from web.guard import VIEWER, viewer_of
from web.house import HOUSE
from web.live import LIVE, Page
from web.rights import Scope, scope_of
from web.sessions import Viewer

CHECK_SECONDS: Final = 30.0
"""How old a right may be, however much happens meanwhile."""

HEARTBEAT_SECONDS: Final = 15.0
"""Proxies close what is silent for longer, most of them after a minute."""


def event_stream() -> EventSourceResponse:
    """A stream of server-sent events, with a comment as its heartbeat."""
    return EventSourceResponse(ping_interval=HEARTBEAT_SECONDS)


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
