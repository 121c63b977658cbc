"""Every page is shown whatever happened: real tapes, both languages, every role."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from calls.tables import calls
from crm_sync.book.decisions import bring_back, decide
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import Move
from crm_sync.book.parties import set_do_not_call
from crm_sync.tables import leads
from directory import store
from routing.owner import Copy
from routing.owner import Told as LookedUp
from telephony import tape
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE as STORY
from tests.fakes.story import LINE, SUPPORT, Told, know
from web import house
from web.background import read_background, read_live
from web.cards import cards_for
from web.house import HOUSE
from web.words import say

AMI, CEL = sorted(Path("tests/tapes").glob("*.ami")), sorted(Path("tests/tapes").glob("*.cel.csv"))
TAPES = AMI[::2] + CEL[1::2]
"""Every call by one of its witnesses, in turn; that both tell the same is shown elsewhere."""


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def test_every_tape_has_its_pages(site: Site) -> None:
    """Calls as real PBXes tell them: the list, each call and its timeline, every other one in each language."""
    for number, path in enumerate(TAPES):
        async with site.engine.begin() as connection:
            await record(connection, tape.read(path, f"pbx{number}").events)
    async with site.visitor("vera") as client:
        ids: list[str] = []
        asked = {"limit": "200"}
        while "cursor" not in asked or asked["cursor"]:
            page = await (await client.get("/api/v1/calls", params=asked)).json()
            ids += [item["id"] for item in page["items"]]
            asked["cursor"] = page["next"]
        assert len(ids) >= len(TAPES)
        for first, language in enumerate(("ru", "en")):
            await client.post("/language", data={"language": language})
            for address in ("/", "/calls", *(f"/calls/{id_}" for id_ in ids[first::2])):
                response = await client.get(address)
                assert response.status == 200, address
                assert f'lang="{language}"' in await response.text()
        for id_ in ids:
            timeline = await (await client.get(f"/api/v1/calls/{id_}/timeline")).json()
            assert timeline["items"], id_


async def test_every_live_call_has_a_card_that_can_be_made(site: Site) -> None:
    """The same calls as they would stand on a desk."""
    for number, path in enumerate(TAPES):
        async with site.engine.begin() as connection:
            await record(connection, tape.read(path, f"pbx{number}").events)
    async with site.engine.begin() as connection:
        await connection.execute(update(calls).values(started_at=func.now(), ended_at=None))
        expected = await connection.scalar(select(func.count()).where(calls.c.joined_into.is_(None)))
        live = await read_live(connection)
        assert len(live) == expected
        for call in live:
            await read_background(connection, call, await site.app[HOUSE].read())
            for person in {*call.people, None}:
                cards_for([call], person, call.started_at)


async def test_times_are_on_the_wall_of_whoever_reads(site: Site) -> None:
    """The same call, in the list and on its page: at noon for Anna, at seven in the evening in Vladivostok."""
    people = [replace(one, time_zone="Asia/Vladivostok" if one.key == "vera" else None) for one in STORY.people]
    async with site.engine.begin() as connection:
        await store.apply(connection, replace(STORY, people=tuple(people)))
    await site.knows_anew()
    call = Told(site.engine, at=datetime(2026, 3, 10, 9, 0, tzinfo=UTC))
    await call.arrives()
    await call.hangs_up()
    for login, here, there in (("anna", "12:00", "19:00"), ("vera", "19:00", "12:00")):
        async with site.visitor(login) as client:
            for address in ("/calls?from=2026-03-01&to=2026-03-31", f"/calls/{call.id}"):
                text = await (await client.get(address)).text()
                assert here in text, (login, address)
                assert there not in text, (login, address)


async def test_a_card_quotes_only_what_its_viewer_may_read(site: Site) -> None:
    """The caller talked with sales and now rings support: support's card has no word of it, sales' card has."""
    before = Told(site.engine, at=datetime.now(UTC) - timedelta(hours=1))
    await before.arrives()
    await before.rings("PJSIP/anna-desk")
    await before.answers("PJSIP/anna-desk")
    await before.hangs_up(after=10)
    await before.keeps(site.store, [("caller", "Секретное условие сделки")])
    for line, device, login, quoted in (
        (SUPPORT, "PJSIP/gleb-desk", "gleb", False),
        (LINE, "PJSIP/boris-soft", "boris", True),
    ):
        now = Told(site.engine, line=line)
        id_ = await now.arrives()
        await now.rings(device)
        async with site.visitor(login) as client, asyncio.timeout(20):
            while f'id="card-{id_}"' not in (text := await (await client.get("/")).text()):
                await asyncio.sleep(0.05)
        assert ("Секретное условие" in text) is quoted
        assert ("card-last" in text) is quoted


async def test_a_card_tells_how_old_the_word_of_the_crm_is_that_stands_in(site: Site) -> None:
    """While the CRM did not answer, with whose the caller is by its last word; nothing of it when it did."""
    told_at = datetime.now(UTC) - timedelta(hours=2)
    late = LookedUp(Copy("boris", told_at), 0.3, "late", "Bitrix24")
    for crm, owner, words, hours in (
        (LookedUp(Copy("boris", told_at), 0.1, None, "Bitrix24"), "Борис Козлов", "", None),
        (late, "Борис Козлов", r"по копии Bitrix24 от [^<]*\d\d:\d\d, ей 2 ч", 2),
        (replace(late, copy=Copy(None, told_at)), "никто", "по копии Bitrix24 от", 2),
        (replace(late, copy=None, fault="failed"), "никто", "Bitrix24: ответа нет, копии тоже", None),
    ):
        call = Told(site.engine)
        id_ = await call.arrives(crm=crm)
        await call.rings("PJSIP/anna-desk")
        async with site.visitor("anna") as client, asyncio.timeout(20):
            while f'id="card-{id_}"' not in (text := await (await client.get("/")).text()):
                await asyncio.sleep(0.05)
            copy = (await (await client.get(f"/api/v1/calls/{id_}/decision")).json())["crm_copy"]
        card = text.partition(f'id="card-{id_}"')[2].partition("</dl>")[0]
        assert f"<dd>{owner}" in card
        assert ("<small>" in card, bool(re.search(words, card))) == (bool(words), True)
        told = copy and copy["age_seconds"]
        assert (copy is not None, told and round(told / 3600)) == (bool(words), hours)


async def test_the_card_of_a_lost_client_begins_with_how_they_were_lost(site: Site) -> None:
    """When and why stand above all else on the card, while the phone rings and after the lead is back in work."""
    await know(site.engine, "79161234567", "Иван Петров", "anna")
    directory, by = await site.app[HOUSE].read(), By(who="anna", at=datetime(2026, 10, 12, 9, tzinfo=UTC))
    async with site.engine.begin() as connection:
        lead = (await connection.execute(select(leads.c.id))).scalar_one()
        await decide(connection, directory, lead, Move(stage="lost", reason="too_expensive"), by)
    for again in (False, True):
        if again:
            async with site.engine.begin() as connection:
                await bring_back(connection, directory, lead, replace(by, at=datetime.now(UTC)))
        call = Told(site.engine)
        id_ = await call.arrives()
        await call.rings("PJSIP/anna-desk")
        async with site.visitor("anna") as client, asyncio.timeout(20):
            while f'id="card-{id_}"' not in (text := await (await client.get("/")).text()):
                await asyncio.sleep(0.05)
        card = text.partition(f'id="card-{id_}"')[2].partition("</article>")[0]
        assert "Была потеряна 12 октября" in card
        assert card.index("Была потеряна") < card.index("В работе" if again else "Потеряна")


async def test_a_refusal_names_what_is_refused(site: Site) -> None:
    """Who opens a page for heads, or an address that cannot be read, is told so, and not of a call or a lead."""
    for login, address, status, words in (
        ("anna", "/leads/rules", 403, "error.403.leads.rules"),
        ("anna", "/leads/import", 403, "error.403.leads.import"),
        ("anna", "/crm", 403, "error.403.crm"),
        ("vera", "/crm/none", 404, "error.404.crm"),
        ("vera", "/calls?status=lost", 400, "error.400"),
    ):
        async with site.visitor(login) as client, client.get(address) as response:
            assert (response.status, say("ru", words) in await response.text()) == (status, True), address


async def test_who_said_what_is_ours_where_two_of_us_talked(site: Site) -> None:
    """Anna sends the caller on to Boris: what was said on our side is not all put into her mouth."""
    for devices, who in ((("PJSIP/anna-desk",), "Анна Смирнова"), (("PJSIP/anna-desk", "PJSIP/boris-soft"), "Мы")):
        call = Told(site.engine)
        await call.arrives()
        for device in devices:
            await call.rings(device)
            await call.answers(device)
        id_ = await call.hangs_up(after=10)
        await call.keeps(site.store, [("caller", "Алло"), ("staff", "Слушаю вас")])
        async with site.visitor("vera") as client:
            text = await (await client.get(f"/calls/{id_}")).text()
        assert f'<p class="piece-who"><b>{who}</b>' in text


async def test_a_promise_to_who_wants_no_call_says_so(site: Site) -> None:
    """The client was missed and then asked not to be called: the desk tells whoever is to call back."""
    await know(site.engine, "79161234567", "Иван Петров", "anna")
    call = Told(site.engine)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.hangs_up(after=30)
    await call.is_promised()
    async with site.visitor("anna") as client:
        assert "Просил не звонить" not in await (await client.get("/desk/today")).text()
        async with site.engine.begin() as connection:
            await set_do_not_call(connection, "79161234567", may_be_called=False)
        today = await (await client.get("/desk/today")).text()
    assert "Просил не звонить" in today.partition('id="promises"')[2].partition("</ul>")[0]


@pytest.mark.parametrize("login", ["anna", "gleb", "vera", "olga"])
async def test_every_role_has_a_desk_and_a_list(site: Site, login: str) -> None:
    """Also one that belongs to nobody, and before any call."""
    async with site.visitor(login) as client:
        for address in ("/", "/calls", "/desk/today"):
            assert (await client.get(address)).status == 200


async def test_the_directory_is_read_before_a_page_has_to_wait_for_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as pages ask for it; what is the same as before is the same object, from which things are drawn."""
    for name, seconds in (("FRESH_SECONDS", 3600.0), ("RENEWED_SECONDS", 0.0), ("PAUSE_SECONDS", 0.01)):
        monkeypatch.setattr(house, name, seconds)
    known = await site.app[HOUSE].read()
    read_at = site.app[HOUSE]._directory.read_at
    async with asyncio.timeout(20):
        while site.app[HOUSE]._directory.read_at == read_at:
            assert await site.app[HOUSE].read() is known
            await asyncio.sleep(0.01)
        async with site.engine.begin() as connection:
            await store.apply(connection, replace(known, company=replace(known.company, name="Лютик")))
        while (await site.app[HOUSE].read()).company.name != "Лютик":
            await asyncio.sleep(0.01)
