"""What recovers calls goes on after whatever it meets in a PBX's words: the service's other work hangs on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.events import Event
from service import recovery
from service.recorder import Recorder
from service.recovery import Recovery
from telephony.buffer import EventBuffer
from telephony.cel_file import Row
from telephony.link import Link
from telephony.pbx import LinkSettings


class Broken:
    """CEL that nobody foresaw: its reading fails with an error that is no fault of files or databases."""

    def __init__(self) -> None:
        self.read_twice = asyncio.Event()
        self._count = 0

    async def rows(self, since: datetime, until: datetime) -> AsyncIterator[list[Row]]:
        self._count += 1
        if self._count > 1:
            self.read_twice.set()
        if since < until:
            raise ValueError("what nobody foresaw")
        yield []


async def test_an_unforeseen_error_in_cel_ends_nothing(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said and tried again; raised further it would end the telephony of all PBXs."""
    monkeypatch.setattr(recovery, "_AGAIN_SECONDS", 0.05)
    link, source, buffer = Link(LinkSettings("pbx"), lambda _message: None), Broken(), EventBuffer[Event]()
    watch = Recovery(link, Recorder(engine, owe_nothing, lambda _change: None), buffer, source)
    for hook in link.on_connect:
        await hook(link)
    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(watch.run())
        await source.read_twice.wait()
        running.cancel()
