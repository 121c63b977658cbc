"""A way for datagrams to somebody on the loopback that can be cut: what comes while it is cut is lost, either way."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self


class UdpRelay:
    """Whoever sends to `port` reaches `target`, and is reached by its answers: the last sender is the one meant."""

    def __init__(self, target: int) -> None:
        """`target`: a port on 127.0.0.1; nobody needs to listen there yet."""
        self._target = ("127.0.0.1", target)
        self._near, self._far = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._sender: tuple[str, int] | None = None
        self._is_cut = False
        for side in (self._near, self._far):
            side.setblocking(False)
            side.bind(("127.0.0.1", 0))
        self.port: int = self._near.getsockname()[1]

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._near, self._forth)
        loop.add_reader(self._far, self._back)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for side in (self._near, self._far):
            asyncio.get_running_loop().remove_reader(side)
            side.close()

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing comes through while the body runs."""
        self._is_cut = True
        try:
            yield
        finally:
            self._is_cut = False

    def _forth(self) -> None:
        said, self._sender = self._near.recvfrom(65536)
        if not self._is_cut:
            self._far.sendto(said, self._target)

    def _back(self) -> None:
        said = self._far.recv(65536)
        if not self._is_cut and self._sender is not None:
            self._near.sendto(said, self._sender)
