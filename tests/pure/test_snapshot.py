"""What the PBX's lists tell of this moment, read as events that never say something to be earlier than it was."""

from datetime import UTC, datetime, timedelta

import pytest

from calls.events import BridgeEntered, ChannelCreated, ChannelUp, Event, QueueJoined
from telephony.pbx import Message, Reply
from telephony.snapshot import live_channels, snapshot

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def channel(uniqueid: str, **headers: str) -> Message:
    told: Message = {"Event": "CoreShowChannel", "Uniqueid": uniqueid, "Linkedid": "1.1", "ChannelState": "6"}
    return {**told, "Channel": f"PJSIP/anna-{uniqueid}", "Duration": "00:01:05", "BridgeId": "", **headers}


def listed(*events: Message) -> Reply:
    end: Message = {"Event": "SomethingComplete", "EventList": "Complete", "ListItems": str(len(events))}
    return Reply(success=True, message="", fields={}, events=(*events, end))


def told(*channels: Message, bridges: tuple[Message, ...] = (), queues: tuple[Message, ...] = ()) -> list[Event]:
    return snapshot("pbx", (listed(*channels), listed(*bridges), listed(*queues)), NOW)


def test_a_live_channel_began_as_long_ago_as_the_pbx_says() -> None:
    """Asterisk tells whole seconds, cut off: what is told here is never before the true moment."""
    created, up = told(channel("1.1", CallerIDNum="79160000001"))
    assert isinstance(created, ChannelCreated)
    assert (created.at, created.number) == (NOW - timedelta(seconds=65), "79160000001")
    assert isinstance(up, ChannelUp)
    assert up.at == NOW


@pytest.mark.parametrize("duration", ["9999999999:00:00", "99999999:00:00", "9" * 5000 + ":0:0", ["9:0:0", "00:00:01"]])
def test_a_duration_that_a_caller_made_up_costs_nobody_else(duration: str | list[str]) -> None:
    """ApplicationData, which may hold the dialled number with its line breaks, stands before Duration."""
    forged = {**channel("1.1"), "Duration": duration}
    created = [one for one in told(forged, channel("1.2")) if isinstance(one, ChannelCreated)]
    assert [one.channel for one in created] == ["1.1", "1.2"]
    assert all(one.at is not None and one.at >= NOW - timedelta(days=366) for one in created)


def test_channels_are_in_the_bridges_that_exist() -> None:
    """A holding bridge is told as one; a bridge that was gone between the two lists is left out."""
    bridges: tuple[Message, ...] = (
        {"Event": "BridgeListItem", "BridgeUniqueid": "talk", "BridgeTechnology": "simple_bridge"},
        {"Event": "BridgeListItem", "BridgeUniqueid": "park", "BridgeTechnology": "holding_bridge"},
    )
    events = told(
        *(channel(f"1.{n}", BridgeId=name) for n, name in enumerate(("talk", "park", "gone"))), bridges=bridges
    )
    assert [(one.bridge, one.holding, one.at) for one in events if isinstance(one, BridgeEntered)] == [
        ("talk", False, NOW),
        ("park", True, NOW),
    ]


def test_who_waits_in_a_queue_has_waited_so_long() -> None:
    """Members and parameters of queues are no callers; a wait that a caller's line break told too is not believed."""
    waiting: Message = {"Event": "QueueEntry", "Queue": "sales", "Uniqueid": "1.1", "Channel": "PJSIP/trunk-1"}
    events = told(
        queues=(
            {"Event": "QueueParams", "Queue": "sales"},
            {**waiting, "Wait": "7"},
            {**waiting, "Uniqueid": "1.2", "Wait": ["9999", "7"]},
        )
    )
    assert [(one.channel, one.at) for one in events if isinstance(one, QueueJoined)] == [
        ("1.1", NOW - timedelta(seconds=7)),
        ("1.2", NOW),
    ]


def test_live_channels_are_known_by_their_uniqueids() -> None:
    assert live_channels(listed(channel("1.1"), channel("1.2"))) == frozenset({"1.1", "1.2"})
    assert live_channels(listed()) == frozenset()


def test_a_list_that_came_in_part_tells_nothing_of_who_is_gone() -> None:
    """The channel of a caller whose number holds line breaks is torn out of it."""
    whole = listed(channel("1.1"), channel("1.2"))
    torn = Reply(success=True, message="", fields={}, events=(whole.events[0], whole.events[2]))
    assert live_channels(torn) is None
    assert live_channels(Reply(success=True, message="", fields={})) is None
