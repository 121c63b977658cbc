"""Wishes of holding callers to be called back: confirmed to them only when they are in the record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from telephony import hand_over
from telephony.link import Link

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Stored = Callable[[], Awaitable[bool]]
"""Waits until what the PBX has told so far is in the record, and tells whether it is."""

_SECONDS: Final = 10.0
"""A wish that is not in the record by then is not confirmed; the caller goes on holding, and may wish again."""


class Wishes:
    """The wishes at one PBX that are being written, by uniqueid: who has one is sent to nobody meanwhile."""

    def __init__(self, link: Link, stored: Stored) -> None:
        self._link = link
        self._stored = stored
        self._open: set[str] = set()

    def __contains__(self, channel: str) -> bool:
        return channel in self._open

    def open(self, channel: str) -> bool:
        """Begin one; False where it was begun before."""
        known = channel in self._open
        self._open.add(channel)
        return not known

    async def confirm(self, channel: str, name: str) -> None:
        """Confirm a wish, just told, once it is in the record; else its caller goes on holding."""
        try:
            outcome = await hand_over.keep(self._link, name) if await self._in_the_record() else None
        finally:
            self._open.discard(channel)
        if outcome is None or outcome.kind != "sent":
            why = outcome.kind if outcome else "not in the record"
            log.warning("a wish to be called back was not confirmed", pbx=self._link.settings.name, why=why)

    async def _in_the_record(self) -> bool:
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._stored()
        except TimeoutError:
            return False
