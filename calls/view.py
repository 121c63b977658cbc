"""What the facts mean: the one reading of a call that pages, reports, metrics, jobs and `replay` share (pure)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from calls import events as e
from calls.call import UNTIMED, Call, Channel, earliest, facts
from calls.ends import ended_by
from calls.events import device
from calls.legs import Leg, caller_channel, is_originated, is_outside, legs
from calls.missed import Evidence, missed
from calls.moves import ForwardView, PickupView, TransferView, forwards, pickups, transfers
from calls.nps import NPS, is_nps
from calls.synthetic import SYNTHETIC, is_synthetic
from calls.talks import Talk, covered_seconds, is_conference, talks
from calls.waits import ParkView, QueueView, holds, parks, queues

_SAME_MOMENT = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class TalkView:
    """Two devices (or, behind a trunk, numbers) that heard each other."""

    between: tuple[str, str]
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Muted:
    """While its recording was paused, the PBX wrote silence of this channel; `until` None: it still does."""

    channel: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class CallView:
    """One call, read. Times are aware UTC, None where unknown or not yet; seconds are floats.

    `recordings` are files as the PBX names them, `recorded` the uniqueids of the channels that it records, in the order
    of time. `refused` says why the call may not be recorded (see RecordingRefused), "" for one that may. `let_out`: a
    call to the outside was judged, and allowed. `integration_lost` shows that a CRM does not know of a call that people
    talked on: the cause of that name, for which nobody is charged and nobody is owed a call.
    """

    id: str
    pbx: str
    linkedids: tuple[str, ...]
    direction: str
    line: str
    caller_number: str
    caller_name: str
    caller_device: str
    caller_channel: str
    dialed: str
    started_at: datetime | None
    answered_at: datetime | None
    ended_at: datetime | None
    settled_at: datetime | None
    status: str
    missed_cause: str | None
    missed_group: str | None
    missed_evidence: tuple[Evidence, ...]
    charged_to: tuple[str, ...]
    integration_lost: tuple[Evidence, ...]
    lost_in_transfer: bool
    ended_by: str | None
    answered_by: tuple[str, ...]
    legs: tuple[Leg, ...]
    talks: tuple[TalkView, ...]
    transfers: tuple[TransferView, ...]
    pickups: tuple[PickupView, ...]
    forwards: tuple[ForwardView, ...]
    queues: tuple[QueueView, ...]
    parks: tuple[ParkView, ...]
    conference: bool
    hold_seconds: float
    talk_seconds: float
    wait_seconds: float
    recordings: tuple[str, ...]
    recorded: tuple[str, ...]
    muted: tuple[Muted, ...]
    refused: str
    let_out: bool
    call_back_asked: bool
    call_back_place: int
    rule: str
    outcome: str
    recovered: bool
    erased: bool
    party: int | None
    lead: int | None


def view(call: Call) -> CallView:
    """Read the call. Total: any set of facts, however torn, gives a view."""
    caller = caller_channel(call)
    heard = talks(call)
    reached = legs(call, caller, heard)
    started_at = min((_began for c in call.channels.values() if (_began := c.created_at or c.seen_at)), default=None)
    answered_at = min((talk.span.since for talk in heard), default=None)
    ended_at = _ended(call, caller, heard)
    direction = _direction(call, caller, reached)
    linked, routed = earliest(call, e.PartyLinked), earliest(call, e.Routed)
    asked, refused = earliest(call, e.CallbackRequested), earliest(call, e.RecordingRefused)
    status = _status(call, direction, heard, ended_at)
    wait = _between(started_at, answered_at or ended_at)
    channel = _known_caller(call, caller)
    ender, moved = ended_by(call, caller, heard), transfers(call, heard)
    miss = missed(call, reached, wait, gave_up=bool(ender)) if status == "missed" else None
    return CallView(
        id=min(call.linkedids, default="", key=lambda name: (_first_seen(call, name), name)),
        pbx=call.pbx,
        linkedids=tuple(sorted(call.linkedids, key=lambda name: (_first_seen(call, name), name))),
        direction=direction,
        line=_line(call, direction, caller),
        caller_number=channel.number[1] if channel else "",
        caller_name=channel.caller_name[1] if channel else "",
        caller_device=device(channel.name[1]) if channel else "",
        caller_channel=caller,
        dialed=_dialed(call, caller, reached),
        started_at=_time(started_at),
        answered_at=_time(answered_at),
        ended_at=_time(ended_at),
        settled_at=_settled(call),
        status=status,
        missed_cause=miss.cause if miss else None,
        missed_group=miss.group if miss else None,
        missed_evidence=miss.evidence if miss else (),
        charged_to=miss.charged_to if miss else (),
        integration_lost=_lost_to_crms(call) if heard else (),
        lost_in_transfer=status == "answered" and direction == "inbound" and _lost(moved, heard),
        ended_by=_ended_by(call, direction, caller, ender) if ended_at else None,
        answered_by=_answered_by(reached, heard),
        legs=reached,
        talks=tuple(_talk(call, talk) for talk in heard),
        transfers=moved,
        pickups=pickups(call),
        forwards=forwards(call),
        queues=queues(call, heard),
        parks=parks(call),
        conference=is_conference(heard),
        hold_seconds=covered_seconds(holds(call), ended_at),
        talk_seconds=covered_seconds((talk.span for talk in heard), ended_at),
        wait_seconds=wait,
        recordings=tuple(sorted({fact.path for fact in facts(call, e.RecordingStarted) if fact.path})),
        recorded=tuple(dict.fromkeys(fact.channel for fact in facts(call, e.RecordingStarted))),
        muted=_muted(call, ended_at),
        refused=refused.reason if refused else "",
        let_out=any(fact.allowed for fact in facts(call, e.OutgoingJudged)),
        call_back_asked=asked is not None,
        call_back_place=asked.place if asked else 0,
        rule=routed.rule if routed else "",
        outcome=routed.outcome if routed else "",
        recovered=earliest(call, e.Recovered) is not None,
        erased=earliest(call, e.Erased) is not None,
        party=linked.party if linked else None,
        lead=linked.lead if linked else None,
    )


def to_json(seen: CallView) -> dict[str, Any]:
    """The object of `switchhook replay --format json` (docs: surfaces), times as ISO 8601 with zone."""
    told = asdict(seen)
    record: dict[str, Any] = {
        "id": seen.id,
        "linkedids": list(seen.linkedids),
        "direction": seen.direction,
        "caller": {"number": seen.caller_number, "name": seen.caller_name, "device": seen.caller_device or None},
    }
    for name in (
        "dialed",
        "started_at",
        "answered_at",
        "ended_at",
        "status",
        "missed_cause",
        "missed_group",
        "charged_to",
        "ended_by",
        "answered_by",
    ):
        record[name] = told[name]
    record["missed_evidence"] = [one.to_json() for one in seen.missed_evidence]
    record["legs"] = [{key: value for key, value in leg.items() if key != "channel"} for leg in told["legs"]]
    record["talks"] = [{"between": t["between"], "from": t["since"], "to": t["until"]} for t in told["talks"]]
    record["transfers"] = told["transfers"]
    record["parks"] = [
        {("from" if key == "since" else "to" if key == "until" else key): value for key, value in one.items()}
        for one in told["parks"]
    ]
    for name in (
        "forwards",
        "pickups",
        "queues",
        "conference",
        "hold_seconds",
        "talk_seconds",
        "wait_seconds",
        "recordings",
    ):
        record[name] = told[name]
    plain: dict[str, Any] = json.loads(json.dumps(record, default=datetime.isoformat))
    return plain


def _ended(call: Call, caller: str, heard: tuple[Talk, ...]) -> datetime | None:
    """When the last of the people went; None until the last channel ended too.

    A mobile that is asked for a key may go on for a while after the caller (scenario mobile_asked_too_long).
    """
    closed = _closed(call)
    people = {caller, *(uid for talk in heard for uid in (talk.one, talk.other))} & call.channels.keys()
    return closed and max((at for uid in people if (at := call.channels[uid].ended_at)), default=closed)


def _closed(call: Call) -> datetime | None:
    """When the last channel ended; None until every channel did, or every linkedid was retired."""
    ends = [channel.ended_at for channel in call.channels.values() if channel.name[1] or channel.ended_at]
    closed = [at for at in ends if at is not None]
    over = len(closed) == len(ends) or (bool(call.linkedids) and call.linkedids <= call.ended_linkedids)
    return max(closed) if closed and over else None


def _ended_by(call: Call, direction: str, caller: str, ender: str) -> str:
    """`caller` is the person outside, `staff` any of ours; `pbx` when nobody hung up."""
    if not ender:
        return "pbx"
    outside = (
        is_outside(call.channels[ender].number[1])
        if direction == "outbound"
        else direction == "inbound" and ender == caller
    )
    return "caller" if outside else "staff"


def _settled(call: Call) -> datetime | None:
    """When the call settled as it is now known; a later end, as of a call that joined it, unsettles it."""
    last = _closed(call)
    return min((fact.at for fact in facts(call, e.Settled) if fact.at and last and fact.at >= last), default=None)


def _status(call: Call, direction: str, heard: tuple[Talk, ...], ended_at: datetime | None) -> str:
    if heard:
        return "answered" if ended_at else "talking"
    if earliest(call, e.VoicemailLeft) or any(fact.app == "VoiceMail" for fact in facts(call, e.AppStarted)):
        return "voicemail"
    if ended_at is None:
        return "ringing"
    return "missed" if direction == "inbound" else "failed"


def _direction(call: Call, caller: str, reached: tuple[Leg, ...]) -> str:
    if is_synthetic({uid: channel.name[1] for uid, channel in call.channels.items()}):
        return SYNTHETIC
    if is_nps(call.channels):
        return NPS
    if earliest(call, e.Arrived) or earliest(call, e.FallbackTaken):
        return "inbound"
    channel = call.channels.get(caller)
    numbers = [leg.number for leg in reached]
    if channel and is_originated(call, caller):
        return "outbound" if any(is_outside(number) for number in (channel.number[1], *numbers)) else "internal"
    if channel is None or is_outside(channel.number[1]) or channel.number[1] in {"anonymous", ""}:
        return "inbound"
    outside = is_outside(channel.dialed[1]) or any(is_outside(number) for number in numbers)
    return "outbound" if outside else "internal"


def _known_caller(call: Call, caller: str) -> Channel | None:
    """The caller's channel; whose number is outside did not call us when the PBX called there first."""
    channel = call.channels.get(caller)
    return None if channel and is_originated(call, caller) and is_outside(channel.number[1]) else channel


def _lost_to_crms(call: Call) -> tuple[Evidence, ...]:
    """One a connection: what became of it last is what counts."""
    told = {fact.connection: fact.why for fact in facts(call, e.IntegrationLost)}
    values = ((("connection", name), ("why", why)) for name, why in sorted(told.items()))
    return tuple(Evidence("crm_not_told", pairs, ("IntegrationLost",)) for pairs in values)


def _lost(moved: tuple[TransferView, ...], heard: tuple[Talk, ...]) -> bool:
    """Whether the call was sent on to somebody who never took it, and nobody talked after that."""
    at = moved[-1].at if moved else None
    if at is None or moved[-1].completed:
        return False
    return not any(talk.span.until is None or talk.span.until > at + _SAME_MOMENT for talk in heard)


def _line(call: Call, direction: str, caller: str) -> str:
    arrived = earliest(call, e.Arrived) or earliest(call, e.FallbackTaken) or earliest(call, e.NpsAsked)
    if arrived and arrived.line:
        return arrived.line
    channel = call.channels.get(caller)
    return channel.dialed[1] if channel and direction == "inbound" and channel.dialed[1] not in {"s", "h"} else ""


def _dialed(call: Call, caller: str, reached: tuple[Leg, ...]) -> str:
    arrived = earliest(call, e.Arrived)
    dialed = arrived.line if arrived else call.channels[caller].dialed[1] if caller in call.channels else ""
    return (
        dialed
        if dialed not in {"", "s", "h"}
        else next(
            (leg.number for leg in reached if leg.number and (leg.channel != caller or is_outside(leg.number))), ""
        )
    )


def _answered_by(reached: tuple[Leg, ...], heard: tuple[Talk, ...]) -> tuple[str, ...]:
    order = [uid for talk in heard for uid in (talk.one, talk.other)]
    answered = {leg.channel: leg.device for leg in reached if leg.outcome == "answered"}
    return tuple(dict.fromkeys(answered[uid] for uid in order if uid in answered))


def party_of_talk(call: Call, uid: str) -> str:
    """The device, or behind a trunk the number, that a channel stands for in a talk."""
    channel = call.channels[uid]
    return channel.number[1] if is_outside(channel.number[1]) else device(channel.name[1])


def _talk(call: Call, talk: Talk) -> TalkView:
    pair = sorted((talk.one, talk.other), key=lambda uid: (_first_seen(call, uid), uid))
    between = (party_of_talk(call, pair[0]), party_of_talk(call, pair[1]))
    return TalkView(between, _time(talk.span.since), _time(talk.span.until))


def _muted(call: Call, ended_at: datetime | None) -> tuple[Muted, ...]:
    """The spans in which a recording was paused; one that nobody resumed ends with its channel."""
    told: dict[str, list[e.RecordingMuted]] = {}
    for fact in facts(call, e.RecordingMuted):
        told.setdefault(fact.channel, []).append(fact)
    spans = []
    for channel, turns in told.items():
        since: datetime | None = None
        for turn in turns:
            if turn.muted:
                since = since or turn.at
            elif since and turn.at:
                spans.append(Muted(channel, since, turn.at))
                since = None
        if since:
            spans.append(Muted(channel, since, call.channels[channel].ended_at or ended_at))
    return tuple(sorted(spans, key=lambda span: (span.since, span.channel)))


def _first_seen(call: Call, name: str) -> datetime:
    channel = call.channels.get(name)
    return (channel.created_at or channel.seen_at or UNTIMED) if channel else UNTIMED


def _between(start: datetime | None, end: datetime | None) -> float:
    if start is None or end is None or UNTIMED in {start, end}:
        return 0.0
    return max((end - start).total_seconds(), 0.0)


def _time(at: datetime | None) -> datetime | None:
    return None if at == UNTIMED else at
