"""Our UserEvents at their limit: Asterisk drops a line beyond 1,024 bytes without a word; none of ours gets there."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest

from service.pbx import Pbx, Phone
from telephony import ami
from telephony.heartbeat import HEARTBEAT
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working

LINE = "74950000001"
NAMES = ["Щ" * 500, "x" * 2000, "😀" * 300, 'a,"b' * 200]
_BODY = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"


@pytest.fixture
def caller() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        own.bind(("127.0.0.1", 0))
        yield own


def invite(pbx: Pbx, caller: socket.socket, number: str, name: str, line: str) -> None:
    here = f"127.0.0.1:{caller.getsockname()[1]}"
    shown = name.replace('"', '\\"')
    head = (
        f"INVITE sip:{line}@127.0.0.1:{pbx.sip_port} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK1\r\n"
        f'Max-Forwards: 70\r\nFrom: "{shown}" <sip:{number}@127.0.0.1>;tag=1\r\nTo: <sip:{LINE}@127.0.0.1>\r\n'
        f"Call-ID: 1@long\r\nCSeq: 1 INVITE\r\nContact: <sip:caller@{here}>\r\n"
        f"Content-Type: application/sdp\r\nContent-Length: {len(_BODY)}\r\n\r\n{_BODY}"
    )
    caller.sendto(head.encode(), ("127.0.0.1", pbx.sip_port))


@pytest.mark.parametrize("name", NAMES, ids=["cyrillic", "latin", "emoji", "commas"])
async def test_the_longest_caller_arrives_whole(caller: socket.socket, name: str) -> None:
    """However long number, name and dialled number are: the arrival comes, and no line is near the limit."""
    async with Pbx([Phone("anna-desk", "101")]) as pbx, AmiProxy(pbx.host, pbx.ami_port) as proxy:
        office = Office(pbx, proxy)
        async with working(office):
            await pbx.cli(f"dialplan set global SWITCHHOOK_ALIVE {int(time.time()) + 2}")
            invite(pbx, caller, "7" * 79, name, "7495" + "1" * 70)
            await until(lambda: [one for one in office.heard if one.get("UserEvent") == "SwitchhookArrival"])
            await pbx.cli("channel request hangup all")
            await until(lambda: [one for one in office.heard if one.get("UserEvent") == "SwitchhookHangup"])
        ours = [one for one in office.heard if str(one.get("UserEvent")).startswith("Switchhook")]
    (arrived,) = [event for one in ours for event in ami.translate("pbx", one) if event.kind == "Arrived"]
    assert arrived.channel
    sizes = [len(f"{key}: {value}".encode()) for one in ours for key, value in one.items()]
    assert max(sizes) < 512


async def test_another_users_heartbeat_hides_no_loss(pbx: Pbx) -> None:
    """Whoever reads user events knows our sender and counts on: a beat of ours that is lost is lost all the same."""
    async with AmiProxy(pbx.host, pbx.ami_port) as proxy:
        office, other = Office(pbx, proxy, ping_deadline_seconds=5), Office(pbx, proxy)
        async with working(office) as link, working(other):
            await until(lambda: link.state.heartbeat_lag_seconds is not None)
            lost = link.state.heartbeats_lost_total
            proxy.swallow = b"Token: "
            forged = {"Action": "UserEvent", "UserEvent": HEARTBEAT, "Sender": link._heartbeats._sender}
            while link.state.heartbeats_lost_total < lost + 3:
                beats = [{**forged, "Sequence": str(number)} for number in range(100)]
                await other.link.actions(beats)
                await asyncio.sleep(0.01)
            assert link.state.connects_total == 1
