"""Changes of a lead: each locks it, checks it, writes it and its event in the caller's transaction.

Nothing else writes to `leads` or `lead_events`, but `giving`, to the owners of many at once. Locks are taken in one
order, so that nobody waits for another crosswise: the number's (`locks`, where a number is at stake), the party's row,
the lead's row. Rows are locked without their keys (FOR NO KEY UPDATE): whoever writes a note or a task of them never
waits for these locks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Row, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.deadlines import deadline, due_at
from crm_sync.book.lifecycle import AWAY, OPEN, LifecycleError, Move, check
from crm_sync.book.revival import SENT, chain_of, enters_at, next_at
from crm_sync.tables import lead_events, leads, parties
from directory.model import Directory

EventKind = Literal["opened", "linked", "stage", "owner", "deadline", "fields", "merged", "revival", "message"]

EVENT_KINDS: Final[tuple[EventKind, ...]] = (
    "opened", "linked", "stage", "owner", "deadline", "fields", "merged", "revival", "message",
)  # fmt: skip

CHANNEL = "switchhook_leads"
"""NOTIFY channel; the payload is the lead's id, or nothing for many at once, in the transaction of each change."""

_NOTIFY = text("select pg_notify(:channel, :lead)")


class NoSuchLead(LookupError):
    """There is no lead of that id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who changes a lead, and when: `who` is the key of a person or SERVICE, `at` by the call's time where one did it.

    `head`: they may undo what managers may not. `call` is what brought it about, `rule` the key of what decided.
    """

    who: str
    at: datetime
    head: bool = False
    call: UUID | None = None
    rule: str | None = None


async def open_lead(  # noqa: PLR0913  # what a lead begins with
    connection: AsyncConnection,
    directory: Directory,
    party: int,
    by: By,
    *,
    stage: str,
    owner: str | None = None,
    line: str | None = None,
    minutes: int | None = None,
    fields: Mapping[str, str] | None = None,
) -> int:
    """Open a lead of a party and give its id; `minutes` of working time are its first deadline, else its stage's."""
    since = by.at
    due = deadline(directory, line, stage, None, since) if minutes is None else due_at(directory, line, minutes, since)
    values = {
        "party_id": party,
        "stage": stage,
        "owner": owner,
        "source_line": line,
        "opened_at": since,
        "stage_at": since,
        "deadline_at": due,
        "created_by_call": by.call,
        "fields": dict(fields or {}),
    }
    lead: int = (await connection.execute(insert(leads).values(**values).returning(leads.c.id))).scalar_one()
    await _tell(connection, lead, by, "opened", after=stage, due=due)
    if owner is not None:
        await _tell(connection, lead, by, "owner", after=owner)
    return lead


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLead:
    """What a lead begins with; `deadline_at` None: what its stage asks for."""

    party: int
    stage: str
    step: str | None = None
    reason: str | None = None
    owner: str | None = None
    line: str | None = None
    deadline_at: datetime | None = None
    fields: Mapping[str, str] = field(default_factory=dict)


async def open_leads(connection: AsyncConnection, directory: Directory, wanted: Sequence[NewLead], by: By) -> list[int]:
    """Open the leads of many parties, each at whatever stage it is, and give their ids in the same order."""
    if not wanted:
        return []

    @cache
    def due(line: str | None, stage: str, step: str | None) -> datetime | None:
        return deadline(directory, line, stage, step, by.at)

    values = [
        {
            "party_id": new.party,
            "stage": new.stage,
            "step": new.step,
            "reason": new.reason,
            "owner": new.owner,
            "source_line": new.line,
            "opened_at": by.at,
            "stage_at": by.at,
            "deadline_at": (new.deadline_at or due(new.line, new.stage, new.step)) if new.stage in OPEN else None,
            "closed_at": None if new.stage in OPEN else by.at,
            "fields": dict(new.fields),
            "chain_at": enters_at(directory.leads, new.reason, new.fields, by.at) if new.stage == "lost" else None,
        }
        for new in wanted
    ]
    made = insert(leads).returning(leads.c.id, sort_by_parameter_order=True)
    ids = list((await connection.execute(made, values)).scalars())
    told = {"at": by.at, "by": by.who, "before": None, "call_id": by.call, "deadline_at": None}
    events: list[dict[str, Any]] = []
    for lead, new, row in zip(ids, wanted, values, strict=True):
        opened = {"after": place(new.stage, new.step), "deadline_at": row["deadline_at"]}
        events.append(told | {"lead_id": lead, "kind": "opened", "reason": new.reason or by.rule} | opened)
        if new.owner is not None:
            events.append(told | {"lead_id": lead, "kind": "owner", "after": new.owner, "reason": by.rule})
    await connection.execute(insert(lead_events), events)
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "lead": ""})
    return ids


async def move_lead(connection: AsyncConnection, directory: Directory, lead: int, move: Move, by: By) -> None:
    """Move a lead to another stage or step, with a new deadline. Raises LifecycleError, NoSuchLead."""
    row = await held(connection, lead)
    check(directory.leads, row.stage, row.step, move, head=by.head)
    is_open = move.stage in OPEN
    if is_open and row.stage not in OPEN:
        await _is_the_only_one(connection, row)
    away = row.stage in AWAY and move.stage in AWAY
    due = deadline(directory, row.source_line, move.stage, move.step, by.at) if is_open else None
    values = {
        "stage": move.stage,
        "step": move.step,
        "reason": row.reason if away else move.reason,
        "duplicate_of": move.duplicate_of,
        "stage_at": by.at,
        "deadline_at": due,
        "closed_at": None if is_open else row.closed_at or by.at,
    }
    await _write(connection, lead, values | _chain(directory, row, move, by.at))
    before, after = place(row.stage, row.step), place(move.stage, move.step)
    await _tell(connection, lead, by, "stage", before, after, move.reason, due=due)


async def give_lead(connection: AsyncConnection, lead: int, owner: str | None, by: By) -> bool:
    """Make somebody (the key of a person, None: nobody) the owner of a lead; False: they are. Raises NoSuchLead."""
    row = await locked(connection, lead)
    if row.owner == owner:
        return False
    await _write(connection, lead, {"owner": owner})
    await _tell(connection, lead, by, "owner", row.owner, owner)
    return True


async def set_deadline(connection: AsyncConnection, lead: int, at: datetime | None, by: By) -> None:
    """Set by when a lead must go on, by a person's word. Raises NoSuchLead."""
    row = await locked(connection, lead)
    await _write(connection, lead, {"deadline_at": at})
    before = row.deadline_at.isoformat() if row.deadline_at else None
    await _tell(connection, lead, by, "deadline", before, at.isoformat() if at else None, due=at)


async def set_fields(
    connection: AsyncConnection, directory: Directory, lead: int, fields: Mapping[str, str | None], by: By
) -> None:
    """Write the house's own fields of a lead; None removes one, the others stay. Raises NoSuchLead.

    By its fields a lost lead may be one for a revival chain.
    """
    row = await locked(connection, lead)
    now = {name: value for name, value in {**row.fields, **fields}.items() if value is not None}
    if now != row.fields:
        waits = row.stage == "lost" and row.chain is None
        chain = {"chain_at": enters_at(directory.leads, row.reason, now, row.closed_at or by.at)} if waits else {}
        await _write(connection, lead, {"fields": now, **chain})
        await _tell(connection, lead, by, "fields", after=", ".join(sorted(fields)))


async def move_to_party(connection: AsyncConnection, lead: int, party: int, by: By) -> None:
    """Give a lead to another party: the two turned out to be one, or that was taken back. Raises NoSuchLead."""
    row = await locked(connection, lead)
    await _write(connection, lead, {"party_id": party})
    await _tell(connection, lead, by, "merged", str(row.party_id), str(party))


async def note_contact(connection: AsyncConnection, lead: int, by: By, *, talked: bool) -> None:
    """Note that a call belongs to a lead; a talk is a contact. Raises NoSuchLead."""
    await locked(connection, lead)
    if talked:
        await _write(connection, lead, {"contact_at": func.greatest(leads.c.contact_at, by.at)})
    await _tell(connection, lead, by, "linked")


async def tell_revival(  # what one step came to
    connection: AsyncConnection, lead: int, step: str, words: str | None, result: str, by: By
) -> None:
    """Note what a step of a revival chain (winter/2) came to (`crm_sync.book.revival.RESULTS`), and its words.

    What is to be sent to the client is a `message`, which connections to CRMs are told of as such.
    """
    kind: EventKind = "message" if result in SENT else "revival"
    await _tell(connection, lead, by, kind, step, words, result)


async def send_words(connection: AsyncConnection, lead: int, about: str, words: str, by: By) -> int:
    """Have words sent to the client of a lead by connections that take messages; returns the event's id.

    `about` is what brought them about; LINK_PLACE in them is an address that is made each time they are told.
    """
    return await _tell(connection, lead, by, "message", about, words, about)


async def next_step(connection: AsyncConnection, lead: int, taken: int, at: datetime | None) -> None:
    """Note how many steps of its chain were taken for a lead, and when the next one is due; None: never."""
    await _write(connection, lead, {"chain_step": taken, "chain_at": at})


async def held(connection: AsyncConnection, lead: int) -> Row[Any]:
    """Lock the party of a lead, then the lead, and give the lead's row. Raises NoSuchLead."""
    while True:
        asked = select(leads.c.party_id).where(leads.c.id == lead)
        party = (await connection.execute(asked)).scalar_one_or_none()
        await connection.execute(select(parties.c.id).where(parties.c.id == party).with_for_update(key_share=True))
        row = await locked(connection, lead)
        if row.party_id == party:  # a merge may have moved it meanwhile
            return row


async def locked(connection: AsyncConnection, lead: int) -> Row[Any]:
    """Give the row of a lead, which nobody else changes until the transaction ends. Raises NoSuchLead."""
    asked = select(leads).where(leads.c.id == lead).with_for_update(key_share=True)
    row = (await connection.execute(asked)).one_or_none()
    if row is None:
        raise NoSuchLead(f"there is no lead {lead}")
    return row


async def notify(connection: AsyncConnection, lead: int) -> None:
    """Wake who shows the lead, when the transaction ends well."""
    await connection.execute(_NOTIFY, {"channel": CHANNEL, "lead": str(lead)})


def place(stage: str, step: str | None) -> str:
    """Give a stage with its step as events tell it: in_work/meeting."""
    return f"{stage}/{step}" if step else stage


async def _is_the_only_one(connection: AsyncConnection, row: Row[Any]) -> None:
    asked = select(leads.c.id).where(leads.c.party_id == row.party_id, leads.c.stage.in_(OPEN))
    other = (await connection.execute(asked)).scalar_one_or_none()
    if other is not None:
        raise LifecycleError("stage", f"the client has an open lead already: {other}")


def _chain(directory: Directory, row: Row[Any], move: Move, at: datetime) -> dict[str, Any]:
    """Where a lead stands in the revival of lost ones after a move; a chain that ended is kept until it is back."""
    lost_at = row.closed_at or at
    if move.stage == "lost":
        done = row.stage == "reviving"
        return {"chain_at": None if done else enters_at(directory.leads, move.reason, row.fields, lost_at)}
    if move.stage != "reviving":
        return {"chain": None, "chain_step": None, "chain_at": None}
    chain = chain_of(directory.leads, row.reason, row.fields)
    if chain is None:
        raise LifecycleError("stage", f"no revival chain is for {row.reason!r} with these fields")
    return {"chain": chain.name, "chain_step": 0, "chain_at": next_at(chain, 0, lost_at, at)}


async def _write(connection: AsyncConnection, lead: int, values: Mapping[str, Any]) -> None:
    await connection.execute(update(leads).where(leads.c.id == lead).values(**values))


async def _tell(
    connection: AsyncConnection,
    lead: int,
    by: By,
    kind: EventKind,
    before: str | None = None,
    after: str | None = None,
    reason: str | None = None,
    *,
    due: datetime | None = None,
) -> int:
    """Append an event, and give its id."""
    told = {"before": before, "after": after, "reason": reason or by.rule, "call_id": by.call, "deadline_at": due}
    event = insert(lead_events).values(lead_id=lead, at=by.at, by=by.who, kind=kind, **told)
    made: int = (await connection.execute(event.returning(lead_events.c.id))).scalar_one()
    await notify(connection, lead)
    return made
