"""Who waits in our own queue: held, told their place, sent to who is free, called back, and never lost."""

from __future__ import annotations

import asyncio
import math
import wave
from array import array
from itertools import pairwise

import pytest

from service.demo_world import OutsideWorld, answer, busy
from service.demo_world.world import OutsideCall
from service.pbx import Pbx, Phone
from telephony.hand_over import WAKE
from tests.fakes.recorded import write_wav
from tests.lab.stand_in import StandIn
from tests.lab.test_dialplan_talks import loudness

CALLER = "79161234567"
SHORT = ("ru/hello",)
HOLD = ("hold", "sales", 60)


async def held(outside: OutsideWorld, service: StandIn, line: str, *more: tuple[str, str, int]) -> OutsideCall:
    """A caller who waits for the team sales, and then for what is `more`."""
    service.plan = [HOLD, *more]
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.answered()
    await service.seen(UserEvent="SwitchhookHold", Team="sales", Line=line)
    return call


async def take(service: StandIn, channel: str, value: str) -> None:
    """Send the holding channel to who is free, as the service does."""
    await service.action(Action="Setvar", Channel=channel, Variable="SWITCHHOOK_TAKE", Value=value)
    await service.action(Action="PlayDTMF", Channel=channel, **WAKE)


async def press(outside: OutsideWorld, call: OutsideCall, digit: str) -> None:
    """The caller presses a key."""
    await outside.manager.action({"Action": "PlayDTMF", "Channel": call.name, "Digit": digit})


async def application(pbx: Pbx, channel: str, wanted: str) -> str:
    """Wait until the channel runs an application whose words hold `wanted`; returns them."""
    async with asyncio.timeout(20):
        while True:
            told = await pbx.cli(f"core show channel {channel}")
            if wanted in told:
                return told
            await asyncio.sleep(0.1)


async def channel_of(service: StandIn) -> dict[str, str]:
    return await service.seen(UserEvent="SwitchhookHold")


async def test_who_comes_free_gets_the_holding_caller_at_once(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """The wake costs no more than an arrival's, and they talk."""
    call = await held(outside, service, line)
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT, hangup_after=1))
    channel = (await channel_of(service))["Channel"]
    await take(service, channel, "20||PJSIP/anna-desk")
    assert await outside.phone("anna-desk").rings(2.0) == CALLER  # by itself the caller's wait looks every 5 seconds
    await call.ended()
    assert (await service.seen(UserEvent="SwitchhookTakeEnd"))["Status"] == "ANSWER"
    assert (await service.seen(UserEvent="SwitchhookHoldEnd"))["Outcome"] == "ANSWER"
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "ANSWER"


async def test_who_is_sent_in_vain_goes_on_holding(outside: OutsideWorld, service: StandIn, line: str) -> None:
    """The person answered another call meanwhile: the caller keeps waiting, and the next one gets them."""
    call = await held(outside, service, line)
    await outside.phone("anna-desk").behave(busy())
    await outside.phone("boris-desk").behave(answer(0.1, speak=SHORT, hangup_after=1))
    channel = (await channel_of(service))["Channel"]
    await take(service, channel, "20||PJSIP/anna-desk")
    assert (await service.seen(UserEvent="SwitchhookTakeEnd"))["Status"] == "BUSY"
    assert not call.is_ended
    await service.seen(UserEvent="SwitchhookHolding", Team="sales")
    await take(service, channel, "20||PJSIP/boris-desk")
    await outside.phone("boris-desk").answers()
    await call.ended()
    since = {event["Since"] for event in service.events if "Since" in event}
    assert len(since) == 1


@pytest.mark.parametrize(
    "value", ["20||", "|", "x||nonsense", "5||PJSIP/nobody-here", "20||Local/s@from-phones,,g", "20|PJSIP/anna-desk"]
)
async def test_nonsense_sends_nobody_anywhere(outside: OutsideWorld, service: StandIn, line: str, value: str) -> None:
    call = await held(outside, service, line)
    channel = (await channel_of(service))["Channel"]
    await take(service, channel, value)
    assert (await service.seen(UserEvent="SwitchhookTakeEnd"))["Status"] != "ANSWER"
    await service.seen(UserEvent="SwitchhookHolding")
    assert not call.is_ended
    await call.hangup()
    assert (await service.seen(UserEvent="SwitchhookHoldEnd"))["Outcome"] == "ABANDONED"


async def test_a_wait_that_runs_out_goes_on_to_the_next_step(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """And a person who is named too late is not rung: the caller is past looking."""
    service.plan = [("hold", "sales", 2), ("ring", "PJSIP/boris-desk", 20)]
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    held_event = await service.seen(UserEvent="SwitchhookHold")
    ended = await service.seen(UserEvent="SwitchhookHoldEnd")
    assert ended["Outcome"] == "TIMEOUT"
    assert 1.5 < float(ended["Timestamp"]) - float(held_event["Timestamp"]) < 4
    await outside.phone("boris-desk").rings()
    await take(service, held_event["Channel"], "20||PJSIP/anna-desk")
    await call.hangup()
    await service.seen(UserEvent="SwitchhookHangup")
    assert not outside.phone("anna-desk").has_rung


async def test_1_is_a_promise_to_call_back_once_it_is_in_the_record(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """Until the service says so the caller goes on holding; then a voice says it, and the call ends."""
    call = await held(outside, service, line)
    channel = (await channel_of(service))["Channel"]
    await service.action(Action="Setvar", Channel=channel, Variable="SWITCHHOOK_PLACE", Value="3")
    await press(outside, call, "1")
    assert (await service.seen(UserEvent="SwitchhookCallback"))["Team"] == "sales"
    await service.seen(UserEvent="SwitchhookHolding")
    assert not call.is_ended
    await service.action(Action="Setvar", Channel=channel, Variable="SWITCHHOOK_KEPT", Value="1")
    await service.action(Action="PlayDTMF", Channel=channel, **WAKE)
    assert await call.ended() == 16
    assert (await service.seen(UserEvent="SwitchhookHoldEnd"))["Outcome"] == "CALLBACK"
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "CALLBACK"
    assert "PlanEnd" not in [name for name, *_ in service.told()]


async def test_who_hides_their_number_cannot_be_called_back(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = [HOLD]
    call = await outside.call("anonymous", "Никто", line, speak=(), stay=True)
    await service.seen(UserEvent="SwitchhookHold")
    await press(outside, call, "1")
    await service.seen(UserEvent="SwitchhookHolding")
    await call.hangup()
    await service.seen(UserEvent="SwitchhookHangup")
    assert "Callback" not in [name for name, *_ in service.told()]


async def test_the_place_and_the_wait_are_said(pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str) -> None:
    """With Asterisk's own prompts; who is first is told so, and each place is said without a word of ours."""
    call = await held(outside, service, line)
    channel = (await channel_of(service))["Channel"]
    await service.action(Action="Setvar", Channel=channel, Variable="SWITCHHOOK_PLACE", Value="2")
    await service.action(Action="Setvar", Channel=channel, Variable="SWITCHHOOK_EXPECT", Value="4")
    said = await application(pbx, channel, "queue-thereare")
    assert "queue-thereare&digits/2&queue-callswaiting&queue-holdtime&digits/4&queue-minutes&vm-tocallnum" in said
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT, hangup_after=1))
    await take(service, channel, "20||PJSIP/anna-desk")
    await outside.phone("anna-desk").rings(1.5)  # in the middle of the words
    await call.ended()


async def test_sounds_that_are_missing_lose_nobody(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """A language without any prompt: the caller waits on and is served."""
    service.plan = [HOLD]
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    channel = (await channel_of(service))["Channel"]
    for name, value in {
        "CHANNEL(language)": "xx",
        "SWITCHHOOK_OFFER": "nothing-here",
        "SWITCHHOOK_PLACE": "21",
    }.items():
        await service.action(Action="Setvar", Channel=channel, Variable=name, Value=value)
    await application(pbx, channel, "queue-quantity1")
    await service.seen(UserEvent="SwitchhookHolding")
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT, hangup_after=1))
    await take(service, channel, "20||PJSIP/anna-desk")
    await outside.phone("anna-desk").rings()
    await call.ended()


async def test_who_holds_is_told_again_and_again_with_their_begin(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """A service that is started meanwhile learns who waits, and since when."""
    call = await held(outside, service, line)
    began = await channel_of(service)
    again = await service.seen(UserEvent="SwitchhookHolding")
    assert (again["Team"], again["Since"], again["Line"]) == ("sales", began["Since"], line)
    assert abs(float(began["Since"]) - float(began["Timestamp"])) < 0.2
    assert float(again["Timestamp"]) - float(began["Timestamp"]) < 6
    await call.hangup()


async def test_who_holds_hears_something_without_any_music(outside: OutsideWorld, service: StandIn, line: str) -> None:
    """The PBX of the tests has no music on hold at all: ringing is heard instead of silence."""
    call = await held(outside, service, line)
    await outside.cli(
        f"mixmonitor start {await name_of(outside, call)} heard.wav,r({outside.recordings}/heard-{line}.wav)"
    )
    await service.seen(UserEvent="SwitchhookHolding")
    await asyncio.sleep(4)  # the tone's pause
    await call.hangup()
    assert loudness(outside.recordings / f"heard-{line}.wav") > 100


class MusicalPbx(Pbx):
    """A PBX whose music is a tone that rises by 40 Hz a second, from 200."""

    def configuration(self) -> dict[str, str]:
        folder = self.folder / "music"
        folder.mkdir(exist_ok=True)
        tones = (math.sin(2 * math.pi * (200 + 40 * (n // 8000)) * n / 8000) for n in range(60 * 8000))
        write_wav(folder / "rising.wav", array("h", (int(8000 * one) for one in tones)).tobytes())
        return super().configuration() | {"musiconhold.conf": f"[default]\nmode = files\ndirectory = {folder}\n"}


async def test_music_goes_on_while_the_service_is_told_who_holds(line: str) -> None:
    """It does not begin anew each time the dialplan looks whether somebody is free."""
    async with (
        MusicalPbx([Phone("anna-desk")]) as pbx,
        OutsideWorld(pbx) as outside,
        StandIn.logged_in(pbx) as service,
    ):
        call = await held(outside, service, line)
        heard = outside.recordings / "heard.wav"
        await outside.cli(f"mixmonitor start {await name_of(outside, call)} mixed.wav,r({heard})")
        for _ in range(3):
            await service.seen(UserEvent="SwitchhookHolding")
            service.events.clear()
        # Sound may come later than events do.
        async with asyncio.timeout(60):
            while heard.stat().st_size < 2 * 9.5 * 8000:
                await asyncio.sleep(0.1)
        await call.hangup()
        with wave.open(str(heard)) as sound:
            samples = array("h", sound.readframes(sound.getnframes()))
        pitch = [hertz(samples[second * 8000 : (second + 1) * 8000]) for second in (2, 5, 8)]
        assert pitch[0] < pitch[1] - 60 < pitch[2] - 120


def hertz(samples: array[int]) -> float:
    """How high a tone is, by how often it changes its sign in this one second."""
    return sum((one < 0) != (other < 0) for one, other in pairwise(samples)) / 2


async def name_of(outside: OutsideWorld, call: OutsideCall) -> str:
    for row in (await outside.cli("core show channels concise")).splitlines():
        if row.rstrip().endswith(call.name) or call.name in row:
            return row.partition("!")[0]
    raise AssertionError(call.name)


async def test_a_service_that_dies_keeps_nobody_holding(line: str) -> None:
    """Nobody would ever come: after a while the plan goes on, and at its end the fallback rings."""
    async with (
        Pbx([Phone("anna-desk"), Phone("boris-desk")]) as pbx,
        OutsideWorld(pbx) as outside,
        StandIn.logged_in(pbx, alive=False) as witness,
    ):
        await witness.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/boris-desk")
        async with StandIn.logged_in(pbx) as service:
            call = await held(outside, service, line)
        ended = await witness.seen(UserEvent="SwitchhookHoldEnd", timeout=30)
        assert ended["Outcome"] == "DOWN"
        assert await outside.phone("boris-desk").rings() == CALLER
        assert (await witness.seen(UserEvent="SwitchhookFallback"))["Reason"] == "down"
        await call.hangup()
