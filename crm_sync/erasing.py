"""Forgets a person in the lead book: number, name and leads; that they do not want to be called is kept, unreadably."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Table, Text, cast, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.forgetting import Person
from crm_sync.book.locks import lock_numbers
from crm_sync.connection_tables import crm_heard
from crm_sync.ledger.tables import crm_effects
from crm_sync.tables import desk_cards, lead_events, leads, notes, parties, party_numbers, tasks, unwanted_digests
from directory import keys

_FORGET_MOVED = text(
    "update party_merges set moved = jsonb_set(moved, '{numbers}', (moved->'numbers') - cast(:numbers as text[]))"
    " where moved->'numbers' ?| cast(:numbers as text[])"
)
"""A merge that was taken back names numbers of a party that is another's row now."""

_FORGOTTEN = """
    update crm_effects set lane = '', request = null, remote_id = null,
        answer = jsonb_build_object('not_told', 'erased'), next_at = null,
        ended_at = coalesce(ended_at, clock_timestamp()), state = case when ended_at is null then 'done' else state end
"""
_FORGET_CALL = text(f"{_FORGOTTEN} where call_id = :call_id")
_FORGET_LEADS = text(
    f"""
    {_FORGOTTEN} where step in ('lead', 'message') and subject in (
        select v.id from lead_events v join leads l on l.id = v.lead_id where l.party_id = any(:parties))
    """  # noqa: S608 - of our own text
)


MASK = "•••"
"""In what people wrote of others, where they named who is forgotten."""

_WRITTEN: tuple[tuple[Table, str, tuple[str, ...]], ...] = (
    (parties, "id", ("name", "email")),
    (leads, "id", ("fields",)),
    (notes, "id", ("text",)),
    (tasks, "id", ("text",)),
    (desk_cards, "id", ("note", "next_step")),
    (lead_events, "id", ("reason",)),
    (crm_effects, "key", ("request", "answer")),
    (crm_heard, "id", ("told",)),
)
"""Table, key and columns of what people wrote, what CRMs were told of it, and what they told us."""


@dataclass(frozen=True, slots=True)
class Known:
    """Whom the book knows by some numbers: the parties with all of their numbers and names, how many leads they have.

    `unwanted_since`: since when one of them does not want to be called.
    """

    parties: tuple[int, ...]
    numbers: frozenset[str]
    names: frozenset[str]
    lead_count: int
    unwanted_since: datetime | None


async def known_by(connection: AsyncConnection, numbers: Collection[str]) -> Known:
    """Who these numbers (as stored) belong to."""
    mine = select(party_numbers.c.party_id).where(party_numbers.c.number.in_(numbers))
    whole = or_(parties.c.id.in_(mine), parties.c.merged_into.in_(mine))
    rows = (await connection.execute(select(parties).where(whole).order_by(parties.c.id))).all()
    ids = tuple(row.id for row in rows)
    told = select(party_numbers.c.number).where(party_numbers.c.party_id.in_(ids))
    count = select(func.count()).select_from(leads).where(leads.c.party_id.in_(ids))
    return Known(
        parties=ids,
        numbers=frozenset((await connection.execute(told)).scalars()),
        names=frozenset(row.name for row in rows if row.name),
        lead_count=(await connection.execute(count)).scalar_one(),
        unwanted_since=min((row.do_not_call_at for row in rows if row.do_not_call_at), default=None),
    )


async def erase_parties(connection: AsyncConnection, numbers: Collection[str]) -> Known:
    """Remove whom these numbers belong to, in the caller's transaction; returns who that was."""
    await lock_numbers(connection, numbers)
    gone = await known_by(connection, numbers)
    await connection.execute(_FORGET_MOVED, {"numbers": sorted(gone.numbers | set(numbers))})
    await connection.execute(_FORGET_LEADS, {"parties": list(gone.parties)})
    await connection.execute(delete(parties).where(parties.c.id.in_(gone.parties)))
    return gone


async def mask_mentions(connection: AsyncConnection, pattern: str, person: Person) -> int:
    """Mask the person where other parties' names, fields, notes, tasks or effects tell a number of theirs.

    `pattern` is that of `person.numbers`. Returns how many rows told one.
    """
    unnamed, count = replace(person, pseudonym=MASK), 0
    for table, key, columns in _WRITTEN:
        told = or_(*(cast(table.c[name], Text).regexp_match(pattern) for name in columns))
        asked = select(table.c[key], *(table.c[name] for name in columns)).where(told).order_by(table.c[key])
        for row in (await connection.execute(asked.with_for_update())).all():
            kept = {name: _masked(value, unnamed) for name in columns if (value := getattr(row, name)) is not None}
            await connection.execute(update(table).where(table.c[key] == row[0]).values(kept))
            count += 1
    return count


def _masked(told: Any, unnamed: Person) -> Any:
    if isinstance(told, str):
        return unnamed.text(told)
    if isinstance(told, dict):
        return {unnamed.text(name): _masked(value, unnamed) for name, value in told.items()}
    return [_masked(value, unnamed) for value in told] if isinstance(told, list) else told


async def forget_effects(connection: AsyncConnection, call_id: UUID) -> int:
    """Forget who a call was with in what CRMs were told of it, and tell none of it any more; returns how much it was.

    That it was told stays: whoever was told has to forget it by themselves.
    """
    told = await connection.execute(_FORGET_CALL, {"call_id": call_id})
    return told.rowcount


async def forget_cards(connection: AsyncConnection, call_id: UUID) -> None:
    """Forget what people wrote of who a call was with on its card; what its outcome was stays."""
    its = update(desk_cards).where(desk_cards.c.call_id == call_id)
    await connection.execute(its.values(note="", next_step=None))


async def keep_unwanted(connection: AsyncConnection, numbers: Collection[str], since: datetime) -> None:
    """Go on not calling these numbers (E.164 digits) after everything else of them is forgotten."""
    _, secret = await keys.newest(connection, "wishes")
    rows = [{"digest": keys.signed(secret, number), "since": since} for number in sorted(numbers)]
    await connection.execute(insert(unwanted_digests).values(rows).on_conflict_do_nothing())
