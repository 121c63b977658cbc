"""How each connection is: since when it owes something, when it last took something, and whether it holds all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.connection_tables import crm_comparisons
from crm_sync.ledger.tables import OPEN_STATES, crm_connections, crm_effects


@dataclass(frozen=True, slots=True)
class Health:
    """`owes_since`: when the oldest effect was planned that is neither told nor given up. `took_at`: the last success.

    `error` and `reason`: what the newest effect that failed was answered; None: none of the open ones did.
    `compared_at`: when what it holds was compared last, with so many `differences`, or what `failed`; None: never.
    """

    owes_since: datetime | None
    took_at: datetime | None
    error: str | None
    reason: str | None
    compared_at: datetime | None = None
    differences: int | None = None
    failed: str | None = None


async def read(connection: AsyncConnection) -> dict[str, Health]:
    """The health of every connection, by key."""
    of = crm_effects.c.connection == crm_connections.c.key
    is_open = crm_effects.c.state.in_(OPEN_STATES)
    owes = select(func.min(crm_effects.c.planned_at)).where(of, is_open, crm_effects.c.waits.is_(False))
    # By the order of planning, which has an index: the last that was taken is among the newest.
    took = select(crm_effects.c.ended_at).where(of, crm_effects.c.state == "done")
    failed = (
        select(crm_effects.c.error, crm_effects.c.answer["reason"].astext.label("reason"))
        .where(of, crm_effects.c.state.in_((*OPEN_STATES, "dead")), crm_effects.c.error.is_not(None))
        .order_by(crm_effects.c.sent_at.desc().nulls_last())
        .limit(1)
        .lateral()
    )
    asked = (
        select(
            crm_connections.c.key,
            owes.scalar_subquery().label("owes_since"),
            took.order_by(crm_effects.c.number.desc()).limit(1).scalar_subquery().label("took_at"),
            failed.c.error,
            failed.c.reason,
            crm_comparisons.c.compared_at,
            crm_comparisons.c.differences,
            crm_comparisons.c.failed,
        )
        .select_from(crm_connections.outerjoin(failed, true()).outerjoin(crm_comparisons))
        .order_by(crm_connections.c.key)
    )
    rows = (await connection.execute(asked)).all()
    return {row.key: Health(*row[1:]) for row in rows}
