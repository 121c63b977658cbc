"""AMI and CEL are two witnesses of one call: on what both can know they agree, alone, together, and told twice."""

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from calls.events import Event
from calls.view import CallView, view
from service.replay import fold
from telephony import ami
from telephony.tape import messages, read

TAPES = Path(__file__).parents[1] / "tapes"
NAMES = sorted(tape.stem for tape in TAPES.glob("*.ami"))
NEAR = timedelta(milliseconds=5)
"""Asterisk stamps one moment once for each witness, up to 0.8 ms apart (tape queue_ringall)."""

# What the shipped AMI user may hear: class `call`, `user` and `agent`, no rows of CEL and nothing of the dialplan.
LIVE = {"call,all", "user,all", "agent,all"}

# What one witness alone cannot know: UserEvents (a refusal) and QUEUESTATUS are told by AMI only.
AMI_ONLY = {"mobile_refused": {"legs"}, "queue_timeout": {"missed_cause", "queues"}, "queue_again": {"queues"}}
# Without the dialplan's class (VarSet, Newexten) the shipped user hears no QUEUESTATUS, and no Dial of a dead phone.
NOT_LIVE = {
    "unregistered": {"legs", "missed_cause"},
    "queue_timeout": {"missed_cause", "queues"},
    "queue_again": {"queues"},
    "voicemail": {"status", "missed_cause"},
}


def ami_alone(name: str, classes: Iterable[str] | None = None) -> list[Event]:
    with (TAPES / f"{name}.ami").open(encoding="utf-8", newline="\n") as file:
        spoken = list(messages(file))
    kept = [
        one for one in spoken if one.get("Event") != "CEL" and (not classes or str(one.get("Privilege")) in classes)
    ]
    return [event for one in kept for event in ami.translate("pbx", one)]


def cel_alone(name: str) -> list[Event]:
    return read(TAPES / f"{name}.cel.csv").events


def calls(events: Iterable[Event]) -> list[CallView]:
    return [view(call) for call in fold(events)]


def common(seen: CallView) -> dict[str, Any]:
    """What both witnesses can know. Only AMI tells ringing, and only CEL and the dialplan's class tell applications."""
    return {
        "linkedids": set(seen.linkedids),
        "direction": seen.direction,
        "caller": (seen.caller_number, seen.caller_name, seen.caller_device, seen.caller_channel),
        "dialed": seen.dialed,
        "status": seen.status,
        "missed_cause": seen.missed_cause,
        "answered_by": seen.answered_by,
        "legs": [(leg.channel, leg.device, leg.number, leg.outcome, leg.hangup_cause) for leg in seen.legs],
        "talks": [talk.between for talk in seen.talks],
        "transfers": [(one.kind, one.by, one.to, one.reached, one.completed) for one in seen.transfers],
        "pickups": [(one.by, one.of) for one in seen.pickups],
        "queues": [(one.name, one.outcome) for one in seen.queues],
        "recordings": seen.recordings,
    }


def times(seen: CallView) -> list[datetime | None]:
    told = [seen.started_at, seen.answered_at, seen.ended_at]
    for leg in seen.legs:
        told += [leg.started_at, leg.answered_at, leg.ended_at]
    for talk in seen.talks:
        told += [talk.since, talk.until]
    told += [one.at for one in seen.transfers] + [one.at for one in seen.pickups]
    for queue in seen.queues:
        told += [queue.entered_at, queue.left_at]
    return told


def near(one: CallView, other: CallView) -> bool:
    pairs = list(zip(times(one), times(other), strict=True))
    spans = [(one.talk_seconds, other.talk_seconds), (one.wait_seconds, other.wait_seconds)]
    return all(a == b or (a and b and abs(a - b) < NEAR) for a, b in pairs) and all(
        abs(a - b) < NEAR.total_seconds() for a, b in spans
    )


def without(facts: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in names}


def test_the_tapes_are_here() -> None:
    assert len(NAMES) == 38


@pytest.mark.parametrize("name", NAMES)
def test_ami_and_cel_tell_the_same_call(name: str) -> None:
    """One call each, the same facts, the same times to a few milliseconds."""
    (live,), (durable,) = calls(ami_alone(name)), calls(cel_alone(name))
    unknown = AMI_ONLY.get(name, ())
    assert without(common(live), unknown) == without(common(durable), unknown)
    assert near(live, durable)


@pytest.mark.parametrize("name", NAMES)
def test_both_witnesses_together_tell_one_call(name: str) -> None:
    """Two tellings of one moment, microseconds apart, are one moment: no second talk, transfer, queue or recording."""
    live = ami_alone(name)
    (both,) = calls([*live, *cel_alone(name)])
    (alone,) = calls(live)
    assert common(both) == common(alone)
    assert near(both, alone)
    assert [leg.rang_at for leg in both.legs] == [leg.rang_at for leg in alone.legs]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_shipped_user_hears_is_enough(name: str) -> None:
    """Without the dialplan's class AMI still tells the call; what it cannot know is not contradicted."""
    (heard,), (known,) = calls(ami_alone(name, LIVE)), calls(ami_alone(name))
    unknown = {"recordings", *NOT_LIVE.get(name, ())}
    assert without(common(heard), unknown) == without(common(known), unknown)


@pytest.mark.parametrize("witness", [ami_alone, cel_alone])
@pytest.mark.parametrize("name", NAMES)
def test_order_and_repetition_change_nothing(name: str, witness: Callable[[str], list[Event]]) -> None:
    """Shuffled, and told twice: the same record, to the microsecond."""
    events = witness(name)
    (told,) = calls(events)
    shuffled = events + events
    random.Random(name).shuffle(shuffled)
    assert calls(shuffled) == [told]


def test_all_tapes_at_once_are_one_call_each() -> None:
    """Calls of one busy PBX do not run into each other, whichever witness tells them."""
    live = [event for name in NAMES for event in ami_alone(name)]
    durable = [event for name in NAMES for event in cel_alone(name)]
    random.Random(1).shuffle(live)
    assert [seen.id for seen in calls(live)] == [seen.id for seen in calls(durable)]
    assert len(calls(live + durable)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [0.25, 0.5, 0.75])
def test_cel_of_a_gap_completes_what_ami_told_before_it(name: str, cut: float) -> None:
    """AMI heard a call's beginning, then the service was down: CEL's rows since then complete the record."""
    live, durable = ami_alone(name), cel_alone(name)
    first, last = (min(one.at for one in live if one.at), max(one.at for one in live if one.at))
    at = first + (last - first) * cut
    heard = [event for event in live if event.at and event.at <= at]
    missed = [event for event in durable if event.at and event.at >= at - NEAR]
    (told,), (whole,) = calls([*heard, *missed]), calls(durable)
    assert told.status == whole.status
    assert told.answered_by == whole.answered_by
    if name not in AMI_ONLY:
        assert [leg.outcome for leg in told.legs] == [leg.outcome for leg in whole.legs]
    assert abs(told.talk_seconds - whole.talk_seconds) < 2 * NEAR.total_seconds()
    assert told.ended_at is not None
