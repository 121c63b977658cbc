"""The fold: a call is what its events told, kept so that order and repetition change nothing.

Rules this file obeys:
1. Every stored field is earliest (least by time), or together (set union); statuses, durations and causes are derived
   in `calls.view`. So `join` is associative, commutative and idempotent, and AMI, CEL, replays and catch-up agree.
2. A call is channels joined by shared names, transitively (`calls.events.names`); a linkedid alone is not a call.
3. No I/O and no clock: time is in the event, and it is the PBX's time. A fact without time is kept as `UNTIMED`, which
   any timed telling of the same fact replaces.
4. The PBX is a witness: an impossible event is kept as told and weighed in the view, never refused.
5. What one channel says is bounded: of each kind of fact, and of its stays and holds, the earliest and the latest are
   kept. What is least or greatest of all does not depend on order either, so rule 1 holds in an endless storm too.
6. Telling an event is joining the call that knows nothing else; what is said twice gives back the very same value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from calls import events as e
from calls.events import Event, names

K = TypeVar("K")
V = TypeVar("V")
Fact = TypeVar("Fact", bound=Event)

UNTIMED = datetime.max.replace(tzinfo=UTC)

Told = tuple[datetime, str]
"""A value with the time it was told; the earliest telling wins."""

NOTHING: Told = (UNTIMED, "")

KEPT = 200
"""So many of the earliest and so many of the latest; no call that people made came near."""


class Stay(Struct, frozen=True, order=True):
    """One coming into (`entered`) or going out of a bridge."""

    at: datetime
    bridge: str
    entered: bool
    holding: bool = False


class Channel(Struct, frozen=True, kw_only=True, omit_defaults=True):
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


class Dial(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel being dialled, and by which channels (none for an originate)."""

    sources: frozenset[str] = frozenset()
    began_at: datetime | None = None
    ended_at: datetime | None = None
    status: Told = NOTHING
    dial_string: Told = NOTHING


class Call(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One human conversation attempt: channels and dials by uniqueid (of the dialled), the rarer facts as told."""

    pbx: str = ""
    linkedids: frozenset[str] = frozenset()
    ended_linkedids: frozenset[str] = frozenset()
    channels: dict[str, Channel] = {}
    dials: dict[str, Dial] = {}
    facts: frozenset[Event] = frozenset()


_UNKNOWN, _NO_DIAL = Channel(), Dial()

Changes = dict[str, Any]
"""Fields of a value that is about to change."""


def apply(call: Call, event: Event) -> Call:
    """The call after `event`; telling it twice or in another order gives the same call."""
    at = event.at or UNTIMED
    uid, linkedid = event.channel, event.linkedid
    of_channel = _OF_CHANNEL.get(type(event))
    changes: Changes = {}
    if event.pbx != call.pbx:
        changes["pbx"] = min(filter(None, (call.pbx, event.pbx)), default="")
    if linkedid and linkedid not in call.linkedids:
        changes["linkedids"] = call.linkedids | {linkedid}
    if uid:
        known = call.channels.get(uid, _UNKNOWN)
        told: Changes = {}
        _say(told, "name", known.name, at, event.name)
        _soonest(told, "seen_at", known.seen_at, at)
        if of_channel is not None:
            of_channel(known, event, at, told)
        if told:
            changes["channels"] = {**call.channels, uid: replace(known, **told)}
    if of_channel is None:
        _tell_of_call(call, event, at, changes)
    return replace(call, **changes) if changes else call


def join(one: Call, other: Call) -> Call:
    """Everything both calls know, as one call."""
    return Call(
        pbx=min(filter(None, (one.pbx, other.pbx)), default=""),
        linkedids=one.linkedids | other.linkedids,
        ended_linkedids=one.ended_linkedids | other.ended_linkedids,
        channels=_joined(one.channels, other.channels, _join_channel),
        dials=_joined(one.dials, other.dials, _join_dial),
        facts=_bounded_facts(one.facts | other.facts),
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
    return sorted(told, key=_when)


def _joined(one: Mapping[K, V], other: Mapping[K, V], both: Callable[[V, V], V]) -> dict[K, V]:
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
        stays=_bounded(one.stays | other.stays),
        holds=_bounded(one.holds | other.holds),
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


def _tell_of_call(call: Call, event: Event, at: datetime, changes: Changes) -> None:
    """Change what is more than one channel's: a dial, the end of a linkedid, or a fact to be kept as told."""
    match event:
        case e.Dialed() | e.DialEnded():
            if event.target:
                _dialled(call, event, at, changes)
        case e.LinkedidEnded():
            if event.linkedid and event.linkedid not in call.ended_linkedids:
                changes["ended_linkedids"] = call.ended_linkedids | {event.linkedid}
        case _ if event not in call.facts:
            kept = _bounded_facts(call.facts | {event}, type(event))
            if kept != call.facts:
                changes["facts"] = kept
            met = changes.get("channels", call.channels)
            new = names(event) - {event.linkedid} - met.keys()
            if new:
                changes["channels"] = met | dict.fromkeys(new, _UNKNOWN)
        case _:
            pass


def _dialled(call: Call, event: e.Dialed | e.DialEnded, at: datetime, changes: Changes) -> None:
    """Change the channel that was dialled, the dial, and the linkedid it was told with."""
    channels = changes.get("channels", call.channels)
    target = channels.get(event.target, _UNKNOWN)
    told: Changes = {}
    _say(told, "name", target.name, at, event.target_name)
    _soonest(told, "seen_at", target.seen_at, at)
    if told:
        changes["channels"] = {**channels, event.target: replace(target, **told)}
    known = call.dials.get(event.target, _NO_DIAL)
    dial: Changes = {}
    if event.channel not in {event.target, "", *known.sources}:
        dial["sources"] = known.sources | {event.channel}
    if isinstance(event, e.Dialed):
        _soonest(dial, "began_at", known.began_at, at)
        _say(dial, "dial_string", known.dial_string, at, event.dial_string)
        if event.target_linkedid and event.target_linkedid not in call.linkedids:
            changes["linkedids"] = changes.get("linkedids", call.linkedids) | {event.target_linkedid}
    else:
        _soonest(dial, "ended_at", known.ended_at, at)
        _say(dial, "status", known.status, at, event.status)
    if dial:
        changes["dials"] = {**call.dials, event.target: replace(known, **dial)}


def _bounded(told: frozenset[V]) -> frozenset[V]:
    """The earliest and the latest of comparable values."""
    if len(told) <= 2 * KEPT:
        return told
    return told.difference(sorted(told)[KEPT:-KEPT])  # type: ignore[type-var]  # stays and holds begin with their time


def _bounded_facts(told: frozenset[Event], *kinds: type[Event]) -> frozenset[Event]:
    """The earliest and the latest facts of each kind, or of `kinds` alone."""
    if len(told) <= 2 * KEPT:
        return told
    for kind in kinds or {type(fact) for fact in told}:
        same = [fact for fact in told if type(fact) is kind]
        if len(same) > 2 * KEPT:
            told = told.difference(sorted(same, key=_when)[KEPT:-KEPT])
    return told


def _when(fact: Event) -> tuple[datetime, str]:
    return (fact.at or UNTIMED, repr(fact))


def _say(changes: Changes, field: str, known: Told, at: datetime, value: str | None) -> None:
    """Change `field` to `value` unless something was told there earlier."""
    if value and (not known[1] or (at, value) < known):
        changes[field] = (at, value)


def _soonest(changes: Changes, field: str, known: datetime | None, at: datetime) -> None:
    """Change `field` to `at` unless an earlier time is known."""
    if known is None or at < known:
        changes[field] = at


def _add(changes: Changes, field: str, known: frozenset[V], value: V) -> None:
    """Change `field` to hold `value` besides what is known."""
    if value not in known and (kept := _bounded(known | {value})) != known:
        changes[field] = kept


def _created(channel: Channel, event: e.ChannelCreated, at: datetime, changes: Changes) -> None:
    # On a tape without times nothing tells which words were first: a channel's first are those of its creation.
    born = at if event.at else UNTIMED - timedelta(seconds=1)
    _soonest(changes, "created_at", channel.created_at, at)
    _say(changes, "number", channel.number, born, event.number)
    _say(changes, "caller_name", channel.caller_name, born, event.caller_name)
    _say(changes, "dialed", channel.dialed, born, event.dialed)
    _say(changes, "context", channel.context, born, event.context)
    if event.incoming is not None and channel.incoming is not event.incoming and not channel.incoming:
        changes["incoming"] = event.incoming


def _named(channel: Channel, event: e.CallerNamed, at: datetime, changes: Changes) -> None:
    _say(changes, "number", channel.number, at, event.number)
    _say(changes, "caller_name", channel.caller_name, at, event.caller_name)


def _rang(channel: Channel, _event: Event, at: datetime, changes: Changes) -> None:
    _soonest(changes, "rang_at", channel.rang_at, at)


def _up(channel: Channel, _event: Event, at: datetime, changes: Changes) -> None:
    _soonest(changes, "up_at", channel.up_at, at)


def _hung_up(channel: Channel, event: e.ChannelHungUp, at: datetime, changes: Changes) -> None:
    _soonest(changes, "ended_at", channel.ended_at, at)
    if event.cause is not None and (channel.cause is None or (at, event.cause) < channel.cause):
        changes["cause"] = (at, event.cause)


def _entered(channel: Channel, event: e.BridgeEntered, at: datetime, changes: Changes) -> None:
    _add(changes, "stays", channel.stays, Stay(at, event.bridge, entered=True, holding=event.holding))


def _left(channel: Channel, event: e.BridgeLeft, at: datetime, changes: Changes) -> None:
    _add(changes, "stays", channel.stays, Stay(at, event.bridge, entered=False))


def _held(channel: Channel, event: Event, at: datetime, changes: Changes) -> None:
    _add(changes, "holds", channel.holds, (at, isinstance(event, e.Held)))


_OF_CHANNEL: Mapping[type[Event], Callable[[Channel, Any, datetime, Changes], None]] = {
    e.ChannelCreated: _created,
    e.CallerNamed: _named,
    e.ChannelRang: _rang,
    e.ChannelUp: _up,
    e.ChannelHungUp: _hung_up,
    e.BridgeEntered: _entered,
    e.BridgeLeft: _left,
    e.Held: _held,
    e.Resumed: _held,
}
"""What an event says of its own channel alone; of all others the fact itself is kept, or what it says of a dial."""
