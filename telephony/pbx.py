"""The words of the link to one PBX: its settings, its state, a reply, and the ways it can fail.

LinkError
├── LinkDown        not connected, or the connection ended before the answer; nothing is ever sent again by itself
├── LoginRefused    the PBX does not accept our user name and secret (kept as `LinkState.reason`, retried slowly)
├── ActionRefused   the PBX answered Error; its own words are in `reply.message`
├── ActionTimeout   no answer in time; the PBX may still have done it
└── UnsafeValue     a header that could break out of its line, or be dropped by the PBX; nothing was sent
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

Message = dict[str, str | list[str]]
"""One AMI message: header name as the PBX spells it -> value, or the list of values of a repeated header."""

Fields = Mapping[str, str | Sequence[str]]
"""What an action is made of; a sequence of values becomes a repeated header."""

# Asterisk reads AMI into a line of 1,024 bytes and throws a longer one away; it keeps 128 headers of an action.
_LINE_BYTES_MOST = 1000
_HEADERS_MOST = 120
_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\Z")
_LINE_BREAKERS = re.compile(r"[\r\n\x00]")


class LinkError(Exception):
    """The PBX could not be asked, or did not do what it was asked."""


class LinkDown(LinkError):
    """There is no connection to the PBX, or it ended before the answer came (the PBX may have done what was asked)."""


class LoginRefused(LinkError):
    """The PBX does not accept our user name and secret."""


class ActionRefused(LinkError):
    """The PBX answered Error; `reply.message` is its reason."""

    def __init__(self, action: str, reply: "Reply") -> None:
        super().__init__(f"{action} was refused: {reply.message}")
        self.reply = reply


class ActionTimeout(LinkError):
    """The PBX did not answer in time; it may still have done what was asked."""


class UnsafeValue(LinkError, ValueError):
    """A header that the PBX would read as something else; nothing was sent."""


@dataclass(frozen=True, slots=True)
class LinkSettings:
    """How to reach one PBX. All spans are in seconds."""

    name: str
    host: str = "127.0.0.1"
    port: int = 5038
    username: str = "switchhook"
    secret: str = field(default="", repr=False)
    tls: bool = False
    tls_ca_file: Path | None = None  # trust this authority instead of the system's
    tls_server_name: str | None = None  # when the certificate names another host than `host`
    connect_seconds: float = 5.0  # connection, TLS, greeting and login, each
    boot_seconds: float = 2.0  # how long to wait for FullyBooted before asking the first questions
    action_seconds: float = 5.0
    ping_seconds: float = 5.0
    ping_deadline_seconds: float = 4.0
    heartbeat_seconds: float = 5.0
    backoff_first_seconds: float = 0.25
    backoff_most_seconds: float = 15.0
    login_retry_seconds: float = 30.0

    def backoff(self, failures: int, jitter: float) -> float:
        """Seconds to wait after so many failures in a row, times `jitter` (0.5 to 1.0), so that links do not march."""
        return min(self.backoff_most_seconds, self.backoff_first_seconds * float(1 << min(failures, 16))) * jitter


@dataclass(frozen=True, slots=True)
class Reply:
    """The PBX's answer to one action: the response, and the events of its list where the action asked for one."""

    success: bool
    message: str
    fields: Message
    events: tuple[Message, ...] = ()


@dataclass(slots=True)
class LinkState:
    """What the link knows of itself now; written by the link alone, read by metrics and readiness."""

    connected: bool = False  # logged in
    reason: str = "not connected yet"  # why not connected; "" while connected
    since: datetime | None = None  # when `connected` last changed, our clock
    last_event_at: datetime | None = None  # our clock
    last_pbx_event_at: datetime | None = None  # the PBX's own time of its last event: where a gap begins
    ami_version: str = ""
    events_total: int = 0
    connects_total: int = 0
    login_refusals_total: int = 0
    deliver_errors_total: int = 0  # events whose consumer raised; the next events were delivered
    forged_total: int = 0  # UserEvents in our names that an AMI user raised and no dialplan; left out
    torn_total: int = 0  # pieces of the stream that were no whole event, left out (`telephony.whole`)
    hook_errors_total: int = 0
    heartbeats_sent_total: int = 0
    heartbeats_lost_total: int = 0
    heartbeat_lag_seconds: float | None = None  # None: none came back yet, or the user may not send them
    heartbeats_refused: bool = False
    clock_offset_seconds: float = 0.0  # the PBX's clock minus ours


def lines(fields: Fields) -> list[tuple[str, str]]:
    """The headers of an action, each value a line of its own.

    Raises:
        UnsafeValue: a name or value holds a line break, cannot be written as UTF-8, or is too long for the PBX.

    """
    headers = [
        (name, value) for name, values in fields.items() for value in ([values] if isinstance(values, str) else values)
    ]
    for name, value in headers:
        _check(name, value)
    if len(headers) > _HEADERS_MOST:
        raise UnsafeValue(f"an action of {len(headers)} headers; the PBX reads {_HEADERS_MOST}")
    return headers


def _check(name: str, value: str) -> None:
    if not _HEADER_NAME.match(name):
        raise UnsafeValue(f"{name!r} is not a header name")
    if _LINE_BREAKERS.search(value):
        raise UnsafeValue(f"the value of {name} holds a line break, which would begin another header or action")
    try:
        length = len(value.encode())
    except UnicodeEncodeError:
        raise UnsafeValue(f"the value of {name} cannot be written as UTF-8") from None
    if len(name) + 2 + length > _LINE_BYTES_MOST:
        raise UnsafeValue(f"the value of {name} has {length} bytes; the PBX drops a line beyond {_LINE_BYTES_MOST}")
