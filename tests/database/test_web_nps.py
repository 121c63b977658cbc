"""The page on which a client answers: without a login, once, and only by the link that they were sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aiohttp import ClientSession
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.nps import PREFIX
from calls.record import record_all
from recordings.tables import transcripts
from reports import nps_links
from service.wiring import owes
from tests.fakes.recorded import settled_call
from tests.fakes.site import Site, open_site
from tests.fakes.story import LINE

_SENT = text(
    """
    insert into nps_asks (reason, number, line, way, state, due_at, asked_at)
    values ('talk 1', '79161234567', :line, 'link', 'sent', now(), now()) returning id
    """
)
_TOLD = text("select state, score, comment from nps_asks")


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def sent(engine: AsyncEngine) -> str:
    """The address that a client was sent."""
    async with engine.begin() as connection:
        ask: UUID = (await connection.execute(_SENT, {"line": LINE})).scalar_one()
        return await nps_links.path_of(connection, ask)


async def told(engine: AsyncEngine) -> tuple[object, ...]:
    async with engine.connect() as connection:
        return tuple((await connection.execute(_TOLD)).one())


async def test_a_client_answers_once_and_is_thanked(site: Site, engine: AsyncEngine) -> None:
    path = await sent(engine)
    async with ClientSession(site.url) as client:
        async with client.get(path) as response:
            page = await response.text()
            # Under `no-referrer` older browsers would send the form with `Origin: null`, and be refused.
            assert (response.status, response.headers["Referrer-Policy"]) == (200, "same-origin")
            assert response.headers["X-Robots-Tag"] == "noindex"
            assert page.count('type="radio"') == 11
            assert "рекомендовать" in page
        assert await told(engine) == ("sent", None, None)  # a look, as a preview of the link takes one, answers nothing
        async with client.post(path, data={"score": "10", "comment": " Всё <b>понравилось</b> "}) as response:
            assert (response.status, "Спасибо" in await response.text()) == (200, True)
        async with client.post(path, data={"score": "0", "comment": "кто-то другой"}) as response:
            assert "Спасибо" in await response.text()
    assert await told(engine) == ("answered", 10, "Всё <b>понравилось</b>")


async def test_what_a_client_types_is_masked_as_what_is_said(site: Site, engine: AsyncEngine) -> None:
    path = await sent(engine)
    async with engine.begin() as connection:
        await connection.execute(text("update company set masking = '{}'"))
    async with ClientSession(site.url) as client:
        typed = {"score": "2", "comment": "Верните на карту 4276 3800 1234 5679 деньги"}
        async with client.post(path, data=typed) as response:
            assert response.status == 200
    assert await told(engine) == ("answered", 2, "Верните на карту [card] деньги")


async def test_it_speaks_english_to_who_chooses_it(site: Site, engine: AsyncEngine) -> None:
    path = await sent(engine)
    async with ClientSession(site.url) as client, client.get(path, params={"lang": "en"}) as response:
        assert "How likely" in await response.text()


@pytest.mark.parametrize("score", ["", "11", "-1", "9.5", "девять", "²"])
async def test_what_is_no_score_is_asked_again(site: Site, engine: AsyncEngine, score: str) -> None:
    path = await sent(engine)
    async with ClientSession(site.url) as client, client.post(path, data={"score": score}) as response:
        assert (response.status, 'role="alert"' in await response.text()) == (422, True)
    assert await told(engine) == ("sent", None, None)


async def test_another_address_or_another_site_answers_nothing(site: Site, engine: AsyncEngine) -> None:
    """Nor does a link that came too late, or of a client who is forgotten."""
    path = await sent(engine)
    async with ClientSession(site.url) as client:
        for wrong in (path[:-3] + "AAA", "/nps/x", "/nps/%FF%00", "/nps/" + "A" * 43, "/nps/" + "A" * 5000):
            async with client.post(wrong, data={"score": "9"}) as response:
                assert response.status in {400, 404, 410}, wrong
        async with client.post(path, data={"score": "9"}, headers={"Origin": "https://evil.example"}) as response:
            assert response.status == 403
        async with engine.begin() as connection:
            await connection.execute(text("update nps_asks set state = 'expired'"))
        async with client.post(path, data={"score": "9"}) as response:
            assert response.status == 410
    assert await told(engine) == ("expired", None, None)


async def test_whoever_sees_the_talk_reads_the_answer_behind_the_number(site: Site, engine: AsyncEngine) -> None:
    """Score, words and where they are heard."""
    now = datetime.now(UTC)
    await record_all(engine, settled_call(at=now - timedelta(minutes=9), line=LINE), owes)
    called = uuid4()
    answered = text(
        """
        insert into nps_asks (reason, number, line, person, way, state, answered_at, score, comment, talk_id, call_id)
        select 'talk 1', caller_number, line, 'anna', 'call', 'answered', :at, 6, 'Долго ждал', id, :called from calls
        """
    )
    async with engine.begin() as connection:
        await connection.execute(answered, {"at": now, "called": called})
    day = {"from": f"{now + timedelta(hours=3):%Y-%m-%d}", "to": f"{now + timedelta(hours=3):%Y-%m-%d}"}
    async with site.visitor("vera") as client, client.get("/reports/behind", params={"measure": "nps"} | day) as head:
        page = await head.text()
        assert "6: Долго ждал" in page
        assert f"/calls/{called}" in page
    params = {"measure": "detractors", "person": "anna"} | day
    async with site.visitor("gleb") as client, client.get("/reports/behind", params=params) as other:
        assert other.status == 403


async def test_whoever_reads_what_a_client_said_is_written_down(site: Site, engine: AsyncEngine) -> None:
    """On the list and in the table that is taken away; what was typed is no text of a call."""
    now = datetime.now(UTC)
    await record_all(engine, settled_call(at=now - timedelta(minutes=9), line=LINE), owes)
    spoken = text(
        """
        insert into nps_asks (reason, number, line, person, way, state, answered_at, score, talk_id, call_id)
        select 'talk 1', caller_number, line, 'anna', 'call', 'answered', :at, 6, id, id from calls returning call_id
        """
    )
    async with engine.begin() as connection:
        called = (await connection.execute(spoken, {"at": now})).scalar_one()
        said = {"text": "Долго ждал", "segments": [], "words": [], "model": "base", "language": "ru"}
        took = {"call_id": called, "audio_seconds": 2, "took_seconds": 1}
        await connection.execute(insert(transcripts).values(said | took))
    day = f"{now + timedelta(hours=3):%Y-%m-%d}"
    asked = {"measure": "nps", "from": day, "to": day}
    async with site.visitor("vera") as client:
        async with client.get("/reports/behind", params=asked) as page:
            assert "6: Долго ждал" in await page.text()
        async with client.get("/reports/behind/export", params=asked) as table:
            assert "6: Долго ждал" in await table.text()
    heard = text("select login, call_id, what from listens order by id")
    async with engine.begin() as connection:
        assert [tuple(row) for row in await connection.execute(heard)] == [
            ("vera", called, "transcript"),
            ("vera", called, "export"),
        ]
        await connection.execute(text("update nps_asks set comment = 'Дорого'"))
    async with site.visitor("vera") as client, client.get("/reports/behind", params=asked) as page:
        assert "6: Дорого" in await page.text()
    async with engine.connect() as connection:
        assert len((await connection.execute(heard)).all()) == 2


async def test_the_call_that_asked_has_a_page_for_its_line_and_is_in_no_list(site: Site, engine: AsyncEngine) -> None:
    at, channel = datetime.now(UTC) - timedelta(minutes=5), f"{PREFIX}0a"
    told: list[e.Event] = [
        e.ChannelCreated(pbx="pbx", channel=channel, linkedid=channel, at=at, name="PJSIP/trunk-1", number=LINE),
        e.ChannelUp(pbx="pbx", channel=channel, linkedid=channel, at=at),
        e.NpsAsked(pbx="pbx", channel=channel, linkedid=channel, at=at, line=LINE, number="79161234567"),
        e.NpsAnswered(pbx="pbx", channel=channel, linkedid=channel, at=at, score=7),
        e.ChannelHungUp(pbx="pbx", channel=channel, linkedid=channel, at=at + timedelta(seconds=9), cause=16),
        e.Settled(pbx="pbx", channel=channel, linkedid=channel, at=at + timedelta(seconds=14)),
    ]
    await record_all(engine, told, owes)
    async with engine.connect() as connection:
        call_id = (await connection.execute(text("select id from calls"))).scalar_one()
    async with site.visitor("vera") as client:
        async with client.get(f"/calls/{call_id}") as page:
            assert (page.status, "Клиент нажимает 7" in await page.text()) == (200, True)
        async with client.get("/calls") as listed:
            assert str(call_id) not in await listed.text()
        async with client.get("/api/v1/calls") as listed:
            assert (await listed.json())["items"] == []
    async with site.visitor("gleb") as client, client.get(f"/calls/{call_id}") as other:
        assert other.status == 403
