"""What a channel is: it sends one message to one address, and says in one of four ways that it did not (pure)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, Protocol
from uuid import UUID

from directory.model import Directory
from notices.model import Told, Written

Reason = Literal[
    "unreachable", "login_refused", "no_tls", "rate_limited", "server_error", "message_refused", "mailbox_refused",
    "blocked", "no_such_chat", "answer_lost", "not_set_up", "no_address", "too_late",
]  # fmt: skip

REASONS: Final[tuple[Reason, ...]] = (
    "unreachable", "login_refused", "no_tls", "rate_limited", "server_error", "message_refused", "mailbox_refused",
    "blocked", "no_such_chat", "answer_lost", "not_set_up", "no_address", "too_late",
)  # fmt: skip
"""Why a message is not with its person; `web/locale` has the words of each."""

MEND_SECONDS: Final = 300.0
"""How long to wait for an operator: a login that is refused is refused a second later as well."""


class NotDelivered(Exception):
    """The message did not arrive, as far as is known; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class TryLater(NotDelivered):
    """It surely did not arrive, and later it may; `seconds`: as long as the other side asks us to wait."""

    def __init__(self, reason: Reason, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Refused(NotDelivered):
    """This message is never taken."""


class AddressDead(NotDelivered):
    """No message is ever taken for this address."""


class AnswerLost(NotDelivered):
    """It was sent, and nobody knows whether it arrived."""

    def __init__(self) -> None:
        super().__init__("answer_lost")


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG that stands in a message; its HTML shows it by `cid:` and this id."""

    id: str
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rich:
    """A message as more than plain words, for the channels that show it.

    `html` is a document by itself. `caption` is what a chat shows with the first picture, in the Bot API's HTML.
    """

    html: str
    caption: str
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One notice on its way by one channel; the id is the same however often it is sent."""

    id: UUID
    told: Told
    written: Written
    rich: Rich | None = None


Compose = Callable[[Directory, Told], Awaitable[tuple[Written, Rich]]]
"""Makes what a notice says at the moment when it is sent; it may take seconds."""


class Channel(Protocol):
    """`repeats`: the other side knows a message again by its id, so that it may be sent twice."""

    repeats: bool

    async def send(self, address: str, message: Message) -> None:
        """Send a message. Raises NotDelivered, in one of its four kinds."""
        ...

    async def probe(self) -> str:
        """What the other side says of itself, without sending anybody anything. Raises NotDelivered."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...
