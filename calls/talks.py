"""Who could hear whom, and when: talks from the bridges a call's channels stayed in (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

from calls.call import UNTIMED, Call, Channel
from calls.events import device
from calls.synthetic import is_side

GAP = timedelta(seconds=0.5)
"""Asterisk swaps bridges (native, Local optimisation, a transfer) within milliseconds: shorter gaps are one talk."""


@dataclass(frozen=True, slots=True)
class Span:
    """From one moment to another; `until` None means it still goes on."""

    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Talk:
    """Two channels of people joined by sound for a span."""

    one: str
    other: str
    span: Span


Stayed = tuple[str, Span]
"""A bridge, and when a channel was in it."""


def is_local(channel: Channel) -> bool:
    """A half of a Local channel: a wire inside the PBX, not somebody's device; a synthetic call's sides are people."""
    return channel.name[1].startswith("Local/") and not is_side(channel.name[1])


def talks(call: Call) -> tuple[Talk, ...]:
    """Every talk between two people's channels, earliest first. Holding bridges (parking, music) carry no talk."""
    stays = {uid: _stays(channel) for uid, channel in sorted(call.channels.items(), key=lambda one: order(one[0]))}
    people = [uid for uid, stayed in stays.items() if stayed and not is_local(call.channels[uid])]
    wires = _wires(call, stays)
    heard = {uid: _heard(stays[uid], wires) for uid in people}
    found = [
        Talk(one, other, span)
        for one, other in combinations(people, 2)
        if not _same_phone(call.channels[one], call.channels[other])
        for span in _joined(_common(heard[one], stays[other]))
    ]
    return tuple(sorted(found, key=lambda talk: (talk.span.since, order(talk.one), order(talk.other))))


def order(uid: str) -> tuple[int, str]:
    """Uniqueids count up after the dot: as text, …9 would come after …10."""
    tail = uid.rpartition(".")[2]
    return (int(tail) if tail.isdigit() else 0, uid)


def met(call: Call, uid: str) -> list[Span]:
    """When the channel, though it may be a wire, shared a bridge with a person's channel."""
    own = _stays(call.channels[uid]) if uid in call.channels else []
    people = [channel for other, channel in call.channels.items() if other != uid and not is_local(channel)]
    return [span for person in people for span in _common(_stays(person), own)]


def is_conference(heard: Iterable[Talk]) -> bool:
    """Whether three people heard each other at once: each two of them, in talks that overlap."""
    talks = [talk for talk in heard if talk.span.since != UNTIMED]
    for one, other in combinations(talks, 2):
        common = _overlap(one.span, other.span)
        ends = {one.one, one.other} ^ {other.one, other.other}
        if common and len(ends) == 2 and any({t.one, t.other} == ends and _overlap(common, t.span) for t in talks):
            return True
    return False


def covered_seconds(spans: Iterable[Span], now: datetime | None = None) -> float:
    """Seconds that the spans cover together; an open span counts to `now`, or not at all."""
    closed = [Span(span.since, span.until or now) for span in spans if span.until or now]
    return sum(
        (
            (span.until - span.since).total_seconds()
            for span in _joined(closed, gap=timedelta())
            if span.until and UNTIMED not in {span.since, span.until}
        ),
        0.0,
    )


def _same_phone(one: Channel, other: Channel) -> bool:
    """Two channels of one device and number are one phone's two calls; a trunk carries many numbers: it needs both."""
    return device(one.name[1]) == device(other.name[1]) and one.number[1] == other.number[1]


def _stays(channel: Channel) -> list[Stayed]:
    """The bridges this channel was in, and when. Two witnesses of one entry, microseconds apart, are one entry."""
    by_bridge: dict[str, list[tuple[datetime, bool]]] = {}
    holding = {stay.bridge for stay in channel.stays if stay.holding}
    for stay in channel.stays:
        if stay.bridge not in holding:
            by_bridge.setdefault(stay.bridge, []).append((stay.at, not stay.entered))
    stays: list[Stayed] = []
    for bridge, moments in sorted(by_bridge.items()):
        since: datetime | None = None
        spans: list[Span] = []
        for at, left in sorted(moments):
            if left and since is not None:
                spans.append(Span(since, at))
                since = None
            elif not left and since is None and not (spans and at - spans[-1].since < _WITNESS):
                since = at
        if since is not None:
            spans.append(Span(since, channel.ended_at))
        stays += [(bridge, span) for span in spans]
    return stays


def _wires(call: Call, stays: dict[str, list[Stayed]]) -> list[tuple[list[Stayed], list[Stayed]]]:
    """The bridges that each Local channel's two halves were in, both ways round."""
    halves: dict[str, list[list[Stayed]]] = {}
    for uid, stayed in stays.items():
        if stayed and is_local(call.channels[uid]):
            halves.setdefault(call.channels[uid].name[1].rpartition(";")[0], []).append(stayed)
    pairs = [pair for pair in halves.values() if len(pair) == 2]
    return [(one, other) for one, other in pairs] + [(other, one) for one, other in pairs]


def _heard(stays: list[Stayed], wires: list[tuple[list[Stayed], list[Stayed]]]) -> list[Stayed]:
    """Where a channel is heard: in its own bridges, and in those that wires carry it to, while they stay in place.

    A feature-code transfer moves a wire's half from the consultation to the caller's bridge (tape atxfer_feature): what
    it joins before is not joined after.
    """
    places = list(dict.fromkeys(stays))
    for bridge, span in places:  # grows while it is read; each new place is shorter or elsewhere, so it ends
        for near, far in wires:
            reached = [
                (there, common)
                for here, one in near
                if here == bridge
                for there, other in far
                if (common := _overlap(span, one)) and (common := _overlap(common, other))
            ]
            places += [place for place in dict.fromkeys(reached) if place not in places]
    return places


_WITNESS = timedelta(milliseconds=5)
"""AMI and CEL tell one moment up to 0.7 ms apart (seen on Asterisk 22.10, tape atxfer_refer).

Who consulted somebody busy is with the client again 4 ms after they left (seen there too): another stay, for the one
before had lasted."""


def _common(one: list[Stayed], other: list[Stayed]) -> list[Span]:
    return [
        span
        for bridge, its in one
        for place, theirs in other
        if bridge == place and (span := _overlap(its, theirs)) is not None
    ]


def _overlap(a: Span, b: Span) -> Span | None:
    since, until = max(a.since, b.since), _sooner(a.until, b.until)
    return Span(since, until) if until is None or since < until or since == UNTIMED else None


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(filter(None, (one, other)), default=None)


def _joined(spans: Iterable[Span], gap: timedelta = GAP) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.since):
        last = merged[-1] if merged else None
        if last and (last.until is None or (UNTIMED in {span.since, last.until}) or span.since - last.until <= gap):
            until = None if last.until is None or span.until is None else max(last.until, span.until)
            merged[-1] = Span(last.since, until)
        else:
            merged.append(span)
    return merged
