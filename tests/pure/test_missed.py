"""Why a call was missed: one cause with its evidence, and blame only for whom it is due."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import events as e
from calls.call import Call, apply
from calls.decision import decision_of
from calls.events import Event
from calls.missed import CAUSES, GROUPS
from calls.view import CallView, to_json, view
from service.commands.replay import replay
from telephony.tape import TapeError

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANNA, BORIS, TRUNK = "PJSIP/anna", "PJSIP/boris", "PJSIP/trunk"


def ev(kind: Any, channel: str, seconds: float, **more: Any) -> Event:
    event: Event = kind(pbx="pbx", channel=channel, linkedid="1.1", at=T0 + timedelta(seconds=seconds), **more)
    return event


def routed(
    *, rule: str = "team", reasons: Iterable[str] = (), rings: Iterable[str] = (ANNA,), least: float = 5, **left: str
) -> Event:
    """A decision that rings `rings` and passes over `left`, device by key of why."""
    targets = [{"person": _person(one), "device": one, "kind": "desk", "trunk": ""} for one in rings]
    considered = [{"person": _person(one), "device": one, "taken": True, "key": "free"} for one in rings]
    considered += [
        {"person": name, "device": f"PJSIP/{name}", "taken": False, "key": key} for name, key in left.items()
    ]
    plan = {
        "rule": rule,
        "reasons": [{"key": key, "text": key, "values": {}} for key in reasons],
        "steps": [{"kind": "ring", "targets": targets}] if targets else [{"kind": "message", "targets": []}],
        "considered": considered,
    }
    told = {"rule": rule, "plan": json.dumps(plan), "outcome": "in_time", "ring_seconds_least": least}
    return ev(e.Routed, "1.1", 0.2, **told)


def _person(device: str) -> str:
    return device.partition("/")[2]


def caller(ended: float, *, gave_up: bool = False) -> list[Event]:
    told = [
        ev(e.ChannelCreated, "1.1", 0, name=f"{TRUNK}-1", number="79161234567", dialed="500", incoming=True),
        ev(e.Arrived, "1.1", 0.1, line="74951234567", number="79161234567"),
        ev(e.ChannelHungUp, "1.1", ended, cause=16),
    ]
    return [*told, ev(e.HangupRequested, "1.1", ended)] if gave_up else told


def leg(uid: str, device: str, rang: float, ended: float, status: str = "NOANSWER", cause: int = 0) -> list[Event]:
    return [
        ev(e.ChannelCreated, uid, rang, name=f"{device}-{uid[-1]}", number="101", incoming=False),
        ev(e.Dialed, "1.1", rang, target=uid, target_name=f"{device}-{uid[-1]}"),
        ev(e.ChannelRang, uid, rang),
        ev(e.DialEnded, "1.1", ended, target=uid, status=status),
        ev(e.ChannelHungUp, uid, ended, cause=cause),
    ]


def seen(*events: Event | list[Event]) -> CallView:
    flat = [one for told in events for one in (told if isinstance(told, list) else [told])]
    return view(reduce(apply, flat, Call(pbx="pbx")))


def told(call: CallView) -> tuple[str | None, tuple[str, ...]]:
    return call.missed_cause, call.charged_to


def test_who_let_a_reachable_phone_ring_long_enough_on_their_shift_is_charged() -> None:
    assert told(seen(caller(12), routed(), leg("1.2", ANNA, 1, 11))) == ("rang_out", ("anna",))


def test_who_was_hardly_rung_is_not_charged() -> None:
    """The line's minimum is what it was when the call was routed."""
    assert told(seen(caller(12), routed(least=20), leg("1.2", ANNA, 1, 11))) == ("rang_out", ())
    both = routed(rings=(ANNA, BORIS))
    legs = [leg("1.2", ANNA, 1, 11), leg("1.3", BORIS, 9, 11)]
    assert told(seen(caller(12), both, *legs)) == ("rang_out", ("anna",))


def test_whom_routing_did_not_know_on_shift_is_not_charged() -> None:
    """The PBX rang them by itself, or for another reason than the plan's."""
    assert told(seen(caller(12), leg("1.2", ANNA, 1, 11))) == ("rang_out", ())
    assert told(seen(caller(12), routed(rings=(BORIS,)), leg("1.2", ANNA, 1, 11))) == ("rang_out", ())


def test_a_phone_that_died_while_it_rang_is_the_cause_and_nobody_is_charged() -> None:
    gone = ev(e.DeviceUnreachable, "1.1", 12, device=ANNA, since=T0 + timedelta(seconds=4))
    assert told(seen(caller(12), routed(), leg("1.2", ANNA, 1, 11), gone)) == ("device_unreachable", ())
    other = leg("1.3", BORIS, 1, 11)
    both = seen(caller(12), routed(rings=(ANNA, BORIS)), leg("1.2", ANNA, 1, 11), other, gone)
    assert told(both) == ("rang_out", ("boris",))


def test_what_rings_is_there_whatever_was_said_of_it_before() -> None:
    """A trunk that never answers OPTIONS is told unreachable all the time."""
    gone = ev(e.DeviceUnreachable, "1.1", 12, device=ANNA, since=T0 - timedelta(hours=4))
    assert told(seen(caller(12), routed(), leg("1.2", ANNA, 1, 11), gone)) == ("rang_out", ("anna",))


def test_a_caller_who_leaves_before_the_lines_minimum_gave_nobody_a_chance() -> None:
    call = seen(caller(4, gave_up=True), routed(), leg("1.2", ANNA, 1, 4, "CANCEL"))
    assert told(call) == ("caller_gave_up_early", ())
    call = seen(caller(9, gave_up=True), routed(), leg("1.2", ANNA, 1, 9, "CANCEL"))
    assert told(call) == ("rang_out", ("anna",))


@pytest.mark.parametrize(
    "status, cause, wanted", [("BUSY", 17, ("all_busy", ())), ("BUSY", 21, ("rejected", ("anna",)))]
)
def test_a_phone_that_is_busy_or_declines(status: str, cause: int, wanted: tuple[str, tuple[str, ...]]) -> None:
    assert told(seen(caller(9), routed(), leg("1.2", ANNA, 1, 8, status, cause))) == wanted


@pytest.mark.parametrize(
    "key", ["outside_hours", "nobody_on_shift", "all_busy", "do_not_disturb", "device_unreachable"]
)
def test_a_plan_that_rings_nobody_says_why(key: str) -> None:
    call = seen(caller(9), routed(rule="my_own_rule", reasons=(key,), rings=(), boris="busy"))
    assert told(call) == (key, ())
    assert {"key": "reason", "values": {"reason": key}, "facts": ["Routed"]} in to_json(call)["missed_evidence"]


def test_a_late_look_up_is_the_cause_only_where_others_let_it_ring() -> None:
    late = routed(reasons=("crm_late",))
    assert told(seen(caller(12), late, leg("1.2", ANNA, 1, 11))) == ("crm_late", ())
    assert told(seen(caller(3, gave_up=True), late, leg("1.2", ANNA, 1, 3, "CANCEL")))[0] == "caller_gave_up_early"


@pytest.mark.parametrize(
    "reason, wanted", [("down", "service_down"), ("late", "routing_late"), ("empty", "no_route"), ("", "service_down")]
)
def test_what_the_fallback_lost_is_the_services(reason: str, wanted: str) -> None:
    """CEL alone tells no reason: then nobody listened, so the service was down."""
    fallback = ev(e.FallbackTaken, "1.1", 1, reason=reason)
    assert told(seen(caller(12), fallback, leg("1.2", ANNA, 1, 11))) == (wanted, ())


def test_a_fallback_that_only_cel_tells_was_late_when_routing_had_decided() -> None:
    assert seen(caller(12), routed(), ev(e.FallbackTaken, "1.1", 1)).missed_cause == "routing_late"


def test_a_mobile_that_the_trunk_did_not_take_is_the_trunks() -> None:
    mobile = {"person": "anna", "device": "79160000011", "kind": "mobile", "trunk": TRUNK}
    plan = json.dumps({"steps": [{"kind": "ring", "targets": [mobile]}]})
    decided = ev(e.Routed, "1.1", 0.2, rule="team", plan=plan)
    assert (
        seen(caller(9), decided, ev(e.StepEnded, "1.1", 2, step=1, status="CHANUNAVAIL")).missed_cause
        == "trunk_failure"
    )
    refused = leg("1.2", TRUNK, 1, 2, "CONGESTION", 34)[:2] + leg("1.2", TRUNK, 1, 2, "CONGESTION", 34)[3:]
    assert seen(caller(9), decided, refused).missed_cause == "trunk_failure"


def test_who_waits_in_a_queue_in_vain_did_not_give_up_early() -> None:
    queued = ev(e.QueueJoined, "1.1", 1, queue="sales")
    assert seen(caller(60, gave_up=True), queued).missed_cause == "queue_timeout"
    assert seen(caller(4, gave_up=True), queued).missed_cause == "caller_gave_up_early"


@pytest.mark.parametrize(
    "left, wanted",
    [
        ({"anna": "busy", "boris": "unreachable"}, "all_busy"),
        ({"anna": "off_shift", "boris": "do_not_disturb"}, "do_not_disturb"),
        ({"boris": "unreachable"}, "device_unreachable"),
        ({}, "all_busy"),
    ],
)
def test_who_leaves_the_queue_to_be_called_back_had_nobody_free(left: dict[str, str], wanted: str) -> None:
    """Their time was not up: whoever they held for could not be rung. Once a phone rang, its person did not answer."""
    queue = [
        ev(e.QueueJoined, "1.1", 1, queue="sales"),
        ev(e.CallbackRequested, "1.1", 8, team="sales", place=1),
        ev(e.QueueLeft, "1.1", 9, queue="sales", outcome="callback"),
    ]
    assert told(seen(caller(10), routed(rings=(), least=5, **left), queue)) == (wanted, ())
    rung = seen(caller(10), routed(rings=(ANNA,), least=5, **left), queue, leg("1.2", ANNA, 1, 7, "CANCEL"))
    assert told(rung) == ("rang_out", ("anna",))


def test_a_caller_lost_in_a_transfer_is_told_although_somebody_talked() -> None:
    """They talked with Anna, were sent to Boris, and nobody took them."""
    talk = [ev(e.BridgeEntered, uid, 3, bridge="b") for uid in ("1.1", "1.2")]
    left = [ev(e.BridgeLeft, uid, 8, bridge="b") for uid in ("1.1", "1.2")]
    sent = ev(e.Transferred, "1.2", 8, to="102", transferee="1.1")
    rest = [sent, *leg("1.3", BORIS, 8.1, 20)]
    call = seen(caller(21), leg("1.2", ANNA, 1, 8, "ANSWER", 16), talk, left, rest)
    assert (call.status, call.missed_cause, call.lost_in_transfer) == ("answered", None, True)
    back = [ev(e.BridgeEntered, uid, 12, bridge="c") for uid in ("1.1", "1.3")]
    assert not seen(caller(21), leg("1.2", ANNA, 1, 8, "ANSWER", 16), talk, left, rest, back).lost_in_transfer


@given(
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda one: (
            st.lists(one)
            | st.dictionaries(
                st.sampled_from(["steps", "reasons", "considered", "targets", "key", "values", "kind"]), one
            )
        ),
    ).map(json.dumps)
)
def test_whatever_a_plan_holds_the_call_is_read(plan: str) -> None:
    call = reduce(apply, [*caller(12), ev(e.Routed, "1.1", 0.2, rule="x", plan=plan)], Call(pbx="pbx"))
    decision_of(call)
    assert view(call).missed_cause in CAUSES


def test_every_cause_belongs_to_somebody() -> None:
    known = {"caller", "people", "schedule", "telephony", "integration", "configuration"}
    assert {group for cause, group in GROUPS.items() if cause != "unknown"} == known


def test_of_all_taped_scenarios_less_than_one_in_a_hundred_has_no_known_cause() -> None:
    """Every missed call of every tape, as either witness tells it, has a cause and something to show for it."""
    missed = []
    for tape in sorted(Path("tests/tapes").rglob("*")):
        try:
            records, _ = replay([tape]) if tape.suffix in {".ami", ".csv", ".jsonl"} else ([], 0)
        except TapeError:
            continue
        missed += [one for one in records if one.status == "missed"]
    assert len(missed) >= 40
    assert sum(one.missed_cause == "unknown" for one in missed) / len(missed) < 0.01
    assert all(one.missed_evidence for one in missed)
