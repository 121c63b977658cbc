"""A caller and many phones on two loopback UDP sockets: just SIP enough (RFC 3261) to time INVITE in to INVITE out."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import cast

_USER = re.compile(rb"^INVITE sip:([^@;>\s]+)@", re.MULTILINE)
_HEADER = {name: re.compile(rb"^" + name + rb"[ \t]*:[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE) for name in
           (b"Via", b"From", b"To", b"Call-ID", b"CSeq")}  # fmt: skip
_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 8\r\n"


@dataclass
class Measured:
    """One call: when its INVITE left the caller and when the phone's came, by one clock (seconds)."""

    number: str
    sent_at: float = 0.0
    rang_at: float | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Phones(asyncio.DatagramProtocol):
    """All phones on one socket: notes when an INVITE for which caller came, and answers busy."""

    def __init__(self) -> None:
        self.waiting: dict[str, Measured] = {}
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        now = time.perf_counter()
        if not data.startswith((b"INVITE", b"OPTIONS", b"CANCEL")):
            return
        caller = re.search(rb"sip:(\d+)@", _header(data, b"From"))
        call = self.waiting.get(caller[1].decode()) if caller else None
        if data.startswith(b"INVITE") and call is not None and call.rang_at is None:
            call.rang_at = now
            call.over.set()
        self._answer(data, addr, b"486 Busy Here" if data.startswith(b"INVITE") else b"200 OK")

    def _answer(self, data: bytes, addr: tuple[str, int], status: bytes) -> None:
        lines = [b"SIP/2.0 " + status]
        for name in (b"Via", b"From", b"To", b"Call-ID", b"CSeq"):
            value = _header(data, name)
            lines.append(name + b": " + value + (b";tag=phone" if name == b"To" and b"tag=" not in value else b""))
        lines += [b"Content-Length: 0", b"", b""]
        assert self.transport is not None
        self.transport.sendto(b"\r\n".join(lines), addr)


class Caller(asyncio.DatagramProtocol):
    """Places calls; ends each as soon as its phone was reached (CANCEL), and acknowledges what comes back."""

    def __init__(self, pbx_port: int) -> None:
        self.pbx = ("127.0.0.1", pbx_port)
        self.transport: asyncio.DatagramTransport | None = None
        self._requests: dict[str, tuple[str, str]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    @property
    def port(self) -> int:
        assert self.transport is not None
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    def invite(self, call: Measured, line: str) -> None:
        """Send the INVITE of `call` to `line`."""
        sdp = _SDP.format(port=self.port)
        head = self._head("INVITE", call, line) + f"Contact: <sip:{call.number}@127.0.0.1:{self.port}>\r\n"
        head += "Content-Type: application/sdp\r\n"
        call.sent_at = time.perf_counter()
        self._send(f"{head}Content-Length: {len(sdp)}\r\n\r\n{sdp}")

    def cancel(self, call: Measured, line: str) -> None:
        """Give up `call`."""
        self._send(self._head("CANCEL", call, line) + "Content-Length: 0\r\n\r\n")

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        status = re.match(rb"SIP/2.0 (\d)\d\d", data)
        if status is None or status[1] in b"1" or b"INVITE" not in _header(data, b"CSeq"):
            return
        via, sender, to, call_id = (_header(data, name).decode() for name in (b"Via", b"From", b"To", b"Call-ID"))
        target = re.search(r"<(sip:[^>]+)>", to)
        told = f"Via: {via}\r\nFrom: {sender}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: 1 ACK\r\nMax-Forwards: 70\r\n"
        self._send(f"ACK {target[1] if target else ''} SIP/2.0\r\n{told}Content-Length: 0\r\n\r\n")

    def _head(self, method: str, call: Measured, line: str) -> str:
        here = f"127.0.0.1:{self.port}"
        return (
            f"{method} sip:{line}@127.0.0.1:{self.pbx[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{call.number};rport\r\n"
            f"From: <sip:{call.number}@{here}>;tag={call.number}\r\nTo: <sip:{line}@127.0.0.1:{self.pbx[1]}>\r\n"
            f"Call-ID: {call.number}@bench\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n"
        )

    def _send(self, message: str) -> None:
        assert self.transport is not None
        self.transport.sendto(message.encode(), self.pbx)


def _header(data: bytes, name: bytes) -> bytes:
    found = _HEADER[name].search(data)
    return found[1] if found else b""
