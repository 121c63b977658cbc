"""Trouble is made, and a real Prometheus names it by the shipped rules: that one thing, until it is repaired."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from calls.database import connect
from calls.queue import QUEUES
from directory.store import apply
from service.backups.rows import note as note_backup
from service.commands.crm import switch
from service.database import upgrade
from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx, Phone
from service.ports import free_port
from service.postgres import Postgres
from service.settings import CrmSettings, MetricsSettings, RecordingsSettings, Settings
from service.worker_role import REPORTS
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Served, Stage, environment, until
from tests.fakes.command import Running, begin
from tests.fakes.full_disk import SmallDisk, small_disk
from tests.fakes.ledger import SECRET_KEY, add_connection
from tests.fakes.udp_relay import UdpRelay
from tests.fakes.webhooks import OK, Receiver, Said, open_receiver
from tests.prometheus import Alert, Watch, metrics, panels, rules, series_of_rules, watching

PATIENCE_SECONDS = 60.0
CRM = "site"
SPEECH = ("ru/hello",)
EMPTY = {
    "switchhook_calendar_oldest_seconds": "nobody has a calendar",
    "switchhook_card_push_seconds": "nobody looks at a page",
    "switchhook_crm_grant_seconds": "a webhook is let in by nobody",
    "switchhook_crm_limit_most": "a webhook has no limits",
    "switchhook_crm_limit_used": "a webhook has no limits",
    "switchhook_leads_forgotten": "leads are looked through once a day",
    "switchhook_leads_overloaded_people": "leads are looked through once a day",
    "switchhook_recordings_gaps": "all that was said is there",
    "switchhook_reconcile_differences": "an hour is compared when it is over, a day in the night after it",
    "switchhook_synthetic_last_age_seconds": "no call is made to see",
    "switchhook_synthetic_last_ok_age_seconds": "no call is made to see",
    "switchhook_synthetic_step_seconds": "no call is made to see",
    "switchhook_transcription_lag_seconds": "nobody hears what is said",
    "switchhook_transcription_realtime_factor": "nobody hears what is said",
}
"""What a house on a good day tells nothing of, and why."""
_ALL_IS_DONE = """
    select 1 where not exists (
        select from calls where ended_at is not null and settled_at is null and joined_into is null)
    and not exists (
        select from procrastinate_jobs where status in ('todo', 'doing') and queue_name <> 'transcription'
                                         and coalesce(scheduled_at, now()) <= now())
"""
_PAUSED = "select 1 from crm_connections where paused_until is not null"
# Nobody hears what is said: that takes a core for long, and no drill is about it.
WORK = [*(queue for queue in QUEUES if queue != "transcription"), REPORTS]


class RelayedPbx(Pbx):
    """A PBX whose trunk goes by a relay, so that it can be cut and the telephones stay."""

    def __init__(self) -> None:
        super().__init__([Phone(ROUTED, "101"), Phone(FALLBACK, "102")])
        self.trunk = UdpRelay(self.trunk_port)

    def configuration(self) -> dict[str, str]:
        """The usual files; the contact of the trunk is the relay."""
        usual = super().configuration()
        direct = f"contact = sip:127.0.0.1:{self.trunk_port}\n"
        assert direct in usual["pjsip.conf"]
        return usual | {
            "pjsip.conf": usual["pjsip.conf"].replace(direct, f"contact = sip:127.0.0.1:{self.trunk.port}\n")
        }


@dataclass
class House:
    """All that trouble may befall, and who watches."""

    stage: Stage
    pbx: RelayedPbx
    postgres: Postgres
    disk: SmallDisk
    crm: Receiver
    settings: Settings
    service: Served
    worker: Running
    watch: Watch
    told: dict[str, Alert] = field(default_factory=dict)

    async def hears(self, *names: str, maybe: str = "") -> dict[str, Alert]:
        """Wait until people hear of exactly these alerts, and `maybe`; all they hear meanwhile is kept in `told`."""
        heard: dict[str, Alert] = {}

        async def now() -> bool:
            heard.clear()
            heard.update({alert.name: alert for alert in await self.watch.heard()})
            self.told |= heard
            return set(heard) - {maybe} == set(names)

        try:
            await until(now, f"{names or 'nothing'} is heard, and nothing else", PATIENCE_SECONDS)
        finally:
            assert set(heard) - {maybe} == set(names)
        return self.told

    @asynccontextmanager
    async def drill(self, *names: str, maybe: str = "") -> AsyncIterator[None]:
        """Nothing is heard before and after; in between these alerts, `maybe` where it takes long, and no other.

        Calls of before are settled, and their work is done: a telephone that goes within five seconds of one was gone
        during it, and a worker that lost the database looks for work some seconds after it is back.
        """
        await self.hears()
        await until(partial(self.stage.rows, _ALL_IS_DONE), "calls are settled, and work is done", PATIENCE_SECONDS)
        self.told = {}
        yield
        await self.hears()
        assert set(self.told) - {maybe} == set(names), list(self.told.values())


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[RelayedPbx]:
    """The company's PBX, and the way of its trunk."""
    pbx = RelayedPbx()
    async with pbx.trunk, pbx:
        yield pbx


@pytest.fixture(scope="module")
async def house(pbx: RelayedPbx, world: OutsideWorld) -> AsyncIterator[House]:
    """A house where all is well: a database of its own, the service, a worker, a CRM, and who watches."""
    folder = Path(tempfile.mkdtemp(prefix="switchhook-drills-"))
    folder.chmod(0o711)
    try:
        async with AsyncExitStack() as stack:
            postgres = await stack.enter_async_context(Postgres(folder / "database", settings={"fsync": "off"}))
            await upgrade(postgres.url)
            stage = Stage(pbx, world, connect(postgres.url), postgres.url, folder)
            stack.push_async_callback(stage.engine.dispose)
            async with stage.engine.begin() as connection:
                await apply(connection, DIRECTORY)
                await note_backup(connection, None)
            disk = stack.enter_context(small_disk(folder / "store", 16 << 20))
            crm = await stack.enter_async_context(open_receiver())
            await add_connection(stage.engine, crm.url, CRM)
            own = {
                "metrics": MetricsSettings(port=free_port(), every_seconds=1),
                "secret_key": SecretStr(SECRET_KEY),
                "crm": CrmSettings(networks=[ip_network("127.0.0.0/8")]),
                "recordings": RecordingsSettings(folder=disk.folder),
            }
            settings = stage.settings().model_copy(update=own)
            service = await stack.enter_async_context(stage.serve(settings=settings))
            worker = await stack.enter_async_context(_working(stage, settings))
            watch = await stack.enter_async_context(watching(service.metrics_port))
            yield House(stage, pbx, postgres, disk, crm, settings, service, worker, watch)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@asynccontextmanager
async def _working(stage: Stage, settings: Settings) -> AsyncIterator[Running]:
    queues = [word for queue in WORK for word in ("--queue", queue)]
    worker = await begin("worker", *queues, said=settings.data_dir / "worker.log", room=None, **environment(settings))
    try:
        await until(partial(stage.rows, "select 1 from procrastinate_workers"), "the worker works", PATIENCE_SECONDS)
        yield worker
    finally:
        worker.send_signal(signal.SIGTERM)
        await worker.wait()


@contextmanager
def stopped(process: Running) -> Iterator[None]:
    """It stands still while the body runs: its connections stay, and nothing is done."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@asynccontextmanager
async def another_secret(pbx: Pbx) -> AsyncIterator[None]:
    """Somebody changes the password of our AMI user, which ends what was begun by the old one; then it is put back."""
    file = pbx.folder / "etc/manager.conf"
    ours = file.read_text()

    async def say(text: str) -> None:
        file.write_text(text)
        await pbx.cli("manager reload")

    await say(ours.replace(pbx.ami_secret, "another"))
    try:
        for line in (await pbx.cli("manager show connected")).splitlines():
            if line.split()[:1] == [pbx.ami_username]:
                await pbx.cli(f"manager kick session {line.split()[4]}")
        yield
    finally:
        await say(ours)


async def _minutes_pass(house: House) -> None:
    """What the CRM is owed is as much older, and the time is over for which it was left alone."""
    async with house.stage.engine.begin() as connection:
        for change in (
            "update crm_effects set planned_at = planned_at - interval '2 minutes' where ended_at is null",
            "update crm_connections set paused_until = null",
            "update procrastinate_jobs set scheduled_at = now() where status = 'todo' and queue_name = 'effects'",
        ):
            await connection.execute(text(change))


async def _missed(house: House, number: str) -> None:
    """Somebody calls, and gives up while it rings; returns when the store knows it."""
    world = house.stage.world
    await until(house.stage.asked, "the PBX asks the service")  # it may have been cut off a moment ago
    await world.phone(ROUTED).behave(ring_out())
    call = await world.call(number, "Нетерпеливый", LINE)
    await world.phone(ROUTED).rings()
    await call.hangup()
    await house.stage.record(number, status="missed")


async def test_a_trunk_that_is_cut_is_named(house: House) -> None:
    """Whoever calls in by it is affected, and no telephone is blamed."""
    async with house.drill("TrunkUnreachable"):
        with house.pbx.trunk.cut():
            alert = (await house.hears("TrunkUnreachable"))["TrunkUnreachable"]
        assert (alert.labels["trunk"], alert.labels["severity"]) == ("PJSIP/trunk", "critical")
        assert "PJSIP/trunk" in alert.annotations["affects"]


async def test_a_telephone_that_is_unplugged_is_named(house: House) -> None:
    phone = house.stage.world.phone(ROUTED)
    async with house.drill("DeviceUnreachable"):
        await phone.unplug()
        try:
            alert = (await house.hears("DeviceUnreachable"))["DeviceUnreachable"]
        finally:
            await phone.plug()
        assert alert.labels["device"] == f"PJSIP/{ROUTED}"
        assert f"PJSIP/{ROUTED}" in alert.annotations["summary"]


async def test_a_password_that_was_changed_at_the_pbx_is_named(house: House) -> None:
    """The alert names the PBX, and where its first step says to look stands that the login is refused."""
    async with house.drill("AmiDown"):
        async with another_secret(house.pbx):
            alert = (await house.hears("AmiDown"))["AmiDown"]
            _, parts = await house.service.readiness()
        assert (alert.labels["pbx"], alert.labels["severity"]) == ("pbx", "critical")
        assert "/readyz" in alert.annotations["first_step"]
        assert "refuses the login" in parts["pbx pbx"]


async def test_a_crm_that_refuses_us_is_named(house: House) -> None:
    """Nothing is told to it until a person has seen to it; then all of it is."""
    async with house.drill("CrmConnectionEnded"):
        house.crm.script = lambda _count, _told: Said(status=401)
        try:
            await _missed(house, "79161230101")
            alert = (await house.hears("CrmConnectionEnded"))["CrmConnectionEnded"]
        finally:
            house.crm.script = lambda _count, _told: OK
            await switch(house.settings, CRM, "active")
        assert (alert.labels["crm"], alert.labels["severity"]) == (CRM, "critical")


async def test_a_crm_that_is_away_is_named(house: House) -> None:
    """A gateway answers in its place; when it is back and was asked again, it is owed nothing."""
    async with house.drill("CrmEffectsOld"):
        house.crm.script = lambda _count, _told: Said(status=503)
        try:
            await _missed(house, "79161230104")
            await until(partial(house.stage.rows, _PAUSED), "the CRM is left alone for a while", PATIENCE_SECONDS)
            await _minutes_pass(house)
            alert = (await house.hears("CrmEffectsOld"))["CrmEffectsOld"]
        finally:
            house.crm.script = lambda _count, _told: OK
            await _minutes_pass(house)
        assert (alert.labels["crm"], alert.labels["severity"]) == (CRM, "warning")


async def test_a_worker_that_stands_still_is_named(house: House) -> None:
    """Where that is heard late, the CRM is owed something for so long that this is heard too."""
    async with house.drill("JobsOld", maybe="CrmEffectsOld"):
        with stopped(house.worker):
            await _missed(house, "79161230102")
            alert = (await house.hears("JobsOld", maybe="CrmEffectsOld"))["JobsOld"]
        assert "worker" in alert.annotations["first_step"]


async def test_a_disk_that_fills_is_named_in_time_and_then_as_full(house: House) -> None:
    async with house.drill("StoreDiskLow", "StoreDiskFull"):
        house.disk.fill(leave=0.1)
        try:
            low = (await house.hears("StoreDiskLow"))["StoreDiskLow"]
            house.disk.fill()
            full = (await house.hears("StoreDiskFull"))["StoreDiskFull"]
        finally:
            house.disk.make_room()
        assert (low.labels["severity"], full.labels["severity"]) == ("warning", "critical")


async def test_a_database_that_is_away_is_named(house: House) -> None:
    async with house.drill("DatabaseUnreachable"):
        await house.postgres.stop()
        try:
            alert = (await house.hears("DatabaseUnreachable"))["DatabaseUnreachable"]
        finally:
            await house.postgres.start()
        assert alert.labels["severity"] == "critical"


async def test_a_service_that_stands_still_is_named(house: House) -> None:
    async with house.drill("SwitchhookDown"):
        with stopped(house.service.process):
            alert = (await house.hears("SwitchhookDown"))["SwitchhookDown"]
        assert alert.labels["severity"] == "critical"


async def test_every_rule_and_every_panel_asks_for_what_there_is(house: House) -> None:
    """Prometheus understands each, and where the house has done its work there is an answer."""
    world = house.stage.world
    asked = sorted({*series_of_rules(), *panels()})
    assert EMPTY.keys() <= {name for one in asked for name in metrics(one)}
    async with house.drill():
        for expression in rules():
            await house.watch.ask(expression)
        await _missed(house, "79161230103")
        await world.phone(ROUTED).behave(answer(0.1, speak=SPEECH))
        await (await world.call("79161230103", "Терпеливый", LINE, speak=SPEECH)).ended()
        expected = [one for one in asked if EMPTY.keys().isdisjoint(metrics(one))]
        silent: list[str] = []

        async def answered() -> bool:
            silent[:] = [one for one in silent or expected if not await house.watch.ask(one)]
            return not silent

        try:
            await until(answered, "every question has an answer", PATIENCE_SECONDS)
        finally:
            assert not silent, "\n".join(silent)
