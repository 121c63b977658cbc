"""Connects a CRM: asks for what its kind needs, lets a person agree, probes, maps users, and says what is missing."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, cast

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from crm_sync import connections, people
from crm_sync.connection_tables import crm_grants
from crm_sync.connections import Connection, ConnectionRefused
from crm_sync.crm import Asked
from crm_sync.errors import CrmError
from crm_sync.grants import NoGrantError
from crm_sync.kinds import KINDS
from crm_sync.secrets import Keeper, SecretKeyError
from directory.networks import is_inside
from recordings.audit import THE_OPERATOR, note
from service.crm_doors import CONSENT_SECONDS, consent_address, digest_of
from service.crm_workplaces import workplace
from service.faults import UserFault
from service.settings import Settings
from service.terminal import plain
from service.wiring import open_house
from web.links import DAYS_MOST

_LOOK_SECONDS: Final = 1.0
_DOOR_SIGNS: Final = 24
"""The secret of an address is all that verifies who comes: one that is shorter could be guessed."""

Say = Callable[[str], None]
"""Tells the person a line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A connection to be made: its kind, what is no secret and what is, both as they were told."""

    kind: str
    key: str
    settings: Mapping[str, Any]
    secrets: Mapping[str, str] = field(repr=False)
    link_days: int = connections.LINK_DAYS
    shadow: bool = False
    probe: bool = True


async def add(settings: Settings, wanted: Wanted, say: Say) -> None:
    """Make the connection, which is told what happens from then on. What does not let us in is not kept."""
    kept = _settings(wanted)
    keeper, kind = _keeper(settings), KINDS[wanted.kind]
    given = _given(wanted.secrets)
    await _check_plain(settings, {**kept, **given})
    if missing := next((name for name in kind.required if name not in given), None):
        raise UserFault(f"{missing}: is required, {kind.secrets[missing]}")
    async with open_house(settings, pool=2) as house:
        try:
            async with house.engine.begin() as connection:
                sealed = keeper.seal(wanted.key, given)
                await connections.add(connection, wanted.key, wanted.kind, kept, sealed, kind.steps, "shadow")
                await connections.stop(connection, wanted.key)
                await note(connection, THE_OPERATOR, "crm_added", f"crm {wanted.key}", {"kind": wanted.kind})
        except ConnectionRefused as error:
            raise UserFault(str(error)) from None
        try:
            if wanted.probe:
                await _meet(settings, house.engine, wanted.key, say)
        except BaseException:
            async with house.engine.begin() as connection:
                await connections.remove(connection, wanted.key)
            raise
        to = await _read(house.engine, wanted.key)
        async with house.engine.begin() as connection:
            await connections.share_limits(connection, to, given)
            await connections.start(connection, wanted.key, shadow=wanted.shadow)


async def check(settings: Settings, key: str, say: Say) -> None:
    """Ask a connection again how it is, and who works there."""
    async with open_house(settings, pool=2) as house:
        await _meet(settings, house.engine, key, say, may_consent=False)


async def grant(settings: Settings, key: str, say: Say) -> None:
    """Let a person agree anew that we come in; a connection that stopped for want of it goes on as it was."""
    async with open_house(settings, pool=2) as house:
        await _consent(settings, house.engine, key, say)
        await _meet(settings, house.engine, key, say, may_consent=False)
        async with house.engine.begin() as connection:
            await connections.go_on(connection, key)


async def renew(settings: Settings, key: str, given: Mapping[str, str], say: Say) -> None:
    """Take new secrets, those that are told; a connection that stopped for want of them goes on as it was.

    What does not let us in is not kept.
    """
    keeper, told = _keeper(settings), _given(given)
    if not told:
        raise UserFault("secrets: at least one has to be told")
    await _check_plain(settings, told)
    async with open_house(settings, pool=2) as house:
        to = await _read(house.engine, key)
        try:
            before = keeper.open(key, to.secrets)
        except SecretKeyError:
            before = {}
        async with house.engine.begin() as connection:
            await connections.set_secrets(connection, key, to.settings, keeper.seal(key, before | told))
            await note(connection, THE_OPERATOR, "crm_secret_made", f"crm {key}")
        try:
            await _meet(settings, house.engine, key, say, may_consent=False)
        except BaseException:
            async with house.engine.begin() as connection:
                await connections.set_secrets(connection, key, to.settings, to.secrets)
            raise
        async with house.engine.begin() as connection:
            await connections.share_limits(connection, to, before | told)
            await connections.go_on(connection, key)


async def kind_of(settings: Settings, key: str) -> str:
    """The kind of a connection."""
    async with open_house(settings, pool=1) as house:
        return (await _read(house.engine, key)).kind


async def list_users(settings: Settings, key: str) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each): who works there, and who that is here."""
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        await _read(house.engine, key)
        told = await people.known(connection, key)
        missing = await people.unknown(connection, key)
    lines = [
        f"{one.user}: {one.name or '-'}, {one.extension or 'no extension'}, "
        f"{one.person or 'nobody here'}{' by hand' if one.by_hand else ''}"
        for one in told
    ]
    lines += [f"{one}: nobody there" for one in missing]
    users = [{"user": one.user, "name": one.name, "extension": one.extension, "person": one.person} for one in told]
    return users, "\n".join(map(plain, lines)) or "nobody is known"


async def pair(settings: Settings, key: str, user: str, person: str | None) -> None:
    """Say who a user of the CRM is; None: whoever has their extension."""
    async with open_house(settings, pool=2) as house:
        await _read(house.engine, key)
        async with house.engine.begin() as connection:
            if person is not None and not await people.is_person(connection, person):
                raise UserFault(f"PERSON: there is nobody {person!r} in the directory")
            await people.pair(connection, key, user, person)
            await note(connection, THE_OPERATOR, "crm_paired", f"crm {key}", {"person": person})


async def _meet(settings: Settings, engine: AsyncEngine, key: str, say: Say, *, may_consent: bool = True) -> None:
    """Probe, and keep who works there; says what is missing. Raises UserFault when we are not let in."""
    to = await _read(engine, key)
    at = workplace(settings, engine, to, _keeper(settings).open(key, to.secrets))
    crm = KINDS[to.kind].open(at)
    try:
        probed = await crm.probe()
        async with engine.begin() as connection:
            await connections.probed(connection, key, probed.missing)
        for one in probed.missing:
            say(f"missing: {one}")
        if probed.access_ends_at is not None:
            say(f"the key ends on {probed.access_ends_at:%Y-%m-%d}: give a new one before")
        if "parties" in crm.capabilities:
            users = await cast("Asked", crm).users()
            async with engine.begin() as connection:
                await people.keep_users(connection, key, users)
                known = [one for one in await people.known(connection, key) if one.person is not None]
                nobody, disputed = await people.unknown(connection, key), await people.disputed(connection, key)
                await connections.probed(connection, key, (*probed.missing, *disputed))
            for one in disputed:
                say(f"missing: {one}")
            say(f"{len(users)} users there, {len(known)} of them known here")
            if nobody:
                say(f"not known there: {', '.join(nobody)}; `switchhook crm pair {key} USER PERSON` says who is who")
        if "inbound" in crm.capabilities and settings.web.public_url:
            say(f"what happens there is heard at {settings.web.public_url.rstrip('/')}/crm/{key}/events")
    except NoGrantError as error:
        if not may_consent:
            raise UserFault(f"{key}: {error}") from None
        await _consent(settings, engine, key, say)
        await _meet(settings, engine, key, say, may_consent=False)
    except CrmError as error:
        raise UserFault(f"{key}: did not let us in: {error}; --no-probe connects it all the same") from None
    finally:
        await crm.close()


async def _consent(settings: Settings, engine: AsyncEngine, key: str, say: Say) -> None:
    """Show where a person agrees, and wait until they did: the web role stores what comes back."""
    to = await _read(engine, key)
    kind, back = KINDS[to.kind], consent_address(settings, key)
    if kind.consent is None:
        raise UserFault(f"{key}: {kind.title} gives access by keys alone")
    if back is None:
        raise UserFault("web.public_url: is required, for a person is sent back there after they agreed")
    state = secrets.token_urlsafe(24)
    until = datetime.now(UTC).timestamp() + CONSENT_SECONDS
    async with engine.begin() as connection:
        told = {**to.settings, "consent": {"digest": digest_of(state), "until": until}}
        await connections.set_secrets(connection, key, told, to.secrets)
        before = await connection.scalar(select(crm_grants.c.number).where(crm_grants.c.connection == key))
    at = workplace(settings, engine, to, _keeper(settings).open(key, to.secrets))
    for line in kind.guide:
        say(line)
    say(f"It sends you back to {back}; open, and agree:")
    say(kind.consent.address(at, back, state))
    await at.http.close()
    while datetime.now(UTC).timestamp() < until:
        async with engine.connect() as connection:
            number = await connection.scalar(select(crm_grants.c.number).where(crm_grants.c.connection == key))
        if number != before:
            say("we were let in")
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise UserFault(f"{key}: nobody agreed within {CONSENT_SECONDS / 60:.0f} minutes")


async def _read(engine: AsyncEngine, key: str) -> Connection:
    async with engine.connect() as connection:
        known = await connections.read(connection, key)
    if known is None:
        raise UserFault(f"key: there is no connection {key!r}")
    return known


def _settings(wanted: Wanted) -> dict[str, Any]:
    """The settings as they are kept. Raises UserFault naming the option."""
    if not 1 <= wanted.link_days <= DAYS_MOST:
        raise UserFault(f"--link-days: must be 1 to {DAYS_MOST}, got {wanted.link_days}")
    struct = KINDS[wanted.kind].settings
    try:
        kept: dict[str, Any] = msgspec.to_builtins(msgspec.convert(dict(wanted.settings), struct, strict=False))
    except msgspec.ValidationError as error:
        why, _, where = str(error).partition(" - at `$.")
        raise UserFault(f"--{where.rstrip('`').replace('_', '-') or 'settings'}: {why[:1].lower()}{why[1:]}") from None
    return kept | ({"link_days": wanted.link_days} if wanted.link_days != connections.LINK_DAYS else {})


async def _check_plain(settings: Settings, told: Mapping[str, Any]) -> None:
    """Raise UserFault for an address whose traffic all could read, unless it is in the house; it may be a secret."""
    for name, value in told.items():
        if not isinstance(value, str) or not value.lower().startswith("http://"):
            continue
        try:
            host = URL(value).host
        except ValueError:
            host = None
        if host is None or not await is_inside(host, settings.crm.networks):
            raise UserFault(f"{name}: must begin with https://, unless it leads into crm.networks")


def _given(secrets: Mapping[str, str]) -> dict[str, str]:
    """The secrets that were told. Raises UserFault for one of an address that could be guessed."""
    if 0 < len(secrets.get("inbound", "")) < _DOOR_SIGNS:
        raise UserFault(f"inbound: must have at least {_DOOR_SIGNS} characters, got {len(secrets['inbound'])}")
    return {name: value for name, value in secrets.items() if value}


def _keeper(settings: Settings) -> Keeper:
    try:
        return Keeper(settings.secret_key.get_secret_value())
    except SecretKeyError as error:
        raise UserFault(str(error)) from None
