"""A caller at a real Asterisk whose number, or dialled number, holds line breaks writes no event and no row."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from service.pbx import Pbx, Phone
from telephony import ami
from telephony.cel_file import read_period
from telephony.devices import Devices, live_change
from telephony.liveness import ALIVE
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working

LINE = "74950000001"
BUSY = "\r\n\r\nEvent: DeviceStateChange\r\nDevice: PJSIP/anna-desk\r\nState: BUSY"
HANGUP = "\r\n\r\nEvent: Hangup\r\nPrivilege: a\r\nTimestamp: 1.000000\r\nUniqueid: 1.5"
ROW = "\nCHAN_END,1790000000,,,,,,,,,,,,,u.5,u.5,,,,,\n"


def _escaped(text: str) -> str:
    return "".join(sign if sign.isalnum() else f"%{ord(sign):02x}" for sign in text)


def _invite(pbx: Pbx, caller: socket.socket, number: str, line: str, call: str) -> None:
    here = f"127.0.0.1:{caller.getsockname()[1]}"
    body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
    head = (
        f"INVITE sip:{_escaped(line)}@127.0.0.1:{pbx.sip_port} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {here};branch=z9hG4bK{call}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{_escaped(number)}@127.0.0.1>;tag={call}\r\nTo: <sip:{LINE}@127.0.0.1>\r\n"
        f"Call-ID: {call}@hostile\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@{here}>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    caller.sendto((head + body).encode(), ("127.0.0.1", pbx.sip_port))


@pytest.fixture
def caller() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        yield own


@pytest.mark.parametrize(
    "number, line",
    [(f"7{BUSY}", LINE), (f"7{HANGUP}", LINE), ("79160000002", f"7495{BUSY}"), (f"7{HANGUP}", f"7495{BUSY}")],
    ids=["number", "number with a time", "line", "both"],
)
async def test_a_caller_cannot_write_events(caller: socket.socket, number: str, line: str) -> None:
    """Nothing forged is delivered and no device changes; the call goes on to the fallback, ends and is one call."""
    devices = Devices("main")
    async with Pbx([Phone("anna-desk", "101")]) as pbx, AmiProxy(pbx.host, pbx.ami_port) as proxy:
        office = Office(pbx, proxy)
        async with working(office) as link:
            await devices.ask(link)
            await link.action({"Action": "Setvar", "Variable": ALIVE, "Value": str(int(link.clock.pbx_now()))})
            _invite(pbx, caller, number, line, "one")
            await until(lambda: any(one.get("UserEvent") == "SwitchhookFallback" for one in office.heard))
            await pbx.cli("channel request hangup all")
            await until(lambda: any(one["Event"] == "Hangup" for one in office.heard))
            await asyncio.sleep(0.2)
        assert link.state.torn_total >= 2
    events = [event for message in office.heard for event in ami.translate("main", message)]
    assert len({event.channel for event in events if event.linkedid}) == 1
    assert "1.5" not in {event.channel for event in events}
    assert [message for message in office.heard if "BUSY" in message.values()] == []
    for message in office.heard:
        change = live_change(message)
        assert change is None or change.device != "PJSIP/anna-desk" or change.state == "unavailable"
    numbers = [message["CallerIDNum"] for message in office.heard if "CallerIDNum" in message]
    assert numbers
    assert all(str(one).isprintable() for one in numbers)


@pytest.mark.parametrize("number", [f"7{ROW}", f'7"{ROW}', f'7",""{ROW}'], ids=["plain", "quote", "quotes"])
async def test_a_caller_cannot_write_rows(caller: socket.socket, number: str) -> None:
    """The CEL file of a real Asterisk is read as the rows that Asterisk wrote, none torn."""
    async with Pbx([Phone("anna-desk", "101")]) as pbx:
        _invite(pbx, caller, number, LINE, "one")
        await until(lambda: pbx.cel_file.exists() and b"u.5" in pbx.cel_file.read_bytes())
        await pbx.cli("channel request hangup all")
        await until(lambda: b"LINKEDID_END" in pbx.cel_file.read_bytes())
        at = datetime.now(UTC)
        rows = list(read_period(pbx.cel_file, at - timedelta(minutes=5), at + timedelta(minutes=5)))
        told = len(re.findall(rb'^"[A-Z_]+","', pbx.cel_file.read_bytes(), re.MULTILINE))
    assert len(rows) == told
    assert len({row["uniqueid"] for row in rows}) == 1
    assert any("u.5" in row["cid_num"] for row in rows)
    assert {"CHAN_START", "CHAN_END", "LINKEDID_END"} <= {row["eventtype"] for row in rows}
