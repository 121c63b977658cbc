"""AMI's bytes turned into messages, and actions matched with their answers; the only file that imports panoramisk.

panoramisk 1.4 gives the wire format (`Action`, `Message`) and the protocol to build on. Replaced here is what it does
wrong: letters cut between two reads, one consumer's exception that breaks the connection, actions that wait for ever or
are sent again after a reconnect, and secrets and callers' numbers in its log. Its Manager is not used.
"""

import asyncio
import codecs
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from panoramisk.actions import Action
from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message as WireMessage

from telephony.pbx import ActionTimeout, Fields, LinkDown, Message, Reply, lines
from telephony.whole import Missing, judge

_GREETING = "Asterisk Call Manager/"
_END = "\r\n\r\n"
_UNENDED_MOST = 1_000_000  # characters without an end of message: whatever talks there is no AMI


def _plain(message: WireMessage) -> Message:
    return {name: value for name, value in message.items() if name != "content"}  # panoramisk's own addition


class _Request(Action):  # type: ignore[misc]  # panoramisk has no types
    """An action that knows its end: one response, or, when the response opens a list, the list's last event."""

    def __init__(self, fields: Fields) -> None:
        headers: dict[str, str | list[str]] = {}
        for name, value in lines(fields):
            known = headers.get(name)
            headers[name] = value if known is None else [*([known] if isinstance(known, str) else known), value]
        super().__init__(headers)
        self.what = str(fields.get("Action", ""))

    def add_message(self, message: WireMessage) -> bool:
        """Take the message if it belongs to this action; an event before the response, or beside a list, does not."""
        if not self.responses:
            if "response" not in message:
                return False
            self.responses.append(message)
            listing = message.eventlist.lower() == "start" or "will follow" in message.message.lower()
            if not (listing and message.success):
                self._finish()
            return True
        self.responses.append(message)
        if message.eventlist.lower() in {"complete", "cancelled"} or message.event.endswith("Complete"):
            self._finish()
        return True

    def _finish(self) -> None:
        if self.future.done():
            return
        first, *events = self.responses
        reply = Reply(bool(first.success), first.message, _plain(first), tuple(_plain(event) for event in events))
        self.future.set_result(reply)


class Wire(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's protocol with the parts replaced that lose letters, events or promises."""

    def __init__(self, receive: Callable[[Message], None], torn: Callable[[], None]) -> None:
        """`receive` gets every whole event; `torn` is called for each piece that is none, which nobody gets."""
        self._receive = receive
        self._torn = torn
        self._missing: Missing = ()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unended = ""
        self._reason = ""
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[str] = loop.create_future()
        self.lost: asyncio.Future[str] = loop.create_future()

    def ask(self, many: Sequence[Fields], seconds: float) -> Coroutine[Any, Any, list[Reply]]:
        """Write every action at once, so that the PBX reads them together and in this order; their answers.

        The write is over when this returns; only the answers are awaited.

        Raises:
            LinkDown: the connection ended first.
            ActionTimeout: not everything was answered within `seconds` (raised where the answers are awaited).
            UnsafeValue: nothing was sent.

        """
        requests = [_Request(fields) for fields in many]
        if self.transport.is_closing():
            raise LinkDown("the connection is ending")
        self.responses.update({request.id: request for request in requests})
        self.transport.write("".join(str(request) for request in requests).encode())
        return self._answers(requests, seconds)

    async def _answers(self, requests: Sequence[_Request], seconds: float) -> list[Reply]:
        futures: list[asyncio.Future[Reply]] = [request.future for request in requests]
        try:
            async with asyncio.timeout(seconds):
                await asyncio.wait(futures)
        except TimeoutError:
            names = ", ".join(sorted({request.what for request in requests}))
            raise ActionTimeout(f"no answer to {names} within {seconds:g} s") from None
        finally:
            self._forget(requests)
        if any(future.cancelled() for future in futures):
            raise LinkDown("the connection ended before the answer came")
        return [future.result() for future in futures]

    def _forget(self, requests: Sequence[_Request]) -> None:
        """Wait for these no longer; a late answer is ignored."""
        for request in requests:
            self.responses.pop(request.id, None)
            request.future.cancel()

    def data_received(self, data: bytes) -> None:
        """Split the stream into messages; a letter or a message cut by TCP is finished by the next read."""
        self._unended += self._decoder.decode(data)
        if not self.greeted.done() and not self._greeted():
            return
        *whole, self._unended = self._unended.split(_END)
        for text in whole:
            self._block(text.lstrip("\r\n"))
        if len(self._unended) > _UNENDED_MOST:
            self.lose("the other side does not speak AMI")

    def _block(self, block: str) -> None:
        """Take what is one whole message; a caller's number may hold line breaks and make pieces look like one."""
        message = WireMessage.from_line(block)
        asked = message is not None and message.actionid in self.responses
        torn_before = bool(self._missing)
        believed, self._missing = judge(block, self._missing, asked=asked)
        if believed and message is not None:
            self.handle_message(message)
        elif torn_before or self._missing or (message is not None and "event" in message):
            self._torn()

    def _greeted(self) -> bool:
        if not self._unended.startswith(_GREETING[: len(self._unended)]):
            self.lose("the other side does not greet as Asterisk's manager does: is this the AMI port?")
            return False
        greeting, end, rest = self._unended.partition("\r\n")
        if not end:
            return False
        self._unended = rest
        self.greeted.set_result(greeting.removeprefix(_GREETING))
        return True

    def handle_message(self, message: WireMessage) -> None:
        """Hand an answer to its action, everything else to the link."""
        request = self.responses.get(message.actionid)
        if request is not None and request.add_message(message):
            if request.future.done():
                self.responses.pop(request.id, None)
        elif "event" in message:
            self._receive(_plain(message))

    def lose(self, reason: str) -> None:
        """End the connection now, without waiting for the other side."""
        self._reason = self._reason or reason
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what waits for an answer; nothing is kept to be sent again."""
        if not self.lost.done():
            self.lost.set_result(self._reason or (f"the connection broke: {exc}" if exc else "the PBX closed it"))
        self._forget(list(self.responses.values()))
