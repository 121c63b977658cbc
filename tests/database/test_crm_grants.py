"""What lets us into a CRM is renewed once and never lost, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.errors import AuthDeadError
from crm_sync.grants import Grant, SealedGrants, keep_grant
from crm_sync.http import Http
from crm_sync.secrets import Keeper, SecretKeyError
from tests.fakes.ledger import LOOPBACK, SECRET_KEY, add_connection
from tests.fakes.token_server import FIRST, ask, open_token_server, process_that_renews

KEEPER = Keeper(SECRET_KEY)


@pytest.fixture
async def grants(engine: AsyncEngine) -> SealedGrants:
    """The grants of the connection `site`, which has its first."""
    await add_connection(engine, "https://example.com/hook")
    async with engine.begin() as connection:
        await keep_grant(connection, KEEPER, "site", FIRST)
    return SealedGrants(engine, KEEPER, "site")


async def test_ten_who_renew_in_two_processes_ask_once(grants: SealedGrants, database_url: str, tmp_path: Path) -> None:
    """Everybody gets the one new access, and the refresh token that the renewal killed is sent no second time."""
    async with open_token_server() as server:
        results = [tmp_path / "one", tmp_path / "two"]
        processes = [process_that_renews(database_url, server.url, result) for result in results]
        for process in processes:
            await asyncio.to_thread(process.start)
        for process in processes:
            await asyncio.to_thread(process.join, 30)
        assert server.asked == ["refresh-0"]
    assert [result.read_text().split() for result in results] == [["access-1"] * 5] * 2
    assert (await grants.current()).refresh == "refresh-1"


async def test_whoever_loses_patience_does_not_lose_the_account(grants: SealedGrants) -> None:
    """The answer comes after the caller has gone, and is stored all the same."""
    http = Http(LOOPBACK)
    async with open_token_server() as server:
        server.answers.clear()
        asking = asyncio.create_task(grants.renew(FIRST, lambda one: ask(http, server.url, one)))
        async with asyncio.timeout(10):
            while not server.asked:
                await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        server.answers.set()
        assert (await grants.renew(FIRST, lambda one: ask(http, server.url, one))).access == "access-1"
        assert server.asked == ["refresh-0"]
    await http.close()
    assert await grants.current() == Grant("access-1", "refresh-1", told={"account": "romashka"})


async def test_a_database_that_fails_after_the_answer_is_told_again(grants: SealedGrants, engine: AsyncEngine) -> None:
    """The new grant is the only one: it is stored by another session before anybody uses it."""

    async def cut(grant: Grant) -> Grant:
        others = "pid <> pg_backend_pid() and datname = current_database()"
        async with engine.connect() as connection:
            await connection.execute(text(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"))
        return Grant("access-1", "refresh-1")

    assert (await grants.renew(FIRST, cut)).access == "access-1"
    assert (await grants.current()).refresh == "refresh-1"


async def test_a_refresh_token_that_is_no_good_is_a_persons_to_mend(grants: SealedGrants, engine: AsyncEngine) -> None:
    """AuthDeadError, and what is stored stays as it was; without any grant the command that gives one is named."""
    http = Http(LOOPBACK)
    async with open_token_server() as server:
        server.asked.append("somebody else's")
        with pytest.raises(AuthDeadError, match="invalid_grant"):
            await grants.renew(FIRST, lambda one: ask(http, server.url, one))
    await http.close()
    assert await grants.current() == FIRST
    await add_connection(engine, "https://example.com/hook", key="other")
    with pytest.raises(AuthDeadError, match="switchhook crm grant other"):
        await SealedGrants(engine, KEEPER, "other").current()


async def test_tokens_are_sealed_and_no_row_opens_for_another_connection(
    grants: SealedGrants, engine: AsyncEngine
) -> None:
    """Nothing of them is in the row, in a repr, or of use under another key; when they end is told in clear."""
    end = datetime(2027, 1, 1, tzinfo=UTC)
    async with engine.begin() as connection:
        await keep_grant(connection, KEEPER, "site", Grant("access-9", "refresh-9", refresh_expires_at=end))
        row = (await connection.execute(text("select * from crm_grants"))).one()
    assert (row.number, row.refresh_expires_at) == (2, end)
    assert b"access-9" not in row.sealed
    assert "access-9" not in repr(await grants.current())
    await add_connection(engine, "https://example.com/hook", key="other")
    async with engine.begin() as connection:
        await connection.execute(text("update crm_grants set connection = 'other'"))
    with pytest.raises(SecretKeyError):
        await SealedGrants(engine, KEEPER, "other").current()
