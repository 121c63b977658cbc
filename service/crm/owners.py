"""Asks a CRM whose caller a number is, by HTTP or through a connection, as the settings say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync import connections
from crm_sync.connections import Connection
from crm_sync.crm import Asked, Crm, Traced
from crm_sync.errors import TransientError
from crm_sync.kinds import KINDS
from crm_sync.owner_by_http import HttpOwners
from routing.look_up import CrmOwners, Waited
from service.crm.workplaces import Adapters, heeding
from service.settings import Settings
from service.wiring import House

_SECONDS: Final = 8.0
"""A caller waits for less (`crm.budget_seconds`); an answer that comes later is a younger copy for the next call."""
_ANSWER_BYTES: Final = 256 * 1024
"""The loop that handles calls reads the answer: a longer one is refused, for it would stop the loop."""


class ConnectionOwners:
    """Owners by the connection that the setting `crm.owner_from` names (`routing.look_up.OwnerLookup`).

    `low`: nobody waits for them, so that every other request to the CRM goes first.
    """

    def __init__(self, settings: Settings, engine: AsyncEngine, *, low: bool = False) -> None:
        self._key = settings.crm.owner_from or ""
        self._engine = engine
        self._adapters = Adapters(settings, engine, _ANSWER_BYTES, low=low)

    async def __call__(self, number: str, /) -> str | None:
        """Key of the person who owns `number` (E.164 digits), None for nobody.

        Raises CrmError, also for a connection that is not there or cannot be asked now; SecretKeyError.
        """
        to, crm = await self._opened()
        async with heeding(self._engine, to):
            found = await cast("Asked", crm).find_party(number, _SECONDS)
        return next((one.owner for one in found if one.owner is not None), None)

    async def name(self) -> str:
        """What people call it: the title of its kind, else its key."""
        async with self._engine.connect() as connection:
            to = await connections.read(connection, self._key)
        return KINDS[to.kind].title if to is not None and to.kind in KINDS else self._key

    async def numbers_of(self, remote_id: str) -> Sequence[str]:
        """The numbers of what the CRM calls so; none where it cannot be asked for them. Raises as above."""
        to, crm = await self._opened()
        if "numbers" not in crm.capabilities:
            return ()
        async with heeding(self._engine, to):
            return await cast("Traced", crm).numbers_of(remote_id)

    async def _opened(self) -> tuple[Connection, Crm]:
        opened = await self._adapters.asked(self._key)
        if opened is None or "parties" not in opened[1].capabilities:
            raise TransientError(f"the connection {self._key!r} cannot be asked")
        return opened

    async def close(self) -> None:
        """Give back the connections."""
        await self._adapters.close()


@asynccontextmanager
async def open_crm(house: House, waited: Waited = lambda _result, _seconds: None) -> AsyncIterator[CrmOwners | None]:
    """The CRM of the settings, asked for owners; None: our own lead book is. `waited` is told each caller's wait."""
    crm = house.settings.crm
    if crm.owner_url is None and crm.owner_from is None:
        yield None
        return
    through: HttpOwners | ConnectionOwners
    name = None
    if crm.owner_url is not None:
        through = HttpOwners(crm.owner_url, crm.token.get_secret_value())
    else:
        through = ConnectionOwners(house.settings, house.engine)
        name = await through.name()
    asked = CrmOwners(through, house.engine, budget_seconds=crm.budget_seconds, waited=waited, name=name)
    try:
        yield asked
    finally:
        await asked.close()
        await through.close()
