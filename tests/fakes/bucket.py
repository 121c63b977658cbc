"""A real S3-compatible server of this machine (nanio), which checks signatures, and a way to it that can be cut."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

from recordings.store import Bucket
from service.children import die_with_parent
from service.ports import free_port

KEY, SECRET, NAME = "switchhook", "a-secret-of-the-tests", "recordings"


@contextmanager
def serving(folder: Path) -> Iterator[Bucket]:
    """The server with one empty bucket, as the settings name it; its objects lie as files under `folder`."""
    (folder / NAME).mkdir(parents=True)
    port = free_port()
    told = {"NANIO_ACCESS_KEY": KEY, "NANIO_SECRET_KEY": SECRET, "NANIO_DATA_DIR": str(folder)}
    server = subprocess.Popen(
        [sys.executable, "-m", "nanio", "serve", "--host", "127.0.0.1", "--port", str(port), "--log-level", "error"],
        env={**os.environ, **told},
        preexec_fn=die_with_parent,  # noqa: PLW1509 one call of prctl
    )
    try:
        _await(port)
        yield Bucket(NAME, KEY, SECRET, endpoint=f"http://127.0.0.1:{port}")
    finally:
        server.terminate()
        server.wait(10)


def _await(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            connection.getresponse()
            connection.close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


ELSEWHERE = (
    "<Error><Code>AuthorizationHeaderMalformed</Code><Message>The authorization header is malformed;"
    " the region is wrong; expecting '{region}'</Message><Region>{region}</Region></Error>"
)
"""What Amazon answers to who signs for another region than the bucket's; nanio takes any."""


@dataclass
class Way:
    """A TCP way to the server that breaks each connection after `breaks_after` bytes of what the client sent.

    With a `region` it refuses, as Amazon does, whoever signs for another.
    """

    target: int
    breaks_after: int | None = None
    region: str | None = None
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = b""
        if self.region is not None:
            with suppress(asyncio.IncompleteReadError):  # who only tries whether there is a way says nothing
                head = await reader.readuntil(b"\r\n\r\n")
            if f"/{self.region}/s3/aws4_request".encode() not in head:
                told = ELSEWHERE.format(region=self.region).encode()
                writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(told), told))
                writer.close()
                return
        there, back = await asyncio.open_connection("127.0.0.1", self.target)
        back.write(head)
        answers = asyncio.ensure_future(self._pass(there, writer, None))
        self._tasks.add(answers)
        await self._pass(reader, back, self.breaks_after)
        answers.cancel()
        for one in (writer, back):
            one.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int | None) -> None:
        passed = 0
        with suppress(ConnectionError):
            while block := await source.read(65536):
                passed += len(block)
                if most is not None and passed > most:
                    return
                sink.write(block)
                await sink.drain()
