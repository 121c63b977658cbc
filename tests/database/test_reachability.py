"""Which phones and trunks a missed call found gone, from what the PBX said of them."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.events import Settled
from calls.record import record, state_call
from calls.view import view
from directory import store
from service.recorder import Recorder
from service.settle import settle_ripe
from telephony import devices, reachability
from telephony.devices import DeviceState
from tests.fakes.recorded import T0, settled_call
from tests.fakes.story import HOUSE

ANNA, TRUNK = "PJSIP/anna-desk", "PJSIP/trunk"


@pytest.fixture(autouse=True)
async def house(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)


async def say(engine: AsyncEngine, device: str, seconds: float, *, reachable: bool) -> None:
    """The PBX says so at T0 and so many seconds."""
    state = "not_inuse" if reachable else "unavailable"
    told = DeviceState(device, state, reachable, T0 + timedelta(seconds=seconds))
    async with engine.begin() as connection:
        await devices.store(connection, "pbx", [told])


async def missed(engine: AsyncEngine, *, answered: bool = False) -> UUID:
    events = [one for one in settled_call(answered=answered) if not isinstance(one, Settled)]
    async with engine.begin() as connection:
        (change,) = await record(connection, events)
    return change.call_id


async def gone(engine: AsyncEngine, call_id: UUID) -> list[tuple[str, float]]:
    async with engine.connect() as connection:
        found = await reachability.gone_during(connection, [call_id])
    return [(one.device, (one.since - T0).total_seconds()) for one in found]


async def test_only_a_change_of_reachability_is_kept(engine: AsyncEngine) -> None:
    """A phone that rings and talks all day is one line."""
    await say(engine, ANNA, -60, reachable=True)
    for seconds, state in enumerate(("ringing", "inuse", "not_inuse")):
        async with engine.begin() as connection:
            told = DeviceState(ANNA, state, changed_at=T0 + timedelta(seconds=seconds))
            await devices.store(connection, "pbx", [told])
    await say(engine, ANNA, 60, reachable=False)
    async with engine.connect() as connection:
        rows = await connection.execute(text("select at, reachable from device_reachability order by at"))
        assert [(row.at, row.reachable) for row in rows] == [
            (T0 - timedelta(seconds=60), True),
            (T0 + timedelta(seconds=60), False),
        ]


@pytest.mark.parametrize(
    "told, found",
    [
        ([(-60, False)], [(ANNA, -60.0)]),
        ([(-60, False), (-30, True)], []),
        ([(-60, True), (5, False)], [(ANNA, 5.0)]),
        ([(-60, True), (13, False)], [(ANNA, 13.0)]),
        ([(-60, True), (40, False)], []),
        ([(-60, False), (3, True)], [(ANNA, -60.0)]),
        ([], []),
    ],
)
async def test_a_phone_was_gone_if_it_was_so_at_any_time_of_the_call(
    engine: AsyncEngine, told: list[tuple[float, bool]], found: list[tuple[str, float]]
) -> None:
    """The call lasts nine seconds; what the PBX notices within five seconds after it was so before."""
    for seconds, reachable in told:
        await say(engine, ANNA, seconds, reachable=reachable)
    assert await gone(engine, await missed(engine)) == found


async def test_trunks_concern_every_call_other_phones_only_their_own_and_answered_calls_none(
    engine: AsyncEngine,
) -> None:
    await say(engine, TRUNK, -60, reachable=False)
    await say(engine, "PJSIP/boris-soft", -60, reachable=False)
    assert await gone(engine, await missed(engine)) == [(TRUNK, -60.0)]


async def test_an_answered_call_asks_for_nothing(engine: AsyncEngine) -> None:
    await say(engine, TRUNK, -60, reachable=False)
    assert await gone(engine, await missed(engine, answered=True)) == []


async def test_a_call_is_told_what_was_gone_when_it_settles(engine: AsyncEngine) -> None:
    """The phone died two seconds after it began to ring: nobody is to blame."""
    await say(engine, ANNA, -60, reachable=True)
    call_id = await missed(engine)
    await say(engine, ANNA, 3.5, reachable=False)
    assert await settle_ripe(Recorder(engine, owe_nothing, lambda _change: None), 0.0) == 1
    async with engine.connect() as connection:
        sql = text("select state, missed_cause from calls where id = :id")
        row = (await connection.execute(sql, {"id": call_id})).one()
    assert row.missed_cause == "device_unreachable"
    shown = {one.key: dict(one.values) for one in view(state_call(row.state)).missed_evidence}
    assert shown["unreachable"]["device"] == ANNA


async def test_what_is_old_is_forgotten_but_each_devices_last_word(engine: AsyncEngine) -> None:
    for days in (400, 300, 200):
        await say(engine, ANNA, -days * 86_400, reachable=days != 300)
    async with engine.begin() as connection:
        await reachability.forget_old(connection)
        rows = (await connection.execute(text("select at from device_reachability"))).all()
    assert [row.at for row in rows] == [T0 - timedelta(days=200)]
