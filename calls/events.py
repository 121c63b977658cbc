"""The words: everything that can happen to a call, as frozen values that survive JSON.

An event names the channel it happened on and carries the PBX's own time. Translators make events from AMI and CEL;
jobs make events from their results. Nothing decides here: `calls.call.apply` folds them, `calls.view.view` reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field


@dataclass(frozen=True, slots=True, kw_only=True)
class _Happened:
    """What every event says: where, when, on which channel.

    `pbx` is the name of the PBX in the settings; `at` is the PBX's time (aware, UTC), None on a tape without times;
    `channel` is the channel's uniqueid; `linkedid` the linkedid it had at that moment; `name` the channel's name
    (`PJSIP/anna-00000001`) where the witness told it.
    """

    pbx: str
    channel: str
    at: datetime | None = None
    linkedid: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCreated(_Happened):
    """A channel began. `incoming`: the far side called us (True), we dialled it (False), not told (None)."""

    kind: Literal["ChannelCreated"] = "ChannelCreated"
    number: str = ""
    caller_name: str = ""
    dialed: str = ""
    context: str = ""
    incoming: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerNamed(_Happened):
    """The channel's own caller id became known or changed."""

    kind: Literal["CallerNamed"] = "CallerNamed"
    number: str = ""
    caller_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRang(_Happened):
    """The device behind the channel rings."""

    kind: Literal["ChannelRang"] = "ChannelRang"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelUp(_Happened):
    """The PBX calls the channel Up. Not an answer by itself: menus and queues bring channels up too."""

    kind: Literal["ChannelUp"] = "ChannelUp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHungUp(_Happened):
    """The channel ended. `cause`: Q.850 (16 normal, 17 busy, 21 rejected, 26 answered elsewhere), None if not told."""

    kind: Literal["ChannelHungUp"] = "ChannelHungUp"
    cause: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialed(_Happened):
    """`channel` (empty for an originate) began dialling `target`, a channel's uniqueid."""

    kind: Literal["Dialed"] = "Dialed"
    target: str = ""
    target_name: str | None = None
    target_linkedid: str | None = None
    dial_string: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialEnded(_Happened):
    """Dialling `target` ended with Asterisk's DIALSTATUS (ANSWER, NOANSWER, BUSY, CANCEL, CHANUNAVAIL …)."""

    kind: Literal["DialEnded"] = "DialEnded"
    target: str = ""
    target_name: str | None = None
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeEntered(_Happened):
    """The channel entered the bridge with that id. In a `holding` bridge (parking, music) nobody hears anybody."""

    kind: Literal["BridgeEntered"] = "BridgeEntered"
    bridge: str = ""
    holding: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeLeft(_Happened):
    """The channel left the bridge with that id."""

    kind: Literal["BridgeLeft"] = "BridgeLeft"
    bridge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(_Happened):
    """The device put the other side on hold."""

    kind: Literal["Held"] = "Held"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed(_Happened):
    """The device took the other side off hold."""

    kind: Literal["Resumed"] = "Resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred(_Happened):
    """`channel` (the one who transfers) sent `transferee` to `to` (number dialled) or to `target` (a channel).

    `second` is the transferrer's other channel in an attended transfer.
    """

    kind: Literal["Transferred"] = "Transferred"
    way: Literal["blind", "attended"] = "blind"
    to: str = ""
    transferee: str = ""
    target: str = ""
    second: str = ""
    succeeded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PickedUp(_Happened):
    """`channel` took the call that was ringing on `target`."""

    kind: Literal["PickedUp"] = "PickedUp"
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarded(_Happened):
    """The device that `channel` dialled sent the call on to `to` (SIP 302); `target`: its channel, if told."""

    kind: Literal["Forwarded"] = "Forwarded"
    to: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueJoined(_Happened):
    """The channel began waiting in a queue."""

    kind: Literal["QueueJoined"] = "QueueJoined"
    queue: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLeft(_Happened):
    """The channel stopped waiting. `outcome`: answered, abandoned, timeout, full …, empty when not told."""

    kind: Literal["QueueLeft"] = "QueueLeft"
    queue: str = ""
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppStarted(_Happened):
    """A dialplan application that matters to the record began: Dial, Queue, VoiceMail, MixMonitor."""

    kind: Literal["AppStarted"] = "AppStarted"
    app: str = ""
    data: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DialFinished(_Happened):
    """Dial() as a whole ended with this DIALSTATUS; the only trace of a device that could not be dialled."""

    kind: Literal["DialFinished"] = "DialFinished"
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStarted(_Happened):
    """The PBX records the channel into `path` (as the PBX names it)."""

    kind: Literal["RecordingStarted"] = "RecordingStarted"
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedidEnded(_Happened):
    """The PBX retired the linkedid: no channel carries it any more (CEL LINKEDID_END). It may come mid-call."""

    kind: Literal["LinkedidEnded"] = "LinkedidEnded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived(_Happened):
    """Our dialplan met a caller on a line and asked where to send them."""

    kind: Literal["Arrived"] = "Arrived"
    line: str = ""
    number: str = ""
    caller_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FallbackTaken(_Happened):
    """The dialplan went on by itself. `reason`: down (service known dead) or late (no plan within the budget)."""

    kind: Literal["FallbackTaken"] = "FallbackTaken"
    reason: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(_Happened):
    """The dialplan began step `step` (from 1) of the plan."""

    kind: Literal["StepStarted"] = "StepStarted"
    step: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepEnded(_Happened):
    """The dialplan ended step `step` with a DIALSTATUS."""

    kind: Literal["StepEnded"] = "StepEnded"
    step: int = 0
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEnded(_Happened):
    """The plan ran out: nobody took the call."""

    kind: Literal["PlanEnded"] = "PlanEnded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(_Happened):
    """A mobile was asked to press 1. `accepted` tells whether a person did."""

    kind: Literal["Confirmed"] = "Confirmed"
    accepted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Routed(_Happened):
    """Routing decided by `rule`; `plan` is JSON text with reasons; `outcome` in_time, from_cache, late or refused."""

    kind: Literal["Routed"] = "Routed"
    rule: str = ""
    plan: str = "{}"
    outcome: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered(_Happened):
    """Facts of this call were read again from CEL after an outage of the service."""

    kind: Literal["Recovered"] = "Recovered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled(_Happened):
    """Nothing more is expected: every channel ended and stayed ended."""

    kind: Literal["Settled"] = "Settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingStored(_Happened):
    """One side of the recording is safe. `path` is relative to the recordings store, `side` caller or staff."""

    kind: Literal["RecordingStored"] = "RecordingStored"
    side: str = ""
    path: str = ""
    sha256: str = ""
    size_bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingMissing(_Happened):
    """An answered call has no usable audio on `side`, and why."""

    kind: Literal["RecordingMissing"] = "RecordingMissing"
    side: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcribed(_Happened):
    """The talk was turned into text by `model`."""

    kind: Literal["Transcribed"] = "Transcribed"
    language: str = ""
    model: str = ""
    word_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PartyLinked(_Happened):
    """The call belongs to a party and maybe to a lead; `created` tells what this call brought into being."""

    kind: Literal["PartyLinked"] = "PartyLinked"
    party: int = 0
    lead: int | None = None
    created: Literal["nothing", "lead", "party_and_lead"] = "nothing"


Event = Annotated[
    ChannelCreated
    | CallerNamed
    | ChannelRang
    | ChannelUp
    | ChannelHungUp
    | Dialed
    | DialEnded
    | BridgeEntered
    | BridgeLeft
    | Held
    | Resumed
    | Transferred
    | PickedUp
    | Forwarded
    | QueueJoined
    | QueueLeft
    | AppStarted
    | DialFinished
    | RecordingStarted
    | LinkedidEnded
    | Arrived
    | FallbackTaken
    | StepStarted
    | StepEnded
    | PlanEnded
    | Confirmed
    | Routed
    | Recovered
    | Settled
    | RecordingStored
    | RecordingMissing
    | Transcribed
    | PartyLinked,
    Field(discriminator="kind"),
]


def names(event: Event) -> frozenset[str]:
    """Every channel name (uniqueid or linkedid) that the event ties to its call; joining goes by shared names."""
    told = [event.channel, event.linkedid]
    match event:
        case Dialed():
            told += [event.target, event.target_linkedid]
        case DialEnded() | Forwarded():
            told += [event.target]
        case PickedUp():
            told += [event.target]
        case Transferred():
            told += [event.transferee, event.target, event.second]
        case _:
            pass
    return frozenset(name for name in told if name)


def device(name: str | None) -> str:
    """The device behind a channel name: `PJSIP/anna-00000001` is `PJSIP/anna`; empty when no name was told."""
    return (name or "").rpartition("-")[0] or (name or "")
