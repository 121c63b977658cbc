"""What whoever we call hears before they are recorded, on a real PBX: said when they answer, refused by a key."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from recordings.names import SIDES
from service.demo_world import OutsideWorld, answer
from service.demo_world.behaviour import Behaviour
from service.demo_world.speech import seconds
from service.demo_world.world import OutsideCall
from service.pbx import Pbx
from telephony.hand_over import WAKE
from tests.lab.stand_in import StandIn
from tests.lab.test_dialplan_consent import files_of
from tests.lab.test_dialplan_talks import complete, length

CLIENT, SHOWN = "79161230077", "74950000777"
PROMPT = "vm-goodbye"
SAID_SECONDS = 1 + seconds((f"ru/{PROMPT}",))
KEY_SECONDS = 2
TALK = ("ru/queue-youarenext",) * 6


@pytest.fixture
async def told(pbx: Pbx, service: StandIn) -> AsyncIterator[StandIn]:
    """Whoever is called and shown the number is told, and may refuse by 3; afterwards the PBX forgets it."""
    await service.set_global(f"SWITCHHOOK_CALLED_{SHOWN}", f"{PROMPT}@3@ru")
    yield service
    await service.set_global(f"SWITCHHOOK_CALLED_{SHOWN}", "")
    await pbx.cli(f"database del switchhook/CALLED {SHOWN}")


async def dial(outside: OutsideWorld, service: StandIn, client: Behaviour) -> OutsideCall:
    """Анна dials the client, who does as told, and the service allows it."""
    await outside.mobile(CLIENT).behave(client)
    call = await outside.phone("anna-desk").dial(CLIENT)
    await allow(service)
    return call


async def allow(service: StandIn) -> None:
    """The service allows the call to the client, as soon as it is asked."""
    asked = await service.seen(UserEvent="SwitchhookOutbound")
    allowed = f"allow|{SHOWN}|PJSIP/trunk|{CLIENT}|{CLIENT}"
    await service.action(Action="Setvar", Channel=asked["Channel"], Variable="SWITCHHOOK_OUT", Value=allowed)
    await service.action(Action="PlayDTMF", Channel=asked["Channel"], **WAKE)


async def test_whoever_is_called_hears_it_before_anybody_hears_them(
    pbx: Pbx, outside: OutsideWorld, told: StandIn
) -> None:
    """And is recorded from the talk's first second to its last when they say nothing against it."""
    talks = 1.5
    client = answer(0.1, speak=TALK, hangup_after=SAID_SECONDS + KEY_SECONDS + talks)
    call = await dial(outside, told, client)
    await outside.mobile(CLIENT).answers()
    assert not call.is_answered
    recording = await told.seen(Event="MixMonitorStart")
    ours = (await told.seen(UserEvent="SwitchhookOutbound"))["Uniqueid"]
    connected = await told.seen(Event="Newstate", Uniqueid=ours, ChannelStateDesc="Up")
    assert float(recording["Timestamp"]) <= float(connected["Timestamp"])
    answered = await told.seen(Event="Newstate", Uniqueid=recording["Uniqueid"], ChannelStateDesc="Up")
    said = float(recording["Timestamp"]) - float(answered["Timestamp"])
    assert abs(said - SAID_SECONDS - KEY_SECONDS - 0.5) < 1.0
    await call.ended()
    await complete(pbx.recordings, recording["Uniqueid"])
    lengths = [length(pbx.recordings / f"{recording['Uniqueid']}-{side}.wav") for side in SIDES]
    assert all(0.2 < one < talks + 0.5 for one in lengths), lengths


@pytest.mark.parametrize("after", [1.2, SAID_SECONDS + 0.5], ids=["while it is said", "after it"])
async def test_whoever_presses_the_key_talks_and_is_not_recorded(
    pbx: Pbx, outside: OutsideWorld, told: StandIn, after: float
) -> None:
    call = await dial(outside, told, Behaviour("answer", 0.1, TALK, None, "", "3", after))
    refused = await told.seen(UserEvent="SwitchhookRecordingRefused")
    assert (refused["Reason"], refused["Channel"].rpartition("-")[0]) == ("caller", "PJSIP/trunk")
    await call.answered()
    assert "MixMonitorStart" not in [event["Event"] for event in told.events]
    await call.hangup()
    assert files_of(pbx, refused["Uniqueid"]) == []


@pytest.mark.parametrize("key", ["3", ""])
async def test_whoever_cannot_be_told_talks_and_is_not_recorded(
    pbx: Pbx, outside: OutsideWorld, told: StandIn, key: str
) -> None:
    """The prompt is missing on the PBX: why there is no recording is on record."""
    await told.set_global(f"SWITCHHOOK_CALLED_{SHOWN}", f"no-such-prompt@{key}@")
    call = await dial(outside, told, answer(0.1, speak=TALK))
    refused = await told.seen(UserEvent="SwitchhookRecordingRefused")
    assert refused["Reason"] == "unannounced"
    await call.answered()
    await call.hangup()
    assert files_of(pbx, refused["Uniqueid"]) == []


async def test_a_client_who_is_called_first_is_told_before_anybody_of_ours_rings(
    outside: OutsideWorld, told: StandIn
) -> None:
    """Where no key refuses nobody waits for one."""
    await told.set_global(f"SWITCHHOOK_CALLED_{SHOWN}", f"{PROMPT}@@")
    await outside.mobile(CLIENT).behave(answer(0.1, speak=TALK))
    await told.action(
        Action="Originate",
        Channel=f"Local/{CLIENT}@switchhook-outbound/n",
        Context="switchhook-outbound",
        Exten="back",
        Priority="1",
        Variable=f"SWITCHHOOK_OUT=allow|{SHOWN}|PJSIP/trunk|{CLIENT}|{CLIENT},SWITCHHOOK_BACK=PJSIP/anna-desk",
        Async="true",
    )
    await outside.mobile(CLIENT).answers()
    recording = await told.seen(Event="MixMonitorStart")
    rang = await told.seen(Event="DialBegin", DestCallerIDNum="101")
    assert float(recording["Timestamp"]) <= float(rang["Timestamp"])
    answered = await told.seen(Event="Newstate", Uniqueid=recording["Uniqueid"], ChannelStateDesc="Up")
    assert abs(float(recording["Timestamp"]) - float(answered["Timestamp"]) - SAID_SECONDS - 0.5) < 1.0


@pytest.mark.parametrize("key, stays", [("", True), ("", False), ("3", False)])
async def test_whoever_a_recorded_client_is_sent_on_to_is_told_before_anybody_hears_them(
    outside: OutsideWorld, told: StandIn, line: str, key: str, stays: bool
) -> None:
    """What they say is in the client's recording, which goes on. Who hangs up meanwhile has refused nothing."""
    await told.set_global(f"SWITCHHOOK_CALLED_{SHOWN}", f"{PROMPT}@{key}@ru")
    told.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=("ru/hello",), transfer_to=CLIENT))
    hears = SAID_SECONDS + 1.0 if stays else 0.7
    await outside.mobile(CLIENT).behave(answer(0.1, speak=(10.0,), hangup_after=hears))
    call = await outside.call("79161234567", "Клиент", line, speak=(), stay=True)
    await allow(told)
    their = (await told.seen(Event="DialBegin", DialString=f"{CLIENT}@trunk"))["DestUniqueid"]
    await call.ended()
    (recorded,) = [one["Uniqueid"] for one in told.events if one["Event"] == "MixMonitorStart"]
    assert recorded == (await told.seen(UserEvent="SwitchhookArrival"))["Uniqueid"]
    assert "RecordingRefused" not in [name for name, *_ in told.told()]
    if stays:
        answered = await told.seen(Event="Newstate", Uniqueid=their, ChannelStateDesc="Up")
        connected = await told.seen(Event="BridgeEnter", Uniqueid=their)
        assert float(connected["Timestamp"]) - float(answered["Timestamp"]) > SAID_SECONDS - 0.2


async def test_whoever_is_called_for_help_hears_nothing_but_us(outside: OutsideWorld, told: StandIn, pbx: Pbx) -> None:
    """An emergency number is connected at once, and recorded as before."""
    globals_ = {"SWITCHHOOK_DESTINATIONS_default": "/112*/7+/", "SWITCHHOOK_SHOWN_default": SHOWN}
    for name, value in globals_.items():
        await told.set_global(name, value)
    await outside.mobile("112").behave(answer(0.1, speak=TALK))
    await pbx.cli("channel originate Local/112@switchhook-outbound/n application Wait 20")
    recording = await told.seen(Event="MixMonitorStart")
    answered = await told.seen(Event="Newstate", Uniqueid=recording["Uniqueid"], ChannelStateDesc="Up")
    assert float(recording["Timestamp"]) <= float(answered["Timestamp"])
    for name in globals_:
        await told.set_global(name, "")
        await pbx.cli(f"database del switchhook/{name.split('_')[1]} default")
