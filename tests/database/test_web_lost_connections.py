"""The database closes connections beneath the pages: what only reads is read again, what changes something is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.fakes.site import Site, open_site
from tests.fakes.story import Told

ANNA = "PJSIP/anna-desk"
WAITING = "from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


@asynccontextmanager
async def _held(site: Site, table: str) -> AsyncIterator[AsyncConnection]:
    """Whoever wants this table waits until the body has ended."""
    async with site.engine.connect() as connection:
        await connection.execute(text(f"lock table {table} in access exclusive mode"))
        yield connection


async def _drop_who_waits(site: Site) -> None:
    """In one transaction PostgreSQL would tell again and again who was there when it was first asked."""
    async with asyncio.timeout(60), site.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while not (await connection.execute(text(f"select pg_terminate_backend(pid) {WAITING}"))).all():
            await asyncio.sleep(0.01)


async def test_a_page_is_read_again_where_the_database_dropped_its_connection(site: Site) -> None:
    """A restart of PostgreSQL while a page is read costs a moment, not an error."""
    async with site.visitor("vera") as client, _held(site, "calls") as connection:
        asked = asyncio.create_task(client.get("/calls"))
        await _drop_who_waits(site)
        await connection.rollback()
        answer = await asked
        assert answer.status == 200
        assert "</html>" in await answer.text()


async def test_what_changes_something_is_not_done_again_by_itself(site: Site) -> None:
    """Nobody knows whether a change was kept when its connection was lost: whoever asked for it decides."""
    async with site.visitor("vera") as client, _held(site, "saved_views") as connection:
        told = {"do": "save", "name": "Missed", "query": "status=missed"}
        asked = asyncio.create_task(client.post("/calls/views", data=told, allow_redirects=False))
        await _drop_who_waits(site)
        await connection.rollback()
        assert (await asked).status == 500


async def test_a_stream_goes_on_though_its_connection_was_dropped(site: Site) -> None:
    """It is read anew, and tells what comes afterwards."""
    call, after = Told(site.engine), Told(site.engine)
    async with site.visitor("anna") as anna, asyncio.timeout(60), anna.get("/desk/stream") as stream:
        await stream.content.readuntil(b"data:")
        async with _held(site, "desk_cards") as connection:
            await call.arrives()
            await call.rings(ANNA)
            await call.answers(ANNA)
            await _drop_who_waits(site)
            await connection.rollback()
        await call.hangs_up()
        await after.arrives()
        await after.rings(ANNA)
        await stream.content.readuntil(str(after.id).encode())


async def test_a_stream_that_fails_ends_and_is_nothing_else_afterwards(site: Site) -> None:
    """No second head of an answer is written into a stream that has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    cookie = await site.session("vera")
    writer.write(f"GET /head/stream HTTP/1.1\r\nHost: here\r\nCookie: switchhook={cookie}\r\n\r\n".encode())
    told = await reader.readuntil(b"data:")
    async with site.engine.begin() as connection:
        await connection.execute(text("alter table device_states rename to nothing"))
    async with asyncio.timeout(60):
        told += await reader.read()
    writer.close()
    assert told.count(b"HTTP/1.1 ") == 1
