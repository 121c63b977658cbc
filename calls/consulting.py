"""Who asks whom before they hand somebody over, this moment (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from calls.call import Call, Channel, Stay
from calls.talks import is_local, talks


@dataclass(frozen=True, slots=True)
class Consultation:
    """All are uniqueids: `by` left `client` waiting, to talk with `other`; "": nobody answered there yet."""

    by: str
    client: str
    other: str


def consultations(call: Call) -> tuple[Consultation, ...]:
    """Every consultation of one device within the call, however it was begun.

    Who consults left the bridge of somebody who waits there alone, for one that they never were in before (tapes
    atxfer_feature and consulted_ami_unanswered). A phone's own second call is none: it is a channel of its own.
    """
    places = {uid: place for uid, channel in call.channels.items() if (place := _place(channel))}
    found = []
    for uid, own in places.items():
        met = _met_in(call.channels[uid])
        waiting = [other for other, place in places.items() if place in met[: met.index(own)]]
        if len(waiting) == 1 and not is_local(call.channels[uid]):
            found.append(Consultation(uid, waiting[0], _talks_with(call, uid)))
    return tuple(found)


def consultation_of(call: Call, channel: str) -> Consultation | None:
    """The consultation in which the channel is the one who asks, or the one who is asked."""
    return next((it for it in consultations(call) if channel in {it.by, it.other}), None)


def is_on_hold(call: Call, channel: str) -> bool:
    """Whether the device has the other side on hold."""
    holds = call.channels[channel].holds
    return bool(holds) and max(holds)[1]


def _place(channel: Channel) -> str:
    """The bridge in which the channel is, "" for none."""
    if channel.ended_at is not None or not channel.stays:
        return ""
    last = max(channel.stays, key=_moment)
    return last.bridge if last.entered and not last.holding else ""


def _met_in(channel: Channel) -> list[str]:
    """The bridges in which the channel was, in the order of their first time."""
    return list(dict.fromkeys(stay.bridge for stay in sorted(channel.stays, key=_moment) if not stay.holding))


def _moment(stay: Stay) -> tuple[datetime, bool]:
    return stay.at, stay.entered


def _talks_with(call: Call, uid: str) -> str:
    """With whom the channel talks now."""
    for talk in talks(call):
        if talk.span.until is None and uid in {talk.one, talk.other}:
            return talk.other if talk.one == uid else talk.one
    return ""
