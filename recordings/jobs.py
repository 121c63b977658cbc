"""Does the room's jobs: keep a call's audio, turn it into text; results come back as events through `record`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.call import facts
from calls.due import Owes
from calls.events import (
    Arrived,
    Event,
    RecordingMissing,
    RecordingStarted,
    RecordingStored,
    Transcribed,
    VoicemailLeft,
    message_of,
)
from calls.queue import GiveUp, Task, TryAgain
from calls.record import record, state_call
from calls.view import view
from recordings import rows
from recordings.files import (
    SIDES,
    NotCompleteError,
    NotThereError,
    PbxFolder,
    RecordingError,
    Store,
    Stored,
    UnusableError,
)
from recordings.speech import AudioError, Heard, ModelMissingError, SpeechDiedError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WAITS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between looks for a file; after the last it is reported missing. A minute: the PBX needs milliseconds."""

_FULL_WAIT: Final = 300.0
_MODEL_WAIT: Final = 60.0
_MOST_DEATHS: Final = 5

Sides = dict[tuple[str, str], Stored | RecordingError]
"""By (channel, side): the file, or why there is none."""


class Hears(Protocol):
    """What turns sound into words; `recordings.speech.Speech` does."""

    async def transcribe(self, sides: Mapping[str, Path], hint: str | None = None) -> Heard:
        """Hear every side. Raises SpeechError."""
        ...


@dataclass(frozen=True, slots=True)
class _Audio:
    """What the call tells about its audio: where to look, and the time that results are told with.

    `messages`: under which name the sound of each message in voicemail is kept -> the channel that it was left on.
    """

    call_id: UUID
    pbx: str
    line: str | None
    at: datetime
    talked: bool
    main: str
    expected: tuple[str, ...]
    channels: tuple[str, ...]
    messages: Mapping[str, str]

    def sides(self, folder: PbxFolder) -> list[tuple[str, str]]:
        """The sides to be kept: both of whoever talked, and the caller's of a message in voicemail."""
        talked = [one for one in self.channels if folder.has(one)] or self.expected if self.talked else ()
        both = [(channel, side) for channel in talked for side in SIDES]
        return [*both, *((channel, "caller") for channel in self.messages)]


def _ignore(_heard: Heard) -> None:
    """Nobody measures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordingJobs:
    """The jobs and what they need. `folders`: where each PBX records, None when it does not for us.

    `heard` is told every transcription (metrics). Originals are removed once both sides are safe, unless
    `keep_originals`.
    """

    engine: AsyncEngine
    owes: Owes
    store: Store
    folders: Mapping[str, Path | None]
    speech: Hears
    heard: Callable[[Heard], None] = _ignore
    keep_originals: bool = False
    waits: Sequence[float] = WAITS

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [
            Task("recordings.store_recording", "recordings", self.store_recording),
            Task("recordings.transcribe", "transcription", self.transcribe),
        ]

    async def store_recording(self, call_id: UUID, attempt: int) -> None:
        """Bring both sides of every recorded channel of the call into the store.

        Of a call that nobody talked on, what the PBX left empty is removed, and a message in voicemail is kept. A side
        that is not there yet is looked for again; after the last look it is told missing, with the reason. A full or
        broken store is tried for hours more, for the original is still safe with the PBX.
        """
        async with self.engine.connect() as connection:
            row = await rows.call_of(connection, call_id)
            if row is None:
                return
            known = await rows.recordings_of(connection, row.id)
        root = self.folders.get(row.pbx)
        if root is None:
            log.info("no recordings folder is set for this PBX", call=str(call_id), pbx=row.pbx)
            return
        audio, folder = _audio(row), PbxFolder(root)
        if not audio.talked and not self.keep_originals:
            await asyncio.to_thread(_tidy_up, folder, audio.channels)
        if not audio.talked and not audio.messages:
            return
        safe = {(one.channel, one.side) for one in known if one.path}
        sides = await asyncio.to_thread(self._keep, audio, folder, safe, attempt)
        again = _again(sides, attempt, self.waits)
        if again is not None and attempt < len(self.waits):
            raise again
        await self._tell(audio, sides, known)
        if not self.keep_originals:
            await asyncio.to_thread(_forget, folder, audio, safe, sides)
        if again is not None:
            raise again

    def _keep(self, audio: _Audio, folder: PbxFolder, safe: set[tuple[str, str]], attempt: int) -> Sides:
        """Copy what is not yet safe (blocks)."""
        sides: Sides = {}
        for channel, side in audio.sides(folder):
            if (channel, side) in safe:
                continue
            try:
                torn = attempt >= len(self.waits)
                sides[channel, side] = self.store.keep(folder, channel, side, (audio.call_id, audio.at), torn=torn)
            except RecordingError as error:
                sides[channel, side] = error
        return sides

    async def _tell(self, audio: _Audio, sides: Sides, known: Sequence[rows.Recording]) -> None:
        """Write the rows and the events in one transaction; what was told before is not told again."""
        before = {(one.channel, one.side): one.reason for one in known}
        events: list[Event] = []
        async with self.engine.begin() as connection:
            for (channel, side), told in sides.items():
                if before.get((channel, side)) == str(told):
                    continue
                await rows.write_side(connection, audio.call_id, channel, side, told)
                events.append(_event(audio, channel, side, told))
            await record(connection, events, self.owes)
        log.info(
            "recording told",
            call=str(audio.call_id),
            stored=sum(isinstance(told, Stored) for told in sides.values()),
            missing=[str(told) for told in sides.values() if isinstance(told, RecordingError)],
        )

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
        audio = _audio(row)
        channel = audio.main if any(one.channel == audio.main for one in known) else _longest(known)
        heard = await self._hear(rows.stored_sides(known, channel), hint, attempt)
        async with self.engine.begin() as connection:
            count = await rows.write_transcript(connection, row.id, heard)
            told = Transcribed(
                pbx=audio.pbx,
                channel=audio.messages.get(channel, channel),
                at=audio.at,
                language=heard.language,
                model=heard.model,
                word_count=count,
            )
            await record(connection, [told], self.owes)
        self.heard(heard)
        log.info(
            "call transcribed",
            call=str(row.id),
            language=heard.language,
            words=count,
            audio_seconds=round(heard.audio_seconds, 1),
            took_seconds=round(heard.took_seconds, 2),
            realtime_factor=round(heard.realtime_factor, 3),
        )

    async def _hear(self, paths: Mapping[str, str], hint: str | None, attempt: int) -> Heard:
        """The one place where trouble with sound becomes run again or give up."""
        try:
            return await self.speech.transcribe({side: self.store.locate(path) for side, path in paths.items()}, hint)
        except FileNotFoundError as error:
            raise GiveUp(f"the store lost {error}") from None
        except AudioError as error:
            raise GiveUp(str(error)) from None
        except ModelMissingError as error:
            raise TryAgain(str(error), _MODEL_WAIT) from None
        except SpeechDiedError as error:
            if attempt >= _MOST_DEATHS:
                raise GiveUp(f"{error}, {attempt + 1} times") from None
            raise TryAgain(str(error), 2.0**attempt) from None


def _audio(row: Any) -> _Audio:
    call = state_call(row.state)
    seen = view(call)
    told = [fact.channel for kind in (Arrived, RecordingStarted) for fact in facts(call, kind)]
    return _Audio(
        call_id=row.id,
        pbx=row.pbx,
        line=row.line,
        # Never the clock: a job that runs twice tells the same events.
        at=seen.ended_at or seen.started_at or datetime(1970, 1, 1, tzinfo=UTC),
        talked=seen.answered_at is not None,
        main=seen.caller_channel,
        expected=tuple(dict.fromkeys(told)) or (seen.caller_channel,),
        channels=tuple(sorted(call.channels)),
        messages={message_of(fact.channel): fact.channel for fact in facts(call, VoicemailLeft)},
    )


def _again(sides: Sides, attempt: int, waits: Sequence[float]) -> TryAgain | None:
    """When to look again, None when everything is as good as it gets."""
    troubles = [told for told in sides.values() if isinstance(told, RecordingError)]
    late = attempt >= len(waits)
    for trouble in troubles:
        waiting = isinstance(trouble, NotThereError | NotCompleteError)
        if not isinstance(trouble, UnusableError) and not (late and waiting):
            return TryAgain(str(trouble), _FULL_WAIT if late else waits[attempt])
    return None


def _event(audio: _Audio, channel: str, side: str, told: Stored | RecordingError) -> Event:
    channel = audio.messages.get(channel, channel)
    if isinstance(told, RecordingError):
        return RecordingMissing(pbx=audio.pbx, channel=channel, at=audio.at, side=side, reason=str(told))
    return RecordingStored(
        pbx=audio.pbx,
        channel=channel,
        at=audio.at,
        side=side,
        path=told.path,
        sha256=told.sha256,
        size_bytes=told.size_bytes,
        seconds=told.seconds,
    )


def _forget(folder: PbxFolder, audio: _Audio, safe: set[tuple[str, str]], sides: Sides) -> None:
    """Remove the originals of channels whose sides are all safe."""
    stored = safe | {key for key, told in sides.items() if isinstance(told, Stored)}
    for channel in {channel for channel, _ in stored}:
        wanted = ("caller",) if channel in audio.messages else SIDES
        if all((channel, side) in stored for side in wanted):
            folder.forget(channel)


def _tidy_up(folder: PbxFolder, channels: Sequence[str]) -> None:
    """A call that nobody talked on leaves empty files behind."""
    for channel in channels:
        if folder.has(channel):
            folder.forget_empty(channel)


def _longest(known: Sequence[rows.Recording]) -> str:
    return max(known, key=lambda one: (one.seconds or 0.0, one.channel)).channel
