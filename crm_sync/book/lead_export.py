"""Leads with their parties as a table for people, the oldest first; the same table can be imported again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lead_list import Wanted
from crm_sync.book.lifecycle import STAGES
from crm_sync.imports.rows import REASONED, Terms
from crm_sync.imports.sheets import XLSX_ROWS_MOST, Cell, Form
from crm_sync.imports.terms import word_for
from crm_sync.tables import leads, parties, party_numbers
from directory.model import Directory

Say = Callable[[str], str]
"""The words for a key: column.KIND, stage.STAGE, reason.REASON."""

COLUMNS: Final = (
    "lead", "name", "phone", "email", "owner", "stage", "step", "reason", "line", "deadline", "opened", "closed",
)  # fmt: skip
"""Before the house's own fields."""

_AT_ONCE: Final = 500


class ExportRefused(ValueError):
    """Such an export cannot be; the text says why, naming field and value."""


async def count_leads(connection: AsyncConnection, wanted: Wanted, form: Form) -> int:
    """How many leads an export has. Raises ExportRefused for one that cannot be."""
    asked = select(func.count()).select_from(leads).where(wanted.condition())
    count: int = (await connection.execute(asked)).scalar_one()
    if form == "xlsx" and count >= XLSX_ROWS_MOST:
        raise ExportRefused(f"format: {count} leads are more than xlsx has rows, take csv")
    return count


async def lead_rows(
    connection: AsyncConnection, directory: Directory, terms: Terms, wanted: Wanted, say: Say
) -> AsyncIterator[Sequence[Sequence[Cell]]]:
    """The header, then the leads, some hundred rows at once as the database gives them."""
    keys = func.jsonb_object_keys(leads.c.fields)
    asked = select(keys).select_from(leads).where(wanted.condition()).distinct()
    fields = sorted((await connection.execute(asked)).scalars())
    yield [[*(say(f"column.{name}") for name in COLUMNS), *fields]]
    numbers = (
        select(func.string_agg(party_numbers.c.number, ", ")).where(party_numbers.c.party_id == leads.c.party_id)
    ).scalar_subquery()
    columns = select(leads, parties.c.name, parties.c.email, numbers.label("numbers")).join(parties)
    found = await connection.stream(columns.where(wanted.condition()).order_by(leads.c.id))
    words = _Words(directory, terms, say)
    async for rows in found.partitions(_AT_ONCE):
        yield [[*words.of(row), *(row.fields.get(name) for name in fields)] for row in rows]


class _Words:
    """What people read for what a lead's row says, and what an import reads back."""

    def __init__(self, directory: Directory, terms: Terms, say: Say) -> None:
        self.terms, self.say = terms, say
        self.zone = ZoneInfo(directory.company.time_zone)
        policy = directory.leads
        self.names = {
            "owner": {person.key: person.name for person in directory.people},
            "line": {line.number: line.name for line in directory.lines},
            "step": {step.key: step.name for step in policy.funnel},
            "stage": {stage: say(f"stage.{stage}") for stage in STAGES},
        }
        self.reasons = {reason.key: reason.name for reason in (*policy.disqualified, *policy.lost)}

    def of(self, row: Any) -> list[Cell]:
        """The cells of COLUMNS."""
        return [
            row.id,
            row.name,
            row.numbers,
            row.email,
            self._word("owner", row.owner),
            self._word("stage", row.stage),
            self._word("step", row.step),
            self._reason(row.stage, row.reason),
            self._word("line", row.source_line),
            *map(self._moment, (row.deadline_at, row.opened_at, row.closed_at)),
        ]

    def _word(self, what: str, key: str | None) -> str | None:
        return word_for(self.terms, what, key, self.names[what].get(key, key)) if key else None

    def _reason(self, stage: str, key: str | None) -> str | None:
        if not key or stage not in REASONED:
            return key
        known = self.terms.words[REASONED[stage]].values()
        name = self.reasons.get(key) or (self.say(f"reason.{key}") if key in known else key)
        return word_for(self.terms, REASONED[stage], key, name)

    def _moment(self, at: datetime | None) -> datetime | None:
        return at.astimezone(self.zone).replace(tzinfo=None) if at else None
