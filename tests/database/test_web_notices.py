"""My desk tells me what I was told, at once, and only me."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from notices.addresses import bury
from notices.model import Notice
from notices.telling import tell
from tests.fakes.office import until
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE


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


async def test_a_dead_address_is_told_whose_it_is(site: Site) -> None:
    async with site.engine.begin() as connection:
        anna = HOUSE.person("anna")
        assert anna is not None
        await bury(connection, anna, "telegram", "blocked")
    async with site.visitor("anna") as visitor:
        assert "Telegram: сообщения не доходят (бот заблокирован в чате)" in await (await visitor.get("/")).text()
