"""What callers hear before they are recorded, on a real PBX: said first, refused by a key, also without the service."""

from __future__ import annotations

import pytest

from recordings.names import SIDES
from service.demo_world import OutsideWorld, answer
from service.demo_world.speech import seconds
from service.demo_world.world import OutsideCall
from service.pbx import Pbx
from tests.lab.stand_in import StandIn
from tests.lab.test_dialplan_hold import application
from tests.lab.test_dialplan_talks import complete, length

CALLER = "79161234567"
PROMPT = "priv-recordintro"
SAID_SECONDS = 1 + seconds((f"ru/{PROMPT}",))
TALK = ("ru/hello",)


async def press(outside: OutsideWorld, call: OutsideCall, key: str) -> None:
    await outside.manager.action({"Action": "PlayDTMF", "Channel": call.name, "Digit": key})


def files_of(pbx: Pbx, channel: str) -> list[str]:
    return sorted(path.name for path in pbx.recordings.glob(f"{channel}-*"))


async def asked(service: StandIn, line: str, consent: str = f"{PROMPT}@3") -> None:
    """The line asks its callers; a plan rings Анна."""
    await service.set_global(f"SWITCHHOOK_CONSENT_{line}", consent)
    service.plan = [("ring", "PJSIP/anna-desk", 10)]


async def test_callers_hear_it_before_anybody_rings_and_before_anything_is_recorded(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """And they are recorded when they say nothing against it, from the talk's first second to its last."""
    await asked(service, line)
    await outside.phone("anna-desk").behave(answer(0.2, speak=TALK * 4, hangup_after=3.0))
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.answered()
    assert not outside.phone("anna-desk").has_rung
    await call.ended()
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    rang = await service.seen(Event="DialBegin", DestCallerIDNum="101")
    recording = await service.seen(Event="MixMonitorStart", Uniqueid=arrival["Uniqueid"])
    said = float(recording["Timestamp"]) - float(arrival["Timestamp"])
    assert SAID_SECONDS < said < SAID_SECONDS + 4
    assert float(recording["Timestamp"]) <= float(rang["Timestamp"])
    await complete(pbx.recordings, arrival["Uniqueid"])
    lengths = [length(pbx.recordings / f"{arrival['Uniqueid']}-{side}.wav") for side in SIDES]
    assert all(abs(one - 3.0) < 1.0 for one in lengths), lengths
    assert "RecordingRefused" not in [name for name, *_ in service.told()]


@pytest.mark.parametrize("after_words", [False, True])
async def test_whoever_presses_the_key_is_not_recorded_whoever_takes_the_call(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str, after_words: bool
) -> None:
    """While the words are said or right after them; not after a transfer to a colleague or to the outside either."""
    await asked(service, line)
    to = "79161230007" if after_words else "102"
    other = outside.mobile(to) if after_words else outside.phone("boris-desk")
    await outside.phone("anna-desk").behave(answer(0.1, speak=TALK, transfer_to=to))
    await other.behave(answer(0.1, speak=TALK, hangup_after=1.0))
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.answered()
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await application(pbx, arrival["Channel"], f"Application: {'Read' if after_words else 'BackGround'}")
    await press(outside, call, "3")
    refused = await service.seen(UserEvent="SwitchhookRecordingRefused")
    assert (refused["Reason"], refused["Uniqueid"]) == ("caller", arrival["Uniqueid"])
    await other.answers()
    await call.ended()
    assert "MixMonitorStart" not in [event["Event"] for event in service.events]
    assert files_of(pbx, arrival["Uniqueid"]) == []


async def test_another_key_refuses_nothing(pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str) -> None:
    await asked(service, line)
    await outside.phone("anna-desk").behave(answer(0.1, speak=TALK, hangup_after=1.0))
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await application(pbx, arrival["Channel"], "Application: BackGround")
    await press(outside, call, "5")
    await call.ended()
    await complete(pbx.recordings, arrival["Uniqueid"])
    assert "RecordingRefused" not in [name for name, *_ in service.told()]


async def test_the_fallback_says_it_too_also_when_only_the_pbx_remembers_it(
    pbx: Pbx, outside: OutsideWorld, line: str
) -> None:
    """The service is away at both calls; at the second even its globals are gone, as after a restart of the PBX."""
    await outside.phone("boris-desk").behave(answer(0.1, speak=TALK, hangup_after=1.0))
    async with StandIn.logged_in(pbx, alive=False) as witness:
        settings = {"CONSENT": f"{PROMPT}@3", "FALLBACK": "PJSIP/boris-desk"}
        for refuses in (False, True):
            for kind, value in settings.items():
                await witness.set_global(f"SWITCHHOOK_{kind}_{line}", "" if refuses else value)
            call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
            await call.answered()
            assert not any(event.get("DestCallerIDNum") == "102" for event in witness.events)
            if refuses:
                name = (await witness.seen(UserEvent="SwitchhookFallback"))["Channel"]
                await application(pbx, name, "Application: BackGround")
                await press(outside, call, "3")
                assert (await witness.seen(UserEvent="SwitchhookRecordingRefused"))["Reason"] == "caller"
            await call.ended()
            channel = (await witness.seen(UserEvent="SwitchhookFallback"))["Uniqueid"]
            if not refuses:
                await complete(pbx.recordings, channel)
            await witness.seen(UserEvent="SwitchhookHangup")
            await witness.seen(Event="Hangup", Uniqueid=channel)
            assert bool(files_of(pbx, channel)) is not refuses
            witness.events.clear()


async def test_whoever_cannot_be_told_is_not_recorded_and_not_lost(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """The prompt is missing on the PBX: the call goes on, and why there is no recording is on record."""
    await asked(service, line, "no-such-prompt@3")
    await outside.phone("anna-desk").behave(answer(0.1, speak=TALK, hangup_after=0.5))
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.ended()
    refused = await service.seen(UserEvent="SwitchhookRecordingRefused")
    assert refused["Reason"] == "unannounced"
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "ANSWER"
    assert files_of(pbx, refused["Uniqueid"]) == []


async def test_a_line_that_asks_nobody_answers_nobody_before_it_rings(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    await asked(service, line, "none")
    call = await outside.call(CALLER, "Клиент", line)
    await outside.phone("anna-desk").rings()
    assert not call.is_answered
    await call.hangup()


async def test_nobody_is_asked_who_reaches_nobody(outside: OutsideWorld, service: StandIn, line: str) -> None:
    """A caller who is turned away is not answered for it."""
    await asked(service, line)
    service.plan = [("reject", "busy", 5)]
    call = await outside.call(CALLER, "Клиент", line)
    await call.ended()
    assert not call.is_answered
