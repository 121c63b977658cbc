"""A proxy on loopback in front of a real Asterisk's manager port, which does to the connection what networks do."""

import asyncio
import contextlib
import ssl
from types import TracebackType
from typing import Self

_END = b"\r\n\r\n"


class AmiProxy:
    """Forwards every connection to the PBX, and cuts, delays, swallows, holds or drops it when told to.

    `writes` is what the client wrote, one item a read of ours; `connections` counts the clients that came.
    """

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self.writes: list[bytes] = []
        self.connections = 0
        self.piece_bytes = 0  # > 0: the client gets pieces of this size, each in a read of its own
        self.delay_seconds = 0.0  # how long the PBX's words travel
        self.swallow = b""  # messages of the PBX with these bytes in them never arrive
        self.close_at_once = False  # take the client and close it without a word
        self._target = (host, port)
        self._tls = tls
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._held: dict[asyncio.StreamWriter, bytes] = {}
        self._injected: dict[asyncio.StreamWriter, list[bytes]] = {}
        self._midway: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.refuse()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def listen(self) -> None:
        """Take clients (again), always at the same port."""
        self._server = await asyncio.start_server(self._client, self.host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Take no more clients and drop those that are here, as a PBX that is away."""
        if self._server is not None:
            self._server.close()
            self.drop()
            await self._server.wait_closed()
            self._server = None

    def drop(self) -> None:
        """Break every connection."""
        for writer in self._open:
            writer.transport.abort()

    def hang(self) -> None:
        """Keep the connections, take what the client writes, and let nothing through any more."""
        self._flowing.clear()

    def resume(self) -> None:
        """Let everything through again, also what was held."""
        self._flowing.set()
        for writer, held in self._held.items():
            writer.write(held)
        self._held.clear()

    def inject(self, data: bytes) -> None:
        """Write to every client what the PBX never said, between two of its messages: it writes an answer in pieces."""
        for writer, injected in self._injected.items():
            injected.append(data)
            self._write_injected(writer)

    def _write_injected(self, writer: asyncio.StreamWriter) -> None:
        if writer not in self._midway:
            writer.write(b"".join(self._injected[writer]))
            self._injected[writer].clear()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        if self.close_at_once:
            writer.close()
            return
        try:
            up_reader, up_writer = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, up_writer}
        self._injected[writer] = []
        with contextlib.suppress(ConnectionError):
            await asyncio.wait(
                {
                    asyncio.create_task(self._upwards(reader, up_writer)),
                    asyncio.create_task(self._downwards(up_reader, writer)),
                },
                return_when=asyncio.FIRST_COMPLETED,
            )
        for one in (writer, up_writer):
            one.transport.abort()
            self._open.discard(one)
            self._held.pop(one, None)
            self._injected.pop(one, None)
            self._midway.discard(one)

    async def _upwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self.writes.append(data)
                if self._flowing.is_set():
                    writer.write(data)
                else:
                    self._held[writer] = self._held.get(writer, b"") + data

    async def _downwards(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        rest = b""
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                await self._flowing.wait()
                if self.swallow:
                    *messages, rest = (rest + data).split(_END)
                    data = b"".join(message + _END for message in messages if self.swallow not in message)
                else:
                    data, rest = rest + data, b""
                await asyncio.sleep(self.delay_seconds)
                for first in range(0, len(data), self.piece_bytes or len(data) or 1):
                    writer.write(data[first : first + (self.piece_bytes or len(data))])
                    await asyncio.sleep(0)  # the client, in the same loop, reads this piece first
                    await asyncio.sleep(0)
                if data.endswith(_END):
                    self._midway.discard(writer)
                elif data:
                    self._midway.add(writer)
                self._write_injected(writer)
