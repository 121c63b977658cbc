"""Callers and telephones on two loopback sockets, many calls at once: just SIP enough (RFC 3261) for begin and end.

Nobody registers and nobody speaks; what a telephone does is in its name, up to a dash. A second Asterisk as the outside
world does all of it too, at ten times the processor's time.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from service.pbx import Pbx

TELEPHONES = ("answers", "busy", "rings")
"""Answers at once; is busy; rings for ever."""

_SDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"


class TelephonePbx(Pbx):
    """The company's PBX with `telephones`, whose trunk's numbers `lines` are dialled as (telephone, seconds)."""

    def __init__(self, telephones_port: int, lines: dict[str, tuple[str, int]], telephones: Sequence[str]) -> None:
        super().__init__([])
        self._telephones_port = telephones_port
        self._lines = lines
        self._telephones = telephones

    def configuration(self) -> dict[str, str]:
        told = super().configuration()
        told["extensions.conf"] += "\n[from-trunk](+)\n" + "".join(
            f"exten => {line},1,Dial(PJSIP/{telephone},{seconds})\n same => n,Hangup()\n"
            for line, (telephone, seconds) in self._lines.items()
        )
        told["pjsip.conf"] += "".join(
            f"\n[{name}](phone)\naors = {name}\n[{name}]\ntype = aor\n"
            f"contact = sip:{name}@127.0.0.1:{self._telephones_port}\n"
            for name in self._telephones
        )
        return told


class _Socket(asyncio.DatagramProtocol):
    """One UDP socket that speaks SIP."""

    def __init__(self) -> None:
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    @property
    def port(self) -> int:
        assert self.transport is not None
        port: int = self.transport.get_extra_info("sockname")[1]
        return port

    def send(self, lines: list[str], body: str, where: tuple[str, int]) -> None:
        more = ["Content-Type: application/sdp"] if body else []
        text = "\r\n".join([*lines, *more, f"Content-Length: {len(body)}", "", body])
        assert self.transport is not None
        self.transport.sendto(text.encode(), where)

    def answer(self, asked: str, status: str, where: tuple[str, int], body: str = "") -> None:
        """Answer a request."""
        told = [f"SIP/2.0 {status}"]
        for name in ("Via", "From", "To", "Call-ID", "CSeq"):
            value = header(asked, name)
            told.append(f"{name}: {value}" + (";tag=here" if name == "To" and ";tag=" not in value else ""))
        self.send([*told, f"Contact: <sip:here@127.0.0.1:{self.port}>"], body, where)


class Telephones(_Socket):
    """All telephones."""

    def __init__(self) -> None:
        super().__init__()
        self._ringing: dict[str, str] = {}

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asked = data.decode()
        method, _, rest = asked.partition(" ")
        match method, rest.partition("@")[0].removeprefix("sip:").partition("-")[0]:
            case "INVITE", "busy":
                self.answer(asked, "486 Busy Here", addr)
            case "INVITE", name:
                self.answer(asked, "180 Ringing", addr)
                self._ringing[header(asked, "Call-ID")] = asked
                if name == "answers":
                    self.answer(asked, "200 OK", addr, _SDP)
            case "CANCEL", _:
                self.answer(asked, "200 OK", addr)
                self.answer(self._ringing[header(asked, "Call-ID")], "487 Request Terminated", addr)
            case (("BYE" | "OPTIONS"), _):
                self.answer(asked, "200 OK", addr)
            case _:
                pass


@dataclass
class PlacedCall:
    """One call as its caller has it: `over` when the PBX ended it or took our end of it."""

    number: str
    line: str
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    to: str = ""


class Callers(_Socket):
    """All callers, behind the trunk."""

    def __init__(self, pbx_port: int) -> None:
        super().__init__()
        self._pbx = ("127.0.0.1", pbx_port)
        self._calls: dict[str, PlacedCall] = {}

    def invite(self, number: str, line: str) -> PlacedCall:
        """A caller with `number` dials `line`."""
        call = self._calls[number] = PlacedCall(number, line, to=f"<sip:{line}@127.0.0.1:{self._pbx[1]}>")
        self._ask("INVITE", call, 1, _SDP)
        return call

    def cancel(self, call: PlacedCall) -> None:
        """Give up before anybody answers."""
        self._ask("CANCEL", call, 1)

    def bye(self, call: PlacedCall) -> None:
        """Hang up."""
        self._ask("BYE", call, 2)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        told = data.decode()
        status = re.match(r"SIP/2\.0 (\d)\d\d", told)
        if status is None:
            if not told.startswith("ACK"):
                self.answer(told, "200 OK", addr)
            if told.startswith("BYE"):
                self._calls[header(told, "Call-ID").partition("@")[0]].over.set()
            return
        call = self._calls[header(told, "Call-ID").partition("@")[0]]
        method = header(told, "CSeq").partition(" ")[2]
        if method == "INVITE" and status[1] != "1":
            call.to = header(told, "To")
            self._ask("ACK", call, 1)
            (call.answered if status[1] == "2" else call.over).set()
        elif method == "BYE":
            call.over.set()

    def _ask(self, method: str, call: PlacedCall, number: int, body: str = "") -> None:
        here = f"127.0.0.1:{self.port}"
        # CANCEL, and ACK of a refusal, belong to the INVITE's transaction; the others are their own.
        branch = f"z9hG4bK{call.number}" + (method if method == "BYE" or call.answered.is_set() else "")
        lines = [
            f"{method} sip:{call.line}@127.0.0.1:{self._pbx[1]} SIP/2.0",
            f"Via: SIP/2.0/UDP {here};branch={branch};rport",
            f"From: <sip:{call.number}@{here}>;tag={call.number}",
            f"To: {call.to}",
            f"Call-ID: {call.number}@callers",
            f"CSeq: {number} {method}",
            "Max-Forwards: 70",
            f"Contact: <sip:{call.number}@{here}>",
        ]
        self.send(lines, body, self._pbx)


def header(text: str, name: str) -> str:
    """The first header of that name, "" when there is none."""
    found = re.search(rf"^{name}[ \t]*:[ \t]*(.*?)\r?$", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""


@asynccontextmanager
async def telephone_pbx(
    lines: dict[str, tuple[str, int]], telephones_named: Sequence[str] = TELEPHONES
) -> AsyncIterator[tuple[TelephonePbx, Callers]]:
    """A PBX with its telephones, and callers."""
    loop = asyncio.get_running_loop()
    inside, telephones = await loop.create_datagram_endpoint(Telephones, local_addr=("127.0.0.1", 0))
    async with TelephonePbx(telephones.port, lines, telephones_named) as pbx:
        outside, callers = await loop.create_datagram_endpoint(
            lambda: Callers(pbx.sip_port), local_addr=("127.0.0.1", 0)
        )
        yield pbx, callers
        outside.close()
    inside.close()
