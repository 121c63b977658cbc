"""Mobiles, recordings and transfers: what the dialplan does around a talk."""

from __future__ import annotations

import array
import asyncio
import wave
from pathlib import Path

from recordings.names import SIDES
from recordings.wav import HEAD_BYTES, read_header
from service.demo_world import OutsideWorld, answer, ring_out
from service.demo_world.speech import seconds
from service.pbx import Pbx
from tests.lab.stand_in import StandIn

CALLER = "79161234567"
MOBILE = "79160000011"
HELLO = ("ru/hello", "ru/queue-youarenext")
SHORT = ("ru/hello",)


def loudness(path: Path) -> float:
    """Root mean square of a recording's samples."""
    with wave.open(str(path)) as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    return float((sum(one * one for one in samples) / max(len(samples), 1)) ** 0.5)


def length(path: Path) -> float:
    """Seconds of a recording."""
    with wave.open(str(path)) as sound:
        return float(sound.getnframes() / sound.getframerate())


def loud_seconds(path: Path) -> float:
    """Seconds of a recording in which somebody speaks, in steps of a twentieth."""
    with wave.open(str(path)) as sound:
        samples = array.array("h", sound.readframes(sound.getnframes()))
    loud = [max(map(abs, samples[at : at + 400])) > 500 for at in range(0, len(samples), 400)]
    return float(loud.count(True)) / 20


async def complete(folder: Path, channel: str) -> None:
    """Wait until Asterisk has closed both sides."""
    async with asyncio.timeout(30):
        for side in SIDES:
            while not closed(folder / f"{channel}-{side}.wav"):
                await asyncio.sleep(0.02)


def closed(path: Path) -> bool:
    """Whether its header says as much as it holds."""
    return read_header(path.read_bytes()[:HEAD_BYTES], path.stat().st_size).whole


# --- mobiles ----------------------------------------------------------------------------------------------------------


async def test_mobile_is_connected_only_after_pressing_1(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = [("ring", f"Local/{MOBILE}@switchhook-mobile/n", 30)]
    await outside.mobile(MOBILE).behave(answer(0.1, speak=SHORT, confirm=True))
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    assert await outside.mobile(MOBILE).rings() == line
    await outside.mobile(MOBILE).answers()
    assert not call.is_answered
    confirmed = await service.seen(UserEvent="SwitchhookConfirmed")
    await call.answered()
    await call.ended()
    assert confirmed["Number"] == MOBILE
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "ANSWER"


async def test_mobile_that_refuses_leaves_the_caller_to_the_next_step(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", f"Local/{MOBILE}@switchhook-mobile/n", 30), ("ring", "PJSIP/anna-desk", 10)]
    await outside.mobile(MOBILE).behave(answer(0.1, confirm=False))
    call = await outside.call(CALLER, "Клиент", line)
    await outside.phone("anna-desk").rings()
    assert not call.is_answered
    assert (await service.seen(UserEvent="SwitchhookRefused"))["Number"] == MOBILE
    assert (await service.seen(UserEvent="SwitchhookStepEnd", Step="1"))["Status"] == "BUSY"
    await call.hangup()


async def test_mailbox_of_a_mobile_gets_no_customer(outside: OutsideWorld, service: StandIn, line: str) -> None:
    """Answered, but nobody presses 1: the step's time ends it and the next phone rings."""
    service.plan = [("ring", f"Local/{MOBILE}@switchhook-mobile/n", 2), ("ring", "PJSIP/anna-desk", 10)]
    await outside.mobile(MOBILE).behave(answer(0.1, speak=HELLO))
    call = await outside.call(CALLER, "Клиент", line)
    await outside.phone("anna-desk").rings()
    assert not call.is_answered
    await call.hangup()


async def test_mobile_that_hangs_up_while_it_is_asked_leaves_the_caller_to_the_next_step(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """A mailbox that gives up, or a pocket: that is no answer, and nobody is connected with a dead line."""
    service.plan = [("ring", f"Local/{MOBILE}@switchhook-mobile/n", 30), ("ring", "PJSIP/anna-desk", 10)]
    await outside.mobile(MOBILE).behave(answer(0.1, speak=(), hangup_after=1.0))
    call = await outside.call(CALLER, "Клиент", line)
    await outside.phone("anna-desk").rings()
    assert not call.is_answered
    await call.hangup()


async def test_mobile_rings_no_longer_than_it_is_told_whatever_the_step_lasts(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """Short of its mailbox: then the next phone rings at once."""
    service.plan = [("ring", f"Local/{MOBILE}*2@switchhook-mobile/n", 30), ("ring", "PJSIP/anna-desk", 10)]
    await outside.mobile(MOBILE).behave(ring_out())
    call = await outside.call(CALLER, "Клиент", line)
    assert await outside.mobile(MOBILE).rings() == line
    await outside.phone("anna-desk").rings()
    began = await service.seen(UserEvent="SwitchhookStep", Step="1")
    ended = await service.seen(UserEvent="SwitchhookStepEnd", Step="1")
    assert ended["Status"] == "NOANSWER"
    assert 1.9 < float(ended["Timestamp"]) - float(began["Timestamp"]) < 4.0
    await call.hangup()


async def test_mobile_that_answers_in_its_time_has_the_steps_time_to_press_1(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", f"Local/{MOBILE}*2@switchhook-mobile/n", 30)]
    await outside.mobile(MOBILE).behave(answer(1.0, speak=SHORT, confirm=True, confirm_after=3.0))
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    await service.seen(UserEvent="SwitchhookConfirmed")
    await call.answered()
    await call.ended()


async def test_mobile_shows_the_callers_number_when_it_is_told_to(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """And to us it is the mobile's number all the same."""
    service.plan = [("ring", f"Local/{MOBILE}*18*caller@switchhook-mobile/n", 30)]
    await outside.mobile(MOBILE).behave(ring_out())
    call = await outside.call(CALLER, "Клиент", line)
    assert await outside.mobile(MOBILE).rings() == CALLER
    dialled = await service.seen(Event="DialBegin", DestCallerIDNum=MOBILE)
    assert dialled["DestChannel"].startswith("PJSIP/trunk-")
    await call.hangup()


async def test_desk_phone_wins_over_a_mobile_that_still_hears_the_question(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", f"Local/{MOBILE}@switchhook-mobile/n&PJSIP/anna-desk", 30)]
    await outside.mobile(MOBILE).behave(answer(0.0))
    await outside.phone("anna-desk").behave(answer(1.0, speak=SHORT))
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    await outside.mobile(MOBILE).answers()
    await call.answered()
    await call.ended()
    assert "Confirmed" not in [name for name, *_ in service.told()]


async def test_colleague_who_presses_1_too_late_is_connected_to_nobody(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """The desk phone was faster: the mobile's acceptance counts for nothing and disturbs nobody."""
    service.plan = [("ring", f"Local/{MOBILE}@switchhook-mobile/n&PJSIP/anna-desk", 30)]
    await outside.mobile(MOBILE).behave(answer(0.0, confirm=True, confirm_after=2.0))
    await outside.phone("anna-desk").behave(answer(0.8, speak=()))
    call = await outside.call(CALLER, "Клиент", line, speak=(6.0,))
    await service.seen(Event="Hangup", Exten=MOBILE, Context="switchhook-mobile")
    assert not call.is_ended
    await call.ended()
    assert "Confirmed" not in [name for name, *_ in service.told()]
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "ANSWER"


# --- recordings and transfers ----------------------------------------------------------------------------------------


async def test_both_sides_are_recorded_apart_and_closed_at_the_end(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """Two files of one length, each with its speaker, whose headers say nothing while people still talk."""
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.5, speak=("ru/queue-youarenext", 3.0)))
    says = (5.4, "ru/hello", "ru/hello")
    call = await outside.call(CALLER, "Клиент", line, speak=says)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    name = arrival["Uniqueid"]
    await call.answered()
    assert not any(closed(pbx.recordings / f"{name}-{side}.wav") for side in SIDES)
    await call.ended()
    await complete(pbx.recordings, name)
    caller, staff = (pbx.recordings / f"{name}-{side}.wav" for side in ("caller", "staff"))
    assert abs(length(caller) - length(staff)) < 0.2
    assert seconds(says) - 0.7 < length(caller) < seconds(says) + 1.5
    assert loudness(caller) > 100
    assert loudness(staff) > 100


async def test_full_or_forbidden_disk_costs_the_recording_and_not_the_call(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT))
    pbx.recordings.chmod(0o500)
    try:
        call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
        await call.answered()
        assert await call.ended() == 16
    finally:
        pbx.recordings.chmod(0o755)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    assert not list(pbx.recordings.glob(f"{arrival['Uniqueid']}*"))


async def test_blind_transfer_reaches_the_colleague_and_stays_in_the_recording(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT, transfer_to="102"))
    boris = ("ru/queue-youarenext",)
    await outside.phone("boris-desk").behave(answer(0.1, speak=boris))
    call = await outside.call(CALLER, "Клиент", line, speak=(3.0, *HELLO))
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await outside.phone("boris-desk").answers()
    await call.ended()
    transfer = await service.seen(Event="BlindTransfer")
    assert transfer["Extension"] == "102"
    await complete(pbx.recordings, arrival["Uniqueid"])
    staff = pbx.recordings / f"{arrival['Uniqueid']}-staff.wav"
    assert length(staff) > 5.0
    # Anna's words, and those of Boris, whose packets have numbers of their own (docs/decisions/0007).
    assert loud_seconds(staff) > 0.6 * seconds((*SHORT, *boris))


async def test_transfer_to_an_outside_number_writes_on_in_the_same_recording(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """The way out records too, but not over what was said before."""
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=HELLO, transfer_to="79161230007"))
    await outside.mobile("79161230007").behave(answer(0.1, speak=HELLO))
    call = await outside.call(CALLER, "Клиент", line, speak=(8.0,), stay=True)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await outside.mobile("79161230007").answers()
    staff = pbx.recordings / f"{arrival['Uniqueid']}-staff.wav"
    async with asyncio.timeout(30):
        while staff.stat().st_size < 7 * 16_000:
            await asyncio.sleep(0.05)
    await call.hangup()
    await complete(pbx.recordings, arrival["Uniqueid"])
    begun = [event for event in service.events if event["Event"] == "MixMonitorStart"]
    assert [event["Uniqueid"] for event in begun] == [arrival["Uniqueid"]]
    assert length(staff) > 6.0


async def test_a_command_of_the_operators_gets_both_closed_files(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """What the caller said first; a PBX on another machine sends them from there."""
    told = pbx.recordings / f"uploaded-{line}"
    await service.set_global("SWITCHHOOK_UPLOAD", f"wc -c > {told}")
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT, hangup_after=0.5))
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.ended()
    name = (await service.seen(UserEvent="SwitchhookArrival", Line=line))["Uniqueid"]
    async with asyncio.timeout(30):
        while not told.exists() or "total" not in told.read_text():
            await asyncio.sleep(0.02)
    await service.set_global("SWITCHHOOK_UPLOAD", "")
    files = [pbx.recordings / f"{name}-{side}.wav" for side in SIDES]
    assert [row.split()[1] for row in told.read_text().splitlines()] == [*map(str, files), "total"]
    assert all(closed(one) for one in files)


async def test_a_client_whom_staff_sent_on_is_recorded_to_the_end(
    pbx: Pbx, outside: OutsideWorld, service: StandIn
) -> None:
    """Who called out leaves the call; the client's own channel is recorded, so the talk with the colleague is too."""
    await outside.mobile("79161230000").behave(answer(0.1, speak=("ru/hello", 20.0)))
    await outside.phone("boris-desk").behave(answer(0.1, speak=("ru/queue-youarenext",), hangup_after=3.0))
    await outside.phone("anna-desk").dial("79161230000", speak=("ru/hello",))
    begun = await service.seen(Event="MixMonitorStart")
    assert begun["Channel"].startswith("PJSIP/trunk-")
    await outside.mobile("79161230000").answers()
    staff = await service.seen(Event="BridgeEnter", CallerIDNum="101")
    await service.action(Action="BlindTransfer", Channel=staff["Channel"], Exten="102", Context="switchhook-internal")
    await outside.phone("boris-desk").answers()
    await service.seen(Event="Hangup", Uniqueid=begun["Uniqueid"])
    await complete(pbx.recordings, begun["Uniqueid"])
    sides = [pbx.recordings / f"{begun['Uniqueid']}-{side}.wav" for side in SIDES]
    assert [(length(side) > 2.5, loudness(side) > 50) for side in sides] == [(True, True)] * 2, [
        (length(side), loudness(side)) for side in sides
    ]
    assert [event["Uniqueid"] for event in service.events if event["Event"] == "MixMonitorStart"] == [begun["Uniqueid"]]


async def test_call_to_the_outside_is_recorded_with_the_sides_by_who_speaks(
    pbx: Pbx, outside: OutsideWorld, service: StandIn
) -> None:
    await outside.mobile("79161230000").behave(answer(0.1, speak=HELLO, hangup_after=3))
    call = await outside.phone("anna-desk").dial("79161230000", speak=())
    await call.ended()
    begun = await service.seen(Event="MixMonitorStart")
    name = begun["Uniqueid"]
    await complete(pbx.recordings, name)
    assert loudness(pbx.recordings / f"{name}-caller.wav") > 100
    assert loudness(pbx.recordings / f"{name}-staff.wav") < 10
