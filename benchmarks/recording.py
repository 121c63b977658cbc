"""100 recorded calls at once on a real Asterisk: what recording costs it, and what keeping the recordings costs us."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.running import process
from calls.jobs import enqueue
from directory.model import Company, Device, Directory, Line, Person, Team
from directory.store import apply
from recordings.due import archive_job
from service.demo_world import OutsideWorld, answer
from service.demo_world.manager import Manager
from service.pbx import Pbx, Phone
from service.ports import free_port
from service.postgres import Postgres
from service.settings import load
from service.wiring import open_house

CALLS = 100
TALK_SECONDS = 8.0
KEPT_SECONDS_MOST = 60.0
_LINE = 74950000000
_TICK = os.sysconf("SC_CLK_TCK")


async def measure(calls: int = CALLS) -> None:
    """Print the processor's time of a talk: Asterisk's without and with recording, and ours until all is archived."""
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as told:
        folder = Path(told)
        folder.chmod(0o755)
        phones = [Phone(f"bench-{number}", str(1000 + number)) for number in range(calls)]
        async with Pbx(phones) as pbx, OutsideWorld(pbx) as world, Postgres(folder / "postgres") as server:
            settings = load(database_url=server.url, data_dir=folder)
            async with open_house(settings, pool=2) as house:
                async with house.engine.begin() as connection:
                    await apply(connection, _directory(calls))
                for phone in phones:
                    await world.phone(phone.name).behave(answer(0.1, speak=("en/vm-options",) * 4))
                environment = _environment(pbx, server.url, folder)
                worked = process(environment, "worker", "--queue", "recordings")
                async with process(environment) as telephony, worked as worker:
                    await _until_working(house.engine)
                    spent, before = {}, (0.0, 0.0, 0.0)
                    for name, where in (("plain", ""), ("recorded", str(pbx.recordings))):
                        await _record_into(pbx, where)
                        before = _cpu([_pid(pbx)]), _cpu([telephony]), _cpu(_family(worker))
                        await _talk(world, calls)
                        spent[name] = _cpu([_pid(pbx)]) - before[0], _cpu([telephony]) - before[1]
                    began = time.perf_counter()
                    kept = await _keep(house.engine, calls)
                    took, ours = time.perf_counter() - began, _cpu(_family(worker)) - before[2]
    talked = calls * TALK_SECONDS
    plain, recorded = spent["plain"][0], spent["recorded"][0]
    print(f"{calls} calls of {TALK_SECONDS:.0f} s at once, seconds of a processor for a minute of talk")
    print(f"  Asterisk, not recorded       {plain / talked * 60:8.3f}")
    print(f"  Asterisk, each side recorded {recorded / talked * 60:8.3f}  ({(recorded / plain - 1) * 100:+.0f} %)")
    print(f"  our telephony meanwhile      {spent['recorded'][1] / talked * 60:8.3f}")
    print(
        f"  our worker: stored, archived {ours / talked * 60:8.3f}  ({ours / recorded:.2f} of Asterisk's;"
        f" {kept} of {calls} in {took:.0f} s after the calls)"
    )


def _directory(calls: int) -> Directory:
    numbers = range(calls)
    return Directory(
        company=Company(name="Bench"),
        people=tuple(
            Person(
                key=f"p{n}",
                name=f"Person {n}",
                role="manager",
                devices=(Device(kind="desk", address=f"PJSIP/bench-{n}"),),
            )
            for n in numbers
        ),
        teams=tuple(Team(key=f"t{n}", name=f"Team {n}", strategy="ring_all", members=(f"p{n}",)) for n in numbers),
        lines=tuple(Line(number=str(_LINE + n), name=f"Line {n}", team=f"t{n}") for n in numbers),
    )


async def _talk(world: OutsideWorld, calls: int) -> None:
    """All call, all are answered, and all hang up after the same time."""
    begun = [
        await world.call(f"7916{number:07}", "Bench", str(_LINE + number), speak=("en/vm-intro",) * 6)
        for number in range(calls)
    ]
    await asyncio.gather(*(call.answered(30) for call in begun))
    await asyncio.sleep(TALK_SECONDS)
    await asyncio.gather(*(call.hangup() for call in begun))


async def _until_working(engine: AsyncEngine) -> None:
    """The worker has read what it needs, and the service attends the PBX."""
    asked = "select exists (select from procrastinate_workers) and exists (select from device_states)"
    async with asyncio.timeout(60):
        while True:
            async with engine.connect() as connection:
                if (await connection.execute(text(asked))).scalar_one():
                    return
            await asyncio.sleep(0.2)


async def _keep(engine: AsyncEngine, calls: int) -> int:
    """Wait until every recorded call is archived; nothing becomes text here, so the archives are owed at once."""
    until, owed = time.monotonic() + KEPT_SECONDS_MOST, set[str]()
    count = 0
    while count < calls and time.monotonic() < until:
        await asyncio.sleep(0.2)
        async with engine.begin() as connection:
            await connection.execute(text("delete from procrastinate_jobs where task_name = 'recordings.transcribe'"))
            stored = "select call_id::text from recordings where path is not null group by call_id having count(*) = 2"
            new = set((await connection.execute(text(stored))).scalars()) - owed
            await enqueue(connection, [archive_job(call_id) for call_id in sorted(new)])
            owed |= new
            count = int((await connection.execute(text("select count(*) from archives"))).scalar_one())
    return count


async def _record_into(pbx: Pbx, folder: str) -> None:
    manager = await Manager.connect(pbx.ami_port, pbx.ami_username, pbx.ami_secret, lambda _event: None)
    await manager.action({"Action": "Setvar", "Variable": "SWITCHHOOK_RECORDINGS", "Value": folder})
    await manager.close()


def _pid(pbx: Pbx) -> int:
    assert pbx.process is not None
    return pbx.process.pid


def _family(pid: int) -> list[int]:
    """A process with its children, and theirs."""
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in told for one in _family(int(child)))]


def _cpu(pids: Iterable[int]) -> float:
    """Seconds of a processor that these processes have used (proc(5), stat: utime and stime)."""
    total = 0
    for pid in pids:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(told[11]) + int(told[12])
    return total / _TICK


def _environment(pbx: Pbx, url: str, folder: Path) -> dict[str, str]:
    told = {"name": "pbx", "port": pbx.ami_port, "secret": pbx.ami_secret, "recordings": str(pbx.recordings)}
    return {
        "DATABASE_URL": url,
        "SWITCHHOOK_DATA_DIR": str(folder),
        "SWITCHHOOK_LOG": "quiet",
        "SWITCHHOOK_METRICS": json.dumps({"port": free_port()}),
        "SWITCHHOOK_PBX": json.dumps([told]),
    }
