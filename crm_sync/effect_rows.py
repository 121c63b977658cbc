"""What `crm_sync.sending` reads and writes of single effects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.ledger_tables import crm_effects

_LATELY: Final = 1000
"""So many effects back it is looked for what the last one of a number left: more than are sent in a few minutes."""

_SHARED: Final = 20_000
"""So many effects back a call may share its name there with another: more than are planned in half an hour."""

_OF_A_CALL: Final = frozenset({"call_started", "call_answered", "call_finished"})


async def write(connection: AsyncConnection, key: UUID, values: Mapping[str, Any]) -> None:
    """Write an effect that has not ended."""
    still = crm_effects.c.key == key, crm_effects.c.ended_at.is_(None)
    await connection.execute(update(crm_effects).where(*still).values(**values))


async def same(connection: AsyncConnection, row: Row[Any]) -> str | None:
    """What the same step is called there that was told of a call which became part of this one; None: none was."""
    if row.step not in _OF_A_CALL:
        return None
    earlier = select(func.coalesce(crm_effects.c.remote_id, "")).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.call_id == row.call_id,
        crm_effects.c.step == row.step,
        crm_effects.c.number < row.number,
        crm_effects.c.first_sent_at.is_not(None),
    )
    told: str | None = (await connection.execute(earlier)).scalars().first()
    return told


async def remote(connection: AsyncConnection, row: Row[Any]) -> dict[str, str]:
    """What the steps that were told of the same call are called there, by step."""
    if row.call_id is None:
        return {}
    asked = select(crm_effects.c.step, crm_effects.c.remote_id).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.call_id == row.call_id,
        crm_effects.c.remote_id.is_not(None),
    )
    return {one.step: one.remote_id for one in await connection.execute(asked.order_by(crm_effects.c.number))}


async def is_of_another(connection: AsyncConnection, row: Row[Any], remote_id: str) -> bool:
    """Whether the end of another call of the same lane is called so there."""
    asked = select(crm_effects.c.key).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.number > row.number - _SHARED,
        crm_effects.c.lane == row.lane,
        crm_effects.c.step == "call_finished",
        crm_effects.c.remote_id == remote_id,
        crm_effects.c.call_id != row.call_id,
    )
    return await connection.scalar(asked.limit(1)) is not None


async def lately(connection: AsyncConnection, row: Row[Any]) -> str | None:
    """What the latest effect of the same lane is called there, of those not long ago."""
    asked = select(crm_effects.c.remote_id).where(
        crm_effects.c.connection == row.connection,
        crm_effects.c.number.between(row.number - _LATELY, row.number - 1),
        crm_effects.c.lane == row.lane,
        crm_effects.c.remote_id.is_not(None),
    )
    told: str | None = await connection.scalar(asked.order_by(crm_effects.c.number.desc()).limit(1))
    return told
