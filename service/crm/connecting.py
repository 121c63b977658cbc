"""Makes, changes and removes connections to CRMs, for the command line and the page alike (`web.services.Connects`)."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from msgspec.structs import fields as fields_of_struct
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync import connections, grants, people, probes
from crm_sync.asking import Fault, Faults, read_settings
from crm_sync.connecting import Addresses, Changed, Met, Standing, Wanted, meet
from crm_sync.connection_tables import crm_grants
from crm_sync.connections import NEW, Connection, ConnectionRefused
from crm_sync.errors import CrmError
from crm_sync.grants import NoGrantError
from crm_sync.kinds import KINDS
from crm_sync.ledger.past import plan_past
from crm_sync.secrets import Keeper, SecretKeyError
from crm_sync.workplace import Kind
from recordings.audit import Actor, note
from service.crm.ledger import maker
from service.crm.wanted import check_addresses, check_url, faults_of_key, settings_of, steps_of
from service.crm.workplaces import heeding, opener, workplace
from service.settings import Settings
from web import links

CONSENT_SECONDS: Final = 1200.0
"""So long a person may take to agree."""
_DOOR_BYTES: Final = 24
_OWN: Final = frozenset({"consent", "origin"})
"""What stands among the settings and was told by nobody."""


def digest_of(state: str) -> str:
    """What is stored of the secret that comes back with a person who agreed."""
    return hashlib.sha256(state.encode()).hexdigest()


class Connecting:
    """What can be done to connections. Raises Faults for what a person told, ConnectionRefused, SecretKeyError."""

    def __init__(self, settings: Settings, engine: AsyncEngine) -> None:
        self._settings = settings
        self._engine = engine

    def keeper(self) -> Keeper:
        """What seals. Raises SecretKeyError, whose text says what to set."""
        return Keeper(self._settings.secret_key.get_secret_value())

    def addresses(self, key: str) -> Addresses:
        """Where a CRM of that key comes to us."""
        base = self._settings.web.public_url
        at = f"{base.rstrip('/')}/crm/{key}" if base else None
        return Addresses(at and f"{at}/oauth", at and f"{at}/events")

    async def add(self, wanted: Wanted, actor: Actor) -> str | None:
        """Keep a new connection, to which nothing is told yet. Gives what it is to verify us with, if anything."""
        keeper, kind = self.keeper(), KINDS[wanted.kind]
        given = {name: value for name, value in wanted.secrets.items() if value}
        kept = settings_of(kind, wanted.settings, given, wanted.link_days, faults_of_key(wanted.key))
        steps = steps_of(kind, wanted.events)
        await check_addresses({**given, **kept}, self._settings.crm.networks)
        keys = list(kind.make_keys(())) if kind.make_keys is not None else []
        sealed = keeper.seal(wanted.key, given | ({"keys": keys} if keys else {}))
        try:
            async with self._engine.begin() as connection:
                await connections.add(connection, wanted.key, kind.name, kept, sealed, steps, "stopped")
                await self._noted(connection, actor, "crm_added", wanted.key, kind=kind.name)
        except ConnectionRefused:
            raise Faults(Fault("connection", "taken", {"got": repr(wanted.key)})) from None
        return keys[0] if keys else None

    async def change(self, key: str, changed: Changed, actor: Actor) -> None:
        """Change settings and secrets. Of one that was started what does not let us in is not kept. Raises CrmError.

        That nobody agreed yet does not count: a person does so next. What lets us in at one place is shown to no other:
        where that changes, secrets are told again, and access, door and whoever was paired by hand are forgotten.
        """
        keeper, to = self.keeper(), await self.read(key)
        kind, before = KINDS[to.kind], _opened(keeper, to)
        given = {name: value for name, value in changed.secrets.items() if value}
        told = to.settings if changed.settings is None else changed.settings
        has_moved = changed.settings is not None and _has_moved(kind, changed.settings, to.settings)
        left = set(kind.secrets if has_moved else changed.forget)
        secrets = {name: value for name, value in before.items() if name not in left} | given
        if kind.make_keys is not None and not secrets.get("keys"):
            secrets["keys"] = list(kind.make_keys(()))
        names = {one.name for one in fields_of_struct(kind.settings)}
        told = {name: value for name, value in told.items() if name in names and value is not None}
        kept = settings_of(kind, told, secrets, to.link_days if changed.link_days is None else changed.link_days)
        await check_addresses({**given, **kept}, self._settings.crm.networks)
        if "consent" in to.settings and not has_moved:
            kept["consent"] = to.settings["consent"]
        then = replace(
            to,
            settings=kept,
            secrets=keeper.seal(key, secrets),
            steps=to.steps if changed.events is None else steps_of(kind, changed.events),
            account=connections.account_of(kind.name, {**secrets, **kept}) or key,
        )
        is_let_in = not (has_moved and kind.needs_consent(kept, secrets))
        try:
            if is_let_in and to.stopped_by != NEW:
                await self._meet(then)
        except NoGrantError:
            is_let_in = False
        async with self._engine.begin() as connection:
            await connections.write(connection, then)
            if has_moved:
                await grants.forget(connection, key)
                await people.forget(connection, key)
            anew = {name for name in {*kept, *to.settings} - _OWN if kept.get(name) != to.settings.get(name)}
            if anew or then.steps != to.steps:
                await self._noted(connection, actor, "crm_changed", key, settings=sorted(anew))
            if given or secrets.keys() != before.keys():
                await self._noted(connection, actor, "crm_secret_made", key)
            if is_let_in:
                await connections.go_on(connection, key)
        if has_moved and is_let_in and to.stopped_by != NEW:
            await self.meet(key)  # for who works there

    async def new_keys(self, key: str, actor: Actor, url: str | None = None) -> str:
        """What it is to verify us with from now on; the last one signs too, until the next is made.

        Where the key that sealed is lost, the last one is lost too, and the address (`url`) has to be told again.
        """
        keeper, to = self.keeper(), await self.read(key)
        make, before = KINDS[to.kind].make_keys, _opened(keeper, to)
        if make is None:
            raise ConnectionRefused(f"key: nothing is signed for {key!r}")
        address = url or before.get("url") or to.settings.get("url")
        if address is None:
            raise Faults(Fault("url", "required"))
        if url is not None:
            check_url(url)
            await check_addresses({"url": url}, self._settings.crm.networks)
        keys = list(make(before.get("keys", ())))
        async with self._engine.begin() as connection:
            sealed = keeper.seal(key, {"keys": keys, "url": address})
            await connections.set_secrets(connection, key, connections.settled(address, to.settings), sealed)
            await self._noted(connection, actor, "crm_secret_made", key)
        return keys[0]

    async def make_door(self, key: str, actor: Actor) -> str:
        """Make the address, with a secret in it, where is heard what happens there; the one before ends."""
        keeper, to = self.keeper(), await self.read(key)
        door, events = KINDS[to.kind].door, self.addresses(key).events
        if door is None or events is None:
            raise ConnectionRefused(f"key: {key!r} has no such address")
        secret = secrets.token_urlsafe(_DOOR_BYTES)
        async with self._engine.begin() as connection:
            sealed = keeper.seal(key, keeper.open(key, to.secrets) | {door: secret})
            await connections.set_secrets(connection, key, to.settings, sealed)
            await self._noted(connection, actor, "crm_secret_made", key)
        return f"{events}?secret={secret}"

    async def ask_consent(self, key: str, actor: Actor, *, on_page: bool = False) -> str:
        """The page where a person agrees that we come in; who comes back from there is sent on to ours (`on_page`)."""
        to, back = await self.read(key), self.addresses(key).back
        consent = KINDS[to.kind].consent
        if consent is None or back is None:
            raise ConnectionRefused(f"key: nobody can agree to {key!r}")
        state = secrets.token_urlsafe(24)
        told = {
            "digest": digest_of(state),
            "until": datetime.now(UTC).timestamp() + CONSENT_SECONDS,
            "by": actor.login,
            "user": actor.user,
            "on_page": on_page,
        }
        at = workplace(self._settings, self._engine, to, self.keeper().open(key, to.secrets))
        try:
            address = consent.address(at, back, state)
        finally:
            await at.http.close()
        async with self._engine.begin() as connection:
            await connections.set_secrets(connection, key, {**to.settings, "consent": told}, to.secrets)
        return address

    async def meet(self, key: str) -> Met:
        """Ask it how it is and who works there. What it answers is known to all; raises CrmError."""
        to = await self.read(key)
        try:
            async with heeding(self._engine, to):
                met = await self._meet(to)
        except CrmError as error:
            async with self._engine.begin() as connection:
                await probes.not_probed(connection, key, error)
            raise
        return met

    async def let_in(self, key: str) -> Met:
        """Meet it after a person agreed; one that stopped for want of that goes on as it was. Raises CrmError."""
        met = await self.meet(key)
        async with self._engine.begin() as connection:
            await connections.go_on(connection, key)
        return met

    async def pair(self, key: str, pairs: Mapping[str, str | None], actor: Actor) -> None:
        """Say who users of the CRM are; None: whoever has their extension or mailbox."""
        await self.read(key)
        async with self._engine.begin() as connection:
            for named in filter(None, pairs.values()):
                if not await people.is_person(connection, named):
                    raise Faults(Fault("person", "person", {"got": repr(named)}))
            # Whom nobody is said to be any more first: a person may have moved from one to another.
            for user, person in sorted(pairs.items(), key=lambda pair: pair[1] is not None):
                await people.pair(connection, key, user, person)
                await note(connection, actor, "crm_paired", f"crm {key}", {"person": person})

    async def start(self, key: str, actor: Actor | None, *, shadow: bool, since: datetime | None = None) -> int:
        """Tell it what happens and what was over since then, or only show what would be told. Returns how much that is.

        `actor`: None where the audit tells already who did it.
        """
        if since is not None and since > datetime.now(UTC):
            raise Faults(Fault("since", "future", {"got": since.isoformat()}))
        to = await self.read(key)
        async with self._engine.begin() as connection:
            await connections.share_limits(connection, to, _opened(self._keeper_if_any(), to))
            count = await connections.start(connection, key, shadow=shadow, since=since)
            if since is not None:
                count += await plan_past(connection, key, since)
            if actor is not None:
                await self._noted(connection, actor, "crm_started", key, shadow=shadow, count=count)
        return count

    async def remove(self, key: str, actor: Actor) -> None:
        """Forget it with what it was told, and end the links that were made for it."""
        async with self._engine.begin() as connection:
            await self._noted(connection, actor, "crm_removed", key)
            await links.revoke_of(connection, actor, maker(key).login)
            await connections.remove(connection, key)

    async def look(self, key: str) -> Standing:
        """How far it is."""
        async with self._engine.connect() as connection:
            to = await _read(connection, key)
            asked = select(crm_grants.c.granted_at).where(crm_grants.c.connection == key)
            granted_at = await connection.scalar(asked)
            users, nobody = await people.known(connection, key), await people.unknown(connection, key)
        kept = _opened(self._keeper_if_any(), to)
        names = frozenset(name for name, value in kept.items() if value)
        return Standing(
            to=to,
            secrets=names,
            opens=bool(kept) or not KINDS[to.kind].secrets,
            capabilities=KINDS[to.kind].capabilities,
            needs_consent=KINDS[to.kind].needs_consent(to.settings, names),
            granted_at=granted_at,
            users=users,
            nobody=nobody,
        )

    async def read(self, key: str) -> Connection:
        """The connection of that key. Raises ConnectionRefused when there is none."""
        async with self._engine.connect() as connection:
            return await _read(connection, key)

    async def _meet(self, to: Connection) -> Met:
        crm = opener(self._settings, self._engine)(to)
        try:
            return await meet(self._engine, to.key, crm)
        finally:
            await crm.close()

    def _keeper_if_any(self) -> Keeper | None:
        try:
            return self.keeper()
        except SecretKeyError:
            return None

    async def _noted(self, connection: AsyncConnection, actor: Actor, action: str, key: str, **told: Any) -> None:
        """Write down who did what to which connection: its key and the host, nothing of the rest of the address."""
        known = await _read(connection, key)
        await note(connection, actor, action, f"crm {key}", {"host": known.host, **told})


async def _read(connection: AsyncConnection, key: str) -> Connection:
    known = await connections.read(connection, key)
    if known is None:
        raise ConnectionRefused(f"key: there is no connection {key!r}")
    return known


def _has_moved(kind: Kind, told: Mapping[str, Any], before: Mapping[str, Any]) -> bool:
    """Whether secrets would be shown to somebody else; what is told wrongly goes nowhere."""
    try:
        return kind.place(read_settings(kind.settings, kind.guide, told)) != kind.place(before)
    except (Faults, msgspec.ValidationError):
        return False


def _opened(keeper: Keeper | None, to: Connection) -> dict[str, Any]:
    """The secrets that are kept; none, where our key is another one now."""
    try:
        return keeper.open(to.key, to.secrets) if keeper is not None else {}
    except SecretKeyError:
        return {}
