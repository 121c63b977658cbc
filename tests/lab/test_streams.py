"""A telephone's sound comes as streams of RTP that may begin with any number: each is recorded, whole and at once."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
import wave
from array import array
from collections.abc import AsyncIterator

import pytest

from service.pbx import Pbx

# Who calls is recorded for as long as the call goes on.
RECORDED = """
[from-trunk]
exten => _X!,1,Answer()
 same => n,MixMonitor(stream.wav)
 same => n,Wait(60)
"""
PACKETS = 50  # of 20 ms, so a second
STREAMS = {
    "the first numbers count as old ones": (40_000, 20_000),
    "the first numbers count as lost ones": (10_000, 40_000),
    "after 65,535 comes nought": (65_486, 0),
}
TONE = bytes((0x2A if math.sin(2 * math.pi * 500 * n / 8000) > 0 else 0xAA) for n in range(160))  # u-law


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """A PBX that answers and records."""
    async with Pbx([], extra_files={"extensions.conf": RECORDED}) as running:
        yield running


class Caller:
    """A telephone that says just enough SIP to be answered, and sends the packets of RTP that it is told to."""

    def __init__(self, pbx: Pbx) -> None:
        """Nothing is sent yet."""
        self._pbx = ("127.0.0.1", pbx.sip_port)
        self._sip, self._rtp = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for place in (self._sip, self._rtp):
            place.bind(("127.0.0.1", 0))
            place.setblocking(False)
        self._to = ""

    def _request(self, method: str, number: int, body: str = "") -> None:
        port = self._sip.getsockname()[1]
        self._sip.sendto(
            (
                f"{method} sip:100@127.0.0.1:{self._pbx[1]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK-{method}-{port}\r\n"
                f"From: <sip:79161234567@127.0.0.1>;tag=caller\r\n"
                f"To: <sip:100@127.0.0.1>{self._to}\r\n"
                f"Call-ID: streams-{port}\r\nCSeq: {number} {method}\r\n"
                f"Contact: <sip:79161234567@127.0.0.1:{port}>\r\nMax-Forwards: 70\r\n"
                + ("Content-Type: application/sdp\r\n" if body else "")
                + f"Content-Length: {len(body)}\r\n\r\n{body}"
            ).encode(),
            self._pbx,
        )

    async def _answer(self, method: str) -> str:
        """The final answer to a request."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(30):
            while True:
                told = (await loop.sock_recv(self._sip, 4096)).decode()
                if told.startswith("SIP/2.0 200") and f" {method}\r\n" in told:
                    return told

    async def call(self) -> None:
        """Call, and be answered."""
        media = f"m=audio {self._rtp.getsockname()[1]} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\n"
        place = "c=IN IP4 127.0.0.1\r\n"
        self._request("INVITE", 1, f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\n{place}t=0 0\r\n{media}")
        answered = await self._answer("INVITE")
        self._to = ";tag=" + answered.partition("\r\nTo:")[2].partition("\r\n")[0].partition(";tag=")[2]
        self._request("ACK", 1)
        self._target = ("127.0.0.1", int(answered.partition("m=audio ")[2].partition(" ")[0]))

    async def speak(self, first: int, source: int) -> None:
        """A second of a tone, as a stream of its own whose packets are counted from `first`."""
        for packet in range(PACKETS):
            header = struct.pack("!BBHII", 0x80, 0, (first + packet) & 0xFFFF, packet * 160, source)
            self._rtp.sendto(header + TONE, self._target)
            await asyncio.sleep(0.02)

    async def hang_up(self) -> None:
        """End it."""
        self._request("BYE", 2)
        await self._answer("BYE")
        self._sip.close()
        self._rtp.close()


async def recorded(pbx: Pbx) -> array[int]:
    """The samples, once the recording is closed."""
    async with asyncio.timeout(30):
        while True:
            with wave.open(str(pbx.recordings / "stream.wav")) as sound:
                if sound.getnframes():
                    return array("h", sound.readframes(sound.getnframes()))
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("numbers", STREAMS.values(), ids=STREAMS.keys())
async def test_a_stream_that_begins_anew_is_recorded_and_holds_nothing_up(pbx: Pbx, numbers: tuple[int, int]) -> None:
    """Nothing of it is taken for old, no sound is made up, and who hangs up is gone."""
    caller = Caller(pbx)
    await caller.call()
    for source, first in enumerate(numbers, start=1):
        await caller.speak(first, source)
    await caller.hang_up()
    async with asyncio.timeout(30):
        while await pbx.cli("core show channels concise"):
            await asyncio.sleep(0.05)
    samples = await recorded(pbx)
    loud = sum(max(samples[begin : begin + 4000]) > 1000 for begin in range(0, len(samples), 4000))
    # Four halves of a second, and what a busy machine lost or added at the ends.
    assert 3 <= loud <= len(samples) / 4000 + 1 < 12
