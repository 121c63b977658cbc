"""Whatever people, calls and the service do to leads at once: one open lead a client, and a history that is true."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.due import owe_nothing
from calls.record import record
from crm_sync.book.decisions import ChangedMeanwhile, bring_back, decide, give
from crm_sync.book.leads import By, NoSuchLead, place
from crm_sync.book.lifecycle import NEXT, OPEN, STAGES, LifecycleError, Move
from crm_sync.book.reviving import revive
from crm_sync.jobs import CrmJobs
from crm_sync.tables import lead_events, leads
from directory import store
from directory.lead_policy import FunnelStep, LeadPolicy, RevivalChain, RevivalStep
from tests.fakes.directories import LINE, OFFICE
from tests.fakes.recorded import T0, settled_call

HOUSE: Final = replace(
    OFFICE,
    leads=LeadPolicy(
        funnel=(FunnelStep(key="meeting", name="Встреча"),),
        lost_days=0,
        revival=(RevivalChain(name="any", steps=(RevivalStep(days=0, do="task", text="Позвонить"),) * 3),),
    ),
)
NUMBERS: Final = ("79161230001", "79161230002")
REASONS: Final = {"lost": ("no_contact",), "disqualified": ("spam", "duplicate", "existing_client")}


class Everybody:
    """People, calls and the loop of revival, each doing what they like to whatever leads there are."""

    def __init__(self, engine: AsyncEngine, seed: int) -> None:
        self.engine = engine
        self.chance = random.Random(seed)
        self.jobs = CrmJobs(engine=engine, owes=owe_nothing)
        self.calls = 0

    async def person(self) -> None:
        """Somebody decides about some lead as they saw it; what may not be is refused, and nothing else goes wrong."""
        chance, by = self.chance, By(who="vera", at=T0 + timedelta(hours=1), head=self.chance.random() < 0.8)
        async with self.engine.connect() as connection:
            rows = await connection.execute(select(leads.c.id, leads.c.stage))
        seen = {row.id: row.stage for row in rows}
        lead = chance.choice([*seen, 999])
        do, owner = chance.choice(("move", "move", "move", "return", "give")), chance.choice(("anna", "boris", None))
        move = self.decision(seen.get(lead, "new"))
        with suppress(LifecycleError, ChangedMeanwhile, NoSuchLead):
            async with self.engine.begin() as connection:
                if do == "move":
                    await decide(connection, HOUSE, lead, move, by)
                elif do == "return":
                    await bring_back(connection, HOUSE, lead, by)
                else:
                    await give(connection, HOUSE, lead, owner, by)

    def decision(self, stage: str) -> Move:
        """Mostly what may follow on a stage, as often won as all else; sometimes anything."""
        chance = self.chance
        likely = [*NEXT[stage], "won", "won"] if chance.random() < 0.8 else STAGES
        to = chance.choice(likely)
        reason = chance.choice(REASONS.get(to, (None,)))
        other = chance.randint(1, 3) if reason == "duplicate" else None
        step = chance.choice((None, "meeting")) if to == "in_work" else None
        return Move(stage=to, step=step, reason=reason, duplicate_of=other)

    async def call(self) -> None:
        """A client calls, answered or not, and the call's job runs twice at once."""
        self.calls += 1
        uid, number, answered = f"{self.calls}.1", self.chance.choice(NUMBERS), self.chance.random() < 0.5
        told: dict[str, Any] = {
            "number": number,
            "answered": answered,
            "at": T0 + timedelta(hours=2 * (self.calls % 2), minutes=self.calls),
        }
        async with self.engine.begin() as connection:
            (change,) = await record(connection, settled_call(uid, **told))
        await asyncio.gather(*(self.jobs.link_call(change.call_id, 0) for _ in range(2)))

    async def service(self) -> None:
        """The loop of revival comes round."""
        await revive(self.engine, T0 + timedelta(days=self.chance.randint(0, 3)))


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_that_happens_at_once_breaks_a_lead(engine: AsyncEngine, seed: int) -> None:
    """Six at a time, again and again; after each round every lead is whole and refolds from its events."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    everybody = Everybody(engine, seed)
    await everybody.call()
    for _ in range(15):
        acts = everybody.chance.choices((everybody.person, everybody.call, everybody.service), (5, 2, 1), k=6)
        done = await asyncio.gather(*(act() for act in acts), return_exceptions=True)
        assert not [error for error in done if error is not None], done
        await check(engine)


async def check(engine: AsyncEngine) -> None:
    """One open lead a client at most; what a lead is, is what its events make of it."""
    async with engine.connect() as connection:
        rows = (await connection.execute(select(leads))).all()
        events = (await connection.execute(select(lead_events).order_by(lead_events.c.id))).all()
    open_leads = [row.party_id for row in rows if row.stage in OPEN]
    assert len(open_leads) == len(set(open_leads))
    for row in rows:
        folded: dict[str, Any] = {"stage": None, "owner": None}
        for event in (event for event in events if event.lead_id == row.id):
            kind = "stage" if event.kind == "opened" else event.kind
            if kind in folded:
                assert event.before == folded[kind], "an event that does not begin where the one before ended"
                folded[kind] = event.after
        assert folded == {"stage": place(row.stage, row.step), "owner": row.owner}
        assert (row.closed_at is None) == (row.stage in OPEN)
        assert (row.reason is None) == (row.stage in {*OPEN, "won"})
        assert row.chain_at is None or row.stage in {"lost", "reviving"}
    assert rows[0].source_line == LINE
