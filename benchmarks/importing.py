"""A file of 20,000 rows: read apart, previewed against a book of 200,000 parties, imported, and imported again."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Awaitable
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from sqlalchemy import text

from crm_sync.book.leads import By
from crm_sync.book.lifecycle import SERVICE
from crm_sync.imports.faults import ROWS_MOST
from crm_sync.imports.importing import import_rows, preview
from crm_sync.imports.process import read_apart
from crm_sync.imports.terms import terms_of
from service.postgres import Postgres
from service.settings import load as settings
from service.wiring import open_house
from tests.fakes.directories import OFFICE
from tests.fakes.sheets import csv_of, xlsx_of

PARTIES = 200_000
_FILL = (
    "insert into parties (name) select 'Client ' || n from generate_series(1, :count) n",
    "insert into party_numbers select (79030000000 + id)::text, id from parties",
    "insert into leads (party_id, stage, opened_at) select id, 'new', now() from parties",
    "analyze",
)
T = TypeVar("T")


async def measure(rows: int = ROWS_MOST, parties: int = PARTIES) -> None:
    """Print the seconds of each step, for csv and xlsx."""
    print(f"import of {rows} rows into a book of {parties} parties")
    header = ["Name", "Phone", "Phone 2", "Stage", "Note", "Project", "Area"]
    # Every tenth is known.
    known = [f"8 903 {n // 10_000:03}-{n // 100 % 100:02}-{n % 100:02}" for n in range(1, rows + 1)]
    told = [
        [f"Client {n}", known[n] if n % 10 == 0 else f"+7 925 {n:07}", f"8 (499) {n:07}", "new", "call", "Forest", "42"]
        for n in range(rows)
    ]
    terms = terms_of(OFFICE, {}, {})
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as folder:
        Path(folder).chmod(0o755)
        async with (
            Postgres(Path(folder) / "postgres") as server,
            open_house(settings(database_url=server.url, data_dir=Path(folder)), pool=1) as house,
        ):
            async with house.engine.begin() as connection:
                for statement in _FILL:
                    await connection.execute(text(statement), {"count": parties} if ":count" in statement else {})
            await _timed("xlsx read", read_apart(xlsx_of([header, *told]), terms, {}))
            reading = await _timed("csv read", read_apart(csv_of([header, *told]), terms, {}))
            async with house.engine.connect() as connection:
                plan = await _timed("compared with the book", preview(connection, reading))
            print(f"  {plan.counts}")
            for name in ("imported", "imported again"):
                async with house.engine.begin() as connection:
                    by = By(who=SERVICE, at=datetime.now(UTC))
                    await _timed(name, import_rows(connection, OFFICE, reading, by))


async def _timed(name: str, work: Awaitable[T]) -> T:
    began = time.monotonic()
    done = await work
    print(f"  {name:<24} {time.monotonic() - began:6.2f} s", flush=True)
    return done
