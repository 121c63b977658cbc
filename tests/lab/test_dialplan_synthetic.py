"""The synthetic call: it comes in as a caller does, both sides are recorded, and nothing else is ever rung by it."""

from __future__ import annotations

import wave
from uuid import uuid4

import pytest

from service.pbx import Pbx
from telephony.synthetic import originate
from tests.lab.stand_in import StandIn

OUTSIDE = "Local/79160000011@switchhook-outside/n"


async def begin(service: StandIn, line: str, own: str | None = None) -> str:
    """Have the PBX call the line as the service does; returns the uniqueid of the half that comes in."""
    told = originate(uuid4(), "0", "ru") | {"Channel": f"Local/{line}@switchhook-synthetic/n"}
    told |= {"ChannelId": own, "OtherChannelId": f"{own}-in"} if own else {}
    del told["ActionID"]  # the stand-in counts its own
    took = await service.action(**told)
    assert took["Response"] == "Success", took
    return told["OtherChannelId"]


def channels(service: StandIn) -> set[str]:
    """The channels that there were, without the number that tells two of one kind apart."""
    return {event["Channel"].rpartition("-")[0] for event in service.events if event.get("Event") == "Newchannel"}


async def test_it_comes_in_as_a_caller_and_both_sides_are_recorded(pbx: Pbx, service: StandIn, line: str) -> None:
    """The plan is asked for as of any caller, and not done: the test phone rings, whatever the plan says."""
    service.plan = [("ring", OUTSIDE, 20), ("ring", "PJSIP/anna-desk", 20)]
    caller = await begin(service, line)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Uniqueid=caller)
    assert (arrival["Line"], arrival["From"]) == (line, "70000000000")
    await service.seen(Event="Hangup", Uniqueid=caller)
    assert service.told("Kind", "Status") == [
        ("Arrival",),
        ("Step", "ring"),
        ("StepEnd", "ring", "ANSWER"),
        ("Hangup", "ANSWER"),
    ]
    assert channels(service) == {f"Local/{line}@switchhook-synthetic", "Local/phone@switchhook-synthetic"}
    for side in ("caller", "staff"):
        with wave.open(str(pbx.recordings / f"{caller}-{side}.wav")) as sound:
            assert sound.getnframes() / sound.getframerate() > 4


async def test_nobody_is_rung_by_it_when_the_service_is_silent(service: StandIn, line: str) -> None:
    """A caller would be rung to the fallback and to the outside number for emergencies; this call ends."""
    await service.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/anna-desk")
    await service.set_global(f"SWITCHHOOK_EMERGENCY_{line}", "79160000012")
    caller = await begin(service, line)
    await service.seen(Event="Hangup", Uniqueid=caller)
    assert service.told("Reason") == [("Arrival",), ("Fallback", "late"), ("Hangup",)]
    assert channels(service) == {f"Local/{line}@switchhook-synthetic"}


async def test_nobody_is_rung_by_it_when_the_service_is_away(service: StandIn, line: str) -> None:
    await service.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/anna-desk")
    await service.stop_living()
    caller = await begin(service, line)
    await service.seen(Event="Hangup", Uniqueid=caller)
    assert service.told("Reason") == [("Fallback", "down"), ("Hangup",)]
    assert channels(service) == {f"Local/{line}@switchhook-synthetic"}


async def test_what_it_is_sent_to_later_rings_nobody(service: StandIn, line: str) -> None:
    """A plan without steps, a hold and a step of a newer service's kind: none of them is looked at."""
    for plan in ([], [("hold", "sales", 20)], [("novelty", OUTSIDE, 20)]):
        service.plan = plan
        service.events.clear()
        caller = await begin(service, line)
        await service.seen(UserEvent="SwitchhookStep", Uniqueid=caller)
        await service.action(Action="Hangup", Channel=f"/^Local/{line}@switchhook-synthetic/")
        await service.seen(Event="Hangup", Uniqueid=caller)
        assert channels(service) <= {f"Local/{line}@switchhook-synthetic", "Local/phone@switchhook-synthetic"}


@pytest.mark.parametrize("exten", ["74950009999", "s"])
async def test_whoever_else_comes_there_is_turned_away(service: StandIn, exten: str) -> None:
    """A channel that another program began under a name of its own asks nothing of the service and rings nobody."""
    caller = await begin(service, exten, own=f"somebody-{uuid4().hex}")
    await service.seen(Event="Hangup", Uniqueid=caller)
    assert service.told() == []
    assert channels(service) == {f"Local/{exten}@switchhook-synthetic"}
