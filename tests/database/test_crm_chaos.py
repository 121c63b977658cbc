"""All that happens is told to a CRM that fails in every way, by two workers of which one after the other is killed.

Forty calls, unless another number is asked for: `SWITCHHOOK_TOLD=500 pytest tests/database/test_crm_chaos.py`.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Row, insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.follow_ups import FollowUpJobs
from calls.record import record
from crm_sync.book.leads import By, give_lead
from crm_sync.book.lifecycle import SERVICE
from crm_sync.book.owners import owner_of
from crm_sync.book.parties import numbers_of
from crm_sync.jobs import CrmJobs
from crm_sync.ledger.planning import release
from crm_sync.ledger.upkeep import plan_told
from crm_sync.tables import parties, party_numbers
from directory.file import loads
from directory.store import apply
from telephony.clocks import AHEAD
from tests.fakes.chaos import FAULTS, PEOPLE, ChaosRig, Fault, Faults, Held, HeldLead, HeldTask, key_of, mark_of
from tests.fakes.chaos_rigs import RIGS
from tests.fakes.crm_worker import begin_worker, kill
from tests.fakes.ledger import OWES
from tests.fakes.recorded import settled_call

CALLS = int(os.environ.get("SWITCHHOOK_TOLD", "40"))
CLIENTS = CALLS * 3 // 5 - 1
KILLS = 2
EVERY = 7
"""Each so manieth request fails."""

_PERIOD = EVERY * len(FAULTS)
_CALM = (EVERY * FAULTS.index("token_end") + _PERIOD // 2) % _PERIOD
"""A worker is killed halfway between two ends of access: whoever dies between the answer of a token server and the row
that keeps it loses the one token that renews, and then a person must agree anew, whatever we do."""

LASTS = 60 + 2 * CALLS
_LATER = e.BridgeEntered, e.ChannelHungUp, e.Settled, e.RecordingStored, e.Transcribed
_PLAIN, _KNOWN, _RIVAL, _TWO = 0, 1, 2, 3
"""Clients: most are strangers; of some people have a lead before we tell of them, of some people make one beside ours;
some call by two numbers."""
HOUSE = """
company: {name: Ромашка}
people:
  - {key: anna, name: Анна, role: manager, devices: [{kind: desk, address: PJSIP/anna-desk, number: "101"}]}
  - {key: boris, name: Борис, role: manager, devices: [{kind: desk, address: PJSIP/boris-desk, number: "102"}]}
teams: [{key: sales, name: Продажи, members: [anna, boris]}]
lines: [{number: "74951234567", name: Основная, team: sales}]
"""


@pytest.mark.timeout(3 * LASTS + 60)
@pytest.mark.parametrize("kind", sorted(RIGS))
async def test_all_that_happens_is_told_once_and_whole_whatever_fails(
    engine: AsyncEngine, database_url: str, kind: str
) -> None:
    """Errors, limits, ends of access, answers lost before and after it was done, SIGKILL: the CRM holds each call once.

    With the right owner, its own sound and its text, one task a promise, one lead of ours a client beside those that
    people made, which stay theirs, and nothing that it had to refuse.
    """
    await tell_all(engine, database_url, RIGS[kind], LASTS)


async def tell_all(
    engine: AsyncEngine,
    database_url: str,
    open_rig: Callable[[Faults], AbstractAsyncContextManager[ChaosRig]],
    lasts: float,
) -> None:
    """The story, with one CRM; each of its parts may take so many seconds."""
    reached = asyncio.Event()
    first = CALLS + (_CALM - CALLS) % _PERIOD
    kills = {first + which * (CALLS // _PERIOD + 1) * _PERIOD for which in range(KILLS)}

    def faults(count: int) -> Fault | None:
        """A worker has its end soon after as many requests as there are calls, and the other after as many again."""
        if count in kills:
            reached.set()
        turn, rest = divmod(count, EVERY)
        return None if rest else FAULTS[turn % len(FAULTS)]

    async with open_rig(faults) as rig:
        await open_house(engine)
        await rig.connect(engine)
        for number in clients_of(_KNOWN) if rig.has_people else ():
            rig.add_lead(number)
        await happen(engine)
        workers = [await begin_worker(database_url) for _ in range(2)]
        try:
            for which in range(KILLS):
                async with asyncio.timeout(lasts):
                    await reached.wait()
                reached.clear()
                await kill(workers[which])
                workers[which] = await begin_worker(database_url)
            await all_told(engine, lasts)
            for number in clients_of(_RIVAL) if rig.has_people else ():
                rig.add_lead(number)
            await change_owners(engine)
            await all_told(engine, lasts)
        finally:
            for worker in workers:
                await kill(worker)
        given_up = await rows(engine, "select step, error, answer from crm_effects where state <> 'done'")
        assert [(row.step, row.error, row.answer) for row in given_up] == []
        await holds(engine, rig)


async def holds(engine: AsyncEngine, rig: ChaosRig) -> None:
    """The CRM holds what happened, and no more."""
    assert rig.refused == []
    calls = await rows(engine, "select id, person, talk_seconds > 0 as talked from calls")
    talks = [mark_of(row.id) for row in calls if row.talked]
    whole = [Held(row.id, row.person, mark_of(row.id) if row.talked else None) for row in calls]
    assert Counter(rig.held({key_of(row.id): row.id for row in calls})) == Counter(whole)
    assert Counter(rig.texts()) == Counter(talks)
    promises = await rows(engine, "select number, owner, closed_at is not null as is_done from follow_ups")
    assert promises
    assert Counter(rig.tasks()) == Counter(HeldTask(row.number, row.owner, row.is_done) for row in promises)
    assert Counter(map(_of_client, rig.leads())) == Counter(await leads_of(engine, rig))


async def leads_of(engine: AsyncEngine, rig: ChaosRig) -> list[HeldLead]:
    """One of ours a client, but of those of whom people had one; and those of people."""
    asked = "select min(number) as number, leads.owner from leads join party_numbers using (party_id) group by leads.id"
    ours = [HeldLead(row.number, row.owner) for row in await rows(engine, asked)]
    assert len(ours) == CLIENTS
    if not rig.has_people:
        return ours
    known = set(clients_of(_KNOWN))
    theirs = [HeldLead(number, None, by_people=True) for number in (*known, *clients_of(_RIVAL))]
    return [one for one in ours if one.number not in known] + theirs


def _of_client(one: HeldLead) -> HeldLead:
    """The same by the first number of its client."""
    return HeldLead(number(int(one.number[4:])), one.owner, one.by_people)


def number(client: int) -> str:
    return f"7916{client:07}"


def other_number(client: int) -> str:
    return f"7926{client:07}"


def sort_of(client: int) -> int:
    """Every eighth client is of each sort that is not plain."""
    return {1: _KNOWN, 2: _RIVAL, 5: _TWO}.get(client % 8, _PLAIN)


def clients_of(sort: int) -> Iterator[str]:
    return (number(client) for client in range(CLIENTS) if sort_of(client) == sort)


async def open_house(engine: AsyncEngine) -> None:
    """With those clients of whom it knows two numbers."""
    async with engine.begin() as connection:
        await apply(connection, loads(HOUSE))
        for client in (one for one in range(CLIENTS) if sort_of(one) == _TWO):
            made = await connection.execute(insert(parties).values(name=None).returning(parties.c.id))
            party = made.scalar_one()
            both = [{"number": one, "party_id": party} for one in (number(client), other_number(client))]
            await connection.execute(insert(party_numbers), both)


async def happen(engine: AsyncEngine) -> None:
    """The calls, some known as they ring and some only when they are over, with sound, text, leads and promises."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=15)
    made = dict[UUID, None]()
    for batch in range(0, CALLS, 20):
        told = {one: call(one, at + timedelta(seconds=one)) for one in range(batch, min(batch + 20, CALLS))}
        for which in (begins, ends):
            async with engine.begin() as connection:
                events = [event for one, events in told.items() for event in which(one, events)]
                changes = await record(connection, events, OWES)
                made |= dict.fromkeys(change.call_id for change in changes)
    jobs = CrmJobs(engine=engine, owes=OWES)
    promises = FollowUpJobs(engine=engine, numbers=numbers_of, lead_owner=owner_of, ahead=AHEAD)
    for call_id in made:
        async with engine.begin() as connection:
            await release(connection, call_id)
        await jobs.link_call(call_id, 0)
        await promises.follow_up(call_id, 0)
    await plan_all(engine)


async def change_owners(engine: AsyncEngine) -> None:
    """By our own rules each lead goes from the one to the other."""
    async with engine.begin() as connection:
        for lead in (await connection.execute(text("select id, owner from leads order by id"))).all():
            other = PEOPLE[lead.owner == PEOPLE[0]]
            await give_lead(connection, lead.id, other, By(who=SERVICE, at=datetime.now(UTC)))
    await plan_all(engine)


async def plan_all(engine: AsyncEngine) -> None:
    while await plan_told(engine):
        pass  # some at a time


async def all_told(engine: AsyncEngine, lasts: float) -> None:
    async with asyncio.timeout(lasts):
        while await rows(engine, "select key from crm_effects where ended_at is null"):
            await asyncio.sleep(0.1)


def call(one: int, at: datetime) -> list[e.Event]:
    """One call: every fifth nobody answers, the others have sound and text; who has two numbers calls by both."""
    uid, device, client = f"17954{one:05}.1", f"PJSIP/{PEOPLE[one % 2]}-desk", one % CLIENTS
    told = other_number(client) if one >= CLIENTS and sort_of(client) == _TWO else number(client)
    answered = one % 5 != 3
    events = settled_call(uid, number=told, at=at, device=device, answered=answered)
    if not answered:
        return events
    after = at + timedelta(seconds=15)
    stored = e.RecordingStored(pbx="pbx", channel=uid, linkedid=uid, at=after, side="caller")
    return [*events, stored, e.Transcribed(pbx="pbx", channel=uid, linkedid=uid, at=after, language="ru")]


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
