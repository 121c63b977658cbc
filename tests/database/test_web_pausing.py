"""Pausing a recording by the API and the page: who may, what is said when it cannot be, and what is shown meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import ChannelHungUp, RecordingMuted, RecordingStarted
from recordings import pauses
from tests.fakes.site import Site, open_site
from tests.fakes.story import Told
from web import pausing
from web.api.operations import PREFIX as API
from web.words import say


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(engine, tmp_path) as running:
        yield running


async def talking(engine: AsyncEngine, *, recorded: bool = True) -> tuple[Told, UUID]:
    """Анна talks with a caller."""
    story = Told(engine)
    await story.arrives()
    await story.rings("PJSIP/anna-desk")
    call = await story.answers("PJSIP/anna-desk")
    if recorded:
        await story.tell(RecordingStarted(**story.later(0.1).base()))
    return story, call


@asynccontextmanager
async def attended(site: Site, story: Told) -> AsyncIterator[None]:
    """Somebody attends the PBX, which does what is wanted and tells so."""

    async def attend() -> None:
        while True:
            async with site.engine.begin() as connection:
                wanted = await pauses.unsettled(connection, "main")
                for wish in wanted:
                    await pauses.settle(connection, wish.id, "done")
            for wish in wanted:
                await story.tell(RecordingMuted(**story.later(0.1).base(), muted=wish.paused))
            await asyncio.sleep(0.02)

    task = asyncio.create_task(attend())
    yield
    task.cancel()


async def turn(client: ClientSession, call: UUID, what: str, status: int) -> dict[str, Any]:
    async with client.post(f"{API}/calls/{call}/recording/{what}") as response:
        told: dict[str, Any] = await response.json()
        assert response.status == status, told
        return told


async def test_who_talks_and_who_leads_pause_and_resume_and_it_is_audited(site: Site) -> None:
    story, call = await talking(site.engine)
    async with attended(site, story), site.visitor("anna") as anna, site.visitor("vera") as head:
        assert await turn(anna, call, "pause", 200) == {"call_id": str(call), "paused": True}
        assert await turn(head, call, "resume", 200) == {"call_id": str(call), "paused": False}
    async with site.engine.connect() as connection:
        told = await connection.execute(text("select actor, action, host(address) from audit order by id"))
        assert [tuple(row) for row in told] == [
            ("anna", "recording_paused", "127.0.0.1"),
            ("vera", "recording_resumed", "127.0.0.1"),
        ]


async def test_nobody_else_does(site: Site) -> None:
    """Not a colleague who sees the call, nor one who does not, nor an operator, nor anybody unknown."""
    _, call = await talking(site.engine)
    for login in ("boris", "gleb", "olga"):
        async with site.visitor(login) as client:
            await turn(client, call, "pause", 403)
    async with site.visitor() as client:
        await turn(client, call, "pause", 401)
    async with site.visitor("anna") as client:
        await turn(client, UUID(int=0), "pause", 404)
    async with site.engine.connect() as connection:
        assert (await connection.execute(text("select count(*) from recording_wishes"))).scalar() == 0


async def test_what_cannot_be_paused_is_refused_with_its_reason(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that is over, one that nobody records, and one whose PBX nobody attends."""
    monkeypatch.setattr(pausing, "DONE_SECONDS", 0.3)
    story, call = await talking(site.engine, recorded=False)
    async with site.visitor("anna") as client:
        assert (await turn(client, call, "pause", 422))["reason"] == "not_recorded"
        await story.tell(RecordingStarted(**story.later(0.1).base()))
        assert (await turn(client, call, "pause", 422))["reason"] == "not_yet"
        await story.hangs_up()
        assert (await turn(client, call, "resume", 403))["detail"].startswith("Only who talks")
    async with site.visitor("vera") as client:
        assert (await turn(client, call, "resume", 422))["reason"] == "over"


async def test_the_card_and_the_page_have_the_button_and_say_that_it_is_paused(site: Site) -> None:
    """Of a channel that goes on: another was paused until it ended."""
    story, call = await talking(site.engine)
    gone = story.base("1700000000.9")
    await story.tell(RecordingMuted(**gone), ChannelHungUp(**gone))
    async with attended(site, story), site.visitor("anna") as client:
        page = f"/calls/{call}"
        assert say("ru", "pause.pause") in await (await client.get(page)).text()
        for path in (page, "/"):
            assert say("ru", "pause.paused") not in await (await client.get(path)).text()
        async with client.post(f"{page}/recording", data={"do": "pause"}, allow_redirects=True) as response:
            assert response.status == 200
            shown = await response.text()
        assert say("ru", "pause.resume") in shown
        assert (await client.post(f"{page}/recording", data={"do": "stop"})).status == 400
    async with site.visitor("boris") as client:
        assert say("ru", "pause.resume") not in await (await client.get(page)).text()
