"""Writes down who did what; what is written stays (the table refuses every change)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.privacy_tables import ACTIONS, audit

SERVICE: Final = "switchhook"
COMMAND_LINE: Final = "command line"
TEXT_MOST: Final = 300
HIDDEN: Final = "…"
_SECRET: Final = re.compile(r"password|secret|token|calendar|authorization|cookie|digest|hash", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who does something: `login` (or SERVICE, or COMMAND_LINE), the user's id, the address, and the request's id."""

    login: str
    user: int | None = None
    address: str | None = None
    request: str | None = None


THE_SERVICE: Final = Actor(login=SERVICE)
THE_OPERATOR: Final = Actor(login=COMMAND_LINE)


async def note(
    connection: AsyncConnection,
    actor: Actor,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write one line in the caller's transaction. `action` is of `recordings.privacy_tables.ACTIONS`.

    `subject` names a row ("call ID", "hold ID"); neither it nor what is told besides holds a number or a name of a
    party. `before` and `after` tell what changed, whole or only what differs: values under the names of secrets are
    hidden, long texts cut.
    """
    if action not in ACTIONS:
        raise ValueError(f"not an action of the audit: {action!r}")
    row = {
        "actor": actor.login,
        "user_id": actor.user,
        "action": action,
        "subject": subject,
        "details": dict(details or {}),
        "before": None if before is None else without_secrets(before),
        "after": None if after is None else without_secrets(after),
        "address": actor.address,
        "request": actor.request,
    }
    await connection.execute(insert(audit).values(row))


def without_secrets(told: Any) -> Any:
    """The same as JSON knows it: what stands under the name of a secret is hidden unless empty, long texts are cut."""
    if isinstance(told, Mapping):
        named = [(str(name), it) for name, it in told.items()]
        return {name: _hidden(it) if _SECRET.search(name) else without_secrets(it) for name, it in named}
    if isinstance(told, list | tuple | set | frozenset):
        return [without_secrets(it) for it in (sorted(told) if isinstance(told, set | frozenset) else told)]
    if told is None or isinstance(told, bool | int | float):
        return told
    text = str(told)
    return text if len(text) <= TEXT_MOST else text[: TEXT_MOST - 1] + HIDDEN


def _hidden(told: Any) -> Any:
    return told if told is None or isinstance(told, bool) else HIDDEN
