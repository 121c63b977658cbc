"""What waits to be called back, on its page and by the API: who is on it, one click that calls, a reason to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import ClientSession
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import claims
from calls.due import owe_nothing
from calls.record import record
from calls.tables import follow_ups
from crm_sync.book.parties import set_do_not_call
from directory import store
from routing.placing import settle
from routing.tables import outgoing_calls
from tests.fakes.recorded import outgoing_call
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, LINE, SUPPORT, Told, know
from web.api.operations import PREFIX as API
from web.words import say

NUMBER = "79165550144"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def missed(site: Site, number: str = NUMBER, *, line: str = LINE, devices: tuple[str, ...] = ()) -> int:
    """A missed call of an hour ago and its promise, of whom it rang or nobody; the promise's id."""
    call = Told(site.engine, number=number, line=line, at=datetime.now(UTC) - timedelta(hours=2))
    await call.arrives()
    if devices:
        await call.rings(*devices)
    await call.hangs_up(after=20)
    await call.is_promised()
    async with site.engine.connect() as connection:
        asked = select(follow_ups.c.id).where(follow_ups.c.call_id == call.id)
        return int((await connection.execute(asked)).scalar_one())


async def nobodys(site: Site) -> int:
    """A promise of the sales line that is nobody's: both Anna and Boris see it."""
    one = await missed(site)
    async with site.engine.begin() as connection:
        await connection.execute(follow_ups.update().values(owner=None, owner_by=None))
    return one


async def post(client: ClientSession, one: int, do: str, **more: str) -> str:
    """What the page says after somebody did something."""
    async with client.post(f"/missed/{one}", data={"do": do, **more}) as response:
        assert response.status in {200, 422}, await response.text()
        return await response.text()


async def ask(client: ClientSession, path: str, status: int = 200) -> Any:
    """The answer to a command of the API."""
    async with client.post(f"{API}/follow-ups/{path}", json={}) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def test_one_click_calls_back_by_the_line_that_was_called_and_tells_who_is_on_it(site: Site) -> None:
    """The call is asked for once; a colleague sees who is on it, and neither calls nor takes it meanwhile."""
    one = await nobodys(site)
    async with site.visitor("anna") as anna, site.visitor("boris") as boris:
        assert say("ru", "missed.calling") in await post(anna, one, "call")
        assert say("ru", "missed.cannot.being_called") in await post(anna, one, "call")
        shown = await (await boris.get("/missed")).text()
        assert "сейчас занимается Анна Смирнова" in shown
        assert 'value="call"' not in shown
        for do in ("call", "take", "let_go"):
            assert say("ru", "missed.cannot.taken") in await post(boris, one, do)
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(outgoing_calls))).all()
        told = await connection.execute(text("select who, what from follow_up_actions order by id desc limit 1"))
        assert tuple(told.one()) == ("anna", "tried")
    assert [(row.number, row.person, row.purpose, row.follow_up, row.line) for row in rows] == [
        (NUMBER, "anna", "click", one, LINE)
    ]


async def test_a_claim_is_ones_own_until_it_is_let_go_or_ends_by_itself(site: Site) -> None:
    """The API tells 409 with a key; heads take a colleague off; after half an hour nobody is on it."""
    one = await nobodys(site)
    async with site.visitor("anna") as anna, site.visitor("boris") as boris, site.visitor("vera") as vera:
        assert (await ask(anna, f"{one}/claim"))["claimed_by"] == "anna"
        assert (await ask(anna, f"{one}/claim"))["claimed_by"] == "anna"
        assert (await ask(boris, f"{one}/claim", 409))["reason"] == "taken"
        assert (await ask(boris, f"{one}/call", 409))["reason"] == "taken"
        assert (await ask(boris, f"{one}/release", 409))["reason"] == "taken"
        assert (await ask(vera, f"{one}/release"))["claimed_by"] is None
        assert (await ask(boris, f"{one}/claim"))["claimed_by"] == "boris"
        async with site.engine.begin() as connection:
            await connection.execute(text("update follow_up_claims set until = now() where ended_at is null"))
        assert "занимается" not in await (await vera.get("/missed")).text()
        assert (await ask(anna, f"{one}/call", 202))["state"] == "wanted"
        assert (await (await boris.get(f"{API}/follow-ups/{one}")).json())["claimed_by"] == "anna"
    async with site.engine.connect() as connection:
        rows = await connection.execute(text("select who, ended_at is null from follow_up_claims order by id"))
        assert [tuple(row) for row in rows] == [("anna", False), ("boris", False), ("anna", True)]


async def test_a_key_sent_again_calls_once(site: Site) -> None:
    """With the key of a call that was asked for already, that one is told; without, it is under way."""
    one = await missed(site, devices=("PJSIP/anna-desk",))
    async with site.visitor("anna") as client:
        answers = []
        for key in ("a", "a", "b"):
            path, headers = f"{API}/follow-ups/{one}/call", {"Idempotency-Key": key}
            async with client.post(path, json={}, headers=headers) as response:
                answers.append((response.status, (await response.json(content_type=None)).get("id")))
    assert answers[0] == answers[1]
    assert [status for status, _ in answers] == [202, 202, 409]


async def test_a_call_that_may_not_be_says_why(site: Site) -> None:
    """A refusal is told in words and nobody is on it then; whom nobody may call has no button, a login none at all."""
    abroad = await missed(site, "+4930901820", devices=("PJSIP/anna-desk",))
    async with site.visitor("anna") as client:
        assert say("ru", "not_called.international") in await post(client, abroad, "call")
        assert (await ask(client, f"{abroad}/call", 422))["reason"] == "international"
        assert (await (await client.get(f"{API}/follow-ups/{abroad}")).json())["claimed_by"] is None
        one = await missed(site, devices=("PJSIP/anna-desk",))
        await know(site.engine, NUMBER, "Иван Петров", "anna")
        async with site.engine.begin() as connection:
            assert await set_do_not_call(connection, NUMBER, may_be_called=False)
        row = (await (await client.get("/missed")).text()).partition(f'id="promise-{one}"')[2].partition("</li>")[0]
        assert say("ru", "lead.do_not_call") in row
        assert 'value="call"' not in row


async def test_only_heads_close_without_a_talk_and_with_a_reason(site: Site) -> None:
    """The reason is asked for beside its field, kept in the history, and what is closed waits no more."""
    one = await missed(site, devices=("PJSIP/anna-desk",))
    async with site.visitor("anna") as anna, site.visitor("vera") as vera:
        async with anna.post(f"/missed/{one}", data={"do": "close", "reason": "не нужно"}) as response:
            assert response.status == 403
        assert say("ru", "missed.reason_needed") in await post(vera, one, "close", reason="  ")
        assert say("ru", "missed.none") in await post(vera, one, "close", reason="Ответили в почте")
        assert "Ответили в почте" in await (await vera.get(f"/missed/{one}")).text()
        assert say("ru", "missed.cannot.closed") in await post(anna, one, "take")
        assert (await ask(anna, f"{one}/call", 409))["reason"] == "closed"


async def test_whom_one_may_not_see_is_not_there(site: Site) -> None:
    """Another team's promise is refused and in no list; an operator has none."""
    one = await missed(site)
    other = await missed(site, "79165550155", line=SUPPORT, devices=("PJSIP/gleb-desk",))
    for login, may in (("gleb", False), ("olga", False), ("vera", True)):
        async with site.visitor(login) as client:
            assert (f"/missed/{one}" in await (await client.get("/missed")).text()) is may
            for method, path in (("GET", f"/missed/{one}"), ("POST", f"{API}/follow-ups/{one}/claim")):
                async with client.request(method, path, json={} if method == "POST" else None) as response:
                    assert response.status == (200 if may else 403), (login, path)
    async with site.visitor("anna") as client:
        assert (await client.get(f"/missed/{other}")).status == 403
        for path in ("/missed/999", "/missed/x", "/missed/0"):
            assert (await client.get(path)).status == 404
        for query in ("why=x", "age=x", "most=1", "most=9999", "most=x", "most=0000500", "by=year"):
            assert (await client.get(f"/missed?{query}")).status == 400, query


async def test_it_is_counted_and_narrowed_by_cause_and_age(site: Site) -> None:
    """The counts are of all, the list of what was chosen; the shares name the cause, day by day and week by week."""
    await missed(site, devices=("PJSIP/anna-desk",))
    await missed(site, "79165550155", line=SUPPORT)
    async with site.engine.begin() as connection:
        await connection.execute(
            follow_ups.update()
            .where(follow_ups.c.line == SUPPORT)
            .values(opened_at=datetime.now(UTC) - timedelta(days=5), cause="no_route")
        )
        await connection.execute(
            text("update calls set missed_cause = 'no_route' where line = :line"), {"line": SUPPORT}
        )
    async with site.visitor("vera") as client:
        for query, shown, hidden in (
            ("why=no_route", "555-01-55", "555-01-44"),
            ("age=older", "555-01-55", "555-01-44"),
            ("age=day", "555-01-44", "555-01-55"),
            (f"line={SUPPORT}&by=week", "555-01-55", "555-01-44"),
            ("owner=anna", "555-01-44", "555-01-55"),
        ):
            told = await (await client.get(f"/missed?{query}")).text()
            waiting = told.partition('id="live"')[2].partition('id="shares"')[0]
            assert shown in waiting, query
            assert hidden not in waiting, query
            assert "<dd>2</dd>" in waiting
            assert say("ru", "cause.no_route") in told.partition('id="shares"')[2]
    async with site.visitor("gleb") as client:
        shares = (await (await client.get("/missed")).text()).partition('id="shares"')[2]
        assert say("ru", "cause.rang_out") not in shares


async def test_a_call_back_in_vain_is_told_with_who_when_and_why(site: Site) -> None:
    """On the list the last of them, with the promise all; what goes on or was answered is none; the page is told."""
    one = await nobodys(site)
    async with site.visitor("anna") as anna, site.visitor("boris") as boris, site.engine.connect() as heard:
        wanted = UUID((await ask(anna, f"{one}/call", 202))["id"])
        assert say("ru", "missed.in_vain", who="Анна Смирнова") not in await (await boris.get("/missed")).text()
        noticed = asyncio.Event()
        driver: Any = (await heard.get_raw_connection()).driver_connection
        await driver.add_listener(claims.CHANNEL, lambda *_told: noticed.set())
        async with site.engine.begin() as connection:
            await settle(connection, wanted, "failed", "no_answer", "PJSIP/anna-desk")
        async with asyncio.timeout(20):
            await noticed.wait()
        for path in ("/missed", f"/missed/{one}"):
            shown = await (await boris.get(path)).text()
            assert say("ru", "missed.in_vain", who="Анна Смирнова") in shown
            assert say("ru", "not_called.no_answer") in shown
        called = UUID((await ask(anna, f"{one}/call", 202))["id"])
        events = outgoing_call("7.1", number=NUMBER, answered=False, at=datetime.now(UTC) - timedelta(minutes=1))
        async with site.engine.begin() as connection:
            await connection.execute(
                outgoing_calls.update().where(outgoing_calls.c.id == called).values(pbx="pbx", channel="7.1")
            )
            await settle(connection, called, "connected")
        assert say("ru", "not_called.client") not in await (await boris.get("/missed")).text()
        async with site.engine.begin() as connection:
            await record(connection, events, owe_nothing)
        shown = await (await boris.get("/missed")).text()
        assert say("ru", "not_called.client") in shown
        assert say("ru", "not_called.no_answer") not in shown
        assert (await (await boris.get(f"/missed/{one}")).text()).count('class="in-vain"') == 2


async def test_a_line_without_a_way_out_is_not_called_back_by(site: Site) -> None:
    """Then whoever is called sees the person's own line."""
    one = await missed(site, devices=("PJSIP/anna-desk",))
    lines = tuple(replace(line, trunk=None) if line.number == LINE else line for line in HOUSE.lines)
    people = tuple(replace(person, line=SUPPORT) if person.key == "anna" else person for person in HOUSE.people)
    async with site.engine.begin() as connection:
        await store.apply(connection, replace(HOUSE, lines=lines, people=people))
    await site.knows_anew()
    async with site.visitor("anna") as client:
        await post(client, one, "call")
    async with site.engine.connect() as connection:
        assert (await connection.execute(select(outgoing_calls.c.line))).scalar_one() == SUPPORT
