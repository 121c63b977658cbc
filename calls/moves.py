"""How a call moved between devices: transfers, pickups and forwards (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from calls import events as e
from calls.call import UNTIMED, Call, facts
from calls.events import device
from calls.talks import Talk

REDIRECTED = 23
"""Q.850 cause of a leg that answered with a SIP 302."""

_SAME_MOMENT = timedelta(seconds=0.5)


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
    seen: dict[tuple[str, str, str], TransferView] = {}
    for fact in facts(call, e.Transferred):
        own = {fact.channel, fact.second}
        moved = fact.transferee
        reached = tuple(
            dict.fromkeys(
                device(call.channels[other].name[1])
                for talk in heard
                for one, other in ((talk.one, talk.other), (talk.other, talk.one))
                if (one == moved or not moved) and other not in own and other != moved and _after(talk, fact.at)
            )
        )
        second, target = call.channels.get(fact.second), call.channels.get(fact.target)
        to = fact.to or (second.dialed[1] if second else "") or (target.number[1] if target else "")
        blonde = fact.way == "attended" and target is not None and (target.up_at or UNTIMED) > (fact.at or UNTIMED)
        kind, by = "blonde" if blonde else fact.way, _device(call, fact.channel)
        told = TransferView(kind, by, to, reached, bool(reached), fact.at)
        seen.setdefault((fact.way, fact.channel, fact.target or fact.to), told)
    return tuple(seen.values())


def _after(talk: Talk, at: datetime | None) -> bool:
    return at is None or talk.span.until is None or talk.span.until > at


def pickups(call: Call) -> tuple[PickupView, ...]:
    """Every pickup, in order."""
    seen: dict[tuple[str, str], PickupView] = {}
    for fact in facts(call, e.PickedUp):
        told = PickupView(_device(call, fact.channel), _device(call, fact.target), fact.at)
        seen.setdefault((fact.channel, fact.target), told)
    return tuple(seen.values())


def forwards(call: Call) -> tuple[ForwardView, ...]:
    """Every forward by a phone, in order; CEL does not tell by whom, the leg that ended redirected then does."""
    seen: dict[tuple[str, str], ForwardView] = {}
    for fact in facts(call, e.Forwarded):
        by = fact.target or _redirected(call, fact)
        seen.setdefault((by, fact.to), ForwardView(_device(call, by), fact.to, fact.at))
    return tuple(seen.values())


def _redirected(call: Call, fact: e.Forwarded) -> str:
    """The channel that ended redirected at the moment of `fact`."""
    ended = {
        uid: channel.ended_at or UNTIMED
        for uid, channel in call.channels.items()
        if channel.cause and channel.cause[1] == REDIRECTED
    }
    near = [uid for uid, at in ended.items() if fact.at is None or abs(at - fact.at) < _SAME_MOMENT]
    return min(near, default="")


def _device(call: Call, uid: str) -> str:
    return device(call.channels[uid].name[1]) if uid in call.channels else ""
