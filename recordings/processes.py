"""Processes for work that takes a core for seconds: one task at a time each, gone with their parent however it ends.

Such work in the service's own process would stop its heartbeats and live cards. Each process stands alone: when one
dies, only the work that it had in hand is lost, and the next work starts another.
"""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Final, ParamSpec, TypeVar

_PR_SET_PDEATHSIG: Final = 1

Given = ParamSpec("Given")
Result = TypeVar("Result")


class ProcessDiedError(Exception):
    """The process was killed, or ran out of memory or time, with this work in hand. The work can be done again."""


class Processes:
    """`count` processes, each started with its first work and kept; `begin(*told)` runs first in each.

    One that works longer than `most_seconds` is ended; None: it may take as long as it takes.
    """

    def __init__(
        self, count: int, begin: Callable[..., None] | None = None, *told: Any, most_seconds: float | None = None
    ) -> None:
        self.most_seconds = most_seconds
        self._all = [_Process(begin, told) for _ in range(count)]
        self._free: asyncio.Queue[_Process] = asyncio.Queue()
        for one in self._all:
            self._free.put_nowait(one)

    async def run(self, work: Callable[Given, Result], *what: Given.args, **named: Given.kwargs) -> Result:
        """Run `work(*what)`, a function of a module, in a process that is free; waits for one.

        Raises what the work raises, and ProcessDiedError.
        """
        process = await self._free.get()
        limit = asyncio.timeout(self.most_seconds)
        try:
            async with limit:
                return await process.run(work, *what, **named)
        except TimeoutError as error:
            if not limit.expired():
                raise
            await process.close()
            raise ProcessDiedError("the process that did the work took too long") from error
        finally:
            self._free.put_nowait(process)

    async def close(self) -> None:
        """End the processes; who waits for work in progress gets ProcessDiedError."""
        await asyncio.gather(*(one.close() for one in self._all))


class _Process:
    """One process, or none yet."""

    def __init__(self, begin: Callable[..., None] | None, told: tuple[Any, ...]) -> None:
        self._begin = begin
        self._told = told
        self._pool: ProcessPoolExecutor | None = None
        self._work: set[Future[Any]] = set()

    async def run(self, work: Callable[Given, Result], *what: Given.args, **named: Given.kwargs) -> Result:
        pool = self._pool = self._pool or ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _begin, (os.getpid(), self._begin, self._told)
        )
        future = pool.submit(work, *what, **named)
        self._work = {one for one in self._work if not one.done()} | {future}
        try:
            return await asyncio.wrap_future(future)
        except BrokenProcessPool as error:
            if self._pool is pool:
                self._pool = None
            await asyncio.to_thread(pool.shutdown, wait=True)
            raise ProcessDiedError("the process that did the work died") from error

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        busy = any(not one.done() for one in self._work)
        for process in list((pool._processes or {}).values() if busy else ()):  # noqa: SLF001 there is no public way in 3.11
            process.terminate()
        await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)


def _begin(parent: int, begin: Callable[..., None] | None, told: tuple[Any, ...]) -> None:
    """The first thing that runs in the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent died before the line above
    if begin is not None:
        begin(*told)
