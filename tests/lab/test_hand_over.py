"""A plan, the sign of life and the fallbacks at a real Asterisk with the dialplan we ship."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

import pytest

from service.pbx import Pbx, Phone
from telephony.hand_over import deadline, hand_over
from telephony.link import Link
from telephony.liveness import ALIVE, Liveness, write_fallbacks
from telephony.pbx import Message
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working

LINE = "74957777777"


@dataclass(frozen=True)
class Target:
    dial: str


@dataclass(frozen=True)
class Step:
    kind: str
    targets: tuple[Target, ...]
    seconds: float = 5


PLAN = (Step("message", (Target("vm-goodbye"),)),)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """An own PBX: what we leave in it would be other tests' fallback. Its phones are not there."""
    async with Pbx([Phone("anna-desk", "101"), Phone("boris-desk", "102")]) as own:
        yield own


@pytest.fixture
async def proxy(pbx: Pbx) -> AsyncIterator[AmiProxy]:
    async with AmiProxy(pbx.host, pbx.ami_port) as between:
        yield between


def events(office: Office, name: str) -> list[Message]:
    return [message for message in office.heard if message.get("UserEvent") == name]


async def mark(link: Link, value: str) -> None:
    await link.action({"Action": "Setvar", "Variable": ALIVE, "Value": value})


async def variable(link: Link, name: str) -> str:
    return str((await link.action({"Action": "Getvar", "Variable": name})).fields.get("Value", ""))


async def arrival(pbx: Pbx, office: Office) -> Message:
    """A call on the line, waiting for its plan."""
    before = len(events(office, "SwitchhookArrival"))
    await pbx.cli(f"channel originate Local/{LINE}@from-trunk application Wait 20")
    await until(lambda: len(events(office, "SwitchhookArrival")) > before)
    return events(office, "SwitchhookArrival")[-1]


async def hung_up(pbx: Pbx) -> None:
    await pbx.cli("channel request hangup all")


async def test_a_plan_in_time_is_run(pbx: Pbx, proxy: AmiProxy) -> None:
    """The waiting channel does the first step right after the answer."""
    office = Office(pbx, proxy)
    async with working(office) as link:
        await mark(link, str(int(link.clock.pbx_now())))
        call = await arrival(pbx, office)
        outcome = await hand_over(link, str(call["Channel"]), PLAN, deadline(link, call, 1.5), language="en")
        assert outcome.kind == "sent"
        await until(lambda: events(office, "SwitchhookStep"))
        assert events(office, "SwitchhookStep")[0]["Kind"] == "message"
        assert events(office, "SwitchhookFallback") == []
        await hung_up(pbx)


async def test_the_key_wakes_the_channel_that_waits(pbx: Pbx, proxy: AmiProxy) -> None:
    """It does not look for the plan a tenth of a second later by itself."""
    office = Office(pbx, proxy)
    waits = []
    async with working(office) as link:
        await mark(link, str(int(link.clock.pbx_now())))
        for number in range(5):
            call = await arrival(pbx, office)
            outcome = await hand_over(link, str(call["Channel"]), PLAN, deadline(link, call, 1.5))
            assert (outcome.kind, outcome.detail) == ("sent", "")
            await until(partial(lambda told: len(events(office, "SwitchhookStep")) > told, number))
            step = events(office, "SwitchhookStep")[-1]
            waits.append(float(str(step["Timestamp"])) - float(str(call["Timestamp"])))
            await hung_up(pbx)
    assert min(waits) < 0.08


async def test_a_plan_that_comes_too_late_is_not_sent(pbx: Pbx, proxy: AmiProxy) -> None:
    """An arrival that was old when it came gets nothing, and its caller has the fallback."""
    office = Office(pbx, proxy, ping_deadline_seconds=5)
    async with working(office) as link:
        await mark(link, str(int(link.clock.pbx_now())))
        proxy.delay_seconds = 1.6
        call = await arrival(pbx, office)
        proxy.delay_seconds = 0.0
        outcome = await hand_over(link, str(call["Channel"]), PLAN, deadline(link, call, 1.5))
        assert outcome.kind == "too_late"
        await until(lambda: events(office, "SwitchhookFallback"))
        assert events(office, "SwitchhookFallback")[0]["Reason"] == "late"
        await hung_up(pbx)
    assert not any(b"SWITCHHOOK_GO" in data for data in proxy.writes)


async def test_a_caller_who_left_is_told_apart(pbx: Pbx, proxy: AmiProxy) -> None:
    """A channel that is gone is no fault of ours, nor of the PBX."""
    async with working(Office(pbx, proxy)) as link:
        outcome = await hand_over(link, "PJSIP/trunk-ffffffff", PLAN, time.monotonic() + 1)
    assert outcome.kind == "channel_gone"


async def test_what_cannot_be_sent_is_an_outcome_too(pbx: Pbx, proxy: AmiProxy) -> None:
    """Unsafe plans and a PBX that is away raise nothing in the middle of a call."""
    office = Office(pbx, proxy)
    async with working(office) as link:
        evil = (Step("ring", (Target("PJSIP/x,1,U(evil)"),)),)
        assert (await hand_over(link, "PJSIP/trunk-1", evil, time.monotonic() + 1)).kind == "unsafe"
        assert (await hand_over(link, "PJSIP/x\r\nA: b", PLAN, time.monotonic() + 1)).kind == "unsafe"
    assert (await hand_over(link, "PJSIP/trunk-1", PLAN, time.monotonic() + 1)).kind == "link_down"


async def test_the_sign_of_life_follows_our_health(pbx: Pbx, proxy: AmiProxy) -> None:
    """Set anew while healthy, cleared when not and when we stop, by the PBX's clock."""
    office, well = Office(pbx, proxy), [True]
    async with working(office) as link:
        living = asyncio.create_task(Liveness(link, lambda: well[0], every_seconds=0.05).run())

        async def reads(pattern: str) -> None:
            async with asyncio.timeout(10):
                while not re.fullmatch(pattern, await variable(link, ALIVE)):
                    await asyncio.sleep(0.02)

        await reads(r"\d{10}")
        assert abs(int(await variable(link, ALIVE)) - time.time()) < 3
        well[0] = False
        await reads("0")
        well[0] = True
        await reads(r"\d{10}")
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
        assert await variable(link, ALIVE) == "0"


async def test_the_sign_of_life_goes_on_after_an_outage(pbx: Pbx, proxy: AmiProxy) -> None:
    """A broken connection neither ends the loop nor leaves the mark away for longer than needed."""
    office = Office(pbx, proxy)
    async with working(office) as link:
        living = asyncio.create_task(Liveness(link, lambda: True, every_seconds=0.05).run())
        proxy.drop()
        await until(lambda: link.state.connects_total == 2)
        await mark(link, "")
        async with asyncio.timeout(10):
            while not await variable(link, ALIVE):
                await asyncio.sleep(0.02)
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)


async def test_a_call_goes_to_the_fallback_that_we_left(pbx: Pbx, proxy: AmiProxy) -> None:
    """Known dead costs no wait; the PBX keeps the fallback in its own database, with the least rights of ours."""
    office = Office(pbx, proxy)
    async with working(office) as link:
        fallbacks = {LINE: ["PJSIP/anna-desk", "PJSIP/boris-desk"]}
        await write_fallbacks(link, fallbacks, ["PJSIP/boris-desk"], 1.2, of_lines={"TRUNK": {LINE: "PJSIP/trunk"}})
        await mark(link, "0")
        await pbx.cli(f"channel originate Local/{LINE}@from-trunk application Wait 20")
        await until(lambda: events(office, "SwitchhookFallback"))
        assert events(office, "SwitchhookFallback")[0]["Reason"] == "down"
        await until(lambda: events(office, "SwitchhookFallbackEnd"))
        kept = await pbx.cli("database show switchhook")
        assert "PJSIP/anna-desk&PJSIP/boris-desk" in kept
        assert await variable(link, "SWITCHHOOK_BUDGET") == "1.2"
        await hung_up(pbx)
        await mark(link, "0")
