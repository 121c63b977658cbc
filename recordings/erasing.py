"""Removes what was said in a call: sound from the store and from the PBX, and every row that was read from it.

Files go before their rows: whoever dies in between leaves rows that name no file, and the next run removes them too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol
from uuid import UUID

from sqlalchemy import Table, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.events import message_of
from calls.forgetting import Person
from calls.joining import ids_of
from calls.record import state_call
from calls.tables import calls
from directory.tables import metadata
from recordings import tables
from recordings.files import PbxFolder
from recordings.measuring import measure_talk
from recordings.privacy_tables import removals
from recordings.tables import comments, transcripts, unmasked_transcripts

_SOUND: Final = frozenset({"recordings", "archives"})
_NOT_SAID: Final = frozenset({"call_audio", "recording_wishes"})
"""How complete the audio was is a figure, and who of ours paused it is our own doing: these stay."""

TASKS: Final[Mapping[str, frozenset[str]]] = {
    "audio": frozenset({"recordings.store_recording", "recordings.transcribe", "recordings.archive"}),
    "transcript": frozenset({"recordings.transcribe"}),
}
"""The jobs that read or write a kind of what was said: they are called off with it, and no others."""

_PATHS: Final = ("path", "original_path")

_MASK: Final = "•••"
"""In what colleagues wrote of others, where they named who is forgotten."""


class Listed(Protocol):
    """An object of the store."""

    @property
    def path(self) -> str:
        """Its name."""
        ...


class Store(Protocol):
    """`recordings.store.Store`, as far as something is removed from it."""

    def walk(self, under: str = "") -> AsyncIterator[Listed]:
        """Every object in a folder."""
        ...

    async def remove(self, name: str) -> None:
        """Remove it; what is not there is removed already."""
        ...


@dataclass(frozen=True, slots=True)
class Sound:
    """Where a call's sound may be: objects of the store, and channels by which a PBX's folder names its files."""

    objects: tuple[str, ...]
    pbx: str
    channels: tuple[str, ...]


def of_calls(*, sound: bool) -> tuple[Table, ...]:
    """The tables of this room whose rows were said in a call: those of sound, or those of text."""
    mine = [
        table
        for table in metadata.sorted_tables
        if table is getattr(tables, table.name, None) and "call_id" in table.c and table.name not in _NOT_SAID
    ]
    return tuple(table for table in reversed(mine) if (table.name in _SOUND) is sound)


async def sound_of(connection: AsyncConnection, store: Store, call_id: UUID) -> Sound:
    """Everything that may hold the call's sound: what its rows name, and what lies in its folders of the store."""
    columns = (calls.c.id, calls.c.pbx, calls.c.state, calls.c.ended_at, calls.c.started_at)
    rows = {row.id: row for row in await connection.execute(select(*columns).where(calls.c.id.in_(ids_of(call_id))))}
    names = [
        name
        for table in of_calls(sound=True)
        for column in _PATHS
        if column in table.c
        for name in (await connection.execute(select(table.c[column]).where(table.c.call_id.in_(list(rows))))).scalars()
        if name
    ]
    for row in rows.values():
        names += [name for at in (row.ended_at, row.started_at) if at for name in await _lying(store, row.id, at)]
    call = rows[call_id]
    return Sound(tuple(dict.fromkeys(names)), call.pbx, tuple(sorted(state_call(call.state).channels)))


async def remove_files(store: Store, folders: Mapping[str, Path | None], sound: Sound) -> tuple[str, ...]:
    """Remove the sound from the store, and what the PBX still has of it in the folder that we see.

    Returns the names of files in that folder that may not be removed. Raises StoreError.
    """
    for name in sound.objects:
        try:
            await store.remove(name)
        except FileNotFoundError:  # no name that the store ever gave
            continue
    root = folders.get(sound.pbx)
    if root is None:
        return ()
    names = [*sound.channels, *map(message_of, sound.channels)]
    return await asyncio.to_thread(PbxFolder(root).forget_all, names)


async def remove_rows(connection: AsyncConnection, call_id: UUID, *, sound: bool) -> None:
    """Remove the rows of the sound, or of the text and all that was read from it."""
    for table in of_calls(sound=sound):
        await connection.execute(delete(table).where(table.c.call_id.in_(ids_of(call_id))))


async def text_count(connection: AsyncConnection, call_id: UUID) -> int:
    """How many transcripts the call has: one at most, unless it was joined to another a moment ago."""
    counted = select(func.count()).select_from(transcripts).where(transcripts.c.call_id.in_(ids_of(call_id)))
    return int((await connection.execute(counted)).scalar_one())


async def note_removed(connection: AsyncConnection, call_id: UUID, kinds: Collection[str], cause: str) -> None:
    """Keep that these kinds were removed, so that nobody misses them as lost."""
    rows = [{"call_id": call_id, "kind": kind, "cause": cause} for kind in sorted(kinds)]
    if rows:
        await connection.execute(insert(removals).values(rows).on_conflict_do_nothing())


_NAMED_IN_ORIGINALS: Final = text(
    """
    select call_id from unmasked_transcripts
    where (select string_agg(word->>'text', ' ' order by word->>'side', cast(word->>'start' as double precision))
           from jsonb_array_elements(words) as word) ~ :pattern
    order by call_id
    """
)


async def mentioned_in(connection: AsyncConnection, pattern: str) -> list[UUID]:
    """The calls in whose text, or in what was written of it, somebody names a number of this pattern."""
    asked = select(transcripts.c.call_id).where(transcripts.c.text.regexp_match(pattern))
    masked = list((await connection.execute(asked.order_by(transcripts.c.call_id))).scalars())
    originals = (await connection.execute(_NAMED_IN_ORIGINALS, {"pattern": pattern})).scalars()
    written = select(comments.c.call_id).where(comments.c.text.regexp_match(pattern)).order_by(comments.c.id)
    return list(dict.fromkeys((*masked, *originals, *(await connection.execute(written)).scalars())))


async def forget_mentions(connection: AsyncConnection, call_id: UUID, person: Person) -> None:
    """Remove from the text of a call the sentences that name the person's number; its sound stays.

    Words that are kept unmasked go whole, and the facts of the talk are those of what is left. Who named it was
    another, and the person is not to be heard there. In comments a mask stands for number and name.
    """
    await _mask_comments(connection, call_id, person)
    row = (await connection.execute(select(transcripts).where(transcripts.c.call_id == call_id))).one_or_none()
    if row is None:
        return
    kept = [part for part in row.segments if not person.has_number(part["text"])]
    told = {"segments": kept, "text": "\n".join(part["text"] for part in kept)}
    words = [word for word in row.words if any(_within(word, part) for part in kept)]
    await connection.execute(update(transcripts).where(transcripts.c.call_id == call_id).values(**told, words=words))
    await connection.execute(delete(unmasked_transcripts).where(unmasked_transcripts.c.call_id == call_id))
    await measure_talk(connection, call_id)


async def _mask_comments(connection: AsyncConnection, call_id: UUID, person: Person) -> None:
    unnamed = replace(person, pseudonym=_MASK)
    mine = select(comments).where(comments.c.call_id == call_id, comments.c.text.is_not(None)).with_for_update()
    for row in (await connection.execute(mine)).all():
        if person.has_number(row.text):
            masked = update(comments).where(comments.c.id == row.id).values(text=unnamed.text(row.text))
            await connection.execute(masked)


def _within(word: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    return bool(word["side"] == part["side"] and part["start"] <= word["start"] <= part["end"])


async def _lying(store: Store, call_id: UUID, at: datetime) -> list[str]:
    folder = f"{at.astimezone(UTC):%Y/%m/%d}/{call_id}"
    return [one.path for under in (folder, f"originals/{folder}") async for one in store.walk(under)]
