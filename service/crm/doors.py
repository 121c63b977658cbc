"""The doors through which CRMs come to us: a person's consent comes back to one, what happens there to the other."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final, cast
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync import asked_back, connections, heard, probes
from crm_sync.connections import Connection, ConnectionRefused
from crm_sync.crm import Hears, Inbound
from crm_sync.errors import AuthDeadError, CrmError, PermanentError
from crm_sync.grants import keep_grant
from crm_sync.heard import Acts
from crm_sync.kinds import KINDS
from crm_sync.secrets import Keeper, SecretKeyError
from directory import store as directory_store
from directory.numbers import is_short
from recordings.audit import COMMAND_LINE, Actor, note
from routing import look_up, requests
from routing.owner import Copy
from routing.requests import TooManyAskedError, UnknownPersonError, Wish
from service.crm.connecting import Connecting, digest_of
from service.crm.owners import ConnectionOwners
from service.crm.workplaces import Adapters, workplace
from service.settings import Settings
from service.wiring import lead_owner, outgoing_desk
from web.services import DoorClosed

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_NUMBERS_MOST: Final = 5
"""Of what changed there so many numbers are asked about: a company may have hundreds, whose owners get old."""


class Doors:
    """Takes what CRMs send (`web.services.CrmDoors`)."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
        self._engine = engine
        self._adapters = Adapters(settings, engine)
        self._connecting = Connecting(settings, engine)

    async def returned(self, key: str, query: Mapping[str, str]) -> bool:
        """Make a grant of what a person agreed to, and store it; whether they came from our page, which goes on.

        A return is good once, whatever comes of it.
        """
        to = await self._connection(key)
        kind, state = KINDS[to.kind], query.get("state", "")
        asked = to.settings.get("consent") or {}
        back, on_page = self._connecting.addresses(key).back, bool(asked.get("on_page"))
        fits = hmac.compare_digest(digest_of(state), str(asked.get("digest", "")))
        if kind.consent is None or back is None or not fits or asked["until"] < datetime.now(UTC).timestamp():
            raise DoorClosed(403)
        keeper = Keeper(self._settings.secret_key.get_secret_value())
        at = workplace(self._settings, self._engine, to, keeper.open(key, to.secrets))
        try:
            async with self._engine.begin() as connection:
                if not await connections.take_consent(connection, key, asked["digest"]):
                    raise DoorClosed(403)
            grant = await kind.consent.exchange(at, query, back)
        except CrmError as error:
            log.warning("consent could not be used", crm=key, kind=error.kind, reason=str(error))
            if not on_page:
                raise DoorClosed(502) from None
            async with self._engine.begin() as connection:
                await probes.not_probed(connection, key, error)
            return True
        finally:
            await at.http.close()
        async with self._engine.begin() as connection:
            await keep_grant(connection, keeper, key, grant)
            await connections.open_again(connection, key)
            # Whoever brings the secret back was sent there by who asked for it: it was shown to nobody else.
            actor = Actor(login=asked.get("by", COMMAND_LINE), user=asked.get("user"))
            await note(connection, actor, "crm_granted", f"crm {key}", {"host": to.host})
        log.info("consent given", crm=key)
        if on_page:
            with suppress(CrmError, ConnectionRefused):  # the page shows what it met
                await self._connecting.let_in(key)
        return on_page

    async def heard(self, key: str, request: Inbound) -> None:
        """Verify what a CRM tells and store it; it is acted on by a job."""
        try:
            opened = await self._adapters.of(key)
        except SecretKeyError as error:
            log.warning("a connection cannot be opened", crm=key, reason=str(error))
            raise DoorClosed(503) from None
        if opened is None:
            raise DoorClosed(404)
        to, crm = opened
        if "inbound" not in crm.capabilities or to.state == "stopped":
            raise DoorClosed(404)
        try:
            told = cast("Hears", crm).parse_inbound(request)
        except (PermanentError, AuthDeadError) as error:
            log.warning("not of this crm", crm=key, reason=str(error))
            raise DoorClosed(403) from None
        if to.state == "shadow":
            told = [one for one in told if one.kind not in heard.CALLS]
        if key != self._settings.crm.owner_from:
            told = [one for one in told if one.kind in heard.CALLS]
        async with self._engine.begin() as connection:
            count = await heard.store(connection, key, told)
        log.info("crm told", crm=key, count=count)

    async def close(self) -> None:
        """Give back the connections of every adapter."""
        await self._adapters.close()

    async def _connection(self, key: str) -> Connection:
        async with self._engine.connect() as connection:
            to = await connections.read(connection, key)
        if to is None:
            raise DoorClosed(404)
        return to


def acts(settings: Settings, engine: AsyncEngine) -> Acts:
    """What is done about what a CRM tells."""
    desk, owner_of = outgoing_desk(), lead_owner(settings.crm)

    async def call_out(
        connection: AsyncConnection, key: str, told: str, number: str, line: str | None, person: str
    ) -> UUID | None:
        directory = await directory_store.read(connection)
        ours = line if line is not None and any(one.number == line for one in directory.lines) else None
        wish = Wish(to=number, person=person, purpose="click", asked_by=f"crm {key} {person}", key=told, line=ours)
        try:
            answered = await requests.ask(connection, wish, desk)
        except (UnknownPersonError, TooManyAskedError) as error:
            log.warning("a call could not be asked for", crm=key, heard=told, why=type(error).__name__)
            return None
        if answered.reason_key is not None or answered.reason is not None:
            log.warning("a call may not be made", crm=key, heard=told, why=answered.reason_key)
        return answered.id

    async def owe_call(connection: AsyncConnection, asked: UUID, told: Mapping[str, str]) -> str | None:
        directory = await directory_store.read(connection)
        number = directory.normal(told["number"])
        if is_short(number) or directory.is_staff(number) or directory.is_blocked(number):
            return None
        line = told.get("line") if directory.line(told.get("line", "")) else None
        owner = await asked_back.owe_call(connection, directory, asked, number, line, told.get("text", ""))
        return owner or await owner_of(connection, number)

    async def owner_told(connection: AsyncConnection, key: str, number: str, owner: str | None) -> None:
        if key == settings.crm.owner_from:
            await look_up.renew(connection, number, Copy(owner, datetime.now(UTC)))

    async def look_again(key: str, told: Mapping[str, str]) -> None:
        if key != settings.crm.owner_from:
            return
        owners = ConnectionOwners(settings, engine, low=True)  # its own: jobs run beside each other, and each closes it
        try:
            numbers = [told["number"]] if "number" in told else await owners.numbers_of(told["remote_id"])
            async with engine.connect() as connection:
                known = await look_up.read(connection, numbers)
            found = {number: await owners(number) for number in sorted(known)[:_NUMBERS_MOST]}
        except (CrmError, SecretKeyError) as error:
            log.warning("the CRM did not tell an owner", crm=key, error=type(error).__name__)
            return
        finally:
            await owners.close()
        async with engine.begin() as connection:
            for number, owner in found.items():
                await look_up.renew(connection, number, Copy(owner, datetime.now(UTC)))

    return Acts(call_out=call_out, owe_call=owe_call, owner_told=owner_told, look_again=look_again)
