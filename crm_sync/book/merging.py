"""Two parties that turn out to be one, taken back, and what else people write of a party.

Rules kept here:
1. Nothing is lost by a merge: numbers, leads, notes, tasks and earlier merges move to the party that is kept, and what
   moved is written down; calls keep their party, and are read through `parties.merged_into`.
2. Where both have an open lead, that of the party that goes is disqualified as a duplicate of the kept one's.
3. To unmerge gives back exactly what moved, as far as it is still there, with what was written of these leads since,
   and opens the duplicate again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, insert, null, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.leads import By, move_lead, move_to_party
from crm_sync.book.lifecycle import OPEN, Move
from crm_sync.book.locks import lock_numbers
from crm_sync.book.rules import number_in_book
from crm_sync.tables import leads, notes, parties, party_merges, party_numbers, tasks
from directory.model import Directory

NAME_MOST = 200
_TAKEN = ("name", "email", "do_not_call_at")
"""What the kept party takes of the other where it has none itself."""


class PartyRefused(ValueError):
    """What was asked of a party cannot be; `field` names what is wrong, the text says why. Nothing was changed."""

    def __init__(self, field: str, message: str) -> None:
        """Keep the field beside the message."""
        super().__init__(f"{field}: {message}")
        self.field = field


def same_party(party: ColumnElement[int] | int) -> Select[int]:
    """The ids of a party and of all that were merged into it: those whose calls are its calls."""
    own = parties.alias("same_party")
    return select(own.c.id).where(or_(own.c.id == party, own.c.merged_into == party)).correlate_except(own)


async def merge(connection: AsyncConnection, directory: Directory, kept: int, gone: int, by: By) -> None:
    """Make `gone` part of `kept`. Raises PartyRefused."""
    if kept == gone:
        raise PartyRefused("with", f"must be another party, got {gone} itself")
    rows = await _locked(connection, (kept, gone))
    for party in (kept, gone):
        if rows[party].merged_into is not None:
            raise PartyRefused("party", f"{party} was merged into {rows[party].merged_into} already")
    closed = await _close_duplicate(connection, directory, kept, gone, by)
    taken = [name for name in _TAKEN if getattr(rows[kept], name) is None and getattr(rows[gone], name) is not None]
    moved: dict[str, Any] = {
        "numbers": await _move(connection, party_numbers, party_numbers.c.number, kept, gone),
        "leads": await _move_leads(connection, gone, kept, by),
        "notes": await _move(connection, notes, notes.c.id, kept, gone),
        "tasks": await _move(connection, tasks, tasks.c.id, kept, gone),
        "taken": taken,
    }
    earlier = update(parties).where(parties.c.merged_into == gone).values(merged_into=kept).returning(parties.c.id)
    moved |= {"parties": list((await connection.execute(earlier)).scalars()), "closed": closed}
    await connection.execute(update(parties).where(parties.c.id == gone).values(merged_into=kept))
    if taken:
        values = {name: getattr(rows[gone], name) for name in taken}
        await connection.execute(update(parties).where(parties.c.id == kept).values(values))
    row = {"kept": kept, "gone": gone, "at": by.at, "by": by.who, "moved": moved}
    await connection.execute(insert(party_merges).values(row))


async def unmerge(connection: AsyncConnection, directory: Directory, gone: int, by: By) -> int:
    """Make a party that was merged one of its own again; gives the id of the one that it was part of.

    Raises PartyRefused.
    """
    first = (await connection.execute(select(parties.c.merged_into).where(parties.c.id == gone))).scalar()
    rows = await _locked(connection, (gone, *([first] if first else [])))
    kept = rows[gone].merged_into
    if kept is None:
        raise PartyRefused("party", f"{gone} is not merged into another")
    if kept != first:
        raise PartyRefused("party", f"{gone} was merged anew meanwhile; try again")
    undone = party_merges.c.undone_at.is_(None)
    last = select(party_merges).where(party_merges.c.gone == gone, undone).order_by(party_merges.c.id.desc()).limit(1)
    merged = (await connection.execute(last)).one()
    moved = merged.moved
    await connection.execute(update(parties).where(parties.c.id == gone).values(merged_into=None))
    for table, column, name in (
        (party_numbers, party_numbers.c.number, "numbers"),
        (notes, notes.c.id, "notes"),
        (tasks, tasks.c.id, "tasks"),
    ):
        await _move(connection, table, column, gone, kept, moved[name])
    back_again = await _move_leads(connection, kept, gone, by, moved["leads"])
    for table in (notes, tasks):
        await _move(connection, table, table.c.lead_id, gone, kept, back_again)
    back = and_(parties.c.id.in_(moved["parties"]), parties.c.merged_into == kept)
    await connection.execute(update(parties).where(back).values(merged_into=gone))
    for name in moved["taken"]:
        same = and_(parties.c.id == kept, parties.c[name] == getattr(rows[gone], name))
        await connection.execute(update(parties).where(same).values({name: null()}))
    await _open_again(connection, directory, gone, moved["closed"], by)
    told = {"undone_at": by.at, "undone_by": by.who}
    await connection.execute(update(party_merges).where(party_merges.c.id == merged.id).values(told))
    return int(kept)


async def add_number(connection: AsyncConnection, directory: Directory, party: int, written: str) -> str:
    """Note that a party has another number, and give it as it is kept. Raises PartyRefused."""
    number = number_in_book(directory, written)
    if number is None:
        raise PartyRefused("number", f"must be a telephone number outside, not ours and not blocked, got {written!r}")
    rows = await _locked(connection, (party,), (number,))
    if rows[party].merged_into is not None:
        raise PartyRefused("party", f"{party} was merged into {rows[party].merged_into}")
    asked = select(party_numbers.c.party_id).where(party_numbers.c.number == number)
    whose = (await connection.execute(asked)).scalar_one_or_none()
    if whose == party:
        return number
    if whose is not None:
        raise PartyRefused("number", f"{written!r} is of party {whose}; merge the two if they are one")
    await connection.execute(insert(party_numbers).values(number=number, party_id=party))
    return number


async def rename(connection: AsyncConnection, party: int, name: str) -> None:
    """Write a party's name; blanks alone take it away. Raises PartyRefused."""
    plain = " ".join(name.split())
    if len(plain) > NAME_MOST or not plain.isprintable():
        raise PartyRefused("name", f"must be at most {NAME_MOST} printable characters, got {len(plain)}")
    told = update(parties).where(parties.c.id == party).values(name=plain or None)
    if not (await connection.execute(told)).rowcount:
        raise PartyRefused("party", f"there is no party {party}")


async def merges_of(connection: AsyncConnection, party: int) -> list[Row[Any]]:
    """Every merge that a party was part of, oldest first."""
    mine = or_(party_merges.c.kept == party, party_merges.c.gone == party)
    return list((await connection.execute(select(party_merges).where(mine).order_by(party_merges.c.id))).all())


async def _locked(connection: AsyncConnection, ids: Collection[int], more: Collection[str] = ()) -> dict[int, Row[Any]]:
    """The rows of parties, locked after all of their numbers, and some `more`. Raises PartyRefused.

    A number that one of them got while we waited is locked too: then all locks are taken anew, in their order.
    """
    asked = select(party_numbers.c.number).where(party_numbers.c.party_id.in_(ids))
    locked = select(parties).where(parties.c.id.in_(ids)).order_by(parties.c.id).with_for_update(key_share=True)
    while True:
        attempt = await connection.begin_nested()  # taken back, it lets its locks go
        numbers = set((await connection.execute(asked)).scalars())
        await lock_numbers(connection, [*numbers, *more])
        rows = {row.id: row for row in await connection.execute(locked)}
        if numbers.issuperset((await connection.execute(asked)).scalars()):
            await attempt.commit()
            break
        await attempt.rollback()
    for party in ids:
        if party not in rows:
            raise PartyRefused("party", f"there is no party {party}")
    return rows


async def _move(  # what, from whom, to whom
    connection: AsyncConnection, table: Table, key: Any, to: int, of: int, only: Collection[Any] | None = None
) -> list[Any]:
    moved = update(table).where(table.c.party_id == of).values(party_id=to).returning(key)
    return list((await connection.execute(moved if only is None else moved.where(key.in_(only)))).scalars())


async def _move_leads(
    connection: AsyncConnection, of: int, to: int, by: By, only: Collection[int] | None = None
) -> list[int]:
    asked = select(leads.c.id).where(leads.c.party_id == of).order_by(leads.c.id)
    ids = list((await connection.execute(asked if only is None else asked.where(leads.c.id.in_(only)))).scalars())
    for lead in ids:
        await move_to_party(connection, lead, to, by)
    return ids


async def _open_of(connection: AsyncConnection, party: int) -> Any:
    asked = select(leads).where(leads.c.party_id == party, leads.c.stage.in_(OPEN))
    return (await connection.execute(asked)).one_or_none()


async def _close_duplicate(
    connection: AsyncConnection, directory: Directory, kept: int, gone: int, by: By
) -> dict[str, Any] | None:
    """Where both have an open lead, the one that goes is a duplicate; gives what it was, to be opened again."""
    mine, other = await _open_of(connection, kept), await _open_of(connection, gone)
    if mine is None or other is None:
        return None
    move = Move(stage="disqualified", reason="duplicate", duplicate_of=mine.id)
    await move_lead(connection, directory, other.id, move, by)
    return {"lead": other.id, "of": mine.id, "stage": other.stage, "step": other.step}


async def _open_again(
    connection: AsyncConnection, directory: Directory, gone: int, closed: dict[str, Any] | None, by: By
) -> None:
    """Open the duplicate again, in work where it was, else in qualification; unless people decided otherwise since."""
    if closed is None or await _open_of(connection, gone) is not None:
        return
    same = (leads.c.id == closed["lead"], leads.c.stage == "disqualified", leads.c.duplicate_of == closed["of"])
    found = await connection.execute(select(leads.c.id).where(*same, leads.c.party_id == gone))
    if found.scalar_one_or_none() is None:
        return
    step = closed["step"] if closed["step"] and directory.leads.step(closed["step"]) else None
    move = Move(stage="in_work", step=step) if closed["stage"] == "in_work" else Move(stage="qualifying")
    undone = By(who=by.who, at=by.at, head=True, call=by.call, rule=by.rule)
    await move_lead(connection, directory, closed["lead"], move, undone)
