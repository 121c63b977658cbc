"""Who could hear whom, and when: talks from the bridges a call's channels stayed in (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

from calls.call import UNTIMED, Call, Channel
from calls.events import device

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


def is_local(channel: Channel) -> bool:
    """A half of a Local channel: a wire inside the PBX, not somebody's device."""
    return channel.name[1].startswith("Local/")


def talks(call: Call) -> tuple[Talk, ...]:
    """Every talk between two people's channels, earliest first. Holding bridges (parking, music) carry no talk."""
    rooms = _rooms(call)
    people = {uid: _stays(channel, rooms) for uid, channel in sorted(call.channels.items()) if not is_local(channel)}
    found = [
        Talk(one, other, span)
        for one, other in combinations([uid for uid, stays in people.items() if stays], 2)
        if not _same_phone(call.channels[one], call.channels[other])
        for span in _joined(_common(people[one], people[other]))
    ]
    return tuple(sorted(found, key=lambda talk: (talk.span.since, talk.one, talk.other)))


def covered_seconds(spans: Iterable[Span], now: datetime | None = None) -> float:
    """Seconds that the spans cover together; an open span counts to `now`, or not at all."""
    closed = [Span(span.since, span.until or now) for span in spans if span.until or now]
    return sum(
        (
            (span.until - span.since).total_seconds()
            for span in _joined(closed)
            if span.until and UNTIMED not in {span.since, span.until}
        ),
        0.0,
    )


def _same_phone(one: Channel, other: Channel) -> bool:
    """Two channels of one device and number are one phone's two calls; a trunk carries many numbers: it needs both."""
    return device(one.name[1]) == device(other.name[1]) and one.number[1] == other.number[1]


def _rooms(call: Call) -> dict[str, str]:
    """Bridge -> room: bridges that a Local channel's two halves join are one room to the people in them."""
    halves: dict[str, set[str]] = {}
    for channel in call.channels.values():
        if is_local(channel):
            wire = channel.name[1].rpartition(";")[0]
            halves.setdefault(wire, set()).update(stay.bridge for stay in channel.stays)
    room: dict[str, str] = {}
    for bridges in halves.values():
        known = {room.get(bridge, bridge) for bridge in bridges}
        if not known:
            continue
        name = min(known)
        for bridge in [*bridges, *(bridge for bridge, its in room.items() if its in known)]:
            room[bridge] = name
    return room


def _stays(channel: Channel, rooms: dict[str, str]) -> dict[str, list[Span]]:
    """Room -> the spans this channel was in it. Two witnesses of one entry, microseconds apart, are one entry."""
    by_bridge: dict[str, list[tuple[datetime, bool]]] = {}
    holding = {stay.bridge for stay in channel.stays if stay.holding}
    for stay in channel.stays:
        if stay.bridge not in holding:
            by_bridge.setdefault(stay.bridge, []).append((stay.at, not stay.entered))
    stays: dict[str, list[Span]] = {}
    for bridge, moments in by_bridge.items():
        since: datetime | None = None
        spans: list[Span] = []
        for at, left in sorted(moments):
            if left and since is not None:
                spans.append(Span(since, at))
                since = None
            elif not left and since is None and not (spans and spans[-1].until and at - spans[-1].until < _WITNESS):
                since = at
        if since is not None:
            spans.append(Span(since, channel.ended_at))
        stays.setdefault(rooms.get(bridge, bridge), []).extend(spans)
    return stays


_WITNESS = timedelta(milliseconds=5)
"""AMI and CEL tell one moment up to 0.7 ms apart (seen on Asterisk 22.10, tape atxfer_refer)."""


def _common(one: dict[str, list[Span]], other: dict[str, list[Span]]) -> list[Span]:
    return [
        Span(max(a.since, b.since), _sooner(a.until, b.until))
        for room in one.keys() & other.keys()
        for a in one[room]
        for b in other[room]
        if _overlap(a, b)
    ]


def _overlap(a: Span, b: Span) -> bool:
    since, until = max(a.since, b.since), _sooner(a.until, b.until)
    return until is None or since < until or since == UNTIMED


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(filter(None, (one, other)), default=None)


def _joined(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.since):
        last = merged[-1] if merged else None
        if last and (last.until is None or (UNTIMED in {span.since, last.until}) or span.since - last.until <= GAP):
            until = None if last.until is None or span.until is None else max(last.until, span.until)
            merged[-1] = Span(last.since, until)
        else:
            merged.append(span)
    return merged
