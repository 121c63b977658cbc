"""What `switchhook crm` does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync import connections
from crm_sync.asking import Faults
from crm_sync.connecting import Wanted
from crm_sync.connections import Connection, ConnectionRefused
from crm_sync.ledger.tables import EFFECT_STATES
from crm_sync.secrets import SETTING
from recordings.audit import THE_OPERATOR, note
from service.crm import setup as crm_setup
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house

_MOST: Final = 1000


async def add_webhook(
    settings: Settings,
    key: str,
    url: str,
    events: Sequence[str],
    *,
    shadow: bool,
    link_days: int,
    probe: bool,
    since: datetime | None = None,
) -> str:
    """Connect an endpoint, which answers a signed ping first; gives the secret that it verifies with.

    It is owed what happens from now on, or happened `since`.
    """
    wanted = Wanted(
        kind="webhook",
        key=key,
        settings={},
        secrets={"url": url},
        link_days=link_days,
        events=events,
        since=since,
        shadow=shadow,
        probe=probe,
    )
    return await crm_setup.add(settings, wanted, lambda _line: None) or ""


async def new_secret(settings: Settings, key: str, url: str | None = None) -> str:
    """Sign with a new secret and, until the next one is made, with the last one too; gives the new one.

    Where the key that sealed is lost, the last secret is lost too, and the address (`url`) has to be told again.
    """
    async with crm_setup.opened(settings) as (connecting, _):
        try:
            return await connecting.new_keys(key, THE_OPERATOR, url)
        except Faults:
            if url is not None:
                raise
            raise UserFault(
                f"--url: is required, for {SETTING} is not the key with which the address was sealed"
            ) from None


async def list_connections(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each): every connection, and how many of its effects are in which state."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        told = await connections.counted(connection, EFFECT_STATES)
    words = []
    for one, counts in told:
        ended = f" by {one.stopped_by}" if one.stopped_by else ""
        numbers = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        words.append(f"{one.key}: {one.kind} {one.origin}, {one.state}{ended}; {numbers or 'nothing told yet'}")
    return [_json(one, counts) for one, counts in told], "\n".join(words) or "no connections"


async def list_effects(settings: Settings, key: str, state: str | None) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each): the newest effects of a connection, at most a thousand."""
    if state is not None and state not in EFFECT_STATES:
        raise UserFault(f"--state: must be one of {', '.join(EFFECT_STATES)}, got {state!r}")
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        try:
            rows = await connections.effects_of(connection, key, state, _MOST)
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None
    words = []
    for row in rows:
        said = json.dumps(row.answer, ensure_ascii=False) if row.answer else ""
        parts = (str(row.key), row.step, row.state, f"{row.attempts} tried", row.error or "", said)
        words.append("  ".join(filter(None, parts)))
    told = [{name: value for name, value in row._mapping.items() if name not in {"lane", "number"}} for row in rows]  # noqa: SLF001 SQLAlchemy's name for it
    return json.loads(json.dumps(told, default=str)), "\n".join(words) or "no effects"


async def retry(settings: Settings, key: str, effect: str | None) -> int:
    """Send dead letters again, or one effect."""
    told = _effect(effect) if effect else None
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            count = await connections.retry(connection, key, told)
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None
        await _noted(connection, "crm_retried", key, effect=told and str(told), count=count)
    return count


async def discard(settings: Settings, key: str, effect: str) -> int:
    """Give a dead letter up for good, or all of them (`all`); returns how many."""
    told = None if effect == "all" else _effect(effect)
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            count = await connections.discard(connection, key, told)
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None
        await _noted(connection, "crm_discarded", key, effect=told and str(told), count=count)
    return count


async def switch(settings: Settings, key: str, state: connections.State) -> int:
    """Stop a connection, or start it, also in shadow; returns how much is on its way again."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            if state == "stopped":
                count = 0
                await connections.stop(connection, key)
            else:
                count = await connections.start(connection, key, shadow=state == "shadow")
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None
        if state == "stopped":
            await _noted(connection, "crm_stopped", key)
        else:
            await _noted(connection, "crm_started", key, shadow=state == "shadow", count=count)
    return count


async def _noted(connection: AsyncConnection, action: str, key: str, **told: Any) -> None:
    """Write down who did what to which connection: its key and the host, nothing of the rest of the address."""
    known = await connections.read(connection, key)
    host = known.host if known else None
    await note(connection, THE_OPERATOR, action, f"crm {key}", {"host": host, **told})


def _effect(told: str) -> UUID:
    try:
        return UUID(told)
    except ValueError:
        raise UserFault(f"EFFECT: must be the id of an effect, got {told!r}") from None


def _json(one: Connection, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "key": one.key,
        "kind": one.kind,
        "host": one.origin,
        "state": one.state,
        "stopped_by": one.stopped_by,
        "since": one.since.isoformat(),
        "paused_until": one.paused_until.isoformat() if one.paused_until else None,
        "quiet_until": one.quiet_until.isoformat() if one.quiet_until else None,
        "steps": list(one.steps),
        "effects": counts,
    }
