"""The pages of connected CRMs, over a ledger that tells a strict receiver for real."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.answers import refused
from crm_sync.connections import read
from crm_sync.errors import RateLimitedError
from crm_sync.ledger import comparisons
from crm_sync.ledger.comparing import Difference
from crm_sync.ledger.reconciling import Report
from recordings.privacy_tables import audit
from tests.fakes.ledger import Ledger, open_ledger
from tests.fakes.recorded import settled_call
from tests.fakes.site import Site, open_site
from tests.fakes.story import PASSWORD
from tests.fakes.webhooks import OK, SECRET, Said
from web import users


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house and an admin."""
    async with open_site(engine, tmp_path) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", password=PASSWORD)
        yield opened


@pytest.fixture
async def ledger(engine: AsyncEngine) -> AsyncIterator[Ledger]:
    """A ledger with the connection `site`, whose receiver refuses the end of a call for good."""
    async with open_ledger(engine) as told:
        told.receiver.script = lambda _count, said: Said(status=422) if said["type"] == "call.ended" else OK
        await told.happen(settled_call())
        await told.run()
        yield told


async def test_what_the_last_comparison_found_is_shown(site: Site, ledger: Ledger) -> None:
    """How many calls differ, and when; or why nobody could look. Before the first nothing is said.

    And until when it is asked nothing, where it wants that.
    """
    at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    async with site.visitor("ilya") as client, ledger.engine.connect() as connection:
        to = await read(connection, "site")
        assert to is not None
        assert "Отличий за сутки" not in await (await client.get("/crm")).text()
        report = Report(to, 3, 0, (Difference("missing", None, None, at),), is_read=True)
        assert await comparisons.claim(ledger.engine, "site")
        for found, shown in (
            (report, "Отличий за сутки</dt><dd>1<small>сверено"),
            (replace(report, failed="transient: status 503"), "сверить не удалось<small>transient: status 503"),
        ):
            await comparisons.keep(ledger.engine, found, (at, at), at)
            for page in ("/crm", "/crm/site"):
                assert shown in await (await client.get(page)).text()
        async with ledger.engine.begin() as writing:
            await refused(writing, to, RateLimitedError("slow down", retry_after=300), datetime.now(UTC))
        assert "Просит меньше запросов: до " in await (await client.get("/crm")).text()


async def test_a_dead_letter_is_read_with_what_was_told_and_answered_and_sent_again(site: Site, ledger: Ledger) -> None:
    """The list tells of it, its page shows both sides and no secret; after a click it is on its way, and taken."""
    async with site.visitor("ilya") as client:
        listed = await (await client.get("/crm")).text()
        assert '<a class="crm-dead" href="/crm/site?state=dead">1</a>' in listed
        assert "отказано окончательно" in listed
        dead = await (await client.get("/crm/site?state=dead")).text()
        for told in ("Звонок закончился", "Не принято", "79161234567", "status 422"):
            assert told in dead
        assert "call_answered" not in dead.partition('class="panel ledger"')[2]
        for secret in (SECRET, ledger.receiver.url):
            assert secret not in listed + dead
        (row,) = await ledger.rows("select key from crm_effects where state = 'dead'")
        ledger.receiver.script = lambda _count, _said: OK
        form = {"do": "retry", "effect": str(row.key), "state": "dead"}
        response = await client.post("/crm/site", data=form, allow_redirects=False)
        assert (response.status, response.headers["Location"]) == (303, "/crm/site?state=dead")
        await ledger.run()
        assert await ledger.states() == [("call_finished", "done")]
        assert "отказано окончательно" not in await (await client.get("/crm")).text()
    async with site.engine.connect() as connection:
        (noted,) = await connection.execute(select(audit).where(audit.c.action == "crm_retried"))
    assert (noted.actor, noted.subject) == ("ilya", "crm site")
    assert noted.details == {"host": "127.0.0.1", "effect": str(row.key), "count": 1}


async def test_a_head_reads_and_an_admin_stops_and_starts(site: Site, ledger: Ledger) -> None:
    """The head's page has no button, and theirs would not be taken; what cannot be asked is said with its name."""
    async with site.visitor("vera") as client:
        assert 'name="do"' not in await (await client.get("/crm/site")).text()
        assert (await client.post("/crm/site", data={"do": "stop"})).status == 403
        assert (await client.get("/crm/other")).status == 404
        assert (await client.get("/crm/site?state=lost")).status == 400
        assert (await client.get("/crm/site?before=0x1")).status == 400
    async with site.visitor("ilya") as client:
        for do, state, word in (
            ("stop", "stopped", "Остановлена"),
            ("shadow", "shadow", "В тени"),
            ("start", "active", "Работает"),
        ):
            assert word in await (await client.post("/crm/site", data={"do": do})).text()
            async with site.engine.connect() as connection:
                one = await read(connection, "site")
            assert one is not None
            assert one.state == state
        async with site.engine.connect() as connection:
            told = await connection.execute(select(audit.c.details).where(audit.c.action == "crm_started"))
            assert [one.details["shadow"] for one in told] == [True, False]
        assert (await client.post("/crm/site", data={"do": "sell"})).status == 400
        assert (await client.post("/crm/site", data={"do": "retry", "effect": "all"})).status == 400
        assert (await client.post("/crm/site", data={"do": "retry", "effect": "0" * 32})).status == 409


async def test_a_long_ledger_is_read_page_by_page(site: Site, ledger: Ledger) -> None:
    """Each effect stands on one page, the newest first."""
    async with ledger.engine.begin() as connection:
        await connection.exec_driver_sql(
            "insert into crm_effects (key, connection, step, subject, lane, waits, state, ended_at, remote_id)"
            " select gen_random_uuid(), 'site', 'lead', n, 'x', false, 'done', now(), 'there-' || n || '.'"
            " from generate_series(1, 70) n"
        )
    async with site.visitor("vera") as client:
        first = await (await client.get("/crm/site")).text()
        address = first.partition('class="more"><a class="button-soft" href="')[2].partition('"')[0]
        second = await (await client.get(address.replace("&amp;", "&"))).text()
    on = [[n for n in range(1, 71) if f"there-{n}." in text] for text in (first, second)]
    assert on == [list(range(21, 71)), list(range(1, 21))]
    assert 'class="more"' not in second
