"""The list of calls: what its filters find, its views, and the table that heads take away."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import msgspec
import pytest
from aiohttp import ClientSession
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.due import owe_nothing
from calls.record import record
from calls.tables import calls
from crm_sync.ledger.tables import crm_effects
from directory import store
from recordings import rows
from recordings.audit import THE_OPERATOR
from recordings.privacy_tables import audit
from recordings.store import Store
from service.erasing import Erasing
from service.removing import Remover
from tests.fakes.ledger import add_connection
from tests.fakes.recorded import outgoing_call
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, LINE, SUPPORT, Told, know
from web import few, finding, users
from web.api.operations import PREFIX as API
from web.calls_export import EXPORTS
from web.tables import saved_views
from web.words import say


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house, and an admin."""
    async with open_site(engine, tmp_path) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin")
        yield opened


async def happen(
    site: Site, number: str, device: str, *, line: str = LINE, answered: bool = True, said: str = ""
) -> str:
    """A call of an hour ago that rang one device; its id."""
    call = Told(site.engine, number=number, line=line, at=datetime.now(UTC) - timedelta(hours=1))
    await call.arrives()
    await call.rings(device)
    if answered:
        await call.answers(device)
    await call.hangs_up(after=10)
    if said:
        await call.keeps(site.store, [("caller", said)])
    return str(call.id)


@pytest.fixture
async def told(site: Site) -> dict[str, str]:
    """Four calls: Anna's talk, one that rang at Boris's in vain, Gleb's talk, one that support missed."""
    return {
        "talk": await happen(site, "79165550101", "PJSIP/anna-desk", said="Интересует ипотека"),
        "missed": await happen(site, "79165550102", "PJSIP/boris-soft", answered=False),
        "gleb": await happen(site, "79165550103", "PJSIP/gleb-desk", line=SUPPORT),
        "lost": await happen(site, "79165550104", "PJSIP/gleb-desk", line=SUPPORT, answered=False),
    }


async def found(client: ClientSession, told: dict[str, str], query: str) -> set[str]:
    """Which of the calls the list shows."""
    async with client.get(f"/calls?{query}") as response:
        assert response.status == 200, await response.text()
        shown = await response.text()
    return {name for name, id_ in told.items() if f'href="/calls/{id_}"' in shown}


@pytest.mark.parametrize("rare", [True, False])
async def test_each_filter_finds_its_calls(
    site: Site, told: dict[str, str], rare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same where a filter's calls are few and looked up by it, and where they are met among all by their time."""
    if not rare:
        monkeypatch.setattr(few, "FEW", 0)
        monkeypatch.setattr(finding, "WINDOWS", (0, 2))
    async with site.visitor("vera") as client:
        for query, names in (
            ("", set(told)),
            ("team=sales", {"talk", "missed"}),
            ("team=support&status=missed", {"lost"}),
            ("person=boris", {"missed"}),  # whom it rang, as nobody talked
            ("person=anna", {"talk"}),
            ("person=gleb&status=answered", {"gleb"}),
            ("person=boris&status=missed", {"missed"}),
            (f"line={SUPPORT}", {"gleb", "lost"}),
            ("cause=rang_out", {"missed", "lost"}),
            ("cause=no_route", set()),
            ("number=8 916 555-01-03", {"gleb"}),
            ("number=5550102&person=anna", set()),
            ("text=ипотеку", {"talk"}),
            ("text=ипотеку&team=support", set()),
            ("status=talking", set()),
            ("audio=gap", set()),
        ):
            assert await found(client, told, query) == names, query
        for query in ("team=x", "cause=x", "status=x", "audio=x", "from=x"):
            assert (await client.get(f"/calls?{query}")).status == 400, query
        page = await (await client.get(f"{API}/calls?team=support&cause=rang_out")).json()
        assert [item["id"] for item in page["items"]] == [told["lost"]]
        page = await (await client.get(f"{API}/calls", params={"text": "ипотека"})).json()
        assert [item["id"] for item in page["items"]] == [told["talk"]]
    async with site.visitor("gleb") as client:
        assert await found(client, told, "") == {"gleb", "lost"}
        assert await found(client, told, "team=sales") == set()


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("told_by", ["judge", "device", "number"])
async def test_a_call_out_is_of_whoever_called(site: Site, answered: bool, told_by: str) -> None:
    """Its line is none of theirs: they, their team and the filter by person find it, other teams do not."""
    at = datetime.now(UTC) - timedelta(hours=1)
    device = "PJSIP/anna-desk" if told_by == "device" else "PJSIP/nobodys"
    began, *events = outgoing_call("7.1", device=device, answered=answered, at=at)
    events.insert(0, msgspec.structs.replace(began, number="101" if told_by == "number" else "199"))
    if told_by == "judge":
        events.append(
            e.OutgoingJudged(pbx="pbx", channel="7.1", linkedid="7.1", at=at, purpose="dialled", person="anna")
        )
    async with site.engine.begin() as connection:
        changes = await record(connection, events, owe_nothing)
    told = {"out": str(changes[0].call_id)}
    for login, query, names in (
        ("anna", "", {"out"}),
        ("boris", "person=anna", {"out"}),
        ("vera", "team=sales", {"out"}),
        ("gleb", "", set()),
    ):
        async with site.visitor(login) as client:
            assert await found(client, told, query) == names, login
            async with client.get(f"/calls/{told['out']}") as response:
                assert response.status == (200 if names else 403), login
    assert await filled(site) == "anna"


_TURNED = """
update calls set state = jsonb_set(state, '{facts}', (
    select jsonb_agg(fact order by place desc)
    from jsonb_array_elements(state->'facts') with ordinality as told (fact, place)))
"""


async def filled(site: Site) -> str | None:
    """Whose the one call is after the upgrade, if it was written without, in whichever order its facts are kept."""
    fill = text(import_module("service.migrations.versions.0066_who_called_out_and_who_tries").FILL)
    found = set()
    for _ in range(2):
        async with site.engine.begin() as connection:
            await connection.execute(update(calls).values(person=None))
            await connection.execute(fill)
            found.add((await connection.execute(select(calls.c.person))).scalar_one())
            await connection.execute(text(_TURNED))
    (person,) = found
    return str(person) if person else None


@pytest.mark.parametrize("rare", [True, False])
async def test_a_call_out_that_was_handed_over_is_of_both(
    site: Site, rare: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Борис, who took it over, is found as who talked; Глеб, whom it rang in vain, is not. It is of Анна, who called.

    Борис consulted somebody outside, which was judged, too.
    """
    if not rare:
        monkeypatch.setattr(few, "FEW", 0)
        monkeypatch.setattr(finding, "WINDOWS", (0, 2))
    at = datetime.now(UTC) - timedelta(hours=1)

    def told_of(channel: str, seconds: float, kind: Any, **more: Any) -> e.Event:
        event: e.Event = kind(pbx="pbx", channel=channel, linkedid="7.1", at=at + timedelta(seconds=seconds), **more)
        return event

    events = outgoing_call("7.1", at=at)
    for channel, name in (("7.3", "PJSIP/boris-soft-3"), ("7.4", "PJSIP/gleb-desk-4")):
        events += [told_of(channel, 4, e.ChannelCreated, incoming=False, name=name, number="")]
        events += [told_of("7.1", 4, e.Dialed, target=channel, target_name=name)]
        events += [told_of(channel, 8.5, e.ChannelHungUp, cause=16)]
    events += [told_of("7.3", 5, e.BridgeEntered, bridge="b")]
    events += [told_of("7.1", 0, e.OutgoingJudged, purpose="dialled", person="anna")]
    events += [told_of("7.3", 7, e.OutgoingJudged, purpose="dialled", person="boris")]
    async with site.engine.begin() as connection:
        changes = await record(connection, events, owe_nothing)
    told = {"out": str(changes[0].call_id)}
    async with site.visitor("vera") as client:
        for query, names in (("person=anna", {"out"}), ("person=boris", {"out"}), ("person=gleb", set[str]())):
            assert await found(client, told, query) == names, query
            assert await found(client, told, f"{query}&status=answered") == names, query
    assert await filled(site) == "anna"


async def test_pages_of_what_is_rare_follow_each_other(site: Site, told: dict[str, str]) -> None:
    """Each call once, whichever way it is found."""
    async with site.visitor("vera") as client:
        for query in ("line=" + SUPPORT, "number=7916555", "cause=rang_out"):
            ids: list[str] = []
            cursor = ""
            while True:
                page = await (await client.get(f"{API}/calls?{query}&limit=1{cursor}")).json()
                ids += [item["id"] for item in page["items"]]
                if page["next"] is None:
                    break
                cursor = f"&cursor={page['next']}"
            whole = await (await client.get(f"{API}/calls?{query}")).json()
            assert ids == [item["id"] for item in whole["items"]]
            assert len(ids) == len(set(ids)) >= 2


async def test_what_two_filters_have_in_common_is_found_however_far_back(
    site: Site, told: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page looks through some calls only, says how far back it looked, and the next goes on from there."""
    for room, name, value in ((finding, "WINDOWS", (1, 1)), (few, "FEW", 0), (rows, "FEW", 0)):
        monkeypatch.setattr(room, name, value)
    async with site.visitor("vera") as client:
        for query, names in (
            ("team=sales&status=missed", {"missed"}),
            ("line=" + LINE + "&text=ипотека", {"talk"}),
            ("person=anna&status=answered", {"talk"}),
        ):
            pages, address = [await found(client, told, query)], f"{query}&limit=5"
            async with client.get(f"/calls?{query}") as response:
                assert say("ru", "calls.look_on") in await response.text()
            ids: list[str] = []
            while address:
                page = await (await client.get(f"{API}/calls?{address}")).json()
                ids += [item["id"] for item in page["items"]]
                pages.append(set(ids))
                address = f"{query}&limit=5&cursor={page['next']}" if page["next"] else ""
            assert ids == [told[name] for name in names]
            assert len(pages) > 2


async def view(client: ClientSession, **form: str) -> str:
    """Where a view's form leads to."""
    async with client.post("/calls/views", data=form, allow_redirects=False) as response:
        assert response.status == 303, await response.text()
        return response.headers["Location"]


async def test_a_view_is_ones_own_until_a_head_shares_it_with_a_team(site: Site) -> None:
    """Saved without a number, renamed, shared and removed by whose it is; what is wrong is said beside the field."""
    async with site.engine.begin() as connection:
        teams = tuple(
            replace(team, members=("vera", *team.members)) if team.key == "sales" else team for team in HOUSE.teams
        )
        await store.apply(connection, replace(HOUSE, teams=teams))
    await site.knows_anew()
    async with site.visitor("vera") as vera, site.visitor("anna") as anna, site.visitor("gleb") as gleb:
        where = await view(vera, do="save", name=" Пропущенные ", query="status=missed&number=79165550101&x=1")
        one = where.partition("view=")[2]
        assert where == f"/calls?status=missed&view={one}"
        shown = await (await vera.get(where)).text()
        assert f'<a href="/calls?status=missed&amp;view={one}" aria-current="page">Пропущенные</a>' in shown
        for name, why in (("Пропущенные", "taken"), (" ", "name"), ("x" * 61, "name")):
            where = await view(vera, do="save", name=name, query="status=missed")
            assert f"wrong={why}" in where
            assert say("ru", f"calls.view_wrong.{why}") in await (await vera.get(where)).text()
        assert "wrong=empty" in await view(vera, do="save", name="Ещё", query="number=7916")
        assert "Пропущенные</a>" not in await (await anna.get("/calls")).text()
        await view(vera, do="share", id=one, team="sales")
        await view(vera, do="rename", id=one, name="Горячие")
        assert "Горячие <small>от vera</small>" in await (await anna.get("/calls")).text()
        assert "Горячие" not in await (await gleb.get("/calls")).text()
        for client, form, status in (
            (anna, {"do": "remove", "id": one}, 404),
            (anna, {"do": "share", "id": one, "team": "sales"}, 403),
            (vera, {"do": "share", "id": one, "team": "support"}, 403),
            (vera, {"do": "save", "name": "x", "query": "status=nothing"}, 400),
            (vera, {"do": "dance", "id": one}, 400),
        ):
            async with client.post("/calls/views", data=form, allow_redirects=False) as response:
                assert response.status == status, form
        await view(vera, do="remove", id=one)
        assert "Горячие" not in await (await anna.get("/calls")).text()
    async with site.engine.connect() as connection:
        told = (await connection.execute(select(audit.c.actor, audit.c.action).order_by(audit.c.id))).all()
    assert [tuple(row) for row in told] == [("vera", "view_saved")] * 3 + [("vera", "view_removed")]


async def test_a_view_of_a_period_moves_with_today(site: Site, told: dict[str, str]) -> None:
    """Its address keeps the word, not the days."""
    async with site.visitor("anna") as client:
        where = await view(client, do="save", query="period=today&status=answered", name="Сегодня")
        assert "period=today" in where
        assert "from" not in where
        async with site.engine.begin() as connection:
            await connection.execute(update(calls).values(started_at=datetime.now(UTC)))
        assert await found(client, told, where.partition("?")[2]) == {"talk"}
        async with site.engine.begin() as connection:
            await connection.execute(update(calls).values(started_at=calls.c.started_at - timedelta(days=1)))
        assert await found(client, told, where.partition("?")[2]) == set()
        assert await found(client, told, "period=last_30_days") == {"talk", "missed"}
        assert (await client.get("/calls?period=x")).status == 400


async def test_a_view_that_names_somebody_who_is_erased_goes(site: Site) -> None:
    """By a word that was looked for or by its own name; others stay."""
    await know(site.engine, "79165550101", "Иван Петров", "anna")
    async with site.visitor("anna") as client:
        await view(client, do="save", name="Сделка", query="text=Иван Петров")
        await view(client, do="save", name="Иван Петров", query="status=missed")
        await view(client, do="save", name="Пропущенные", query="status=missed")
    erasing = Erasing(site.engine, Remover(Store.in_folder(site.store), {}))
    report = await erasing.run(await erasing.ask(["79165550101"], THE_OPERATOR))
    assert report.went["saved_views"] == 2
    async with site.engine.connect() as connection:
        assert (await connection.execute(select(saved_views.c.name))).scalars().all() == ["Пропущенные"]


async def test_heads_take_the_calls_of_the_list_as_a_table(site: Site, told: dict[str, str]) -> None:
    """The filters hold, no cell is a formula, and the audit tells who took what, without a number."""
    async with site.engine.begin() as connection:
        await connection.execute(update(calls).where(calls.c.id == told["talk"]).values(caller_name='=HYPERLINK("x")'))
    async with site.visitor("vera") as client:
        async with client.get("/calls/export?team=sales&number=9165550") as response:
            assert response.headers["Content-Disposition"].endswith('.csv"')
            table = list(csv.reader(StringIO((await response.read()).decode("utf-8-sig")), delimiter=";"))
        assert [row[7] for row in table] == [say("ru", "calls.column.number"), "7 916 555-01-02", "7 916 555-01-01"]
        assert table[2][6] == '\'=HYPERLINK("x")'
        assert table[1][2:6] == ["Пропущен", say("ru", "cause.rang_out"), "Основная", ""]
        async with client.get(f"{API}/calls/export", params={"format": "xlsx", "text": "ипотека"}) as response:
            sheet = ZipFile(BytesIO(await response.read())).read("xl/worksheets/sheet1.xml").decode()
        assert (told["talk"] in sheet, told["missed"] in sheet) == (True, False)
        for query in ("format=pdf", "team=x"):
            assert (await client.get(f"/calls/export?{query}")).status == 400
        exports = site.app[EXPORTS]
        async with exports, exports:
            assert (await client.get("/calls/export")).status == 429
    async with site.visitor("anna") as client:
        for path in ("/calls/export", f"{API}/calls/export"):
            assert (await client.get(path)).status == 403
    async with site.engine.connect() as connection:
        noted = (await connection.execute(select(audit.c.actor, audit.c.action, audit.c.details))).all()
    assert [tuple(row) for row in noted] == [
        ("vera", "calls_exported", {"team": "sales", "number": True, "format": "csv"}),
        ("vera", "calls_exported", {"said": True, "format": "xlsx"}),
    ]


async def test_the_page_of_a_call_tells_what_crms_were_told_and_who_listened(site: Site, told: dict[str, str]) -> None:
    """An admin has what was given up told again; a colleague sees what became of it, and not who listened."""
    await add_connection(site.engine, "https://crm.example.com/told")
    row: dict[str, Any] = {"connection": "site", "call_id": told["talk"], "lane": "x", "waits": False}
    dead = "00000000-0000-0000-0000-000000000001"
    async with site.engine.begin() as connection:
        for key, step, more in (
            (
                dead,
                "call_finished",
                {"state": "dead", "error": "permanent", "attempts": 3, "ended_at": datetime.now(UTC)},
            ),
            (dead[:-1] + "2", "recording", {"state": "done", "remote_id": "deal-17", "ended_at": datetime.now(UTC)}),
        ):
            await connection.execute(insert(crm_effects).values(**row, key=key, step=step, **more))
    path = f"/calls/{told['talk']}"
    async with site.visitor("anna") as anna, site.visitor("vera") as vera, site.visitor("ilya") as ilya:
        await anna.get(f"{API}{path}/recording")
        shown = await (await anna.get(path)).text()
        for words in (say("ru", "crm.step.call_finished"), say("ru", "crm.error.permanent"), "deal-17"):
            assert words in shown
        assert say("ru", "calls.listened") not in shown
        shown = await (await vera.get(path)).text()
        assert "anna</b>" in shown.partition('id="listened"')[2]
        assert say("ru", "calls.heard.both") in shown
        assert f'value="{dead}"' not in shown
        assert f'value="{dead}"' in await (await ilya.get(path)).text()
        for client, effect, status in ((vera, dead, 403), (ilya, dead[:-1] + "2", 400), (ilya, dead, 303)):
            async with client.post(f"{path}/effects", data={"effect": effect}, allow_redirects=False) as response:
                assert response.status == status, effect
    async with site.engine.connect() as connection:
        states = await connection.execute(text("select state from crm_effects order by key"))
        assert list(states.scalars()) == ["planned", "done"]
        assert (await connection.execute(select(audit.c.action))).scalars().all() == ["crm_retried"]
