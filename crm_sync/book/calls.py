"""One call into the book, exactly once: what `rules` decide of it, done under the locks of its number and its party.

Rules kept here:
1. Everything about one number happens under that number's lock, so ten calls at once make one party and one lead.
2. The call's own row says whether it is linked already, read under the lock: a job that runs twice does it once.
3. A call changes an owner once at most, and only as `ownership` says; the database refuses a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import exists, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from crm_sync.book.deadlines import due_at
from crm_sync.book.given import tell_task
from crm_sync.book.leads import By, give_lead, move_lead, note_contact, open_lead
from crm_sync.book.lifecycle import OPEN, SERVICE, Move
from crm_sync.book.locks import lock_numbers
from crm_sync.book.ownership import Chosen, Shares, asked, candidates, choose
from crm_sync.book.rules import Booking, CallFacts, Created, decide
from crm_sync.book.standing import open_leads
from crm_sync.tables import leads, parties, party_numbers, tasks
from directory import presence_store
from directory.model import Directory
from directory.presence import Presence, Presences

_LAST_GIVEN = text(
    """
    select owner, last.id from unnest(cast(:members as text[])) as owner
    cross join lateral (select id from leads where leads.owner = owner.owner order by id desc limit 1) as last
    """
)
_ROUND = text("select pg_advisory_xact_lock(hashtextextended(:team, 8))")
"""Two new leads of one team are given one after the other, each by the shares that the one before has left."""


@dataclass(frozen=True, slots=True)
class Linked:
    """Where a call belongs. `lead` None: the party has no open lead and gets none by calling.

    `rule` is the name of the lead rule that decided; `owner` whose the lead was before, None: nobody's, or it is new.
    """

    party: int
    lead: int | None
    created: Created
    rule: str
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class BookedCall:
    """What the book asks of a settled call; `name` as the trunk told it, `at` by the PBX's clock, `ahead` of ours."""

    id: UUID
    facts: CallFacts
    name: str | None
    at: datetime
    ahead: timedelta = timedelta()


async def link(connection: AsyncConnection, directory: Directory, call: BookedCall) -> Linked | None:
    """Link the call inside the caller's transaction, which must also record it; None when there is nothing to link.

    Nothing to link: the call is linked already, or nobody knows the number and the rule makes no party of it.
    """
    await lock_numbers(connection, [call.facts.number])
    linked = await connection.execute(select(calls.c.party_id).where(calls.c.id == call.id))
    if linked.scalar_one_or_none() is not None:
        return None
    party = await _party_of(connection, call.facts.number)
    lead = await _last_lead(connection, party) if party is not None else None
    known, stage = party is not None, lead.stage if lead is not None else None
    closed_since = lead is not None and lead.closed_at is not None and lead.closed_at >= call.at - call.ahead
    booking = decide(directory.leads, call.facts, known=known, stage=stage, closed_since=closed_since)
    if party is None:
        if booking.created == "nothing":
            return None
        party = await _make_party(connection, call)
    if booking.then == "none":
        await _owe_task(connection, directory, booking, call, party, None, None)
        return Linked(party, None, booking.created, booking.rule.name)
    lead_id, owner = await _work(connection, directory, booking, call, party, lead)
    await _owe_task(connection, directory, booking, call, party, lead_id, owner)
    before = lead.owner if lead is not None and booking.then != "new" else None
    return Linked(party, lead_id, booking.created, booking.rule.name, before)


async def _party_of(connection: AsyncConnection, number: str) -> int | None:
    """The party of a number, locked: calls from two numbers of one party come one after the other.

    A party that was merged while we waited for it is the one that was kept.
    """
    whose = select(party_numbers.c.party_id).where(party_numbers.c.number == number)
    party: int | None = (await connection.execute(whose)).scalar_one_or_none()
    while party is not None:
        locked = select(parties.c.merged_into).where(parties.c.id == party).with_for_update(key_share=True)
        row = (await connection.execute(locked)).one_or_none()
        if row is None or row.merged_into is None:
            return party if row is not None else None
        party = row.merged_into
    return None


async def _last_lead(connection: AsyncConnection, party: int) -> Any:
    """The party's open lead, else its last."""
    last = select(leads.c.id, leads.c.stage, leads.c.owner, leads.c.closed_at).where(leads.c.party_id == party)
    return (await connection.execute(last.order_by(leads.c.stage.in_(OPEN).desc(), leads.c.id.desc()).limit(1))).first()


async def _make_party(connection: AsyncConnection, call: BookedCall) -> int:
    # A trunk without a name repeats the number.
    name = call.name if call.name and not call.name.lstrip("+").isdigit() else None
    made = await connection.execute(insert(parties).values(name=name, created_at=call.at).returning(parties.c.id))
    party: int = made.scalar_one()
    await connection.execute(insert(party_numbers).values(number=call.facts.number, party_id=party))
    return party


async def _work(  # all that there is of the call and of its party
    connection: AsyncConnection, directory: Directory, booking: Booking, call: BookedCall, party: int, lead: Any
) -> tuple[int, str | None]:
    """Open the lead, or let it go on; gives its id and whose it is now."""
    by, owner = _by(call, booking.rule.name), None
    if booking.then == "new":
        stage, line, minutes = booking.stage or "", call.facts.line, booking.rule.minutes
        lead_id = await open_lead(connection, directory, party, by, stage=stage, line=line, minutes=minutes)
    else:
        lead_id, owner = lead.id, lead.owner
        if booking.stage is not None and booking.stage != lead.stage:
            await move_lead(connection, directory, lead_id, Move(stage=booking.stage), by)
    chosen = await _new_owner(connection, directory, booking, call, owner)
    if chosen is not None and chosen.person != owner:
        reason = f"{booking.rule.name}/{chosen.by}"
        await give_lead(connection, lead_id, chosen.person, _by(call, reason))
        owner = chosen.person
    await note_contact(connection, lead_id, by, talked=call.facts.answered)
    return lead_id, owner


async def _new_owner(
    connection: AsyncConnection, directory: Directory, booking: Booking, call: BookedCall, owner: str | None
) -> Chosen | None:
    presence: Mapping[str, Presence] = {}
    if booking.then == "back" or not {"answered", "answered_last"}.issuperset(booking.rule.owner):
        presence = Presences(directory, await presence_store.read(connection), call.at)
    rules = asked(directory, booking, owner, presence)
    shares = await _shares(connection, directory, call) if "round_robin" in rules else Shares()
    return choose(directory, rules, candidates(directory, call.facts, presence, shares), presence)


async def _shares(connection: AsyncConnection, directory: Directory, call: BookedCall) -> Shares:
    line = directory.line(call.facts.line) if call.facts.line else None
    if line is None:
        return Shares()
    await connection.execute(_ROUND, {"team": line.team})
    members = [person.key for person in directory.members(line.team)]
    given = {row.owner: row.id for row in await connection.execute(_LAST_GIVEN, {"members": members})}
    return Shares(open_leads=await open_leads(connection, members), last_given=given)


async def _owe_task(  # all that there is of the call and of what it made
    connection: AsyncConnection,
    directory: Directory,
    booking: Booking,
    call: BookedCall,
    party: int,
    lead: int | None,
    owner: str | None,
) -> None:
    """Write the task that the rule owes, unless the one of an earlier call is still to be done."""
    wish = booking.rule.task
    if wish is None or not booking.owes_task:
        return
    because = f"rule/{booking.rule.name}"
    same = (tasks.c.party_id == party, tasks.c.done_at.is_(None), tasks.c.made_because.startswith(because + "/"))
    if (await connection.execute(select(exists().where(*same)))).scalar_one():
        return
    task: dict[str, Any] = {
        "party_id": party,
        "lead_id": lead,
        "call_id": call.id,
        "text": wish.text,
        "assignee": owner,
        "due_at": due_at(directory, call.facts.line, wish.minutes, call.at),
        "made_at": call.at,
        "made_by": SERVICE,
        "made_because": f"{because}/{call.id}",
    }
    made: int = (await connection.execute(insert(tasks).values(task).returning(tasks.c.id))).scalar_one()
    by, due = _by(call, booking.rule.name), task["due_at"]
    await tell_task(connection, directory, made, by, lead=lead, assignee=owner, due_at=due)


def _by(call: BookedCall, rule: str) -> By:
    return By(who=SERVICE, at=call.at, call=call.id, rule=rule)
