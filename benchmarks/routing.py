"""INVITE in to INVITE out on a real Asterisk: a static Dial against our routing, in turn within one run."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.running import process
from benchmarks.sip import Caller, Measured, Phones
from directory.model import Company, Device, Directory, Hours, Line, Person, Span, Team, Vip
from directory.rules import Destination, Rule, TeamLoad, When
from directory.store import apply
from service.demo_world.manager import Manager
from service.pbx import Pbx
from service.ports import free_port
from service.postgres import Postgres
from service.settings import load
from service.wiring import open_house

PEOPLE = 40
LINE = 74950000000
STATIC, RECORDED = 9000, 9100
_FILE = "${SWITCHHOOK_RECORDINGS}/${UNIQUEID}"
_numbers = itertools.count(79162000000)


class BenchPbx(Pbx):
    """The shipped dialplan, phones that need no registration, and beside it the shortest way to them."""

    def __init__(self, phones_port: int) -> None:
        super().__init__([])
        self._phones_port = phones_port

    def configuration(self) -> dict[str, str]:
        told = super().configuration()
        told["extensions.conf"] += "\n[from-trunk](+)\n" + "".join(
            f"exten => {STATIC + n},1,Dial(PJSIP/bench-{n},20)\n"
            f"exten => {RECORDED + n},1,MixMonitor(,br({_FILE}-caller.wav)t({_FILE}-staff.wav))\n"
            f" same => n,Dial(PJSIP/bench-{n},20)\n"
            for n in range(PEOPLE)
        )
        told["pjsip.conf"] += "".join(
            f"\n[bench-{n}](phone)\naors = bench-{n}\n[bench-{n}]\ntype = aor\n"
            f"contact = sip:bench-{n}@127.0.0.1:{self._phones_port}\n"
            for n in range(PEOPLE)
        )
        return told


def bench_directory() -> Directory:
    """Forty people with a desk phone and a line each, and before the built-in rules one of each condition."""
    people = tuple(
        Person(key=f"p{n}", name=f"Person {n}", role="manager", devices=(desk,))
        for n, desk in enumerate(Device(kind="desk", address=f"PJSIP/bench-{n}") for n in range(PEOPLE))
    )
    teams = tuple(Team(key=f"t{n}", name=f"Team {n}", strategy="ring_all", members=(f"p{n}",)) for n in range(PEOPLE))
    lines = tuple(Line(number=str(LINE + n), name=f"Line {n}", team=f"t{n}") for n in range(PEOPLE))
    company = Company(name="Bench", region="RU", time_zone="Europe/Moscow", language="ru")
    return Directory(
        company=company,
        hours=(Hours("never", (Span(0, 0, 1),)),),
        people=people,
        teams=teams,
        lines=lines,
        vip=(Vip(number="79161110000"),),
        rules=all_rules(),
    )


def all_rules() -> tuple[Rule, ...]:
    """One rule for each condition that is asked of every call; no call of the benchmark meets one."""
    asked = (
        When(vip=True),
        When(known=True),
        When(number=("44", "1")),
        When(stage=("won",)),
        When(open=False),
        When(open=None, hours=("never",)),
        When(owner="free"),
        When(owner_is=("p0",)),
        When(last_talked="known", vip=True),
        When(team=TeamLoad(free_at_most=0)),
        When(team=TeamLoad(waiting_at_least=1)),
        When(line=(str(LINE + PEOPLE - 1),), vip=True),
    )
    then = (Destination(kind="ring", to="team", strategy="longest_idle"),)
    return tuple(Rule(name=f"rule-{number}", when=when, then=then) for number, when in enumerate(asked))


async def _until_devices(engine: AsyncEngine) -> None:
    async with asyncio.timeout(30):
        while True:
            async with engine.connect() as connection:
                count = (await connection.execute(text("select count(*) from device_states"))).scalar_one()
            if count >= PEOPLE:
                await asyncio.sleep(2)
                return
            await asyncio.sleep(0.1)


async def _one(caller: Caller, phones: Phones, line: str) -> float | None:
    call = Measured(str(next(_numbers)))
    phones.waiting[call.number] = call
    caller.invite(call, line)
    try:
        await asyncio.wait_for(call.over.wait(), 8)
    except TimeoutError:
        return None
    finally:
        del phones.waiting[call.number]
        caller.cancel(call, line)
    assert call.rang_at is not None
    return (call.rang_at - call.sent_at) * 1000


async def _series(caller: Caller, phones: Phones, first: int, count: int, gap: float | None) -> list[float | None]:
    lines = [str(first + n % PEOPLE) for n in range(count)]
    if gap is None:
        found = []
        for line in lines:
            found.append(await _one(caller, phones, line))
            await asyncio.sleep(0.05)
        return found
    tasks = []
    for line in lines:
        tasks.append(asyncio.create_task(_one(caller, phones, line)))
        await asyncio.sleep(gap)
    return list(await asyncio.gather(*tasks))


def _percentiles(found: list[float | None]) -> tuple[float, float]:
    good = sorted(one for one in found if one is not None)
    return statistics.median(good), good[min(len(good) - 1, int(len(good) * 0.99))]


def _told(name: str, found: list[float | None]) -> str:
    good = [one for one in found if one is not None]
    p50, p99 = _percentiles(found)
    return f"  {name:<28} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   ({len(good)} calls, {len(found) - len(good)} lost)"


async def measure(rounds: int = 3, count: int = 80) -> None:
    """Print static Dial and our routing side by side, one at a time and at 20 calls/s, without and with recording."""
    loop = asyncio.get_running_loop()
    phones_transport, phones = await loop.create_datagram_endpoint(Phones, local_addr=("127.0.0.1", 0))
    port: int = phones_transport.get_extra_info("sockname")[1]
    with tempfile.TemporaryDirectory(prefix="switchhook-bench-") as told:
        Path(told).chmod(0o755)
        async with BenchPbx(port) as pbx, Postgres(Path(told) / "postgres") as server:
            environment = _environment(pbx, server.url, Path(told))
            settings = load(database_url=server.url, data_dir=Path(told))
            async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
                await apply(connection, bench_directory())
            caller_transport, caller = await loop.create_datagram_endpoint(
                lambda: Caller(pbx.sip_port), local_addr=("127.0.0.1", 0)
            )
            async with process(environment):
                async with open_house(settings, pool=1) as house:
                    await _until_devices(house.engine)
                await _rounds(pbx, caller, phones, rounds, count)
            caller_transport.close()
    phones_transport.close()


async def _rounds(pbx: BenchPbx, caller: Caller, phones: Phones, rounds: int, count: int) -> None:
    await _series(caller, phones, LINE, PEOPLE, None)
    await _series(caller, phones, STATIC, PEOPLE, None)
    for name, gap in (("one at a time", None), ("20 calls/s", 0.05)):
        found: dict[str, list[float | None]] = {}
        for _ in range(rounds):
            for more, folder, static in (("", "", STATIC), (", recorded", str(pbx.recordings), RECORDED)):
                await _record_into(pbx, folder)
                for row, first in ((f"static Dial{more}", static), (f"our routing{more}", LINE)):
                    found.setdefault(row, []).extend(await _series(caller, phones, first, count, gap))
        print(f"INVITE in to INVITE out, {name}")
        for row, series in found.items():
            print(_told(row, series), flush=True)
        for more in ("", ", recorded"):
            ours50, ours99 = _percentiles(found[f"our routing{more}"])
            static50, static99 = _percentiles(found[f"static Dial{more}"])
            over50, over99 = ours50 - static50, ours99 - static99
            print(
                f"  over static{more:<17} p50 {over50:+6.2f} ms   p99 {over99:+6.2f} ms   (goal: 1 and 5)", flush=True
            )


async def _record_into(pbx: BenchPbx, folder: str) -> None:
    """Say where calls are recorded, "" for nowhere; nobody else listens to the PBX while calls are measured."""
    manager = await Manager.connect(pbx.ami_port, pbx.ami_username, pbx.ami_secret, lambda _event: None)
    await manager.action({"Action": "Setvar", "Variable": "SWITCHHOOK_RECORDINGS", "Value": folder})
    await manager.close()


def _environment(pbx: Pbx, url: str, folder: Path) -> dict[str, str]:
    config = folder / "switchhook.toml"
    config.write_text(
        f'data_dir = "{folder}"\n[metrics]\nport = {free_port()}\n[[pbx]]\nname = "pbx"\nhost = "{pbx.host}"\n'
        f'port = {pbx.ami_port}\nsecret = "{pbx.ami_secret}"\nrecordings = "{pbx.recordings}"\n'
    )
    return {"SWITCHHOOK_CONFIG": str(config), "DATABASE_URL": url}
