"""Does the job that keeps a call's audio; results come back as events through `record`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Owes
from calls.events import Event, RecordingMissing, RecordingStored
from calls.queue import Task, TryAgain
from calls.record import record
from recordings import rows
from recordings.call_audio import CallAudio, audio_of
from recordings.files import (
    SIDES,
    NotCompleteError,
    NotThereError,
    PbxFolder,
    RecordingError,
    Stored,
    UnusableError,
    keep,
)
from recordings.store import Store

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WAITS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between looks for a file; after the last it is reported missing. A minute: the PBX needs milliseconds."""

_FULL_WAIT: Final = 300.0

Sides = dict[tuple[str, str], Stored | RecordingError]
"""By (channel, side): the file, or why there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StoringJobs:
    """The job and what it needs. `folders`: where each PBX records, None when it does not for us.

    Originals are removed once both sides are safe, unless `keep_originals`.
    """

    engine: AsyncEngine
    owes: Owes
    store: Store
    folders: Mapping[str, Path | None]
    keep_originals: bool = False
    waits: Sequence[float] = WAITS

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task("recordings.store_recording", "recordings", self.store_recording)]

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
        audio, folder = audio_of(row), PbxFolder(root)
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

    def _keep(self, audio: CallAudio, folder: PbxFolder, safe: set[tuple[str, str]], attempt: int) -> Sides:
        """Copy what is not yet safe (blocks)."""
        sides: Sides = {}
        for channel, side in audio.sides(folder):
            if (channel, side) in safe:
                continue
            try:
                torn = attempt >= len(self.waits)
                sides[channel, side] = keep(self.store, folder, channel, side, (audio.call_id, audio.at), torn=torn)
            except RecordingError as error:
                sides[channel, side] = error
        return sides

    async def _tell(self, audio: CallAudio, sides: Sides, known: Sequence[rows.Recording]) -> None:
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


def _again(sides: Sides, attempt: int, waits: Sequence[float]) -> TryAgain | None:
    """When to look again, None when everything is as good as it gets."""
    troubles = [told for told in sides.values() if isinstance(told, RecordingError)]
    late = attempt >= len(waits)
    for trouble in troubles:
        waiting = isinstance(trouble, NotThereError | NotCompleteError)
        if not isinstance(trouble, UnusableError) and not (late and waiting):
            return TryAgain(str(trouble), _FULL_WAIT if late else waits[attempt])
    return None


def _event(audio: CallAudio, channel: str, side: str, told: Stored | RecordingError) -> Event:
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


def _forget(folder: PbxFolder, audio: CallAudio, safe: set[tuple[str, str]], sides: Sides) -> None:
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
