"""What people waited through: queues, holds and parking (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from calls import events as e
from calls.call import UNTIMED, Call, Channel, facts
from calls.ends import asked_by
from calls.events import device
from calls.talks import Span, Talk, is_local, met

REFUSED = frozenset({"full", "joinempty", "joinunavail"})
"""What Queue() ends with when nobody was let in (QUEUESTATUS)."""

WITNESSES = timedelta(seconds=0.9)
"""AMI tells one entry after CEL: 1 ms (tape queue_ringall), on a busy machine over 100 ms (scenario
park_comes_back_unanswered). Who comes back does so after a second at the soonest: a queue's time is whole seconds.
"""


STAYED = timedelta(seconds=1)
"""Who gives up in a queue is gone from the PBX within milliseconds of leaving it."""


@dataclass(frozen=True, slots=True)
class QueueView:
    """One wait in a queue. `outcome`: answered, abandoned, timeout, full …, left (and stayed), "" not known."""

    name: str
    entered_at: datetime | None
    left_at: datetime | None
    outcome: str


def queues(call: Call, talks: tuple[Talk, ...]) -> tuple[QueueView, ...]:
    """Every wait in a queue, in order. A wait is over when the next one begins: who comes back waits once more."""
    joins = sorted([*_joins(call), *_refused(call)], key=lambda fact: (fact.at or UNTIMED, fact.channel))
    nexts = [[later.at for later in joins[n + 1 :] if later.channel == one.channel] for n, one in enumerate(joins)]
    return tuple(_queue(call, fact, (*later, None)[0], talks) for fact, later in zip(joins, nexts, strict=True))


@dataclass(frozen=True, slots=True)
class ParkView:
    """One stay in a parking space, put there by the device `by`; `space` is "" where only CEL told of it.

    `outcome`: taken_back (by who parked it), taken (by the device `taken_by`), timed_out, abandoned, "" not yet.
    """

    by: str
    space: str
    since: datetime | None
    until: datetime | None
    outcome: str
    taken_by: str


def parks(call: Call) -> tuple[ParkView, ...]:
    """Every stay in parking, in order; several tellings of one are one, each with what the others leave out."""
    told = facts(call, e.Parked)
    begins = [one for n, one in enumerate(told) if not any(_same_stay(one, earlier) for earlier in told[:n])]
    nexts = [
        next((one.at for one in begins[n + 1 :] if one.channel == own.channel), None) for n, own in enumerate(begins)
    ]
    return tuple(_park(call, begin, again_at) for begin, again_at in zip(begins, nexts, strict=True))


def _same_stay(one: e.Parked, earlier: e.Parked) -> bool:
    apart = one.at - earlier.at if one.at and earlier.at else timedelta()
    return one.channel == earlier.channel and apart <= WITNESSES


def _park(call: Call, begin: e.Parked, again_at: datetime | None) -> ParkView:
    told = [
        one for one in facts(call, e.Parked) if _same_stay(one, begin) and (one.at or UNTIMED) >= (begin.at or UNTIMED)
    ]
    began, over = begin.at or UNTIMED, again_at or UNTIMED
    left = [one for one in facts(call, e.Unparked) if one.channel == begin.channel]
    left = [one for one in left if one.at is None or began <= one.at < over or began == UNTIMED]
    by, taken_by = max(one.by for one in told), device(max((one.by_name for one in left), default=""))
    outcome = next((one.outcome for one in left if one.outcome), "")
    outcome = "taken_back" if outcome == "taken" and taken_by == by else outcome
    return ParkView(by, max(one.space for one in told), begin.at, left[0].at if left else None, outcome, taken_by)


def holds(call: Call) -> list[Span]:
    """When somebody waited for the other side: on hold, at most until the transfer it was for; or parked."""
    spans = [span for channel in call.channels.values() for span in _parked(channel)]
    moves = [fact for fact in call.facts if isinstance(fact, e.Transferred)]
    for uid, channel in call.channels.items():
        ends = [fact.at for fact in moves if fact.channel == uid and fact.at]
        ends += [channel.ended_at] if channel.ended_at else []
        since: datetime | None = None
        for at, held in sorted(channel.holds):
            if held:
                since = since or at
            elif since is not None:
                spans.append(Span(since, at))
                since = None
        if since is not None:
            spans.append(Span(since, min((end for end in ends if end >= since), default=None)))
    return spans


def _joins(call: Call) -> list[e.QueueJoined]:
    """The entries into queues in the order of time, each once."""
    told = [fact for fact in call.facts if isinstance(fact, e.QueueJoined)]
    kept: list[e.QueueJoined] = []
    for fact in sorted(told, key=lambda fact: (fact.at or UNTIMED, repr(fact))):
        last = next((one for one in reversed(kept) if (one.channel, one.queue) == (fact.channel, fact.queue)), None)
        if last is None or (last.at and fact.at and fact.at - last.at > WITNESSES):
            kept.append(fact)
    return kept


def _refused(call: Call) -> list[e.QueueJoined]:
    """The waits that never began, since the queue was full or had no members: only Queue()'s outcome tells them."""
    joined = {fact.channel for fact in call.facts if isinstance(fact, e.QueueJoined)}
    asked = {fact.channel: fact for fact in facts(call, e.AppStarted) if fact.app == "Queue"}
    return [
        e.QueueJoined(pbx=fact.pbx, channel=fact.channel, at=fact.at, queue=asked[fact.channel].data.partition(",")[0])
        for fact in facts(call, e.QueueLeft)
        if fact.outcome in REFUSED and fact.channel in asked and fact.channel not in joined
    ]


def _queue(call: Call, joined: e.QueueJoined, back_at: datetime | None, talks: tuple[Talk, ...]) -> QueueView:
    began, over = joined.at or UNTIMED, back_at or UNTIMED
    spans = [talk.span for talk in talks if joined.channel in {talk.one, talk.other}]
    if joined.channel in call.channels and is_local(call.channels[joined.channel]):
        spans = met(call, joined.channel)  # somebody waited at the other end of the wire
    talked = min((span.since for span in spans if began <= span.since <= over), default=None)
    exits = [fact for fact in call.facts if isinstance(fact, e.QueueLeft)]
    exits.sort(key=lambda fact: (fact.at or UNTIMED, fact.outcome))
    own = [fact for fact in exits if fact.channel == joined.channel and fact.queue in {joined.queue, ""}]
    gone = [fact for fact in own if began <= (fact.at or UNTIMED) <= over]
    ended = call.channels[joined.channel].ended_at if joined.channel in call.channels else None
    left = [at for at in (talked, gone[0].at if gone else None) if at] or [at for at in (back_at, ended) if at]
    left_at = min(left, default=UNTIMED)
    # AMI says Abandon for a wait that ran out too (tape queue_timeout); QUEUESTATUS knows better, so does who stays.
    told = next((fact.outcome for fact in gone if fact.outcome not in {"", "abandoned"}), "")
    gave_up = joined.channel in asked_by(call) and back_at is None and ended is not None
    stayed = not gave_up or (ended is not None and UNTIMED not in {ended, left_at} and ended - left_at > STAYED)
    return QueueView(
        name=joined.queue,
        entered_at=joined.at,
        left_at=None if left_at == UNTIMED else left_at,
        outcome="answered" if talked else told or ("abandoned" if not stayed else "left" if gone else ""),
    )


def _parked(channel: Channel) -> list[Span]:
    """The stays in holding bridges; `stays` of two witnesses are one stay."""
    spans = []
    for bridge in {stay.bridge for stay in channel.stays if stay.holding}:
        entered = [stay.at for stay in channel.stays if stay.bridge == bridge and stay.entered]
        left = [stay.at for stay in channel.stays if stay.bridge == bridge and not stay.entered]
        spans.append(Span(min(entered), max(left, default=channel.ended_at)))
    return spans
