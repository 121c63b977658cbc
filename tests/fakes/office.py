"""A link in operation against a PBX behind a proxy, and what it delivered."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from service.pbx import Pbx
from telephony.link import Link
from telephony.pbx import LinkSettings, Message
from tests.fakes.ami_proxy import AmiProxy

QUICK: dict[str, Any] = {
    "boot_seconds": 1.0,
    "ping_seconds": 0.1,
    "ping_deadline_seconds": 0.5,
    "heartbeat_seconds": 0.1,
    "backoff_first_seconds": 0.05,
    "backoff_most_seconds": 0.2,
    "login_retry_seconds": 0.2,
}


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something to become true; fail when it does not."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.005)


class Office:
    """A link in operation, and what it delivered."""

    def __init__(self, pbx: Pbx, proxy: AmiProxy, **changed: Any) -> None:
        self.heard: list[Message] = []
        self.deliver: Callable[[Message], None] = self.heard.append
        settings = QUICK | {"secret": pbx.ami_secret, "username": pbx.ami_username, "port": proxy.port} | changed
        self.link = Link(LinkSettings("main", **settings), self._take)

    def _take(self, message: Message) -> None:
        self.deliver(message)

    def texts(self) -> list[str]:
        return [str(message.get("Text")) for message in self.heard if message.get("UserEvent") == "Test"]

    async def say(self, *texts: str) -> None:
        """Have the PBX raise an event with each text."""
        await self.link.actions([{"Action": "UserEvent", "UserEvent": "Test", "Text": text} for text in texts])


@asynccontextmanager
async def working(office: Office, *, connected: bool = True) -> AsyncIterator[Link]:
    running = asyncio.create_task(office.link.run())
    try:
        if connected:
            await until(lambda: office.link.state.connected)
        yield office.link
    finally:
        office.link.close()
        await asyncio.wait_for(running, 30)
