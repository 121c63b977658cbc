"""Plans on the page, as a table and by the API: edited in place by whoever leads, all or nothing, with their pace."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiohttp import ClientSession, FormData
from python_calamine import CalamineWorkbook
from sqlalchemy import insert, text

from reports.plan_tables import plans
from reports.tables import report_facts
from tests.fakes.sheets import FAR_CORNER, csv_of, xlsx_of
from tests.fakes.site import Site, open_site
from tests.fakes.story import LINE
from web import users
from web.api.operations import PREFIX as API
from web.words import say

PAGE = "/reports/plans"
TODAY = datetime.now(UTC).astimezone(ZoneInfo("Europe/Moscow")).date()
MONTH = TODAY.replace(day=1)
BEFORE = (MONTH - timedelta(days=1)).replace(day=1)
AFTER = (MONTH + timedelta(days=32)).replace(day=1)


@pytest.fixture
async def site(engine: Any, tmp_path: Path) -> AsyncIterator[Site]:
    """A house whose head Vera leads both teams, being in none, and whose admin is Root."""
    async with open_site(engine, tmp_path) as running:
        async with engine.begin() as connection:
            await users.add(connection, "root", "admin", person=None)
        yield running


async def asked(site: Site, sql: str) -> list[tuple[Any, ...]]:
    async with site.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def page(client: ClientSession, query: str = "", status: int = 200) -> str:
    async with client.get(f"{PAGE}?{query}") as response:
        assert response.status == status, await response.text()
        return unescape(await response.text())


async def put(client: ClientSession, status: int = 303, **form: str) -> str:
    told = {"do": "set", "month": f"{MONTH:%Y-%m}", "whose": "person", "key": "anna", "of": "leads_in"} | form
    async with client.post(PAGE, data=told, allow_redirects=False) as response:
        assert response.status == status, await response.text()
        return unescape(await response.text())


async def sent(client: ClientSession, body: bytes, status: int) -> str:
    form = FormData()
    form.add_field("file", BytesIO(body), filename="plans.xlsx")
    async with client.post(PAGE, data=form) as response:
        told = unescape(await response.text())
        assert response.status == status, told
        return told


def field(told: str, whose: str, key: str, of: str) -> str:
    """The field of a plan as the page has it."""
    found = re.search(
        rf'name="whose" value="{whose}"><input type="hidden" name="key" value="{key}">'
        rf'<input type="hidden" name="of" value="{of}">\s*(<input name="value"[^>]*>)',
        told,
    )
    assert found is not None, told
    return found[1]


STORED = "select kind, key, measure, value, set_by from plans order by 1, 2, 3"


async def test_a_plan_is_set_in_its_place_and_written_down(site: Site) -> None:
    """Its sum stands in grey above; an empty field takes it away; what is no number changes nothing."""
    async with site.visitor("vera") as client:
        for key, value in (("anna", "30"), ("boris", "1 200")):
            await put(client, key=key, value=value)
        await put(client, whose="team", key="support", of="qualified_share", value="45,5")
        told = await page(client)
        assert 'value="30"' in field(told, "person", "anna", "leads_in")
        assert 'placeholder="1230"' in field(told, "team", "sales", "leads_in")
        assert 'placeholder="45.5"' in field(told, "person", "gleb", "qualified_share")
        told = await put(client, 422, value="много")
        assert say("ru", "plans.fault.number") in told
        assert 'value="много"' in field(told, "person", "anna", "leads_in")
        await put(client, key="boris", value="")
    assert await asked(site, STORED) == [
        ("person", "anna", "leads_in", 30.0, "vera"),
        ("team", "support", "qualified_share", 0.455, "vera"),
    ]
    written = await asked(site, "select action, subject, before, after from audit order by id desc limit 1")
    assert written == [
        ("plan_set", f"plans {MONTH:%Y-%m}", {"person boris leads_in": 1200}, {"person boris leads_in": None})
    ]


async def test_what_is_not_counted_of_a_person_is_not_planned_for_one(site: Site) -> None:
    """A missed call is nobody's: there is no field of it, and no table sets it."""
    async with site.visitor("vera") as client:
        await put(client, whose="house", key="", of="missed_share", value="5")
        told = await page(client)
        assert 'placeholder="5"' in field(told, "team", "sales", "missed_share")
        assert re.search(r'name="key" value="anna"><input type="hidden" name="of" value="missed_share"', told) is None
        await put(client, 400, of="missed_share", value="5")
        rows: list[list[Any]] = [
            [f"{MONTH:%Y-%m}", "missed_share", "leads_in"],
            ["Анна Смирнова", 5, 30],
            ["Борис Козлов", "", 40],
        ]
        told = await sent(client, csv_of(rows), 422)
        assert re.findall(r'<tr><th scope="row">([A-Z]+\d+)</th>', told) == ["B2"]
    assert await asked(site, STORED) == [("house", "", "missed_share", 0.05, "vera")]


async def test_a_field_is_answered_with_the_whole_grid(site: Site) -> None:
    """As htmx swaps it: also with what is wrong, which it would not show of an error."""
    async with site.visitor("vera", **{"HX-Request": "true"}) as client:
        told = await put(client, 200, value="5")
        assert "<html" not in told
        assert 'value="5"' in field(told, "person", "anna", "leads_in")
        assert say("ru", "plans.fault.below") in await put(client, 200, value="-5")


async def test_beside_a_plan_stands_how_its_month_goes(site: Site) -> None:
    """Of what was counted: here every day but today brought one lead, and all of them were qualified."""
    days = [BEFORE + timedelta(days=number) for number in range((MONTH - BEFORE).days)]
    rows = [
        {"day": day, "count": count, "team": "sales", "line": LINE, "person": "anna", "detail": "", "value": 1.0}
        for day in days
        for count in ("leads_in", "judged", "qualified")
    ]
    async with site.engine.begin() as connection:
        await connection.execute(insert(report_facts), rows)
    async with site.visitor("vera") as client:
        month = f"{BEFORE:%Y-%m}"
        for whose, key, value in (("person", "anna", "20"), ("team", "sales", "1000")):
            await put(client, month=month, whose=whose, key=key, value=value)
        told = await page(client, f"month={month}")
        cells = re.findall(r'<td class="plan-(\w+)">.*?name="whose" value="(\w+)".*?</td>', told, re.DOTALL)
        assert cells == [("missed", "team"), ("kept", "person")]
        assert f"<b>{len(days)}</b>" in told
        assert "100" in told
        lines = await page(client, f"month={month}&by=lines")
        assert f"<b>{len(days)}</b>" in lines
        assert 'name="whose" value="line"' in lines
        assert "Анна Смирнова" not in lines.partition("<main")[2]


async def test_who_leads_plans_for_their_own_and_nobody_else(site: Site) -> None:
    """A head of a team neither sees nor sets what others are to reach; managers do not come here at all."""
    async with site.engine.begin() as connection:
        await connection.execute(
            text("insert into team_members (team, person, position) values ('support', 'vera', 9)")
        )
        await connection.execute(
            text("insert into people (key, name, role, position) values ('lev', 'Лев', 'head', 9);")
        )
        await connection.execute(text("insert into team_members (team, person, position) values ('sales', 'lev', 9)"))
    await site.knows_anew()
    async with site.visitor("vera") as client:
        told = (await page(client)).partition("<main")[2]
        assert "Глеб Орлов" in told
        assert "Анна Смирнова" not in told
        assert say("ru", "plans.house") not in told.partition("<tbody")[2].partition("</tbody")[0]
        await put(client, key="gleb", value="5")
        await put(client, 403, key="anna", value="5")
        await put(client, 403, whose="house", key="", value="5")
        await put(client, 400, key="nobody", value="5")
        told = await sent(
            client, csv_of([[f"{MONTH:%Y-%m}", "leads_in"], ["Глеб Орлов", 6], ["Анна Смирнова", 7]]), 422
        )
        assert '<th scope="row">B3</th>' in told
        assert say("ru", "plans.fault.not_yours") in told
    async with site.visitor("root") as client:
        await put(client, whose="house", key="", value="50")
    async with site.visitor("anna") as client:
        await page(client, status=403)
        await put(client, 403, value="1")
    assert await asked(site, STORED) == [
        ("house", "", "leads_in", 50.0, "root"),
        ("person", "gleb", "leads_in", 5.0, "vera"),
    ]


async def test_a_table_is_taken_filled_in_and_sent_back(site: Site) -> None:
    """Names stand in it; what two share is written as a key; an empty cell removes; the same again changes nothing."""
    async with site.visitor("vera") as client:
        await put(client, value="30")
        async with client.get(f"{PAGE}/table") as response:
            assert response.status == 200
            body = await response.read()
        rows = CalamineWorkbook.from_filelike(BytesIO(body)).get_sheet_by_index(0).to_python()
        assert rows[0][:2] == [f"{MONTH:%Y-%m}", say("ru", "measure.leads_in")]
        names = [row[0] for row in rows]
        assert names[1:5] == [say("ru", "plans.house"), "Продажи", "Анна Смирнова", "Борис Козлов"]
        assert "team support" in names
        assert rows[names.index("Анна Смирнова")][1] == 30
        assert say("ru", "plans.unchanged") in await sent(client, body, 200)
        rows[names.index("Анна Смирнова")][1] = ""
        rows[names.index("Борис Козлов")][1] = 40
        assert say("ru", "plans.imported", set=1, removed=1) in await sent(client, xlsx_of(rows), 200)
    assert await asked(site, STORED) == [("person", "boris", "leads_in", 40.0, "vera")]
    written = await asked(site, "select actor, after from audit where action = 'plans_imported'")
    assert written == [("vera", {"person anna leads_in": None, "person boris leads_in": 40})]


async def test_a_table_with_a_wrong_cell_changes_nothing(site: Site) -> None:
    """Each is named, and is text whatever stands in it; a file that is no table, or costs too much, is refused."""
    hostile = "<script>alert(1)</script>"
    async with site.visitor("vera") as client:
        rows: list[list[Any]] = [
            [f"{MONTH:%Y-%m}", "leads_in", hostile],
            ["Анна Смирнова", 5, 1],
            [hostile, 1],
            ["Борис Козлов", "=1+1"],
        ]
        async with client.post(PAGE, data={"file": BytesIO(xlsx_of(rows))}) as response:
            told = await response.text()
            assert response.status == 422
        assert hostile not in told
        assert re.findall(r'<tr><th scope="row">([A-Z]+\d+)</th>', told) == ["C1", "A3", "B4"]
        for body in (b"", b"PK\x03\x04 broken", FAR_CORNER):
            await sent(client, body, 400)
    assert await asked(site, STORED) == []
    assert await asked(site, "select count(*) from audit where action = 'plans_imported'") == [(0,)]


async def test_last_months_plans_are_taken_where_there_are_none(site: Site) -> None:
    """What is entered stays; who leads a team takes over what is theirs."""
    told = [("person", "anna", 10.0), ("person", "boris", 20.0), ("team", "gone", 3.0)]
    rows = [
        {"month": BEFORE, "kind": kind, "key": key, "measure": "won", "value": value, "set_by": "root"}
        for kind, key, value in told
    ]
    async with site.engine.begin() as connection:
        await connection.execute(insert(plans), [*rows, {**rows[0], "month": MONTH, "value": 99.0}])
    async with site.visitor("vera") as client:
        await put(client, do="copy")
        await put(client, 400, do="burn")
    found = await asked(site, f"select kind, key, value from plans where month = '{MONTH}' order by 2")
    assert found == [("person", "anna", 99.0), ("person", "boris", 20.0)]


async def test_programs_read_and_set_plans_all_or_nothing(site: Site) -> None:
    """Those whose plans they are; what is wrong is named by its place."""
    month = f"{MONTH:%Y-%m}"
    wish = [
        {"kind": "person", "key": "anna", "measure": "leads_in", "value": 30},
        {"kind": "house", "measure": "missed_share", "value": 0.05},
    ]
    async with site.visitor("vera") as client:

        async def put_plans(plans: list[dict[str, Any]], status: int) -> Any:
            async with client.put(f"{API}/plans", json={"month": month, "plans": plans}) as response:
                assert response.status == status, await response.text()
                return await response.json()

        wrong = await put_plans([*wish, {"kind": "team", "key": "sales", "measure": "nps", "value": -101}], 422)
        assert (wrong["reason"], wrong["field"]) == ("below", "plans.2.value")
        assert (await put_plans([*wish, wish[0]], 422))["reason"] == "twice"
        assert await put_plans(wish, 200) == {"changed": 2}
        assert await put_plans([wish[0], {**wish[1], "value": None}], 200) == {"changed": 1}
        async with client.get(f"{API}/plans?month={month}") as response:
            told = await response.json()
        assert told["month"] == month
        assert [(one["kind"], one["key"], one["measure"], one["value"]) for one in told["items"]] == [
            ("person", "anna", "leads_in", 30)
        ]
        async with client.get(f"{API}/plans?month={AFTER:%Y-%m}") as response:
            assert (await response.json())["items"] == []


async def test_a_page_that_there_is_not_is_refused(site: Site) -> None:
    async with site.visitor("vera") as client:
        for query in ("month=2026", "month=1999-01", "month=9999-12", "by=moon", "measure=coffee"):
            await page(client, query, 400)
