"""Who hung up by themselves, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from calls import events as e
from calls.ends import asked_by
from service.commands.replay import fold

BEGAN = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)
NAMES = {"1.1": "PJSIP/trunk-00000001", "1.2": "PJSIP/anna-desk-00000002", "1.3": "PJSIP/boris-desk-00000003"}


def told(channel: str, seconds: float) -> dict[str, Any]:
    at = BEGAN + timedelta(seconds=seconds)
    return {"pbx": "main", "channel": channel, "linkedid": "1.1", "at": at}


def test_who_is_named_at_anothers_end_hung_up_when_they_ended_themselves() -> None:
    """Анна left after ten seconds; the caller's end still names her, a minute later."""
    events: list[e.Event] = []
    for uid, name in NAMES.items():
        events += [e.ChannelCreated(**told(uid, 0), name=name), e.ChannelUp(**told(uid, 1))]
    events += [e.ChannelHungUp(**told("1.2", 10), cause=16)]
    for uid, by in (("1.1", NAMES["1.2"]), ("1.3", NAMES["1.1"])):
        events += [e.HangupRequested(**told(uid, 60), by=by), e.ChannelHungUp(**told(uid, 60), cause=16)]
    for order in (events, events[::-1]):
        (call,) = fold(order)
        assert asked_by(call) == {"1.2": BEGAN + timedelta(seconds=10), "1.1": BEGAN + timedelta(seconds=60)}
