"""One real call through the whole house: phone, page, record, recording, text, lead, metrics, reasons."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Page
from sqlalchemy import text

from calls.events import Routed
from calls.record import event_from_json
from service.demo import Demo
from service.demo_world.behaviour import answer, ring_out
from service.demo_world.life import SALES
from service.demo_world.speech import CALLER, STAFF, words
from web import users

MARIA = "79161239001"


async def rows(demo: Demo, sql: str, **told: object) -> list[Any]:
    async with demo.house.engine.connect() as connection:
        return list((await connection.execute(text(sql), told)).all())


async def until(ask: Callable[[], Any], what: str, seconds: float = 60.0) -> Any:
    """Ask until the answer is true; says what was awaited when it never is."""
    async with asyncio.timeout(seconds) as limit:
        try:
            while not (found := await ask()):
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            if limit.expired():
                pytest.fail(f"{what}: not within {seconds:g} s")
            raise
    return found


async def log_in(demo: Demo, chromium: Browser, login: str, password: str) -> Page:
    page = await chromium.new_page()
    await page.goto(f"{demo.page}/login")
    await page.fill("input[name=login]", login)
    await page.fill("input[name=password]", password)
    await page.click("form.panel button")
    await page.wait_for_url(f"{demo.page}/")
    return page


async def test_a_new_clients_call_goes_through_the_whole_house(demo: Demo, chromium: Browser) -> None:
    """A stranger calls the sales line; Анна answers at her desk; everything the product promises is there after it."""
    async with demo.house.engine.begin() as connection:
        await users.add(connection, "anna", "manager", person="anna", password="a long password")
    page = await log_in(demo, chromium, "anna", "a long password")
    phone, colleague = demo.world.phone("anna-desk"), demo.world.phone("boris-desk")
    await phone.behave(answer(3.0, speak=STAFF))
    await colleague.behave(ring_out())

    call = await demo.world.call(MARIA, "Мария Петрова", SALES, speak=CALLER)
    assert await phone.rings() == MARIA
    await colleague.rings()

    # The card is there while the phone rings, and says why.
    card = page.locator("article.card-ringing", has_text="Мария Петрова")
    await card.wait_for(timeout=3000)
    assert "+7 916 123-90-01" in await card.inner_text()
    await call.answered()
    await page.locator("article.card-talking", has_text="Мария Петрова").wait_for(timeout=3000)
    await call.ended()

    # One record, with the right person and the right device.
    async def settled() -> Any:
        sql = "select * from calls where caller_number = :n and settled_at is not null"
        return await rows(demo, sql, n=MARIA)

    (record,) = await until(settled, "the call settles")
    assert (record.direction, record.status, record.line) == ("inbound", "answered", SALES)
    assert (record.answered_by, record.person) == (["PJSIP/anna-desk"], "anna")
    assert record.talk_seconds > 5
    reached = await rows(demo, "select * from legs where call_id = :c", c=record.id)
    legs = {leg.device: leg.outcome for leg in reached}
    assert legs["PJSIP/anna-desk"] == "answered"
    assert legs["PJSIP/boris-desk"] == "answered_elsewhere"

    # Why it went there is kept with the call.
    told = await rows(demo, "select body from call_events where call_id = :c and kind = 'Routed'", c=record.id)
    routed = event_from_json(told[0].body)
    assert isinstance(routed, Routed)
    assert (routed.outcome, routed.rule) == ("in_time", "team")
    assert any(one["taken"] and one["why"] for one in json.loads(routed.plan)["considered"])

    # Both sides are recorded apart, and what was said is text.
    async def stored() -> Any:
        sql = "select side, seconds from recordings where call_id = :c and state = 'stored'"
        return await rows(demo, sql, c=record.id)

    sides = {side.side: side.seconds for side in await until(stored, "the recording is stored")}
    assert set(sides) == {"caller", "staff"}

    async def transcript() -> Any:
        return await rows(demo, "select * from transcripts where call_id = :c", c=record.id)

    (said,) = await until(transcript, "the transcript is made", seconds=120)
    for side, speech in (("caller", CALLER), ("staff", STAFF)):
        spoken = {word["text"].strip(" .,!?").lower() for word in said.words if word["side"] == side}
        known = set(re.findall(r"\w{5,}", words(speech).lower()))
        assert len(known & spoken) >= 3, (side, known, spoken)

    # One file holds both sides now.
    async def archived() -> Any:
        return await rows(demo, "select path, seconds from archives where call_id = :c", c=record.id)

    (archive,) = await until(archived, "the archive is made")
    assert abs(archive.seconds - max(sides.values())) < 0.1

    async def alone() -> bool:
        folder = (demo.house.settings.recordings_store / archive.path).parent
        return [path.name for path in folder.iterdir()] == [Path(archive.path).name]

    await until(alone, "the sides are gone")

    # What the words tell: the steps of the line's script that Анна took, and the one that she left out.
    (facts,) = await rows(demo, "select * from talk_facts where call_id = :c", c=record.id)
    steps = {step["step"]: step["said"] for step in facts.steps}
    assert steps["Прощание"], said.text
    assert not steps["Предложить помощь"], said.text
    assert facts.staff_seconds > 1 < facts.caller_seconds

    # The client is in the funnel, and it is Анна's.
    async def lead() -> Any:
        return await rows(
            demo,
            "select l.owner, l.stage, l.source_line, p.name from leads l join parties p on p.id = l.party_id"
            " join party_numbers n on n.party_id = p.id where n.number = :n",
            n=MARIA,
        )

    assert [tuple(row) for row in await until(lead, "the lead is made")] == [
        ("anna", "qualifying", SALES, "Мария Петрова")
    ]

    # Prometheus counts it.
    metrics = demo.house.settings.metrics
    async with aiohttp.ClientSession() as http, http.get(f"http://{metrics.host}:{metrics.port}/metrics") as response:
        exposed = await response.text()
    labels = f'direction="inbound",line="{SALES}",status="answered",team="sales"'
    counted = re.search(rf"switchhook_calls_total\{{{labels}\}} (\S+)", exposed)
    assert counted is not None
    assert float(counted[1]) >= 1
    assert 'switchhook_routing_outcome_total{outcome="in_time"}' in exposed
    assert re.search(r'switchhook_ami_connected\{pbx="pbx"\} 1', exposed)
    assert re.search(r'switchhook_trunk_calls_total\{trunk="PJSIP/trunk"\} [1-9]', exposed)
    assert re.search(rf'switchhook_line_open\{{line="{SALES}"\}} 1', exposed)
    assert re.search(r'switchhook_device_expected\{device="PJSIP/anna-desk"\} 1', exposed)
    assert MARIA not in exposed

    # The call's page has the player and the words.
    await page.goto(f"{demo.page}/calls/{record.id}")
    await page.locator("text=Мария Петрова").first.wait_for()
    await page.close()

    # Called again, only the owner rings.
    await colleague.behave(ring_out())
    await phone.behave(answer(1.0, speak=("ru/hello", 1.0)))
    again = await demo.world.call(MARIA, "Мария Петрова", SALES, speak=("ru/hello",))
    await phone.rings()
    await again.answered()
    assert not colleague.has_rung
    await again.ended()
