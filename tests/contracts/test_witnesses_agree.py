"""AMI and CEL are two witnesses of one call: on what both can know they agree, alone, together, and told twice."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from calls.events import Event
from telephony.tape import read
from tests.lab.scenarios.catalogue import SCENARIOS
from tests.lab.scenarios.witnesses import NEAR, calls, common, near, of_ami

TAPES = Path(__file__).parents[1] / "tapes"
NAMES = sorted(tape.stem for tape in TAPES.glob("*.ami"))

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
    return of_ami((TAPES / f"{name}.ami").read_bytes().decode(), classes)


def cel_alone(name: str) -> list[Event]:
    return read(TAPES / f"{name}.cel.csv").events


def unknown_to(name: str) -> set[str]:
    """What one witness alone cannot know of this tape."""
    return AMI_ONLY.get(name) or set(SCENARIOS[name].unknown_to_any if name in SCENARIOS else ())


def without(facts: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name not in names}


@pytest.mark.parametrize("name", NAMES)
def test_ami_and_cel_tell_the_same_call(name: str) -> None:
    """The same facts, the same times to a few milliseconds."""
    for live, durable in zip(calls(ami_alone(name)), calls(cel_alone(name)), strict=True):
        assert without(common(live), unknown_to(name)) == without(common(durable), unknown_to(name))
        assert near(live, durable)


@pytest.mark.parametrize("name", NAMES)
def test_both_witnesses_together_tell_one_call(name: str) -> None:
    """Two tellings of one moment, microseconds apart, are one moment: no second talk, transfer, queue or recording."""
    live = ami_alone(name)
    for both, alone in zip(calls([*live, *cel_alone(name)]), calls(live), strict=True):
        assert without(common(both), unknown_to(name)) == without(common(alone), unknown_to(name))
        assert near(both, alone)
        assert [leg.rang_at for leg in both.legs] == [leg.rang_at for leg in alone.legs]


@pytest.mark.parametrize("name", NAMES)
def test_what_the_shipped_user_hears_is_enough(name: str) -> None:
    """Without the dialplan's class AMI still tells the call; what it cannot know is not contradicted."""
    not_live = SCENARIOS[name].unknown_live if name in SCENARIOS else ()
    unknown = {"recordings", *NOT_LIVE.get(name, ()), *not_live, *unknown_to(name)}
    for heard, known in zip(calls(ami_alone(name, LIVE)), calls(ami_alone(name)), strict=True):
        assert without(common(heard), unknown) == without(common(known), unknown)


@pytest.mark.parametrize("witness", [ami_alone, cel_alone])
@pytest.mark.parametrize("name", NAMES)
def test_order_and_repetition_change_nothing(name: str, witness: Callable[[str], list[Event]]) -> None:
    """Shuffled, and told twice: the same record, to the microsecond."""
    events = witness(name)
    told = calls(events)
    shuffled = events + events
    random.Random(name).shuffle(shuffled)
    assert calls(shuffled) == told


def test_all_tapes_at_once_stay_apart() -> None:
    """Calls of one busy PBX do not run into each other, whichever witness tells them."""
    live = [event for name in NAMES for event in ami_alone(name)]
    durable = [event for name in NAMES for event in cel_alone(name)]
    random.Random(1).shuffle(live)
    assert [seen.id for seen in calls(live)] == [seen.id for seen in calls(durable)]
    assert len(calls(live + durable)) == sum(len(calls(cel_alone(name))) for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cut", [0.25, 0.5, 0.75])
def test_cel_of_a_gap_completes_what_ami_told_before_it(name: str, cut: float) -> None:
    """AMI heard a call's beginning, then the service was down: CEL's rows since then complete the record."""
    live, durable = ami_alone(name), cel_alone(name)
    first, last = (min(one.at for one in live if one.at), max(one.at for one in live if one.at))
    at = first + (last - first) * cut
    heard = [event for event in live if event.at and event.at <= at]
    missed = [event for event in durable if event.at and event.at >= at - NEAR]
    for told, whole in zip(calls([*heard, *missed]), calls(durable), strict=True):
        assert told.status == whole.status
        assert told.answered_by == whole.answered_by
        if "legs" not in unknown_to(name):
            assert [leg.outcome for leg in told.legs] == [leg.outcome for leg in whole.legs]
        assert abs(told.talk_seconds - whole.talk_seconds) < 2 * NEAR.total_seconds()
        assert told.ended_at is not None
