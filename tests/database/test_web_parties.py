"""Tasks and parties on the pages and by the API: each to whom it is theirs, told to whom it is given, written down."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.tables import tasks
from recordings.privacy_tables import audit
from service.commands.one_shot import do_not_call
from service.commands.parties import add_party_number, rename_party
from service.settings import load
from tests.fakes.site import Site, open_site
from tests.fakes.story import SUPPORT, Told, know

API: Final = "/api/v1"
ANNAS: Final = "79161230001"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """Pyotr (1) with a lead of Anna's, Ivan (2) with one of Gleb's, who is of another team."""
    async with open_site(engine, tmp_path / "store") as opened:
        await know(engine, ANNAS, "Пётр", "anna")
        await know(engine, "79161230002", "Иван", "gleb")
        async with engine.begin() as connection:
            await connection.execute(text(f"update leads set source_line = '{SUPPORT}' where owner = 'gleb'"))
        yield opened


async def told(client: ClientSession, path: str, wish: dict[str, Any] | None = None) -> tuple[int, Any]:
    """(status, JSON) of a GET, or with something to send a POST."""
    async with client.request("GET" if wish is None else "POST", f"{API}{path}", json=wish) as response:
        return response.status, await response.json()


async def page(client: ClientSession, path: str, form: dict[str, str] | None = None) -> tuple[int, str]:
    """(status, page) of a GET, or with a form of a POST."""
    how: dict[str, Any] = {"allow_redirects": False} | ({} if form is None else {"data": form})
    async with client.request("GET" if form is None else "POST", path, **how) as response:
        return response.status, await response.text()


async def task(site: Site, words: str, party: int, **values: Any) -> int:
    """A task that is still to be done; gives its id."""
    row = {"party_id": party, "text": words, "made_at": text("now()"), "made_by": "vera"} | values
    async with site.engine.begin() as connection:
        made: int = (await connection.execute(insert(tasks).values(row).returning(tasks.c.id))).scalar_one()
    return made


async def test_a_task_of_no_lead_is_done_by_who_sees_its_party_or_has_it_whatever_lead_has_that_number(
    site: Site,
) -> None:
    """Task 1 is of Ivan: that lead 1 is Anna's gives her nothing; given to her, it is hers, by the API and the page."""
    first, second = await task(site, "Отправить договор", 2), await task(site, "Прислать план", 2)
    third = await task(site, "Забрать ключи", 2, assignee="anna")
    assert first == 1
    async with site.visitor("anna") as client:
        for number in (first, second):
            assert (await told(client, f"/tasks/{number}/done", {}))[0] == 403
            assert (await page(client, f"/tasks/{number}/done", {}))[0] == 403
        status, its = await told(client, f"/tasks/{third}/done", {})
        assert (status, its["party_id"], its["lead_id"], its["done_by"]) == (200, 2, None, "anna")
        assert [it["id"] for it in (await told(client, "/tasks?assignee=me&done=true"))[1]["items"]] == [third]
        assert (await told(client, "/tasks"))[1]["items"] == []
    async with site.visitor("gleb") as client:
        shown = (await page(client, "/parties/2"))[1]
        assert f'action="/tasks/{first}/done"' in shown
        assert f'action="/tasks/{third}/done"' not in shown
        assert (await told(client, f"/tasks/{first}/done", {}))[1]["done_by"] == "gleb"
        assert (await page(client, f"/tasks/{second}/done", {"party": "2"}))[0] == 303
        assert (await told(client, "/tasks/99/done", {}))[0] == 404


async def test_whoever_is_given_a_task_or_a_lead_is_told_and_finds_it_on_their_desk(site: Site) -> None:
    """Due first, overdue marked, of a lead that is being revived too; what one gives oneself is told to nobody."""
    async with site.visitor("vera") as client:
        await told(client, "/leads/1/tasks", {"text": "Показать", "assignee": "anna"})
        await told(client, "/leads/2/owner", {"owner": "anna"})
    late = text("now() - interval '1 day'")
    await task(site, "Вернуть клиента", 1, lead_id=1, assignee="anna", due_at=late, made_because="revival park/2")
    async with site.engine.begin() as connection:
        await connection.execute(text("update leads set stage = 'reviving', closed_at = now() where id = 1"))
    async with site.visitor("anna") as client:
        await told(client, "/leads/1/tasks", {"text": "Сама", "assignee": "anna"})
        assert (await told(client, "/leads/2/owner", {"owner": "anna"}))[0] == 200
        notices = (await told(client, "/notices"))[1]["items"]
        assert [(it["kind"], it["title"]) for it in notices] == [
            ("lead_given", "Вам передали заявку № 2"),
            ("task_given", "Вам поставили задачу"),
        ]
        assert notices[1]["text"] == "Поставил: Вера Павлова. Срок: —."
        desk = (await page(client, "/desk/today"))[1].partition('id="my-tasks"')[2]
        assert [desk.index(words) for words in ("Вернуть клиента", "просрочен", "Показать", "Сама")] == sorted(
            desk.index(words) for words in ("Вернуть клиента", "просрочен", "Показать", "Сама")
        )


async def test_a_party_shows_what_its_viewer_may_see_and_is_changed_by_who_works_on_it(site: Site) -> None:
    """Another team's lead, its notes and tasks are not there; a party that only called is read, not renamed."""
    async with site.engine.begin() as connection:
        await connection.execute(text("update leads set party_id = 1, stage = 'lost' where id = 2"))
        note = "insert into notes (party_id, lead_id, at, by, text) values (1, 2, now(), 'gleb', 'Тайна')"
        await connection.execute(text(note))
    await task(site, "Секрет", 1, lead_id=2)
    async with site.visitor("anna") as client:
        shown = (await page(client, "/parties/1"))[1]
        assert not [words for words in ("Тайна", "Секрет", 'href="/leads/2"') if words in shown]
        assert 'href="/leads/2"' not in (await page(client, "/leads/1"))[1]
        assert [it["id"] for it in (await told(client, "/parties/1"))[1]["leads"]] == [1]
        assert (await told(client, "/parties/1/rename", {"name": "Пётр Великий"}))[1]["name"] == "Пётр Великий"
        assert (await page(client, "/parties/1", {"do": "do_not_call"}))[0] == 303
        assert (await page(client, "/parties/1", {"do": "may_be_called"}))[0] == 403
    call = Told(site.engine, number="79161230002")
    await call.arrives()
    await call.rings("PJSIP/boris-soft")
    await call.answers("PJSIP/boris-soft")
    await call.hangs_up(after=10)
    async with site.engine.begin() as connection:
        await connection.execute(text("update calls set party_id = 2, lead_id = null"))
        await connection.execute(text("delete from leads where party_id = 2"))
    async with site.visitor("anna") as client:
        assert (await told(client, "/parties/2"))[0] == 200
        assert (await told(client, "/parties/2/rename", {"name": "Кто-то"}))[0] == 403
        assert (await page(client, "/parties/2", {"do": "number", "number": "79161230009"}))[0] == 403
    async with site.visitor("vera") as client:
        assert (await page(client, "/parties/1", {"do": "may_be_called"}))[0] == 303
        status, problem = await told(client, "/parties/1/numbers", {"number": "101"})
        assert (status, problem["field"]) == (422, "number")
        assert (await told(client, "/parties/1/numbers", {"number": "8 916 123-00-09"}))[0] == 200
        status, whole = await told(client, "/parties/1/merge", {"gone": 2})
        assert (status, whole["numbers"]) == (200, [ANNAS, "79161230002", "79161230009"])
        assert (await told(client, "/parties/1/merge", {"gone": 1}))[1]["field"] == "gone"
        assert (await page(client, "/parties/2", {"do": "do_not_call"}))[0] == 303  # nobody's number is noted
        merge = whole["merges"][0]["id"]
        assert (await told(client, f"/merges/{merge}/undo", {}))[1]["numbers"] == [ANNAS, "79161230009"]
        assert (await told(client, f"/merges/{merge}/undo", {}))[0] == 422
        assert (await told(client, "/merges/99/undo", {}))[0] == 404
    assert await written(site) == [
        ("anna", "party_renamed", "party 1", {}),
        ("anna", "do_not_call_set", "party 1", {}),
        ("vera", "do_not_call_lifted", "party 1", {}),
        ("vera", "party_number_added", "party 1", {}),
        ("vera", "parties_merged", "party 1", {"gone": 2}),
        ("vera", "merge_undone", "party 1", {"gone": 2}),
    ]


async def written(site: Site) -> list[tuple[str, str, str, dict[str, Any]]]:
    """What the audit says, in order."""
    asked = select(audit.c.actor, audit.c.action, audit.c.subject, audit.c.details).order_by(audit.c.id)
    async with site.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(asked)]


async def test_commands_that_change_a_party_are_written_down(
    site: Site, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command line as who did it, and the party by its id."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("SWITCHHOOK_DATA_DIR", str(tmp_path))
    settings = load()
    await rename_party(settings, 1, "Пётр Великий")
    await add_party_number(settings, 1, "8 916 123-00-09")
    for lift in (False, True):
        await do_not_call(settings, ANNAS, lift=lift)
    actions = ("party_renamed", "party_number_added", "do_not_call_set", "do_not_call_lifted")
    assert await written(site) == [("command line", action, "party 1", {}) for action in actions]


async def test_what_is_wrong_is_said_beside_its_field_in_its_own_words(site: Site) -> None:
    """A time that has passed, a closed lead, a field's name too long, a filter that cannot be read."""
    async with site.visitor("anna", **{"Accept-Language": "ru"}) as client:
        for form, words in (
            ({"do": "deadline", "at": "2020-01-01T10:00"}, "Это время уже прошло"),
            ({"do": "task", "text": "Позвонить", "due_at": "2020-01-01T10:00"}, "Это время уже прошло"),
            ({"do": "deadline", "at": "завтра"}, "Не разобрать время"),
            ({"do": "fields", "new_name": "x" * 65, "new_value": "1"}, "название до 64 знаков, значение до 500"),
        ):
            status, shown = await page(client, "/leads/1", form)
            assert (status, words in shown) == (400, True), form
        await told(client, "/leads/1/move", {"stage": "lost", "reason": "no_contact"})
        status, shown = await page(client, "/leads/1", {"do": "deadline", "at": "2040-01-01T10:00"})
        assert (status, "Заявка закрыта" in shown) == (400, True)
        for query, words in (("field=Парк", 'id="wrong-field"'), ("stage=nowhere", "Такого этапа нет")):
            status, shown = await page(client, f"/leads?{query}")
            assert (status, words in shown, 'id="filters"' in shown) == (400, True, True), query
