"""Steers the outside Asterisk through its manager interface; the service's own PBX link is another thing."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Message = dict[str, str]


class Manager:
    """One connection; every event goes to `on_event` in order."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, on_event: Callable[[Message], None]
    ) -> None:
        """Take over an open connection; use `connect`."""
        self._reader = reader
        self._writer = writer
        self._on_event = on_event
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Message]] = {}
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, port: int, username: str, secret: str, on_event: Callable[[Message], None]) -> Self:
        """Connect to 127.0.0.1 and log in. Raises OSError, or ConnectionError when the login is refused."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readuntil(b"\r\n")  # Asterisk Call Manager/x.y.z
        manager = cls(reader, writer, on_event)
        answer = await manager.action({"Action": "Login", "Username": username, "Secret": secret})
        if answer.get("Response") != "Success":
            await manager.close()
            raise ConnectionError(answer.get("Message", "login refused"))
        return manager

    async def action(self, fields: Mapping[str, str], *, variables: Mapping[str, str] | None = None) -> Message:
        """Send one action and return its response. Raises ConnectionError when the connection ends first."""
        number = str(next(self._numbers))
        lines = [*fields.items(), ("ActionID", number)]
        lines += [("Variable", f"{name}={value}") for name, value in (variables or {}).items()]
        future: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        self._writer.write("".join(f"{name}: {value}\r\n" for name, value in lines).encode() + b"\r\n")
        await self._writer.drain()
        return await future

    async def close(self) -> None:
        """End the connection."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> None:
        try:
            while True:
                block = (await self._reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
                pairs = (line.partition(": ") for line in block.split("\r\n") if line)
                message = {name: value for name, _, value in pairs}
                if "Event" not in message:
                    future = self._waiting.pop(message.get("ActionID", ""), None)
                    # Whoever asked may have been cancelled meanwhile.
                    if future is not None and not future.done():
                        future.set_result(message)
                else:
                    self._on_event(message)
        except (asyncio.IncompleteReadError, OSError):
            return
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionError("the outside Asterisk ended the connection"))
