"""The directory on pages: checked, shown, saved with who did it, never over somebody else's change, and back again."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession, FormData
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store, versions
from directory.blocking import block_numbers
from directory.erasing import forget_numbers
from directory.file import dumps, loads
from directory.model import Blocked, Directory, Vip
from directory.sections import entry
from directory.tables import directory_versions
from recordings.privacy_tables import audit
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, LINE
from web import users
from web.admin import form as forms
from web.admin.asked import asks_of
from web.words import say

_HIDDEN: Final = re.compile(r'<input type="hidden" name="(seen|version|checked|gone)" value="([^"]*)">')
_TAG: Final = re.compile(r"<[^>]+>")
PEOPLE: Final = "/admin/people"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The house with two admins."""
    async with open_site(engine, tmp_path) as opened:
        async with engine.begin() as connection:
            for login in ("ilya", "zoya"):
                await users.add(connection, login, "admin")
        yield opened


async def page(client: ClientSession, path: str, sent: dict[str, Any] | None = None) -> tuple[int, str]:
    """(status, body) of a GET, or with something to send of a form's POST; a page that it leads to is not opened."""
    how: dict[str, Any] = {} if sent is None else {"data": _form(sent)}
    async with client.request("GET" if sent is None else "POST", path, allow_redirects=False, **how) as response:
        return response.status, await response.text()


def _form(sent: dict[str, Any]) -> FormData:
    form = FormData(default_to_multipart=True)
    for name, value in sent.items():
        form.add_field(name, value, filename="directory.yaml" if name == "file" else None)
    return form


def hidden(body: str) -> dict[str, str]:
    """What the form on a page says of itself."""
    return dict(_HIDDEN.findall(body))


def words(body: str) -> str:
    """The words of a page, one space between them."""
    return " ".join(unescape(_TAG.sub(" ", body)).split())


def fields_of(house: Directory, section: str, known: str, /, **changed: str) -> dict[str, str]:
    """What a browser sends of an entry's form, with some fields changed."""
    shown = forms.show(asks_of(section), forms.unfold(section, entry(house, section, known) or {}), {})
    sent: dict[str, str] = {}
    for field in shown:
        for number, row in enumerate(field.rows):
            sent[f"{field.id}.{number}.at"] = str(number + 1)
            sent |= {cell.id: cell.value for cell in row}
        sent |= {f"{field.id}:{value}": "on" for value in field.chosen}
        sent |= {} if field.rows or field.chosen else {field.id: field.value}
    return sent | changed


async def saved(client: ClientSession, path: str, sent: dict[str, Any]) -> str:
    """Look at what a form would change, and save it: the words that were shown before."""
    _, body = await page(client, path)
    status, shown = await page(client, path, sent | hidden(body) | {"do": sent.get("do", "check")})
    assert status == 200, words(shown)
    status, after = await page(client, path, sent | hidden(shown) | {"do": "save"})
    assert status == 303, words(after)
    return words(shown)


async def stored(site: Site) -> Directory:
    """The directory as it is now."""
    async with site.engine.connect() as connection:
        return await store.read(connection)


async def history(site: Site) -> list[tuple[str, list[str]]]:
    """(who, what) of every version, the oldest first."""
    columns = directory_versions.c
    async with site.engine.connect() as connection:
        rows = await connection.execute(select(columns.by, columns.changes).order_by(columns.version))
        return [(row.by, row.changes) for row in rows]


async def test_what_is_saved_was_shown_before_and_is_in_the_history_and_the_audit(site: Site) -> None:
    """The difference in words, who did it, and a line of the audit that names the version; nothing before that."""
    async with site.visitor("ilya") as client:
        shown = await saved(client, f"{PEOPLE}/boris", fields_of(HOUSE, "people", "boris", email="boris@example.org"))
        assert "Сотрудник boris · Почта: — → boris@example.org" in shown
        shown = await saved(client, "/admin/new/people", {"name": "Щукин Юрий", "role": "manager"})
        assert "Добавится Сотрудник schukin-yuriy" in shown
        shown = await saved(client, f"{PEOPLE}/schukin-yuriy", {"do": "remove"})
        assert "Исчезнет Сотрудник schukin-yuriy" in shown
    house = await stored(site)
    assert house == replace(HOUSE, people=tuple(
        replace(person, email="boris@example.org") if person.key == "boris" else person for person in HOUSE.people
    ))  # fmt: skip
    told = (await history(site))[1:]
    assert told[0] == ("ilya", ["~ person boris: email none -> boris@example.org"])
    assert [lines[0][:21] for _, lines in told] == [
        "~ person boris: email",
        "+ person schukin-yuri",
        "- person schukin-yuri",
    ]
    async with site.engine.connect() as connection:
        noted = (await connection.execute(select(audit.c.actor, audit.c.action, audit.c.subject))).all()
    assert [tuple(row) for row in noted] == [("ilya", "directory_changed", f"directory {at}") for at in (2, 3, 4)]


async def test_saving_at_once_or_something_else_than_was_shown_only_shows_it(site: Site) -> None:
    """Whatever a form says of itself, nothing is written that its reader has not seen."""
    async with site.visitor("ilya") as client:
        _, body = await page(client, f"{PEOPLE}/boris")
        one = fields_of(HOUSE, "people", "boris", name="Борис")
        other = fields_of(HOUSE, "people", "boris", name="Борислав")
        assert (await page(client, f"{PEOPLE}/boris", one | hidden(body) | {"do": "save"}))[0] == 200
        _, shown = await page(client, f"{PEOPLE}/boris", one | hidden(body) | {"do": "check"})
        status, again = await page(client, f"{PEOPLE}/boris", other | hidden(shown) | {"do": "save"})
    assert (status, "→ Борислав" in words(again)) == (200, True)
    assert await stored(site) == HOUSE


async def test_of_two_admins_the_later_is_told_what_changed_and_nothing_is_lost(site: Site) -> None:
    """Two people at once are two changes; of one person the second is shown the first, keeps theirs, and may go on."""
    async with site.visitor("ilya") as ilya, site.visitor("zoya") as zoya:
        mine = fields_of(HOUSE, "people", "boris", email="ilya@example.org")
        hers = fields_of(HOUSE, "people", "boris", name="Борис К.")
        _, body = await page(ilya, f"{PEOPLE}/boris")
        _, shown = await page(ilya, f"{PEOPLE}/boris", mine | hidden(body) | {"do": "check"})
        await saved(zoya, f"{PEOPLE}/anna", fields_of(HOUSE, "people", "anna", name="Анна С."))
        await saved(zoya, f"{PEOPLE}/boris", hers)
        status, told = await page(ilya, f"{PEOPLE}/boris", mine | hidden(shown) | {"do": "save"})
        assert status == 409
        assert "zoya, сегодня" in words(told)
        assert "Сотрудник boris · Имя: Борис Козлов → Борис К." in words(told)
        assert 'value="ilya@example.org"' in told
        assert (await stored(site)).people[1].name == "Борис К."
        status, _ = await page(ilya, f"{PEOPLE}/boris", mine | hidden(told) | {"do": "save"})
        assert status == 303
    house = await stored(site)
    assert [person.name for person in house.people[:2]] == ["Анна С.", "Борис Козлов"]
    assert house.people[1].email == "ilya@example.org"


async def test_a_fault_stands_at_its_field_with_the_value_and_nothing_is_written(site: Site) -> None:
    """Of a cell of a table, too; what was typed stays; who is needed elsewhere is not removed, and where is said."""
    async with site.visitor("ilya") as client:
        wrong = fields_of(HOUSE, "people", "anna", **{"devices.0.address": "anna desk", "plan": "много"})
        status, body = await page(client, f"{PEOPLE}/anna", wrong | {"do": "save"})
        assert status == 422
        (cell,) = re.findall(r'<p class="wrong-line" id="f-devices.0.address-wrong">([^<]*)</p>', body)
        assert unescape(cell) == "пишется как в Asterisk, например PJSIP/anna-desk, а здесь «anna desk»"
        assert 'id="f-plan-wrong"' in body
        assert 'value="anna desk"' in body
        status, body = await page(client, f"{PEOPLE}/anna", {"do": "remove"})
        assert (status, "Команды · Продажи · Сотрудники: «anna» нет в справочнике" in words(body)) == (422, True)
        status, body = await page(client, f"{PEOPLE}/anna", {"text": "key: anna\nname: Анна\nrole: king\n"})
        assert (status, "Строка 3" in words(body)) == (422, True)
        status, body = await page(client, "/admin/lists/vip", {"text": "+7 916 123-45-67, банк\nбанк"})
        assert (status, "Строка 2, «банк»: нужен телефонный номер" in words(body)) == (422, True)
    assert await stored(site) == HOUSE


async def test_every_section_is_changed_on_its_page(site: Site) -> None:
    """A team, a line, hours, a rule with a warning, the order of rules, calls out, the company, a list, leads."""
    night = {"key": "night", "then.0.at": "1", "then.0.kind": "team:support", "when.vip": "true"}
    always = {"key": "always", "then.0.at": "1", "then.0.kind": "ring:owner", "when.open": "any"}
    async with site.visitor("ilya") as client:
        await saved(client, "/admin/new/hours", {"key": "office", "mon": "09:00-18:00", "holidays": "RU"})
        await saved(client, f"/admin/lines/{LINE}", fields_of(HOUSE, "lines", LINE, hours="office", campaign="метро"))
        await saved(client, "/admin/teams/sales", fields_of(HOUSE, "teams", "sales", **{
            "members:anna:at": "2", "members:boris:at": "1", "wrap_up_seconds": "30",
        }))  # fmt: skip
        await saved(client, "/admin/new/rules", always)
        assert "не сработает никогда" in await saved(client, "/admin/new/rules", night)
        assert "не сработает никогда" in words((await page(client, "/admin/rules"))[1])
        shown = await saved(client, "/admin/rules", {"at:night": "1", "at:always": "2"})
        assert "Правила звонков · порядок: always, night → night, always" in shown
        await saved(client, "/admin/outgoing", {"allow": "7, 375", "person_per_hour": "60"})
        await saved(client, "/admin/company", fields_of(HOUSE, "company", "", name="Лютик", region="RU"))
        await saved(client, "/admin/lists/vip", {"text": "+7 916 123-45-67, банк"})
        await saved(client, "/admin/text/leads", {"text": "leads:\n  lost_days: 3\n"})
        status, file = await page(client, "/admin/file")
    house = await stored(site)
    assert (status, loads(file)) == (200, house)
    async with site.engine.connect() as connection:
        noted = (await connection.execute(select(audit.c.subject).order_by(audit.c.id))).scalars().all()
    assert noted == [f"directory {at}" for at in range(2, 12)]
    line, team = house.lines[0], house.teams[0]
    assert (line.hours, line.campaign, team.members, team.wrap_up_seconds) == ("office", "метро", ("boris", "anna"), 30)
    assert [rule.name for rule in house.rules] == ["night", "always"]
    assert (house.company.name, house.outgoing.everybody.allow) == ("Лютик", ("7", "375"))
    assert house.vip == (Vip(number="79161234567", note="банк"),)
    assert (house.leads.lost_days, house.hours[0].holidays) == (3, "RU")


async def test_a_file_is_looked_at_applied_and_an_earlier_version_returned_to(site: Site) -> None:
    """An upload shows what changes and what is wrong with its lines; the way back is a change like any other."""
    changed = replace(HOUSE, blocked=(Blocked(number="79160009999", note="спам"),))
    async with site.visitor("ilya") as client:
        status, body = await page(client, "/admin/text/all", {"file": dumps(changed).replace("hunt", "hint")})
        assert (status, "«hint» не подходит; может быть, «hunt»?" in words(body)) == (422, True)
        status, body = await page(client, "/admin/text/all", {"file": dumps(changed), "do": "check"})
        assert (status, "Добавится Чёрный список: 79160009999" in words(body)) == (200, True)
        text = {"text": dumps(changed)}
        assert (await page(client, "/admin/text/all", text | hidden(body) | {"do": "save"}))[0] == 303
        assert await stored(site) == changed
        _, back = await page(client, "/admin/text/all?version=1")
        assert "Исчезнет Чёрный список: 79160009999" in words(back)
        status, _ = await page(client, "/admin/text/all", {"text": dumps(HOUSE)} | hidden(back) | {"do": "save"})
        assert (status, await stored(site)) == (303, HOUSE)
        _, body = await page(client, "/admin/history")
        assert words(body).count("ilya Сегодня") == 2
        assert (await page(client, "/admin/file?version=2"))[1] == dumps(changed)
        assert (await page(client, "/admin/file?version=9"))[0] == 404


async def test_what_changed_without_the_pages_is_in_the_history_and_who_is_erased_is_not(site: Site) -> None:
    """A number blocked with its lead is a version of its own; an erasure takes it out of all of them."""
    async with site.engine.begin() as connection:
        await block_numbers(connection, ["79160009999"], "Мария")
        house = await store.read(connection)
        await store.apply(connection, replace(house, vip=(Vip(number="79161112233"),)), by="ilya")
    assert (await history(site))[1:] == [
        ("switchhook", ["+ blocked 79160009999 (note Мария)"]), ("ilya", ["+ vip 79161112233"]),
    ]  # fmt: skip
    async with site.engine.begin() as connection:
        await forget_numbers(connection, ["79160009999"])
        assert (await history(site))[1:] == [
            ("switchhook", ["+ blocked 79160009999 (note Мария)"]),
            ("ilya", ["+ vip 79161112233"]),
        ]
        found = await versions.find(connection, 3)
    assert (await history(site))[1:] == [("switchhook", ["+ blocked erased"]), ("ilya", ["+ vip 79161112233"])]
    assert found is not None
    assert found.directory() == replace(HOUSE, vip=(Vip(number="79161112233"),))


async def test_heads_say_who_is_away_and_a_circle_is_refused_in_words(site: Site) -> None:
    """Added, ended, and set for others, each with its line of the audit; the rest of the settings is not theirs."""
    away = {"do": "add", "person": "anna", "since": "2027-01-11T09:00", "to": "2027-01-12T18:00", "substitute": "boris"}
    async with site.visitor("vera") as client:
        assert (await page(client, "/admin/absences", away))[0] == 303
        status, body = await page(client, "/admin/absences", away | {"person": "boris", "substitute": "anna"})
        assert (status, "по кругу" in words(body)) == (422, True)
        status, body = await page(client, "/admin/absences", away | {"person": "gleb", "to": "2027-01-10T18:00"})
        assert (status, "позже начала" in words(body)) == (422, True)
        _, body = await page(client, "/admin/absences")
        assert "замещает Борис Козлов" in words(body)
        (number,) = re.findall(r'name="absence" value="(\d+)"', body)
        busy = {"do": "status", "person": "anna", "status": "do_not_disturb"}
        assert (await page(client, "/admin/absences", busy))[0] == 303
        assert (await page(client, "/admin/absences", {"do": "end", "person": "anna", "absence": number}))[0] == 303
        assert (await page(client, PEOPLE))[0] == 403
    async with site.engine.connect() as connection:
        noted = (await connection.execute(select(audit.c.action, audit.c.subject).order_by(audit.c.id))).all()
    assert [tuple(row) for row in noted] == [
        ("absence_set", f"absence {number}"), ("status_set", "person anna"), ("absence_ended", f"absence {number}"),
    ]  # fmt: skip


async def test_what_a_number_would_meet_on_a_line_is_told_and_nobody_is_rung(site: Site) -> None:
    """Steps and reasons in words, by the hours of the day that was asked for; what cannot be is said at its field."""
    async with site.visitor("ilya") as client:
        await saved(client, "/admin/new/hours", {"key": "office", "mon": "09:00-18:00"})
        await saved(client, f"/admin/lines/{LINE}", fields_of(HOUSE, "lines", LINE, hours="office"))
        asked = f"/admin/try?number=%2B79161234567&line={LINE}&at="
        _, sunday = await page(client, f"{asked}2026-11-29T21:00")
        _, monday = await page(client, f"{asked}2026-11-30T10:00")
        status, wrong = await page(client, f"/admin/try?number=abc&line={LINE}&at=soon")
    assert "Правило: вне часов работы" in words(sunday)
    assert "Анна Смирнова (настольный телефон)" in words(monday)
    assert (status, "Нужен телефонный номер, а здесь «abc»" in words(wrong)) == (422, True)
    assert "Нужны дата и время, а здесь «soon»" in words(wrong)


async def test_a_draft_is_tried_before_it_is_saved(site: Site) -> None:
    """By its text, as it was typed, and nothing is written; a draft with faults is shown with them."""
    text = "rules:\n- name: boris-first\n  then:\n  - {person: boris}\n"
    asked = {"part": "rules", "number": "+79161234567", "line": LINE}
    async with site.visitor("ilya") as client:
        _, draft = await page(client, "/admin/try", asked | {"text": text})
        assert "Правило: boris-first" in words(draft)
        assert "Борис" in words(draft).partition(say("ru", "admin.try.steps"))[2]
        assert say("ru", "admin.try.lead_draft") in words(draft)
        assert say("ru", "admin.try.no_crm") in words(draft)
        assert text.strip() in unescape(draft)
        _, saved_ones = await page(client, f"/admin/try?number=%2B79161234567&line={LINE}")
        assert "Правило: boris-first" not in words(saved_ones)
        status, faulty = await page(client, "/admin/try", asked | {"text": text.replace("boris", "nobody")})
        assert (status, "nobody" in words(faulty), 'id="faults"' in faulty) == (422, True, True)
        assert (await page(client, "/admin/try", asked | {"part": "x", "text": text}))[0] == 404
    assert len(await history(site)) == 1


async def test_programs_take_the_file_and_bring_it_back(site: Site) -> None:
    """Looked at, applied once, refused with its lines, and not over what changed since the ETag."""
    path = "/api/v1/directory"
    changed = dumps(replace(HOUSE, vip=(Vip(number="79161112233"),)))
    async with site.visitor("ilya") as client:
        async with client.get(path) as response:
            file, etag = await response.text(), response.headers["ETag"]
        assert loads(file) == HOUSE
        for query, applied in (("?dry_run=true", False), ("", True), ("", False)):
            async with client.put(path + query, data=changed.encode()) as response:
                told = await response.json()
            assert (response.status, told["applied"]) == (200, applied)
        async with client.put(path, data=file.encode(), headers={"If-Match": etag}) as response:
            assert (response.status, (await response.json())["reason"]) == (412, "changed")
        async with client.put(path, data=b"people: []") as response:
            assert (response.status, "company: is missing" in (await response.json())["detail"]) == (422, True)
        async with client.put(path, data=b"\xff") as response:
            assert response.status == 400
    assert (await history(site))[-1] == ("ilya", ["+ vip 79161112233"])
