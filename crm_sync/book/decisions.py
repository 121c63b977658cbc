"""What people decide about a lead: checked, carried out and kept with who and when, in the caller's transaction.

Whoever decides says what they saw: where the lead has changed meanwhile nothing is done, and they are told what
happened (`ChangedMeanwhile`). `crm_sync.book.leads` writes; here is what only a person's decision needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.given import tell_lead
from crm_sync.book.leads import By, give_lead, held, locked, move_lead, place, set_deadline, set_fields
from crm_sync.book.lifecycle import AWAY, BACK, LifecycleError, Move
from crm_sync.tables import lead_events, leads, party_numbers
from directory import presence_store
from directory.blocking import block_numbers
from directory.model import Directory
from directory.presence import Presences

FIELDS_MOST: Final = 50
NAME_MOST: Final = 64
VALUE_MOST: Final = 500

UNSEEN: Final = "?"
"""In place of what somebody saw: they did not say."""


class ChangedMeanwhile(Exception):
    """The lead is not as whoever decides saw it: `now` is what it is, `event` the row of what made it so."""

    def __init__(self, seen: str, now: str, event: Row[Any] | None) -> None:
        """Keep what happened beside the words."""
        told = f"; {event.by} changed it at {event.at.isoformat(timespec='seconds')}" if event else ""
        super().__init__(f"the lead was {seen or 'nobody'} and is {now or 'nobody'} now{told}")
        self.now = now
        self.event = event


async def decide(  # what a decision is
    connection: AsyncConnection,
    directory: Directory,
    lead: int,
    move: Move,
    by: By,
    *,
    seen: str = UNSEEN,
    block: bool = False,
) -> tuple[str, ...]:
    """Move a lead as a person says, and give the numbers that are blocked now for it.

    `seen`: where they saw it, as `leads.place` tells it. `block`: with spam, and never without being told so, the
    numbers of its client go on the block list. Raises LifecycleError, ChangedMeanwhile, NoSuchLead.
    """
    row = await held(connection, lead)
    await _as_seen(connection, row, "stage", seen, place(row.stage, row.step))
    if block and (move.stage, move.reason) != ("disqualified", "spam"):
        raise LifecycleError("block", "only the numbers of spam are blocked with their lead")
    if move.duplicate_of is not None:
        await _check_other(connection, row, move.duplicate_of)
    await move_lead(connection, directory, lead, move, by)
    if not block:
        return ()
    numbers = await numbers_of(connection, row.party_id)
    return await block_numbers(connection, numbers, f"spam, lead {lead}, by {by.who}")


async def bring_back(
    connection: AsyncConnection, directory: Directory, lead: int, by: By, *, seen: str = UNSEEN
) -> None:
    """Return a lost lead to work: to the step that it was lost at, and to its owner while they work here.

    Raises LifecycleError, ChangedMeanwhile, NoSuchLead.
    """
    row = await held(connection, lead)
    await _as_seen(connection, row, "stage", seen, place(row.stage, row.step))
    if row.stage not in AWAY:
        raise LifecycleError("stage", f"only a lost lead is returned, this one is {row.stage!r}")
    step = await _lost_at_step(connection, lead)
    known = directory.leads.step(step) if step else None
    await move_lead(connection, directory, lead, Move(stage=BACK, step=step if known else None), by)
    owner = await returns_to(connection, directory, row.owner, by.at)
    if owner != row.owner:
        await give_lead(connection, lead, owner, replace(by, rule="return_owner"))


async def returns_to(connection: AsyncConnection, directory: Directory, owner: str | None, at: datetime) -> str | None:
    """Give whose a lead is that comes back: its owner's as before while they work here and are not absent; else None.

    Then the rules of `return_owner` say whose, where a call brought it back.
    """
    if owner is None or directory.person(owner) is None:
        return None
    presence = Presences(directory, await presence_store.read(connection, owner), at)[owner]
    return owner if presence.absence is None else None


async def give(  # what a decision is
    connection: AsyncConnection,
    directory: Directory,
    lead: int,
    owner: str | None,
    by: By,
    *,
    seen: str | None = UNSEEN,
) -> bool:
    """Give a lead to a person (None: nobody), who is told; False: it was theirs. `seen`: whose it was to who looked.

    Raises LifecycleError, ChangedMeanwhile, NoSuchLead.
    """
    row = await locked(connection, lead)
    if seen != UNSEEN:
        await _as_seen(connection, row, "owner", seen or "", row.owner or "")
    if owner is not None and directory.person(owner) is None:
        raise LifecycleError("owner", f"there is no person {owner!r}")
    given = await give_lead(connection, lead, owner, by)
    if given:
        await tell_lead(connection, directory, lead, owner, by)
    return given


async def put_off(connection: AsyncConnection, lead: int, at: datetime | None, by: By) -> None:
    """Set by when a lead must go on (None: nobody asks). Raises LifecycleError, NoSuchLead."""
    row = await locked(connection, lead)
    if row.closed_at is not None:
        raise LifecycleError("at", f"a lead that is {row.stage!r} has no deadline", why="closed")
    if at is not None and at <= by.at:
        raise LifecycleError("at", f"must be in the future, got {at.isoformat()}", why="past")
    await set_deadline(connection, lead, at, by)


async def write_fields(
    connection: AsyncConnection, directory: Directory, lead: int, fields: Mapping[str, str | None], by: By
) -> None:
    """Write fields of a lead; None, and what is blank, removes one. Raises LifecycleError, NoSuchLead."""
    row = await locked(connection, lead)
    told = {" ".join(name.split()): " ".join((value or "").split()) or None for name, value in fields.items()}
    for name, value in told.items():
        if not name or len(name) > NAME_MOST or not name.isprintable():
            raise LifecycleError("fields", f"a field's name must be 1 to {NAME_MOST} characters, got {name[:80]!r}")
        if value and (len(value) > VALUE_MOST or not value.isprintable()):
            raise LifecycleError("fields", f"{name}: must be at most {VALUE_MOST} characters in one line")
    if len(row.fields.keys() | told.keys()) > FIELDS_MOST:
        raise LifecycleError("fields", f"a lead has at most {FIELDS_MOST} fields")
    await set_fields(connection, directory, lead, told, by)


async def numbers_of(connection: AsyncConnection, party: int) -> tuple[str, ...]:
    """Every number of a party, by its id."""
    asked = select(party_numbers.c.number).where(party_numbers.c.party_id == party).order_by(party_numbers.c.number)
    return tuple((await connection.execute(asked)).scalars())


async def _as_seen(connection: AsyncConnection, row: Row[Any], kind: str, seen: str, now: str) -> None:
    if seen in {UNSEEN, now}:
        return
    told = select(lead_events).where(lead_events.c.lead_id == row.id, lead_events.c.kind == kind)
    event = (await connection.execute(told.order_by(lead_events.c.id.desc()).limit(1))).one_or_none()
    raise ChangedMeanwhile(seen, now, event)


async def _check_other(connection: AsyncConnection, row: Row[Any], other: int) -> None:
    if other == row.id:
        raise LifecycleError("duplicate_of", f"a lead is no duplicate of itself, got {other}")
    found = (await connection.execute(select(leads.c.duplicate_of).where(leads.c.id == other))).one_or_none()
    if found is None:
        raise LifecycleError("duplicate_of", f"there is no lead {other}")
    if found.duplicate_of == row.id:
        raise LifecycleError("duplicate_of", f"lead {other} is a duplicate of this one")


async def _lost_at_step(connection: AsyncConnection, lead: int) -> str | None:
    """The step of the funnel at which a lead was when it was lost."""
    asked = select(lead_events.c.before).where(
        lead_events.c.lead_id == lead,
        lead_events.c.kind == "stage",
        lead_events.c.after == "lost",
        lead_events.c.before != "reviving",
    )
    before = (await connection.execute(asked.order_by(lead_events.c.id.desc()).limit(1))).scalar() or ""
    return before.partition("/")[2] or None
