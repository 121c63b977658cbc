"""Of very many leads pages read the first and count no further than they tell: it is what reading all of them gives."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import ColumnElement, and_, insert, or_, select, text, true
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.attention import attention
from crm_sync.book.deadlines import forgotten_since, too_long_since
from crm_sync.book.leads import place
from crm_sync.book.lifecycle import OPEN, STAGES
from crm_sync.tables import leads, parties, tasks
from directory.lead_policy import NO_POLICY, FunnelStep, LeadPolicy
from tests.fakes.directories import LINE, OFFICE
from tests.fakes.site import open_site
from web.leads import board
from web.leads.board import ENDS, columns
from web.leads.listing import ALL_OPEN, find_leads, in_tab, tab_counts

NOW: Final = datetime(2026, 3, 31, 12, tzinfo=UTC)
NEVER: Final = datetime(9999, 12, 31, tzinfo=UTC)
FUNNEL: Final = LeadPolicy(funnel=(FunnelStep(key="meeting", name="Встреча", minutes=600),))
OTHER_LINE: Final = OFFICE.lines[1].number
WHOSE: Final[dict[str, ColumnElement[bool]]] = {
    "everybody's": true(),
    "a person's": leads.c.owner == "anna",
    "a team's": or_(leads.c.owner.in_(["anna", "boris"]), and_(leads.c.owner.is_(None), leads.c.source_line == LINE)),
    "nobody's at all": leads.c.owner == "left",
}


async def make(connection: AsyncConnection, seed: int, count: int = 200) -> None:
    """Leads of every kind, many of which are alike in what they are ordered by."""
    dice = random.Random(seed)
    ids = (await connection.execute(insert(parties).values([{"name": None}] * count).returning(parties.c.id))).scalars()
    moments = [NOW + timedelta(hours=dice.randrange(-400, 400)) for _ in range(12)]
    rows = []
    for party in ids:
        stage = dice.choice(STAGES)
        row = {"party_id": party, "stage": stage, "owner": dice.choice(("anna", "boris", "gleb", None))}
        row |= {"source_line": dice.choice((LINE, OTHER_LINE, "79990000000", None)), "opened_at": dice.choice(moments)}
        row |= {"deadline_at": dice.choice((*moments, None)), "stage_at": dice.choice(moments)}
        row |= {"contact_at": dice.choice((*moments, None))}
        row |= {"step": dice.choice(("meeting", "gone", None)) if stage == "in_work" else None}
        rows.append(row)
    made = (await connection.execute(insert(leads).returning(leads.c.id, leads.c.party_id), rows)).all()
    owed = {"text": "Позвонить", "made_at": NOW, "made_by": "anna"}
    some = [
        owed | {"lead_id": lead, "party_id": party, "done_at": dice.choice((NOW, None))} for lead, party in made[::7]
    ]
    await connection.execute(insert(tasks), some)


async def those(connection: AsyncConnection, where: ColumnElement[bool]) -> Sequence[Any]:
    """All leads that meet a condition, in the order of their ids."""
    return (await connection.execute(select(leads).where(where).order_by(leads.c.id))).all()


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("tab", [ALL_OPEN, "lost"])
async def test_page_by_page_every_lead_of_a_tab_comes_once_and_in_order(
    engine: AsyncEngine, tab: str, whose: str
) -> None:
    async with engine.connect() as connection:
        await make(connection, seed=1)
        told, cursor = [], None
        while True:
            page = await find_leads(connection, WHOSE[whose], tab, cursor, limit=3)
            told += [row.id for row in page.rows]
            if page.cursor is None:
                break
            cursor = page.cursor
        every = await those(connection, and_(WHOSE[whose], in_tab(tab)))
    urgent = sorted(every, key=lambda row: (row.deadline_at or NEVER, row.id))
    assert told == [row.id for row in (urgent if tab == ALL_OPEN else reversed(every))]


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("most", [3, 1000])
async def test_a_tab_counts_no_further_than_it_tells(engine: AsyncEngine, whose: str, most: int) -> None:
    async with engine.connect() as connection:
        await make(connection, seed=2)
        counts = await tab_counts(connection, WHOSE[whose], most)
        stages = [row.stage for row in await those(connection, WHOSE[whose])]
    expected = {stage: min(stages.count(stage), most + 1) for stage in STAGES}
    assert counts == {ALL_OPEN: sum(expected[stage] for stage in OPEN)} | expected


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("policy, most", [(FUNNEL, 1000), (FUNNEL, 4), (NO_POLICY, 4)])
async def test_each_column_of_the_board_has_its_first_leads_and_their_number(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch, whose: str, policy: LeadPolicy, most: int
) -> None:
    """By deadline, without one last; what ended, the latest first; a step that is gone stands where leads are there."""
    monkeypatch.setattr(board, "COUNTED_MOST", most)
    monkeypatch.setattr(board, "SHOWN", 3)
    async with engine.connect() as connection:
        await make(connection, seed=3)
        found = await columns(connection, policy, WHOSE[whose], NOW)
        every = await those(connection, WHOSE[whose])
    there = {place(row.stage, row.step) for row in every if row.stage in OPEN}
    steps = ["in_work/meeting"] if policy is FUNNEL else []
    others = sorted(one for one in there if one.startswith("in_work") and one not in [*steps, "in_work"])
    before_steps = ["in_work"] if not steps or "in_work" in there else []
    assert [one.place for one in found] == ["new", "qualifying", "qualified", *before_steps, *others, *steps, *ENDS]
    for column in found:
        if column.ended:
            since = NOW - timedelta(days=board.ENDED_DAYS)
            here = [row for row in every if row.stage == column.place and row.stage_at > since]
            here.sort(key=lambda row: (row.stage_at, row.id), reverse=True)
        else:
            here = [row for row in every if row.stage in OPEN and place(row.stage, row.step) == column.place]
            here.sort(key=lambda row: (row.deadline_at or NEVER, row.id))
        assert (column.count, [row.id for row in column.rows]) == (
            min(len(here), most + 1),
            [row.id for row in here[:3]],
        ), column.place


@pytest.mark.parametrize("whose", WHOSE)
@pytest.mark.parametrize("most", [None, 2, 1000])
async def test_what_needs_attention_is_what_the_policy_says_of_each_lead(
    engine: AsyncEngine, whose: str, most: int | None
) -> None:
    """Lines with hours and without, a line that nobody knows, and none; steps with a target, without, and gone ones."""
    policy = LeadPolicy(funnel=FUNNEL.funnel, minutes={"new": 60, "qualified": 6000}, forgotten_days=5)
    house = replace(OFFICE, leads=policy)

    def is_forgotten(row: Any) -> bool:
        since = forgotten_since(house, row.source_line, NOW)
        return row.id not in planned and since is not None and (row.contact_at or row.opened_at) < since

    def is_long(row: Any) -> bool:
        step = row.step if row.step == "meeting" else None
        since = too_long_since(house, row.source_line, row.stage, step, NOW)
        return since is not None and row.stage_at < since

    async with engine.connect() as connection:
        await make(connection, seed=4)
        found = await attention(connection, house, NOW, WHOSE[whose], counted_most=most)
        every = await those(connection, and_(WHOSE[whose], in_tab(ALL_OPEN)))
        planned = set((await connection.execute(select(tasks.c.lead_id).where(tasks.c.done_at.is_(None)))).scalars())
    expected = {
        "overdue": [row for row in every if row.deadline_at and row.deadline_at < NOW],
        "forgotten": [row for row in every if is_forgotten(row)],
        "long": [row for row in every if is_long(row)],
    }
    for name, rows in expected.items():
        assert {one.id for one in getattr(found, name)} == {row.id for row in rows}, name
        assert found.counts[name] == (len(rows) if most is None else min(len(rows), most + 1)), name
    for times in ([one.deadline_at or NEVER for one in found.overdue], [one.since for one in found.long]):
        assert times == sorted(times)


async def test_of_very_many_leads_pages_tell_that_they_are_more(engine: AsyncEngine, tmp_path: Path) -> None:
    """More than a thousand are not counted on the list, the board, the desk; more than ten thousand are not given."""
    some = "insert into parties (name) select 'Имя' from generate_series(1, 10001)"
    theirs = f"select id, 'new', 'anna', '{LINE}', now(), now() - interval '1 day' from parties"
    async with open_site(engine, tmp_path / "store") as site:
        async with engine.begin() as connection:
            await connection.execute(text(some))
            into = "insert into leads (party_id, stage, owner, source_line, opened_at, deadline_at)"
            await connection.execute(text(f"{into} {theirs}"))
        async with site.visitor("vera") as client:
            for path in ("/leads", "/leads/board", "/leads/attention", "/desk/today", "/head/beside"):
                page = await (await client.get(path)).text()
                assert "1000+" in page, path
                assert "10001" not in page, path
            board_page = await (await client.get("/leads/board")).text()
            assert '<a class="panel-more" href="/leads?stage=new">Весь список' in board_page
            give = await (await client.get("/leads/give?stage=open")).text()
            assert ("не больше 10000 заявок" in give, 'name="seen"' in give) == (True, False)
            api = await (await client.get("/api/v1/leads/attention")).json()
            assert api["counts"]["overdue"] == 10_001
            looked = {"having": {"stage": "new"}, "owner": "boris", "dry_run": True}
            async with client.post("/api/v1/leads/owner", json=looked) as response:
                assert (await response.json())["count"] == 10_001
