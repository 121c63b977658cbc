"""Reads and writes the archives of calls: which audio is in them, and which is not yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.joining import ids_of
from recordings.archive_plan import ArchivedPart, Made, Span
from recordings.tables import archives, transcripts


@dataclass(frozen=True, slots=True)
class Archive:
    """The one file of a call: columns as `recordings.tables` tells."""

    path: str
    bytes: int
    sha256: str
    seconds: float
    masked: Sequence[Span]
    parts: Sequence[ArchivedPart]
    outline: Mapping[str, Sequence[float]]
    original_path: str | None = None
    original_sha256: str | None = None

    @property
    def names(self) -> set[str]:
        """Its objects in the store."""
        return {name for name in (self.path, self.original_path) if name}

    @property
    def made(self) -> Made:
        """What of it another archive is made of."""
        return Made(self.path, self.parts, self.masked, self.original_path)


@dataclass(frozen=True, slots=True)
class Held:
    """An object that the store has to hold; `bytes` None: nobody noted how many it has."""

    path: str
    bytes: int | None
    sha256: str


_COLUMNS = [archives.c[name] for name in Archive.__slots__]


async def archive_of(connection: AsyncConnection, call_id: UUID) -> Archive | None:
    """The archive of the call, None when there is none yet."""
    row = (await connection.execute(select(*_COLUMNS).where(archives.c.call_id == call_id))).one_or_none()
    return None if row is None else _archive(row)


async def archives_of(connection: AsyncConnection, call_id: UUID) -> list[Archive]:
    """Its archive, if there is one, and those of calls that became part of it, until one is made of all."""
    asked = select(*_COLUMNS).where(archives.c.call_id.in_(ids_of(call_id)))
    rows = await connection.execute(asked.order_by(archives.c.call_id != call_id, archives.c.call_id))
    return [_archive(row) for row in rows]


def _archive(row: Any) -> Archive:
    told: dict[str, Any] = dict(row._mapping)  # noqa: SLF001 SQLAlchemy's name for it
    masked = [(float(since), float(until)) for since, until in told["masked"]]
    return Archive(**told | {"masked": masked, "parts": [ArchivedPart(**part) for part in told["parts"]]})


async def write_archive(connection: AsyncConnection, call_id: UUID, archive: Archive) -> None:
    """Write the archive of the call, in place of all that it was made of."""
    row = asdict(archive) | {"made_at": func.clock_timestamp()}
    statement = insert(archives).values(call_id=call_id, **row)
    await connection.execute(statement.on_conflict_do_update(index_elements=["call_id"], set_=row))
    former = archives.c.call_id.in_(ids_of(call_id)), archives.c.call_id != call_id
    await connection.execute(delete(archives).where(*former))


async def masked_of(connection: AsyncConnection, call_id: UUID) -> tuple[datetime | None, list[Span]]:
    """When the call became text (None: it did not), and what of it nobody may hear."""
    asked = select(transcripts.c.made_at, transcripts.c.masked).where(transcripts.c.call_id == call_id)
    row = (await connection.execute(asked)).one_or_none()
    return (None, []) if row is None else (row.made_at, [(float(one["from"]), float(one["to"])) for one in row.masked])


_OPEN = text(
    """
    select exists (
        select from procrastinate_jobs where task_name = 'recordings.transcribe' and status in ('todo', 'doing')
        and args->>'call_id' = cast(:call_id as text))
    """
)


async def awaits_text(connection: AsyncConnection, call_id: UUID) -> bool:
    """Tell whether the call's audio is still to become text: what is said is masked only then."""
    return bool((await connection.execute(_OPEN, {"call_id": str(call_id)})).scalar_one())


_FAILED = text(
    """
    select coalesce(bool_and(status = 'failed'), false) from procrastinate_jobs
    where task_name = 'recordings.archive' and status in ('todo', 'doing', 'failed') and args->>'call_id' = :call_id
    """
)


async def archiving_failed(connection: AsyncConnection, call_id: UUID) -> bool:
    """Tell whether the call's archive was given up and nothing makes it any more."""
    return bool((await connection.execute(_FAILED, {"call_id": str(call_id)})).scalar_one())


_OWED = text(
    """
    select distinct side.call_id from recordings as side
    where side.path is not null
      and side.stored_at between clock_timestamp() - make_interval(days => :days)
                             and clock_timestamp() - make_interval(secs => :seconds)
      and (not exists (
              select from archives where archives.call_id = side.call_id and archives.parts @> jsonb_build_array(
                  jsonb_build_object('channel', side.channel, 'sides', jsonb_build_object(side.side, side.sha256))))
          or exists (
              select from archives join transcripts using (call_id), jsonb_array_elements(transcripts.masked) as span
              where archives.call_id = side.call_id and (span->>'from')::float < (span->>'to')::float
                and transcripts.made_at >= (
                    select max(stored_at) from recordings where call_id = side.call_id and path is not null)
                and not exists (
                    select from jsonb_array_elements(archives.masked) as silent
                    where (silent->>0)::float <= (span->>'from')::float + 0.02
                      and (silent->>1)::float >= (span->>'to')::float - 0.02)))
      and not exists (
          select from procrastinate_jobs as job
          where args->>'call_id' = cast(side.call_id as text)
            and (task_name in ('recordings.archive', 'recordings.transcribe') and status in ('todo', 'doing')
                 or task_name = 'recordings.archive' and status = 'failed' and exists (
                     select from procrastinate_events
                     where job_id = job.id and type = 'failed' and at > clock_timestamp() - interval '1 day')))
    limit :most
    """
)


async def unarchived(connection: AsyncConnection, days: int, *, seconds: float = 60.0, most: int = 200) -> list[UUID]:
    """Calls whose audio of so many days, but not of the last seconds, is in no archive and on no job's way into one.

    So it is where text was never asked for, or was given up; an archive that sounds where it must be silent by a text
    that tells of all its sound is none. What a job gave up on is tried again a day later.
    """
    told = {"days": days, "seconds": seconds, "most": most}
    return list((await connection.execute(_OWED, told)).scalars())


_HELD = text(
    """
    select path, bytes, sha256 from recordings as side
    where path is not null and not exists (
        select from archives where archives.call_id = side.call_id and archives.parts @> jsonb_build_array(
            jsonb_build_object('channel', side.channel, 'sides', jsonb_build_object(side.side, side.sha256))))
    union select path, bytes, sha256 from archives
    union select original_path, null, original_sha256 from archives where original_path is not null
    order by path
    """
)


async def held(connection: AsyncConnection) -> list[Held]:
    """All that the store has to hold, by path: archives with their originals, and sides that are in none."""
    return [Held(*row) for row in await connection.execute(_HELD)]
