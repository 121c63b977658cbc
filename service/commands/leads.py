"""What `switchhook leads import` and `leads export` do and print."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from crm_sync.book.lead_export import ExportRefused
from crm_sync.book.lead_list import Wanted, WantedRefused, checked
from crm_sync.imports.columns import read_mapping
from crm_sync.imports.faults import BYTES_MOST, FileFault
from crm_sync.imports.importing import ImportRefused, preview
from crm_sync.imports.plan import Plan
from crm_sync.imports.sheets import Form
from directory.store import read
from recordings.audit import THE_OPERATOR
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web.bulk import begin_export, export_file, fault_words, import_file, plan_json, problem_json, read_file

_SHOWN = 100


async def import_leads(
    settings: Settings, file: Path, columns: Sequence[str], *, dry_run: bool
) -> tuple[dict[str, Any], str, bool]:
    """(JSON, words, whether every row is right) of a file that is imported, or with `dry_run` only looked at."""
    try:
        mapping = read_mapping(columns)
        with file.open("rb") as opened:
            body = opened.read(BYTES_MOST + 1)
        async with open_house(settings, pool=2) as house, house.engine.begin() as connection:
            directory = await read(connection)
            reading = await read_file(body, directory, mapping)
            if dry_run or reading.problems:
                plan = await preview(connection, reading)
            else:
                plan = await import_file(connection, directory, reading, THE_OPERATOR, None)
    except FileFault as fault:
        name = "--map" if fault.why in {"mapping", "no_such_header"} else file
        raise UserFault(f"{name}: {fault_words('en', fault)}") from None
    except ImportRefused as refused:
        plan = refused.plan
    imported = not dry_run and not plan.problems
    return plan_json(plan, "en", imported=imported), _words(plan, imported=imported), not plan.problems


async def export_leads(settings: Settings, wanted: Wanted, form: Form, to: Path | None) -> int:
    """Write the leads to a file, or to standard output; gives how many they are."""
    async with open_house(settings, pool=2) as house:
        async with house.engine.begin() as connection:
            directory = await read(connection)
            try:
                wanted = checked(wanted, directory)
                count = await begin_export(connection, wanted, form, THE_OPERATOR)
            except (ExportRefused, WantedRefused) as error:
                raise UserFault(f"--{error}") from None
        async with house.engine.connect() as connection:
            with _opened(to) as out:
                async for piece in export_file(connection, directory, wanted, form, settings.language):
                    out.write(piece)
    return count


@contextmanager
def _opened(to: Path | None) -> Iterator[IO[bytes]]:
    """A new file, which goes again when it does not become whole; or standard output."""
    if to is None:
        yield sys.stdout.buffer
        sys.stdout.flush()
        return
    with to.open("xb") as out:
        try:
            yield out
        except BaseException:
            to.unlink()
            raise


def _words(plan: Plan, *, imported: bool) -> str:
    """Wrong rows first, then the counts."""
    wrong = [problem_json(problem, "en") for problem in plan.problems[:_SHOWN]]
    lines = [
        f"row {it['row']}: {it['column']}: {it['detail']}, got {it['value']!r}".replace(": :", ":") for it in wrong
    ]
    if len(plan.problems) > _SHOWN:
        lines.append(f"and {len(plan.problems) - _SHOWN} problems more")
    repeats = [outcome for outcome in plan.outcomes if outcome.what == "duplicate"]
    lines += [f"row {it.row.row}: the same as row {it.of}, by {it.number}" for it in repeats]
    counts = plan.counts
    lines.append(
        f"{counts['new']} new, {counts['known']} known ({counts['changed']} filled in),"
        f" {counts['duplicate']} duplicates, {counts['error']} wrong"
    )
    done = "imported" if imported and not plan.changes_nothing else "nothing was changed"
    return "\n".join([*lines, done])
