"""AMI's bytes turned into messages, and actions matched with their answers; the only file that imports panoramisk.

Of panoramisk 1.4 the frame of the protocol is used, and what an answer means (`Message`). Replaced is what it does
wrong: letters cut between two reads, one consumer's exception that breaks the connection, actions that wait for ever or
are sent again after a reconnect, and secrets and callers' numbers in its log. Events and actions are read and written
here, because a caller waits for them: 0.10 instead of 0.15 ms an arrival (docs/decisions/0014).
"""

import asyncio
import codecs
import itertools
import secrets
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.message import Message as WireMessage

from telephony.pbx import ActionTimeout, Fields, LinkDown, Message, Reply, lines
from telephony.told import ARRIVAL
from telephony.whole import Missing, begins, judge

GATHER_SECONDS = 0.003
"""How long events that nobody waits for are gathered before they are taken. An arrival comes within a millisecond of
its channel's first event, whose handling would delay the answer."""

_GREETING = "Asterisk Call Manager/"
_GREETING_MOST = 100
_END = "\r\n\r\n"
_MESSAGE_MOST = 65_536
"""Characters of one message. Asterisk's longest are some thousand; what is longer is left out as it comes."""


def headers(block: str) -> Message:
    """The headers of one message as the PBX spells them; a repeated one becomes the list of its values."""
    told: Message = {}
    for line in block.split("\r\n"):
        name, found, value = line.partition(": ")
        if found:
            known = told.get(name)
            if isinstance(known, list):
                known.append(value)
            else:
                told[name] = value if known is None else [known, value]
    return told


class _Request:
    """An action that knows its end: one response, or, when the response opens a list, the list's last event."""

    _numbers = itertools.count(1)
    _sender = secrets.token_hex(8)  # nobody who makes the PBX write an event can guess an action's id

    def __init__(self, fields: Fields) -> None:
        told = [(name, value) for name, value in lines(fields) if name != "ActionID"]
        self.what = str(fields.get("Action", ""))
        self.id = str(fields.get("ActionID") or f"{self._sender}/{next(self._numbers)}")
        self.text = "".join(f"{name}: {value}\r\n" for name, value in told) + f"ActionID: {self.id}\r\n\r\n"
        self.future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._response: WireMessage | None = None
        self._events: list[Message] = []

    def take(self, message: Message, block: str) -> bool:
        """Take the message, read from `block`, if it belongs to this action.

        An event before the response, or beside a list, does not.
        """
        if self._response is None:
            response = WireMessage.from_line(block)
            if response is None or "response" not in response:
                return False
            self._response = response
            listing = response.eventlist.lower() == "start" or "will follow" in response.message.lower()
            if not (listing and response.success):
                self._finish()
            return True
        self._events.append(message)
        listing = str(message.get("EventList", "")).lower()
        if listing in {"complete", "cancelled"} or str(message.get("Event", "")).endswith("Complete"):
            self._finish()
        return True

    def _finish(self) -> None:
        if self._response is None or self.future.done():
            return
        # panoramisk adds the body of an answer to the headers.
        fields = {name: value for name, value in self._response.items() if name != "content"}
        reply = Reply(bool(self._response.success), self._response.message, fields, tuple(self._events))
        self.future.set_result(reply)


class Wire(AMIProtocol):  # type: ignore[misc]  # panoramisk has no types
    """panoramisk's protocol with the parts replaced that lose letters, events or promises: all that reads and writes.

    An answer may overtake up to three milliseconds of events that came before it.
    """

    def __init__(
        self, receive: Callable[[Message], None], torn: Callable[[], None], tap: Callable[[bytes], None] | None = None
    ) -> None:
        """`receive` gets every whole event; `torn` is called for each piece that is none, which nobody gets.

        `tap` hears every byte as it comes.
        """
        self._receive = receive
        self._torn = torn
        self._tap = tap
        self._missing: Missing = ()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._unended = ""
        self._skipping = False  # until the end of a message that is too long
        self._gathered: list[Message] = []
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
        self.transport.write("".join(request.text for request in requests).encode())
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
        if self._tap is not None:
            self._tap(data)
        self._unended += self._decoder.decode(data)
        if not self.greeted.done() and not self._greeted():
            return
        *whole, self._unended = self._unended.split(_END)
        if self._skipping and whole:
            whole[0], self._skipping = "", False
        for text, following in zip(whole, [*whole, self._unended][1:], strict=True):
            event = self._event(text.lstrip("\r\n"), ended=begins(following.lstrip("\r\n")))
            if event is None:
                continue
            if event.get("UserEvent") == ARRIVAL:
                self._receive(event)
            else:
                self._gather(event)
        if len(self._unended) > _MESSAGE_MOST:
            self._unended = self._unended[-len(_END) + 1 :]  # its end may have begun
            self._skipping = True
            self._torn()

    def _gather(self, event: Message) -> None:
        """Take it with what comes next: a caller waits for the answer to an arrival, and for nothing else."""
        if not self._gathered:
            asyncio.get_running_loop().call_later(GATHER_SECONDS, self.receive_gathered)
        self._gathered.append(event)

    def receive_gathered(self) -> None:
        """Hand on what was gathered, in its order."""
        gathered, self._gathered = self._gathered, []
        for event in gathered:
            self._receive(event)

    def _event(self, block: str, *, ended: bool) -> Message | None:
        """The event of a block, None for an answer, which finds its action, and for what is no whole message.

        A caller's number may hold line breaks and make pieces look like a message.
        """
        message = headers(block)
        asked = message.get("ActionID")
        request = self.responses.get(asked) if isinstance(asked, str) else None
        torn_before = bool(self._missing)
        believed, self._missing = judge(block, self._missing, asked=request is not None)
        if not (believed and ended) or len(block) > _MESSAGE_MOST or isinstance(message.get("Event"), list):
            if torn_before or self._missing or "Event" in message:
                self._torn()
        elif request is not None and request.take(message, block):
            if request.future.done():
                self.responses.pop(request.id, None)
        elif "Event" in message:
            return message
        return None

    def _greeted(self) -> bool:
        begun = self._unended[:_GREETING_MOST]
        if not begun.startswith(_GREETING[: len(begun)]) or ("\r\n" not in begun and len(begun) == _GREETING_MOST):
            self.lose("the other side does not greet as Asterisk's manager does: is this the AMI port?")
            return False
        greeting, end, rest = self._unended.partition("\r\n")
        if not end:
            return False
        self._unended = rest
        self.greeted.set_result(greeting.removeprefix(_GREETING))
        return True

    def lose(self, reason: str) -> None:
        """End the connection now, without waiting for the other side."""
        self._reason = self._reason or reason
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand on what was gathered, fail what waits for an answer; nothing is kept to be sent again."""
        self.receive_gathered()
        if not self.lost.done():
            self.lost.set_result(self._reason or (f"the connection broke: {exc}" if exc else "the PBX closed it"))
        self._forget(list(self.responses.values()))
