"""The words: everything that can happen to a call, as frozen values that survive JSON.

An event names the channel it happened on and carries the PBX's own time. Translators make events from AMI and CEL;
jobs make events from their results. Nothing decides here: `calls.call.apply` folds them, `calls.view.view` reads.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from msgspec import Struct


class _Happened(Struct, frozen=True, kw_only=True, tag_field="kind", omit_defaults=True):
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

    @property
    def kind(self) -> str:
        """The event's word, which tells it apart in JSON."""
        return type(self).__name__


class ChannelCreated(_Happened, frozen=True):
    """A channel began. `incoming`: the far side called us (True), we dialled it (False), not told (None)."""

    number: str = ""
    caller_name: str = ""
    dialed: str = ""
    context: str = ""
    incoming: bool | None = None


class CallerNamed(_Happened, frozen=True):
    """The channel's own caller id became known or changed."""

    number: str = ""
    caller_name: str = ""


class ChannelRang(_Happened, frozen=True):
    """The device behind the channel rings."""


class ChannelUp(_Happened, frozen=True):
    """The PBX calls the channel Up. Not an answer by itself: menus and queues bring channels up too."""


class ChannelHungUp(_Happened, frozen=True):
    """The channel ended. `cause`: Q.850 (16 normal, 17 busy, 21 rejected, 26 answered elsewhere), None if not told."""

    cause: int | None = None


class Dialed(_Happened, frozen=True):
    """`channel` (empty for an originate) began dialling `target`, a channel's uniqueid."""

    target: str = ""
    target_name: str | None = None
    target_linkedid: str | None = None
    dial_string: str = ""


class DialEnded(_Happened, frozen=True):
    """Dialling `target` ended with Asterisk's DIALSTATUS (ANSWER, NOANSWER, BUSY, CANCEL, CHANUNAVAIL …)."""

    target: str = ""
    target_name: str | None = None
    status: str = ""


class BridgeEntered(_Happened, frozen=True):
    """The channel entered the bridge with that id. In a `holding` bridge (parking, music) nobody hears anybody."""

    bridge: str = ""
    holding: bool = False


class ConferenceJoined(_Happened, frozen=True):
    """The channel entered a bridge in which three or more may talk: who meets there is in one call."""

    bridge: str = ""


class BridgeLeft(_Happened, frozen=True):
    """The channel left the bridge with that id."""

    bridge: str = ""


class Held(_Happened, frozen=True):
    """The device put the other side on hold."""


class Resumed(_Happened, frozen=True):
    """The device took the other side off hold."""


class Transferred(_Happened, frozen=True):
    """`channel` (the one who transfers) sent `transferee` to `to` (number dialled) or to `target` (a channel).

    `second` is the transferrer's other channel in an attended transfer.
    """

    way: Literal["blind", "attended"] = "blind"
    to: str = ""
    transferee: str = ""
    target: str = ""
    second: str = ""
    succeeded: bool = True


class PickedUp(_Happened, frozen=True):
    """`channel` took the call that was ringing on `target`."""

    target: str = ""


class Forwarded(_Happened, frozen=True):
    """The device that `channel` dialled sent the call on to `to` (SIP 302); `target`: its channel, if told."""

    to: str = ""
    target: str = ""


class Parked(_Happened, frozen=True):
    """The channel was parked at `space` (empty when not told) of `lot`; `by` is the device that parked it."""

    lot: str = ""
    space: str = ""
    by: str = ""


class Unparked(_Happened, frozen=True):
    """The channel left its parking space. `outcome`: taken, timed_out, abandoned, swapped or failed.

    `by` is the channel that took it (empty when not told), `by_name` that channel's name.
    """

    outcome: str = ""
    by: str = ""
    by_name: str = ""


class HangupRequested(_Happened, frozen=True):
    """The far side of this channel hung up by itself; of all who talked, the first to do so ended the talk.

    `by`: the name of another channel, whose far side did, as the end of this one tells; empty for this one's own.
    """

    by: str = ""


class QueueJoined(_Happened, frozen=True):
    """The channel began waiting in a queue."""

    queue: str = ""


class QueueLeft(_Happened, frozen=True):
    """The channel stopped waiting. `outcome`: answered, abandoned, timeout, full …, empty when not told."""

    queue: str = ""
    outcome: str = ""


class AppStarted(_Happened, frozen=True):
    """A dialplan application that matters to the record began, in `exten`: Dial, Queue, VoiceMail, MixMonitor."""

    app: str = ""
    data: str = ""
    exten: str = ""


class DialFinished(_Happened, frozen=True):
    """Dial() as a whole ended with this DIALSTATUS; the only trace of a device that could not be dialled."""

    status: str = ""


class RecordingStarted(_Happened, frozen=True):
    """The PBX records the channel into `path` (as the PBX names it), "" where the witness names no file."""

    path: str = ""


class RecordingRefused(_Happened, frozen=True):
    """The call may not be recorded. `reason`: caller (pressed the key), unannounced (the prompt could not be said)."""

    reason: str = "caller"


class RecordingMuted(_Happened, frozen=True):
    """The PBX leaves sound out of the recording from here (`muted`) or takes it in again."""

    muted: bool = True


class LinkedidEnded(_Happened, frozen=True):
    """The PBX retired the linkedid: no channel carries it any more (CEL LINKEDID_END). It may come mid-call."""


class Arrived(_Happened, frozen=True):
    """Our dialplan met a caller on a line and asked where to send them."""

    line: str = ""
    number: str = ""
    caller_name: str = ""


class FallbackTaken(_Happened, frozen=True):
    """The dialplan went on by itself. `reason`: down (service known dead), late (no plan within the budget) or empty (a
    plan of no steps); "" where only CEL tells it.
    """

    reason: str = ""
    line: str = ""


class StepStarted(_Happened, frozen=True):
    """The dialplan began step `step` (from 1) of the plan."""

    step: int = 0


class StepEnded(_Happened, frozen=True):
    """The dialplan ended step `step` with a DIALSTATUS."""

    step: int = 0
    status: str = ""


class PlanEnded(_Happened, frozen=True):
    """The plan ran out: nobody took the call."""


class Confirmed(_Happened, frozen=True):
    """A mobile was asked to press 1. `accepted` tells whether a person did, `silent` that no key was pressed at all."""

    accepted: bool = False
    silent: bool = False


class Routed(_Happened, frozen=True):
    """Routing decided by `rule`; `plan` is JSON text with reasons; `outcome` in_time, from_cache, late or refused.

    `ring_seconds_least`: a phone that rang for less gave its person no fair chance, as the line was set (0: not told).
    """

    rule: str = ""
    plan: str = "{}"
    outcome: str = ""
    seconds: float = 0.0
    ring_seconds_least: float = 0.0


class DeviceUnreachable(_Happened, frozen=True):
    """While this call lasted, `device` (a phone or a trunk, TECH/name) could not be reached: `since` then."""

    device: str = ""
    since: datetime | None = None


class TakenOver(_Happened, frozen=True):
    """Somebody came free for the holding caller, who was sent to them: `person`, and `reason` as JSON text.

    `place` is the caller's place of then, from 1.
    """

    person: str = ""
    team: str = ""
    place: int = 0
    reason: str = "{}"


class CallbackRequested(_Happened, frozen=True):
    """The caller, who held for `team` at `place` (0: not known yet), pressed 1 to be called back."""

    team: str = ""
    place: int = 0


class VoicemailLeft(_Happened, frozen=True):
    """The caller left a message of about `seconds` in a box of ours; its sound is the caller's side of `message_of`."""

    box: str = ""
    seconds: float = 0.0


class NpsAsked(_Happened, frozen=True):
    """The client whom we called by that number, as `line`, answered and hears the question of NPS."""

    line: str = ""
    number: str = ""


class NpsAnswered(_Happened, frozen=True):
    """They pressed how willing they are to recommend the house, 0 to 10."""

    score: int = 0


class OutgoingJudged(_Happened, frozen=True):
    """A call to the outside was judged. `purpose`: click, callback or dialled (on a phone); `reason`: of a refusal.

    `person` is the key of who calls, empty for a device that is nobody's; `shown` the number that the other side sees.
    """

    purpose: str = ""
    person: str = ""
    number: str = ""
    allowed: bool = True
    reason: str = ""
    shown: str = ""


class Recovered(_Happened, frozen=True):
    """Facts of this call were read again from CEL after an outage of the service."""


class Settled(_Happened, frozen=True):
    """Nothing more is expected: every channel ended and stayed ended."""


class RecordingStored(_Happened, frozen=True):
    """One side of the recording is safe. `path` is relative to the recordings store, `side` caller or staff."""

    side: str = ""
    path: str = ""
    sha256: str = ""
    size_bytes: int = 0
    seconds: float = 0.0


class RecordingMissing(_Happened, frozen=True):
    """An answered call has no usable audio on `side`, and why."""

    side: str = ""
    reason: str = ""


class Transcribed(_Happened, frozen=True):
    """The talk was turned into text by `model`."""

    language: str = ""
    model: str = ""
    word_count: int = 0


class TranscriptionGivenUp(_Happened, frozen=True):
    """The talk will not be turned into text by trying again.

    `reason`: `unreadable` (a file holds no sound), `lost` (the store has no such file) or `died` (whatever listened to
    it died every time).
    """

    reason: Literal["", "unreadable", "lost", "died"] = ""


class PartyLinked(_Happened, frozen=True):
    """The call belongs to a party and maybe to a lead; `created` tells what this call brought into being."""

    party: int = 0
    lead: int | None = None
    created: Literal["nothing", "party", "lead", "party_and_lead"] = "nothing"


class IntegrationLost(_Happened, frozen=True):
    """People talked, and the CRM behind `connection` was not told: `why` dead (it will not be) or late (not yet)."""

    connection: str = ""
    why: str = ""


class Erased(_Happened, frozen=True):
    """Who the other side was is forgotten, by policy or on request; what is told of the call later is left out."""


Event = (
    ChannelCreated
    | CallerNamed
    | ChannelRang
    | ChannelUp
    | ChannelHungUp
    | Dialed
    | DialEnded
    | BridgeEntered
    | ConferenceJoined
    | BridgeLeft
    | Held
    | Resumed
    | Transferred
    | PickedUp
    | Forwarded
    | Parked
    | Unparked
    | HangupRequested
    | QueueJoined
    | QueueLeft
    | AppStarted
    | DialFinished
    | RecordingStarted
    | RecordingRefused
    | RecordingMuted
    | LinkedidEnded
    | Arrived
    | FallbackTaken
    | StepStarted
    | StepEnded
    | PlanEnded
    | Confirmed
    | Routed
    | TakenOver
    | CallbackRequested
    | VoicemailLeft
    | NpsAsked
    | NpsAnswered
    | OutgoingJudged
    | DeviceUnreachable
    | Recovered
    | Settled
    | RecordingStored
    | RecordingMissing
    | Transcribed
    | TranscriptionGivenUp
    | PartyLinked
    | IntegrationLost
    | Erased
)


_TIES: Final[Mapping[type, tuple[str, ...]]] = {
    Dialed: ("target", "target_linkedid"),
    DialEnded: ("target",),
    Forwarded: ("target",),
    PickedUp: ("target",),
    Transferred: ("transferee", "target", "second"),
    ConferenceJoined: ("bridge",),
    Unparked: ("by",),
}


def names(event: Event) -> set[str]:
    """Every channel name (uniqueid or linkedid) that the event ties to its call; joining goes by shared names."""
    told = {event.channel, event.linkedid, *(getattr(event, field) for field in _TIES.get(type(event), ()))}
    return {name for name in told if name}


def message_of(channel: str) -> str:
    """The name under which the sound of a message in voicemail is kept: the channel's own sound is of its talks."""
    return f"{channel}-message"


_DRIVERS_END = re.compile(r"(?:-[0-9a-fA-F]+(?:;[12])?)?(?:<MASQ>|<ZOMBIE>)*\Z")
_ISDN_SPAN = re.compile(r"(DAHDI/i\d+)/")


def device(name: str | None) -> str:
    """The device behind a channel name: `PJSIP/anna-00000001` is `PJSIP/anna`; empty when no name was told.

    Asterisk's drivers end a name with a dash and a number in hexadecimal; a name without one is the device itself.
    `DAHDI/i1/79161234567-1a` is the span `DAHDI/i1` (sig_pri.c), `Local/1@office-0000001f;2` is `Local/1@office`.
    """
    told = _DRIVERS_END.sub("", (name or "").removeprefix("AsyncGoto/"), count=1)
    span = _ISDN_SPAN.match(told)
    return span[1] if span else told
