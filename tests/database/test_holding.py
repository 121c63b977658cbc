"""Those who hold, served: soon, on all devices of who comes free, and promised only what is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.events import Event
from directory import store
from routing.arrival import Arrival, DeviceState, Facts
from routing.memory import Memory
from routing.plan import Plan, Step, because
from routing.waiting import Holder, free_for
from service import holding as module
from service.holding import PLANS_MOST, Holding
from telephony.link import Link
from telephony.pbx import Fields, LinkSettings, Message, Reply
from tests.fakes.directories import LINE, OFFICE

FREE, TALKING = DeviceState("not_inuse", reachable=True), DeviceState("inuse", reachable=True)


class Wire(Link):
    """A link whose PBX takes everything; `asked` is what it was asked."""

    def __init__(self) -> None:
        super().__init__(LinkSettings("main"), lambda _message: None)
        self.state.connected = True
        self.asked: list[Fields] = []

    def actions(self, many: Sequence[Fields], seconds: float | None = None) -> Coroutine[Any, Any, list[Reply]]:
        self.asked += many
        return self._taken(many)

    async def _taken(self, many: Sequence[Fields]) -> list[Reply]:
        return [Reply(success=True, message="", fields={}) for _ in many]

    def written(self, name: str) -> list[str]:
        return [str(one["Value"]) for one in self.asked if one.get("Variable") == name]


class Hall:
    """Anna of sales alone is there, on a desk phone and a mobile; who holds is served by what the test tells."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.wire = Wire()
        self.devices: dict[str, DeviceState] = {"PJSIP/anna-desk": TALKING, "PJSIP/boris-desk": TALKING}
        self.memory = Memory(engine, devices=self.nobody, owners=self.nobody, live_devices=lambda _pbx: self.devices)
        self.told: list[Event] = []
        self.stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.holding = Holding(self.wire, self.memory, engine, self.told.append, lambda: asyncio.shield(self.stored))
        self.holding._knows = True

    async def nobody(self, _connection: AsyncConnection, _asked: object) -> Mapping[str, Any]:
        return {}

    def tell(self, event: str, uid: str = "1.1", **more: str) -> None:
        told: Message = {"Event": "UserEvent", "UserEvent": event, "Uniqueid": uid, "Channel": f"PJSIP/trunk-{uid}"}
        told |= {"Linkedid": uid, "CallerIDNum": "", "Timestamp": str(datetime.now(UTC).timestamp())}
        self.holding.hear({**told, "Team": "sales", "Line": LINE, **more})

    def holds(self, uid: str = "1.1", **more: str) -> None:
        self.tell("SwitchhookHolding", uid, Since=str(datetime.now(UTC).timestamp()), **more)


@pytest.fixture
async def hall(engine: AsyncEngine) -> AsyncIterator[Hall]:
    people = tuple(replace(person, hours=None) for person in OFFICE.people)
    anna = replace(people[0], devices=(people[0].devices[0], people[0].devices[2]))
    teams = tuple(replace(team, hours=None) for team in OFFICE.teams)
    async with engine.begin() as connection:
        await store.apply(connection, replace(OFFICE, people=(anna, *people[1:]), teams=teams))
    told = Hall(engine)
    await told.memory.load()
    async with serving(told.holding):
        yield told


@asynccontextmanager
async def serving(holding: Holding) -> AsyncIterator[None]:
    task = asyncio.create_task(holding.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.005)


async def test_who_does_not_answer_on_one_device_is_rung_on_the_next_before_others(hall: Hall) -> None:
    """Anna's desk phone, then her mobile; only then is she passed over."""
    hall.holds()
    hall.devices["PJSIP/anna-desk"] = FREE
    hall.holding.look_soon()
    await until(lambda: len(hall.wire.written("SWITCHHOOK_TAKE")) == 1)
    hall.tell("SwitchhookTakeEnd", Status="NOANSWER")
    await until(lambda: len(hall.wire.written("SWITCHHOOK_TAKE")) == 2)
    desk, mobile = hall.wire.written("SWITCHHOOK_TAKE")
    assert "PJSIP/anna-desk" in desk
    assert "79160000011" in mobile
    hall.tell("SwitchhookTakeEnd", Status="NOANSWER")
    hall.devices["PJSIP/boris-desk"] = FREE
    hall.holding.look_soon()
    await until(lambda: len(hall.wire.written("SWITCHHOOK_TAKE")) == 3)
    assert "PJSIP/boris-desk" in hall.wire.written("SWITCHHOOK_TAKE")[2]


async def test_who_took_another_call_meanwhile_is_not_rung_on_the_next_device(hall: Hall) -> None:
    hall.holds()
    hall.devices["PJSIP/anna-desk"] = FREE
    hall.holding.look_soon()
    await until(lambda: len(hall.wire.written("SWITCHHOOK_TAKE")) == 1)
    hall.devices["PJSIP/anna-desk"] = TALKING
    hall.tell("SwitchhookTakeEnd", Status="BUSY")
    hall.devices["PJSIP/boris-desk"] = FREE
    await until(lambda: len(hall.wire.written("SWITCHHOOK_TAKE")) == 2)
    assert "PJSIP/boris-desk" in hall.wire.written("SWITCHHOOK_TAKE")[1]


async def test_a_call_back_is_promised_only_when_the_wish_is_in_the_record(hall: Hall) -> None:
    """Meanwhile nobody is rung for them, and the wish counts once."""
    hall.holds()
    hall.tell("SwitchhookCallback", Place="1")
    hall.holds()
    hall.devices["PJSIP/anna-desk"] = FREE
    await asyncio.sleep(0)
    assert hall.holding.counts == {}
    assert hall.wire.written("SWITCHHOOK_KEPT") == []
    hall.stored.set_result(True)
    await until(lambda: hall.wire.written("SWITCHHOOK_KEPT") == ["1"])
    assert hall.wire.written("SWITCHHOOK_TAKE") == []


async def test_a_wish_that_was_not_kept_leaves_its_caller_holding(hall: Hall) -> None:
    hall.holds()
    hall.tell("SwitchhookCallback", Place="1")
    hall.stored.set_result(False)
    await until(lambda: "1.1" not in hall.holding._wishes)
    hall.holds()
    assert hall.holding.counts == {"sales": 1}
    assert hall.wire.written("SWITCHHOOK_KEPT") == []


async def test_one_holder_who_cannot_be_looked_at_costs_the_others_nothing(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong with one, the round goes on and the role lives."""

    def broken(holder: Holder, *rest: Any) -> Any:
        if holder.channel == "1.1":
            raise OverflowError("date value out of range")
        return free_for(holder, *rest)

    monkeypatch.setattr(module, "free_for", broken)
    hall.holds("1.1")
    hall.holds("1.2")
    hall.devices["PJSIP/anna-desk"] = FREE
    hall.holding.look_soon()
    await until(lambda: len(hall.wire.written("SWITCHHOOK_TAKE")) == 1)
    assert {"1.2" in str(one["Channel"]) for one in hall.wire.asked if one.get("Variable") == "SWITCHHOOK_TAKE"} == {
        True
    }


async def test_a_burst_of_changes_is_one_look(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts are gathered once a look, however many hold and however often a phone changes."""
    gathered: list[Arrival] = []
    ask = hall.memory.facts

    def facts(arrival: Arrival) -> Facts:
        gathered.append(arrival)
        return ask(arrival)

    monkeypatch.setattr(hall.memory, "facts", facts)
    for number in range(20):
        hall.holds(f"1.{number}")
    await until(lambda: len(hall.wire.written("SWITCHHOOK_PLACE")) == 20)
    gathered.clear()
    for _ in range(200):
        hall.holding.look_soon()
        await asyncio.sleep(0)
    await asyncio.sleep(0.15)
    assert 1 <= len(gathered) <= 3


async def test_plans_of_callers_who_hung_up_before_they_were_planned_for_are_forgotten(hall: Hall) -> None:
    step = Step("hold", (), 60, because("hold", "holds"))
    plan = Plan(rule="r", steps=(step,), reasons=())
    for number in range(PLANS_MOST + 10):
        hall.holding.planned(str(number), plan)
    assert len(hall.holding._plans) == PLANS_MOST
