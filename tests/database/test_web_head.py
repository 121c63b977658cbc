"""The wallboard and its links, the head's page, and who may overhear which call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy import event, insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import help as helping
from calls.events import HangupRequested, RecordingRefused
from crm_sync.tables import leads
from directory import presence_store, store
from directory.model import Device
from directory.presence import Absence
from recordings.audit import THE_OPERATOR, Actor
from routing.tables import outgoing_calls
from service.commands import wallboard as commands
from service.faults import UserFault
from service.settings import load
from telephony import overhearings
from telephony.tables import device_states
from telephony.tables import overhearings as rows
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, PASSWORD, SUPPORT, Told, know
from web import house, users, wall_links, watching
from web.api.operations import PREFIX as API
from web.head import board, wall_page
from web.head.board import BOARDS
from web.head.figures import level
from web.live import LIVE
from web.words import has_words, say

ANNA, BORIS, GLEB = "PJSIP/anna-desk", "PJSIP/boris-soft", "PJSIP/gleb-desk"
NAME = "Секретный Клиент"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    """The web role; Вера, the head of sales, has a telephone, and support has a head of its own."""
    monkeypatch.setattr(house, "FRESH_SECONDS", -1.0)
    async with open_site(engine, tmp_path) as running:
        phone = Device(kind="desk", address="PJSIP/vera-desk", number="103")
        people = [replace(one, devices=(phone,)) if one.key == "vera" else one for one in HOUSE.people]
        people = [replace(one, role="head") if one.key == "gleb" else one for one in people]
        sales = replace(HOUSE.teams[0], members=("anna", "boris", "vera"))
        async with engine.begin() as connection:
            await store.apply(connection, replace(HOUSE, people=tuple(people), teams=(sales, HOUSE.teams[1])))
            await users.add(connection, "ilya", "admin", password=PASSWORD)
        yield running


async def talking(site: Site, device: str = ANNA, **how: Any) -> tuple[Told, UUID]:
    """Somebody talks with a caller since a moment ago, and the pages know."""
    story = Told(site.engine, name=NAME, at=datetime.now(UTC) - timedelta(seconds=8), **how)
    await story.arrives()
    await story.rings(device)
    call = await story.answers(device)
    await is_live(site, call, "talking")
    return story, call


async def is_live(site: Site, call: UUID, status: str) -> None:
    """Wait until the pages know of the call that it is so far."""
    async with asyncio.timeout(20):
        while (known := site.app[LIVE].calls.get(call)) is None or known.status != status:
            await asyncio.sleep(0.02)


async def answered(client: ClientSession, path: str, status: int = 200, **body: Any) -> Any:
    """What a GET, or with a body a POST, of the API tells."""
    async with client.request("POST" if body else "GET", API + path, json=body or None) as response:
        told = await response.json()
        assert response.status == status, told
        return told


async def head_where(client: ClientSession, true: Callable[[str], bool]) -> None:
    """Wait until the head's page is so."""
    async with asyncio.timeout(10):
        while not true(await (await client.get("/head")).text()):
            await asyncio.sleep(0.02)


async def told_of(engine: AsyncEngine, after: float, *, answers: bool, gone_after: float = 30.0) -> None:
    """An inbound call of this moment that Анна answers after so many seconds, or nobody does."""
    story = Told(engine, at=datetime.now(UTC) - timedelta(seconds=90))
    await story.arrives()
    await story.rings(ANNA, after=0)
    if answers:
        await story.answers(ANNA, after=after)
    await story.tell(HangupRequested(**story.later(gone_after).base()))
    await story.hangs_up(after=0)


async def test_the_wallboard_counts_who_waits_talks_and_is_free_and_how_soon_calls_are_answered(site: Site) -> None:
    """Who gave up at once is not counted against anybody; a team's board has its own calls and people alone."""
    await told_of(site.engine, 4, answers=True)
    await told_of(site.engine, 35, answers=True)
    await told_of(site.engine, 0, answers=False)
    await told_of(site.engine, 0, answers=False, gone_after=2)
    await talking(site, GLEB, line=SUPPORT)
    await is_live(site, await Told(site.engine).arrives(), "ringing")
    async with site.engine.begin() as connection:
        await connection.execute(
            insert(device_states).values(
                pbx="main", device=BORIS, state="unavailable", reachable=False, changed_at=datetime.now(UTC)
            )
        )
        day = await level(connection, datetime.now(UTC) - timedelta(minutes=10), None)
    assert (day.answered, day.soon, day.missed, day.percent) == (3, 2, 1, 50)
    async with site.visitor("anna") as client:
        told = await answered(client, "/wallboard")
        assert {name: told[name] for name in ("waiting", "talking", "free", "on_shift", "soon_seconds")} == {
            "waiting": 1,
            "talking": 1,
            "free": 2,
            "on_shift": 4,
            "soon_seconds": 20,
        }
        team = await answered(client, "/wallboard?team=support")
        assert (team["waiting"], team["talking"], team["free"], team["on_shift"]) == (0, 1, 0, 1)
        assert (team["answered"], team["missed"], team["service_level"]) == (1, 0, 100)
        await answered(client, "/wallboard?team=none", 400)
        page = await (await client.get("/wallboard")).text()
        assert "wall-links" not in page
        async with client.post("/wallboard", data={"do": "make", "label": "Холл"}) as response:
            assert response.status == 403


async def test_many_boards_that_come_due_at_once_are_one_reading(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of who does what, and of each team's figures; the heads' pages share in it."""
    for seconds in ("FLOOR_SECONDS", "FIGURES_SECONDS"):
        monkeypatch.setattr(board, seconds, 3600.0)
    asked: list[str] = []
    async with site.visitor("vera") as vera:
        await answered(vera, "/wallboard")  # the directory, her session and rights are known
        site.app[BOARDS]._floor.read_at = float("-inf")
        site.app[BOARDS]._figures.clear()
        event.listen(site.engine.sync_engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        await asyncio.gather(
            *(answered(vera, "/wallboard") for _ in range(10)), *(vera.get("/head") for _ in range(10))
        )
    for once in ("FROM device_states", "FROM statuses", "AS soon", "AS open, "):
        assert len([one for one in asked if once in one]) == 1, once


async def test_a_screen_shows_the_board_without_a_login_until_its_link_is_revoked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no name and no number of anybody, is told once and kept as a hash; what was revoked shows nothing."""
    monkeypatch.setattr(wall_page, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(wall_page, "LOOK_SECONDS", 0.1)
    await know(site.engine, "79161234567", NAME, "anna")
    await talking(site)
    async with site.visitor("vera") as head, site.visitor() as screen:
        async with head.post("/wallboard", data={"do": "make", "label": "Холл", "team": "sales"}) as response:
            made = re.search(r"http://[^<]*(/wall/[\w-]{43})", await response.text())
        assert made is not None
        assert made[1] not in await (await head.get("/wallboard")).text()
        async with screen.get(made[1]) as response:
            shown = await response.text()
            assert (response.status, response.headers["Referrer-Policy"]) == (200, "no-referrer")
        assert "Продажи" in shown
        assert not any(word in shown for word in (NAME, "79161234567", "Анна", "vera", 'href="/calls'))
        for wrong in ("/wall/x", made[1][:-1], f"{made[1]}x", "/wall/%00", f"{made[1]}/stream/"):
            assert (await screen.get(wrong, allow_redirects=False)).status in {400, 404}, wrong
        assert (await screen.get("/wallboard", allow_redirects=False)).status == 303
        async with screen.get(f"{made[1]}/stream") as stream:
            assert b"tile" in await stream.content.readuntil(b"</dl>")
            async with head.post("/wallboard", data={"do": "revoke", "link": "1"}) as response:
                assert response.status == 200
            await stream.content.read()
        assert (await screen.get(made[1])).status == 404
        for label in ("", " ", "x" * 61):
            async with head.post("/wallboard", data={"do": "make", "label": label}) as response:
                assert (response.status, say("ru", "wall.fault.label") in await response.text()) == (422, True)
        for wrong in (None, "support"):
            assert (await answered(head, "/wallboard/links", 422, label="Холл", team=wrong))["field"] == "team"
            form = {"do": "make", "label": "Холл", "team": wrong or ""}
            async with head.post("/wallboard", data=form) as response:
                assert response.status == 422, "of a team that another leads, or of the house"
        link = await answered(head, "/wallboard/links", label="Опен-спейс", team="sales")
        assert [one["label"] for one in (await answered(head, "/wallboard/links"))["items"]] == ["Опен-спейс"]
        assert (await screen.get(link["url"])).status == 200
        async with head.post(f"{API}/wallboard/links/{link['number']}/revoke") as response:
            assert response.status == 200
        assert (await screen.get(link["url"])).status == 404
        async with head.post(f"{API}/wallboard/links/99/revoke") as response:
            assert response.status == 404
        assert (await answered(head, "/wallboard/links", 422, label="Холл", team="none"))["field"] == "team"
    async with site.engine.begin() as connection:
        kept = str((await connection.execute(text("select * from wall_links"))).all())
        assert made[1].rpartition("/")[2] not in kept
        _, path = await wall_links.make(connection, Actor(login="vera"), HOUSE, "Её", None)
        number, other = await wall_links.make(connection, THE_OPERATOR, HOUSE, "Общий", None)
        told = (await connection.execute(text("select actor, action, subject from audit order by id"))).all()
    assert [tuple(one) for one in told[:2]] == [
        ("vera", "wall_link_made", "wall link 1"),
        ("vera", "wall_link_revoked", "wall link 1"),
    ]
    async with site.visitor("vera") as head, site.visitor("ilya") as admin, site.visitor() as screen:
        listed = {one["label"] for one in (await answered(head, "/wallboard/links"))["items"]}
        async with head.post("/wallboard", data={"do": "revoke", "link": str(number)}) as response:
            assert response.status == 422
        async with head.post(f"{API}/wallboard/links/{number}/revoke") as response:
            assert response.status == 404
        assert [(await screen.get(one)).status for one in (path, other)] == [200, 200]
        async with site.engine.connect() as connection:
            vera = await users.id_of(connection, "vera")
        form = {"do": "change", "role": "manager", "person": "vera"}
        assert (await admin.post(f"/admin/users/{vera}", data=form)).status == 200
        assert [(await screen.get(one)).status for one in (path, other)] == [404, 200]
        async with site.engine.begin() as connection:
            _, path = await wall_links.make(connection, Actor(login="vera"), HOUSE, "Её", None)
            await users.disable(connection, "vera")
        assert [(await screen.get(one)).status for one in (path, other)] == [404, 200]
    assert listed == {"Её"}


async def test_a_head_has_calls_of_own_teams_overheard_and_it_is_audited(site: Site) -> None:
    """Managers are refused, also for their own calls, and heads of other teams; an admin may hear every call."""
    _, call = await talking(site)
    _, support = await talking(site, GLEB, line=SUPPORT, number="79165550107")
    async with site.visitor("vera") as vera, site.visitor("ilya") as ilya:
        async with site.engine.begin() as connection:
            await helping.ask(connection, call, "anna")
        await head_where(vera, lambda page: "Просит помочь: Анна Смирнова" in page)
        told = await answered(vera, f"/calls/{call}/overhear", mode="whisper")
        await head_where(vera, lambda page: "Просит помочь" not in page)
        assert (told["state"], told["person"], told["mode"]) == ("wanted", "vera", "whisper")
        assert await answered(vera, f"/overhearings/{told['id']}") == told
        assert (await answered(ilya, f"/overhearings/{told['id']}"))["id"] == told["id"]
        await answered(vera, f"/calls/{support}/overhear", 403, mode="listen")
        assert (await answered(ilya, f"/calls/{support}/overhear", 422, mode="listen"))["reason"] == "no_device"
        await answered(vera, f"/calls/{call}/overhear", 400, mode="record")
        await answered(vera, f"/calls/{UUID(int=1)}/overhear", 404, mode="listen")
        async with vera.post("/head/overhear", data={"call": str(call), "mode": "listen"}) as response:
            assert (response.status, str(response.url).endswith("/head")) == (200, True)
    for login in ("anna", "boris", "olga"):
        async with site.visitor(login) as client:
            await answered(client, f"/calls/{call}/overhear", 403, mode="listen")
            assert (await client.get("/head")).status == 403
            assert (await client.post("/head/overhear", data={"call": str(call), "mode": "listen"})).status == 403
    async with site.engine.connect() as connection:
        told = (await connection.execute(text("select actor, action, subject, details->>'mode' from audit"))).all()
        asked = (await connection.execute(text("select person, mode, asked_by from overhearings"))).all()
    assert sorted(map(tuple, told)) == [
        ("vera", "call_overheard", f"call {call}", "listen"),
        ("vera", "call_overheard", f"call {call}", "whisper"),
    ]
    assert sorted(map(tuple, asked)) == [("vera", "listen", "vera"), ("vera", "whisper", "vera")]


async def test_what_cannot_be_overheard_is_refused_in_words_and_every_failure_has_some(site: Site) -> None:
    story, call = await talking(site)
    rings = await Told(site.engine, number="79165550108").arrives()
    async with site.visitor("vera") as client:
        assert (await answered(client, f"/calls/{rings}/overhear", 422, mode="listen"))["reason"] == "nobody_talks"
        await story.hangs_up()
        told = await answered(client, f"/calls/{call}/overhear", 422, mode="listen")
        assert (told["reason"], told["detail"]) == ("over", say("ru", "overhear.failed.over"))
        async with client.post("/head/overhear", data={"call": str(call), "mode": "listen"}) as response:
            assert (response.status, say("ru", "overhear.failed.over") in await response.text()) == (409, True)
        for data in ({"call": "x", "mode": "listen"}, {"call": str(call), "mode": "x"}):
            assert (await client.post("/head/overhear", data=data)).status == 400
    assert all(has_words(f"overhear.failed.{reason}") for reason in overhearings.FAILURES)


async def test_the_heads_page_has_calls_people_leads_and_refusals_of_own_teams(site: Site) -> None:
    """With who stands in, what a telephone does, and what becomes of one's own overhearing."""
    await know(site.engine, "79165550109", "Пётр Ждущий", "anna")
    _, call = await talking(site)
    await talking(site, GLEB, line=SUPPORT, number="79165550107")
    refused = Told(site.engine, number="79165550110")
    await refused.arrives()
    await refused.rings(ANNA)
    await refused.answers(ANNA)
    await refused.tell(RecordingRefused(**refused.later(0.1).base()))
    await refused.hangs_up()
    now = datetime.now(UTC)
    wish = {"purpose": "click", "state": "refused", "reason": "premium_rate", "number": "78095550111"}
    async with site.engine.begin() as connection:
        await connection.execute(update(leads).values(deadline_at=now - timedelta(hours=3)))
        await connection.execute(insert(outgoing_calls).values(wish | {"person": "anna", "asked_by": "anna"}))
        await connection.execute(insert(outgoing_calls).values(wish | {"person": "gleb", "number": "78095550222"}))
        away = Absence(0, now, now + timedelta(days=1), "anna")
        await presence_store.send_away(connection, "boris", away)
        asked = await overhearings.ask(connection, call, person="vera", heard="anna", mode="listen", asked_by="vera")
        await overhearings.place(connection, asked, "PJSIP/vera-desk", "x")
        await overhearings.begin(connection, asked)
    async with site.visitor("vera") as client:
        page = await (await client.get("/head")).text()
        items = (await answered(client, "/refused"))["items"]
    for told in (
        f'id="live-{call}"', NAME, "Вы слушаете", "замещает Анна Смирнова", "Пётр Ждущий", "+7 809 555-01-11",
        "Это платный номер", "нажата клавиша отказа", "+7 916 555-01-10", "Говорит",
    ):  # fmt: skip
        assert told in page, told
    assert "Глеб" not in page
    assert "555-02-22" not in page
    assert {(one["what"], one["reason"]) for one in items} == {("call_out", "premium_rate"), ("recording", "caller")}
    async with site.visitor("ilya") as client:
        page = await (await client.get("/head")).text()
        assert "Глеб Орлов" in page
        assert say("ru", "overhear.no_telephone") in page
        assert 'action="/head/overhear"' not in page
        assert len((await answered(client, "/refused?days=1"))["items"]) == 3
        assert say("ru", "overhear.told.listen") in await (await client.get(f"/calls/{call}")).text()
    async with site.engine.connect() as connection:
        assert (await connection.execute(rows.select())).one().state == "heard"


async def test_the_heads_page_is_told_what_happens_and_ends_with_the_right(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A status that somebody sets, and a call that begins, come by the same stream; it ends with the head's role."""
    monkeypatch.setattr(watching, "CHECK_SECONDS", 0.0)
    monkeypatch.setattr(wall_page, "REST_SECONDS", 0.0)
    monkeypatch.setattr(wall_page, "LOOK_SECONDS", 60.0)
    monkeypatch.setattr(board, "FLOOR_SECONDS", 0.0)
    async with site.visitor("vera") as client, client.get("/head/stream") as stream:
        await read_until(stream.content, "</ul>")
        async with site.engine.begin() as connection:
            await presence_store.set_status(connection, "anna", "away")
        await read_until(stream.content, say("ru", "doing.away"))
        await talking(site, BORIS)
        await read_until(stream.content, NAME)
        async with site.engine.begin() as connection:
            await connection.execute(text("update users set role = 'manager' where login = 'vera'"))
            await presence_store.set_status(connection, "anna", "available")
        async with asyncio.timeout(20):
            await stream.content.read()
        assert stream.content.at_eof()


async def read_until(content: Any, words: str) -> None:
    """Read a stream up to these words, which come soon."""
    async with asyncio.timeout(20):
        await content.readuntil(words.encode())


async def test_the_command_line_makes_lists_and_revokes_links(site: Site, tmp_path: Path, database_url: str) -> None:
    """What the command prints opens the board; whoever names no team or no link is told so."""
    settings = load(data_dir=tmp_path, database_url=SecretStr(database_url))
    made = await commands.make_link(settings, "Холл", "sales")
    with pytest.raises(UserFault, match="there is no team 'none'"):
        await commands.make_link(settings, "Холл", "none")
    told, words = await commands.list_links(settings)
    assert [(one["number"], one["team"]) for one in told] == [(made["number"], "sales")]
    assert "Холл  sales, made by command line, not opened yet" in words
    async with site.visitor() as screen:
        assert (await screen.get(made["path"])).status == 200
        await commands.revoke_link(settings, made["number"])
        assert (await screen.get(made["path"])).status == 404
    with pytest.raises(UserFault, match="no wallboard link 99"):
        await commands.revoke_link(settings, 99)
