"""Plays scenarios on one PBX, many at once, and keeps what both witnesses told of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from calls.view import CallView
from recordings.wav import HEAD_BYTES, read_header
from service.demo_world.manager import Manager, Message
from tests.lab.scenarios.office import Place, Rules, ScenarioPbx, recorded_by_ours
from tests.lab.scenarios.scenario import Scenario
from tests.lab.scenarios.stage import Pbx, Voices, open_stage
from tests.lab.scenarios.telephones import PATIENCE_SECONDS, Said

AT_ONCE = 10


class Recorder:
    """A reader of the raw AMI stream, as a tape keeps it."""

    def __init__(self, stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._stream = stream
        self._writer = writer
        self.tape = bytearray()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(cls, pbx: ScenarioPbx) -> Recorder:
        stream, writer = await asyncio.open_connection("127.0.0.1", pbx.ami_port)
        login = f"Action: Login\r\nUsername: {pbx.ami_username}\r\nSecret: {pbx.ami_secret}\r\n\r\n"
        await stream.readuntil(b"\r\n")
        writer.write(login.encode())
        await stream.readuntil(b"\r\n\r\n")
        return cls(stream, writer)

    async def _read(self) -> None:
        while part := await self._stream.read(65536):
            self.tape += part

    async def close(self) -> None:
        self._writer.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await self._task


@dataclass
class Played:
    """What happened. `failed`: the scenarios that could not be played to the end, and why.

    `said`: who spoke, by scenario. `files`: what the PBX recorded, by the files' names.
    """

    ami: str = ""
    cel: str = ""
    places: dict[str, Place] = field(default_factory=dict)
    failed: dict[str, BaseException] = field(default_factory=dict)
    said: dict[str, list[Said]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    def by_scenario(self, records: Sequence[CallView]) -> dict[str, list[CallView]]:
        """The calls of each scenario; one of two scenarios at once is nobody's."""
        found: dict[str, list[CallView]] = {name: [] for name in self.places}
        for record in records:
            devices = {record.caller_device, *(leg.device for leg in record.legs)}
            owners = [name for name, place in self.places.items() if any(place.plain(one) != one for one in devices)]
            if len(owners) == 1:
                found[owners[0]].append(record)
        return found


async def play(
    scenarios: Sequence[Scenario], voices: Callable[[Scenario], Voices] | None = None, at_once: int = AT_ONCE
) -> Played:
    """Play these on a PBX of their own; one alone has the plain names.

    With `voices` people speak, and every talk is recorded by the dialplan that we ship.
    """
    first = 0 if len(scenarios) == 1 else 1
    rules = [
        Rules(Place(number), one.dialplan, one.queues, one.record_phones) for number, one in enumerate(scenarios, first)
    ]
    if voices:
        rules = [recorded_by_ours(one) for one in rules]
    played = Played(places={one.name: own.place for one, own in zip(scenarios, rules, strict=True)})
    slots = asyncio.Semaphore(at_once)
    listening: set[Pbx] = set()

    def hear(message: Message) -> None:
        for one in listening:
            one.hear(message)

    async with ScenarioPbx(rules, recorded=voices is not None) as running:
        recorder = await Recorder.connect(running)
        manager = await Manager.connect(running.ami_port, running.ami_username, running.ami_secret, hear)

        async def take_place(one: Scenario, own: Rules) -> None:
            async with slots:
                pbx = Pbx(running, manager, own.place)
                listening.add(pbx)
                try:
                    async with open_stage(own, pbx, voices(one) if voices else None) as stage:
                        played.said[one.name] = stage.said
                        await one.play(stage)
                        await pbx.quiet()
                except Exception as error:  # noqa: BLE001 - told by the test of this scenario, the others go on
                    played.failed[one.name] = error
                    await pbx.hang_up_all()
                listening.remove(pbx)

        await asyncio.gather(*(take_place(one, own) for one, own in zip(scenarios, rules, strict=True)))
        await _written(running, recorder)
        await manager.close()
        await recorder.close()
        if voices:
            played.files = {path.name: path.read_bytes() for path in await _closed(running)}
        played.ami = _shown(running, bytes(recorder.tape).decode())
        played.cel = _shown(running, running.cel_file.read_text(encoding="utf-8"))
    return played


async def _written(running: ScenarioPbx, recorder: Recorder) -> None:
    """Both witnesses have told all: every channel that AMI saw begin has ended, and CEL retired every linkedid."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            ami = recorder.tape.decode(errors="replace")
            cel = running.cel_file.read_text(encoding="utf-8", errors="replace")
            began, ended = ami.count("Event: Newchannel\r"), ami.count("Event: Hangup\r")
            if began == ended == cel.count('"CHAN_END"') and cel.endswith("\n"):
                return
            await asyncio.sleep(0.05)


async def _closed(running: ScenarioPbx) -> list[Path]:
    """What our dialplan recorded, as soon as the PBX has closed it: it does so a moment after the channel's end."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            files = [*running.recordings.glob("*-caller.wav"), *running.recordings.glob("*-staff.wav")]
            heads = [read_header(path.read_bytes()[:HEAD_BYTES], path.stat().st_size) for path in files]
            if all(head.whole for head in heads):
                return files
            await asyncio.sleep(0.05)


def _shown(running: ScenarioPbx, text: str) -> str:
    """`text` without the folder of this machine."""
    return text.replace(str(running.folder / "spool"), "/var/spool/asterisk")
