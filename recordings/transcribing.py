"""Does the job that turns a call's audio into its text; the result comes back as an event through `record`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Owes
from calls.events import Transcribed, TranscriptionGivenUp
from calls.queue import GiveUp, Task, TryAgain
from calls.record import record
from recordings import masked_rows, rows
from recordings.call_audio import CallAudio, audio_of
from recordings.speech import AudioError, Heard, ModelMissingError, SpeechDiedError
from recordings.store import Store, StoreError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MODEL_WAIT: Final = 60.0
_STORE_WAIT: Final = 60.0
_MOST_DEATHS: Final = 5


class UnheardError(Exception):
    """The call stays without text: `reason` as `TranscriptionGivenUp` tells it, the text for the operator."""

    def __init__(self, reason: Literal["unreadable", "lost", "died"], text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Hears(Protocol):
    """What turns sound into words; `recordings.speech.Speech` does."""

    async def transcribe(self, sides: Mapping[str, Path], hint: str | None = None) -> Heard:
        """Hear every side. Raises SpeechError."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class TranscribingJobs:
    """The job and what it needs."""

    engine: AsyncEngine
    owes: Owes
    store: Store
    speech: Hears

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task("recordings.transcribe", "transcription", self.transcribe)]

    async def transcribe(self, call_id: UUID, attempt: int) -> None:
        """Turn the stored sides of the call into its transcript, unless that was done since they were stored."""
        async with self.engine.connect() as connection:
            row = await rows.call_of(connection, call_id)
            if row is None:
                return
            known = [one for one in await rows.recordings_of(connection, row.id) if one.path]
            done = await rows.transcript_of(connection, row.id)
            hint = await rows.hint_of(connection, row.line)
        if not known or (done and done.made_at >= max(one.stored_at for one in known)):
            return
        audio = audio_of(row)
        channel = audio.main if any(one.channel == audio.main for one in known) else _longest(known)
        try:
            heard = await self._hear(rows.stored_sides(known, channel), hint, attempt)
        except UnheardError as error:
            await self._give_up(audio, channel, error)
            raise GiveUp(str(error)) from None
        count = await self._write(audio, channel, heard)
        log.info(
            "call transcribed",
            call=str(row.id),
            language=heard.language,
            words=count,
            audio_seconds=round(heard.audio_seconds, 1),
            took_seconds=round(heard.took_seconds, 2),
            realtime_factor=round(heard.realtime_factor, 3),
        )

    async def _write(self, audio: CallAudio, channel: str, heard: Heard) -> int:
        """Write all that is made of what was heard, and tell it, in one transaction; returns the number of words."""
        async with self.engine.begin() as connection:
            policy = await masked_rows.policy_of(connection, audio.line)
            talk = await asyncio.to_thread(policy.mask, heard)
            count = await rows.write_transcript(connection, audio.call_id, talk.heard)
            await masked_rows.write_muted(connection, audio.call_id, talk)
            told = Transcribed(
                pbx=audio.pbx,
                channel=audio.messages.get(channel, channel),
                at=audio.at,
                language=heard.language,
                model=heard.model,
                word_count=count,
            )
            await record(connection, [told], self.owes)
        return count

    async def _give_up(self, audio: CallAudio, channel: str, error: UnheardError) -> None:
        """Tell that the call stays without text, for whoever looks at it; a job that runs again may still make it."""
        told = TranscriptionGivenUp(
            pbx=audio.pbx, channel=audio.messages.get(channel, channel), at=audio.at, reason=error.reason
        )
        async with self.engine.begin() as connection:
            await record(connection, [told], self.owes)

    async def _hear(self, paths: Mapping[str, str], hint: str | None, attempt: int) -> Heard:
        """The one place where trouble with sound becomes run again or give up."""
        try:
            async with AsyncExitStack() as fetched:
                sides = {
                    side: await fetched.enter_async_context(self.store.fetch(path)) for side, path in paths.items()
                }
                return await self.speech.transcribe(sides, hint)
        except FileNotFoundError as error:
            raise UnheardError("lost", f"the store lost {error}") from None
        except StoreError as error:
            raise TryAgain(str(error), _STORE_WAIT) from None
        except AudioError as error:
            raise UnheardError("unreadable", str(error)) from None
        except ModelMissingError as error:
            raise TryAgain(str(error), _MODEL_WAIT) from None
        except SpeechDiedError as error:
            if attempt >= _MOST_DEATHS:
                raise UnheardError("died", f"{error}, {attempt + 1} times") from None
            raise TryAgain(str(error), 2.0**attempt) from None


def _longest(known: Sequence[rows.Recording]) -> str:
    return max(known, key=lambda one: (one.seconds or 0.0, one.channel)).channel
