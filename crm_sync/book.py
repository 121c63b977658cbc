"""One call into the book, exactly once: the party found or made, its open lead found or opened.

Rules kept here:
1. Everything about one number happens under that number's lock, so ten calls at once make one party and one lead.
2. The call's own row says whether it is linked already, read under the lock: a job that runs twice does it once.
3. Who first talks with a party whose open lead has no owner becomes its owner; nothing else changes an owner here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import exists, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from crm_sync.leads import SERVICE, By, give_lead, move_lead, note_contact, open_lead
from crm_sync.lifecycle import AWAY, OPEN, Move, after_call, first_stage, opens_again
from crm_sync.locks import lock_numbers
from crm_sync.tables import leads, parties, party_numbers
from directory.model import Directory
from directory.tables import blocked_numbers, devices, lines

Created = Literal["nothing", "lead", "party_and_lead"]


@dataclass(frozen=True, slots=True)
class Linked:
    """Where a call belongs. `lead` None: the party has no open lead and gets none by calling."""

    party: int
    lead: int | None
    created: Created


@dataclass(frozen=True, slots=True)
class BookedCall:
    """What the book asks of a call: `person` is the key of who talked, None when it was missed."""

    id: UUID
    number: str
    name: str | None
    line: str | None
    person: str | None
    talked: bool
    at: datetime


async def link(connection: AsyncConnection, directory: Directory, call: BookedCall) -> Linked | None:
    """Link the call inside the caller's transaction, which must also record it; None when there is nothing to link.

    Nothing to link: the call is linked already, or the number is a colleague's, one of our lines, or blocked.
    """
    await lock_numbers(connection, [call.number])
    linked = await connection.execute(select(calls.c.party_id).where(calls.c.id == call.id))
    if linked.scalar_one_or_none() is not None or await _is_ours(connection, call.number):
        return None
    asked = select(party_numbers.c.party_id).where(party_numbers.c.number == call.number)
    party = (await connection.execute(asked)).scalar_one_or_none()
    if party is None:
        party = await _make_party(connection, call)
        return Linked(party, await _open_lead(connection, directory, party, call), "party_and_lead")
    # The row lock orders calls from two numbers of one party.
    await connection.execute(select(parties.c.id).where(parties.c.id == party).with_for_update())
    last = select(leads.c.id, leads.c.stage, leads.c.step, leads.c.owner).where(leads.c.party_id == party)
    lead = (await connection.execute(last.order_by(leads.c.stage.in_(OPEN).desc(), leads.c.id.desc()).limit(1))).first()
    if lead is not None and lead.stage in (*OPEN, *AWAY):
        await _take_up(connection, directory, lead, call)
        return Linked(party, lead.id, "nothing")
    if opens_again(lead.stage if lead is not None else None):
        return Linked(party, await _open_lead(connection, directory, party, call), "lead")
    return Linked(party, None, "nothing")


async def _is_ours(connection: AsyncConnection, number: str) -> bool:
    ours = or_(
        exists().where(or_(devices.c.address == number, devices.c.number == number)),
        exists().where(lines.c.number == number),
        exists().where(blocked_numbers.c.number == number),
    )
    return bool((await connection.execute(select(ours))).scalar_one())


async def _make_party(connection: AsyncConnection, call: BookedCall) -> int:
    # A trunk without a name repeats the number.
    name = call.name if call.name and not call.name.lstrip("+").isdigit() else None
    made = await connection.execute(insert(parties).values(name=name, created_at=call.at).returning(parties.c.id))
    party: int = made.scalar_one()
    await connection.execute(insert(party_numbers).values(number=call.number, party_id=party))
    return party


async def _open_lead(connection: AsyncConnection, directory: Directory, party: int, call: BookedCall) -> int:
    by, owner = _by(call), call.person if call.talked else None
    stage = first_stage(talked=call.talked)
    lead = await open_lead(connection, directory, party, by, stage=stage, owner=owner, line=call.line)
    await note_contact(connection, lead, by, talked=call.talked)
    return lead


async def _take_up(connection: AsyncConnection, directory: Directory, lead: Any, call: BookedCall) -> None:
    by, stage = _by(call), after_call(lead.stage, talked=call.talked)
    if stage != lead.stage:
        await move_lead(connection, directory, lead.id, Move(stage=stage), by)
    if lead.owner is None and call.talked and call.person:
        await give_lead(connection, lead.id, call.person, by)
    await note_contact(connection, lead.id, by, talked=call.talked)


def _by(call: BookedCall) -> By:
    return By(who=SERVICE, at=call.at, call=call.id)
