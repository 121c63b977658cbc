"""Imports parties and leads into the book: what would become of every row, and the same done, all or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Insert, Text, any_, bindparam, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.leads import By, NewLead, give_lead, locked, open_leads, set_deadline, set_fields
from crm_sync.book.lifecycle import OPEN
from crm_sync.book.locks import lock_book
from crm_sync.imports.plan import KnownLead, KnownParty, Outcome, Plan, plan_import
from crm_sync.imports.rows import ImportRow, Reading
from crm_sync.tables import leads, notes, parties, party_numbers
from directory.model import Directory

RULE = "import"
"""What the events of leads name as the rule that decided."""


class ImportRefused(Exception):
    """Some rows cannot be imported, so none is; `plan` says which."""

    def __init__(self, plan: Plan) -> None:
        """Keep the plan."""
        super().__init__(f"{plan.counts['error']} rows cannot be imported")
        self.plan = plan


async def preview(connection: AsyncConnection, reading: Reading) -> Plan:
    """Say what would become of every row as the book stands now; writes nothing."""
    return plan_import(reading.rows, reading.problems, await _known(connection, reading.rows))


async def import_rows(connection: AsyncConnection, directory: Directory, reading: Reading, by: By) -> Plan:
    """Do what `preview` says, in the caller's transaction; the whole book waits meanwhile. Raises ImportRefused."""
    await lock_book(connection)
    plan = await preview(connection, reading)
    if plan.problems:
        raise ImportRefused(plan)
    by = replace(by, rule=RULE)
    new = [outcome.row for outcome in plan.outcomes if outcome.what == "new"]
    changed = [outcome for outcome in plan.outcomes if outcome.what == "known" and outcome.changes]
    made = await _make_parties(connection, new, by)
    await _fill_parties(connection, changed)
    await _take_numbers(connection, insert(party_numbers), list(zip(made, new, strict=True)))
    missing = upsert(party_numbers).on_conflict_do_nothing()  # some are theirs already
    await _take_numbers(connection, missing, [(_party(it), it.row) for it in changed])
    first = [(_party(it), it.row) for it in changed if "lead" in it.changes]
    begun = [*zip(made, new, strict=True), *first]
    opened = await open_leads(connection, directory, [_lead(party, row) for party, row in begun], by)
    written = [(party, lead, row) for lead, (party, row) in zip(opened, begun, strict=True)]
    for outcome in changed:
        lead = outcome.known.lead if outcome.known else None
        if lead is not None:
            await _fill_lead(connection, directory, lead, outcome, by)
            written += [(_party(outcome), lead.id, outcome.row)] if "note" in outcome.changes else []
    await _write_notes(connection, written, by)
    return plan


def _party(outcome: Outcome) -> int:
    assert outcome.known is not None  # noqa: S101  # the plan's own rule
    return outcome.known.id


def _lead(party: int, row: ImportRow) -> NewLead:
    return NewLead(
        party=party,
        stage=row.stage or "new",
        step=row.step,
        reason=row.reason,
        owner=row.owner,
        line=row.line,
        deadline_at=row.deadline_at,
        fields=row.fields,
    )


async def _known(connection: AsyncConnection, rows: Sequence[ImportRow]) -> dict[str, KnownParty]:
    """Number -> the party that it is of, for the numbers of these rows that are somebody's."""
    numbers = sorted({number for row in rows for number in row.numbers})
    listed = any_(literal(numbers, ARRAY(Text)))
    asked = (
        select(party_numbers.c.number, parties.c.id, parties.c.name, parties.c.email)
        .join(parties)
        .where(party_numbers.c.number == listed)
    )
    found = (await connection.execute(asked)).all()
    lead_of = await _leads_of(connection, sorted({row.id for row in found}))
    return {
        row.number: KnownParty(id=row.id, name=row.name, email=row.email, lead=lead_of.get(row.id)) for row in found
    }


async def _leads_of(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, KnownLead]:
    """Party -> its open lead, else its last one."""
    listed = any_(literal(ids, ARRAY(leads.c.party_id.type)))
    written = (
        select(func.array_agg(notes.c.text)).where(notes.c.lead_id == leads.c.id).correlate(leads).scalar_subquery()
    )
    asked = (
        select(leads, written.label("notes"))
        .ext(distinct_on(leads.c.party_id))
        .where(leads.c.party_id == listed)
        .order_by(leads.c.party_id, leads.c.stage.in_(OPEN).desc(), leads.c.id.desc())
    )
    return {row.party_id: _known_lead(row) for row in await connection.execute(asked)}


def _known_lead(row: Any) -> KnownLead:
    return KnownLead(
        id=row.id,
        open=row.stage in OPEN,
        stage=row.stage,
        owner=row.owner,
        has_deadline=row.deadline_at is not None,
        fields=row.fields,
        notes=frozenset(row.notes or ()),
    )


async def _make_parties(connection: AsyncConnection, rows: Sequence[ImportRow], by: By) -> list[int]:
    """The ids of new parties, in the order of their rows."""
    if not rows:
        return []
    values = [{"name": row.name, "email": row.email, "created_at": by.at} for row in rows]
    made = insert(parties).returning(parties.c.id, sort_by_parameter_order=True)
    return list((await connection.execute(made, values)).scalars())


async def _fill_parties(connection: AsyncConnection, changed: Sequence[Outcome]) -> None:
    values = [
        {"of": _party(it), "new_name": it.row.name, "new_email": it.row.email}
        for it in changed
        if {"name", "email"} & set(it.changes)
    ]
    if values:
        filled = {
            "name": func.coalesce(parties.c.name, bindparam("new_name", type_=Text)),
            "email": func.coalesce(parties.c.email, bindparam("new_email", type_=Text)),
        }
        await connection.execute(update(parties).where(parties.c.id == bindparam("of")).values(filled), values)


async def _take_numbers(connection: AsyncConnection, how: Insert, rows: Sequence[tuple[int, ImportRow]]) -> None:
    """Give the parties the numbers of their rows."""
    values = [{"number": number, "party_id": party} for party, row in rows for number in row.numbers]
    if values:
        await connection.execute(how, values)


async def _fill_lead(
    connection: AsyncConnection, directory: Directory, lead: KnownLead, outcome: Outcome, by: By
) -> None:
    """Fill what is blank still: a person may have decided about the lead since the plan was made."""
    row, changes = outcome.row, set(outcome.changes)
    if not {"owner", "deadline", "fields"} & changes:
        return
    now = await locked(connection, lead.id)
    if now.stage not in OPEN:
        return
    if "owner" in changes and now.owner is None:
        await give_lead(connection, lead.id, row.owner, by)
    if "deadline" in changes and now.deadline_at is None:
        await set_deadline(connection, lead.id, row.deadline_at, by)
    blanks: Mapping[str, str] = {name: told for name, told in row.fields.items() if name not in now.fields}
    if "fields" in changes and blanks:
        await set_fields(connection, directory, lead.id, blanks, by)


async def _write_notes(connection: AsyncConnection, written: Sequence[tuple[int, int, ImportRow]], by: By) -> None:
    values = [
        {"party_id": party, "lead_id": lead, "at": by.at, "by": by.who, "text": row.note}
        for party, lead, row in written
        if row.note is not None
    ]
    if values:
        await connection.execute(insert(notes), values)
