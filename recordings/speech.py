"""Has recordings heard by Whisper, several at once, in processes of their own (`whisper` is what runs there).

Rules kept here:
1. What waits is heard together, for Whisper's cost goes by windows that many can share (`turns` says who is next).
2. When a listening process dies, each recording that it had is tried again alone; after TRIES it is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from recordings.heard import Heard, ModelMissingError, SpeechDiedError, Talk, Track
from recordings.model import SpeechSettings, begin
from recordings.pace import pace
from recordings.processes import ProcessDiedError, Processes
from recordings.turns import Turn, Turns
from recordings.whisper import hear, hear_file

TRIES: Final = 3

_ENDED: Final = "the listening processes were ended"
_GATHER_SECONDS: Final = 0.1
"""Who is done makes room for who waits in the queue: a moment later there is more to be heard together."""

Promise = asyncio.Future[Heard]


class Speech:
    """Listening processes, started with the first work; a dead one is replaced with the next.

    `pauses`: seconds before each new try alone; what kills may pass, as when memory is short.
    """

    def __init__(self, settings: SpeechSettings, processes: int = 1, pauses: Sequence[float] = (0.0, 10.0)) -> None:
        self._running = Processes(processes, begin, settings)
        self._count = processes
        self._pauses = pauses
        self._turns: Turns[Promise] = Turns()
        self._came = asyncio.Event()
        self._servers: list[asyncio.Task[None]] = []

    async def hear(self, talk: Talk) -> Heard:
        """Hear every track of the talk. Raises ModelMissingError, AudioError, SpeechDiedError."""
        promise: Promise = asyncio.get_running_loop().create_future()
        self._turns.add(talk, promise)
        self._came.set()
        if not self._servers:
            self._servers = [asyncio.create_task(self._serve()) for _ in range(self._count)]
        return await promise

    async def transcribe(self, sides: Mapping[str, Path], hint: str | None = None) -> Heard:
        """Hear one file a side. Raises as `hear`."""
        return await self.hear(Talk({side: Track(str(path)) for side, path in sides.items()}, hint=hint))

    async def transcribe_file(self, path: Path, hint: str | None = None) -> Heard:
        """Hear a file of two channels as caller (left) and staff (right), any other as one side, `caller`."""
        try:
            return await self._running.run(hear_file, str(path), hint)
        except ProcessDiedError as error:
            raise SpeechDiedError("the listening process died") from error

    async def pace(self) -> float:
        """Seconds that a second of sound takes here, without loading. Raises ModelMissingError, SpeechDiedError."""
        try:
            return await self._running.run(pace)
        except ProcessDiedError as error:
            raise SpeechDiedError("the listening process died") from error

    async def close(self) -> None:
        """End the processes; who waits for work in progress gets SpeechDiedError."""
        for server in self._servers:
            server.cancel()
        await asyncio.gather(*self._servers, return_exceptions=True)
        while left := self._turns.take():
            _tell(left, SpeechDiedError(_ENDED))
        await self._running.close()

    async def _serve(self) -> None:
        """Have one process hear what waits, for ever."""
        while True:
            await self._came.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            together = self._turns.take()
            if not self._turns:
                self._came.clear()
            await self._hear([turn for turn in together if not turn.ticket.done()])

    async def _hear(self, together: Sequence[Turn[Promise]]) -> None:
        if not together:
            return
        try:
            found = await self._running.run(hear, [turn.talk for turn in together])
        except asyncio.CancelledError:
            _tell(together, SpeechDiedError(_ENDED))
            raise
        except ProcessDiedError:
            self._try_alone(together)
        except ModelMissingError as error:
            _tell(together, error)
        except Exception as error:  # noqa: BLE001 whoever of several it was, alone it is told
            if len(together) == 1:
                _tell(together, error)
            else:
                self._try_alone(together)
        else:
            for turn, told in zip(together, found, strict=True):
                _tell([turn], told)

    def _try_alone(self, turns: Sequence[Turn[Promise]]) -> None:
        for turn in turns:
            turn.tries += 1
            if turn.tries >= TRIES:
                _tell([turn], SpeechDiedError(f"the listening process died, {turn.tries} times"))
            else:
                asyncio.get_running_loop().call_later(self._pauses[turn.tries - 1], self._wait_again, turn)

    def _wait_again(self, turn: Turn[Promise]) -> None:
        self._turns.add_again(turn)
        self._came.set()


def _tell(turns: Sequence[Turn[Promise]], told: Heard | Exception) -> None:
    for turn in turns:
        if turn.ticket.done():
            continue
        if isinstance(told, Heard):
            turn.ticket.set_result(told)
        else:
            turn.ticket.set_exception(told)
