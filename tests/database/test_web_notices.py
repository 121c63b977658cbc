"""My desk tells me what I was told, at once, and only me."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import presence_store
from notices.addresses import bury
from notices.model import Notice
from notices.telling import tell
from tests.fakes.office import until
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, Told
from web import live


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path / "store") as opened:
        yield opened


async def told(site: Site, *people: str, lead: int = 7) -> None:
    """A deadline passed."""
    values = {"deadline": "new", "due_at": "2026-03-02T09:00:00+00:00", "owner": "anna"}
    notice = Notice(key=f"passed {lead}", kind="deadline_passed", subject="lead", subject_id=str(lead), values=values)
    async with site.engine.begin() as connection:
        await tell(connection, HOUSE, notice, people)


async def test_what_i_was_told_is_on_my_desk_until_i_have_read_it(site: Site) -> None:
    await told(site, "anna")
    await told(site, "anna", lead=8)
    async with site.visitor("anna") as anna, site.visitor("boris") as boris:
        page = await (await anna.get("/")).text()
        assert "Срок по заявке № 7 истёк" in page
        assert "Этап «Новая», срок был 2 марта, 12:00. Ответственный: Анна Смирнова." in page
        assert 'href="/leads/7"' in page
        assert "истёк" not in await (await boris.get("/")).text()
        first = (await (await anna.get("/api/v1/notices")).json())["items"][-1]
        assert (first["kind"], first["subject_id"], first["read_at"]) == ("deadline_passed", "7", None)
        # Another's notice is none of mine to read.
        await boris.post("/desk/notices", data={"id": str(first["id"])})
        assert await (await boris.post(f"/api/v1/notices/{first['id']}/read")).json() == {"read": 0}
        await anna.post("/desk/notices", data={"id": str(first["id"])})
        left = await (await anna.get("/desk/notices")).text()
        assert "№ 7" not in left
        assert "№ 8" in left
        assert await (await anna.post("/api/v1/notices/read")).json() == {"read": 1}
        assert (await (await anna.get("/api/v1/notices?unread=true")).json())["items"] == []
        assert (await anna.post("/desk/notices", data={"id": "7; drop"})).status == 400


async def test_an_open_desk_hears_of_it_at_once(site: Site) -> None:
    await until(lambda: site.listening)
    async with site.visitor("anna") as anna, asyncio.timeout(10), anna.get("/desk/stream") as stream:
        await stream.content.readuntil(b"\r\n\r\n")
        await told(site, "anna")
        async for line in stream.content:
            if line.strip() == b"event: notices":
                break


async def test_what_was_told_while_the_database_was_away_is_on_the_open_pages_after_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk hears of a notice, a status, a call that came and went, and an outcome; the list of missed calls too."""
    monkeypatch.setattr(live, "RETRY_SECONDS", (3.0,))
    talk = Told(site.engine)
    await talk.arrives()
    await talk.rings("PJSIP/anna-desk")
    await talk.answers("PJSIP/anna-desk")
    call = str(await talk.hangs_up())
    await until(lambda: site.listening)
    async with (
        site.visitor("anna") as anna,
        asyncio.timeout(30),
        anna.get("/desk/stream") as desk,
        anna.get("/missed/stream") as missed,
    ):
        assert f'id="card-{call}"' in (await desk.content.readuntil(b"\r\n\r\n")).decode()
        assert "+7 916 555-01-77" not in (await missed.content.readuntil(b"\r\n\r\n")).decode()
        async with site.engine.begin() as connection:
            others = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
            await connection.execute(text(f"select pg_terminate_backend(pid) {others}"))
        await until(lambda: not site.listening)
        await told(site, "anna")
        async with site.engine.begin() as connection:
            await presence_store.set_status(connection, "anna", "do_not_disturb")
            closed = "insert into desk_cards (call_id, person, closed_at) values (:call, 'anna', now())"
            await connection.execute(text(closed), {"call": call})
        long_ago = Told(site.engine, number="79165550177", at=datetime.now(UTC) - timedelta(minutes=5))
        await long_ago.arrives()
        await long_ago.rings("PJSIP/anna-desk")
        await long_ago.hangs_up()
        await long_ago.is_promised()
        assert not site.listening
        shown, wanted = "", ("event: notices", "event: status", "event: today", 'id="quiet-desk"')
        while not all(one in shown for one in wanted):
            shown += (await desk.content.readuntil(b"\r\n\r\n")).decode()
        assert f'id="card-{call}"' not in shown
        assert "+7 916 555-01-77" in (await missed.content.readuntil(b"\r\n\r\n")).decode()


async def test_a_dead_address_is_told_whose_it_is(site: Site) -> None:
    async with site.engine.begin() as connection:
        anna = HOUSE.person("anna")
        assert anna is not None
        await bury(connection, anna, "telegram", "blocked")
    async with site.visitor("anna") as visitor:
        assert "Telegram: сообщения не доходят (бот заблокирован в чате)" in await (await visitor.get("/")).text()
