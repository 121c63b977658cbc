"""What an AMI message means: the live witness's words turned into events (pure).

One table, one small function an event. Live messages and tapes go through the same `translate`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from calls import events as e
from calls.events import Event
from telephony import cel, waiting
from telephony.silent import is_silent
from telephony.told import ARRIVAL, Headers, Message, Where, is_of_a_call, recording_paths, whole

_RING, _DOWN, _RINGING, _UP = "4", "0", "5", "6"
"""Channel states as Asterisk numbers them: Ring is a far side calling us, Ringing a far side being called."""
_QUEUE_ENDS = frozenset({"FULL", "TIMEOUT", "JOINEMPTY", "LEAVEEMPTY", "JOINUNAVAIL", "LEAVEUNAVAIL"})
"""What QUEUESTATUS says of a caller whom nobody answered."""


def translate(pbx: str, message: Headers) -> list[Event]:
    """The events of one message of `pbx`; none for a message that says nothing of a call. Never raises.

    Keys are header names in any casing; a repeated header is a list of its values.
    """
    meaning = _MEANINGS.get(event_name(message).lower())
    if meaning is None or (meaning is _user_event and not raised_by_dialplan(message)):
        return []
    return [event for event in meaning(Message(pbx, message)) if is_of_a_call(event.channel)]


def event_name(message: Headers) -> str:
    """The message's `Event` header, "" for a response."""
    told = message.get("Event") or next((value for name, value in message.items() if name.lower() == "event"), "")
    return told if isinstance(told, str) else next(iter(told), "")


def knows(name: str) -> bool:
    """Whether an event of that name is one we read or know to tell nothing of a call; all others are counted."""
    name = name.lower()
    return name in _MEANINGS or is_silent(name)


def raised_by_dialplan(message: Headers) -> bool:
    """Whether a UserEvent comes from a channel in the dialplan, and not from an AMI user's action of that name.

    Asterisk writes the channel of the one before the header `UserEvent` (stasis.c), and all that an AMI user says after
    it (manager.c, 18 to 22): no AMI user can make it seem that a channel did what it did not.
    """
    told = next((name for name in map(str.lower, message) if name in {"uniqueid", "userevent"}), "")
    return told == "uniqueid"


def is_forged(message: Headers) -> bool:
    """Whether the message is a UserEvent in one of our dialplan's names that no dialplan raised."""
    name = message.get("UserEvent")
    return isinstance(name, str) and name.lower() in _OUR_USER_EVENTS and not raised_by_dialplan(message)


def _new_channel(told: Message) -> list[Event]:
    incoming = {_RING: True, _DOWN: False}.get(told["channelstate"])
    return [
        e.ChannelCreated(
            **told.where(),
            number=told["calleridnum"],
            caller_name=told["calleridname"],
            dialed=told["exten"],
            context=told["context"],
            incoming=incoming,
        )
    ]


def _live_channel(told: Message) -> list[Event]:
    """A channel in the list of live ones: how it began is not told, and its extension is where it is by now."""
    created = e.ChannelCreated(**told.where(), number=told["calleridnum"], caller_name=told["calleridname"])
    return [created, *_new_state(told)]


def _new_state(told: Message) -> list[Event]:
    if told["channelstate"] == _RINGING:
        return [e.ChannelRang(**told.where())]
    return [e.ChannelUp(**told.where())] if told["channelstate"] == _UP else []


def _new_caller_id(told: Message) -> list[Event]:
    return [e.CallerNamed(**told.where(), number=told["calleridnum"], caller_name=told["calleridname"])]


def _hangup(told: Message) -> list[Event]:
    return [e.ChannelHungUp(**told.where(), cause=whole(told["cause"]))]


def _dialling(told: Message) -> Where:
    """Who dials; nobody dials an originate, so there the dialled channel stands for itself (tape click2call)."""
    return told.where() if told["uniqueid"] else told.where("dest")


def _dial_begin(told: Message) -> list[Event]:
    dialed = e.Dialed(
        **_dialling(told),
        target=told["destuniqueid"],
        target_name=told["destchannel"] or None,
        target_linkedid=told["destlinkedid"] or None,
        dial_string=told["dialstring"],
    )
    if not dialed.target:
        return []
    # An originate through a trunk may name no other number than this (tape click2call_client_first_unnamed).
    number = "" if told["uniqueid"] or told["destcalleridnum"] else told["dialstring"].partition("@")[0]
    return [dialed, e.CallerNamed(**told.where("dest"), number=number)] if number.isdigit() else [dialed]


def _dial_state(told: Message) -> list[Event]:
    # A trunk that plays the far side's own ringing tells PROGRESS (SIP 183) instead.
    return [e.ChannelRang(**told.where("dest"))] if told["dialstatus"] in {"RINGING", "PROGRESS"} else []


def _dial_end(told: Message) -> list[Event]:
    ended = e.DialEnded(
        **_dialling(told),
        target=told["destuniqueid"],
        target_name=told["destchannel"] or None,
        status=told["dialstatus"],
    )
    if not ended.target:
        return []
    to = told["forward"].partition("@")[0]
    return [ended, e.Forwarded(**_dialling(told), target=ended.target, to=to)] if to else [ended]


def _bridge_enter(told: Message) -> list[Event]:
    return cel.bridge_entered(told.where(), told["bridgeuniqueid"], told["bridgetechnology"])


def _bridge_leave(told: Message) -> list[Event]:
    return [e.BridgeLeft(**told.where(), bridge=told["bridgeuniqueid"])]


def _hold(told: Message) -> list[Event]:
    return [e.Held(**told.where())]


def _unhold(told: Message) -> list[Event]:
    return [e.Resumed(**told.where())]


def _blind_transfer(told: Message) -> list[Event]:
    return [
        e.Transferred(
            **told.where("transferer"),
            way="blind",
            to=told["extension"],
            transferee=told["transfereeuniqueid"],
            succeeded=_succeeded(told),
        )
    ]


def _attended_transfer(told: Message) -> list[Event]:
    """The number is not told: it is what the second channel dialled. A feature-code transfer has one channel only.

    When only the second channel was in a bridge, CEL calls it the first (cel.c); so do we.
    """
    one, other = "origtransferer", "secondtransferer"
    if told["secondbridgeuniqueid"] and not told["origbridgeuniqueid"]:
        one, other = other, one
    first, second = told[f"{one}uniqueid"], told[f"{other}uniqueid"]
    return [
        e.Transferred(
            **told.where(one),
            way="attended",
            transferee=told["transfereeuniqueid"],
            target=told["transfertargetuniqueid"],
            second=second if second != first else "",
            succeeded=_succeeded(told),
        )
    ]


def _succeeded(told: Message) -> bool:
    return told["result"].lower() in {"success", ""}


def _pickup(told: Message) -> list[Event]:
    return [e.PickedUp(**told.where(), target=told["targetuniqueid"])]


def _parked(told: Message) -> list[Event]:
    where, by = told.where("parkee"), told["parkerdialstring"]
    return [e.Parked(**where, lot=told["parkinglot"], space=told["parkingspace"], by=by)]


def _unparked(told: Message) -> list[Event]:
    outcome = cel.UNPARKED.get(event_name(told.plain).lower(), "")
    by, by_name = told["retrieveruniqueid"], told["retrieverchannel"]
    return [e.Unparked(**told.where("parkee"), outcome=outcome, by=by, by_name=by_name)]


def _hangup_request(told: Message) -> list[Event]:
    return [e.HangupRequested(**told.where())]


def _recording_started(told: Message) -> list[Event]:
    """It names no file; what is recorded by our dialplan is found by the channel's uniqueid."""
    return [e.RecordingStarted(**told.where())]


def _recording_muted(told: Message) -> list[Event]:
    return [e.RecordingMuted(**told.where(), muted=told["state"] == "1")]


def _queue_join(told: Message) -> list[Event]:
    return [e.QueueJoined(**told.where(), queue=told["queue"])]


def _queue_leave(told: Message) -> list[Event]:
    return [e.QueueLeft(**told.where(), queue=told["queue"])]


def _queue_abandon(told: Message) -> list[Event]:
    return [e.QueueLeft(**told.where(), queue=told["queue"], outcome="abandoned")]


def _new_exten(told: Message) -> list[Event]:
    events = cel.app_started(told.where(), told["application"], told["appdata"], told["extension"])
    # MIXMONITOR_FILENAME tells the main file with its folder; the dialplan's own words may leave the folder out.
    return [one for one in events if not isinstance(one, e.RecordingStarted) or one.path.startswith("/")]


def _var_set(told: Message) -> list[Event]:
    value = told["value"]
    if not value:
        return []
    match told["variable"]:
        case "DIALSTATUS":
            return [e.DialFinished(**told.where(), status=value)]
        case "QUEUESTATUS":
            return [e.QueueLeft(**told.where(), outcome=value.lower())]
        case "MIXMONITOR_FILENAME":
            return [e.RecordingStarted(**told.where(), path=path) for path in recording_paths(value)]
        case _:
            return []


def _cel(told: Message) -> list[Event]:
    """A CEL row over AMI (cel_manager). The message's time is exact; the row's own has neither zone nor fraction."""
    return cel.translate(told.pbx, {**told.plain, "eventtime": told["timestamp"] or told["eventtime"]})


def _user_event(told: Message) -> list[Event]:
    meaning = _OUR_USER_EVENTS.get(told["userevent"].lower())
    return meaning(told) if meaning else []


def _arrival(told: Message) -> list[Event]:
    if not {"line", "from", "name"} <= told.plain.keys():
        return []
    return [e.Arrived(**told.where(), line=told["line"], number=told["from"], caller_name=told["name"])]


def _fallback(told: Message) -> list[Event]:
    return [e.FallbackTaken(**told.where(), reason=told["reason"], line=told["line"])]


def _step(told: Message) -> list[Event]:
    return [e.StepStarted(**told.where(), step=whole(told["step"]) or 0)]


def _step_end(told: Message) -> list[Event]:
    ended: list[Event] = [e.StepEnded(**told.where(), step=whole(told["step"]) or 0, status=told["status"])]
    # The shipped rights do not let us hear the variable QUEUESTATUS, but the step's end has it.
    if told["kind"] == "queue" and told["status"] in _QUEUE_ENDS:
        ended.append(e.QueueLeft(**told.where(), outcome=told["status"].lower()))
    return ended


def _plan_end(told: Message) -> list[Event]:
    return [e.PlanEnded(**told.where())]


def _confirmed(told: Message) -> list[Event]:
    return [e.Confirmed(**told.where(), accepted=True)]


def _refused(told: Message) -> list[Event]:
    # A mobile's voicemail presses nothing.
    silent = "key" in told.plain and not told["key"]
    return [e.Confirmed(**told.where(), accepted=False, silent=silent)]


def _holds(told: Message) -> list[Event]:
    return waiting.held(told.where(), told["team"], told["since"])


def _holds_on(_told: Message) -> list[Event]:
    """Said again and again to a service that may have been started meanwhile (service.holding)."""
    return []


def _hold_end(told: Message) -> list[Event]:
    return waiting.hold_ended(told.where(), told["team"], told["outcome"])


def _callback(told: Message) -> list[Event]:
    return waiting.callback_requested(told.where(), told["team"], told["place"])


def _recording_refused(told: Message) -> list[Event]:
    return waiting.recording_refused(told.where(), told["reason"])


def _voicemail(told: Message) -> list[Event]:
    return waiting.voicemail_left(told.where(), told["box"], told["seconds"])


def _nps_asked(told: Message) -> list[Event]:
    return waiting.nps_asked(told.where(), told["line"], told["number"])


def _nps_answered(told: Message) -> list[Event]:
    return waiting.nps_answered(told.where(), told["score"])


def _pause_asked(_told: Message) -> list[Event]:
    """A wish of somebody who talks; MixMonitorMute tells that it was done."""
    return []


def _outbound(_told: Message) -> list[Event]:
    """A question to the service, whose answer is the event."""
    return []


def _outbound_refused(told: Message) -> list[Event]:
    """The dialplan refused a call out by itself, by the prefixes that it keeps."""
    refused = e.OutgoingJudged(
        **told.where(), purpose="dialled", number=told["to"], allowed=False, reason="destination_denied"
    )
    return [refused]


_Meaning = Callable[[Message], list[Event]]

_OUR_USER_EVENTS: Mapping[str, _Meaning] = {
    ARRIVAL.lower(): _arrival,
    "switchhookfallback": _fallback,
    "switchhookstep": _step,
    "switchhookstepend": _step_end,
    "switchhookplanend": _plan_end,
    "switchhookconfirmed": _confirmed,
    "switchhookrefused": _refused,
    "switchhookhold": _holds,
    "switchhookholding": _holds_on,
    "switchhookholdend": _hold_end,
    "switchhooktake": _holds_on,
    "switchhooktakeend": _holds_on,
    "switchhookcallback": _callback,
    "switchhookvoicemail": _voicemail,
    "switchhookrecordingrefused": _recording_refused,
    "switchhooknpsasked": _nps_asked,
    "switchhooknpsanswered": _nps_answered,
    "switchhookpause": _pause_asked,
    "switchhookheld": _hold,
    "switchhookunheld": _unhold,
    "switchhookoutbound": _outbound,
    "switchhookoutboundrefused": _outbound_refused,
}

_MEANINGS: Mapping[str, _Meaning] = {
    "newchannel": _new_channel,
    "status": _live_channel,
    "coreshowchannel": _live_channel,
    "newstate": _new_state,
    "newcallerid": _new_caller_id,
    "hangup": _hangup,
    "dialbegin": _dial_begin,
    "dialstate": _dial_state,
    "dialend": _dial_end,
    "bridgeenter": _bridge_enter,
    "bridgeleave": _bridge_leave,
    "hold": _hold,
    "unhold": _unhold,
    "blindtransfer": _blind_transfer,
    "attendedtransfer": _attended_transfer,
    "pickup": _pickup,
    "parkedcall": _parked,
    **dict.fromkeys(("unparkedcall", "parkedcalltimeout", "parkedcallgiveup", "parkedcallswap"), _unparked),
    "hanguprequest": _hangup_request,
    "mixmonitorstart": _recording_started,
    "mixmonitormute": _recording_muted,
    "queuecallerjoin": _queue_join,
    "queuecallerleave": _queue_leave,
    "queuecallerabandon": _queue_abandon,
    "newexten": _new_exten,
    "varset": _var_set,
    "cel": _cel,
    "userevent": _user_event,
}
