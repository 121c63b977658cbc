"""The one way to the database: an engine, its notices, and the monthly partitions that events need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only


def connect(url: str, *, pool: int = 5, longest: float | None = 60) -> AsyncEngine:
    """An engine on `url`, a connection URI as libpq reads it. Lost connections are noticed before use; times are UTC.

    `pool` connections are kept; with 0 each is closed after its use, and the engine needs no end.
    No command takes more than `longest` seconds (None: as long as it takes).
    """
    kept: dict[str, Any] = (
        {"pool_size": pool, "max_overflow": pool, "pool_pre_ping": True} if pool else {"poolclass": NullPool}
    )
    creator = partial(
        asyncpg.connect, plain(url), server_settings={"timezone": "UTC"}, timeout=5, command_timeout=longest
    )
    # hide_parameters: an error's text would carry numbers and names into logs.
    engine = create_async_engine("postgresql+asyncpg://", async_creator=creator, hide_parameters=True, **kept)
    engine.dialect.do_ping = _ping  # type: ignore[assignment, method-assign] # made for this engine alone
    return engine


def _ping(connection: Any) -> bool:
    """Ask a kept connection before its use, in one round trip: the driver's own way takes three, in a transaction."""
    try:
        await_only(connection.driver_connection.execute("select 1"))
    except Exception as error:  # noqa: BLE001 - as the adapter's own ping: it tells which of them mean that it is lost
        connection._handle_exception(error)  # noqa: SLF001
    return True


def plain(url: str) -> str:
    """The same address as libpq spells it: the drivers take no SQLAlchemy scheme. Raises ValueError for another one."""
    scheme, _, rest = url.partition("://")
    if scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise ValueError(f"database_url: must begin with postgresql://, got {scheme + '://…'!r}")
    return f"postgresql://{rest}"


@asynccontextmanager
async def listening(
    engine: AsyncEngine, told: Mapping[str, Callable[[str], None]], lost: Callable[[], None]
) -> AsyncIterator[AsyncConnection]:
    """Give each notice's payload to its channel's function in `told` while the body runs.

    Yields a connection that may be asked meanwhile; `lost` is called when the database closes it. Raises what the
    driver raises.
    """
    async with engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")  # in a transaction nothing would be heard
        driver: Any = (await connection.get_raw_connection()).driver_connection
        driver.add_termination_listener(lambda _driver: lost())
        try:
            for channel in told:
                await driver.add_listener(channel, lambda _driver, _process, name, payload: told[name](payload))
            yield connection
        finally:
            await connection.invalidate()


async def ensure_partitions(connection: AsyncConnection, at: datetime | None = None) -> None:
    """Make the event partitions of the month of `at` (now) and the next; harmless when they exist."""
    first = (at or datetime.now(UTC)).astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await connection.execute(text("select pg_advisory_xact_lock(5038, 1)"))
    await connection.execute(text("create table if not exists call_events_other partition of call_events default"))
    for _ in range(2):
        after = (first + timedelta(days=32)).replace(day=1)
        await _ensure_month(connection, f"call_events_{first:%Y_%m}", f"{first:%Y-%m-%d}+00", f"{after:%Y-%m-%d}+00")
        first = after


async def _ensure_month(connection: AsyncConnection, name: str, since: str, until: str) -> None:
    """Make one month's partition; events of it that came before it was there move in from the default partition."""
    if (await connection.execute(text("select to_regclass(:name)"), {"name": name})).scalar() is not None:
        return
    there = f"at >= '{since}' and at < '{until}'"
    for statement in (
        f"create table {name} (like call_events including defaults including constraints)",
        f"insert into {name} select * from call_events_other where {there}",  # noqa: S608 - made of dates
        f"delete from call_events_other where {there}",  # noqa: S608 - made of dates
        f"alter table call_events attach partition {name} for values from ('{since}') to ('{until}')",
    ):
        await connection.execute(text(statement))
