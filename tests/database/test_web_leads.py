"""Leads by the API: what is answered is what OpenAPI says, refusals name their field, others' leads stay theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from aiohttp import ClientSession
from sqlalchemy import event, insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.record import record
from calls.tables import calls
from crm_sync.book import leads as lead_book
from crm_sync.jobs import CrmJobs
from directory import store
from tests.fakes.office import until
from tests.fakes.recorded import settled_call
from tests.fakes.site import Site, open_site
from tests.fakes.story import SUPPORT, Told, know
from web import house, users
from web.leads import board_page
from web.leads.rules_tried import try_on_calls

API: Final = "/api/v1"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """Three leads in work: of Anna, of Boris (her colleague), of Gleb (another team's)."""
    async with open_site(engine, tmp_path / "store") as opened:
        await know(engine, "79161230001", "Пётр", "anna")
        await know(engine, "79161230002", "Мария", "boris")
        await know(engine, "79161230003", "Иван", "gleb")
        async with engine.begin() as connection:
            await connection.execute(text(f"update leads set source_line = '{SUPPORT}' where owner = 'gleb'"))
        yield opened


async def told(client: ClientSession, path: str, wish: dict[str, Any] | None = None) -> tuple[int, Any]:
    """(status, JSON) of a GET, or with something to send a POST."""
    async with client.request("GET" if wish is None else "POST", f"{API}{path}", json=wish) as response:
        return response.status, await response.json()


async def test_a_lead_is_worked_on_and_its_history_tells_all_of_it(site: Site) -> None:
    """Step, note, task, deadline, fields: each answers with the lead as it is then."""
    async with site.visitor("anna") as client:
        assert (await told(client, "/leads/1/move", {"stage": "qualified", "seen": "in_work"}))[0] == 200
        await told(client, "/leads/1/notes", {"text": "Хочет угловую"})
        await told(client, "/leads/1/deadline", {"at": "2030-01-01T10:00:00+03:00"})
        await told(client, "/leads/1/fields", {"fields": {"project": "Парк", "rooms": "2"}})
        await told(client, "/leads/1/fields", {"fields": {"rooms": None}})
        status, lead = await told(client, "/leads/1/tasks", {"text": "Показать", "assignee": "boris"})
        assert status == 200
        status, task = await told(client, f"/tasks/{lead['tasks'][0]['id']}/done", {})
        assert (status, task["lead_id"], task["done_by"]) == (200, 1, "anna")
        lead = (await told(client, "/leads/1"))[1]
    assert (lead["stage"], lead["owner"], lead["party_name"]) == ("qualified", "anna", "Пётр")
    assert (lead["fields"], lead["deadline_at"]) == ({"project": "Парк"}, "2030-01-01T07:00:00Z")
    assert [(note["by"], note["text"]) for note in lead["notes"]] == [("anna", "Хочет угловую")]
    assert [(task["text"], task["assignee"], task["done_by"]) for task in lead["tasks"]] == [
        ("Показать", "boris", "anna")
    ]
    assert [event["kind"] for event in lead["history"]] == ["stage", "deadline", "fields", "fields"]
    assert {event["by"] for event in lead["history"]} == {"anna"}


async def test_what_cannot_be_is_a_problem_that_names_its_field(site: Site) -> None:
    """422 with a stable key; 400 for what is no such thing at all; 404 for what is not there."""
    async with site.visitor("vera") as client:
        for path, wish, field in (
            ("move", {"stage": "new"}, "stage"),
            ("move", {"stage": "in_work", "step": "dance"}, "step"),
            ("move", {"stage": "lost"}, "reason"),
            ("move", {"stage": "disqualified", "reason": "duplicate", "duplicate_of": 1}, "duplicate_of"),
            ("move", {"stage": "lost", "reason": "no_contact", "block": True}, "block"),
            ("return", {}, "stage"),
            ("owner", {"owner": "nobody"}, "owner"),
            ("tasks", {"text": "Показать", "assignee": "nobody"}, "assignee"),
            ("tasks", {"text": "Показать", "due_at": "2020-01-01T00:00:00Z"}, "due_at"),
            ("deadline", {"at": "2020-01-01T00:00:00Z"}, "at"),
            ("notes", {"text": "   "}, "text"),
            ("fields", {"fields": {" ": "x"}}, "fields"),
        ):
            status, problem = await told(client, f"/leads/1/{path}", wish)
            assert (status, problem["field"], problem["reason"]) == (422, field, f"wrong_{field}"), (path, wish)
            assert problem["detail"]
        for path, wish, name in (
            ("move", {}, "stage"),
            ("deadline", {"at": "2030-01-01T10:00:00"}, "at"),
            ("notes", {"text": ""}, "text"),
            ("move", {"stage": "won", "colour": "red"}, "colour"),
        ):
            status, problem = await told(client, f"/leads/1/{path}", wish)
            assert (status, problem["detail"].partition(":")[0]) == (400, name)
        assert (await told(client, "/leads/99/move", {"stage": "won"}))[0] == 404
        assert (await told(client, "/tasks/99/done", {}))[0] == 404
        assert (await told(client, "/leads/99"))[0] == 404


async def test_the_other_of_a_duplicate_is_a_lead_that_the_viewer_sees(site: Site) -> None:
    """Nothing tells whether one that is another team's is there, by the API or on the page."""
    wish = {"stage": "disqualified", "reason": "duplicate"}
    async with site.visitor("anna") as client:
        hidden, missing = [await told(client, "/leads/1/move", wish | {"duplicate_of": other}) for other in (3, 99)]
        assert (hidden[0], hidden[1]["field"]) == (422, "duplicate_of")
        assert hidden[1]["detail"].replace("3", "99") == missing[1]["detail"]
        form = {"do": "disqualify", "reason": "duplicate", "duplicate_of": "3"}
        assert (await client.post("/leads/1", data=form)).status == 400
        assert (await told(client, "/leads/1/move", wish | {"duplicate_of": 2}))[1]["duplicate_of"] == 2


async def test_a_change_meanwhile_is_a_conflict_that_tells_what_happened(site: Site) -> None:
    """Nothing is done; the words say who did what, and when."""
    async with site.visitor("boris") as client:
        await told(client, "/leads/1/move", {"stage": "lost", "reason": "too_expensive"})
    async with site.visitor("anna") as client:
        status, problem = await told(client, "/leads/1/move", {"stage": "won", "seen": "in_work"})
        assert (status, problem["reason"]) == (409, "changed_meanwhile")
        assert problem["detail"].startswith("the lead was in_work and is lost now; boris changed it at 20")
        assert (await told(client, "/leads/1/return", {"seen": "lost"}))[1]["stage"] == "in_work"
        status, problem = await told(client, "/leads/1/owner", {"owner": "boris", "seen": "boris"})
        assert (status, problem["reason"]) == (409, "changed_meanwhile")


async def test_managers_take_and_pass_on_within_their_team_and_heads_do_what_they_want(site: Site) -> None:
    """A colleague's lead is taken, and another team's given, by a head only."""
    async with site.visitor("anna") as client:
        assert (await told(client, "/leads/2/owner", {"owner": "anna"}))[0] == 403
        assert (await told(client, "/leads/1/owner", {"owner": "gleb"}))[0] == 403
        assert (await told(client, "/leads/3/owner", {"owner": "anna"}))[0] == 403
        assert (await told(client, "/leads/3"))[0] == 403
        assert (await told(client, "/leads/1/owner", {"owner": "boris"}))[1]["owner"] == "boris"
        assert (await told(client, "/leads/1/move", {"stage": "disqualified", "reason": "spam"}))[0] == 200
        assert (await told(client, "/leads/1/move", {"stage": "qualifying"}))[0] == 403
    async with site.visitor("vera") as client:
        assert (await told(client, "/leads/1/move", {"stage": "qualifying"}))[0] == 200
        assert (await told(client, "/leads/2/owner", {"owner": "gleb"}))[1]["owner"] == "gleb"
        assert (await told(client, "/leads/2/owner", {"owner": None}))[1]["owner"] is None


async def test_spam_blocks_its_numbers_when_told_and_the_lead_says_so(site: Site) -> None:
    """Taken back, the numbers are still blocked, and are shown as such."""
    async with site.visitor("vera") as client:
        spam = {"stage": "disqualified", "reason": "spam"}
        assert (await told(client, "/leads/1/move", spam))[1]["blocked"] == []
        await told(client, "/leads/1/move", {"stage": "in_work"})
        assert (await told(client, "/leads/1/move", spam | {"block": True}))[1]["blocked"] == ["79161230001"]
        assert (await told(client, "/leads/1/move", {"stage": "in_work"}))[1]["blocked"] == ["79161230001"]


async def test_segments_of_lost_leads_are_listed_and_counted(site: Site) -> None:
    """By fields together; what was lost long ago, or is being revived, is out of a manager's lists and in a head's."""
    async with site.visitor("anna") as client:
        for lead, fields in ((1, {"project": "Парк", "family": "yes"}), (2, {"project": "Парк"})):
            await told(client, f"/leads/{lead}/fields", {"fields": fields})
            await told(client, f"/leads/{lead}/move", {"stage": "lost", "reason": "no_contact"})
        assert (await told(client, "/leads/count?stage=lost"))[1] == {"total": 2, "stages": {"lost": 2}}
        async with site.engine.begin() as connection:
            await connection.execute(text("update leads set closed_at = now() - interval '8 days' where id = 1"))
        assert (await told(client, "/leads/count?stage=lost"))[1]["total"] == 1
        assert (await told(client, "/leads/1"))[0] == 200
    async with site.visitor("vera") as client:
        segment = "fields[project]=Парк&fields[family]=yes&reason=no_contact"
        status, page = await told(client, f"/leads?{segment}")
        assert (status, [lead["id"] for lead in page["items"]], page["next"]) == (200, [1], None)
        assert (await told(client, "/leads?fields[project]=Парк&limit=1"))[1]["next"] == "2"
        assert (await told(client, "/leads/count?fields[project]=Сад"))[1]["total"] == 0
        assert (await told(client, "/leads?field[project]=Парк"))[0] == 400
        assert (await told(client, "/leads/count?stage=open&line=8+495+123-45-67"))[1] == {"total": 0, "stages": {}}
        assert (await told(client, "/leads/count?line=8+495+123-45-67"))[1]["total"] == 2
        for wrong in ("owner=vra", "step=nowhere", "reason=bad", "line=101", "stage=perhaps"):
            name, value = wrong.split("=")
            for path in ("/leads", "/leads/count", "/leads/export"):
                status, problem = await told(client, f"{path}?{wrong}")
                assert (status, problem["field"]) == (422, name), path
                assert problem["detail"].startswith(f"{name}: ")
                assert repr(value) in problem["detail"]


async def test_the_page_of_a_call_names_who_its_party_turned_out_to_be(site: Site) -> None:
    """Though the call keeps the party that it was of."""
    call = Told(site.engine, number="79161230009")
    await call.arrives()
    await call.hangs_up(after=5)
    async with site.engine.begin() as connection:
        await connection.execute(text("insert into parties (merged_into) values (1)"))
        await connection.execute(text("update calls set party_id = (select max(id) from parties)"))
    async with site.visitor("vera") as client, client.get(f"/calls/{call.id}") as response:
        assert '<a href="/parties/1">Пётр</a>' in await response.text()


async def test_a_list_of_attention_is_worked_through_with_names_and_counts(site: Site, engine: AsyncEngine) -> None:
    """From the head's desk to the page, to the whole list; a manager's is of what they work on."""
    async with engine.begin() as connection:
        await connection.execute(text("update leads set deadline_at = '2026-01-01' where owner <> 'boris'"))
    async with site.visitor("vera") as client:
        for page, told in (
            ("/", 'href="/leads?owner=all&amp;attention=overdue"'),
            ("/leads/attention", "Пётр"),
            ("/leads/attention", 'href="/leads?owner=all&amp;attention=overdue"'),
        ):
            assert told in await (await client.get(page)).text(), page
        whole = await (await client.get("/leads", params={"owner": "all", "attention": "overdue"})).text()
        assert [name in whole for name in ("Пётр", "Мария", "Иван")] == [True, False, True]
        assert (await client.get("/leads", params={"attention": "late"})).status == 400
    async with site.visitor("anna") as client:
        mine = await (await client.get("/leads", params={"owner": "all", "attention": "overdue"})).text()
        assert [name in mine for name in ("Пётр", "Мария", "Иван")] == [True, False, False]
        assert "attention=overdue" not in await (await client.get("/")).text()


async def test_rules_are_tried_on_past_calls_when_they_are_checked(site: Site, engine: AsyncEngine) -> None:
    """What each would decide and what differs, with links; faults are told in the reader's language; both in time."""
    async with engine.begin() as connection:
        await users.add(connection, "ilya", "admin", password="correct horse 9")
        calls = settled_call("9.1", number="79161239999", at=datetime.now(UTC) - timedelta(days=20))
        (change,) = await record(connection, calls)
    await CrmJobs(engine=engine, owes=owe_nothing).link_call(change.call_id, 0)
    text = "leads:\n  rules:\n  - {name: silent, types: [inbound_answered], make: party}\n"
    async with site.visitor("ilya") as client:
        for days, tried in (("7", "Звонков: 0."), ("30", "Звонков: 1. По-другому вышло бы с 1.")):
            wish = {"do": "check", "text": text, "days": days}
            page = await (await client.post("/leads/rules", data=wish)).text()
            assert tried in page
            assert (f'href="/calls/{change.call_id}"' in page, "silent" in page) == (days == "30", True)
        wish = {"do": "check", "text": text.replace("make", "mak")}
        assert "не сохранено ничего" in await (await client.post("/leads/rules", data=wish)).text()
    async with engine.connect() as connection:
        house = await store.read(connection)
    assert (await try_on_calls(engine, house, house.leads, "30", seconds=0)).late


async def test_a_lead_is_moved_on_the_board_or_stays_with_the_reason(site: Site, engine: AsyncEngine) -> None:
    """What the table refuses, who may not, and who looked too long ago: each is told in words, and nothing written."""
    async with site.visitor("anna") as client:
        board = await (await client.get("/leads/board?owner=all")).text()
        assert [name in board for name in ("Пётр", "Мария", "Иван")] == [True, True, False]

        async def move(lead: int, status: int, **form: str) -> str:
            headers = {"X-Board": "1"}
            async with client.post(f"/leads/{lead}/board", data=form, headers=headers) as response:
                assert response.status == status
                return unescape(await response.text())

        assert "«В работе» → «Новая»" in await move(1, 400, to="new", seen="in_work")
        assert "Можно перевести в: В работе, Качественная, Сделка" in await move(1, 400, to="new", seen="in_work")
        assert "Выберите причину из списка." in await move(1, 400, to="lost", seen="in_work")
        assert "Пока вы смотрели" in await move(1, 409, to="won", seen="new")
        moved = await move(1, 200, to="lost", seen="in_work", reason="no_contact", comment="не берёт трубку")
        assert 'data-from="lost"' in moved
        assert "Нет связи" in moved
        await move(2, 200, to="won", seen="in_work")
        assert "Это может только руководитель" in await move(2, 403, to="in_work", seen="won")
        await move(3, 403, to="won")
        async with client.post(
            "/leads/1/board", data={"to": "in_work", "owner": "all"}, allow_redirects=False
        ) as plain:
            assert (plain.status, plain.headers["Location"]) == (303, "/leads/board?owner=all")
        history = (await told(client, "/leads/1"))[1]
        assert [event["after"] for event in history["history"]] == ["lost", "in_work"]
        assert [note["text"] for note in history["notes"]] == ["не берёт трубку"]


async def test_an_open_board_shows_what_changed_and_reads_no_directory_for_it(
    site: Site, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the House, as all pages: however many boards are open."""
    monkeypatch.setattr(house, "FRESH_SECONDS", 600.0)
    monkeypatch.setattr(house, "RENEWED_SECONDS", 600.0)
    monkeypatch.setattr(board_page, "CALM_SECONDS", 0.0)
    await until(lambda: site.listening)
    async with site.visitor("anna") as client, asyncio.timeout(20), client.get("/leads/board/stream") as stream:
        assert "Пётр" in (await stream.content.readuntil(b"\r\n\r\n")).decode()
        asked: list[str] = []
        event.listen(engine.sync_engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
        async with engine.begin() as connection:
            await connection.execute(text("update parties set name = 'Павел' where name = 'Пётр'"))
            await connection.execute(text(f"notify {lead_book.CHANNEL}, '1'"))
        assert "Павел" in (await stream.content.readuntil(b"\r\n\r\n")).decode()
    assert asked
    assert not [one for one in asked if "FROM people" in one]


async def test_many_leads_are_given_at_once_each_with_its_reason_or_none(site: Site, engine: AsyncEngine) -> None:
    """By ids or by what they have, looked at first; who gets them is told once; nobody but heads, nothing by halves."""
    mine = {"having": {"owner": "anna", "stage": "open"}, "owner": "boris", "reason": "Анна в отпуске"}
    async with site.visitor("vera") as client:
        looked = {"leads": [1, 2, 3], "owner": "boris", "dry_run": True}
        status, found = await told(client, "/leads/owner", looked)
        assert (status, found["count"], found["given"]) == (200, 3, None)
        assert {"owner": "gleb", "count": 1} in found["owners"]
        for wrong, code, field in (
            (looked | {"dry_run": False}, 422, "reason"),
            (mine | {"owner": "nobody"}, 422, "owner"),
            (mine | {"having": {"owner": "nobody"}}, 422, "owner"),
            (mine | {"leads": [1]}, 400, None),
            (mine | {"seen": 2}, 409, None),
        ):
            status, problem = await told(client, "/leads/owner", wrong)
            assert (status, problem.get("field")) == (code, field), wrong
        async with engine.connect() as connection:
            assert (await connection.execute(text("select count(*) from lead_events"))).scalar() == 0
        status, given = await told(client, "/leads/owner", mine | {"seen": 1})
        assert (status, given["given"]) == (200, 1)
        form = {"leads": "1,2,3", "to": "boris", "reason": "ещё раз", "seen": "3"}
        async with client.post("/leads/give", data=form, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/leads?owner=boris&given=1")
        history = [(await told(client, f"/leads/{lead}"))[1]["history"] for lead in (1, 2, 3)]
        page = await (await client.get("/leads/1")).text()
        assert '<span class="told-text">Анна в отпуске</span>' in page
    kept = [[(one["before"], one["after"], one["reason"], one["by"]) for one in events] for events in history]
    assert kept == [[("anna", "boris", "Анна в отпуске", "vera")], [], [("gleb", "boris", "ещё раз", "vera")]]
    async with engine.connect() as connection:
        notices = (await connection.execute(text("select person, kind, values->>'count' from notices"))).all()
    assert [tuple(row) for row in notices] == [("boris", "leads_given", "1")] * 2


async def test_a_head_sees_how_many_leads_are_given_and_whose_before_they_are(site: Site) -> None:
    """All that the filters find, or the ticked; a count that is not so any more, or no reason, gives nothing."""
    async with site.visitor("vera") as client:
        page = await (await client.get("/leads", params={"owner": "all"})).text()
        assert "/leads/give?owner=all&amp;stage=open" in page
        page = await (await client.get("/leads/give", params={"owner": "anna", "stage": "open"})).text()
        assert "1 заявка" in page
        page = await (await client.get("/leads/give?lead=1&lead=3")).text()
        assert "2 заявки" in page
        assert 'name="leads" value="1,3"' in page
        form = {"leads": "1,3", "to": "boris", "reason": " ", "seen": "2"}
        async with client.post("/leads/give", data=form) as response:
            assert response.status == 400
            assert 'id="wrong-give-reason"' in await response.text()
        async with client.post("/leads/give", data=form | {"reason": "отпуск", "seen": "1"}) as response:
            assert response.status == 409
            assert "заявок стало 2" in await response.text()
        assert (await client.get("/leads/give?leads=1;drop")).status == 400
    async with site.visitor("anna") as client:
        assert 'name="lead"' not in await (await client.get("/leads")).text()
        assert (await told(client, "/leads/1"))[1]["owner"] == "anna"


async def test_what_is_overdue_is_one_filter_and_older_addresses_mean_it(site: Site, engine: AsyncEngine) -> None:
    """The list, its choice and its export say the same."""
    async with engine.begin() as connection:
        await connection.execute(text("update leads set deadline_at = '2026-01-01' where id = 1"))
    async with site.visitor("vera") as client:
        for query in ("attention=overdue", "overdue=1", "overdue=1&attention="):
            page = await (await client.get(f"/leads?{query}")).text()
            assert [name in page for name in ("Пётр", "Мария")] == [True, False], query
            assert '<option value="overdue" selected>' in page
            assert 'href="/api/v1/leads/export?stage=open&amp;overdue=true"' in page
            assert 'name="overdue"' not in page


async def test_every_talk_of_a_lead_is_read_on_its_page(site: Site) -> None:
    """The page leads to each text, which is sent where it is asked for and written down as a reading."""
    call = Told(site.engine, number="79161230001")
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=5)
    await call.keeps(site.store, [("caller", "Сколько <b>стоит</b>"), ("staff", "Пять миллионов")])
    async with site.engine.begin() as connection:
        await connection.execute(text("update calls set lead_id = 1, party_id = 1"))
    async with site.visitor("anna") as client:
        for page in ("/leads/1", "/parties/1"):
            assert f'hx-get="/calls/{call.id}/text"' in await (await client.get(page)).text(), page
        told = await (await client.get(f"/calls/{call.id}/text")).text()
        assert "Пять миллионов" in " ".join(told.split())
        assert "&lt;b&gt;стоит&lt;/b&gt;" in told
    async with site.engine.connect() as connection:
        heard = (await connection.execute(text("select login, what from listens"))).all()
    assert [tuple(row) for row in heard] == [("anna", "transcript")]


async def test_a_party_with_many_calls_shows_all_of_them_when_asked(site: Site) -> None:
    """The newest fifty first."""
    async with site.engine.begin() as connection:
        (change,) = await record(connection, settled_call("7.1", number="79161230001", at=datetime.now(UTC)))
        row = (await connection.execute(select(calls).where(calls.c.id == change.call_id))).one()._asdict()
        await connection.execute(insert(calls), [row | {"id": uuid4()} for _ in range(50)])
        await connection.execute(text("update calls set lead_id = 1, party_id = 1"))
    async with site.visitor("vera") as client:
        for page in ("/leads/1", "/parties/1"):
            few = await (await client.get(page)).text()
            assert (few.count('class="row" href="/calls/'), f"{page}?calls=all#calls" in few) == (50, True)
            whole = await (await client.get(f"{page}?calls=all")).text()
            assert (whole.count('class="row" href="/calls/'), "calls=all#calls" in whole) == (51, False)
