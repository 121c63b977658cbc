"""Which parts of a tape are private: how each header of AMI and each column of CEL is learned and scrambled (pure).

What is not known here is taken for private and replaced word by word and digit by digit. Structure stays: a scrambled
tape replays to the same record but for numbers, names, addresses and accounts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from telephony import waiting
from telephony.scramble import LONG, Scrambler
from telephony.told import Headers

_PREFIX: Final = re.compile(
    r"^(?:dest|desttransferer|transferer|transferee|origtransferer|secondtransferer|transfertarget|target|parkee"
    r"|retriever|localone|localtwo|source|orig|second|to|from|swap|spyer|spyee)"
    r"(?=channel|callerid|connected|account|context|exten|priority|uniqueid|linkedid|language|bridge)"
)
"""AMI puts these before the headers of a channel or bridge, where a message tells of several."""

_KINDS: Final = frozenset(("event", "privilege", "eventname", "eventtype", "eventenum"))
_TIMES: Final = frozenset(("timestamp", "eventtime", "since"))
_CLOSED: Final = frozenset(
    """
    channelstate channelstatedesc priority cause cause-txt techcause dialstatus bridgetype bridgetechnology
    bridgenumchannels bridgevideosourcemode bridgecreator language response result isexternal desttype position
    originalposition count holdtime ringtime talktime state status paused penalty callstaken incall ringinuse wrapuptime
    membership durationms direction success id localoptimization parkingtimeout parkingduration reason eventversion
    amaflags application appname app kind step steps handler hangupcause bridge_technology outcome place seconds
    """.split()  # noqa: SIM905 - a list of so many quoted words is not easier to read
)
"""What Asterisk or our dialplan fills with a word or a small number of its own."""

_TEXT: Final = frozenset(
    """
    channel calleridnum connectedlinenum exten extension context uniqueid linkedid bridgeuniqueid bridgename
    dialstring parkerdialstring parkinglot parkingspace queue interface stateinterface device forward peer chan uid line
    from number did userevent variable calleridani calleridrdnis calleriddnid source destination destinationchannel
    conference endpoint endpointname team box aor num cidnum ani cidani rdnis cidrdnis dnid ciddnid channame channelname
    bridge_id bridge1_id bridge2_id channel2_name channel2_uniqueid transferee_channel_name transferee_channel_uniqueid
    transfer_target_channel_name transfer_target_channel_uniqueid pickup_channel pickup_channel_uniqueid hangupsource
    retriever parker_dial_string parking_lot local_two local_two_uniqueid
    """.split()  # noqa: SIM905 - as above
)
_NAMES: Final = frozenset(("calleridname", "connectedlinename", "membername", "name", "cidname"))
_SECRETS: Final = frozenset(("secret", "key", "password", "md5secret", "authsecret", "challenge", "cookie"))
_ACCOUNTS: Final = frozenset(("accountcode", "oldaccountcode", "peeraccount"))
_NUMBERS: Final = frozenset(
    """
    calleridnum connectedlinenum exten extension calleridani calleriddnid num cidnum ani dnid dialstring parkingspace
    """.split()  # noqa: SIM905 - as above
)
_APPS: Final = frozenset(
    ("dial", "queue", "voicemail", "appdial", "appqueue", "park", "parkedcall", "pickup", "confbridge")
)
_CHANNELS: Final = frozenset(("BRIDGEPEER", "DIALEDPEERNAME", "DIALEDPEERNUMBER", "BLINDTRANSFER", "ATTENDEDTRANSFER"))
_STATUSES: Final = frozenset(("DIALSTATUS", "QUEUESTATUS", "VMSTATUS", "HANGUPCAUSE"))
_CLOSED_VALUE: Final = re.compile(r"[A-Za-z0-9_ ,()<>-]{0,60}")
_KIND: Final = re.compile(r"[A-Za-z_,-]{0,60}|\d{1,2}")
_TIME: Final = re.compile(
    r"1\d{9}(?:\.\d{1,6})?|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d(?::?\d\d)?)?"
)
_OPTION: Final = re.compile(r"(\b[A-Za-z]{1,4}(?=\())")
_LONG_RUN: Final = re.compile(rf"\d{{{LONG}}}")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def learn(scrambler: Scrambler, told: Headers, *, extensions: bool, devices: bool) -> None:
    """Learn a message or a row: call this for all of a tape's before `scrambled` for any."""
    for header, value in told.items():
        for one in [value] if isinstance(value, str) else value:
            _learn(scrambler, header, one, extensions=extensions, devices=devices)


def _learn(scrambler: Scrambler, header: str, value: str, *, extensions: bool, devices: bool) -> None:
    scrambler.learn(value)
    extra = _json(value)
    if extra is not None:
        learn(scrambler, {key: str(one) for key, one in extra.items()}, extensions=extensions, devices=devices)
        return
    field = _field(header)
    if value.startswith("<"):
        return
    if field.endswith(("uniqueid", "linkedid", "bridge_id", "bridge1_id", "bridge2_id")):
        scrambler.learn_id(value)
    elif field in {"channel", "channame", "channelname"} and "/" in value:
        scrambler.learn_channel(value)
        name = value.partition("/")[2].rpartition("-")[0]
        if devices and not value.startswith("Local/"):
            scrambler.learn_name(name)
            scrambler.learn_short(name)
    elif field in _NAMES:
        scrambler.learn_name(value)
    elif field in _ACCOUNTS:
        scrambler.learn_name(value)
        scrambler.learn_short(value)
    if extensions and field in _NUMBERS:
        scrambler.learn_short(value)


def scrambled(scrambler: Scrambler, told: Headers) -> dict[str, str | list[str]]:
    """The message or row with what is private replaced, its headers in their order."""
    plain = {name.lower(): value if isinstance(value, str) else "" for name, value in told.items()}
    others = _others_words(plain)
    return {
        _header(scrambler, name): [_told(scrambler, name, one, plain, others) for one in value]
        if isinstance(value, list)
        else _told(scrambler, name, value, plain, others)
        for name, value in told.items()
    }


def _told(scrambler: Scrambler, name: str, value: str, plain: Mapping[str, str], others: frozenset[str]) -> str:
    return scrambler.free(value) if name.lower() in others else _value(scrambler, name, value, plain)


def _others_words(plain: Mapping[str, str]) -> frozenset[str]:
    """The headers of a UserEvent that is not ours: its author's `Status` or `Reason` may be a client's name."""
    if plain.get("event") != "UserEvent" or plain.get("userevent", "").lower().startswith("switchhook"):
        return frozenset()
    names = list(plain)
    return frozenset(names[names.index("userevent") + 1 :] if "userevent" in plain else names[1:])


def _value(scrambler: Scrambler, header: str, value: str, told: Mapping[str, str]) -> str:
    field = _field(header)
    if not value or value.startswith("<unknown>"):
        return value
    ours = field == "userdeftype" and value.lower() in waiting.NAMES
    if ours or (field in _KINDS and _KIND.fullmatch(value)) or (field in _TIMES and _TIME.fullmatch(value)):
        return value
    if field == "value":
        return _variable(scrambler, told.get("variable", ""), value)
    if field in {"appdata", "applicationdata", "lastdata", "data"}:
        app = next((told[name] for name in ("application", "appname", "lastapplication", "app") if told.get(name)), "")
        return _app_data(scrambler, app.lower(), value)
    if field in {"extra", "eventextra"}:
        return _extra(scrambler, value, ours=_is_ours(told))
    if field in _SECRETS:
        return "x"
    if field == "digit":
        return "0"  # keys pressed one after another may be a card's number
    if field in _CLOSED and _CLOSED_VALUE.fullmatch(value) and not _LONG_RUN.search(value):
        return scrambler.words(value)
    if field in _TEXT:
        return scrambler.text(value)
    return scrambler.name(value) if field in _NAMES else scrambler.free(value)


def _app_data(scrambler: Scrambler, app: str, value: str) -> str:
    if app in _APPS:
        return scrambler.text(value)
    if app != "mixmonitor":
        return scrambler.free(value)
    # `r(FILE)`, also behind other options: the letters say what is recorded.
    parts = _OPTION.split(value)
    return "".join(scrambler.words(part) if number % 2 else scrambler.free(part) for number, part in enumerate(parts))


def _variable(scrambler: Scrambler, variable: str, value: str) -> str:
    if variable in _STATUSES and _CLOSED_VALUE.fullmatch(value) and not _LONG_RUN.search(value):
        return value
    return scrambler.text(value) if variable in _CHANNELS else scrambler.free(value)


def _is_ours(row: Mapping[str, str]) -> bool:
    """Whether our dialplan wrote this row of CEL (CELGenUserEvent)."""
    return {row.get(name, "").lower() for name in ("eventtype", "eventname", "userdeftype")} & {*waiting.NAMES} != set()


def _ours(scrambler: Scrambler, value: str) -> str:
    """What our dialplan writes into CEL: the name of a queue or box, and a word, a small number, or a time."""
    name, _, more = value.partition("|")
    kept = _KIND.fullmatch(more) or _TIME.fullmatch(more)
    return f"{scrambler.text(name)}|{more if kept else scrambler.free(more)}"


def _extra(scrambler: Scrambler, value: str, *, ours: bool) -> str:
    extra = _json(value)
    if extra is None:
        return scrambler.text(value)
    # `extra` within is a dialplan's own words (CELGenUserEvent).
    told = {
        _header(scrambler, key): _ours(scrambler, one)
        if ours and key == "extra"
        else _value(scrambler, "" if key == "extra" else key, one, {})
        if isinstance(one, str)
        else _number(scrambler, one)
        for key, one in extra.items()
    }
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


def _number(scrambler: Scrambler, value: Any) -> Any:
    return value if isinstance(value, int) and abs(value) < 10**LONG // 10 else scrambler.free(json.dumps(value))


def _json(value: str) -> dict[str, Any] | None:
    if not value.startswith("{"):
        return None
    try:
        told = json.loads(value)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _field(header: str) -> str:
    """The header's plain name: lower-case, without the prefix that says whose it is, CEL's columns without strokes."""
    bare = _PREFIX.sub("", header.lower())
    return bare if bare in _TEXT | _CLOSED else bare.replace("_", "")


def _header(scrambler: Scrambler, name: str) -> str:
    return name if _HEADER.fullmatch(name) and not _LONG_RUN.search(name) else scrambler.free(name)
