"""Counts the requests to CRMs in the database: workers serve no metrics of their own, and a restart forgets nothing."""

from __future__ import annotations

from typing import Final

from sqlalchemy import exists, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.errors import KINDS
from crm_sync.ledger.tables import crm_connections, crm_requests

RESULTS: Final = ("done", *KINDS)
SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, float("inf"))
"""The buckets of the histogram of durations."""


async def count(connection: AsyncConnection, key: str, operation: str, result: str, seconds: float) -> None:
    """Count one request, unless its connection was removed meanwhile."""
    most = next(bound for bound in SECONDS if seconds <= bound)
    row = {"connection": key, "operation": operation, "result": result, "seconds_most": most}
    values = row | {"request_count": 1, "seconds": seconds}
    asked = select(*(literal(value).label(name) for name, value in values.items()))
    known = asked.where(exists().where(crm_connections.c.key == key))
    told = insert(crm_requests).from_select(list(values), known)
    more = {
        "request_count": crm_requests.c.request_count + 1,
        "seconds": crm_requests.c.seconds + func.coalesce(told.excluded.seconds, 0),
    }
    await connection.execute(told.on_conflict_do_update(index_elements=list(row), set_=more))
