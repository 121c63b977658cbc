"""What `switchhook plans` does and prints."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from crm_sync.imports.faults import BYTES_MOST, FileFault
from crm_sync.imports.process import cells_apart
from directory.store import read
from recordings.audit import THE_OPERATOR
from reports.plan_days import month_of
from reports.plan_sheet import read_month
from reports.plan_values import unit_of
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web.bulk import fault_words as file_words
from web.reports.plans import Imported, fault_words, imported_json, whose_name, whose_of_house
from web.reports.plans import import_plans as write
from web.reports.plans_told import told_plans
from web.reports.words import amount, measure_name
from web.words import say


async def import_plans(settings: Settings, file: Path, *, dry_run: bool) -> tuple[dict[str, Any], str, bool]:
    """(JSON, words, whether every cell is right) of a table whose plans are set, or with `dry_run` only looked at."""
    try:
        with file.open("rb") as opened:
            rows = await cells_apart(opened.read(BYTES_MOST + 1))
    except FileFault as fault:
        raise UserFault(f"{file}: {file_words('en', fault)}") from None
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        directory = await read(connection)
        mine = whose_of_house(directory)
        done = await write(connection, directory, rows, mine, THE_OPERATOR, dry_run=dry_run)
    return imported_json(done, "en", dry_run=dry_run), _words(done, dry_run=dry_run), not done.faults


async def list_plans(settings: Settings, month: str) -> tuple[dict[str, Any], str]:
    """(JSON, a line each): the plans of a month, with what was reached so far. Raises UserFault."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        directory = await read(connection)
        today = datetime.now(ZoneInfo(directory.company.time_zone)).date()
        asked = read_month(month) if month else month_of(today)
        if asked is None:
            raise UserFault(f"--month: must be like 2026-11, got {month!r}")
        told = await told_plans(connection, directory, asked, today, whose_of_house(directory))
    lines = []
    for one in told:
        unit, name = unit_of(one.measure), whose_name(directory, settings.language, one.whose)
        value, so_far = (amount(settings.language, unit, it) for it in (one.value, one.pace.so_far))
        title = measure_name(directory, settings.language, one.measure)
        outlook = say(settings.language, f"plans.outlook.{one.outlook}") if one.outlook else ""
        lines.append(f"{name:<24} {title:<40} {so_far:>10} / {value:<10} {outlook}".rstrip())
    items = [one.to_json() for one in told]
    return {"month": f"{asked:%Y-%m}", "items": items}, "\n".join(lines) or "no plans"


def _words(done: Imported, *, dry_run: bool) -> str:
    if done.faults:
        told = [f"{one.cell}: {fault_words('en', one.why)}, got {one.value!r}" for one in done.faults]
        return "\n".join([*told, "nothing was changed"])
    counted = f"{done.set_count} set, {done.removed_count} removed"
    return f"{counted}\n{'nothing was changed' if dry_run or done.changes_nothing else 'imported'}"
