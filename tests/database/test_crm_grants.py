"""What lets us into a CRM is renewed once and never lost, whatever happens meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path
from signal import SIGKILL
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from crm_sync import connections
from crm_sync.errors import AuthDeadError
from crm_sync.grants import Grant, SealedGrants, keep_grant, settled
from crm_sync.http import Http
from crm_sync.ledger.sending import SendingJobs
from crm_sync.secrets import Keeper, SecretKeyError
from directory.file import loads
from directory.store import apply
from tests.fakes.bitrix24_chaos import Bitrix24Chaos, open_bitrix24_chaos
from tests.fakes.chaos import ROOMS, key_of, open_adapter
from tests.fakes.crm_worker import begin_worker
from tests.fakes.ledger import LOOPBACK, OWES, SECRET_KEY, add_connection
from tests.fakes.recorded import settled_call
from tests.fakes.token_server import FIRST, ask, open_token_server, process_that_renews

KEEPER = Keeper(SECRET_KEY)
HOUSE = """
company: {name: Ромашка}
people:
  - {key: anna, name: Анна, role: manager, devices: [{kind: desk, address: PJSIP/anna-desk, number: "101"}]}
  - {key: olga, name: Ольга, role: admin, devices: [{kind: desk, address: PJSIP/olga-desk, number: "103"}]}
teams: [{key: sales, name: Продажи, members: [anna]}]
lines: [{number: "74951234567", name: Основная, team: sales}]
"""


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
    """The answer comes after the caller has gone, and is stored all the same, before the process ends."""
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
        await http.close()  # as whoever opens the adapter anew, or ends
        ending = asyncio.create_task(settled())
        server.answers.set()
        await ending
        assert grants._renewing is not None
        assert grants._renewing.done()
        assert await grants.current() == Grant("access-1", "refresh-1", told={"account": "romashka"})
        assert (await grants.renew(FIRST, lambda one: ask(http, server.url, one))).access == "access-1"
        assert server.asked == ["refresh-0"]
    assert http._session is None


async def test_a_database_that_fails_after_the_answer_is_told_again(grants: SealedGrants, engine: AsyncEngine) -> None:
    """The new grant is the only one: it is stored by another session before anybody uses it, unless nobody may."""

    async def cut(grant: Grant) -> Grant:
        others = "pid <> pg_backend_pid() and datname = current_database()"
        async with engine.connect() as connection:
            await connection.execute(text(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}"))
        return Grant("access-1", "refresh-1")

    assert (await grants.renew(FIRST, cut)).access == "access-1"
    assert (await grants.current()).refresh == "refresh-1"

    async def removed(grant: Grant) -> Grant:
        newer = await cut(grant)
        async with engine.begin() as connection:
            await connections.remove(connection, "site")
        return newer

    with pytest.raises(AuthDeadError, match="removed meanwhile"):
        await grants.renew(await grants.current(), removed)


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


async def test_a_process_that_is_killed_as_access_is_renewed_loses_no_effect(
    engine: AsyncEngine, database_url: str
) -> None:
    """Its new tokens are gone for ever: the CRM is asked no more, a person is told, and when they agree all is told.

    SIGKILL, after the token server has given them and before anybody has kept them.
    """
    async with open_bitrix24_chaos(lambda _count: None) as opened:
        rig = cast("Bitrix24Chaos", opened)
        async with engine.begin() as connection:
            await apply(connection, loads(HOUSE))
        await rig.connect(engine)
        changes = []
        async with engine.begin() as connection:
            for uid in ("1.1", "2.1"):
                changes += await record(
                    connection, settled_call(uid, at=datetime.now(UTC) - timedelta(minutes=1)), OWES
                )
        rig.server.expire()
        workers = list[BaseProcess]()

        def dies() -> None:
            workers[0].kill()

        rig.server.given = dies
        workers.append(await begin_worker(database_url))
        await asyncio.to_thread(workers[0].join)
        rig.server.given = lambda: None
        assert (workers[0].exitcode, len(rig.server.token_requests)) == (-SIGKILL, 1)
        jobs = SendingJobs(engine=engine, rooms=ROOMS, open_crm=open_adapter(engine))
        await send(jobs)
        assert await told(engine, "select stopped_by from crm_connections") == ["auth_dead"]
        assert await told(engine, "select state from crm_effects where ended_at is not null") == []
        assert await told(engine, "select person from notices where kind = 'crm_access_ended'") == ["olga"]
        given = rig.server.grant()
        grant = Grant(given.access, given.refresh, told={"client_endpoint": f"{rig.server.url}/rest/"})
        async with engine.begin() as connection:
            await keep_grant(connection, KEEPER, "site", grant)
            await connections.go_on(connection, "site")
        await send(jobs)
        await jobs.close()
        assert await told(engine, "select state from crm_effects") == ["done", "done"]
        calls = {key_of(change.call_id): change.call_id for change in changes}
        assert sorted(one.call for one in rig.held(calls)) == sorted(calls.values())


async def send(jobs: SendingJobs) -> None:
    """Run the job of each effect."""
    for key in await told(jobs.engine, "select key from crm_effects order by number"):
        await jobs.send_effect(cast("UUID", key), 0)


async def told(engine: AsyncEngine, sql: str) -> list[object]:
    async with engine.connect() as connection:
        return list((await connection.execute(text(sql))).scalars())
