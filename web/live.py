"""What happens now, for every open page of this process: one listener on the database, one set of live calls.

Losing it costs nothing: it is read again from the rows at start, after a lost connection, and for every notice.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from time import monotonic
from typing import Final, Literal, get_args
from uuid import UUID

import structlog
from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls import claims
from calls import help as help_asked
from calls.database import listening
from calls.record import CHANNEL
from crm_sync.book import leads as lead_book
from crm_sync.book import outcomes
from directory import presence_store
from notices import telling
from telephony import devices
from web.background import read_background, read_live
from web.cards import Background, LiveCall
from web.house import House

RETRY_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
SWEEP_SECONDS: Final = 30.0
BREATH_SECONDS: Final = 0.1
"""A page that was woken looks again after so long at the earliest: what happens meanwhile is one change for it."""

News = Literal["presence", "notices", "own", "today"]
"""What else a page is told: presence changed; its person was told something, or has read it; something was written or
told on a card of theirs; calls may have ended unheard.
"""

_log = structlog.get_logger(__name__)


@dataclass(eq=False)
class Page:
    """One open page: woken when a call it may care about changed, or the presence of `person`, whose page it is.

    With `promises` also when a promise to call back did, with `leads` when a lead did; with `everybody` when presence
    or a device of anybody did.
    `noticed_at` is the monotonic time of the notice; `calls` are those of now that concern it.
    """

    concerns: Callable[[LiveCall], bool]
    person: str | None = None
    promises: bool = False
    everybody: bool = False
    leads: bool = False
    news: set[News] = field(default_factory=set)
    noticed_at: float | None = None
    changed: set[UUID] = field(default_factory=set)
    calls: dict[UUID, LiveCall] = field(default_factory=dict)
    _looked_at: float = float("-inf")
    _woken: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self, ids: Iterable[UUID], noticed_at: float | None) -> None:
        """Something changed; several changes before the page looks are one."""
        self.changed.update(ids)
        self.noticed_at = self.noticed_at or noticed_at
        self._woken.set()

    def wake_to(self, *news: News) -> None:
        """Something else of the page changed."""
        self.news.update(news)
        self._woken.set()

    def take(self, news: News) -> bool:
        """Whether that changed since this was asked last."""
        changed = news in self.news
        self.news.discard(news)
        return changed

    async def wait(self, seconds: float) -> tuple[frozenset[UUID], float | None]:
        """Wait for a change, at most so long; returns what changed since the last wait and when it was noticed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        await asyncio.sleep(max(0.0, self._looked_at + BREATH_SECONDS - monotonic()))
        self._looked_at = monotonic()
        self._woken.clear()
        changed, noticed_at = frozenset(self.changed), self.noticed_at
        self.changed.clear()
        self.noticed_at = None
        return changed, noticed_at


class Live:
    """The live calls of this process and the pages that watch them."""

    def __init__(self, engine: AsyncEngine, house: House) -> None:
        self.calls: dict[UUID, LiveCall] = {}
        self.connected = False
        self.closing = False
        self._engine = engine
        self._house = house
        self._pages: set[Page] = set()
        self._noticed: dict[UUID, float] = {}
        self._wake = asyncio.Event()

    def open(
        self,
        concerns: Callable[[LiveCall], bool],
        person: str | None = None,
        *,
        promises: bool = False,
        everybody: bool = False,
        leads: bool = False,
    ) -> Page:
        """Begin to watch calls for which `concerns` holds before or after a change, and the presence of `person`.

        With `promises`, to call back, those too; with `leads` those; with `everybody` the presence and devices of all.
        """
        page = Page(concerns, person, promises, everybody, leads)
        self.look_anew(page)
        self._pages.add(page)
        return page

    def look_anew(self, page: Page) -> None:
        """Find the calls that concern the page, which are others once its viewer has other rights."""
        page.calls = {id_: call for id_, call in self.calls.items() if page.concerns(call)}

    def close(self, page: Page) -> None:
        """Watch no more."""
        self._pages.discard(page)

    def stop(self) -> None:
        """Let every page go, for the service ends."""
        self.closing = True
        for page in self._pages:
            page.wake((), None)

    async def run(self) -> None:
        """Listen until cancelled; a lost database is tried again, and then everything is read anew."""
        failures = 0
        while True:
            try:
                await self._listen()
                failures = 0
            except Exception as error:  # noqa: BLE001 - drivers raise their own; whatever it was, listening goes on
                _log.warning("live calls are not heard", error=type(error).__name__)
            self.connected = False
            await asyncio.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
            failures += 1

    async def _listen(self) -> None:
        lost = False

        def gone() -> None:
            nonlocal lost
            lost = True
            self._wake.set()

        told = {
            CHANNEL: self._notice,
            help_asked.CHANNEL: self._notice,
            presence_store.CHANNEL: self._notice_presence,
            devices.CHANNEL: self._notice_device,
            telling.CHANNEL: self._notice_told,
            outcomes.CHANNEL: self._notice_own,
            claims.CHANNEL: self._notice_promise,
            lead_book.CHANNEL: self._notice_lead,
        }
        async with listening(self._engine, told, gone) as connection:
            await self._house.read()
            await self._reread(connection)
            self.connected = True
            while not lost:
                await self._step(connection)

    def _notice(self, payload: str) -> None:
        with suppress(ValueError):
            self._noticed.setdefault(UUID(payload), monotonic())
            self._wake.set()

    def _notice_presence(self, payload: str) -> None:
        for page in self._pages:
            if page.everybody or page.person == payload:
                page.wake_to("presence")

    def _notice_device(self, _payload: str) -> None:
        for page in self._pages:
            if page.everybody:
                page.wake_to("presence")

    def _notice_told(self, payload: str) -> None:
        for page in self._pages:
            if page.person == payload:
                page.wake_to("notices")

    def _notice_own(self, payload: str) -> None:
        for page in self._pages:
            if page.person == payload:
                page.wake_to("own")

    def _notice_promise(self, _payload: str) -> None:
        for page in self._pages:
            if page.promises:
                page.wake((), None)

    def _notice_lead(self, _payload: str) -> None:
        for page in self._pages:
            if page.leads:
                page.wake((), None)

    async def _step(self, reader: AsyncConnection) -> None:
        """Wait for notices and read what they name; all that come together are one reading."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SWEEP_SECONDS):
                await self._wake.wait()
        self._wake.clear()
        noticed, self._noticed = self._noticed, {}
        if noticed:
            await self._read(reader, list(noticed), min(noticed.values()))
        self._sweep()

    async def _reread(self, reader: AsyncConnection) -> None:
        before, self.calls = self.calls, await self._with_backgrounds(reader, await read_live(reader), {})
        for page in self._pages:  # nobody knows what was told meanwhile
            self.look_anew(page)
            page.wake_to(*get_args(News))
        self._tell([*before.values(), *self.calls.values()], None)

    async def _read(self, reader: AsyncConnection, ids: list[UUID], noticed_at: float) -> None:
        before = [self.calls[id_] for id_ in ids if id_ in self.calls]
        known = {(call.id, call.number): call.background for call in before}
        fresh = await self._with_backgrounds(reader, await read_live(reader, ids), known)
        # In one go, so that no page is drawn while a call is neither old nor new; a call that joined another is gone.
        asked = set(ids)
        self.calls = {id_: call for id_, call in self.calls.items() if id_ not in asked} | fresh
        self._sweep()
        self._tell([*before, *fresh.values()], noticed_at)

    async def _with_backgrounds(
        self, reader: AsyncConnection, calls: list[LiveCall], known: Mapping[tuple[UUID, str | None], Background]
    ) -> dict[UUID, LiveCall]:
        """The calls with what is known of who calls, by the reader alone: nobody who asks for a page is waited for."""
        directory, told = self._house.known, {}
        for call in calls:
            # Of what is over only a missed call is still shown with who called.
            background = None if call.status == "missed" else known.get((call.id, call.number))
            background = background or await read_background(reader, call, directory)
            told[call.id] = replace(call, background=background)
        return told

    def _sweep(self) -> None:
        now = datetime.now(UTC)
        over = [id_ for id_, call in self.calls.items() if call.over_at and call.over_at <= now]
        for id_ in over:
            del self.calls[id_]
            for page in self._pages:
                page.calls.pop(id_, None)

    def _tell(self, calls: list[LiveCall], noticed_at: float | None) -> None:
        for page in self._pages:
            concerned = {call.id for call in calls if page.concerns(call)}
            for id_ in concerned:
                now = self.calls.get(id_)
                if now is not None and page.concerns(now):
                    page.calls[id_] = now
                else:
                    page.calls.pop(id_, None)
            if concerned:
                page.wake(concerned, noticed_at)


LIVE: Final = web.AppKey("live", Live)
