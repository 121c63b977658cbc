"""Connects a CRM from the terminal: lets a person agree, probes, maps users, and says what is missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections, people
from crm_sync.asking import Fault, Faults
from crm_sync.connecting import Changed, Met, Wanted
from crm_sync.connection_tables import crm_grants
from crm_sync.connections import ConnectionRefused
from crm_sync.errors import CrmError
from crm_sync.grants import NoGrantError
from crm_sync.kinds import KINDS
from crm_sync.secrets import SecretKeyError
from recordings.audit import THE_OPERATOR
from service.cli.terminal import plain
from service.crm.connecting import CONSENT_SECONDS, Connecting
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house

__all__ = ["Wanted", "add", "check", "grant", "kind_of", "list_users", "opened", "pair", "remove", "renew"]

_LOOK_SECONDS: Final = 1.0

Say = Callable[[str], None]
"""Tells the person a line."""


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Connecting, AsyncEngine]]:
    """What connections are made with; what a person told wrong is told by the name of its option (UserFault)."""
    async with open_house(settings, pool=2) as house:
        try:
            yield Connecting(settings, house.engine), house.engine
        except Faults as faults:
            raise UserFault("\n".join(f"{_option(one)}: {one.said('en')}" for one in faults.told)) from None
        except (ConnectionRefused, SecretKeyError) as error:
            raise UserFault(str(error)) from None


async def add(settings: Settings, wanted: Wanted, say: Say) -> str | None:
    """Make the connection, which is told what happens from then on, and gives what it verifies us with, if anything.

    What does not let us in is not kept.
    """
    async with opened(settings) as (connecting, engine):
        key = wanted.key
        if wanted.since is not None and wanted.since > datetime.now(UTC):
            raise Faults(Fault("since", "future", {"got": wanted.since.isoformat()}))
        signs = await connecting.add(wanted, THE_OPERATOR)
        try:
            if wanted.probe:
                await _meet(connecting, engine, key, say)
        except BaseException:
            await connecting.remove(key, THE_OPERATOR)
            raise
        await connecting.start(key, None, shadow=wanted.shadow, since=wanted.since)
    return signs


async def check(settings: Settings, key: str, say: Say) -> None:
    """Ask a connection again how it is, and who works there."""
    async with opened(settings) as (connecting, engine):
        await _meet(connecting, engine, key, say, may_consent=False)


async def grant(settings: Settings, key: str, say: Say) -> None:
    """Let a person agree anew that we come in; a connection that stopped for want of it goes on as it was."""
    async with opened(settings) as (connecting, engine):
        await _consent(connecting, engine, key, say)
        await _meet(connecting, engine, key, say, may_consent=False)
        async with engine.begin() as connection:
            await connections.go_on(connection, key)


async def renew(settings: Settings, key: str, given: Mapping[str, str], say: Say) -> None:
    """Take new secrets, those that are told; a connection that stopped for want of them goes on as it was.

    What does not let us in is not kept.
    """
    if not any(given.values()):
        raise UserFault("secrets: at least one has to be told")
    async with opened(settings) as (connecting, engine):
        try:
            await connecting.change(key, Changed(secrets=given), THE_OPERATOR)
        except CrmError as error:
            raise UserFault(f"{key}: did not let us in: {error}; the secrets are as they were") from None
        await _meet(connecting, engine, key, say, may_consent=False)


async def kind_of(settings: Settings, key: str) -> str:
    """The kind of a connection."""
    async with opened(settings) as (connecting, _):
        return (await connecting.read(key)).kind


async def list_users(settings: Settings, key: str) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each): who works there, and who that is here."""
    async with opened(settings) as (connecting, engine), engine.connect() as connection:
        await connecting.read(key)
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
    """Say who a user of the CRM is; None: whoever has their extension or mailbox."""
    async with opened(settings) as (connecting, _):
        await connecting.pair(key, {user: person}, THE_OPERATOR)


async def remove(settings: Settings, key: str) -> None:
    """Forget a connection, what it was told, and end the links that were made for it."""
    async with opened(settings) as (connecting, _):
        await connecting.remove(key, THE_OPERATOR)


async def _meet(connecting: Connecting, engine: AsyncEngine, key: str, say: Say, *, may_consent: bool = True) -> None:
    """Probe, and keep who works there; says what is missing. Raises UserFault when we are not let in."""
    try:
        met = await connecting.meet(key)
    except NoGrantError as error:
        if not may_consent:
            raise UserFault(f"{key}: {error}") from None
        await _consent(connecting, engine, key, say)
        await _meet(connecting, engine, key, say, may_consent=False)
    except CrmError as error:
        signs = KINDS[(await connecting.read(key)).kind].make_keys is not None
        did = "take a ping" if signs else "let us in"
        raise UserFault(f"{key}: did not {did}: {error}; --no-probe connects it all the same") from None
    else:
        await _tell(connecting, key, met, say)


async def _tell(connecting: Connecting, key: str, met: Met, say: Say) -> None:
    """Say what is missing and who is nobody there."""
    stands = await connecting.look(key)
    guide = KINDS[stands.to.kind].guide
    for one in met.missing:
        remedy = guide.remedy(one)
        say(f"missing: {one}{f'. {remedy[1]}' if remedy else ''}")
    if met.access_ends_at is not None:
        say(f"the key ends on {met.access_ends_at:%Y-%m-%d}: give a new one before")
    if "parties" in stands.capabilities:
        known = [one for one in stands.users if one.person is not None]
        say(f"{met.user_count} users there, {len(known)} of them known here")
        if stands.nobody:
            nobody = ", ".join(stands.nobody)
            say(f"not known there: {nobody}; `switchhook crm pair {key} USER PERSON` says who is who")
    events = connecting.addresses(key).events
    if "inbound" in stands.capabilities and events:
        say(f"what happens there is heard at {events}{f'?secret=…: {guide.hearing[1]}' if guide.hearing[1] else ''}")


async def _consent(connecting: Connecting, engine: AsyncEngine, key: str, say: Say) -> None:
    """Show where a person agrees, and wait until they did: the web role stores what comes back."""
    kind, addresses = KINDS[(await connecting.read(key)).kind], connecting.addresses(key)
    if kind.consent is None:
        raise UserFault(f"{key}: {kind.title} gives access by keys alone")
    if addresses.back is None or addresses.events is None:
        raise UserFault("web.public_url: is required, for a person is sent back there after they agreed")
    until = datetime.now(UTC).timestamp() + CONSENT_SECONDS
    before = await _grant_number(engine, key)
    address = await connecting.ask_consent(key, THE_OPERATOR)
    for _, line in kind.guide.lines:
        say(line.replace("{back}", addresses.back).replace("{events}", addresses.events))
    say(f"It sends you back to {addresses.back}; open, and agree:")
    say(address)
    while datetime.now(UTC).timestamp() < until:
        if await _grant_number(engine, key) != before:
            say("we were let in")
            return
        await asyncio.sleep(_LOOK_SECONDS)
    raise UserFault(f"{key}: nobody agreed within {CONSENT_SECONDS / 60:.0f} minutes")


async def _grant_number(engine: AsyncEngine, key: str) -> int | None:
    async with engine.connect() as connection:
        number: int | None = await connection.scalar(select(crm_grants.c.number).where(crm_grants.c.connection == key))
    return number


def _option(fault: Fault) -> str:
    """How the command line calls a field."""
    told = {"connection": "key", "url": "URL", "person": "PERSON", "": "settings"}
    if fault.name in told:
        return told[fault.name]
    is_secret = any(fault.name in kind.secrets for kind in KINDS.values())
    return f"secret {fault.name}" if is_secret else f"--{fault.name.replace('_', '-')}"
