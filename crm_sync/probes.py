"""How connections were when they were asked last: who is to be asked, what was missing, and why one could not be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.errors import CrmError
from crm_sync.ledger.tables import crm_connections


async def probing(connection: AsyncConnection, every: timedelta) -> list[str]:
    """Keys of connections that are to be asked how they are; whoever gets a key is the one to ask."""
    due = or_(crm_connections.c.probed_at.is_(None), crm_connections.c.probed_at < func.clock_timestamp() - every)
    mine = (
        select(crm_connections.c.key).where(crm_connections.c.state != "stopped", due).with_for_update(skip_locked=True)
    )
    keys = [row.key for row in await connection.execute(mine)]
    asked = update(crm_connections).where(crm_connections.c.key.in_(keys)).values(probed_at=func.clock_timestamp())
    await connection.execute(asked)
    return keys


async def probed(
    connection: AsyncConnection, key: str, missing: Sequence[str], access_ends_at: datetime | None = None
) -> None:
    """Write what a connection lacks and when its access ends, as it was told just now."""
    await _probed(connection, key, {"missing": list(missing), "access_ends_at": access_ends_at, "probe_error": None})


async def not_probed(connection: AsyncConnection, key: str, error: CrmError) -> None:
    """Write why a connection could not be asked just now; what it lacked when it was asked last stays."""
    await _probed(connection, key, {"probe_error": f"{error.kind}: {error}"})


async def _probed(connection: AsyncConnection, key: str, told: Mapping[str, Any]) -> None:
    values = {"probed_at": func.clock_timestamp(), **told}
    await connection.execute(update(crm_connections).where(crm_connections.c.key == key).values(**values))
