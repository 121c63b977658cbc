"""What the PBX told of each kind of call, folded once; every call of the kind is that, with its own times and names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, reduce
from typing import Any, Final

import msgspec

from calls import events as e
from calls.call import Call
from calls.call import apply as apply_event
from calls.legs import Leg
from calls.view import CallView, view
from routing.plan import Candidate, Plan, Reason, Step, Target

ANSWERED: Final = "answered"
CALLED_OUT: Final = "called_out"
CALLED_IN_VAIN: Final = "called_in_vain"
"""Kinds of calls that are no missed cause; the others are named by their cause."""

_SETTLES_AFTER: Final = timedelta(seconds=5)
_PBX, _UID, _LINE, _NUMBER, _EXTENSION = "some-pbx", "1.1", "74950000000", "79160000000", "999"
_PERSON, _DEVICE = "some-person", "PJSIP/some-device"
_BEGAN, _ANSWERED, _ENDED, _SETTLED = (datetime(2001, 1, 1, 0, minute, tzinfo=UTC) for minute in (1, 2, 3, 4))
_CANNOT_RING: Final = {"device_unreachable": ("CHANUNAVAIL", 20), "all_busy": ("BUSY", 17)}
_RINGS: Final = {"rejected": ("BUSY", 21), "rang_out": ("CANCEL", 16), "caller_gave_up_early": ("CANCEL", 16)}
_TRUNK: Final = "PJSIP/trunk-00000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is a call's own: its PBX and first channel, whom it is with, who of ours, and when (by the PBX's clock)."""

    pbx: str
    uid: str
    line: str
    number: str
    person: str
    device: str
    extension: str
    began: datetime
    answered: datetime
    ended: datetime

    @property
    def settled(self) -> datetime:
        """When nothing more of it is expected."""
        return self.ended + _SETTLES_AFTER


def state(shape: str, told: Told) -> str:
    """The folded state of a call of this shape, as its row holds it."""
    values = {
        f'"{_PBX}"': f'"{told.pbx}"',
        f'"{_UID}"': f'"{told.uid}"',
        f'"{_UID}2"': f'"{told.uid}2"',
        _LINE: told.line,
        _NUMBER: told.number,
        f'"{_EXTENSION}"': f'"{told.extension}"',
        _PERSON: told.person,
        _DEVICE: told.device,
        _written(_BEGAN): _written(told.began),
        _written(_ANSWERED): _written(told.answered),
        _written(_ENDED): _written(told.ended),
        _written(_SETTLED): _written(told.settled),
    }
    folded, tokens = _folded(shape)
    return tokens.sub(lambda found: values[found[0]], folded)


def is_outward(shape: str) -> bool:
    """Whether one of ours called."""
    return shape in {CALLED_OUT, CALLED_IN_VAIN}


@cache
def leg_of(shape: str) -> Leg | None:
    """What became of whoever was rung; None: nobody was. Its times and names are of no call."""
    return next(iter(seen(_folded(shape)[0]).legs), None)


def seen(state_told: str) -> CallView:
    """What a state reads as."""
    return view(msgspec.json.decode(state_told, type=Call))


def _written(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@cache
def _folded(shape: str) -> tuple[str, re.Pattern[str]]:
    call = reduce(apply_event, _events(shape), Call())
    tokens = (
        f'"{_PBX}"',
        f'"{_UID}2?"',
        _LINE,
        _NUMBER,
        f'"{_EXTENSION}"',
        _PERSON,
        _DEVICE,
        r"2001-01-01T00:0[1-4]:00Z",
    )
    return msgspec.json.encode(call).decode(), re.compile("|".join(tokens))


def _events(shape: str) -> Iterator[e.Event]:
    outward = is_outward(shape)
    caller: dict[str, Any] = {"pbx": _PBX, "channel": _UID, "linkedid": _UID}
    other: dict[str, Any] = {"pbx": _PBX, "channel": f"{_UID}2", "linkedid": _UID}
    ours, outside = {"name": f"{_DEVICE}-00000002"}, {"name": _TRUNK}
    caller |= ours if outward else outside
    other |= outside if outward else ours
    begins, called = (_EXTENSION, _NUMBER) if outward else (_NUMBER, _LINE)
    yield e.ChannelCreated(**caller, at=_BEGAN, number=begins, dialed=called, context="trunk", incoming=True)
    if not outward:
        yield e.Arrived(**caller, at=_BEGAN, line=_LINE, number=_NUMBER)
        yield from _decided(shape, caller)
    if shape != "outside_hours":
        reached = _NUMBER if outward else _EXTENSION
        yield e.ChannelCreated(**other, at=_BEGAN, number=reached, incoming=False)
        yield e.Dialed(**caller, at=_BEGAN, target=other["channel"], target_name=other["name"])
        yield from _rung(shape, caller, other)
    if shape in {"outside_hours", "caller_gave_up_early", "rang_out"}:
        yield e.HangupRequested(**caller, at=_ENDED)
    yield e.ChannelHungUp(**caller, at=_ENDED, cause=16)
    yield e.Settled(**caller, at=_SETTLED)


def _decided(shape: str, caller: Mapping[str, Any]) -> Iterator[e.Event]:
    if shape == "service_down":
        yield e.FallbackTaken(**caller, at=_BEGAN, reason="down", line=_LINE)
        return
    open_now = shape != "outside_hours"
    reason = Reason("open", "the line is open") if open_now else Reason("outside_hours", "the line is closed")
    target = Target(dial=_DEVICE, person=_PERSON, device=_DEVICE, kind="desk")
    considered = Candidate(_PERSON, _DEVICE, taken=True, key="free", why="registered and free")
    plan = Plan(
        rule="owner" if open_now else "outside_hours",
        line=_LINE,
        steps=(Step("ring", (target,), 30, Reason("owner", "the owner of this caller's lead")),) if open_now else (),
        reasons=(reason,),
        considered=(considered,) if open_now else (),
        cause="" if open_now else "outside_hours",
    )
    told = json.dumps(plan.to_json())
    yield e.Routed(**caller, at=_BEGAN, plan=told, outcome="in_time", seconds=0.004, rule=plan.rule)


def _rung(shape: str, caller: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[e.Event]:
    """What the second channel does."""
    if shape in _CANNOT_RING:
        status, cause = _CANNOT_RING[shape]
    else:
        yield e.ChannelRang(**other, at=_BEGAN)
        status, cause = ("ANSWER", 16) if shape in {ANSWERED, CALLED_OUT} else _RINGS.get(shape, ("NOANSWER", 16))
    if status == "ANSWER":
        yield from (e.ChannelUp(**one, at=_ANSWERED) for one in (caller, other))
        yield from (e.BridgeEntered(**one, at=_ANSWERED, bridge="b") for one in (caller, other))
    yield e.DialEnded(**caller, at=_ANSWERED if status == "ANSWER" else _ENDED, target=other["channel"], status=status)
    yield e.ChannelHungUp(**other, at=_ENDED, cause=cause)
