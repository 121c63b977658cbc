"""The service calls itself: the whole chain is gone through, nobody is rung, and a broken link is told by its name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.synthetic import STEPS
from directory.store import apply
from service.commands.synthetic import make_one
from service.demo import Demo
from service.demo_world import OutsideWorld
from service.demo_world.life import SALES
from service.pbx import Pbx, Phone
from service.settings import SyntheticSettings
from telephony import synthetic_calls
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until

_CRM = text(
    """
    insert into crm_connections (key, kind, account, settings, secrets, steps, state, probed_at)
    values ('listening', 'webhook', 'listening', '{}', '', array['call_finished', 'recording', 'transcript'], 'active',
            clock_timestamp())
    """
)
_ALL = text(
    """
    select (select count(*) from parties) as parties, (select count(*) from leads) as leads,
           (select count(*) from follow_ups) as follow_ups, (select count(*) from talk_facts) as talk_facts,
           (select count(*) from call_audio) as call_audio, (select count(*) from notices) as notices
    """
)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(ROUTED), Phone(FALLBACK)]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def made(engine: AsyncEngine, line: str = LINE, seconds: float = 120.0) -> Any:
    """Want a call and wait until it is over."""
    async with engine.begin() as connection:
        own: UUID = await synthetic_calls.ask(connection, "pbx", line, "ru")

    async def over() -> Any:
        async with engine.connect() as connection:
            row = await synthetic_calls.one(connection, own)
        return row if row.ended_at else None

    return await until(over, "the synthetic call is over", seconds)


@pytest.mark.parametrize(
    "broken, step",
    [("phone@switchhook-synthetic", "rang"), ("caller@switchhook-synthetic", "begun")],
    ids=["no_test_phone", "an_older_dialplan"],
)
async def test_what_the_dialplan_lacks_is_told_by_the_step_that_fails(
    stage: Stage, pbx: Pbx, broken: str, step: str
) -> None:
    settings = stage.settings()
    async with stage.open(settings):
        await until(stage.asked, "the PBX asks the service")
        await pbx.cli(f"dialplan remove extension {broken}")
        try:
            told, words, whole = await make_one(settings, LINE)
        finally:
            await pbx.cli("dialplan reload")
    assert (told["result"], whole) == (step, False), told
    assert told["why"] in words
    assert f"{step:<12}  FAILED" in words
    assert set(told["steps"]) < set(STEPS)


async def test_a_pbx_that_records_nothing_fails_at_the_recording(stage: Stage, pbx: Pbx) -> None:
    async with stage.open(stage.settings()) as (_, telephony):
        await until(stage.asked, "the PBX asks the service")
        link = telephony.attendants[0].link
        unset = {"Action": "Setvar", "Variable": "SWITCHHOOK_RECORDINGS", "Value": ""}
        await link.action(unset)
        try:
            row = await made(stage.engine)
        finally:
            await link.action(unset | {"Value": str(pbx.recordings)})
    assert row.result == "recorded", row
    assert list(row.steps)[-1] == "answered"


async def test_a_plan_that_comes_too_late_fails_at_the_decision(stage: Stage) -> None:
    """The schedule makes the call, once in its time; the fallback's phone is not rung for it."""
    settings = stage.settings()
    own: dict[str, Any] = {"pbx": [settings.pbx[0].model_copy(update={"budget_seconds": 0.01})]}
    own |= {"synthetic": SyntheticSettings(every_minutes=15, line=LINE)}

    async def over() -> Any:
        return await stage.rows("select * from synthetic_calls where ended_at is not null")

    async with stage.open(settings.model_copy(update=own)):
        (row,) = await until(over, "the synthetic call is over", 60)
    # On a busy machine the whole call may be over before its arrival is known.
    assert row.result in {"arrived", "decided"}, row
    assert row.result == "arrived" or "late" in row.why or "down" in row.why
    assert not stage.world.phone(FALLBACK).has_rung
    assert len(await stage.rows("select * from synthetic_calls")) == 1


async def test_a_whole_chain_goes_through_and_is_in_no_figure(demo: Demo) -> None:
    """PBX, routing, test phone, recording, text and the CRM in shadow; people, lists and figures know nothing of it."""
    async with demo.house.engine.begin() as connection:
        await connection.execute(_CRM)
        before = (await connection.execute(_ALL)).one()
    row = await made(demo.house.engine, SALES, 200)
    assert (row.result, row.why) == ("ok", ""), row
    assert list(row.steps) != []
    assert set(row.steps) == set(STEPS)
    async with demo.house.engine.begin() as connection:
        call = (await connection.execute(text("select * from calls where id = :id"), {"id": row.call_id})).one()
        assert (call.direction, call.status, call.person, call.party_id) == ("synthetic", "answered", None, None)
        effects = (
            await connection.execute(text("select * from crm_effects where call_id = :id"), {"id": call.id})
        ).all()
        assert {one.step for one in effects} >= {"call_finished", "recording", "transcript"}
        assert {(one.state, one.attempts) for one in effects} == {("shadow", 0)}
        after = (await connection.execute(_ALL)).one()
        assert after == before
