"""The fold: a call is what its events told, kept so that order and repetition change nothing.

Rules this file obeys:
1. Every stored field is earliest (least by time), or together (set union); statuses, durations and causes are derived
   in `calls.view`. So `join` is associative, commutative and idempotent, and AMI, CEL, replays and catch-up agree.
2. A call is channels joined by shared names, transitively (`calls.events.names`); a linkedid alone is not a call.
3. No I/O and no clock: time is in the event, and it is the PBX's time. A fact without time is kept as `UNTIMED`, which
   any timed telling of the same fact replaces.
4. The PBX is a witness: an impossible event is kept as told and weighed in the view, never refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from calls import events as e
from calls.events import Event, names

K = TypeVar("K")
V = TypeVar("V")
Fact = TypeVar("Fact", bound=Event)

UNTIMED = datetime.max.replace(tzinfo=UTC)

Told = tuple[datetime, str]
"""A value with the time it was told; the earliest telling wins."""

NOTHING: Told = (UNTIMED, "")


@dataclass(frozen=True, slots=True)
class Stay:
    """One coming into (`entered`) or going out of a bridge."""

    at: datetime
    bridge: str
    entered: bool
    holding: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """What is known of one channel; times are the PBX's, None where never told."""

    name: Told = NOTHING
    number: Told = NOTHING
    caller_name: Told = NOTHING
    dialed: Told = NOTHING
    context: Told = NOTHING
    incoming: bool | None = None
    seen_at: datetime | None = None
    created_at: datetime | None = None
    rang_at: datetime | None = None
    up_at: datetime | None = None
    ended_at: datetime | None = None
    cause: tuple[datetime, int] | None = None
    stays: frozenset[Stay] = frozenset()
    holds: frozenset[tuple[datetime, bool]] = frozenset()


@dataclass(frozen=True, slots=True)
class Dial:
    """A channel being dialled, and by which channels (none for an originate)."""

    sources: frozenset[str] = frozenset()
    began_at: datetime | None = None
    ended_at: datetime | None = None
    status: Told = NOTHING
    dial_string: Told = NOTHING


@dataclass(frozen=True, slots=True)
class Call:
    """One human conversation attempt: channels and dials by uniqueid (of the dialled), the rarer facts as told."""

    pbx: str = ""
    linkedids: frozenset[str] = frozenset()
    ended_linkedids: frozenset[str] = frozenset()
    channels: Mapping[str, Channel] = field(default_factory=dict)
    dials: Mapping[str, Dial] = field(default_factory=dict)
    facts: frozenset[Event] = frozenset()


def apply(call: Call, event: Event) -> Call:
    """The call after `event`; telling it twice or in another order gives the same call."""
    return join(call, _told(event))


def join(one: Call, other: Call) -> Call:
    """Everything both calls know, as one call."""
    return Call(
        pbx=min(filter(None, (one.pbx, other.pbx)), default=""),
        linkedids=one.linkedids | other.linkedids,
        ended_linkedids=one.ended_linkedids | other.ended_linkedids,
        channels=_joined(one.channels, other.channels, _join_channel),
        dials=_joined(one.dials, other.dials, _join_dial),
        facts=one.facts | other.facts,
    )


def call_names(call: Call) -> frozenset[str]:
    """Every name by which later events may find this call."""
    return call.linkedids | frozenset(call.channels)


def earliest(call: Call, kind: type[Fact]) -> Fact | None:
    """The first fact of that kind, by the PBX's time."""
    return next(iter(facts(call, kind)), None)


def facts(call: Call, kind: type[Fact]) -> list[Fact]:
    """All facts of that kind in the order of time."""
    told = [fact for fact in call.facts if isinstance(fact, kind)]
    return sorted(told, key=lambda fact: (fact.at or UNTIMED, repr(fact)))


def _joined(one: Mapping[K, V], other: Mapping[K, V], both: Callable[[V, V], V]) -> Mapping[K, V]:
    merged = dict(one)
    for key, value in other.items():
        merged[key] = both(merged[key], value) if key in merged else value
    return merged


def _join_channel(one: Channel, other: Channel) -> Channel:
    return Channel(
        name=_first(one.name, other.name),
        number=_first(one.number, other.number),
        caller_name=_first(one.caller_name, other.caller_name),
        dialed=_first(one.dialed, other.dialed),
        context=_first(one.context, other.context),
        incoming=other.incoming if one.incoming is None else one.incoming or bool(other.incoming),
        seen_at=_earliest(one.seen_at, other.seen_at),
        created_at=_earliest(one.created_at, other.created_at),
        rang_at=_earliest(one.rang_at, other.rang_at),
        up_at=_earliest(one.up_at, other.up_at),
        ended_at=_earliest(one.ended_at, other.ended_at),
        cause=min(filter(None, (one.cause, other.cause)), default=None),
        stays=one.stays | other.stays,
        holds=one.holds | other.holds,
    )


def _join_dial(one: Dial, other: Dial) -> Dial:
    return Dial(
        sources=one.sources | other.sources,
        began_at=_earliest(one.began_at, other.began_at),
        ended_at=_earliest(one.ended_at, other.ended_at),
        status=_first(one.status, other.status),
        dial_string=_first(one.dial_string, other.dial_string),
    )


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)


def _first(one: Told, other: Told) -> Told:
    return min(one, other) if one[1] and other[1] else one if one[1] else other


def _tell(at: datetime, value: str | None) -> Told:
    return (at, value) if value else NOTHING


def _told(event: Event) -> Call:
    """The call that knows nothing but `event`."""
    at = event.at or UNTIMED
    base = Channel(name=_tell(at, event.name), seen_at=at)
    call = Call(
        pbx=event.pbx,
        linkedids=frozenset({event.linkedid} if event.linkedid else ()),
        channels={event.channel: base} if event.channel else {},
    )
    told = _channel(base, event, at)
    if told is not None:
        return replace(call, channels={event.channel: told} if event.channel else {})
    match event:
        case e.Dialed() | e.DialEnded():
            return _dial(call, event, at)
        case e.LinkedidEnded():
            return replace(call, ended_linkedids=call.linkedids)
        case _:
            others = {name: Channel() for name in names(event) - {event.channel, event.linkedid}}
            return replace(call, channels={**others, **call.channels}, facts=frozenset({event}))


def _channel(base: Channel, event: Event, at: datetime) -> Channel | None:
    """What the event says of its own channel, None when it says something of the call."""
    told: dict[str, Any]
    match event:
        case e.ChannelCreated():
            # On a tape without times nothing tells which words were first: a channel's first are those of its creation.
            born = at if event.at else UNTIMED - timedelta(seconds=1)
            told = {"created_at": at, "incoming": event.incoming} | {
                name: _tell(born, getattr(event, name)) for name in ("number", "caller_name", "dialed", "context")
            }
        case e.CallerNamed():
            told = {"number": _tell(at, event.number), "caller_name": _tell(at, event.caller_name)}
        case e.ChannelRang():
            told = {"rang_at": at}
        case e.ChannelUp():
            told = {"up_at": at}
        case e.ChannelHungUp():
            told = {"ended_at": at, "cause": None if event.cause is None else (at, event.cause)}
        case e.BridgeEntered():
            told = {"stays": frozenset({Stay(at, event.bridge, entered=True, holding=event.holding)})}
        case e.BridgeLeft():
            told = {"stays": frozenset({Stay(at, event.bridge, entered=False)})}
        case e.Held() | e.Resumed():
            told = {"holds": frozenset({(at, isinstance(event, e.Held))})}
        case _:
            return None
    return replace(base, **told)


def _dial(call: Call, event: e.Dialed | e.DialEnded, at: datetime) -> Call:
    target = Channel(name=_tell(at, event.target_name), seen_at=at)
    sources = frozenset({event.channel} - {event.target, ""})
    if isinstance(event, e.Dialed):
        dial = Dial(sources, began_at=at, dial_string=_tell(at, event.dial_string))
    else:
        dial = Dial(sources, ended_at=at, status=_tell(at, event.status))
    linked = event.target_linkedid if isinstance(event, e.Dialed) else None
    return replace(
        call,
        linkedids=call.linkedids | frozenset({linked} if linked else ()),
        channels={**call.channels, event.target: target} if event.target else call.channels,
        dials={event.target: dial} if event.target else {},
    )
