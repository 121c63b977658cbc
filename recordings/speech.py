"""Has recordings heard by Whisper, several at once, in processes of their own (`whisper` is what runs there).

Rules kept here:
1. What waits is heard together, for Whisper's cost goes by windows that many can share: the highest rank first.
2. When a listening process dies, each recording that it had is tried again alone: one that kills harms no other. After
   `TRIES` it is given up.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from recordings.heard import Heard, ModelMissingError, SpeechDiedError, Talk, Track
from recordings.model import SpeechSettings, begin
from recordings.processes import ProcessDiedError, Processes
from recordings.whisper import hear, hear_file

TOGETHER: Final = 16
"""Recordings that one process hears at once, at most."""

TRIES: Final = 3

_ENDED: Final = SpeechDiedError("the listening processes were ended")

_TOGETHER_SECONDS: Final = 600.0
"""More than so much sound is not heard together: whoever comes next shall not wait for long."""

_GATHER_SECONDS: Final = 0.1
"""Who is done makes room for who waits in the queue: a moment later there is more to be heard together."""


@dataclass(slots=True, order=True)
class _Waiting:
    """A recording that waits to be heard, in the order of hearing."""

    order: tuple[float, int]
    talk: Talk = field(compare=False)
    heard: asyncio.Future[Heard] = field(compare=False)
    tries: int = field(default=0, compare=False)


class Speech:
    """Listening processes, started with the first work; a dead one is replaced with the next.

    `pauses`: seconds before each new try alone; what kills may pass, as when memory is short.
    """

    def __init__(self, settings: SpeechSettings, processes: int = 1, pauses: Sequence[float] = (0.0, 10.0)) -> None:
        self._running = Processes(processes, begin, settings)
        self._count = processes
        self._pauses = pauses
        self._waiting: list[_Waiting] = []
        self._came = asyncio.Event()
        self._numbers = itertools.count()
        self._servers: list[asyncio.Task[None]] = []

    async def hear(self, talk: Talk) -> Heard:
        """Hear every track of the talk. Raises ModelMissingError, AudioError, SpeechDiedError."""
        waiting = _Waiting((-talk.rank, next(self._numbers)), talk, asyncio.get_running_loop().create_future())
        self._add(waiting)
        if not self._servers:
            self._servers = [asyncio.create_task(self._serve()) for _ in range(self._count)]
        return await waiting.heard

    async def transcribe(self, sides: Mapping[str, Path], hint: str | None = None) -> Heard:
        """Hear one file a side. Raises as `hear`."""
        return await self.hear(Talk({side: Track(str(path)) for side, path in sides.items()}, hint=hint))

    async def transcribe_file(self, path: Path, hint: str | None = None) -> Heard:
        """Hear a file of two channels as caller (left) and staff (right), any other as one side, `caller`."""
        try:
            return await self._running.run(hear_file, str(path), hint)
        except ProcessDiedError as error:
            raise SpeechDiedError("the listening process died") from error

    async def close(self) -> None:
        """End the processes; work in progress is lost and its caller gets SpeechDiedError."""
        for server in self._servers:
            server.cancel()
        await asyncio.gather(*self._servers, return_exceptions=True)
        for one in self._waiting:
            _tell(one, _ENDED)
        await self._running.close()

    def _add(self, waiting: _Waiting) -> None:
        heapq.heappush(self._waiting, waiting)
        self._came.set()

    async def _serve(self) -> None:
        """Have one process hear what waits, for ever."""
        while True:
            await self._came.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            together = self._take()
            if together:
                await self._hear(together)

    def _take(self) -> list[_Waiting]:
        """What is heard together next. One that was with a process that died is heard alone."""
        together: list[_Waiting] = []
        seconds = 0.0
        while self._waiting and len(together) < TOGETHER:
            first = self._waiting[0]
            if together and (first.tries or seconds + first.talk.seconds > _TOGETHER_SECONDS):
                break
            heapq.heappop(self._waiting)
            if first.heard.done():
                continue
            together.append(first)
            seconds += first.talk.seconds
            if first.tries:
                break
        if not self._waiting:
            self._came.clear()
        return together

    async def _hear(self, together: Sequence[_Waiting]) -> None:
        try:
            found = await self._running.run(hear, [one.talk for one in together])
        except ProcessDiedError:
            for one in together:
                self._try_again(one)
        except asyncio.CancelledError:
            for one in together:
                _tell(one, _ENDED)
            raise
        except Exception as error:  # noqa: BLE001 whatever it is, those who wait are told
            for one in together:
                if len(together) == 1 or isinstance(error, ModelMissingError):
                    _tell(one, error)
                else:
                    self._try_again(one)
        else:
            for one, told in zip(together, found, strict=True):
                _tell(one, told)

    def _try_again(self, one: _Waiting) -> None:
        one.tries += 1
        if one.tries >= TRIES:
            _tell(one, SpeechDiedError(f"the listening process died, {one.tries} times"))
            return
        asyncio.get_running_loop().call_later(self._pauses[one.tries - 1], self._add, one)


def _tell(one: _Waiting, told: Heard | Exception) -> None:
    if one.heard.done():
        return
    if isinstance(told, Heard):
        one.heard.set_result(told)
    else:
        one.heard.set_exception(told)
