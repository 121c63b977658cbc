"""Ends of a plan: a refusal, a number outside, a message that goes on, voicemail, and the number for emergencies."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.demo_world import OutsideWorld, answer
from service.pbx import Pbx, Phone
from tests.lab.stand_in import StandIn
from tests.lab.test_dialplan_talks import closed, length, loudness

CALLER = "79161234567"
OUTSIDE = "79161230077"
HELLO = ("ru/hello", "ru/queue-youarenext")
SHORT = ("ru/hello",)


@pytest.mark.parametrize("word, cause", [("busy", 17), ("declined", 21), ("unallocated", 1), ("congestion", 34)])
async def test_a_refusal_is_told_to_the_callers_network(
    outside: OutsideWorld, service: StandIn, line: str, word: str, cause: int
) -> None:
    """Unanswered, with the cause that the word stands for."""
    service.plan = [("reject", word, 5)]
    call = await outside.call(CALLER, "Клиент", line)
    await call.ended()
    assert not call.is_answered
    told = await service.seen(UserEvent="SwitchhookStepEnd")
    assert told["Status"] == "REJECT"
    assert (await service.seen(Event="Hangup", Uniqueid=told["Uniqueid"]))["Cause"] == str(cause)
    assert "PlanEnd" not in [name for name, *_ in service.told()]


async def test_a_number_outside_has_the_caller_without_a_question(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """It shows the line, and whoever answers is connected."""
    service.plan = [("ring", f"Local/{OUTSIDE}@switchhook-outside/n", 20)]
    await outside.mobile(OUTSIDE).behave(answer(0.1, speak=SHORT))
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    assert await outside.mobile(OUTSIDE).rings() == line
    await call.answered()
    await call.ended()
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "ANSWER"
    assert "Confirmed" not in [name for name, *_ in service.told()]


async def test_a_number_outside_that_does_not_exist_costs_the_step(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", "Local/79161230099@switchhook-outside/n", 20), ("ring", "PJSIP/anna-desk", 20)]
    call = await outside.call(CALLER, "Клиент", line)
    await outside.phone("anna-desk").rings()
    await call.hangup()


async def test_what_is_said_first_does_not_end_the_plan(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = [("message", "ru/hello", 5), ("ring", "PJSIP/anna-desk", 20)]
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.answered()
    await outside.phone("anna-desk").rings()
    assert (await service.seen(UserEvent="SwitchhookStepEnd", Step="1"))["Status"] == "SUCCESS"
    await call.hangup()


# --- voicemail --------------------------------------------------------------------------------------------------------


async def left(pbx: Pbx, channel: str) -> Path:
    """Wait until the PBX has closed the message of a channel."""
    path = pbx.recordings / f"{channel}-message-caller.wav"
    async with asyncio.timeout(10):
        while not (path.exists() and closed(path)):
            await asyncio.sleep(0.02)
    return path


async def test_a_message_is_ours_as_the_caller_spoke_it(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """A voice greets, it ends with the caller's silence, is told with its box, and a voice thanks."""
    service.plan = [("voicemail", "sales", 60)]
    call = await outside.call(CALLER, "Клиент", line, speak=(7.0, *HELLO), stay=True)
    told = await service.seen(UserEvent="SwitchhookVoicemail", timeout=40)
    assert await call.ended() == 16
    assert told["Box"] == "sales"
    path = await left(pbx, told["Uniqueid"])
    assert loudness(path) > 100
    assert 2 < length(path) < 20
    assert abs(int(told["Seconds"]) - length(path)) < 7
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "SUCCESS"


@pytest.mark.usefixtures("beep")
async def test_what_was_said_until_the_caller_hung_up_is_a_message(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("voicemail", "sales", 60)]
    await outside.call(CALLER, "Клиент", line, speak=(2.5, *HELLO))
    told = await service.seen(UserEvent="SwitchhookVoicemail", timeout=40)
    hung_up = await service.seen(UserEvent="SwitchhookHangup")
    assert hung_up["Uniqueid"] == told["Uniqueid"]
    assert length(await left(pbx, told["Uniqueid"])) > 2
    assert [name for name, *_ in service.told()].count("Voicemail") == 1


@pytest.mark.usefixtures("beep")
async def test_who_says_nothing_leaves_no_message(outside: OutsideWorld, service: StandIn, line: str) -> None:
    """Five seconds of silence, or gone before the beep."""
    service.plan = [("voicemail", "sales", 60)]
    silent = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await silent.ended()
    early = await outside.call(CALLER, "Клиент", line, speak=(1.0,))
    await early.ended()
    await service.seen(UserEvent="SwitchhookHangup")
    assert "Voicemail" not in [name for name, *_ in service.told()]


@pytest.mark.usefixtures("beep")
async def test_a_disk_that_takes_no_message_costs_the_step_and_not_the_call(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("voicemail", "sales", 60), ("ring", "PJSIP/anna-desk", 20)]
    pbx.recordings.chmod(0o500)
    try:
        call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
        await outside.phone("anna-desk").rings(20)
    finally:
        pbx.recordings.chmod(0o755)
    await call.hangup()
    assert "Voicemail" not in [name for name, *_ in service.told()]


# --- emergency --------------------------------------------------------------------------------------------------------


async def test_the_number_for_emergencies_rings_when_the_fallback_reaches_nobody(line: str) -> None:
    """The service is dead, the fallback's phones are gone: the PBX itself calls the line's number outside."""
    async with Pbx([Phone("anna-desk"), Phone("boris-desk")]) as pbx, OutsideWorld(pbx) as outside:
        await outside.mobile(OUTSIDE).behave(answer(0.1, speak=SHORT))
        async with StandIn.logged_in(pbx, alive=False) as witness:
            await witness.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/anna-desk")
            await witness.set_global("SWITCHHOOK_FALLBACK_default", "PJSIP/boris-desk")
            await witness.set_global(f"SWITCHHOOK_EMERGENCY_{line}", OUTSIDE)
            await outside.phone("anna-desk").unplug()
            await outside.phone("boris-desk").unplug()
            call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
            assert await outside.mobile(OUTSIDE).rings() == line
            await call.ended()
            assert (await witness.seen(UserEvent="SwitchhookFallbackEnd"))["Status"] == "ANSWER"
