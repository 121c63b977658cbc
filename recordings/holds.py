"""What the law holds: calls, and people by a number, of which nothing is removed until the hold is lifted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from recordings.audit import Actor, note
from recordings.privacy_tables import holds

REASON_MOST: Final = 500


class HoldRefused(ValueError):
    """A hold that cannot be; the text names what and why."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One hold: of a call, or of everybody who has `number` (E.164 digits)."""

    id: int
    call_id: UUID | None
    number: str | None
    reason: str
    set_by: str
    set_at: datetime

    def to_json(self) -> dict[str, Any]:
        """The fields by their names."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return told | {"call_id": self.call_id and str(self.call_id), "set_at": self.set_at.isoformat()}


async def listed(connection: AsyncConnection, call_id: UUID | None = None) -> list[Hold]:
    """Every hold, or those of a call itself; the oldest first."""
    asked = select(holds).order_by(holds.c.id)
    if call_id is not None:
        asked = asked.where(holds.c.call_id == call_id)
    return [Hold(**row._mapping) for row in await connection.execute(asked)]  # noqa: SLF001 SQLAlchemy's name for it


async def add(
    connection: AsyncConnection, actor: Actor, reason: str, *, call_id: UUID | None = None, number: str | None = None
) -> int:
    """Hold a call, or a number (as stored); what is held already stays as it is. Returns the hold's id.

    Raises HoldRefused.
    """
    words = " ".join(reason.split())
    if not words or len(words) > REASON_MOST or not words.isprintable():
        raise HoldRefused(f"reason: must be 1 to {REASON_MOST} signs, got {len(words)}")
    if call_id is not None:
        call_id = await _whole(connection, call_id)
        same = select(holds.c.id).where(holds.c.call_id == call_id)
        found: int | None = (await connection.execute(same)).scalars().first()
        if found is not None:
            return found
    row = {"call_id": call_id, "number": number, "reason": words, "set_by": actor.login}
    made = (
        await connection.execute(insert(holds).values(row).on_conflict_do_nothing().returning(holds.c.id))
    ).scalar_one_or_none()
    if made is None:
        return int((await connection.execute(select(holds.c.id).where(holds.c.number == number))).scalar_one())
    await note(connection, actor, "hold_set", f"hold {made}", {"call": str(call_id)} if call_id else {})
    return int(made)


async def lift(connection: AsyncConnection, actor: Actor, hold_id: int) -> None:
    """End a hold. Raises HoldRefused when there is none."""
    gone = delete(holds).where(holds.c.id == hold_id).returning(holds.c.call_id)
    row = (await connection.execute(gone)).one_or_none()
    if row is None:
        raise HoldRefused(f"hold: there is no hold {hold_id}")
    await note(connection, actor, "hold_lifted", f"hold {hold_id}", {"call": str(row.call_id)} if row.call_id else {})


async def _whole(connection: AsyncConnection, call_id: UUID) -> UUID:
    """The call, or the one that it became part of. Raises HoldRefused when there is none."""
    asked = select(func.coalesce(calls.c.joined_into, calls.c.id)).where(calls.c.id == call_id)
    found: UUID | None = (await connection.execute(asked)).scalar_one_or_none()
    if found is None:
        raise HoldRefused(f"call: there is no call {str(call_id)!r}")
    return found
