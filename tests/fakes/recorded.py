"""Invented calls as their events, and sound as the PBX records it."""

from __future__ import annotations

import math
import struct
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from calls import events as e
from service.installed import locate

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LINE = "74951234567"


def settled_call(
    uid: str = "1795427050.1",
    *,
    number: str = "79161234567",
    answered: bool = True,
    direction: str = "inbound",
    at: datetime = T0,
    device: str = "PJSIP/anna-desk",
    line: str = LINE,
) -> list[e.Event]:
    """A whole call of nine seconds: rung for three, talked for six when `answered`, then settled."""
    other = f"{uid}2"

    def told(channel: str, seconds: float, kind: Any, **more: Any) -> e.Event:
        event: e.Event = kind(pbx="pbx", channel=channel, linkedid=uid, at=at + timedelta(seconds=seconds), **more)
        return event

    inbound = direction == "inbound"
    caller = {"name": "PJSIP/trunk-1", "number": number, "dialed": line} if inbound else {}
    events = [
        told(uid, 0, e.ChannelCreated, incoming=True, **caller),
        told(other, 1, e.ChannelCreated, incoming=False, name=f"{device}-2", number="101"),
        told(uid, 1, e.Dialed, target=other, target_name=f"{device}-2"),
        told(other, 1.2, e.ChannelRang),
    ]
    if inbound:
        events.append(told(uid, 0.1, e.Arrived, line=line, number=number))
    if answered:
        events += [told(channel, 3, e.BridgeEntered, bridge="b") for channel in (uid, other)]
    events += [told(channel, 9, e.ChannelHungUp, cause=16) for channel in (other, uid)]
    return [*events, told(uid, 14, e.Settled)]


def outgoing_call(
    uid: str, *, number: str = "79161234567", device: str = "PJSIP/anna-desk", answered: bool = True, at: datetime = T0
) -> list[e.Event]:
    """A settled call out, as a colleague dials it: rung for two seconds, talked for six when `answered`."""
    other = f"{uid}2"

    def told(channel: str, seconds: float, kind: Any, **more: Any) -> e.Event:
        event: e.Event = kind(pbx="pbx", channel=channel, linkedid=uid, at=at + timedelta(seconds=seconds), **more)
        return event

    return [
        told(uid, 0, e.ChannelCreated, incoming=True, name=f"{device}-1", number="101", dialed=number),
        told(other, 1, e.ChannelCreated, incoming=False, name="PJSIP/trunk-2", number=number),
        told(uid, 1, e.Dialed, target=other, target_name="PJSIP/trunk-2"),
        told(other, 1.2, e.ChannelRang),
        *([told(channel, 3, e.BridgeEntered, bridge="b") for channel in (uid, other)] if answered else []),
        *(told(channel, 9, e.ChannelHungUp, cause=16 if answered else 19) for channel in (other, uid)),
        told(uid, 14, e.Settled),
    ]


def speech(*turns: str | float) -> bytes:
    """Samples (16 bit, 8 kHz) of prompts ("ru/vm-goodbye") and of seconds of silence."""
    sound = b""
    for turn in turns:
        if isinstance(turn, str):
            language, _, name = turn.partition("/")
            with wave.open(str(locate().sounds[language] / f"{name}.wav")) as prompt:
                sound += prompt.readframes(prompt.getnframes())
        else:
            sound += bytes(int(turn * 8000) * 2)
    return sound


def tone(seconds: float) -> bytes:
    """Samples as loud as a voice over the telephone (-20 dBFS)."""
    wave_of_20 = struct.pack("<20h", *(round(4600 * math.sin(2 * math.pi * at / 20)) for at in range(20)))
    return wave_of_20 * round(seconds * 400)


def write_wav(path: Path, samples: bytes, *, channels: int = 1) -> Path:
    """A closed WAV file."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples)
    return path


def stereo(left: bytes, right: bytes) -> bytes:
    """Two sides as one interleaved sound, as long as the longer."""
    size = max(len(left), len(right))
    one, other = (struct.iter_unpack("2s", side.ljust(size, b"\0")) for side in (left, right))
    return b"".join(a + b for (a,), (b,) in zip(one, other, strict=True))


def unclosed(path: Path) -> Path:
    """Make it a file that Asterisk has opened and not closed: its header tells no lengths yet."""
    with path.open("r+b") as file:
        for at in (4, 40):
            file.seek(at)
            file.write(bytes(4))
    return path


def pbx_recorded(folder: Path, uid: str, caller: bytes, staff: bytes, *, closed: bool = True) -> None:
    """What the PBX leaves of one channel."""
    for side, samples in (("caller", caller), ("staff", staff)):
        path = write_wav(folder / f"{uid}-{side}.wav", samples)
        if not closed:
            unclosed(path)
