"""Removes kinds of things of one call, in every room, in one transaction: what retention and erasure have in common."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.erasing import erase_call, stored_events, take
from calls.events import Event
from calls.forgetting import Person, names_in, numbers_in
from calls.record import event_json
from crm_sync.erasing import forget_cards, forget_effects
from directory.model import Directory
from directory.numbers import significant
from recordings import erasing
from recordings.privacy_tables import holds
from reports import nps_erasing
from routing.erasing import forget_calls_out

_NO_NEW_HOLDS: Final = text("lock table holds in share mode")


class HeldError(Exception):
    """The law holds the call: nothing of it was removed. `hold` is the hold's id."""

    def __init__(self, hold: int) -> None:
        super().__init__(f"hold {hold}")
        self.hold = hold


def pseudonym() -> str:
    """What stands for a number from now on: random, so nothing leads back."""
    return f"erased{secrets.randbelow(10**12):012d}"


@dataclass(frozen=True)
class Ours:
    """Who is never forgotten: the house's own people and numbers."""

    directory: Directory

    @cached_property
    def numbers(self) -> frozenset[str]:
        """The significant digits of every number of ours."""
        lines = [told for line in self.directory.lines for told in (line.number, line.shows, line.emergency) if told]
        mobiles = [it.address for person in self.directory.people for it in person.devices if it.kind == "mobile"]
        return frozenset(map(self.digits, (*lines, *mobiles)))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the house, its people, teams and lines."""
        house = self.directory
        told = [house.company.name, *(one.name for one in house.people), *(one.name for one in house.teams)]
        told += [line.name for line in house.lines]
        return frozenset(map(str.casefold, told))

    def digits(self, number: str) -> str:
        """The digits by which a number is known in any spelling."""
        return significant(number, self.directory.company.region)

    def named(self, names: Iterable[str]) -> frozenset[str]:
        """Of these names those that are nobody's of ours."""
        return frozenset(name for name in names if name.strip().casefold() not in self.names)

    def whole(self, person: Person, told: Sequence[Event]) -> Person:
        """The person with the names by which a call told of them."""
        return replace(person, names=person.names | self.named(names_in(told, person)))

    def outsiders(self, told: Sequence[Event]) -> Person:
        """Everybody in a call who is not ours, under one pseudonym of this call alone."""
        found = frozenset(map(self.digits, numbers_in(told))) - self.numbers
        return self.whole(Person(found, frozenset(), pseudonym()), told)


@dataclass(frozen=True, slots=True)
class Removed:
    """How much of what went, and names of files in the PBX's folder that nobody lets us remove."""

    went: Counter[str]
    files_left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remover:
    """What it takes: `store` of recordings, `folders` where each PBX records (None: it does not for us)."""

    store: erasing.Store
    folders: Mapping[str, Path | None]

    async def remove(
        self,
        connection: AsyncConnection,
        call_id: UUID,
        kinds: Collection[str],
        *,
        ours: Ours,
        person: Person | None = None,
    ) -> Removed:
        """Remove `kinds` (of REMOVED) of a call, and count what went. Raises NotYetError (calls.erasing), HeldError.

        `person`: who is erased; None: the policy says so, and everybody in it who is not ours is forgotten. Sound goes
        before the transaction ends: whoever dies in between leaves rows whose sound is gone, and finds them again.
        """
        tasks = None if "party" in kinds else frozenset().union(*(erasing.TASKS[kind] for kind in kinds))
        await take(connection, call_id, tasks)
        hold = await hold_on(connection, call_id, await told_of(connection, call_id), await holding(connection, ours))
        if hold is not None:
            raise HeldError(hold)
        gone: Counter[str] = Counter()
        files_left: tuple[str, ...] = ()
        if "audio" in kinds:
            sound = await erasing.sound_of(connection, self.store, call_id)
            files_left = await erasing.remove_files(self.store, self.folders, sound)
            await erasing.remove_rows(connection, call_id, sound=True)
            gone["audio_files"] += len(sound.objects)
        if "transcript" in kinds:
            gone["texts"] += await erasing.text_count(connection, call_id)
            await erasing.remove_rows(connection, call_id, sound=False)
        if "party" in kinds:
            regions = ours.directory.regions
            lost = await erase_call(
                connection, call_id, lambda told: ours.whole(person, told) if person else ours.outsiders(told), regions
            )
            gone["events"] += lost.event_count
            gone["promises"] += lost.promise_count
            gone["calls_out"] += await forget_calls_out(connection, lost.person, channels=lost.channels)
            gone["crm_effects"] += await forget_effects(connection, call_id)
            gone["nps"] += await nps_erasing.forget_call(connection, call_id)
            await forget_cards(connection, call_id)
        await erasing.note_removed(connection, call_id, kinds, "erasure" if person else "policy")
        return Removed(gone, files_left)


async def held_digits(connection: AsyncConnection, ours: Ours) -> dict[str, int]:
    """The numbers that the law holds, as digits -> the hold's id."""
    asked = select(holds.c.number, holds.c.id).where(holds.c.number.is_not(None))
    return {ours.digits(row.number): row.id for row in await connection.execute(asked)}


async def holding(connection: AsyncConnection, ours: Ours) -> dict[str, int]:
    """`held_digits` as they stay until this transaction ends: whoever sets a hold now waits for it."""
    await connection.execute(_NO_NEW_HOLDS)
    return await held_digits(connection, ours)


async def told_of(connection: AsyncConnection, call_id: UUID) -> str:
    """Everything that was told of a call, as one text."""
    return str([event_json(event) for event in await stored_events(connection, call_id)])


async def hold_on(connection: AsyncConnection, call_id: UUID, told: Any, held: Mapping[str, int]) -> int | None:
    """The hold by which a call is held, itself or somebody in it; `told` is any text that tells of it."""
    own = (await connection.execute(select(holds.c.id).where(holds.c.call_id == call_id))).scalars().first()
    if own is not None:
        return int(own)
    return next((held[one] for one in sorted(held) if Person(frozenset({one}), frozenset(), "").has_number(told)), None)
