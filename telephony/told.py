"""How both witnesses write text and time, and how we read them without ever failing (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TypedDict

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
    seconds, _, fraction = value.partition(".")
    try:
        if seconds.isascii() and seconds.isdigit():
            micros = int((fraction + "000000")[:6]) if fraction.isascii() and fraction.isdigit() else 0
            return _EPOCH + timedelta(seconds=int(seconds), microseconds=micros)
        told = datetime.fromisoformat(value)
        return (told if told.tzinfo else told.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


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


class Message:
    """One message, its headers by lower-case name (Asterisk writes `Uniqueid` and `UniqueID`); not told reads as ""."""

    def __init__(self, pbx: str, headers: Headers) -> None:
        # A dialplan's UserEvent may repeat a header of Asterisk's own: the first is Asterisk's.
        self.plain = {
            name.lower(): value if isinstance(value, str) else next(iter(value), "")
            for name, value in reversed(list(headers.items()))
        }
        self.pbx = pbx
        self.at = moment(self["timestamp"])

    def __getitem__(self, header: str) -> str:
        return clean(self.plain.get(header, ""))

    def where(self, prefix: str = "") -> Where:
        """The channel that the headers with `prefix` describe (`dest`, `transferer`; none: the message's own)."""
        return {
            "pbx": self.pbx,
            "channel": self[f"{prefix}uniqueid"],
            "at": self.at,
            "linkedid": self[f"{prefix}linkedid"] or None,
            "name": self[f"{prefix}channel"] or None,
        }
