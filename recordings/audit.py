"""Writes down who did what to what was said; what is written stays (the table refuses every change)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.privacy_tables import ACTIONS, audit

SERVICE: Final = "switchhook"
COMMAND_LINE: Final = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something: `login` (or SERVICE, or COMMAND_LINE), the user's id, and the address they ask from."""

    login: str
    user: int | None = None
    address: str | None = None


THE_SERVICE: Final = Actor(login=SERVICE)
THE_OPERATOR: Final = Actor(login=COMMAND_LINE)


async def note(
    connection: AsyncConnection, actor: Actor, action: str, subject: str, details: Mapping[str, Any] | None = None
) -> None:
    """Write one line in the caller's transaction. `action` is of `recordings.privacy_tables.ACTIONS`.

    `subject` names a row ("call ID", "hold ID"); neither it nor `details` ever holds a number or a name of a party.
    """
    if action not in ACTIONS:
        raise ValueError(f"not an action of the audit: {action!r}")
    row = {"actor": actor.login, "user_id": actor.user, "action": action, "subject": subject}
    await connection.execute(insert(audit).values(row | {"details": dict(details or {}), "address": actor.address}))
