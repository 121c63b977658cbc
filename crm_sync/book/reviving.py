"""Takes the steps of revival chains that are due, each once: a lead, its step and what it owes are one transaction.

What a step owes is written where the step is written as taken, so a service that dies between the two has done neither.
A message is an event of its lead, handed over to every connection that takes messages to send on (`lead.message`).
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

import structlog
from sqlalchemy import ColumnElement, Row, and_, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.deadlines import due_at
from crm_sync.book.leads import By, NoSuchLead, held, move_lead, next_step, tell_revival
from crm_sync.book.lifecycle import OPEN, SERVICE, Move
from crm_sync.book.notes import add_task
from crm_sync.book.parties import must_not_be_called
from crm_sync.book.revival import TASK_MINUTES, chain_of, enters_at, next_at, step_of, words
from crm_sync.ledger.tables import crm_connections
from crm_sync.tables import leads, parties, party_numbers
from directory import store
from directory.blocking import blocked_of
from directory.hours import next_open
from directory.lead_policy import LeadPolicy, RevivalChain, RevivalStep
from directory.model import Directory
from notices.model import Notice
from notices.telling import heads_of, tell

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_BATCH: Final = 200


async def revive(engine: AsyncEngine, now: datetime) -> Counter[str]:
    """Take every step that is due at `now`; gives how many came to what (`crm_sync.book.revival.RESULTS`)."""
    async with engine.begin() as connection:
        directory = await store.read(connection)
        await _let_in(connection, directory.leads, now)
    async with engine.connect() as connection:
        asked = select(leads.c.id).where(leads.c.chain_at <= now).order_by(leads.c.chain_at).limit(_BATCH)
        due = list((await connection.execute(asked)).scalars())
    came_to: Counter[str] = Counter()
    for lead in due:
        try:
            async with engine.begin() as connection:
                came_to.update(await _take(connection, directory, lead, now))
        except NoSuchLead:  # erased since
            continue
        except Exception as error:  # noqa: BLE001  # the others go on; this one is met again in the next round
            log.warning("a step of revival could not be taken now", lead=lead, error=type(error).__name__)
    return came_to


async def _let_in(connection: AsyncConnection, policy: LeadPolicy, now: datetime) -> None:
    """Have lost leads wait for a chain that the house wrote since they were lost; who was in one is not met again."""
    if not policy.revival:
        return
    waits = and_(leads.c.stage == "lost", leads.c.chain.is_(None), leads.c.chain_at.is_(None))
    fits = or_(*(_fits(chain) for chain in policy.revival))
    asked = select(leads).where(waits, fits).order_by(leads.c.id).limit(_BATCH)
    for row in (await connection.execute(asked.with_for_update(key_share=True, skip_locked=True))).all():
        at = enters_at(policy, row.reason, row.fields, row.closed_at or now)
        await next_step(connection, row.id, 0, at and max(at, now))


def _fits(chain: RevivalChain) -> ColumnElement[bool]:
    """Whether a chain is for a lead, as `crm_sync.book.revival.chain_of` says, in SQL."""
    asked = [leads.c.fields[name].astext.in_(wanted) for name, wanted in chain.fields.items()]
    return and_(leads.c.stage == "lost", *asked, *([leads.c.reason.in_(chain.reasons)] if chain.reasons else []))


async def _take(connection: AsyncConnection, directory: Directory, lead: int, now: datetime) -> list[str]:
    row = await held(connection, lead)
    if row.chain_at is None or row.chain_at > now:  # somebody else took it, or brought the lead back
        return []
    by = By(who=SERVICE, at=now)
    if row.stage == "lost":
        if chain_of(directory.leads, row.reason, row.fields) is None:
            await next_step(connection, lead, 0, None)
            return []
        await move_lead(connection, directory, lead, Move(stage="reviving"), by)
        return []
    step = step_of(directory.leads, row.chain, row.chain_step)
    name = f"{row.chain}/{row.chain_step + 1}"
    if step is None or await _is_worked(connection, row.party_id):
        ended = "chain_gone" if step is None else "other_lead"
        await tell_revival(connection, lead, name, None, ended, by)
        await _end(connection, directory, lead, row.chain_step, by)
        return [ended]
    later = _later(directory, row.source_line, step, now)
    if later is not None:
        await next_step(connection, lead, row.chain_step, later)
        return []
    if step.do == "task":
        came_to = await _give_task(connection, directory, row, step, name, by)
    else:
        came_to = await _send(connection, directory, row, step, name, by)
    await _go_on(connection, directory, row, by)
    return came_to


async def _is_worked(connection: AsyncConnection, party: int) -> bool:
    asked = select(exists().where(leads.c.party_id == party, leads.c.stage.in_(OPEN)))
    return bool((await connection.execute(asked)).scalar_one())


def _later(directory: Directory, line: str | None, step: RevivalStep, now: datetime) -> datetime | None:
    """When a message may be sent that may not now: nobody hears of a house while its line is closed."""
    known = directory.line(line) if line else None
    if step.do != "message" or known is None:
        return None
    opens = next_open(directory.hours_of(known.hours), directory.zone_of(known), now)
    return opens if opens is not None and opens > now else None


async def _go_on(connection: AsyncConnection, directory: Directory, row: Row[Any], by: By) -> None:
    chain = next(one for one in directory.leads.revival if one.name == row.chain)
    taken = row.chain_step + 1
    following = next_at(chain, taken, row.closed_at, by.at)
    if following is None:
        await _end(connection, directory, row.id, taken, by)
    else:
        await next_step(connection, row.id, taken, following)


async def _end(connection: AsyncConnection, directory: Directory, lead: int, taken: int, by: By) -> None:
    """Nothing more is done for the lead: it is lost, for the reason that it was."""
    await next_step(connection, lead, taken, None)
    await move_lead(connection, directory, lead, Move(stage="lost"), by)


async def _give_task(  # one step, and of what it is one
    connection: AsyncConnection, directory: Directory, row: Row[Any], step: RevivalStep, name: str, by: By
) -> list[str]:
    party = (await connection.execute(select(parties.c.name).where(parties.c.id == row.party_id))).scalar()
    text = words(step.text, party)
    owner = row.owner if row.owner and directory.person(row.owner) else None
    await add_task(
        connection,
        directory,
        row.id,
        text,
        by,
        assignee=owner,
        due_at=due_at(directory, row.source_line, TASK_MINUTES, by.at),
        because=_key(row, name),
    )
    await tell_revival(connection, row.id, name, text, "task", by)
    return ["task"]


async def _send(  # one step, and of what it is one
    connection: AsyncConnection, directory: Directory, row: Row[Any], step: RevivalStep, name: str, by: By
) -> list[str]:
    party = (await connection.execute(select(parties).where(parties.c.id == row.party_id))).one()
    known = select(party_numbers.c.number).where(party_numbers.c.party_id == row.party_id)
    numbers = tuple(sorted((await connection.execute(known)).scalars()))
    text = words(step.text, party.name)
    if await _unwanted(connection, directory, party, numbers):
        result = "unwanted"
    elif await is_sent_on(connection):
        result = "sent_webhook"
    else:
        result = "no_channel"
        await _tell_heads(connection, directory, row.source_line, name, by)
    await tell_revival(connection, row.id, name, text, result, by)
    return [result]


async def is_sent_on(connection: AsyncConnection) -> bool:
    """Whether somebody is there who sends messages on: a connection that takes messages."""
    told = crm_connections.c.steps.any_() == "message"
    asked = select(exists().where(crm_connections.c.state == "active", told))
    return bool((await connection.execute(asked)).scalar_one())


async def _tell_heads(connection: AsyncConnection, directory: Directory, line: str | None, name: str, by: By) -> None:
    """The heads whose business the line is learn it once a day and step, however many leads it is with."""
    key = f"revival_without_channel {name} {by.at.date().isoformat()}"
    notice = Notice(key=key, kind="revival_without_channel", subject="house", values={"step": name})
    await tell(connection, directory, notice, heads_of(directory, line), at=by.at)


async def _unwanted(
    connection: AsyncConnection, directory: Directory, party: Row[Any], numbers: tuple[str, ...]
) -> bool:
    if party.do_not_call_at is not None or await blocked_of(connection, numbers):
        return True
    listed = {entry.number for entry in directory.do_not_call}
    return any([number in listed or await must_not_be_called(connection, number) for number in numbers])


def _key(row: Row[Any], name: str) -> str:
    """Of one step of one way through a chain: who is lost again goes through it again."""
    return f"revival {name} {row.stage_at.isoformat()}"
