"""Forgets clients who were asked for NPS: on request, with a call, and after the days of the policy; scores stay."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.forgetting import Person
from crm_sync.erasing import MASK
from directory.model import Directory
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
