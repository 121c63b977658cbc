"""Who moved a call, where the witness leaves it to be inferred."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest

from calls import events as e
from calls.call import Call, apply
from calls.view import view

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def ev(kind: Any, channel: str, seconds: float, **told: Any) -> e.Event:
    event: e.Event = kind(pbx="pbx", channel=channel, linkedid="1.1", at=T0 + timedelta(seconds=seconds), **told)
    return event


@pytest.mark.parametrize("cause", [0, 23])
@pytest.mark.parametrize("late", [0.001, 0.3, 0.9])
def test_a_call_forwarded_twice_names_each_phone_once(late: float, cause: int) -> None:
    """CEL tells no phone that forwards. A busy PBX hangs it up a while later, nearer to the next forward maybe."""
    told = [
        ev(e.ChannelCreated, "1.1", 0, name="PJSIP/trunk-01", number="79161234567", dialed="500", incoming=True),
        ev(e.ChannelCreated, "1.2", 0.1, name="PJSIP/anna-02", number="101", dialed="s", incoming=False),
        ev(e.Forwarded, "1.1", 1, to="102"),
        ev(e.ChannelCreated, "1.3", 1, name="PJSIP/boris-03", number="102", dialed="s", incoming=False),
        ev(e.ChannelHungUp, "1.2", 1.001, cause=cause),
        ev(e.Forwarded, "1.1", 1.4, to="103"),
        ev(e.ChannelHungUp, "1.3", 1.4 + late, cause=23),
    ]
    seen = view(reduce(apply, told, Call()))
    assert [(one.by, one.to) for one in seen.forwards] == [("PJSIP/anna", "102"), ("PJSIP/boris", "103")]
    assert [(leg.device, leg.outcome) for leg in seen.legs] == [("PJSIP/anna", "failed"), ("PJSIP/boris", "failed")]


@pytest.mark.parametrize("cause", [0, 23])
def test_a_phone_that_sent_the_call_on_is_not_why_it_was_missed(cause: int) -> None:
    """Whatever cause its channel ended with: on a busy PBX it may be gone before the cause is set."""
    told = [
        ev(e.ChannelCreated, "1.1", 0, name="PJSIP/trunk-01", number="79161234567", dialed="500", incoming=True),
        ev(e.ChannelCreated, "1.2", 0.1, name="PJSIP/anna-02", number="101", dialed="s", incoming=False),
        ev(e.ChannelRang, "1.2", 0.2),
        ev(e.Forwarded, "1.1", 1, to="105", target="1.2"),
        ev(e.ChannelHungUp, "1.2", 1.001, cause=cause),
        ev(e.AppStarted, "1.1", 1.1, app="Dial", data="PJSIP/boris,20"),
        ev(e.ChannelHungUp, "1.1", 1.2, cause=0),
    ]
    seen = view(reduce(apply, told, Call()))
    assert (seen.status, seen.missed_cause) == ("missed", "device_unreachable")


@pytest.mark.parametrize("late", [0.0, 0.0007])
def test_who_consulted_somebody_busy_talks_with_the_client_again(late: float) -> None:
    """They were away for four milliseconds, as seen on Asterisk 22.10; two witnesses tell each moment."""
    told = [
        ev(e.ChannelCreated, "1.1", 0, name="PJSIP/trunk-01", number="79161234567", dialed="500", incoming=True),
        ev(e.ChannelCreated, "1.2", 0.1, name="PJSIP/anna-02", number="101", dialed="s", incoming=False),
    ]
    for after in (0.0, late):
        told += [
            ev(e.BridgeEntered, "1.1", 1 + after, bridge="talk"),
            ev(e.BridgeEntered, "1.2", 1 + after, bridge="talk"),
            ev(e.BridgeLeft, "1.2", 2 + after, bridge="talk"),
            ev(e.BridgeEntered, "1.2", 2.0003 + after, bridge="consultation"),
            ev(e.BridgeLeft, "1.2", 2.004 + after, bridge="consultation"),
            ev(e.BridgeEntered, "1.2", 2.0041 + after, bridge="talk"),
        ]
    seen = view(reduce(apply, told, Call()))
    assert [(talk.since, talk.until) for talk in seen.talks] == [(T0 + timedelta(seconds=1), None)]


def test_an_entry_told_again_after_a_short_stay_is_one_entry() -> None:
    """The other witness tells it when the stay is over."""
    told = [
        ev(e.ChannelCreated, "1.1", 0, name="PJSIP/trunk-01", number="79161234567", dialed="500", incoming=True),
        ev(e.ChannelCreated, "1.2", 0.1, name="PJSIP/anna-02", number="101", dialed="s", incoming=False),
        ev(e.BridgeEntered, "1.1", 1, bridge="talk"),
        ev(e.BridgeEntered, "1.2", 1, bridge="talk"),
        ev(e.BridgeLeft, "1.2", 1.0002, bridge="talk"),
        ev(e.BridgeEntered, "1.2", 1.0005, bridge="talk"),
        ev(e.BridgeLeft, "1.2", 1.0007, bridge="talk"),
    ]
    seen = view(reduce(apply, told, Call()))
    assert [talk.until for talk in seen.talks] == [T0 + timedelta(seconds=1.0002)]
