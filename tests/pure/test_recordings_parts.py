"""Several recordings of one call on one time line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from calls import events as e
from calls.call import Call, apply
from calls.events import message_of
from recordings.parts import Part, Placed, length_of, line_of, parts_of, place
from tests.fakes.recorded import T0


@dataclass(frozen=True)
class Kept:
    """A side as it is stored."""

    channel: str
    seconds: float | None


def part(channel: str, begins: float | None, seconds: float) -> Part:
    return Part(channel, None if begins is None else T0 + timedelta(seconds=begins), seconds)


def offsets(*parts: Part) -> list[tuple[str, float]]:
    return [(one.channel, one.offset) for one in place(parts)]


def test_one_part_begins_the_line() -> None:
    assert place([part("a", 17, 6.5)]) == (Placed("a", 0.0, 6.5),)
    assert place([]) == ()


def test_a_part_that_begins_after_the_others_ended_follows_directly() -> None:
    """Whatever lay between was not recorded, however long it took."""
    assert offsets(part("b", 100, 5), part("a", 0, 10)) == [("a", 0.0), ("b", 10.0)]


def test_parts_that_overlap_stand_as_far_apart_as_they_began() -> None:
    """Also behind a gap that was left out, and behind a part that ended before another that began earlier."""
    told = offsets(part("a", 0, 10), part("b", 4, 2), part("c", 8, 20), part("d", 100, 10), part("e", 103, 1))
    assert told == [("a", 0.0), ("b", 4.0), ("c", 8.0), ("d", 28.0), ("e", 31.0)]


def test_a_part_without_a_time_comes_last() -> None:
    assert offsets(part("z", None, 3), part("a", 0, 10), part("y", None, 2)) == [("a", 0.0), ("y", 10.0), ("z", 12.0)]


spans = st.tuples(st.none() | st.integers(0, 500), st.integers(0, 60))


@given(told=st.lists(spans, max_size=6), order=st.randoms(use_true_random=False))
def test_a_line_has_no_hole_and_no_order(told: list[tuple[int | None, int]], order: Random) -> None:
    """Whatever was recorded and in whichever order it is told: from 0 on, something sounds until the line's end."""
    parts = [part(str(number), begins, seconds) for number, (begins, seconds) in enumerate(told)]
    placed = place(parts)
    shuffled = list(parts)
    order.shuffle(shuffled)
    assert place(shuffled) == placed
    reached = 0.0
    for one in sorted(placed, key=lambda one: one.offset):
        assert one.offset <= reached + 0.001
        reached = max(reached, one.end)
    assert length_of(placed) == reached


def call_of(*events: e.Event) -> Call:
    call = Call()
    for event in events:
        call = apply(call, event)
    return call


def told(kind: Any, channel: str, at: float, **more: Any) -> e.Event:
    event: e.Event = kind(pbx="pbx", channel=channel, linkedid="1.1", at=T0 + timedelta(seconds=at), **more)
    return event


def test_a_channel_sounds_from_its_first_bridge_after_the_recording_started() -> None:
    """Not from the menu that it passed before, nor from the start: MixMonitor waits for a bridge."""
    call = call_of(
        told(e.BridgeEntered, "1.1", 1, bridge="menu"),
        told(e.RecordingStarted, "1.1", 2, path="a"),
        told(e.BridgeEntered, "1.1", 5, bridge="talk"),
        told(e.BridgeEntered, "1.1", 30, bridge="again"),
        told(e.RecordingStarted, "1.2", 6, path="b"),
        told(e.BridgeEntered, "1.2", 9, bridge="talk"),
    )
    assert line_of(call, {"1.1": 20.0, "1.2": 3.0}) == (Placed("1.1", 0.0, 20.0), Placed("1.2", 4.0, 3.0))


def test_a_message_in_voicemail_sounds_before_it_was_told() -> None:
    """It is told at its end; a talk that was recorded after it follows."""
    call = call_of(
        told(e.VoicemailLeft, "1.1", 20, box="sales", seconds=8.0),
        told(e.BridgeEntered, "1.1", 15, bridge="talk"),
    )
    placed = line_of(call, {"1.1": 10.0, message_of("1.1"): 8.0})
    assert [(one.channel, one.offset) for one in placed] == [("1.1-message", 0.0), ("1.1", 3.0)]


def test_parts_lie_as_the_archive_has_them_until_more_comes_to_light() -> None:
    """A channel is as long as the longer of its sides; a side without sound moves nothing."""
    call = call_of(
        told(e.BridgeEntered, "1.1", 1, bridge="talk"),
        told(e.BridgeEntered, "1.2", 4, bridge="talk"),
        told(e.BridgeEntered, "1.3", 90, bridge="talk"),
    )
    sides = [Kept("1.1", 20.0), Kept("1.1", 19.5), Kept("1.3", None)]
    archived = [Placed("1.1", 0.5, 20.0)]
    assert parts_of(call, sides) == (Placed("1.1", 0.0, 20.0),)
    assert parts_of(call, sides, archived) == tuple(archived)
    late = parts_of(call, [*sides, Kept("1.2", 3.0)], archived)
    assert late == (Placed("1.1", 0.0, 20.0), Placed("1.2", 3.0, 3.0))
