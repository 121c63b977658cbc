"""A real PBX with the dialplan we ship, a real outside world, and a stand-in for the service that speaks raw AMI."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Generator

import pytest

from service.demo_world import OutsideWorld, ring_out
from service.pbx import Pbx, Phone
from tests.lab.stand_in import StandIn

PHONES = (
    Phone("anna-desk", "101", "Анна"),
    Phone("anna-soft"),
    Phone("boris-desk", "102", "Борис"),
    Phone("vera-desk", "103"),
)
QUEUES = "[general]\n[sales]\nstrategy = ringall\ntimeout = 15\nmember => PJSIP/boris-desk\n"
_lines = itertools.count(74950000001)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Beside a failure goes what the dialplan told the stand-in until then."""
    report = yield
    service = getattr(item, "funcargs", {}).get("service")
    if report.failed and isinstance(service, StandIn):
        told = service.told("Kind", "Dial", "Status", "Team", "Outcome", "Rule")
        report.sections.append(("what the dialplan told", "\n".join(" ".join(words) for words in told)))
    return report


@pytest.fixture(scope="session")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx(PHONES, extra_files={"queues.conf": QUEUES}, internal="exten => 600,1,Queue(sales)") as running:
        yield running


@pytest.fixture(scope="session")
async def outside_world(pbx: Pbx) -> AsyncIterator[OutsideWorld]:
    """The outside world, started once."""
    async with OutsideWorld(pbx) as running:
        yield running


@pytest.fixture
async def outside(outside_world: OutsideWorld, pbx: Pbx) -> AsyncIterator[OutsideWorld]:
    """The outside world with all phones plugged in and ringing; afterwards nobody is on the line."""
    for phone in pbx.phones:
        await outside_world.phone(phone.name).behave(ring_out())
    yield outside_world
    await outside_world.quiet()


@pytest.fixture
async def service(pbx: Pbx) -> AsyncIterator[StandIn]:
    """Logged in with the shipped rights, alive, silent until told what to answer."""
    async with StandIn.logged_in(pbx) as stand_in:
        yield stand_in


@pytest.fixture
async def beep(service: StandIn) -> AsyncIterator[None]:
    """The box greets with nothing but its tone."""
    await service.set_global("SWITCHHOOK_GREETING", "beep")
    yield
    await service.set_global("SWITCHHOOK_GREETING", "")


@pytest.fixture
def line() -> str:
    """A line that no other test uses."""
    return str(next(_lines))
