"""Takes back what was stored of a call before it came to light that its caller had refused to be recorded.

Sound and text go whole, a message in voicemail with them: in an archive and in a text nobody can tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.erasing import stored_events
from calls.forgetting import Person
from calls.record import event_json
from directory.numbers import significant
from recordings import erasing, rows
from recordings.privacy_tables import holds
from recordings.store import Store

_NO_NEW_HOLDS: Final = text("lock table holds in share mode")


async def take_back(connection: AsyncConnection, store: Store, folders: Mapping[str, Path | None], call: Any) -> bool:
    """Remove sound and text of the call (a row of `rows.call_of`); False, and nothing, while the law holds it."""
    if await _is_held(connection, call):
        return False
    sound = await erasing.sound_of(connection, store, call.id)
    await erasing.remove_files(store, folders, sound)
    for of_sound in (True, False):
        await erasing.remove_rows(connection, call.id, sound=of_sound)
    await rows.forget_call_audio(connection, call.id)
    await erasing.note_removed(connection, call.id, ["audio", "transcript"], "refusal")
    return True


async def _is_held(connection: AsyncConnection, call: Any) -> bool:
    """Whether the call is held, or somebody in it; whoever sets a hold now waits until the transaction ends."""
    await connection.execute(_NO_NEW_HOLDS)
    held = (await connection.execute(select(holds.c.call_id, holds.c.number))).all()
    if not held:
        return False
    told = str([event_json(event) for event in await stored_events(connection, call.id)])
    region = await connection.scalar(text("select region from company"))
    numbers = (significant(one.number, region or "RU") for one in held if one.number)
    return any(one.call_id == call.id for one in held) or any(
        Person(frozenset({digits}), frozenset(), "").has_number(told) for digits in numbers
    )
