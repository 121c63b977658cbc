"""How a call moved between devices: transfers, pickups and forwards (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from calls import events as e
from calls.call import UNTIMED, Call, facts
from calls.ends import asked_by
from calls.events import device
from calls.talks import Talk, is_local

REDIRECTED = 23
"""Q.850 cause of a leg that answered with a SIP 302."""

_SAME_MOMENT = timedelta(seconds=0.5)
WITNESSES = timedelta(milliseconds=100)
"""AMI tells a moment when it comes to it: on a busy machine up to 60 ms after CEL (seen on Asterisk 22.10)."""
_FORWARDED = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class TransferView:
    """`kind` blind, attended or blonde; `to` the number dialled; `reached` the devices that then talked."""

    kind: str
    by: str
    to: str
    reached: tuple[str, ...]
    completed: bool
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PickupView:
    """`by` took the call that rang on `of`."""

    by: str
    of: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class ForwardView:
    """`by` sent the call on to the number `to` instead of answering."""

    by: str
    to: str
    at: datetime | None


def transfers(call: Call, heard: tuple[Talk, ...]) -> tuple[TransferView, ...]:
    """Every transfer, in order; two witnesses of one are one."""
    told = facts(call, e.Transferred)
    told = [fact for fact in told if not any(_tells_more(other, fact) for other in told)]
    # To be sent to a parking lot is to be parked.
    told = [fact for fact in told if not _is_parking(call, fact)]
    moves = [(fact.way, fact.channel, fact.target or fact.to, _transfer(call, heard, fact, told)) for fact in told]
    moves += [("blind", "", one.to, one) for one in _redirects(call, heard)]
    seen: dict[tuple[str, str, str], TransferView] = {}
    for way, by, to, move in sorted(moves, key=lambda one: one[3].at or UNTIMED):
        seen.setdefault((way, by, to), move)
    return tuple(seen.values())


def _tells_more(one: e.Transferred, other: e.Transferred) -> bool:
    """Whether `one` is the same transfer as `other`, told whole: a tape may be cut in the middle of a message."""
    pairs = [(one.to, other.to), (one.target, other.target), (one.transferee, other.transferee)]
    same = (one.channel, one.way) == (other.channel, other.way) and (one.at == other.at)
    return same and pairs != [(b, b) for _, b in pairs] and all(more == less or not less for more, less in pairs)


def _is_parking(call: Call, fact: e.Transferred) -> bool:
    return any(
        one.channel == fact.transferee and (fact.at is None or _near(one.at, fact.at)) for one in facts(call, e.Parked)
    )


def _transfer(call: Call, heard: tuple[Talk, ...], fact: e.Transferred, told: list[e.Transferred]) -> TransferView:
    second, target = call.channels.get(fact.second), call.channels.get(fact.target)
    wire = _consulted_by(call, fact)
    # A second call that came in was dialled by nobody here: its exten is the one a dialled channel begins with.
    dialed = second.dialed[1] if second and second.incoming is not False else ""
    to = fact.to or dialed or wire.removeprefix("Local/").partition("@")[0]
    to = to or (target.number[1] if target else "")
    # Nobody had answered yet: not the phone, if it is told, nor the transferrer's second call, nor the wire's far end.
    asked = target or second or next((one for one in call.channels.values() if one.name[1] == f"{wire};1"), None)
    blonde = fact.way == "attended" and asked is not None and (asked.up_at or UNTIMED) > (fact.at or UNTIMED)
    until = min((one.at for one in told if one.at and fact.at and one.at - fact.at > _SAME_MOMENT), default=None)
    by = _device(call, fact.channel)
    # Whom nobody else took comes back to who sent them (scenario blonde_rejected).
    own = {fact.channel, fact.second} | {uid for uid in call.channels if _device(call, uid) == by}
    reached = _reached(call, heard, _behind(call, heard, fact), own, fact.at, until)
    sent = {fact.transferee} | {
        uid for uid, channel in call.channels.items() if wire and channel.name[1].startswith(wire)
    }
    completed = bool(reached) or any(_mailbox(call, uid, None if wire else fact.at, until) for uid in sent)
    return TransferView("blonde" if blonde else fact.way, by, to, reached, completed, fact.at)


def _behind(call: Call, heard: tuple[Talk, ...], fact: e.Transferred) -> str:
    """Who was transferred: behind a wire, as of who talks on a mobile, whoever they talked with first."""
    moved = call.channels.get(fact.transferee)
    if moved is None or not is_local(moved):
        return fact.transferee
    met = [
        talk.other if talk.one == fact.channel else talk.one for talk in heard if fact.channel in {talk.one, talk.other}
    ]
    return next(iter(met), fact.transferee)


def _consulted_by(call: Call, fact: e.Transferred) -> str:
    """The wire by which the PBX dialled whom an attended transfer consults: its name without the half, "" if none."""
    own = _bridges(call, fact.channel)
    wires = [
        (channel.created_at or UNTIMED, channel.name[1])
        for uid, channel in call.channels.items()
        if fact.way == "attended" and is_local(channel) and own & _bridges(call, uid)
    ]
    before = [name for at, name in sorted(wires) if fact.at is None or at <= fact.at]
    return before[-1].rpartition(";")[0] if before else ""


def _bridges(call: Call, uid: str) -> set[str]:
    return {stay.bridge for stay in call.channels[uid].stays} if uid in call.channels else set()


def _reached(
    call: Call, heard: tuple[Talk, ...], moved: str, own: set[str], at: datetime | None, until: datetime | None
) -> tuple[str, ...]:
    """The devices that whoever was `moved` talked with from then on, until the next transfer."""
    return tuple(
        dict.fromkeys(
            device(call.channels[other].name[1])
            for talk in heard
            for one, other in ((talk.one, talk.other), (talk.other, talk.one))
            if (one == moved or not moved) and other not in own and other != moved and _between(talk, at, until)
        )
    )


def _between(talk: Talk, at: datetime | None, until: datetime | None) -> bool:
    ended = at is not None and talk.span.until is not None and talk.span.until <= at
    later = until is not None and talk.span.since != UNTIMED and talk.span.since >= until
    return not ended and not later


def _mailbox(call: Call, moved: str, at: datetime | None, until: datetime | None) -> bool:
    """A mailbox took whoever was moved."""
    return any(
        fact.app == "VoiceMail"
        and fact.channel == moved
        and (not (fact.at and at) or fact.at >= at - _SAME_MOMENT)
        and (not (fact.at and until) or fact.at < until)
        for fact in facts(call, e.AppStarted)
    )


def _redirects(call: Call, heard: tuple[Talk, ...]) -> list[TransferView]:
    """Moves by a program (AMI's Redirect), which no event tells.

    A talk ended though nobody hung up, transferred or parked, and the one who stayed went to another extension.
    """
    asked = asked_by(call)
    moved = [fact for fact in call.facts if isinstance(fact, e.Transferred | e.Parked)]
    found = []
    for talk in heard:
        at = talk.span.until
        if at is None or UNTIMED in {talk.span.since, at} or any(_near(fact.at, at) for fact in moved):
            continue
        if any(_near(asked.get(uid), at) for uid in (talk.one, talk.other)):
            continue
        for uid, other in ((talk.one, talk.other), (talk.other, talk.one)):
            apps = [fact for fact in facts(call, e.AppStarted) if fact.channel == uid and fact.at and fact.exten]
            before = {fact.exten for fact in apps if fact.at and fact.at < talk.span.since}
            after = [fact for fact in apps if fact.at and fact.at > at - _SAME_MOMENT and fact.exten not in before]
            if after and before:
                reached = _reached(call, heard, uid, {other}, at, None)
                completed = bool(reached) or _mailbox(call, uid, at, None)
                found.append(TransferView("blind", "", after[0].exten, reached, completed, at))
    return found


def _near(one: datetime | None, other: datetime) -> bool:
    return one is not None and one != UNTIMED and abs(one - other) < _SAME_MOMENT


def pickups(call: Call) -> tuple[PickupView, ...]:
    """Every pickup, in order; one that a tape's cut left without its target is told whole besides."""
    seen: dict[tuple[str, str], PickupView] = {}
    picked = facts(call, e.PickedUp)
    whole = {(fact.channel, fact.at) for fact in picked if fact.target}
    for fact in picked:
        if not fact.target and (fact.channel, fact.at) in whole:
            continue
        told = PickupView(_device(call, fact.channel), _device(call, fact.target), fact.at)
        seen.setdefault((fact.channel, fact.target), told)
    return tuple(seen.values())


def forwards(call: Call) -> tuple[ForwardView, ...]:
    """Every forward by a phone, in order."""
    seen: dict[tuple[str, str], ForwardView] = {}
    for fact in facts(call, e.Forwarded):
        by = forwarded_by(call, fact)
        seen.setdefault((by, fact.to), ForwardView(_device(call, by), fact.to, fact.at))
    return tuple(seen.values())


def forwarded_by(call: Call, fact: e.Forwarded) -> str:
    """The channel that forwarded. CEL does not tell it: the next to end that never was up, best "redirected".

    The PBX hangs it up once the forward is told (app_dial.c), on a busy machine a while later and before its cause is
    set (scenario forward_302_twice); one that ended before forwarded something else.
    """
    if fact.target:
        return fact.target
    ended = {
        uid: channel.ended_at
        for uid, channel in call.channels.items()
        if fact.at and channel.ended_at and not channel.up_at and uid != fact.channel
        if -WITNESSES < channel.ended_at - fact.at < _FORWARDED
    }
    redirected = {uid for uid, one in call.channels.items() if one.cause and one.cause[1] == REDIRECTED}
    soonest = min(ended.values(), default=UNTIMED)
    near = [(uid not in redirected, at, uid) for uid, at in ended.items() if at - soonest < WITNESSES]
    return min(near)[2] if near else min(redirected, default="")


def _device(call: Call, uid: str) -> str:
    return device(call.channels[uid].name[1]) if uid in call.channels else ""
