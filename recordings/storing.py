"""Does the job that keeps a call's audio; results come back as events through `record`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import Owes
from calls.events import Event, RecordingMissing, RecordingStored
from calls.jobs import passed_on
from calls.queue import Task, TryAgain
from calls.record import record
from recordings import judging, refusals, rows
from recordings.call_audio import CallAudio, audio_of
from recordings.due import look
from recordings.files import (
    EmptyError,
    NotCompleteError,
    NotThereError,
    PbxFolder,
    RecordingError,
    Stored,
    UnusableError,
    keep,
)
from recordings.judging import Sides
from recordings.names import SIDES
from recordings.rows import Side
from recordings.store import Store, StoreError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

WAITS: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between looks for a file; after the last it is reported missing. A minute: the PBX needs milliseconds."""

_FULL_WAIT: Final = 300.0


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
            if row is None or await passed_on(connection, call_id, look(str(row.id))):
                return
            known = await rows.recordings_of(connection, row.id)
            removed = await rows.is_removed(connection, row.id)
        audio, root = audio_of(row), self.folders.get(row.pbx)
        if audio.refused and any(one.path and one.channel not in audio.messages for one in known):
            removed = await self._take_back(row)
        if root is None:
            await self._not_for_us(audio, known)
            return
        folder = PbxFolder(root)
        if removed:  # what a PBX was late to hand over is not taken in again
            await asyncio.to_thread(_drop, folder, [*audio.channels, *audio.messages])
            return
        if audio.refused:  # who refused may have been connected with somebody whose channel is recorded
            await asyncio.to_thread(_drop, folder, audio.channels)
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
            kept = {(one.channel, one.side): one.sha256 for one in known if one.path and one.sha256}
            await asyncio.to_thread(_forget, folder, audio, kept, sides)
            await asyncio.to_thread(_tidy_up, folder, set(audio.channels) - {channel for channel, _ in sides})
        if again is not None:
            raise again

    async def _take_back(self, row: Any) -> bool:
        """A refusal came to light when the talk was stored already: it goes, unless the law holds it."""
        try:
            async with self.engine.begin() as connection:
                gone = await refusals.take_back(connection, self.store, self.folders, row)
        except StoreError as error:
            raise TryAgain(str(error), _FULL_WAIT) from None
        if gone:
            log.info("what was stored before its refusal came to light is removed", call=str(row.id))
        else:
            log.warning("the talk may not be kept, and the law holds it", call=str(row.id))
        return gone

    async def _not_for_us(self, audio: CallAudio, known: Sequence[rows.Recording]) -> None:
        """Tell of a talk that the PBX records where nobody has told us to look."""
        if not (audio.told and audio.talked):
            log.info("no recordings folder is set for this PBX", call=str(audio.call_id), pbx=audio.pbx)
            return
        why = f"the PBX recorded it, and the settings do not say where: recordings of pbx {audio.pbx!r} is not set"
        await self._tell(audio, {key: NotThereError(why) for key in audio.owed()}, known)

    def _keep(self, audio: CallAudio, folder: PbxFolder, safe: set[tuple[str, str]], attempt: int) -> Sides:
        """Copy what is not yet safe (blocks)."""
        sides: Sides = {}
        for channel, side in audio.sides(folder):
            if (channel, side) in safe:
                continue
            try:
                torn = attempt >= len(self.waits)
                sound = folder.listen(channel, side, torn=torn)
                kept = keep(self.store, folder, channel, side, (audio.call_id, audio.at), torn=torn)
                sides[channel, side] = replace(kept, sound=sound)
            except EmptyError as error:
                if judging.owes_sound(audio, channel):
                    sides[channel, side] = error
            except RecordingError as error:
                sides[channel, side] = error
        return sides

    async def _tell(self, audio: CallAudio, sides: Sides, known: Sequence[rows.Recording]) -> None:
        """Write the rows and the events in one transaction; what was told before is not told again.

        Nothing is written, and what was stored goes again, when the call was erased or joined to another meanwhile.
        """
        try:
            async with self.engine.begin() as connection:
                news = await judging.write(connection, audio, sides, known)
                await record(connection, [_event(audio, *key, sides[key]) for key in news], self.owes)
                if not await rows.is_kept(connection, audio.call_id):
                    raise TryAgain(rows.NOT_KEPT, 0.0)
        except TryAgain:
            for told in sides.values():
                if isinstance(told, Stored):
                    await self.store.remove(told.path)
            raise
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


def _forget(folder: PbxFolder, audio: CallAudio, kept: Mapping[Side, str], sides: Sides) -> None:
    """Remove the originals of channels whose sides are all safe, `kept` ones (by SHA-256) and those of now.

    A second sound under a name that is stored (a second message of one call) stays where it is, for a person.
    """
    stored = dict(kept) | {key: told.sha256 for key, told in sides.items() if isinstance(told, Stored)}
    for channel in {channel for channel, _ in stored}:
        wanted = ("caller",) if channel in audio.messages else SIDES
        if not all((channel, side) in stored for side in wanted):
            continue
        if any(folder.holds_other(channel, side, stored.get((channel, side), "")) for side in SIDES):
            log.warning("the PBX has another sound of a stored side, kept there", call=str(audio.call_id), name=channel)
        else:
            folder.forget(channel)


def _drop(folder: PbxFolder, channels: Sequence[str]) -> None:
    for channel in channels:
        folder.forget(channel)


def _tidy_up(folder: PbxFolder, channels: Iterable[str]) -> None:
    """A channel that nobody talked on leaves empty files behind."""
    for channel in channels:
        if folder.has(channel):
            folder.forget_empty(channel)
