"""What a CEL row means: the durable witness's words turned into events (pure).

`translate` reads rows in every spelling that Asterisk's own writers use: cel_custom and the database writers
(`cid_num`, `channame`), cel_sqlite3_custom (`cidnum`), cel_manager (`CallerIDnum`, `Channel`, `EventName`, `Extra`).
CEL does not tell who dialled whom, nor that a phone rings; a leg is known from its channel, its answer and its end.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from functools import lru_cache

from calls import events as e
from calls.events import Event
from telephony import waiting
from telephony.told import Where, clean, is_of_a_call, moment, recording_paths, whole

COLUMNS = (
    *("eventtype", "eventtime", "cid_name", "cid_num", "cid_ani", "cid_rdnis", "cid_dnid", "exten", "context"),
    *("channame", "appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer", "peeraccount"),
    *("userfield", "userdeftype", "eventextra"),
)
"""The columns of the CEL file that our cel_custom.conf writes, in its order."""

NUMBERS = dict(
    enumerate(
        (
            *("CHAN_START", "CHAN_END", "HANGUP", "ANSWER", "APP_START", "APP_END", "BRIDGE_ENTER", "BRIDGE_EXIT"),
            *("PARK_START", "PARK_END", "BLINDTRANSFER", "ATTENDEDTRANSFER", "USER_DEFINED", "LINKEDID_END", "PICKUP"),
            *("FORWARD", "LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN", "STREAM_BEGIN", "STREAM_END", "DTMF"),
        ),
        start=1,
    )
)
"""Event types by number, as `enum ast_cel_event_type` of Asterisk 22 counts them."""

_SPELLINGS = {
    **dict.fromkeys(("eventtype", "eventname"), "eventtype"),
    **dict.fromkeys(("eventenum",), "eventenum"),
    **dict.fromkeys(("eventtime",), "eventtime"),
    **dict.fromkeys(("cidname", "calleridname", "name"), "name"),
    **dict.fromkeys(("cidnum", "calleridnum", "num"), "num"),
    **dict.fromkeys(("channame", "channel", "channelname"), "channel"),
    **dict.fromkeys(("appname", "application", "app"), "app"),
    **dict.fromkeys(("appdata", "applicationdata"), "data"),
    **dict.fromkeys(("eventextra", "extra"), "extra"),
    **dict.fromkeys(("userdeftype", "userdefinedtype"), "userdeftype"),
    **{same: same for same in ("exten", "context", "uniqueid", "linkedid", "data")},
}

APPS = {"dial": "Dial", "queue": "Queue", "voicemail": "VoiceMail", "mixmonitor": "MixMonitor"}
"""Dialplan applications that matter to the record, by their lower-case names."""

UNPARKED = {
    **dict.fromkeys(("unparkedcall", "parkedcallunparked"), "taken"),
    "parkedcalltimeout": "timed_out",
    "parkedcallgiveup": "abandoned",
    "parkedcallswap": "swapped",
    "parkedcallfailed": "failed",
}
"""How a stay in a parking space ended, by AMI's event and by CEL's reason (parking_manager.c, cel.c), lower-case."""

_FALLBACK = "switchhook-fallback"
_DOWN_EXTENS = frozenset({"", "s"})


class _Row:
    """One row under one spelling; what is not told reads as ""."""

    def __init__(self, pbx: str, fields: Mapping[str, str], zone: tzinfo) -> None:
        self._fields = fields
        self.where: Where = {
            "pbx": pbx,
            "channel": self["uniqueid"],
            "at": moment(self["eventtime"], zone),
            "linkedid": self["linkedid"] or None,
            "name": self["channel"] or None,
        }
        self._extra: Mapping[str, str] | None = None

    def __getitem__(self, field: str) -> str:
        return clean(self._fields.get(field, ""))

    def detail(self, key: str) -> str:
        """A value of eventextra: JSON since Asterisk 12, differing by event type; before, only a hang-up's was told."""
        if self._extra is None:
            self._extra = _decoded(self._fields.get("extra", ""))
        return clean(self._extra.get(key, ""))


@lru_cache
def spelling(column: str) -> str:
    """The one name by which we know `column`, "" for a column that tells us nothing."""
    return _SPELLINGS.get(column.lower().replace("_", "").strip(), "")


def event_type(told: str) -> str:
    """The name of an event type told as name or number, "" when it is neither."""
    if told.strip().lower() in waiting.NAMES:
        return "USER_DEFINED"
    named = NUMBERS.get(whole(told) or 0, told.strip().upper())
    return named if named in _MEANINGS else ""


def translate(pbx: str, row: Mapping[str, str], zone: tzinfo = UTC) -> list[Event]:
    """The events of one CEL row of `pbx`; none for a row that says nothing of a call. Never raises.

    Keys are column names in any of Asterisk's spellings, any subset; `zone` is that of times without one.
    """
    fields = {spelling(column): value for column, value in row.items() if value}
    # cel_custom writes a USER_DEFINED row's own name as its type, and may write the true type beside it.
    meaning = _MEANINGS.get(event_type(fields.get("eventenum") or fields.get("eventtype", "")))
    if meaning is None:
        return []
    read = _Row(pbx, fields, zone)
    return [event for event in meaning(read) if is_of_a_call(event.channel)]


def _decoded(extra: str) -> Mapping[str, str]:
    if not extra.startswith("{"):
        return dict(zip(("hangupcause", "hangupsource", "dialstatus"), extra.split(","), strict=False))
    try:
        told = json.loads(extra)
    except (ValueError, RecursionError):
        return {}
    return {str(key): str(value) for key, value in told.items() if isinstance(value, str | int)}


def _nothing(_: _Row) -> list[Event]:
    return []


def _channel_start(row: _Row) -> list[Event]:
    # A channel that we dial has no extension yet (`s`); both halves of a Local channel carry the one they are for.
    dialled_by_us = row["exten"] in _DOWN_EXTENS or row["channel"].endswith(";1")
    return [
        e.ChannelCreated(
            **row.where,
            number=row["num"],
            caller_name=row["name"],
            dialed=row["exten"],
            context=row["context"],
            incoming=not dialled_by_us,
        )
    ]


def _named(row: _Row) -> list[Event]:
    """A dialled trunk channel learns its number after its start: its answer and its end tell it (tape click2call)."""
    return [e.CallerNamed(**row.where, number=row["num"], caller_name=row["name"])] if row["num"] else []


def _answer(row: _Row) -> list[Event]:
    return [e.ChannelUp(**row.where), *_named(row)]


_DIALPLAN = "dialplan/"
"""Before the source of an end that the PBX made: `dialplan/builtin` where Hangup() or the end of an extension did."""


def _hangup(row: _Row) -> list[Event]:
    status, source = row.detail("dialstatus"), row.detail("hangupsource")
    # CEL keeps the first failure of any dialled leg (cel.c): a caller who hangs up by themselves cancelled the others.
    if status == "NOANSWER" and source == row["channel"]:
        status = "CANCEL"
    told: list[Event] = [e.ChannelHungUp(**row.where, cause=whole(row.detail("hangupcause")))]
    told += [e.DialFinished(**row.where, status=status)] if status else []
    if source and not source.startswith(_DIALPLAN):
        told += [e.HangupRequested(**row.where, by="" if source == row["channel"] else source)]
    return [*told, *_named(row)]


def _channel_end(row: _Row) -> list[Event]:
    return [e.ChannelHungUp(**row.where)]


def _app_start(row: _Row) -> list[Event]:
    events = app_started(row.where, row["app"], row["data"], row["exten"])
    # The dialplan tells why by a UserEvent, which CEL does not hold.
    fell_back = row["app"].lower() == "dial" and row["context"] == _FALLBACK
    return [*events, e.FallbackTaken(**row.where)] if fell_back else events


def app_started(where: Where, app: str, data: str, exten: str) -> list[Event]:
    """The events of a dialplan application's start; none for an application that does not matter to the record."""
    known = APPS.get(app.lower())
    if known is None:
        return []
    events: list[Event] = [e.AppStarted(**where, app=known, data=data, exten=exten)]
    if known == "MixMonitor":
        events += [e.RecordingStarted(**where, path=path) for path in recording_paths(data)]
    return events


def _app_start_and_queue(row: _Row) -> list[Event]:
    joined: list[Event] = []
    if row["app"].lower() == "queue":
        joined = [e.QueueJoined(**row.where, queue=row["data"].partition(",")[0])]
    return [*_app_start(row), *joined]


def _app_end(row: _Row) -> list[Event]:
    """Queue() ends after the talk too: whether it was answered is for the view, which knows the bridges."""
    if row["app"].lower() != "queue":
        return []
    return [e.QueueLeft(**row.where, queue=row["data"].partition(",")[0])]


def _bridge_enter(row: _Row) -> list[Event]:
    return bridge_entered(row.where, row.detail("bridge_id"), row.detail("bridge_technology"))


def bridge_entered(where: Where, bridge: str, technology: str) -> list[Event]:
    """The events of a channel in a bridge; `softmix` is a conference's, and that of a talk that became one."""
    entered = e.BridgeEntered(**where, bridge=bridge, holding=technology.startswith("holding"))
    return [entered, e.ConferenceJoined(**where, bridge=bridge)] if technology == "softmix" else [entered]


def _bridge_exit(row: _Row) -> list[Event]:
    return [e.BridgeLeft(**row.where, bridge=row.detail("bridge_id"))]


def _blind_transfer(row: _Row) -> list[Event]:
    """CEL tells only transfers that Asterisk accepted (cel.c of Asterisk 22)."""
    transferee = row.detail("transferee_channel_uniqueid")
    return [e.Transferred(**row.where, way="blind", to=row.detail("extension"), transferee=transferee)]


def _attended_transfer(row: _Row) -> list[Event]:
    second = row.detail("channel2_uniqueid")
    return [
        e.Transferred(
            **row.where,
            way="attended",
            transferee=row.detail("transferee_channel_uniqueid"),
            target=row.detail("transfer_target_channel_uniqueid"),
            second=second if second != row["uniqueid"] else "",
        )
    ]


def _pickup(row: _Row) -> list[Event]:
    """The row is the ringing channel's; the one that took the call is in the extra (tape pickup)."""
    where: Where = {
        **row.where,
        "channel": row.detail("pickup_channel_uniqueid"),
        "name": row.detail("pickup_channel") or None,
    }
    return [e.PickedUp(**where, target=row["uniqueid"])]


def _forward(row: _Row) -> list[Event]:
    """The row is the dialling channel's; which device forwarded is not told (tape forward_302)."""
    return [e.Forwarded(**row.where, to=row.detail("forward").partition("@")[0])]


def _park_start(row: _Row) -> list[Event]:
    """CEL does not tell the space."""
    return [e.Parked(**row.where, lot=row.detail("parking_lot"), by=row.detail("parker_dial_string"))]


def _park_end(row: _Row) -> list[Event]:
    outcome = UNPARKED.get(row.detail("reason").lower(), "")
    return [e.Unparked(**row.where, outcome=outcome, by_name=row.detail("retriever"))]


def _user_defined(row: _Row) -> list[Event]:
    """What our dialplan wrote; what others' did only their authors know. cel_custom tells the name as the type."""
    name = row["userdeftype"] or row["eventtype"]
    return waiting.user_defined(row.where, name, row.detail("extra"))


def _linkedid_end(row: _Row) -> list[Event]:
    return [e.LinkedidEnded(**row.where)] if row["linkedid"] else []


_Meaning = Callable[[_Row], list[Event]]

_MEANINGS: Mapping[str, _Meaning] = {
    # A Local channel's halves are paired by their names, its bridges and answers tell who remains; streams and keys
    # are inside a talk.
    **dict.fromkeys(NUMBERS.values(), _nothing),
    "CHAN_START": _channel_start,
    "CHAN_END": _channel_end,
    "HANGUP": _hangup,
    "ANSWER": _answer,
    "APP_START": _app_start_and_queue,
    "APP_END": _app_end,
    "BRIDGE_ENTER": _bridge_enter,
    "BRIDGE_EXIT": _bridge_exit,
    "BLINDTRANSFER": _blind_transfer,
    "ATTENDEDTRANSFER": _attended_transfer,
    "PARK_START": _park_start,
    "PARK_END": _park_end,
    "PICKUP": _pickup,
    "FORWARD": _forward,
    "LINKEDID_END": _linkedid_end,
    "USER_DEFINED": _user_defined,
}
