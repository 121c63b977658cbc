"""The connections to CRMs: added, stopped and started by a person, stopped and paused by what they answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from sqlalchemy import Row, Text, case, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from yarl import URL

from calls.jobs import enqueue
from crm_sync.crm import Crm, Step
from crm_sync.errors import AuthDeadError
from crm_sync.ledger.planning import hasten, job_of, revive
from crm_sync.ledger.tables import OPEN_STATES, UNSETTLED_STATES, crm_connections, crm_effects
from crm_sync.secrets import Keeper, SecretKeyError

State = Literal["active", "shadow", "stopped"]

BY_HAND: Final = "hand"
NEW: Final = "new"
"""Who was added and never started yet."""
AUTH_DEAD: Final = AuthDeadError.kind
"""Who stopped itself so is still owed what happens."""

LINK_DAYS: Final = 30
"""For so long a CRM's link to a recording opens, unless the connection says otherwise."""

_GOING: Final = {"paused_until": None, "paused_at": None, "quiet_until": None, "failures": 0}
PLACES: Final = ("origin", "url", "address", "account", "portal")
"""The settings that say where a CRM is, as its kind calls them."""
_OF_AN_END: Final = ("call_finished", "recording", "transcript")
_KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
OUR_PAGES: Final = frozenset({"new"})
"""What no connection is called: pages of ours have such addresses."""


class ConnectionRefused(ValueError):
    """A person asked for what cannot be; the text names the field and why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Connection:
    """One connection. `stopped_by`: hand, new, or the kind of error that ended it; `goes_on_as`: what it was before.

    `secrets` are sealed: the address (`url`) and the `keys`. `settings` have the address's `origin` alone, and how long
    links open where that is not usual (`link_days`). Connections of one `account` share its limits. `failures`: pauses
    in a row, with nothing taken between them; until `quiet_until` it is asked nothing that can wait. What was over
    before `since` is not owed to it. `missing` is what it lacked when it was probed last, and `access_ends_at` when its
    keys end; None: never, or nobody knows. `probe_error` is why it could not be asked at `probed_at`; None: it did
    answer.
    """

    key: str
    kind: str
    account: str
    settings: Mapping[str, Any]
    secrets: bytes
    steps: tuple[Step, ...]
    state: State
    stopped_by: str | None
    goes_on_as: Literal["active", "shadow"]
    paused_until: datetime | None
    quiet_until: datetime | None
    failures: int
    since: datetime
    probed_at: datetime | None
    missing: tuple[str, ...]
    access_ends_at: datetime | None
    probe_error: str | None
    created_at: datetime
    changed_at: datetime

    def is_paused(self, now: datetime) -> bool:
        """Whether nothing is to be sent there now."""
        return self.paused_until is not None and self.paused_until > now

    def may_be_asked(self, now: datetime) -> bool:
        """Whether it is to be asked anything now, which can wait or be done without."""
        is_quiet = self.quiet_until is not None and self.quiet_until > now
        return self.state != "stopped" and not is_quiet and not self.is_paused(now)

    @property
    def link_days(self) -> int:
        """For how long links to recordings open."""
        return int(self.settings.get("link_days", LINK_DAYS))

    @property
    def origin(self) -> str:
        """The address without what may be a secret in it; empty when the settings of its kind tell none."""
        told = next((str(self.settings[name]) for name in PLACES if self.settings.get(name)), "")
        return str(URL(told).origin()) if "://" in told else told

    @property
    def host(self) -> str | None:
        """Where it is, for the audit."""
        return URL(self.origin).host or self.origin or None


Open = Callable[[Connection], Crm]
"""Makes the adapter of a connection. Raises SecretKeyError."""


async def read(connection: AsyncConnection, key: str) -> Connection | None:
    """The connection of that key."""
    row = (await connection.execute(select(crm_connections).where(crm_connections.c.key == key))).one_or_none()
    return _connection(row) if row else None


async def active(connection: AsyncConnection, kinds: Collection[str]) -> list[str]:
    """Keys of the connections of these kinds that are told what happens."""
    asked = select(crm_connections.c.key).where(crm_connections.c.state == "active", crm_connections.c.kind.in_(kinds))
    return [row.key for row in await connection.execute(asked.order_by(crm_connections.c.key))]


async def listed(connection: AsyncConnection) -> list[Connection]:
    """Every connection, by key."""
    rows = await connection.execute(select(crm_connections).order_by(crm_connections.c.key))
    return [_connection(row) for row in rows]


async def counted(
    connection: AsyncConnection, states: Sequence[str] = UNSETTLED_STATES
) -> list[tuple[Connection, dict[str, int]]]:
    """Every connection, by key, with how many effects are in which of these states.

    To count what was told (`EFFECT_STATES`) reads all of the ledger: not for what is asked again and again.
    """
    asked = select(crm_effects.c.connection, crm_effects.c.state, func.count().label("n"))
    asked = asked.where(crm_effects.c.state.in_(states)).group_by(crm_effects.c.connection, crm_effects.c.state)
    counts: dict[str, dict[str, int]] = {}
    for one in await connection.execute(asked):
        counts.setdefault(one.connection, {})[one.state] = one.n
    empty = dict.fromkeys(states, 0)
    return [(one, empty | counts.get(one.key, {})) for one in await listed(connection)]


async def add(
    connection: AsyncConnection,
    key: str,
    kind: str,
    settings: Mapping[str, Any],
    secrets: bytes,
    steps: Sequence[Step],
    state: State,
    since: datetime | None = None,
) -> None:
    """Add a connection, which is owed what happens from now on, or happened `since`; one that is stopped is new.

    Raises ConnectionRefused.
    """
    if not is_key(key):
        raise ConnectionRefused(f"key: must be 1 to 40 of a-z, 0-9, - and _, and no name of a page, got {key!r}")
    if await read(connection, key) is not None:
        raise ConnectionRefused(f"key: there is a connection {key!r} already")
    row = {"key": key, "kind": kind, "settings": dict(settings), "secrets": secrets, "steps": list(steps)}
    row["account"] = account_of(kind, settings) or key
    stands = {"goes_on_as": state} if state != "stopped" else {"stopped_by": NEW}
    told = {**row, "state": state, "since": since or func.clock_timestamp(), **stands}
    try:
        await connection.execute(insert(crm_connections).values(**told))
    except IntegrityError:
        raise ConnectionRefused(f"key: there is a connection {key!r} already") from None


async def stop(connection: AsyncConnection, key: str, by: str = BY_HAND) -> None:
    """Send nothing more, and plan nothing; what is planned stays. Raises ConnectionRefused when there is none."""
    await _set(connection, key, {"state": "stopped", "stopped_by": by})


async def start(connection: AsyncConnection, key: str, *, shadow: bool = False, since: datetime | None = None) -> int:
    """Send again, what is planned first, in its order; or only show what would be sent. Returns how much that is.

    What happened while it was to be told nothing, or was over before `since`, is not owed to it. What it is now it
    stays until a person says otherwise, also when it stops itself meanwhile (`go_on`). Raises ConnectionRefused when
    there is none.
    """
    deaf = crm_connections.c.stopped_by != AUTH_DEAD
    owed = case((deaf, func.clock_timestamp()), else_=crm_connections.c.since) if since is None else since
    state = "shadow" if shadow else "active"
    await _set(connection, key, {"state": state, "goes_on_as": state, "stopped_by": None, "since": owed, **_GOING})
    await hasten(connection, key)
    return await revive(connection, key)


async def go_on(connection: AsyncConnection, key: str) -> None:
    """Start one that stopped itself because it was let in no more, as it was before; another stays as it is."""
    to = await read(connection, key)
    if to is not None and to.stopped_by == AUTH_DEAD:
        await start(connection, key, shadow=to.goes_on_as == "shadow")


def is_key(key: str) -> bool:
    """Whether a connection may be called so."""
    return _KEY.fullmatch(key) is not None and key not in OUR_PAGES


async def remove(connection: AsyncConnection, key: str) -> None:
    """Forget a connection with all that it was owed and told. Raises ConnectionRefused when there is none."""
    await _must_be(connection, key)
    await connection.execute(delete(crm_connections).where(crm_connections.c.key == key))


async def set_secrets(connection: AsyncConnection, key: str, settings: Mapping[str, Any], secrets: bytes) -> None:
    """Write settings and sealed secrets anew; adapters are opened again. Raises ConnectionRefused."""
    await _set(connection, key, {"settings": dict(settings), "secrets": secrets})


async def write(connection: AsyncConnection, then: Connection) -> None:
    """Write its settings, secrets, steps and account as `then` has them, in one.

    Raises ConnectionRefused where somebody changed it since `then` was read, or it is gone.
    """
    values = {name: getattr(then, name) for name in ("secrets", "account")}
    values |= {"settings": dict(then.settings), "steps": list(then.steps), "changed_at": func.clock_timestamp()}
    same = crm_connections.c.key == then.key, crm_connections.c.changed_at == then.changed_at
    if not (await connection.execute(update(crm_connections).where(*same).values(**values))).rowcount:
        raise ConnectionRefused(f"key: {then.key!r} was changed meanwhile; look at it again")


async def share_limits(connection: AsyncConnection, to: Connection, secrets: Mapping[str, Any]) -> None:
    """Let it share the limits of all that are connected to the same host, which settings tell or a secret (`webhook`).

    Raises ConnectionRefused.
    """
    account = account_of(to.kind, {**secrets, **to.settings}) or to.key
    await _set(connection, to.key, {"account": account})


async def take_consent(connection: AsyncConnection, key: str, digest: str) -> bool:
    """Wait for the consent of that digest no more; whether it was waited for until now, which is so once."""
    settings = crm_connections.c.settings
    values = {"settings": settings.op("-")(literal("consent", Text)), "changed_at": func.clock_timestamp()}
    waited_for = settings[("consent", "digest")].astext == digest
    asked = update(crm_connections).where(crm_connections.c.key == key, waited_for).values(**values)
    return bool((await connection.execute(asked)).rowcount)


async def open_again(connection: AsyncConnection, key: str) -> None:
    """Have its adapters opened again, as for a new grant. Raises ConnectionRefused."""
    await _set(connection, key, {})


def settled(url: str, before: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that tell of an address its origin alone, with the rest as it was."""
    return {name: value for name, value in before.items() if name != "url"} | {"origin": str(URL(url).origin())}


async def seal_addresses(connection: AsyncConnection, keeper: Keeper) -> int:
    """Seal the addresses that versions before 0027 kept in clear; returns how many.

    One whose secrets this key does not open waits, and is told nothing: nobody could sign for it either.
    """
    asked = select(crm_connections).where(crm_connections.c.settings.has_key("url")).with_for_update()
    count = 0
    for row in (await connection.execute(asked)).all():
        try:
            secrets = keeper.open(row.key, row.secrets)
        except SecretKeyError:
            continue
        url = row.settings["url"]
        await set_secrets(connection, row.key, settled(url, row.settings), keeper.seal(row.key, secrets | {"url": url}))
        count += 1
    return count


async def name_accounts(connection: AsyncConnection, keeper: Keeper) -> int:
    """Name the account of each as `account_of` does now, where a migration named it by what it could read.

    Returns how many were named otherwise. Of one whose secrets this key does not open it stays.
    """
    count = 0
    for to in await listed(connection):
        try:
            account = account_of(to.kind, {**keeper.open(to.key, to.secrets), **to.settings}) or to.key
        except SecretKeyError:
            continue
        if account != to.account:
            await _set(connection, to.key, {"account": account})
            count += 1
    return count


async def effects_of(
    connection: AsyncConnection, key: str, state: str | None = None, limit: int = 50, *, before: int | None = None
) -> Sequence[Row[Any]]:
    """The effects of a connection, the newest first, those planned before the `number` given.

    Raises ConnectionRefused when there is no such connection.
    """
    await _must_be(connection, key)
    asked = select(crm_effects).where(crm_effects.c.connection == key)
    if state is not None:
        asked = asked.where(crm_effects.c.state == state)
    if before is not None:
        asked = asked.where(crm_effects.c.number < before)
    return (await connection.execute(asked.order_by(crm_effects.c.number.desc()).limit(limit))).all()


async def retry(connection: AsyncConnection, key: str, effect: UUID | None = None) -> int:
    """Send dead letters again, or one effect, whatever its state; returns how many. Raises ConnectionRefused."""
    await _must_be(connection, key)
    which = crm_effects.c.state == "dead" if effect is None else crm_effects.c.key == effect
    # What was sent once may be there: it is read back first.
    state = case((crm_effects.c.sent_at.is_not(None), "unknown"), else_="planned")
    anew = {"state": state, "ended_at": None, "first_sent_at": None, "next_at": None, "error": None}
    may = crm_effects.c.connection == key, crm_effects.c.state.not_in(OPEN_STATES), which
    asked = update(crm_effects).where(*may, crm_effects.c.lane != "").values(**anew).returning(crm_effects)
    rows = sorted((await connection.execute(asked)).all(), key=lambda row: row.number)
    if effect is not None and not rows:
        raise ConnectionRefused(f"effect: there is none {str(effect)!r} that was told or given up, and may be again")
    await enqueue(connection, [job_of(row) for row in rows])
    return len(rows)


async def retell(connection: AsyncConnection, key: str, calls: Sequence[UUID]) -> int:
    """Look for the ends of these calls, their sound and text there, and tell again what is not there; returns how many.

    What was not told for a reason, or given up for good, stays so.
    """
    anew = {"state": "unknown", "ended_at": None, "first_sent_at": None, "next_at": None, "error": None}
    asked = update(crm_effects).where(
        crm_effects.c.connection == key,
        crm_effects.c.call_id.in_(calls),
        crm_effects.c.step.in_(_OF_AN_END),
        crm_effects.c.state.in_(("done", "dead")),
        crm_effects.c.lane != "",
        ~func.coalesce(crm_effects.c.answer.has_key("not_told"), literal(value=False)),
    )
    rows = (await connection.execute(asked.values(**anew).returning(crm_effects))).all()
    await enqueue(connection, [job_of(row) for row in sorted(rows, key=lambda row: row.number)])
    return len(rows)


async def discard(connection: AsyncConnection, key: str, effect: UUID | None = None) -> int:
    """Give up dead letters, or one, for good, with what they told; returns how many. Raises ConnectionRefused."""
    await _must_be(connection, key)
    which = crm_effects.c.connection == key, crm_effects.c.state == "dead"
    one = which if effect is None else (*which, crm_effects.c.key == effect)
    told = {"state": "done", "request": None, "answer": {"not_told": "discarded"}}
    count = (await connection.execute(update(crm_effects).where(*one).values(**told))).rowcount
    if effect is not None and not count:
        raise ConnectionRefused(f"effect: there is no dead letter {str(effect)!r}")
    return count


async def _set(connection: AsyncConnection, key: str, values: Mapping[str, Any]) -> None:
    told = {**values, "changed_at": func.clock_timestamp()}
    asked = update(crm_connections).where(crm_connections.c.key == key).values(**told)
    if not (await connection.execute(asked)).rowcount:
        raise ConnectionRefused(f"key: there is no connection {key!r}")


def account_of(kind: str, told: Mapping[str, Any]) -> str | None:
    """The kind and host of a CRM; None: nothing tells it."""
    place = next((str(told[name]) for name in (*PLACES, "webhook") if told.get(name)), "")
    try:
        host = URL(place if "://" in place else f"//{place}").host_port_subcomponent
    except ValueError:
        host = None
    return f"{kind} {host}" if host else None


async def _must_be(connection: AsyncConnection, key: str) -> None:
    if await read(connection, key) is None:
        raise ConnectionRefused(f"key: there is no connection {key!r}")


def _connection(row: Row[Any]) -> Connection:
    listed = {"steps": tuple(row.steps), "missing": tuple(row.missing)}
    return Connection(**{name: getattr(row, name) for name in Connection.__slots__} | listed)
