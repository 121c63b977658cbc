"""Every call is told to a CRM that fails in every way, by a worker that is killed in the middle.

Sixty calls, unless another number is asked for: `SWITCHHOOK_TOLD=500 pytest tests/database/test_crm_chaos.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.record import record
from crm_sync.jobs import CrmJobs
from crm_sync.ledger import release
from crm_sync.upkeep import plan_told
from directory.file import loads
from directory.store import apply
from tests.fakes.chaos import FAULTS, PEOPLE, ChaosRig, Fault, Faults, Held, mark_of
from tests.fakes.chaos_rigs import RIGS
from tests.fakes.crm_worker import begin_worker, kill
from tests.fakes.ledger import OWES
from tests.fakes.recorded import settled_call

CALLS = int(os.environ.get("SWITCHHOOK_TOLD", "60"))
NUMBERS = CALLS * 3 // 5
KILLS = 2
EVERY = 7
"""Each so manieth request fails."""

_PERIOD = EVERY * len(FAULTS)
_CALM = (EVERY * FAULTS.index("token_end") + _PERIOD // 2) % _PERIOD
"""A worker is killed halfway between two ends of access: whoever dies between the answer of a token server and the row
that keeps it loses the one token that renews, and then a person must agree anew, whatever we do."""

LASTS = 60 + CALLS
_LATER = e.BridgeEntered, e.ChannelHungUp, e.Settled, e.RecordingStored
HOUSE = """
company: {name: Ромашка}
people:
  - {key: anna, name: Анна, role: manager, devices: [{kind: desk, address: PJSIP/anna-desk, number: "101"}]}
  - {key: boris, name: Борис, role: manager, devices: [{kind: desk, address: PJSIP/boris-desk, number: "102"}]}
teams: [{key: sales, name: Продажи, members: [anna, boris]}]
lines: [{number: "74951234567", name: Основная, team: sales}]
"""


@pytest.mark.timeout(2 * LASTS + 60)
@pytest.mark.parametrize("kind", sorted(RIGS))
async def test_every_call_is_told_once_and_whole_whatever_fails(
    engine: AsyncEngine, database_url: str, kind: str
) -> None:
    """Errors, limits, ends of access, answers lost before and after it was done, SIGKILL: the CRM holds each call once.

    With the right owner and the right sound, one lead a client, and nothing that it had to refuse.
    """
    await tell_all(engine, database_url, RIGS[kind], LASTS)


async def tell_all(
    engine: AsyncEngine,
    database_url: str,
    open_rig: Callable[[Faults], AbstractAsyncContextManager[ChaosRig]],
    lasts: float,
) -> None:
    """The story, with one CRM that may take so many seconds twice."""
    reached = asyncio.Event()
    kills = {after + (_CALM - after) % _PERIOD for after in range(CALLS, KILLS * CALLS + 1, CALLS)}

    def faults(count: int) -> Fault | None:
        """A worker has its end soon after as many requests as there are calls, and after twice as many."""
        if count in kills:
            reached.set()
        turn, rest = divmod(count, EVERY)
        return None if rest else FAULTS[turn % len(FAULTS)]

    async with open_rig(faults) as rig:
        async with engine.begin() as connection:
            await apply(connection, loads(HOUSE))
        await rig.connect(engine)
        made = await happen(engine)
        worker = await begin_worker(database_url)
        try:
            for _ in range(KILLS):
                async with asyncio.timeout(lasts):
                    await reached.wait()
                reached.clear()
                await kill(worker)
                worker = await begin_worker(database_url)
            async with asyncio.timeout(lasts):
                while await rows(engine, "select key from crm_effects where ended_at is null"):
                    await asyncio.sleep(0.1)
        finally:
            await kill(worker)
        given_up = await rows(engine, "select step, error, answer from crm_effects where state <> 'done'")
        assert [(row.step, row.error, row.answer) for row in given_up] == []
        holds(rig, made)


def holds(rig: ChaosRig, made: dict[UUID, str]) -> None:
    """The CRM holds what happened, and no more."""
    assert rig.refused == []
    held = rig.held()
    sound = "recording" in rig.steps
    whole = [Held(call, rig.owners[person], mark_of(call) if sound else None) for call, person in made.items()]
    assert sorted(held, key=_by_call) == sorted(whole, key=_by_call)
    if "lead" in rig.steps:
        assert Counter(rig.leads()) == Counter(number(one) for one in range(NUMBERS))


def _by_call(one: Held) -> UUID:
    return one.call


def number(one: int) -> str:
    """Of the client of a call."""
    return f"7916{one % NUMBERS:07}"


async def happen(engine: AsyncEngine) -> dict[UUID, str]:
    """The calls, some known as they ring and some only when they are over: each with whose it is, sound and lead."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=15)
    made: set[UUID] = set()
    for batch in range(0, CALLS, 20):
        told = {one: call(one, at + timedelta(seconds=one)) for one in range(batch, min(batch + 20, CALLS))}
        for which in (begins, ends):
            async with engine.begin() as connection:
                events = [event for one, events in told.items() for event in which(one, events)]
                changes = await record(connection, events, OWES)
                made |= {change.call_id for change in changes}
    jobs = CrmJobs(engine=engine, owes=OWES)
    for call_id in made:
        async with engine.begin() as connection:
            await release(connection, call_id)
        await jobs.link_call(call_id, 0)
    while await plan_told(engine):
        pass  # some at a time
    return {row.id: row.person for row in await rows(engine, "select id, person from calls")}


def call(one: int, at: datetime) -> list[e.Event]:
    """One call, with its sound."""
    uid, device = f"17954{one:05}.1", f"PJSIP/{PEOPLE[one % 2]}-desk"
    events = settled_call(uid, number=number(one), at=at, device=device)
    stored = e.RecordingStored(pbx="pbx", channel=uid, linkedid=uid, at=at + timedelta(seconds=15), side="caller")
    return [*events, stored]


def begins(one: int, events: Sequence[e.Event]) -> list[e.Event]:
    """What is known of a call while it rings: of every third nothing."""
    return [event for event in events if one % 3 and not isinstance(event, _LATER)]


def ends(one: int, events: Sequence[e.Event]) -> list[e.Event]:
    """What becomes known afterwards."""
    before = begins(one, events)
    return [event for event in events if event not in before]


async def rows(engine: AsyncEngine, sql: str) -> Sequence[Row[Any]]:
    async with engine.connect() as connection:
        return (await connection.execute(text(sql))).all()
