"""Does the job that makes one file of a call's audio: Ogg/Opus, the caller left, staff right, masked seconds silent.

Rules kept here:
1. A side leaves the store only after the archive that holds it was decoded again and compared, put, read back, and
   told in the database.
2. An archive is named by what is in it, and removed when the row names another: a worker that is killed at any point
   leaves at most an object without a row in the call's own folder, which the next run of the job removes.
3. What is masked in an archive stays masked: without the original nobody can have it back.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.jobs import passed_on
from calls.queue import GiveUp, Task, TryAgain
from calls.record import state_call
from recordings import opus, rows
from recordings.archive_plan import Plan, Side, plan
from recordings.archive_rows import Archive, archives_of, awaits_text, masked_of, write_archive
from recordings.call_audio import audio_of
from recordings.disk import NO_ROOM
from recordings.due import archive_job
from recordings.masked_rows import keeps_original
from recordings.opus import NotVerifiedError, SoundError, Source
from recordings.processes import ProcessDiedError, Processes
from recordings.store import Store, StoreError, archive_name

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_WAIT: Final = 300.0
_MOST_TRIES: Final = 5


Archived = Callable[[AsyncConnection, UUID], Awaitable[None]]
"""Told, in the transaction that writes it, that a call's archive is there."""


async def tell_nobody(_connection: AsyncConnection, _call_id: UUID) -> None:
    """Nobody waits for archives."""


def has_room() -> str | None:
    """Nothing keeps archives from being made."""
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivingJobs:
    """The job and what it needs.

    `no_room` tells why nothing may be compressed now, None: it may.
    """

    engine: AsyncEngine
    store: Store
    processes: Processes
    bitrate: int = opus.LEAST_BITRATE
    no_room: Callable[[], str | None] = has_room
    archived: Archived = tell_nobody

    def tasks(self) -> list[Task]:
        """The tasks for the queue."""
        return [Task("recordings.archive", "recordings", self.archive)]

    async def archive(self, call_id: UUID, attempt: int) -> None:
        """Make the archive of the call's stored sides, or make it anew with what came since; then the sides go.

        Sound that is still to become text waits for it: only then is it known what is masked.
        """
        async with self.engine.connect() as connection:
            call = await rows.call_of(connection, call_id)
            if call is None or await passed_on(connection, call_id, archive_job(str(call.id))):
                return
            known = [one for one in await rows.recordings_of(connection, call.id) if one.path and one.seconds]
            before = await archives_of(connection, call.id)
            heard_at, masked = await masked_of(connection, call.id)
            late = heard_at is None or any(one.stored_at > heard_at for one in known)
            if not known or (late and await awaits_text(connection, call.id)):
                return
            keeps = await keeps_original(connection, call.line)
        sides = [Side(one.channel, one.side, one.path or "", one.sha256 or "", one.seconds or 0.0) for one in known]
        made = [one.made for one in before]
        work = plan(state_call(call.state), sides, made, masked, late=late)
        if not work.is_done(made, keeps_original=keeps):
            reason = self.no_room()
            if reason is not None:
                raise TryAgain(reason, _WAIT)
            archive = await self._made(call, work, attempt, keeps_original=keeps)
            await self._write(call.id, archive, before)
            log.info("call archived", call=str(call.id), seconds=archive.seconds, bytes=archive.bytes)
        else:
            (archive,) = before
        await self._tidy(call.id, archive, before)

    async def _write(self, call_id: UUID, archive: Archive, before: Sequence[Archive]) -> None:
        """Write the row, unless the call was erased or joined to another meanwhile: then what was made goes again."""
        async with self.engine.begin() as connection:
            if await rows.is_kept(connection, call_id):
                await write_archive(connection, call_id, archive)
                await self.archived(connection, call_id)
                return
        for name in archive.names.difference(*(one.names for one in before)):
            await self.store.remove(name)
        raise TryAgain(rows.NOT_KEPT, 0.0)

    async def _made(self, call: Any, work: Plan, attempt: int, *, keeps_original: bool) -> Archive:
        """The one place where trouble with an archive becomes run again or give up."""
        try:
            return await self._make(call, work, keeps_original=keeps_original)
        except FileNotFoundError as error:
            raise GiveUp(f"the store lost {error}") from None
        except SoundError as error:
            raise GiveUp(str(error)) from None
        except StoreError as error:
            raise TryAgain(str(error), _WAIT) from None
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise TryAgain("disk full: no room for the files that an archive is made from", _WAIT) from None
        except (NotVerifiedError, ProcessDiedError) as error:
            if attempt >= _MOST_TRIES:
                raise GiveUp(f"{error}, {attempt + 1} times") from None
            raise TryAgain(str(error), 2.0**attempt) from None

    async def _make(self, call: Any, work: Plan, *, keeps_original: bool) -> Archive:
        at = audio_of(call).at
        async with AsyncExitStack() as fetched:
            names = {one.path for one in work.pieces}
            files = {name: str(await fetched.enter_async_context(self.store.fetch(name))) for name in names}
            sources = [Source(files[it.path], it.side, it.offset, it.begin, it.seconds) for it in work.pieces]
            told = await self.processes.run(opus.encode, sources, list(work.muted), self.bitrate)
            kept = await self.store.put_bytes(archive_name(call.id, at, told.sha256), told.sound)
            original = None
            if keeps_original and work.muted and work.whole:
                whole = await self.processes.run(opus.encode, sources, [], self.bitrate)
                name = archive_name(call.id, at, whole.sha256, original=True)
                original = await self.store.put_bytes(name, whole.sound)
        return Archive(
            path=kept.path,
            bytes=kept.size_bytes,
            sha256=kept.sha256,
            seconds=told.seconds,
            masked=work.muted,
            parts=work.parts,
            outline=told.outline,
            original_path=original.path if original else None,
            original_sha256=original.sha256 if original else None,
        )

    async def _tidy(self, call_id: UUID, archive: Archive, before: Sequence[Archive]) -> None:
        """Remove the sides that the archive holds, and what else lies in the call's own folders without a row."""
        found = archive.names.union(*(one.names for one in before))
        for folder in {PurePosixPath(name).parent for name in found}:
            if folder.name == str(call_id):
                found |= {one.path async for one in self.store.walk(str(folder))}
        async with self.engine.connect() as connection:  # read last: what was stored meanwhile has its row by now
            sides = [one for one in await rows.recordings_of(connection, call_id) if one.path]
        keep = archive.names | {one.path for one in sides if not archive.made.holds(one.channel, one.side, one.sha256)}
        found |= {one.path for one in sides if one.path}
        try:
            for name in sorted(found - keep):
                await self.store.remove(name)
        except StoreError as error:
            raise TryAgain(str(error), _WAIT) from None
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            raise TryAgain("disk full: no room for the files that an archive is made from", _WAIT) from None
