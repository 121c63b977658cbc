"""Those who listen to a link: what one of them raises is counted and said, and harms nobody else."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from telephony.pbx import LinkState, Message

Who = TypeVar("Who")


@dataclass(slots=True)
class Listeners(Generic[Who]):
    """The consumer of events, and the hooks called when a connection begins and ends, or loses a heartbeat."""

    state: LinkState
    log: structlog.stdlib.BoundLogger
    deliver: Callable[[Message], None]
    on_connect: list[Callable[[Who], Awaitable[None]]] = field(default_factory=list)
    on_disconnect: list[Callable[[Who], None]] = field(default_factory=list)
    on_lost: list[Callable[[Who], None]] = field(default_factory=list)

    def heard(self, message: Message) -> None:
        """Hand one event on. An exception costs this event alone: the connection and the next events go on."""
        try:
            self.deliver(message)
        except Exception as error:
            self.state.deliver_errors_total += 1
            self.log.exception("an event was not taken", pbx_event=message.get("Event"), error=type(error).__name__)

    async def connected(self, link: Who) -> None:
        """Call the hooks of a new connection, one after another."""
        for hook in self.on_connect:
            try:
                await hook(link)
            except Exception as error:
                self.state.hook_errors_total += 1
                self.log.exception("a hook at connect failed", error=type(error).__name__)

    def disconnected(self, link: Who) -> None:
        """Call the hooks of an ended connection."""
        self._call(self.on_disconnect, link)

    def lost(self, link: Who) -> None:
        """Call the hooks of a heartbeat that did not come back."""
        self._call(self.on_lost, link)

    def _call(self, hooks: Sequence[Callable[[Who], None]], link: Who) -> None:
        for hook in hooks:
            try:
                hook(link)
            except Exception as error:
                self.state.hook_errors_total += 1
                self.log.exception("a hook failed", error=type(error).__name__)
