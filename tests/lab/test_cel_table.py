"""CEL in PostgreSQL: what a real Asterisk's cel_pgsql writes is read as its file is, and nothing is written there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect
from service.pbx import Pbx
from telephony.catch_up import told_calls
from telephony.cel_file import CelFile
from telephony.cel_source import CelSource
from telephony.cel_table import CelTable, CelTableError
from tests.fakes.office import until

MINUTE = timedelta(minutes=1)
STANDARD = """
create table cel (
    id serial primary key, eventtype varchar(30), {time}, userdeftype varchar(255), cid_name varchar(80),
    cid_num varchar(80), cid_ani varchar(80), cid_rdnis varchar(80), cid_dnid varchar(80), exten varchar(80),
    context varchar(80), channame varchar(80), appname varchar(80), appdata varchar(80), amaflags int,
    accountcode varchar(20), peeraccount varchar(20), uniqueid varchar(150), linkedid varchar(150),
    userfield varchar(255), peer varchar(80), extra text)
"""
"""The table of Asterisk's own cel_pgsql documentation."""

CUSTOMERS = (
    "create schema office",
    """
    create table office.calls_log (
        "UniqueID" text, "LinkedID" text, "Channel" text, "CallerIDnum" text, "EventTime" timestamp, "EventName" text,
        note text)
    """,
    """
    insert into office.calls_log
    select '1795427050.' || n, '1795427050.1', 'PJSIP/anna-1', '79160000001',
           timestamp '2026-11-23 12:00' + n * interval '1 second', 'CHAN_END', 'x'
    from generate_series(1, 1200) as n
    """,
)
EXTENSIONS = "exten => 600,1,Answer()\n same => n,Wait(0.2)\n same => n,Hangup()\n"


@pytest.fixture
async def table(database_url: str) -> AsyncIterator[AsyncEngine]:
    """An engine on a database of the customer's."""
    engine = connect(database_url)
    yield engine
    await engine.dispose()


def pbx_that_writes_to(url: str, zone: str) -> Pbx:
    """A PBX that writes CEL into its file and into the database, by a clock of `zone`."""
    where = make_url(url)
    pbx = Pbx(
        [],
        internal=EXTENSIONS,
        extra_files={
            "cel_pgsql.conf": f"[global]\nhostname={where.host}\nport={where.port}\ndbname={where.database}\n"
            f"user={where.username}\npassword={where.password}\ntable=cel\n"
        },
    )
    pbx.more_modules = ("res_cdrel_custom", "cel_custom", "cel_pgsql")
    pbx.environment = {"TZ": zone}
    return pbx


async def call(pbx: Pbx, engine: AsyncEngine) -> None:
    """A call from the begin to the end that both witnesses tell."""
    await pbx.cli("channel originate Local/600@from-phones application Wait 0.1")
    await until(lambda: pbx.cel_file.exists() and b"LINKEDID_END" in pbx.cel_file.read_bytes())
    async with engine.connect() as connection:
        count = text("select count(*) from cel where cast(eventtype as text) in ('LINKEDID_END', '14')")
        while not (await connection.execute(count)).scalar():
            await connection.rollback()


async def told(source: CelSource) -> list[list[str]]:
    """What a source tells of the last minutes, times to the millisecond."""
    now = datetime.now(UTC)
    period = (now - timedelta(minutes=3), now + timedelta(minutes=3))
    calls = [one async for some in told_calls("pbx", source, *period) for one in some]
    return sorted(sorted(repr(event) for event in one.events) for one in calls)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Vladivostok"])
@pytest.mark.parametrize("time", ["eventtime timestamp", "eventtime timestamptz", "eventtime varchar(40)"])
async def test_a_table_tells_what_the_file_tells(table: AsyncEngine, database_url: str, zone: str, time: str) -> None:
    """Whatever type the time has, and in whatever zone the PBX's clock is: cel_pgsql writes it without saying."""
    async with table.begin() as connection:
        await connection.execute(text(STANDARD.format(time=time)))
    async with pbx_that_writes_to(database_url, zone) as pbx:
        await call(pbx, table)
        by_table = await told(CelTable(table, "cel"))
        assert by_table == await told(CelFile(pbx.cel_file))
        assert by_table


async def test_epoch_seconds_and_numbered_events_are_read_too(table: AsyncEngine, database_url: str) -> None:
    """cel_pgsql writes whole seconds into a whole column, and the event's number where its type is one."""
    columns = STANDARD.format(time="eventtime bigint").replace("eventtype varchar(30)", "eventtype int")
    async with table.begin() as connection:
        await connection.execute(text(columns))
    async with pbx_that_writes_to(database_url, "Asia/Vladivostok") as pbx:
        await call(pbx, table)
        now = datetime.now(UTC)
        period = (now - timedelta(minutes=3), now + timedelta(minutes=3))
        rows = [row async for some in CelTable(table, "cel").rows(*period) for row in some]
        assert {row["eventtype"] for row in rows} >= {"1", "14"}
        assert await told(CelTable(table, "cel"))
        assert [row async for some in CelTable(table, "cel").rows(now + MINUTE, now + 2 * MINUTE) for row in some] == []


async def test_a_customers_table_is_read_by_its_spellings(table: AsyncEngine) -> None:
    """Another schema, other columns in another order: what tells something is read, in bounded pieces."""
    async with table.begin() as connection:
        for statement in CUSTOMERS:
            await connection.execute(text(statement))
    since = datetime(2026, 11, 23, 12, 0, 1, tzinfo=UTC)
    pieces = [some async for some in CelTable(table, "office.calls_log").rows(since, since + timedelta(hours=1))]
    assert max(map(len, pieces)) <= 100
    rows = [row for some in pieces for row in some]
    assert len(rows) == 1200
    assert rows[0] == {
        "uniqueid": "1795427050.1",
        "linkedid": "1795427050.1",
        "channel": "PJSIP/anna-1",
        "num": "79160000001",
        "eventtime": "2026-11-23T12:00:01+00:00",
        "eventtype": "CHAN_END",
    }


async def test_a_table_that_is_none_is_told_by_its_setting(table: AsyncEngine, database_url: str) -> None:
    """A wrong name, a table of something else, a right that is missing: each is said."""
    now = datetime.now(UTC)
    with pytest.raises(CelTableError, match="there is no table 'cel'"):
        await anext(CelTable(table, "cel").rows(now, now))
    with pytest.raises(CelTableError, match="'calls' has no column eventtype, eventtime, uniqueid, linkedid"):
        await anext(CelTable(table, "calls").rows(now, now))
    with pytest.raises(ValueError, match="cel_table"):
        CelTable(table, "cel; drop table calls")
    async with table.begin() as connection:
        await connection.execute(text(STANDARD.format(time="eventtime timestamp")))
        await connection.execute(text("create role reader login password 'invented'"))
    try:
        url = make_url(database_url).set(username="reader", password="invented")
        reader = connect(url.render_as_string(hide_password=False))
        with pytest.raises(DBAPIError, match="permission denied for table cel"):
            await anext(CelTable(reader, "cel").rows(now, now))
        await reader.dispose()
    finally:
        async with table.begin() as connection:
            await connection.execute(text("drop role reader"))
