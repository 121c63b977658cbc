"""What `switchhook crm` does."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, update
from yarl import URL

from crm_sync import connections
from crm_sync.connections import LINK_DAYS, Connection, ConnectionRefused
from crm_sync.crm import Step
from crm_sync.errors import CrmError
from crm_sync.ledger_tables import EFFECT_STATES, crm_connections
from crm_sync.secrets import Keeper, SecretKeyError
from crm_sync.webhook import EVENTS, Endpoint, Webhook
from notices.signing import read_secret, write_secret
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web.links import DAYS_MOST

_KEY_BYTES: Final = 32
_MOST: Final = 1000


async def add_webhook(
    settings: Settings, key: str, url: str, events: Sequence[str], *, shadow: bool, link_days: int, probe: bool
) -> str:
    """Connect an endpoint, which answers a signed ping first; gives the secret that it verifies with."""
    steps = _steps(events)
    _check(url)
    if not 1 <= link_days <= DAYS_MOST:
        raise UserFault(f"--link-days: must be 1 to {DAYS_MOST}, got {link_days}")
    secret = write_secret(secrets.token_bytes(_KEY_BYTES))
    sealed = _keeper(settings).seal(key, {"keys": [secret]})
    kept = {"url": url} | ({"link_days": link_days} if link_days != LINK_DAYS else {})
    state: connections.State = "shadow" if shadow else "active"
    async with open_house(settings, pool=1) as house:
        try:
            async with house.engine.begin() as connection:
                await connections.add(connection, key, "webhook", kept, sealed, steps, state)
                if probe:
                    await _ping(settings, url, [secret])
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None
    return secret


async def new_secret(settings: Settings, key: str) -> str:
    """Sign with a new secret and, until the next one is made, with the last one too; gives the new one."""
    keeper = _keeper(settings)
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        known = await connections.read(connection, key)
        if known is None:
            raise UserFault(f"key: there is no connection {key!r}")
        try:
            before = keeper.open(key, known.secrets)["keys"]
        except SecretKeyError as error:
            raise UserFault(str(error)) from None
        secret = write_secret(secrets.token_bytes(_KEY_BYTES))
        sealed = keeper.seal(key, {"keys": [secret, before[0]]})
        told = {"secrets": sealed, "changed_at": func.clock_timestamp()}
        await connection.execute(update(crm_connections).where(crm_connections.c.key == key).values(**told))
    return secret


async def list_connections(settings: Settings) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each): every connection, and how many of its effects are in which state."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        told = await connections.listed(connection)
    words = []
    for one, counts in told:
        ended = f" by {one.stopped_by}" if one.stopped_by else ""
        numbers = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
        words.append(f"{one.key}: {one.kind} {_host(one)}, {one.state}{ended}; {numbers or 'nothing told yet'}")
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
    try:
        told = UUID(effect) if effect else None
    except ValueError:
        raise UserFault(f"EFFECT: must be the id of an effect, got {effect!r}") from None
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            return await connections.retry(connection, key, told)
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None


async def switch(settings: Settings, key: str, state: connections.State) -> int:
    """Stop a connection, or start it, also in shadow; returns how much is on its way again."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            if state == "stopped":
                await connections.stop(connection, key)
                return 0
            return await connections.start(connection, key, shadow=state == "shadow")
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None


def _keeper(settings: Settings) -> Keeper:
    try:
        return Keeper(settings.secret_key.get_secret_value())
    except SecretKeyError as error:
        raise UserFault(str(error)) from None


def _steps(events: Sequence[str]) -> list[Step]:
    for event in events:
        if event not in EVENTS:
            raise UserFault(f"--event: must be one of {', '.join(EVENTS)}, got {event!r}")
    return [EVENTS[event] for event in events or EVENTS]


def _check(url: str) -> None:
    try:
        told = URL(url)
    except ValueError:
        told = URL()
    if told.scheme not in {"http", "https"} or not told.host or told.user or told.fragment:
        raise UserFault(f"URL: must be http:// or https:// with a host, without user or fragment, got {url!r}")


async def _ping(settings: Settings, url: str, keys: Sequence[str]) -> None:
    signing = [read_secret(one) for one in keys]
    crm = Webhook(Endpoint(url=url, keys=signing, networks=settings.crm.networks))
    try:
        await crm.probe()
    except CrmError as error:
        raise UserFault(f"URL: did not take a ping: {error}; --no-probe connects it all the same") from None
    finally:
        await crm.close()


def _host(one: Connection) -> str:
    """The address without what may be a secret in it."""
    return str(URL(one.settings["url"]).origin())


def _json(one: Connection, counts: dict[str, int]) -> dict[str, Any]:
    return {
        "key": one.key,
        "kind": one.kind,
        "host": _host(one),
        "state": one.state,
        "stopped_by": one.stopped_by,
        "paused_until": one.paused_until.isoformat() if one.paused_until else None,
        "steps": list(one.steps),
        "effects": counts,
    }
