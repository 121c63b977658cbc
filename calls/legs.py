"""Which devices a call reached for, and how each reach ended (pure)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from calls import events as e
from calls.call import UNTIMED, Call, Channel, Dial, facts
from calls.ends import asked_by
from calls.events import device
from calls.moves import WITNESSES, forwarded_by
from calls.talks import Talk, is_local, order

SAME_MOMENT = timedelta(seconds=1)
_CAUSES = {17: "busy", 21: "rejected", 26: "answered_elsewhere", 19: "no_answer"}
_CAUSES |= dict.fromkeys((1, 3, 18, 20, 27, 28), "unavailable") | dict.fromkeys((34, 38, 42), "congestion")
_STATUSES = {"BUSY": "busy", "NOANSWER": "no_answer", "CHANUNAVAIL": "unavailable", "CONGESTION": "congestion"}
_DIALLED = re.compile(r"^([A-Za-z0-9]+)/(?:([^@/]+)@)?([^@/]+)")


OUTSIDE_DIGITS = 7
"""A number with at least so many digits is a telephone number, not an extension (ITU-T E.164 subscriber numbers)."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One device ringing or talking inside a call; `outcome` is one of a closed list, None while it rings."""

    channel: str
    device: str
    number: str
    rang: bool
    started_at: datetime | None
    rang_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    hangup_cause: int | None


def is_outside(number: str) -> bool:
    """A telephone number, not an extension."""
    return sum(sign.isdigit() for sign in number) >= OUTSIDE_DIGITS


def caller_channel(call: Call) -> str:
    """The uniqueid of the channel that began the call: the first from outside, or of ours, that called in.

    Nobody called in when the PBX began the call (click-to-call): then, whichever side it rang first, the one of ours.
    """
    people = sorted(
        (uid for uid, channel in call.channels.items() if not is_local(channel) and channel.name[1]),
        key=lambda uid: (_began(call.channels[uid]), order(uid)),
    )
    numbers = {uid: call.channels[uid].number[1] for uid in people}
    called_in = [uid for uid in people if call.channels[uid].incoming]
    called_in.sort(key=lambda uid: not is_outside(numbers[uid]))
    ours = [uid for uid in people if numbers[uid] and not is_outside(numbers[uid])]
    began = ours if people and is_originated(call, people[0]) else []
    return next(iter([*called_in, *began, *people]), "")


def caller_ended_at(call: Call) -> datetime | None:
    """When the channel that began the call ended: they may have handed the other side over before; None: it goes on."""
    channel = call.channels.get(caller_channel(call))
    return _time(channel.ended_at) if channel else None


def is_originated(call: Call, caller: str) -> bool:
    """Whether the PBX called even the one who began the call, as a program asked it to."""
    return caller in call.channels and call.channels[caller].incoming is False


def legs(call: Call, caller: str, talks: tuple[Talk, ...]) -> tuple[Leg, ...]:
    """Every device but the caller's that was dialled, rang, picked the call up or unparked it, by their beginnings.

    The caller's is one too where the PBX called it first, and nobody answered there.
    """
    picked = {fact.channel for fact in call.facts if isinstance(fact, e.PickedUp)}
    seconds = {fact.second for fact in call.facts if isinstance(fact, e.Transferred)}
    # Another who called in from outside is a second caller (scenario two_callers_joined).
    callers = {uid for uid, channel in call.channels.items() if channel.incoming and is_outside(channel.number[1])}
    met = {uid for talk in talks if caller in {talk.one, talk.other} for uid in (talk.one, talk.other)}
    met -= seconds | callers
    found = [
        _leg(call, caller, uid, talks)
        for uid, channel in call.channels.items()
        if (uid != caller or (is_originated(call, caller) and not channel.up_at))
        and channel.name[1]
        and not is_local(channel)
        and (uid in call.dials or uid in picked | met or channel.incoming is False)
    ]
    own = {device(call.channels[caller].name[1])} if caller in call.channels else set()
    found += _never_dialled(call, {leg.device for leg in found} | own)
    return tuple(sorted(found, key=lambda leg: (leg.started_at or UNTIMED, order(leg.channel), leg.device)))


def _leg(call: Call, caller: str, uid: str, talks: tuple[Talk, ...]) -> Leg:
    channel = call.channels[uid]
    answered = min((talk.span.since for talk in talks if uid in {talk.one, talk.other}), default=None)
    cause = channel.cause[1] if channel.cause else None
    outcome = "answered" if answered else _outcome(call, caller, uid, talks)
    rang_at = channel.rang_at
    return Leg(
        channel=uid,
        device=device(channel.name[1]),
        number=channel.number[1],
        rang=rang_at is not None or answered is not None or outcome in {"no_answer", "cancelled", "answered_elsewhere"},
        started_at=_time(channel.created_at or call.dials.get(uid, Dial()).began_at or channel.seen_at),
        rang_at=_time(rang_at),
        answered_at=_time(answered),
        ended_at=_time(channel.ended_at),
        outcome=outcome,
        hangup_cause=cause,
    )


def _outcome(call: Call, caller: str, uid: str, talks: tuple[Talk, ...]) -> str | None:
    channel = call.channels[uid]
    dial = call.dials.get(uid, Dial())
    ended = channel.ended_at or dial.ended_at
    if ended is None:
        return None
    if channel.up_at and channel.incoming is False and is_originated(call, caller):
        return "failed"  # a person answered a program's call, and met nobody
    refused = [fact for fact in facts(call, e.Confirmed) if fact.channel == uid and not fact.accepted]
    if refused:
        return "no_answer" if all(fact.silent for fact in refused) else "rejected"
    if any(isinstance(fact, e.PickedUp) and fact.target == uid for fact in call.facts):
        return "answered_elsewhere"
    if any(isinstance(fact, e.Forwarded) and forwarded_by(call, fact) == uid for fact in call.facts):
        return "failed"
    cause = channel.cause[1] if channel.cause else None
    if cause in {17, 21, 26, 34, 38, 42}:
        return _CAUSES[cause]
    # One that was up was answered, if only by a mailbox, and nobody pressed the key that accepts.
    told = None if channel.up_at else _STATUSES.get(dial.status[1])
    if told == "no_answer" and dial.began_at and channel.rang_at is None:
        return "unavailable"  # AMI told its dialling, and would have told its ringing: it is registered and dead
    if told or _taken(call, caller, uid, talks):
        return told or "answered_elsewhere"
    if _given_up(call, caller, uid, ended):
        return "cancelled"
    return _CAUSES.get(cause or 0, "no_answer" if cause in {0, 16, None} else "failed")


def _taken(call: Call, caller: str, uid: str, talks: tuple[Talk, ...]) -> bool:
    """Somebody else came up while this leg rang: the losers of a ring group go within milliseconds of the answer."""
    channel = call.channels[uid]
    began, ended = _began(channel), channel.ended_at or UNTIMED
    others = {other for talk in talks for other in (talk.one, talk.other)} - {caller, uid}
    return ended != UNTIMED and any(
        began <= (call.channels[other].up_at or UNTIMED) <= ended + WITNESSES for other in others
    )


def _given_up(call: Call, caller: str, own: str, ended: datetime) -> bool:
    """Who waited for it went while it rang: they hung up then, or Dial() says so, and nobody was dialled after."""
    if any(channel.created_at and ended <= channel.created_at < UNTIMED for channel in call.channels.values()):
        return False
    cancelled = any(fact.status == "CANCEL" for fact in call.facts if isinstance(fact, e.DialFinished))
    caller_ended = call.channels[caller].ended_at if caller in call.channels else None
    if caller_ended is None or UNTIMED in {ended, caller_ended}:
        return cancelled
    # Where it is told who hung up, and nobody did, the PBX gave up (scenario blonde_unanswered).
    silent = not any(isinstance(fact, e.HangupRequested) and not fact.by for fact in call.facts)
    if cancelled and silent and abs(caller_ended - ended) < SAME_MOMENT:
        return True
    asked = {uid: at for uid, at in asked_by(call).items() if uid != own and at != UNTIMED}
    # A mobile that is asked for a key may go on for a while after the caller has gone.
    after = call.channels[own].up_at is not None and asked.get(caller, UNTIMED) < ended
    return after or any(abs(at - ended) < SAME_MOMENT for at in asked.values())


def _never_dialled(call: Call, reached: set[str]) -> list[Leg]:
    """Devices that Dial() named but could not even ring: no channel exists for them (tape unregistered)."""
    lost = []
    dials = [fact for fact in call.facts if isinstance(fact, e.AppStarted) and fact.app == "Dial"]
    for fact in sorted(filter(partial(_is_over, call), dials), key=_fact_order):
        for target in fact.data.partition(",")[0].split("&"):
            told = _DIALLED.match(target.strip())
            if (
                told is None
                or told[1] == "Local"
                or f"{told[1]}/{told[3]}" in reached
                or _is_reached_group(told, reached)
            ):
                continue
            name = f"{told[1]}/{told[3]}"
            reached = reached | {name}
            at = fact.at
            lost.append(Leg(fact.channel, name, told[2] or "", False, at, None, None, at, "unavailable", None))
    return lost


def _is_over(call: Call, dial: e.AppStarted) -> bool:
    """Whether Dial() ended: before, the channel of what it names may only not have begun yet."""
    channel = call.channels.get(dial.channel)
    if channel is None or channel.ended_at is not None:
        return True
    ends = [fact.at for fact in call.facts if isinstance(fact, e.DialFinished) and fact.channel == dial.channel]
    return any(at is None or dial.at is None or at >= dial.at for at in ends)


def _is_reached_group(told: re.Match[str], reached: set[str]) -> bool:
    """`DAHDI/g1/79161234567` asks for any channel of a group; the one taken is named for its port."""
    return told[1] == "DAHDI" and told[3][0] in "gGrR" and any(one.startswith("DAHDI/") for one in reached)


def _fact_order(fact: e.AppStarted) -> tuple[datetime, str]:
    return (fact.at or UNTIMED, fact.data)


def _began(channel: Channel) -> datetime:
    return channel.created_at or channel.seen_at or UNTIMED


def _time(at: datetime | None) -> datetime | None:
    return None if at == UNTIMED else at
