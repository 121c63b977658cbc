"""Forgets clients who were asked for NPS: on request, with a call, and after the days of the policy; scores stay."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.forgetting import Person
from crm_sync.erasing import MASK
from directory.model import Directory
from recordings import audit
from recordings.masked_rows import policy_of
from reports.nps_tables import nps_asks

_THERE = or_(nps_asks.c.number != "", nps_asks.c.party_id.is_not(None), nps_asks.c.comment.is_not(None))


async def forget(connection: AsyncConnection, numbers: Collection[str]) -> int:
    """Forget a client by their numbers (as stored); returns how many asks told of them."""
    return await _forget(connection, nps_asks.c.number.in_(numbers))


async def forget_call(connection: AsyncConnection, call_id: UUID) -> int:
    """Forget the client of a call that is forgotten: who was asked after it, or by it."""
    return await _forget(connection, or_(nps_asks.c.talk_id == call_id, nps_asks.c.call_id == call_id))


async def mask_mentions(connection: AsyncConnection, pattern: str, person: Person) -> int:
    """Mask the person where other clients' comments tell a number of theirs; returns how many did.

    `pattern` is that of `person.numbers`.
    """
    unnamed, told = replace(person, pseudonym=MASK), nps_asks.c.comment.regexp_match(pattern)
    found = (await connection.execute(select(nps_asks.c.id, nps_asks.c.comment).where(told).with_for_update())).all()
    for row in found:
        its = update(nps_asks).where(nps_asks.c.id == row.id)
        await connection.execute(its.values(comment=unnamed.text(row.comment)))
    return len(found)


async def mask_anew(engine: AsyncEngine, since: datetime, until: datetime) -> int:
    """Mask what clients wrote in a time by the policy of now, each in a transaction of its own; gives how many changed.

    What is masked stays so. Killed in the middle, it goes on where it was when it is called again.
    """
    told = (nps_asks.c.comment.is_not(None), nps_asks.c.answered_at.between(since, until))
    async with engine.connect() as connection:
        asks = (await connection.execute(select(nps_asks.c.id).where(*told))).scalars().all()
    changed = 0
    for ask in asks:
        async with engine.begin() as connection:
            changed += await _mask_anew(connection, ask)
    return changed


async def _mask_anew(connection: AsyncConnection, ask: int) -> bool:
    asked = select(nps_asks.c.line, nps_asks.c.comment).where(nps_asks.c.id == ask).with_for_update()
    row = (await connection.execute(asked)).one_or_none()
    if row is None or row.comment is None:
        return False
    comment = (await policy_of(connection, row.line)).mask_text(row.comment)
    if comment == row.comment:
        return False
    await connection.execute(update(nps_asks).where(nps_asks.c.id == ask).values(comment=comment))
    await audit.note(connection, audit.THE_OPERATOR, "masked_anew", f"answer {ask}")
    return True


async def keep_to(
    connection: AsyncConnection, directory: Directory, now: datetime, is_held: Callable[[str], bool]
) -> int:
    """Forget what is past its line's days of texts and of parties, but of numbers that are held; returns how much."""
    days = {line: directory.retention_of(line, "answered") for line in ("", *(it.number for it in directory.lines))}
    told = [span for keep in days.values() for span in (keep.transcript_days, keep.party_days) if span]
    if not told:
        return 0
    since = func.coalesce(nps_asks.c.asked_at, nps_asks.c.planned_at)
    columns = (nps_asks.c.id, nps_asks.c.number, nps_asks.c.line, nps_asks.c.comment, (now - since).label("age"))
    texts, parties = [], []
    for row in await connection.execute(select(*columns).where(_THERE, since < now - timedelta(days=min(told)))):
        keep = days.get(row.line, days[""])
        if is_held(row.number):
            continue
        if keep.party_days and row.age >= timedelta(days=keep.party_days):
            parties.append(row.id)
        elif row.comment is not None and keep.transcript_days and row.age >= timedelta(days=keep.transcript_days):
            texts.append(row.id)
    await connection.execute(update(nps_asks).where(nps_asks.c.id.in_(texts)).values(comment=None))
    return len(texts) + await _forget(connection, nps_asks.c.id.in_(parties))


async def _forget(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    waiting = nps_asks.c.state.in_(("planned", "sent"))
    await connection.execute(update(nps_asks).where(which, waiting).values(state="expired"))
    nobody = {"number": "", "party_id": None, "lead_id": None, "comment": None, "message_id": None}
    return (await connection.execute(update(nps_asks).where(which, _THERE).values(nobody))).rowcount
