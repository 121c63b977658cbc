"""The fold's promises: order, repetition and the number of witnesses change nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from calls import events as e
from calls.call import KEPT, Call, apply, join
from calls.record import event_from_json, event_json, state_call, state_json
from calls.view import view

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def ev(kind: Any, channel: str, seconds: float, **told: Any) -> e.Event:
    event: e.Event = kind(pbx="pbx", channel=channel, linkedid="1.1", at=at(seconds), **told)
    return event


CALLER: dict[str, Any] = {"name": "PJSIP/trunk-01", "number": "79161234567", "dialed": "500", "incoming": True}
DESK: dict[str, Any] = {"name": "PJSIP/anna-02", "number": "101", "dialed": "s", "incoming": False}

ANSWERED: list[e.Event] = [
    ev(e.ChannelCreated, "1.1", 0, **CALLER),
    ev(e.ChannelCreated, "1.2", 0.1, **DESK),
    ev(e.Dialed, "1.1", 0.1, target="1.2", target_name="PJSIP/anna-02"),
    ev(e.ChannelRang, "1.2", 0.2),
    ev(e.ChannelUp, "1.2", 3),
    ev(e.BridgeEntered, "1.2", 3.1, bridge="b"),
    ev(e.BridgeEntered, "1.1", 3.2, bridge="b"),
    ev(e.Held, "1.2", 5),
    ev(e.Resumed, "1.2", 7),
    ev(e.BridgeLeft, "1.1", 13.2, bridge="b"),
    ev(e.BridgeLeft, "1.2", 13.2, bridge="b"),
    ev(e.ChannelHungUp, "1.2", 13.3, cause=16),
    ev(e.ChannelHungUp, "1.1", 13.3, cause=16),
]


def fold(events: list[e.Event]) -> Call:
    call = Call()
    for event in events:
        call = apply(call, event)
    return call


@given(st.permutations(ANSWERED), st.lists(st.sampled_from(ANSWERED), max_size=8))
@settings(max_examples=60, deadline=None)
def test_any_order_and_any_repetition_give_the_same_record(order: list[e.Event], again: list[e.Event]) -> None:
    """Telling twice or in another order changes nothing."""
    assert fold([*order, *again]) == fold(ANSWERED)


@given(st.integers(min_value=0, max_value=len(ANSWERED)))
def test_two_half_told_calls_join_into_the_whole(cut: int) -> None:
    """Joining what two recorders know is the same as one recorder knowing all."""
    assert join(fold(ANSWERED[:cut]), fold(ANSWERED[cut:])) == fold(ANSWERED)


def test_an_answered_call_reads_as_people_would_tell_it() -> None:
    """Waiting ends when two people share a bridge, not when a channel is up."""
    seen = view(fold(ANSWERED))
    assert (seen.status, seen.direction, seen.answered_by) == ("answered", "inbound", ("PJSIP/anna",))
    assert (seen.wait_seconds, seen.talk_seconds, seen.hold_seconds) == (3.2, 10.0, 2.0)
    assert [leg.outcome for leg in seen.legs] == ["answered"]


def test_a_channel_being_up_alone_is_no_answer() -> None:
    """A menu or a queue brings the caller up; nobody answered."""
    told = [ANSWERED[0], ev(e.ChannelUp, "1.1", 1), ev(e.ChannelHungUp, "1.1", 30, cause=16)]
    seen = view(fold(told))
    assert (seen.status, seen.answered_at) == ("missed", None)


def test_a_call_ends_when_its_people_go() -> None:
    """A mobile that is asked for a key goes on for a while; the call is over only then, and ended when they went."""
    asked = ev(e.ChannelCreated, "1.3", 1, name="PJSIP/trunk-03", number="79160000011", dialed="s", incoming=False)
    told = [ANSWERED[0], asked, ev(e.ChannelUp, "1.3", 4), ev(e.ChannelHungUp, "1.1", 6, cause=16)]
    assert view(fold(told)).ended_at is None
    seen = view(fold([*told, ev(e.ChannelHungUp, "1.3", 13, cause=16)]))
    assert (seen.status, seen.ended_at, seen.wait_seconds) == ("missed", at(6), 6.0)


def test_a_phone_that_is_only_about_to_ring_is_not_unavailable() -> None:
    """Dial() names it before its channel begins; once Dial() is over without a channel, it could not be reached."""
    dialled = [ANSWERED[0], ev(e.AppStarted, "1.1", 1, app="Dial", data="PJSIP/anna,20")]
    assert view(fold(dialled)).legs == ()
    for end in (ev(e.DialFinished, "1.1", 1.1, status="CHANUNAVAIL"), ev(e.ChannelHungUp, "1.1", 2, cause=0)):
        assert [leg.outcome for leg in view(fold([*dialled, end])).legs] == ["unavailable"]


def test_music_and_parking_are_no_talk() -> None:
    """Two callers on hold in one holding bridge do not hear each other."""
    other = ev(e.ChannelCreated, "1.3", 0, name="PJSIP/trunk-03", number="79161234568", incoming=True)
    both = [ev(e.BridgeEntered, uid, 1, bridge="hold", holding=True) for uid in ("1.1", "1.3")]
    seen = view(fold([ANSWERED[0], other, *both]))
    assert seen.talks == ()
    assert seen.status == "ringing"


def test_untimed_events_still_tell_who_talked() -> None:
    """A tape without times gives every untimed fact."""
    seen = view(fold([replace(event, at=None) for event in ANSWERED]))
    assert (seen.status, seen.answered_by, seen.talk_seconds) == ("answered", ("PJSIP/anna",), 0.0)
    assert seen.talks[0].since is None


def test_state_and_events_survive_json() -> None:
    """What is read back from the database is what was written."""
    call = fold(ANSWERED)
    assert state_call(state_json(call)) == call
    assert [event_from_json(event_json(event)) for event in ANSWERED] == ANSWERED


_text = st.text(max_size=6)
_uid = st.sampled_from(["1.1", "1.2", "1.3", "x"])
_when = st.one_of(st.none(), st.floats(min_value=0, max_value=60).map(at))
_common: dict[str, Any] = {"pbx": st.just("pbx"), "channel": _uid, "linkedid": st.one_of(st.none(), _uid), "at": _when}
_name = st.sampled_from([None, "PJSIP/a-1", "Local/x@y-2;1", "Local/x@y-2;2", "odd"])
ANY = st.one_of(
    st.builds(e.ChannelCreated, **_common, name=_name, number=_text, dialed=_text, incoming=st.none() | st.booleans()),
    st.builds(e.ChannelRang, **_common),
    st.builds(e.ChannelUp, **_common, name=_name),
    st.builds(e.ChannelHungUp, **_common, cause=st.none() | st.integers(0, 130)),
    st.builds(e.Dialed, **_common, target=_uid, target_name=_name),
    st.builds(
        e.DialEnded, **_common, target=_uid, status=st.sampled_from(["ANSWER", "BUSY", "CANCEL", "NOANSWER", ""])
    ),
    st.builds(e.BridgeEntered, **_common, bridge=_uid, holding=st.booleans()),
    st.builds(e.BridgeLeft, **_common, bridge=_uid),
    st.builds(e.Held, **_common),
    st.builds(e.Resumed, **_common),
    st.builds(e.Transferred, **_common, transferee=_uid, target=_uid, second=_uid, to=_text),
    st.builds(e.PickedUp, **_common, target=_uid),
    st.builds(e.QueueJoined, **_common, queue=_text),
    st.builds(e.QueueLeft, **_common, queue=_text, outcome=_text),
    st.builds(e.AppStarted, **_common, app=st.sampled_from(["Dial", "VoiceMail"]), data=_text),
    st.builds(e.LinkedidEnded, **_common),
    st.builds(e.FallbackTaken, **_common, reason=_text),
    st.builds(e.Routed, **_common, plan=_text),
)


@given(st.lists(ANY, max_size=25), ANY)
@settings(max_examples=75, deadline=None)
def test_telling_an_event_is_joining_the_call_that_knows_nothing_else(told: list[e.Event], event: e.Event) -> None:
    """So what two recorders know separately is what one would know; and saying it again gives the very same value."""
    call = fold(told)
    after = apply(call, event)
    assert after == join(call, apply(Call(), event)) == join(apply(Call(), event), call)
    assert apply(after, event) is after


@given(st.lists(ANY, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=75, deadline=None)
def test_no_torn_story_breaks_the_reading(told: list[e.Event], chance: Random) -> None:
    """The PBX is a witness: whatever it tells, in whatever order, gives one and the same view."""
    shuffled = list(told)
    chance.shuffle(shuffled)
    assert view(fold(told)) == view(fold(shuffled))


def storm(count: int) -> list[e.Event]:
    """Between answer and hang-up: holds, bridges and dials beyond all measure."""
    told: list[e.Event] = []
    for number in range(count):
        when = 5 + number / count * 8
        told += [
            ev(e.Held if number % 2 else e.Resumed, "1.2", when),
            ev(e.BridgeEntered if number % 2 else e.BridgeLeft, "1.2", when, bridge="b"),
            ev(e.DialFinished, "1.1", when, status="BUSY"),
            ev(e.AppStarted, "1.1", when, app="Dial", data=f"PJSIP/{number % 7}"),
        ]
    return told


def test_a_storm_of_events_on_one_channel_leaves_a_small_and_true_call() -> None:
    """Who called, who answered, when it began and ended stay; the state stays small, its middle is not kept."""
    quiet, stormy = fold(ANSWERED), fold([*ANSWERED[:8], *storm(3000), *ANSWERED[8:]])
    assert state_json(stormy).keys() == state_json(quiet).keys() | {"facts"}
    assert len(json.dumps(state_json(stormy))) < 300_000
    assert len(stormy.facts) == 4 * KEPT
    assert len(stormy.channels["1.2"].stays) == len(stormy.channels["1.2"].holds) == 2 * KEPT
    told, known = view(stormy), view(quiet)
    for fact in ("caller_number", "started_at", "answered_at", "ended_at", "status", "answered_by"):
        assert getattr(told, fact) == getattr(known, fact), fact


def test_a_storm_in_any_order_leaves_the_same_call() -> None:
    """What is earliest and latest of all does not depend on what came first; telling it again changes nothing."""
    events = [*ANSWERED, *storm(2 * KEPT + 50)]
    events += [replace(ev(e.LinkedidEnded, "1.1", 9), linkedid=f"1.{number}") for number in range(2 * KEPT + 50)]
    whole = fold(events)
    random = Random(7)
    for _ in range(3):
        random.shuffle(events)
        assert fold(events) == whole
    half = len(events) // 2
    assert join(fold(events[:half]), fold(events[half:])) == whole
    assert fold([*events, *events]) == whole
    assert state_call(json.loads(json.dumps(state_json(whole)))) == whole
