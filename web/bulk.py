"""Imports and exports of leads as the page, the API and the command line share them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book.lead_export import count_leads, lead_rows
from crm_sync.book.lead_list import Wanted
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import SERVICE, STAGES
from crm_sync.imports.faults import BYTES_MOST, FileFault
from crm_sync.imports.importing import import_rows
from crm_sync.imports.plan import Outcome, Plan
from crm_sync.imports.process import read_apart
from crm_sync.imports.rows import Problem, Reading, Terms
from crm_sync.imports.sheets import Form, written
from crm_sync.imports.terms import terms_of
from directory.lead_policy import DISQUALIFIED, LOST
from directory.model import Directory
from recordings.audit import Actor, note
from web.words import LANGUAGES, say

MEGABYTES: Final = BYTES_MOST // 1024 // 1024
_SUBJECT: Final = "leads"
DELIMITERS: Final = {"ru": ";", "en": ","}
"""What Excel of each language takes for the end of a cell."""


def house_terms(directory: Directory) -> Terms:
    """By which words files are read: the directory's and the pages', in every language."""
    stages = {stage: [say(it, f"stage.{stage}") for it in LANGUAGES] for stage in STAGES}
    reasons = {reason: [say(it, f"reason.{reason}") for it in LANGUAGES] for reason in (*DISQUALIFIED, *LOST)}
    return terms_of(directory, stages, reasons)


async def read_file(body: bytes, directory: Directory, mapping: Mapping[str, str]) -> Reading:
    """Read a file by the terms of the house. Raises FileFault."""
    return await read_apart(body, house_terms(directory), mapping)


async def import_file(
    connection: AsyncConnection, directory: Directory, reading: Reading, actor: Actor, person: str | None
) -> Plan:
    """Import what was read, in the caller's transaction, and write down who did. Raises ImportRefused."""
    by = By(who=person or SERVICE, at=datetime.now(UTC))
    plan = await import_rows(connection, directory, reading, by)
    await note(connection, actor, "leads_imported", _SUBJECT, plan.counts)
    return plan


async def begin_export(connection: AsyncConnection, wanted: Wanted, form: Form, actor: Actor) -> int:
    """Write down who exports which leads, and tell how many they are. Raises ExportRefused."""
    count = await count_leads(connection, wanted, form)
    told: dict[str, Any] = {name: value for name, value in asdict(wanted).items() if value}
    told |= {"format": form, "count": count}
    told |= {"fields": sorted(wanted.fields)} if wanted.fields else {}  # no values: they may be personal
    await note(connection, actor, "leads_exported", _SUBJECT, told)
    return count


def export_file(
    connection: AsyncConnection, directory: Directory, wanted: Wanted, form: Form, language: str
) -> AsyncIterator[bytes]:
    """The file, piece by piece; the connection is used until the last."""
    rows = lead_rows(connection, directory, house_terms(directory), wanted, partial(say, language))
    return written(form, DELIMITERS[language], rows)


def fault_words(language: str, fault: FileFault) -> str:
    """What is wrong with a file."""
    return say(language, f"file.{fault.why}", value=fault.value, megabytes=MEGABYTES)


def problem_json(problem: Problem, language: str) -> dict[str, Any]:
    """What is wrong with a row, in words too."""
    told = {"row": problem.row, "column": problem.header, "value": problem.value, "reason": problem.why}
    return told | {"detail": say(language, f"fault.{problem.why}")}


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """What becomes of a row."""
    return {
        "row": outcome.row.row,
        "what": outcome.what,
        "party": outcome.known.id if outcome.known else None,
        "number": outcome.number or outcome.row.numbers[0],
        "changes": list(outcome.changes),
        "same_as_row": outcome.of,
    }


def plan_json(plan: Plan, language: str, *, imported: bool) -> dict[str, Any]:
    """An import as programs read it: counts, what becomes of each row, what is wrong with others."""
    return {
        "imported": imported,
        "counts": plan.counts,
        "rows": [outcome_json(outcome) for outcome in plan.outcomes],
        "problems": [problem_json(problem, language) for problem in plan.problems],
    }
