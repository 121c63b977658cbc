"""One search over parties, leads, calls, notes and talks: what is found, by whom, and by which index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import ClientSession
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls import frequent
from calls.tables import calls
from crm_sync.tables import leads, notes, parties, party_numbers
from directory import store
from recordings import rows as talk_rows
from recordings.tables import transcripts
from tests.fakes.site import Site, open_site
from tests.fakes.story import LINE, SUPPORT, Told, know
from web.finding import newest_with
from web.rights import Scope, scope_of
from web.search import everywhere, newest
from web.search import leads as lead_search
from web.sessions import Viewer

API = "/api/v1"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def found(client: ClientSession, query: str, more: str = "") -> Any:
    """What the API answers."""
    response = await client.get(f"{API}/search?q={quote(query)}{more}")
    assert response.status == 200, await response.text()
    return await response.json()


def names(answer: Any) -> list[str]:
    """The names of the parties in an answer."""
    return [party["name"] for party in answer["parties"]["items"]]


async def party_of(engine: AsyncEngine, number: str) -> int:
    """The party that has a number."""
    async with engine.connect() as connection:
        asked = select(party_numbers.c.party_id).where(party_numbers.c.number == number)
        return int((await connection.execute(asked)).scalar_one())


async def called(site: Site, number: str, *, line: str = LINE, device: str = "PJSIP/anna-desk") -> Told:
    """A settled call of a known party, linked to it."""
    call = Told(site.engine, number=number, line=line, at=datetime.now(UTC) - timedelta(minutes=10))
    await call.arrives()
    await call.rings(device)
    await call.answers(device)
    await call.hangs_up(after=10)
    party = await party_of(site.engine, number)
    await call.tell(e.PartyLinked(**call.base(), party=party, lead=None, created="nothing"))
    return call


async def test_a_party_is_found_by_name_and_by_pieces_of_its_number(site: Site) -> None:
    """Misspelt, inflected, begun, with ё or without; a number in any writing; the best first, with what answers."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna")
    await know(site.engine, "79160005678", "Иванова Мария", "anna")
    await know(site.engine, "74957654321", "Петров Олег", "anna")
    async with site.visitor("anna") as client:
        for query, expected in (
            ("Иванов", ["Иванов Фёдор", "Иванова Мария"]),
            ("иванову", ["Иванова Мария", "Иванов Фёдор"]),
            ("иванова", ["Иванова Мария", "Иванов Фёдор"]),
            ("ивонову", ["Иванова Мария", "Иванов Фёдор"]),
            ("федору иванову", ["Иванов Фёдор"]),
            ("Пет", ["Петров Олег"]),
            ("ол", ["Петров Олег"]),
            ("ет", []),
            ("8 (916) 123", ["Иванов Фёдор"]),
            ("+7 916", ["Иванова Мария", "Иванов Фёдор"]),
            ("45-67", ["Иванов Фёдор"]),
            ("4321", ["Петров Олег"]),
            ("Иванов 5678", ["Иванова Мария"]),
            ("Сидоров", []),
            ("9999", []),
            ("%", []),
            ("' or 1=1 --", []),
        ):
            assert names(await found(client, query)) == expected, query
        (one,) = (await found(client, "Ива 4567"))["parties"]["items"]
        assert (one["found"], one["numbers"]) == (["Ива", "4567"], ["79161234567"])
        page = await (await client.get(f"/search?q={quote('Ива 4567')}")).text()
        assert "<mark>Ива</mark>нов Фёдор" in page
        assert "<mark>45-67</mark>" in page


async def test_leads_calls_notes_and_talks_are_found_with_the_party(site: Site) -> None:
    """By its name or number; leads also by the words of a field, notes by their own; the best kind comes first."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna")
    call = await called(site, "79161234567")
    await call.keeps(site.store, [("caller", "Нужна ипотека")])
    party = await party_of(site.engine, "79161234567")
    async with site.engine.begin() as connection:
        await connection.execute(update(leads).values(fields={"проект": "Лесные Дали"}))
        row = {"party_id": party, "at": func.now(), "by": "anna", "text": "Просил рассрочку <b>"}
        await connection.execute(insert(notes).values(row))
    async with site.visitor("anna") as client:
        answer = await found(client, "Иванов")
        assert answer["order"] == ["parties", "leads", "calls"]
        assert [one["party_name"] for one in answer["leads"]["items"]] == ["Иванов Фёдор"]
        assert [one["id"] for one in answer["calls"]["items"]] == [str(call.id)]
        by_number = await found(client, "1234567")
        assert [one["id"] for one in by_number["calls"]["items"]] == [str(call.id)]
        by_field = await found(client, "лесных далей")
        assert (by_field["order"], by_field["leads"]["items"][0]["fields"]) == (["leads"], {"проект": "Лесные Дали"})
        by_note = await found(client, "рассрочка")
        assert (by_note["order"], by_note["notes"]["items"][0]["by"]) == (["notes"], "anna")
        assert (await found(client, "ипотеку"))["order"] == ["talks"]
        page = await (await client.get(f"/search?q={quote('рассрочка')}")).text()
        assert "Просил <mark>рассрочку</mark> &lt;b&gt;" in page


async def test_a_call_without_a_party_is_found_by_its_number(site: Site) -> None:
    """Both ways, as it was dialled, while it goes on too; our own line's number finds nothing."""
    here = Told(site.engine, number="79165550177")
    await here.arrives()
    async with site.engine.begin() as connection:
        row: dict[str, Any] = {
            "pbx": "main",
            "state": {},
            "direction": "outbound",
            "status": "answered",
            "person": "anna",
        }
        row |= {"caller_number": "101", "dialed": "89165550188", "started_at": here.at, "settled_at": here.at}
        went = (await connection.execute(insert(calls).values(row).returning(calls.c.id))).scalar_one()
    async with site.visitor("anna") as client:
        for query, expected in (
            ("916 555-01-77", [here.id]), ("+7 916 555-01-88", [went]), ("50188", [went]), (LINE, []), ("101", []),
        ):  # fmt: skip
            ids = [one["id"] for one in (await found(client, query))["calls"]["items"]]
            assert ids == [str(one) for one in expected], query


async def test_everybody_finds_what_they_may_see(site: Site) -> None:
    """A manager the parties who called them or whose leads they work on, with leads, calls and notes; a head all."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "boris")
    await know(site.engine, "79160005678", "Иванов Олег", "gleb")
    async with site.engine.begin() as connection:
        for number in ("79161234567", "79160005678"):
            party = await party_of(site.engine, number)
            row = {"party_id": party, "at": func.now(), "by": "vera", "text": "Рассрочка"}
            await connection.execute(insert(notes).values(row))
        await connection.execute(insert(parties).values(name="Иванов Никто"))
    theirs = await called(site, "79160005678", line=SUPPORT, device="PJSIP/gleb-desk")
    for login, expected, seen in (
        ("anna", ["Иванов Фёдор"], []), ("gleb", ["Иванов Олег"], [theirs.id]), ("olga", [], []),
        ("vera", ["Иванов Никто", "Иванов Олег", "Иванов Фёдор"], [theirs.id]),
    ):  # fmt: skip
        async with site.visitor(login) as client:
            answer = await found(client, "Иванов")
            assert names(answer) == expected, login
            leads_of = [one["party_name"] for one in answer["leads"]["items"]]
            assert leads_of == [name for name in expected if name != "Иванов Никто"], login
            assert [one["id"] for one in answer["calls"]["items"]] == [str(one) for one in seen], login
            written = (await found(client, "рассрочка"))["notes"]["items"]
            assert [one["party_name"] for one in written] == leads_of, login
            digits = await found(client, "916")
            assert names(digits) == [name for name in expected if name != "Иванов Никто"], login


async def test_a_page_shows_a_few_of_each_kind_and_all_of_one(site: Site) -> None:
    """With "+" where there are more; a kind that is none is refused."""
    for number in range(7):
        await know(site.engine, f"7916123450{number}", f"Иванов {number}", "anna")
    async with site.visitor("anna") as client:
        page = await (await client.get("/search?q=Иванов")).text()
        assert page.count('class="row"') == 10
        assert page.count(">5+<") == 4
        one = await (await client.get("/search?q=Иванов&in=parties")).text()
        assert one.count('class="row"') == 7
        assert (await client.get("/search?q=x&in=people")).status == 400
        answer = await found(client, "Иванов", "&kind=leads&limit=3")
        assert (len(answer["leads"]["items"]), answer["leads"]["more"], answer["parties"]["items"]) == (3, True, [])
        assert (await client.get(f"{API}/search?q=x&kind=people")).status == 400


async def test_what_only_leaves_out_words_finds_nothing_and_is_told_why(site: Site) -> None:
    """Nearly everything would answer; with a word or a number besides, it is an ordinary search."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna")
    call = await called(site, "79161234567")
    await call.keeps(site.store, [("caller", "Нужна рассрочка")])
    async with site.visitor("anna") as client:
        for query in ("-ипотека", '-"нужна ипотека" -скидка', "и -ипотека", "Иванов or -ипотека"):
            page = await client.get(f"/search?q={quote(query)}")
            told = await page.text()
            assert (page.status, "не говорит, что искать" in told, 'class="row"' in told) == (200, True, False), query
            refused = await client.get(f"{API}/search?q={quote(query)}")
            assert (refused.status, "q: This says what to leave out" in await refused.text()) == (400, True), query
        assert (await found(client, "рассрочка -ипотека"))["order"] == ["talks"]
        assert names(await found(client, "4567 -ипотека")) == ["Иванов Фёдор"]


async def test_of_many_leads_with_a_word_only_those_that_are_shown_are_asked_whether_they_may_be(site: Site) -> None:
    """A word of every lead's field is as quick for a manager as for a head: no call is looked up for all of them."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "gleb", stage="lost")
    await called(site, "79161234567")
    party = await party_of(site.engine, "79161234567")
    row = {"party_id": party, "stage": "lost", "owner": "gleb", "fields": {"проект": "Парк"}}
    async with site.engine.begin() as connection:
        await connection.execute(insert(leads).values(opened_at=func.now()), [row] * 200)
        directory = await store.read(connection)
    viewer = Viewer(user=1, login="anna", role="manager", person="anna", language=None)
    async with site.engine.connect() as connection:
        shown = await lead_search.find(connection, scope_of(viewer, directory), "парки", (), 6)
        scans = text("select seq_scan + coalesce(idx_scan, 0) from pg_stat_xact_user_tables where relname = 'calls'")
        assert len(shown) == 6
        assert 6 <= await connection.scalar(scans) < 30


async def test_a_search_that_takes_too_long_is_stopped_and_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database gives up on it, the page says what to do; the next search is answered."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna")
    monkeypatch.setattr(everywhere, "SECONDS_MOST", 0.2)
    async with site.visitor("anna") as client:
        async with site.engine.begin() as other:
            await other.execute(text("lock table party_numbers in access exclusive mode"))
            page = await client.get("/search?q=4567")
            assert (page.status, "Поиск остановлен" in await page.text()) == (503, True)
            assert (await client.get(f"{API}/search?q=4567")).status == 503
        monkeypatch.setattr(everywhere, "SECONDS_MOST", 30.0)  # however busy this machine is
        assert names(await found(client, "4567")) == ["Иванов Фёдор"]


async def test_a_search_is_stopped_though_each_of_its_statements_is_quick(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time is of all that it asks the database, one after the other."""
    monkeypatch.setattr(everywhere, "SECONDS_MOST", 0.5)
    waiting = text("select exists (select from pg_stat_activity where wait_event_type = 'Lock')")
    async with site.visitor("anna") as client, asyncio.TaskGroup() as tasks:
        async with site.engine.begin() as other:
            await other.execute(text("lock table party_numbers in access exclusive mode"))
            async with site.engine.begin() as first:
                await first.execute(text("lock table notes in access exclusive mode"))
                asked = tasks.create_task(client.get(f"{API}/search?q=4567"))
                async with site.engine.connect() as watching:
                    while not await watching.scalar(waiting):
                        await watching.rollback()
                await asyncio.sleep(0.3)
            await asyncio.sleep(0.3)
        assert (await asked).status == 503


async def test_calls_are_of_all_that_answer_as_well(site: Site) -> None:
    """Of many with one name, also of whom the page has no room for."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna", stage="lost")
    call = await called(site, "79161234567")
    first = await party_of(site.engine, "79161234567")
    async with site.engine.begin() as connection:
        many = [{"id": first + number, "name": "Иванов Фёдор"} for number in range(1, 45)]
        await connection.execute(insert(parties), many)
        numbers = [{"party_id": one["id"], "number": f"7916999{one['id']:04}"} for one in many]
        await connection.execute(insert(party_numbers), numbers)
    async with site.visitor("vera") as client:
        answer = await found(client, "Иванов")
    assert [one["id"] for one in answer["calls"]["items"]] == [str(call.id)]
    assert [one["party_id"] for one in answer["leads"]["items"]] == [first]
    shown = [(one["id"], one["numbers"]) for one in answer["parties"]["items"]]
    newest_first = [(one, [f"7916999{one:04}"]) for one in range(first + 44, first + 44 - len(shown), -1)]
    assert (shown, answer["parties"]["more"]) == (newest_first, True)


async def test_a_party_that_was_merged_is_not_found_beside_the_one_it_is(site: Site) -> None:
    """The kept one answers alone, with the calls of both."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna")
    await know(site.engine, "79160005678", "Иванов Федя", "anna")
    call = await called(site, "79160005678")
    kept, gone = await party_of(site.engine, "79161234567"), await party_of(site.engine, "79160005678")
    async with site.engine.begin() as connection:
        await connection.execute(update(parties).where(parties.c.id == gone).values(merged_into=kept))
        await connection.execute(update(party_numbers).values(party_id=kept))
    async with site.visitor("vera") as client:
        answer = await found(client, "Иванов")
        assert names(answer) == ["Иванов Фёдор"]
        assert [one["id"] for one in answer["calls"]["items"]] == [str(call.id)]


async def test_what_is_found_does_not_depend_on_how_many_have_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few are all put in order, of many the newest are met first: the answer is the same, whoever asks."""
    for number in range(6):
        name = "Иван Олегов" if number == 1 else f"Иванов{'а' * (number % 2)} Ив{number}"
        owner, stage = "gleb" if number % 3 == 0 else "anna", "lost" if number > 2 else "new"
        await know(site.engine, f"7916123450{number}", name, owner, stage=stage)
    heard = [await called(site, f"7916123450{number}") for number in range(3)]
    for call in heard:
        await call.keeps(site.store, [("caller", "Нужна ипотека")])
    async with site.engine.begin() as connection:
        # The text of the newest call was made before those of older ones.
        newest_text = update(transcripts).where(transcripts.c.call_id == calls.c.id, calls.c.id == heard[-1].id)
        await connection.execute(newest_text.values(made_at=calls.c.started_at))
        await connection.execute(update(leads).values(fields={"проект": "Парк"}))
        ids = (await connection.execute(select(parties.c.id).order_by(parties.c.id))).scalars()
        rows = [{"party_id": one, "at": datetime.now(UTC), "by": "vera", "text": "Нужна рассрочка"} for one in ids]
        await connection.execute(insert(notes), rows)
    for login in ("vera", "anna"):
        async with site.visitor(login) as client:

            async def told(limit: int, client: ClientSession = client) -> list[Any]:
                names_, words = (
                    ("ив", "иван", "иванов", "иван олегов"),
                    ("парк", '"нужна рассрочка"', "ипотека", "4501"),
                )
                more = ('"нужна ипотека"', '"ипотека нужна"', "6123")
                of_names = [(await found(client, one, f"&limit={limit}"))["parties"] for one in names_]
                return of_names + [await found(client, one, f"&limit={limit}") for one in words + more]

            for limit in (1, 20):
                few = await told(limit)
                with monkeypatch.context() as patch:
                    for module, lately in ((newest, 2), (talk_rows, 1)):
                        patch.setattr(module, "FEW", 0)
                        patch.setattr(module, "LATELY", lately)
                    assert await told(limit) == few, (login, limit)
                    patch.setattr(frequent, "SURELY", -1)
                    patch.setattr(frequent, "LEAST", 0)
                    assert await told(limit) == few, (login, limit)


async def test_what_is_frequent_among_the_newest_is_not_looked_up(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a large table alone; what few have is found whole. That it is frequent is a guess by the newest."""
    async with engine.connect() as connection:

        async def make(count: int, name: str) -> None:
            named = f"insert into parties (name) select {name} from generate_series(1, {count}) n"
            await connection.execute(text(named))
            await connection.execute(text("analyze parties"))

        async def few(name: str) -> int | None:
            keys = await frequent.keys_of_few(connection, parties, parties.c.name == name, 1000, by=parties.c.id)
            return None if keys is None else len(keys)

        await make(2_000, "case when n % 10 = 0 then 'Иванов' else 'Ким' end")
        assert [await few(name) for name in ("Ким", "Иванов", "Петров")] == [None, 200, 0]
        await make(200, "'Петров'")
        assert await few("Петров") == 200
        await make(40_000, "case when n % 10 = 0 then 'Иванов' else 'Ким' end")
        assert [await few(name) for name in ("Ким", "Иванов", "Петров")] == [None, None, 200]
        await make(100, "'Новый'")
        assert await few("Новый") is None
        monkeypatch.setattr(frequent, "SURELY", 0)  # as where the table is larger than any
        await make(2, "'Редкий'")
        assert await few("Редкий") == 2
        await make(1, "'Редкий'")
        assert await few("Редкий") is None


async def test_of_a_party_with_many_calls_only_the_newest_are_read(site: Site) -> None:
    """As quick as for one with few: somebody may call more often than all others together."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna")
    party = await party_of(site.engine, "79161234567")
    many = text(
        "insert into calls (pbx, state, direction, status, party_id, started_at)"
        " select 'main', '{}', 'inbound', 'answered', :party, now() - make_interval(mins => n)"
        " from generate_series(1, 3000) as n"
    )
    async with site.engine.begin() as connection:
        await connection.execute(many, {"party": party})
        await connection.execute(text("analyze calls"))
    async with site.engine.connect() as connection:
        shown = await newest_with(
            connection, Scope(everything=True, live=True, people=frozenset(), lines=frozenset()), [party], 6
        )
        read = text("select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'calls'")
        assert len(shown) == 6
        assert 6 <= await connection.scalar(read) < 30


async def test_what_many_wrote_is_a_word_and_no_misspelt_name(site: Site) -> None:
    """Names that are only like it are guessed at where few have it."""
    await know(site.engine, "79161234567", "Иванов Фёдор", "anna")
    row = {
        "party_id": await party_of(site.engine, "79161234567"),
        "at": datetime.now(UTC),
        "by": "anna",
        "text": "Ивонов",
    }
    async with site.visitor("anna") as client:
        for expected in (["Иванов Фёдор"], []):
            async with site.engine.begin() as connection:
                await connection.execute(insert(notes), [row] * 2)
            assert names(await found(client, "ивонов", "&limit=3")) == expected
