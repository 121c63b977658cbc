"""A second AMI user who forges our events, and a stream full of what no Asterisk says: the real call is told right."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from calls.view import CallView, view
from service.commands.replay import fold
from service.demo_world import OutsideWorld, answer
from service.demo_world.manager import Manager
from service.pbx import Pbx, Phone
from telephony import ami
from tests.fakes.ami_garbage import END, EVENT, KINDS
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working

CALLER, NAME, LINE = "79161234567", "Клиент", "74950000001"
INTRUDER = "\n[intruder]\nsecret = not-of-the-house\nread = user\nwrite = user\n"
FORGED = ("Arrival", "Fallback", "Step", "StepEnd", "PlanEnd", "Confirmed", "Refused")


class _Shared(Pbx):
    """The PBX with an AMI user who is not ours and may raise UserEvents."""

    def configuration(self) -> dict[str, str]:
        files = super().configuration()
        return files | {"manager.conf": files["manager.conf"] + INTRUDER}


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[OutsideWorld]:
    """A company's PBX whose fallback rings Anna, and the outside world."""
    anna = {"SWITCHHOOK_FALLBACK_default": "PJSIP/anna-desk"}
    async with _Shared([Phone("anna-desk", "101", "Анна")], variables=anna) as pbx, OutsideWorld(pbx) as running:
        yield running


@asynccontextmanager
async def listening(pbx: Pbx) -> AsyncIterator[tuple[Office, AmiProxy]]:
    async with AmiProxy(pbx.host, pbx.ami_port) as proxy:
        office = Office(pbx, proxy, ping_deadline_seconds=5)
        async with working(office):
            yield office, proxy


async def one_call(world: OutsideWorld, office: Office, in_between: Callable[[], object]) -> None:
    """A call that Anna answers; `in_between` is done while it rings and while they talk."""
    before = len(office.heard)

    def told(**headers: str) -> bool:
        return any(headers.items() <= one.items() for one in office.heard[before:])

    await world.phone("anna-desk").behave(answer(0.5, speak=("ru/hello",)))
    call = await world.call(CALLER, NAME, LINE, speak=("ru/hello",))
    await until(lambda: told(Event="DialBegin"))
    in_between()
    await call.answered()
    in_between()
    await call.ended()
    await until(lambda: sum(one["Event"] == "Hangup" for one in office.heard[before:]) >= 2)


def calls_of(office: Office) -> list[CallView]:
    events = [event for message in office.heard for event in ami.translate("main", message)]
    return [view(call) for call in fold(events)]


async def test_an_ami_user_cannot_forge_what_the_dialplan_says(world: OutsideWorld) -> None:
    """Thousands of our own events about the live call and about calls that are not: counted, and nothing else."""
    pbx = world.pbx
    intruder = await Manager.connect(pbx.ami_port, "intruder", "not-of-the-house", lambda _: None)
    sent: list[asyncio.Task[dict[str, str]]] = []
    async with listening(pbx) as (office, _):

        def attack() -> None:
            live = {str(one["Uniqueid"]) for one in office.heard if one["Event"] == "Newchannel"}
            for uid in [*live, "1795426800.41", ""] * 20:
                for name in FORGED:
                    fields = {
                        "Action": "UserEvent",
                        "UserEvent": f"Switchhook{name}",
                        "Channel": "PJSIP/trunk-00000001",
                        "Uniqueid": uid,
                        "Linkedid": uid,
                        "CallerIDNum": "7",
                        "Line": LINE,
                        "From": "79160000666",
                        "Name": "Никто",
                        "Reason": "down",
                        "Step": "1",
                        "Status": "BUSY",
                    }
                    sent.append(asyncio.create_task(intruder.action(fields)))

        await one_call(world, office, attack)
        answers = await asyncio.gather(*sent)
        await until(lambda: office.link.state.forged_total == len(sent))
        assert {one["Response"] for one in answers} == {"Success"}
        (told,) = calls_of(office)
        state = office.link.state
    await intruder.close()
    assert (told.caller_number, told.caller_name, told.status) == (CALLER, NAME, "answered")
    assert (told.answered_by, told.line) == (("PJSIP/anna-desk",), LINE)
    assert (state.torn_total, state.connects_total) == (0, 1)


async def test_garbage_in_the_stream_costs_no_call(world: OutsideWorld) -> None:
    """Every kind of it while a call rings and while they talk: the call is told, over the same connection.

    What garbage touches is not believed, so an event of nobody's stands between it and what the PBX said before.
    """
    async with listening(world.pbx) as (office, proxy):
        for garbage in KINDS.values():
            await one_call(world, office, partial(proxy.inject, EVENT + END + garbage))
        assert office.link.state.connects_total == 1
        torn = office.link.state.torn_total
        told = calls_of(office)
    assert torn
    assert [(one.caller_number, one.status) for one in told] == [(CALLER, "answered")] * len(KINDS)
    assert all(one.answered_by == ("PJSIP/anna-desk",) and one.ended_at for one in told)
