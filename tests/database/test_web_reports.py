"""The pages of reports of a house that is lived in: numbers and the lists behind them, and who may see whose."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiohttp import ClientSession
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.tables import follow_ups
from crm_sync.tables import parties
from directory import store
from recordings.privacy_tables import audit
from reports.building import build
from tests.fakes.directories import noon_zone
from tests.fakes.lived_in import LIVED_IN, live_in
from tests.fakes.site import Site, open_site
from tests.fakes.story import LINE, SUPPORT
from web.reports import behind_page
from web.wording import iso
from web.words import say

NUMBER = re.compile(r'<a href="(/reports/behind\?[^"]+)">([^<]+)</a>')
HEADING = re.compile(r"<h1>([^<]+)</h1>")
NOON = noon_zone(datetime.now(UTC))

TODAY = datetime.now(ZoneInfo(NOON)).date()
HOSTILE = "<script>alert('1')</script>"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """A house that is lived in, whose days are counted."""
    async with open_site(engine, tmp_path) as opened:
        await live_in(opened)
        async with engine.begin() as connection:
            await store.apply(connection, replace(LIVED_IN, company=replace(LIVED_IN.company, time_zone=NOON)))
            await connection.execute(update(parties).where(parties.c.name == "Иван Петров").values(name=HOSTILE))
        await opened.knows_anew()
        await build(engine)
        yield opened


async def text_of(client: ClientSession, path: str, status: int = 200) -> str:
    """A page as it is."""
    async with client.get(path) as response:
        text = await response.text()
        assert response.status == status, (path, text)
        return text


def behind(measure: str, **more: str) -> str:
    """The list behind a number of today."""
    told = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/reports/behind?measure={measure}&from={TODAY}&to={TODAY}{told}"


async def test_every_number_opens_a_list_that_counts_the_same(site: Site) -> None:
    """Each link of a report leads to a list whose total is the number of the link, and which is as long as it says."""
    lengths = set()
    async with site.visitor("ilya") as ilya:
        for whose in ("kind=daily", "kind=weekly&team=sales", "kind=daily&person=anna"):
            text = await text_of(ilya, f"/reports?{whose}")
            links = {unescape(href): unescape(number) for href, number in NUMBER.findall(text)}
            assert len(links) > 20
            for href, number in links.items():
                told = await text_of(ilya, href)
                heading = HEADING.search(told)
                assert heading is not None
                assert unescape(heading[1]).endswith(f": {number}"), (href, number, heading[1])
                lines = told.count('<th scope="row">')
                lengths.add(lines)
                if "measure=calls_in" in href or "measure=leads_in" in href:
                    assert lines == int(number), href
    assert len(lengths) > 3


async def test_a_ratio_is_told_by_both_its_counts_and_names_are_text(site: Site) -> None:
    """The list is of the part, and of the whole where that is asked for; whatever a client is called is escaped."""
    async with site.visitor("ilya") as ilya:
        part = await text_of(ilya, behind("missed_share"))
        whole = await text_of(ilya, behind("missed_share", of="whole"))
        missed = await text_of(ilya, behind("missed"))
        all_in = await text_of(ilya, behind("calls_in"))
        of_days = f"/reports/behind?measure=in_work&from={TODAY - timedelta(days=6)}&to={TODAY}"
        for_days, for_one = await text_of(ilya, of_days), await text_of(ilya, behind("in_work"))
    assert part.count('"/calls/') == missed.count('"/calls/') > 0
    assert whole.count('"/calls/') == all_in.count('"/calls/') > part.count('"/calls/')
    assert HEADING.findall(for_days) == HEADING.findall(for_one)  # what stands at the end of days, as of the last one
    assert HOSTILE not in all_in
    assert "&lt;script&gt;" in all_in


async def test_who_waits_is_called_back_from_the_list_that_a_report_opens(site: Site) -> None:
    """Each that waits has a button, and is there without one when it is over; the list is as long as it says."""
    path = behind("open_promises")
    async with site.engine.begin() as connection:  # the same client waits on another line, too, and of that elsewhere
        promise = (await connection.execute(select(follow_ups))).one()._asdict()
        elsewhere = {**promise, "line": SUPPORT, "opened_at": promise["opened_at"] - timedelta(days=2)}
        del elsewhere["id"]
        other = (await connection.execute(insert(follow_ups).values(elsewhere).returning(follow_ups.c.id))).scalar_one()
    async with site.visitor("ilya") as ilya:
        assert f"/missed/{other}" not in await text_of(ilya, behind("missed"))
    async with site.engine.begin() as connection:
        await connection.execute(delete(follow_ups).where(follow_ups.c.id == other))
    async with site.visitor("ilya") as ilya:
        text = await text_of(ilya, path)
        (number,) = re.findall(r'<form method="post" action="/missed/([0-9]+)"', text)
        assert text.count('<th scope="row">') == 1
        assert HEADING.findall(text)[0].endswith(": 1")
        async with site.engine.connect() as connection:
            since = (await connection.execute(select(follow_ups.c.opened_at))).scalar_one()
        assert f'<time datetime="{iso(since)}">' in text
        assert f'action="/missed/{number}"' in await text_of(ilya, behind("missed"))
        closed = {"do": "close", "reason": "Сам пришёл"}
        async with ilya.post(f"/missed/{number}", data=closed, allow_redirects=False) as response:
            assert response.status == 303
        text = await text_of(ilya, path)
        assert "/missed/" not in (await text_of(ilya, behind("missed"))).partition("<main")[2]
    assert f'action="/missed/{number}"' not in text
    assert text.count('<th scope="row">') == 1
    assert say("ru", "closed.hand") in text


async def test_whoever_has_too_many_leads_is_seen_with_as_many_as_the_report_says(site: Site) -> None:
    async with site.visitor("ilya") as ilya:
        for person in ("anna", "boris"):
            counted = HEADING.findall(await text_of(ilya, behind("in_work", person=person)))[0]
            shown = await text_of(ilya, f"/leads?owner={person}&stage=open")
            rows = shown.count('class="lead-row"')
            assert rows > 0
            assert counted.endswith(f": {rows}")


async def test_whose_number_is_not_ones_own_is_refused(site: Site) -> None:
    """Managers see their own, heads and admins the house; what there is not is asked for wrongly."""
    async with site.visitor("anna") as anna, site.visitor("vera") as vera, site.visitor("olga") as olga:
        own = await text_of(anna, "/reports")
        assert "Анна Смирнова" in own
        assert "Борис Козлов" not in own
        mine = await text_of(anna, behind("talks", person="anna"))
        assert HEADING.findall(mine) == HEADING.findall(await text_of(anna, behind("talks")))
        for path in ("/reports?team=sales", "/reports?person=boris", behind("talks", team="sales")):
            await text_of(anna, path, 403)
        await text_of(anna, behind("talks", person="boris"), 403)
        await text_of(anna, behind("talks", person="boris", team="sales"), 403)
        await text_of(anna, behind("talks", person="anna").replace("/behind?", "/behind/export?"), 403)
        await text_of(vera, "/reports?of=team+sales")
        await text_of(vera, behind("talks", person="gleb", team="support"))
        await text_of(olga, "/reports", 403)
        await text_of(olga, "/reports/measures")
        for path in (
            *("/reports?kind=yearly", "/reports?date=yesterday", "/reports?date=2999-01-01", "/reports?team=nobody"),
            *(behind("no_such"), behind("missed", hour="25"), behind("missed", cursor="x")),
            f"/reports/behind?measure=missed&from={TODAY}&to={TODAY - timedelta(days=1)}",
        ):
            await text_of(vera, path, 400)


async def test_a_long_list_goes_on_and_is_a_table_to_take_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Page by page and as csv it is the same list; that it was taken away is written down."""
    monkeypatch.setattr(behind_page, "PAGE", 1)
    monkeypatch.setattr(behind_page, "_PIECE", 1)
    async with site.visitor("ilya") as ilya:
        path, seen = behind("calls_in", line=LINE), []
        while path:
            told = await text_of(ilya, path)
            seen += re.findall(r'<th scope="row"><a href="(/calls/[^"]+)"', told)
            more = re.search(r'<a class="button-soft" href="(/reports/behind\?[^"]+)">', told)
            path = unescape(more[1]) if more else ""
        async with ilya.get(behind("calls_in", line=LINE).replace("/behind?", "/behind/export?")) as response:
            table = list(csv.reader(io.StringIO((await response.read()).decode("utf-8-sig")), delimiter=";"))
    assert len(seen) == len(set(seen)) == 2
    assert table[0][1] == say("ru", "report.column.client")
    assert [row[-1] for row in table[1:]] == seen
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(audit.c.details).where(audit.c.action == "report_exported"))).all()
    assert [row.details["measure"] for row in rows] == ["calls_in"]
