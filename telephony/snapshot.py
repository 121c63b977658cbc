"""What is going on at a PBX this moment, as events: live channels, the bridges they are in, and who waits in a queue.

The lists say who is where, not since when. So nothing is said to be earlier than it was: where AMI or CEL told the true
moment, or tells it later, that one is the earliest and stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from calls.events import BridgeEntered, Event, QueueJoined
from telephony import ami
from telephony.pbx import Fields, Reply
from telephony.told import Headers, Where, whole
from telephony.told import Message as Told

QUESTIONS: tuple[Fields, ...] = ({"Action": "CoreShowChannels"}, {"Action": "BridgeList"}, {"Action": "QueueStatus"})
"""To be asked together; the answers are `snapshot`'s."""

_LONGEST = timedelta(days=365)
"""No call lasted so long; more than a date can tell would end the reading of all others."""


def live_channels(channels: Reply) -> frozenset[str] | None:
    """The uniqueids of all channels that the PBX has; None when the list has not as many as its end says.

    A caller's number with line breaks tears their channel out of the list: it lives all the same.
    """
    told = [Told("", one) for one in channels.events]
    live = [one["uniqueid"] for one in told if one["uniqueid"]]
    counts = [one["listitems"] for one in told if one["eventlist"].lower() == "complete"]
    return frozenset(live) if counts == [str(len(live))] else None


def snapshot(pbx: str, replies: Sequence[Reply], at: datetime) -> list[Event]:
    """The events of the answers to QUESTIONS, which were asked at `at`, the PBX's time."""
    channels, bridges, queues = replies
    holding = {
        told["bridgeuniqueid"]: told["bridgetechnology"].startswith("holding")
        for told in (Told(pbx, one) for one in bridges.events)
    }
    events: list[Event] = []
    for message in channels.events:
        began_at = _ago(at, _spent(_once(message, "Duration")))
        created, *others = ami.translate(pbx, message) or (None,)
        if created is None:
            continue
        events += [replace(created, at=began_at), *(replace(one, at=at) for one in others)]
        events += _in_bridge(pbx, message, holding, at)
    events += [event for message in queues.events for event in _waiting(pbx, message, at)]
    return events


def _in_bridge(pbx: str, message: Headers, holding: dict[str, bool], at: datetime) -> Iterator[Event]:
    told = Told(pbx, message)
    bridge = told["bridgeid"]
    if bridge and bridge in holding:
        yield BridgeEntered(**_where(told, at), bridge=bridge, holding=holding[bridge])


def _waiting(pbx: str, message: Headers, at: datetime) -> Iterator[Event]:
    told = Told(pbx, message)
    if ami.event_name(message) != "QueueEntry" or not (told["uniqueid"] and told["queue"]):
        return
    wait = whole(_once(message, "Wait")) or 0
    yield QueueJoined(**_where(told, _ago(at, wait)), queue=told["queue"])


def _where(told: Told, at: datetime) -> Where:
    where = told.where()
    where["at"] = at
    return where


def _once(message: Headers, header: str) -> str:
    """What stands behind words of a caller, in which a line break can tell it too: told twice, it is not believed."""
    told = message.get(header)
    return told if isinstance(told, str) else ""


def _ago(at: datetime, seconds: int) -> datetime:
    return at - min(timedelta(seconds=seconds), _LONGEST)


def _spent(duration: str) -> int:
    """Whole seconds of a channel's life, which Asterisk tells as HH:MM:SS."""
    parts = duration.split(":")
    if len(parts) != 3:
        return 0
    hours, minutes, seconds = (whole(part) or 0 for part in parts)
    return hours * 3600 + minutes * 60 + seconds
