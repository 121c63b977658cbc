"""What the page asks for in a talk is done by a real PBX: hold and back, a transfer, one that comes back, hang-up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.call import Call
from calls.record import state_call
from calls.view import CallView, view
from directory.store import apply
from service.demo_world import OutsideWorld, answer, busy
from service.pbx import Pbx, Phone
from telephony import controls
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until

NUMBER = "79161230188"
TALK = ("ru/queue-youarenext",) * 12


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; afterwards nobody is on the line."""
    people = tuple(
        replace(person, devices=(replace(person.devices[0], number=number),))
        for person, number in zip(DIRECTORY.people, ("101", "102"), strict=True)
    )
    async with engine.begin() as connection:
        await apply(connection, replace(DIRECTORY, people=people))
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def seen(stage: Stage, what: str, fact: Any) -> tuple[UUID, CallView]:
    """The call once `fact` holds of it."""

    async def there() -> tuple[UUID, CallView] | None:
        sql = "select id, state from calls where caller_number = :number and joined_into is null"
        for row in await stage.rows(sql, number=NUMBER):
            call = state_call(row.state)
            told = view(call)
            if fact(call, told):
                return row.id, told
        return None

    found = await until(there, what)
    assert found is not None
    return found


async def wanted(stage: Stage, call: UUID, what: controls.What, person: str = "anna", **to: str) -> str | None:
    """What becomes of it."""
    async with stage.engine.begin() as connection:
        control = await controls.ask(connection, call, what, person, by="anna", **to)

    async def settled() -> str | None:
        async with stage.engine.connect() as connection:
            return await controls.outcome_of(connection, control)

    return await until(settled, f"{what} is settled")


def talk_with(told: CallView, device: str) -> bool:
    """Whether the client talks with the phone now."""
    return any(talk.until is None and f"PJSIP/{device}" in talk.between for talk in told.talks)


def held(call: Call) -> bool:
    """Whether somebody is on hold now."""
    return any(max(channel.holds)[1] for channel in call.channels.values() if channel.holds and not channel.ended_at)


async def test_a_talk_is_held_taken_back_sent_on_comes_back_and_is_hung_up(stage: Stage) -> None:
    """Each is done and told by the PBX itself; a client whom nobody takes comes back."""
    await stage.world.phone(ROUTED).behave(answer(0.1, speak=TALK))
    await stage.world.phone(FALLBACK).behave(busy())
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        await stage.world.call(NUMBER, "Клиент", LINE, speak=TALK, stay=True)
        call, _ = await seen(stage, "they talk", lambda _, told: talk_with(told, ROUTED))
        assert await wanted(stage, call, "hold") == "done"
        await seen(stage, "the client is held", lambda call, _: held(call))
        assert await wanted(stage, call, "resume") == "done"
        await seen(stage, "they talk again", lambda call, told: told.hold_seconds > 0 and not held(call))
        assert await wanted(stage, call, "transfer", colleague="boris") == "done"
        _, back = await seen(stage, "the client is back with Анна", lambda _, told: len(told.talks) == 2)
        assert talk_with(back, ROUTED)
        await stage.world.phone(FALLBACK).behave(answer(0.1, speak=TALK))
        assert await wanted(stage, call, "transfer", colleague="boris") == "done"
        _, moved = await seen(stage, "the client talks with Борис", lambda _, told: talk_with(told, FALLBACK))
        told = [(one.kind, one.by, one.to) for one in moved.transfers]
        assert told == [("blind", f"PJSIP/{ROUTED}", "102")] * 2
        assert await wanted(stage, call, "hold") == "over"
        assert await wanted(stage, call, "hang_up", "boris") == "done"
        _, over = await seen(stage, "the call is over", lambda _, told: told.ended_at is not None)
    assert over.status == "answered"
