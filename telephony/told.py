"""How both witnesses write text and time, and how we read them without ever failing (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from functools import cached_property
from typing import Final, TypedDict

NOT_TOLD = frozenset({"<unknown>", "N/A"})
"""What Asterisk writes where it knows nothing: `<unknown>` in AMI, `N/A` in CEL's transfer data."""

ARRIVAL = "SwitchhookArrival"
"""The UserEvent by which our dialplan asks where a call shall go."""

Headers = Mapping[str, str | list[str]]
"""One AMI message: header name -> value, or the list of values of a repeated header."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Where(TypedDict):
    """What every event of a row or message says."""

    pbx: str
    channel: str
    at: datetime | None
    linkedid: str | None
    name: str | None


def clean(value: str) -> str:
    """`value` without what a database or a terminal cannot take (control signs, half characters); "" if not told."""
    if value in NOT_TOLD:
        return ""
    if value.isprintable():
        return value
    return "".join(sign if sign.isprintable() else " " if sign.isspace() else "" for sign in value)


def moment(value: str, zone: tzinfo = UTC) -> datetime | None:
    """The time in `value`, aware and in UTC; None where there is none.

    Asterisk writes epoch seconds with or without a fraction (AMI's `Timestamp`, CEL by default) or a date, with or
    without a zone (`dateformat` in cel.conf). A date without a zone is the PBX's own clock: it is read in `zone`.
    """
    value = value.strip()
    try:
        if value.isascii() and value.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(value), UTC)  # a float holds microseconds until the year 2255
        told = datetime.fromisoformat(value)
        return (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


OVERHEARS: Final = "switchhook-overhears-"
"""The beginning of a channel's uniqueid behind which somebody overhears a call: it is in no bridge and is no call."""


def is_of_a_call(channel: str) -> bool:
    """Whether what happens on a channel, told by its uniqueid, belongs to a call."""
    return bool(channel) and not channel.startswith(OVERHEARS)


def whole(value: str) -> int | None:
    """The whole number in `value`, None where there is none."""
    value = value.strip()
    return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None


def recording_paths(app_data: str) -> list[str]:
    """The files that MixMonitor writes, from its `file,options,command`; options `r(file)`, `t(file)` are one side."""
    main, _, rest = app_data.partition(",")
    paths = [main.strip()]
    for option in ("r(", "t("):
        _, found, tail = _outside_command(rest).partition(option)
        paths.append(tail.partition(")")[0].strip() if found else "")
    return [path for path in paths if path]


def _outside_command(rest: str) -> str:
    """MixMonitor's options, cut at the first comma that is not inside a file name's parentheses."""
    depth = 0
    for place, sign in enumerate(rest):
        depth += (sign == "(") - (sign == ")")
        if sign == "," and depth <= 0:
            return rest[:place]
    return rest


_AS_WRITTEN: Final = {
    name.lower(): name
    for name in (
        *("AppData", "Application", "BridgeTechnology", "BridgeUniqueid", "CallerIDName", "CallerIDNum", "Cause"),
        *("Channel", "ChannelState", "Context", "DestChannel", "DestLinkedid", "DestUniqueid", "DialStatus"),
        *("DialString", "Exten", "Linkedid", "Timestamp", "Uniqueid", "Value", "Variable"),
    )
}
"""The headers that nearly every call has, as Asterisk spells them; found so, a message need not be read whole."""


class Message:
    """One message, its headers by lower-case name (Asterisk writes `Uniqueid` and `UniqueID`); not told reads as ""."""

    def __init__(self, pbx: str, headers: Headers) -> None:
        self._headers = headers
        self.pbx = pbx

    @cached_property
    def at(self) -> datetime | None:
        """The PBX's time."""
        return moment(self["timestamp"])

    @cached_property
    def plain(self) -> Mapping[str, str]:
        """The headers, each with one value. A dialplan's UserEvent may repeat one of Asterisk's: the first is his."""
        return {
            name.lower(): value if isinstance(value, str) else next(iter(value), "")
            for name, value in reversed(list(self._headers.items()))
        }

    def __getitem__(self, header: str) -> str:
        value = self._headers.get(_AS_WRITTEN.get(header, ""))
        return clean(value if isinstance(value, str) else self.plain.get(header, ""))

    def where(self, prefix: str = "") -> Where:
        """The channel that the headers with `prefix` describe (`dest`, `transferer`; none: the message's own)."""
        return {
            "pbx": self.pbx,
            "channel": self[f"{prefix}uniqueid"],
            "at": self.at,
            "linkedid": self[f"{prefix}linkedid"] or None,
            "name": self[f"{prefix}channel"] or None,
        }
