"""What will end is known before it does: access, limits, rights and people of connected CRMs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from crm_sync import connections, kinds
from crm_sync.crm import CrmUser
from crm_sync.grants import Grant, keep_grant
from crm_sync.pacing import Bucket, SharedPace
from crm_sync.people import KnownPeople
from crm_sync.secrets import Keeper
from metrics.crm_questions import GRANTS, LIMIT_MOST, LIMIT_USED, MISSING
from service.crm.ledger import keep_telling
from service.crm.probing import probe_due
from service.crm.workplaces import Adapters
from service.settings import Settings
from tests.fakes import pretended
from tests.fakes.ledger import SECRET_KEY, add_connection
from tests.fakes.story import furnish


@pytest.fixture
async def adapters(engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Adapters:
    """The connection `site` to a CRM that lets us in, and a webhook, which nobody asks anything."""
    monkeypatch.setitem(kinds.KINDS, "pretended", pretended.KIND)
    await furnish(engine)
    keeper, now = Keeper(SECRET_KEY), datetime.now(UTC)
    grant = Grant(pretended.CODE, "refresh", now + timedelta(hours=1), now + timedelta(days=6))
    async with engine.begin() as connection:
        sealed = keeper.seal("site", {})
        await connections.add(connection, "site", "pretended", {"portal": "x"}, sealed, (), "active")
        await keep_grant(connection, keeper, "site", grant)
    await add_connection(engine, "https://example.com/hook", "hook")
    told: Any = {"database_url": database_url, "secret_key": SECRET_KEY}
    return Adapters(Settings(**told), engine)


async def rows(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return sorted(tuple(row) for row in await connection.execute(text(sql)))


async def test_a_crm_is_asked_once_an_hour_how_it_is(engine: AsyncEngine, adapters: Adapters) -> None:
    """By one of all processes; what it lacks and who works there is kept, and both are told as metrics."""
    counts = await asyncio.gather(*(probe_due(engine, adapters) for _ in range(3)))
    assert sum(counts) == 1
    assert await KnownPeople(engine, "site").user_of("anna") == "1"
    assert await rows(engine, MISSING) == [("hook", 0), ("site", 1)]
    assert await probe_due(engine, adapters) == 0
    assert await probe_due(engine, adapters, timedelta()) == 1


async def test_a_crm_that_lets_us_in_no_more_is_known_before_a_call(engine: AsyncEngine, adapters: Adapters) -> None:
    """The connection is ended as by an effect that is refused; one that answers nothing is only asked again."""
    async with engine.begin() as connection:
        await keep_grant(connection, Keeper(SECRET_KEY), "site", Grant("another"))
    assert await probe_due(engine, adapters) == 0
    ended = await rows(engine, "select key, state, stopped_by from crm_connections")
    assert ended == [("hook", "active", None), ("site", "stopped", "auth_dead")]


async def test_whatever_one_crm_answers_the_others_are_asked(
    engine: AsyncEngine, adapters: Adapters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot be opened, one whose adapter fails, one whose users cannot be written."""

    class Evil(pretended.Pretended):
        async def users(self) -> Sequence[CrmUser]:
            if self._at.key == "b-unforeseen":
                raise KeyError("id")
            return [CrmUser("1", "a\0b" if self._at.key == "c-unwritable" else "Анна", "101")]

    monkeypatch.setitem(kinds.KINDS, "pretended", replace(pretended.KIND, open=Evil))
    keeper = Keeper(SECRET_KEY)
    async with engine.begin() as connection:
        for key, kind in (("a-shut", "odoo"), ("b-unforeseen", "pretended"), ("c-unwritable", "pretended")):
            told = {"address": "https://odoo.example"} if kind == "odoo" else {"portal": "x"}
            await connections.add(connection, key, kind, told, keeper.seal(key, {}), (), "active")
            await keep_grant(connection, keeper, key, Grant(pretended.CODE))
    assert await probe_due(engine, adapters) == 1
    assert await rows(engine, "select connection, name from crm_users") == [("site", "Анна")]


async def test_the_end_of_access_and_of_limits_is_told_before_it_comes(engine: AsyncEngine, adapters: Adapters) -> None:
    """Seconds that each token is good for, and what the CRM says that we used of which limit, until it resets."""
    (access, refresh) = await rows(engine, GRANTS)
    assert access[:2] == ("site", "access")
    assert float(access[2]) == pytest.approx(3600, abs=60)
    assert refresh[:2] == ("site", "refresh")
    assert float(refresh[2]) == pytest.approx(6 * 86400, abs=60)
    pace, now = SharedPace(engine, "pretended x"), datetime.now(UTC)
    await pace.take(Bucket("requests", most=50, per_second=2))
    await pace.used("crm.item.add", 310, 480, now + timedelta(minutes=5))
    await pace.used("crm.item.list", 470, 480, now - timedelta(minutes=5))
    assert await rows(engine, LIMIT_USED) == [("site", "crm.item.add", 310), ("site", "crm.item.list", 0)]
    assert await rows(engine, LIMIT_MOST) == [("site", "crm.item.add", 480), ("site", "crm.item.list", 480)]


async def test_the_ledger_is_kept_up_whatever_one_row_does(engine: AsyncEngine, database_url: str) -> None:
    """What nobody foresaw is told by its type and place, and the loop goes on: mended, the row is done."""
    settings = Settings.model_validate({"database_url": database_url, "secret_key": SECRET_KEY})
    sealed = Keeper(SECRET_KEY).seal("old", {})
    async with engine.begin() as connection:
        await connections.add(connection, "old", "webhook", {"url": "of an earlier version"}, sealed, (), "active")
    with capture_logs() as logs:
        keeping = asyncio.create_task(keep_telling(engine, settings, 0.01, 0.01))
        async with asyncio.timeout(10):
            while len(logs) < 2:
                await asyncio.sleep(0.01)
            async with engine.begin() as connection:
                told = {"url": "https://example.com/hook"}
                await connections.set_secrets(connection, "old", told, sealed)
            while await rows(engine, "select key from crm_connections where settings ? 'url'"):
                await asyncio.sleep(0.01)
        assert not keeping.done()
        keeping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await keeping
    assert (logs[0]["work"], logs[0]["error"]) == ("the upkeep of the ledger", "ValueError")
