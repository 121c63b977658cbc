"""Does the job that turns a call's audio into its text; the result comes back as an event through `record`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Owes
from calls.events import Transcribed, TranscriptionGivenUp
from calls.jobs import passed_on
from calls.queue import GiveUp, Task, TryAgain
from calls.record import record, state_call
from recordings import masked_rows, rows
from recordings.archive_rows import Archive, archives_of
from recordings.call_audio import CallAudio, audio_of
from recordings.due import transcribe_job
from recordings.heard import (
    AudioError,
    Heard,
    ModelMissingError,
    SpeechDiedError,
    Talk,
    Track,
    on_one_line,
)
from recordings.measuring import measure_talk
from recordings.opus import SoundError
from recordings.parts import Placed, length_of, parts_of
from recordings.side_files import side_files
from recordings.store import Store, StoreError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_MODEL_WAIT: Final = 60.0
_STORE_WAIT: Final = 60.0


class UnheardError(Exception):
    """The call stays without text: `reason` as `TranscriptionGivenUp` tells it, the text for the operator."""

    def __init__(self, reason: Literal["unreadable", "lost", "died"], text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Hears(Protocol):
    """What turns sound into words; `recordings.speech.Speech` does."""

    async def hear(self, talk: Talk) -> Heard:
        """Hear every track of the talk. Raises SpeechError."""
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

    async def transcribe(self, call_id: UUID, _attempt: int) -> None:
        """Turn the stored sides of the call into its transcript, unless that was done since they were stored."""
        async with self.engine.connect() as connection:
            row = await rows.call_of(connection, call_id)
            if row is None or await passed_on(connection, call_id, transcribe_job(str(row.id), row.ended_at)):
                return
            known = [one for one in await rows.recordings_of(connection, row.id) if one.path]
            done = await rows.transcript_of(connection, row.id)
            hint = await rows.hint_of(connection, row.line)
            archives = await archives_of(connection, row.id)
        if not known or (done and done.made_at >= _stored_at(known)):
            return
        audio, placed = audio_of(row), parts_of(state_call(row.state), known)
        try:
            asked = Talk({}, hint=hint, seconds=length_of(placed), rank=audio.at.timestamp())
            heard = await self._hear(known, archives, asked)
        except UnheardError as error:
            await self._give_up(audio, placed, error)
            raise GiveUp(str(error)) from None
        told = on_one_line(heard, {one.channel: one.offset for one in placed}, length_of(placed))
        count = await self._write(audio, placed, told)
        log.info(
            "call transcribed",
            call=str(row.id),
            language=told.language,
            words=count,
            audio_seconds=round(told.audio_seconds, 1),
            took_seconds=round(told.took_seconds, 2),
            device=told.device,
            realtime_factor=round(told.realtime_factor, 3),
        )

    async def _write(self, audio: CallAudio, placed: Sequence[Placed], heard: Heard) -> int | None:
        """Write all that is made of what was heard, and tell it, in one transaction; returns the number of words.

        Nothing, and None, when another worker did so meanwhile, or the audio is not to be kept any more.
        """
        async with self.engine.begin() as connection:
            stored_at = await rows.stored_at(connection, audio.call_id)
            if stored_at is None:
                return None
            policy = await masked_rows.policy_of(connection, audio.line)
            talk = await asyncio.to_thread(policy.mask, heard)
            if not await rows.write_transcript(connection, audio.call_id, talk.heard, newer_than=stored_at):
                return None
            await masked_rows.write_muted(connection, audio.call_id, talk)
            await measure_talk(connection, audio.call_id)
            count = sum(len(words) for words in talk.heard.words.values())
            told = Transcribed(
                pbx=audio.pbx,
                channel=_channel(audio, placed),
                at=audio.at,
                language=heard.language,
                model=heard.model,
                word_count=count,
            )
            await record(connection, [told], self.owes)
        return count

    async def _give_up(self, audio: CallAudio, placed: Sequence[Placed], error: UnheardError) -> None:
        """Tell that the call stays without text, for whoever looks at it; a job that runs again may still make it."""
        told = TranscriptionGivenUp(pbx=audio.pbx, channel=_channel(audio, placed), at=audio.at, reason=error.reason)
        async with self.engine.begin() as connection:
            await record(connection, [told], self.owes)

    async def _hear(self, known: Sequence[rows.Recording], archives: Sequence[Archive], asked: Talk) -> Heard:
        """Every side of every channel. The one place where trouble with sound becomes run again or give up."""
        try:
            async with side_files(self.store, known, archives) as files:
                return await self.speech.hear(
                    replace(asked, tracks={key: Track(str(path)) for key, path in files.items()})
                )
        except FileNotFoundError as error:
            raise UnheardError("lost", f"the store lost {error}") from None
        except StoreError as error:
            raise TryAgain(str(error), _STORE_WAIT) from None
        except (AudioError, SoundError) as error:
            raise UnheardError("unreadable", str(error)) from None
        except SpeechDiedError as error:
            raise UnheardError("died", str(error)) from None
        except ModelMissingError as error:
            raise TryAgain(str(error), _MODEL_WAIT) from None


def _stored_at(known: Sequence[rows.Recording]) -> Any:
    return max(one.stored_at for one in known)


def _channel(audio: CallAudio, placed: Sequence[Placed]) -> str:
    """A channel of the call, to tell the result under: the one whose sound comes first."""
    first = placed[0].channel
    return audio.messages.get(first, first)
