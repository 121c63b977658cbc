"""What people waited through, as two witnesses tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from calls import events as e
from calls.call import Call, apply
from calls.view import CallView, view

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def ev(kind: Any, seconds: float, **told: Any) -> e.Event:
    event: e.Event = kind(pbx="pbx", channel="1.1", linkedid="1.1", at=T0 + timedelta(seconds=seconds), **told)
    return event


def read(*events: e.Event) -> CallView:
    caller = ev(e.ChannelCreated, 0, name="PJSIP/trunk-01", number="79161234567", dialed="500", incoming=True)
    return view(reduce(apply, [caller, *events, ev(e.ChannelHungUp, 30, cause=16)], Call()))


@pytest.mark.parametrize("late", [0.001, 0.5])
def test_one_wait_told_late_by_one_witness_is_one_wait(late: float) -> None:
    """A busy PBX tells AMI of a moment a while after CEL."""
    joins = [ev(e.QueueJoined, 1, queue="sales"), ev(e.QueueJoined, 1 + late, queue="sales")]
    assert [(one.name, one.entered_at) for one in read(*joins).queues] == [("sales", T0 + timedelta(seconds=1))]
    parked = [ev(e.Parked, 1, by="PJSIP/anna"), ev(e.Parked, 1 + late, by="PJSIP/anna", space="701")]
    seen = read(*parked, ev(e.Unparked, 10, outcome="timed_out"))
    assert [(one.space, one.outcome) for one in seen.parks] == [("701", "timed_out")]


def test_who_waits_again_after_a_second_waits_twice() -> None:
    """A queue's time is over after whole seconds."""
    joins = [ev(e.QueueJoined, 1, queue="sales"), ev(e.QueueJoined, 2, queue="sales")]
    assert len(read(*joins).queues) == 2
