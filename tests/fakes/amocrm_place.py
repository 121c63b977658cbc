"""A connection to the account of amoCRM that tests open: its rows, and the workplace of its adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.amocrm import KIND, Amo
from crm_sync.amocrm_link import Settings
from crm_sync.connections import Connection
from crm_sync.grants import Grant, SealedGrants, keep_grant
from crm_sync.http import Http
from crm_sync.pacing import SharedPace
from crm_sync.people import KnownPeople, pair
from crm_sync.secrets import Keeper
from crm_sync.workplace import Workplace
from directory.tables import people
from tests.fakes.amocrm import ANNA, BORIS, CLIENT, CLIENT_SECRET, REDIRECT, open_amo
from tests.fakes.amocrm import Amo as Account
from tests.fakes.ledger import LOOPBACK, SECRET_KEY

INBOUND: Final = "secret-of-the-address-0123456789"
SECONDS: Final = 0.4
KEEPER: Final = Keeper(SECRET_KEY)


class Hasty(SharedPace):
    """A pace that is so many times as fast: the account of a test lets in as many more."""

    times = 100

    async def take(self, bucket: str, *, most: float, per_second: float, **more: Any) -> None:
        await super().take(bucket, most=most * self.times, per_second=per_second * self.times, **more)


async def link_of(call_id: UUID) -> str:
    return f"https://calls.example.com/linked/{call_id.hex}"


async def connect_amo(
    engine: AsyncEngine, account: Account, *, long_lived: bool = False, key: str = "amo", **settings: Any
) -> Connection:
    """Connect an account: Anna and Boris are its users."""
    told = {"account": account.url, "client_id": CLIENT, "visible_seconds": 0.0} | settings
    secrets = {"client_secret": CLIENT_SECRET, "inbound": INBOUND}
    secrets |= {"token": account.give_long_lived()} if long_lived else {}
    async with engine.begin() as connection:
        await connections.add(connection, key, "amocrm", told, KEEPER.seal(key, secrets), KIND.steps, "active")
        for position, (person, user) in enumerate((("anna", ANNA), ("boris", BORIS))):
            row = {"key": person, "name": person, "role": "manager", "position": position}
            await connection.execute(insert(people).values(**row))
            await pair(connection, key, str(user), person)
        if not long_lived:
            access, refresh = account.grant()
            until = datetime.now(UTC) + timedelta(days=1)
            grant = Grant(access, refresh, until, until + timedelta(days=89), {"redirect_uri": REDIRECT})
            await keep_grant(connection, KEEPER, key, grant)
        known = await connections.read(connection, key)
    assert known is not None
    return known


def workplace_of(engine: AsyncEngine, to: Connection) -> Workplace:
    """As the service makes it, but in haste, and with invented links."""
    secrets = KEEPER.open(to.key, to.secrets)

    async def silent(_call: UUID) -> None:
        return None

    return Workplace(
        key=to.key,
        settings=msgspec.convert(dict(to.settings), Settings),
        secrets=secrets,
        http=Http(LOOPBACK, secrets=[str(one) for one in secrets.values()], seconds=SECONDS),
        grants=SealedGrants(engine, KEEPER, to.key),
        pace=Hasty(engine, to.key),
        people=KnownPeople(engine, to.key),
        sound=silent,
        link=link_of,
        now=lambda: datetime.now(UTC),
    )


@dataclass
class Rig:
    """An adapter with its account."""

    crm: Amo
    account: Account
    workplace: Workplace
    to: Connection

    def again(self, **changes: Any) -> Amo:
        """Another adapter at the same workplace, with these changes."""
        return Amo(replace(self.workplace, **changes))

    def at(self, now: Callable[[], datetime]) -> Amo:
        return self.again(now=now)


@asynccontextmanager
async def open_rig(engine: AsyncEngine, *, long_lived: bool = False, **settings: Any) -> AsyncIterator[Rig]:
    """An account that lets in much, and the adapter of a connection to it."""
    async with open_amo(per_second=700, account_per_second=5000) as account:
        to = await connect_amo(engine, account, long_lived=long_lived, **settings)
        workplace = workplace_of(engine, to)
        crm = Amo(workplace)
        try:
            yield Rig(crm, account, workplace, to)
        finally:
            await crm.close()
