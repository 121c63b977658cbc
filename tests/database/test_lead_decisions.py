"""What people decide about leads, in a real PostgreSQL: undone by heads, refused with its field, never half done."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from crm_sync.book.decisions import ChangedMeanwhile, bring_back, decide, give, put_off, write_fields
from crm_sync.book.lead_list import Wanted, count, newest, on_managers_list, whole
from crm_sync.book.leads import By, move_lead, open_lead
from crm_sync.book.lifecycle import LifecycleError, Move
from crm_sync.book.notes import add_note, add_task, finish_task
from crm_sync.tables import parties, party_numbers
from directory import store
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Directory
from directory.presence import Absence
from directory.presence_store import send_away
from tests.fakes.directories import LINE, OFFICE
from tests.fakes.recorded import T0

NUMBER: Final = "79161234567"
HOUSE: Final = replace(
    OFFICE, leads=LeadPolicy(funnel=(FunnelStep(key="meeting", name="Встреча"), FunnelStep(key="deal", name="Сделка")))
)
ANNA: Final = By(who="anna", at=T0)
VERA: Final = By(who="vera", at=T0 + timedelta(hours=1), head=True)
SPAM: Final = Move(stage="disqualified", reason="spam")
LOST: Final = Move(stage="lost", reason="no_contact")


@pytest.fixture(autouse=True)
async def house(engine: AsyncEngine) -> None:
    """Anna and Boris sell, Vera is the head; one line."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)


async def lead_of(
    connection: AsyncConnection, *numbers: str, owner: str | None = "anna", directory: Directory = HOUSE, **told: Any
) -> int:
    """A party with these numbers, and a lead in qualification."""
    party = (await connection.execute(insert(parties).values(name="Пётр").returning(parties.c.id))).scalar_one()
    for number in numbers:
        await connection.execute(insert(party_numbers).values(number=number, party_id=party))
    told = {"stage": "qualifying", "owner": owner, "line": LINE} | told
    return await open_lead(connection, directory, party, ANNA, **told)


async def asked(connection: AsyncConnection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.execute(text(sql))]


async def test_a_head_takes_back_what_a_manager_disqualified(engine: AsyncEngine) -> None:
    """The manager may not; every word of it is in the history, with who and why."""
    async with engine.begin() as connection:
        lead = await lead_of(connection, NUMBER)
        await decide(connection, HOUSE, lead, SPAM, ANNA, seen="qualifying")
        with pytest.raises(LifecycleError, match="only a head") as refused:
            await decide(connection, HOUSE, lead, Move(stage="qualifying"), ANNA)
        await decide(connection, HOUSE, lead, Move(stage="qualifying"), VERA)
        assert refused.value.field == "head"
        assert await asked(connection, "select stage, reason, closed_at from leads") == [("qualifying", None, None)]
        sql = "select by, before, after, reason from lead_events where kind = 'stage' order by id"
        assert await asked(connection, sql) == [
            ("anna", "qualifying", "disqualified", "spam"),
            ("vera", "disqualified", "qualifying", None),
        ]


async def test_spam_is_blocked_only_when_told_and_undoing_does_not_unblock(engine: AsyncEngine) -> None:
    """All numbers of the client, with a note of why; a number that was blocked before keeps its note."""
    async with engine.begin() as connection:
        lead = await lead_of(connection, NUMBER, "79160009999")
        assert await decide(connection, HOUSE, lead, SPAM, ANNA) == ()
        await decide(connection, HOUSE, lead, Move(stage="qualifying"), VERA)
        assert not (await store.read(connection)).is_blocked(NUMBER)
        assert await decide(connection, HOUSE, lead, SPAM, ANNA, block=True) == (NUMBER,)
        await decide(connection, HOUSE, lead, Move(stage="qualifying"), VERA)
        sql = "select number, note from blocked_numbers order by position"
        assert await asked(connection, sql) == [
            ("79160009999", "спам"),
            (NUMBER, f"spam, lead {lead}, by anna"),
        ]
        with pytest.raises(LifecycleError, match="only the numbers of spam") as refused:
            await decide(connection, HOUSE, lead, LOST, ANNA, block=True)
        assert refused.value.field == "block"


async def test_a_duplicate_names_another_lead_that_there_is(engine: AsyncEngine) -> None:
    """Not itself, not nobody, and not one that is a duplicate of it."""
    async with engine.begin() as connection:
        first, second = await lead_of(connection, NUMBER), await lead_of(connection, "79161234568")

        def duplicate(other: int | None) -> Move:
            return Move(stage="disqualified", reason="duplicate", duplicate_of=other)

        for other, said in ((first, "of itself"), (999, "no lead 999"), (None, "names the other")):
            with pytest.raises(LifecycleError, match=said) as refused:
                await decide(connection, HOUSE, first, duplicate(other), ANNA)
            assert refused.value.field == "duplicate_of"
        await decide(connection, HOUSE, first, duplicate(second), ANNA)
        with pytest.raises(LifecycleError, match="is a duplicate of this one"):
            await decide(connection, HOUSE, second, duplicate(first), ANNA)
        assert await asked(connection, "select duplicate_of from leads where stage = 'disqualified'") == [(second,)]


async def test_of_two_decisions_at_once_one_is_told_what_happened(engine: AsyncEngine) -> None:
    """Both saw it in qualification; who comes second does nothing, and learns who did what."""
    async with engine.begin() as connection:
        lead = await lead_of(connection, NUMBER)

    async def move(to: Move, by: By) -> None:
        async with engine.begin() as connection:
            await decide(connection, HOUSE, lead, to, by, seen="qualifying")

    results = await asyncio.gather(move(LOST, ANNA), move(Move(stage="qualified"), VERA), return_exceptions=True)
    (changed,) = [result for result in results if result is not None]
    assert isinstance(changed, ChangedMeanwhile)
    assert changed.event is not None
    assert changed.event.after == changed.now
    assert "the lead was qualifying and is" in str(changed)
    async with engine.connect() as connection:
        assert await asked(connection, "select count(*) from lead_events where kind = 'stage'") == [(1,)]


async def test_a_lead_is_not_opened_beside_another_open_one_of_its_client(engine: AsyncEngine) -> None:
    """A head takes the old one back while a new one is open: refused in words, not by the database."""
    async with engine.begin() as connection:
        old = await lead_of(connection, NUMBER)
        await decide(connection, HOUSE, old, SPAM, ANNA)
        party = (await connection.execute(select(parties.c.id))).scalar_one()
        new = await open_lead(connection, HOUSE, party, ANNA, stage="new")
        with pytest.raises(LifecycleError, match=f"open lead already: {new}"):
            await decide(connection, HOUSE, old, Move(stage="qualifying"), VERA)


async def test_a_mistakenly_lost_lead_returns_to_its_step_and_owner_by_one_action(engine: AsyncEngine) -> None:
    """As if nothing had happened, but for the history; whoever is away or gone does not get it back."""
    async with engine.begin() as connection:
        lead = await lead_of(connection, NUMBER)
        for move in (Move(stage="in_work"), Move(stage="in_work", step="meeting"), LOST):
            await decide(connection, HOUSE, lead, move, ANNA)
        await bring_back(connection, HOUSE, lead, ANNA, seen="lost")
        assert await asked(connection, "select stage, step, owner from leads") == [("in_work", "meeting", "anna")]
        with pytest.raises(LifecycleError, match="only a lost lead is returned"):
            await bring_back(connection, HOUSE, lead, ANNA)
        await decide(connection, HOUSE, lead, LOST, ANNA)
        await send_away(connection, "anna", Absence(0, T0 - timedelta(days=1), T0 + timedelta(days=7)))
        await bring_back(connection, HOUSE, lead, VERA)
        assert await asked(connection, "select stage, step, owner from leads") == [("in_work", "meeting", None)]


async def test_what_is_asked_wrongly_names_its_field_and_writes_nothing(engine: AsyncEngine) -> None:
    """Owners, deadlines, fields, notes and tasks."""
    async with engine.begin() as connection:
        lead = await lead_of(connection, NUMBER)
        before = await asked(connection, "select * from leads")
        wrong: list[tuple[str, Any]] = [
            ("owner", give(connection, HOUSE, lead, "nobody", ANNA)),
            ("at", put_off(connection, lead, T0 - timedelta(minutes=1), ANNA)),
            ("fields", write_fields(connection, HOUSE, lead, {" ": "x"}, ANNA)),
            ("fields", write_fields(connection, HOUSE, lead, {"project": "x" * 501}, ANNA)),
            ("fields", write_fields(connection, HOUSE, lead, {str(n): "x" for n in range(51)}, ANNA)),
            ("text", add_note(connection, lead, " \n", ANNA)),
            ("assignee", add_task(connection, HOUSE, lead, "Позвонить", ANNA, assignee="nobody")),
            ("due_at", add_task(connection, HOUSE, lead, "Позвонить", ANNA, due_at=T0 - timedelta(days=1))),
        ]
        for field, work in wrong:
            with pytest.raises(LifecycleError) as refused:
                await work
            assert refused.value.field == field
        assert await asked(connection, "select * from leads") == before
        assert await asked(connection, "select (select count(*) from notes), (select count(*) from tasks)") == [(0, 0)]
        await move_lead(connection, HOUSE, lead, LOST, ANNA)
        with pytest.raises(LifecycleError, match="'lost' has no deadline"):
            await put_off(connection, lead, T0 + timedelta(days=1), ANNA)


async def test_a_task_is_owed_once_for_one_cause_and_done_once(engine: AsyncEngine) -> None:
    """Whoever owes it again gives none; whoever ticks it second changes nothing."""
    async with engine.begin() as connection:
        lead = await lead_of(connection, NUMBER)
        first = await add_task(connection, HOUSE, lead, "Позвонить", ANNA, assignee="boris", because="rule x")
        assert first is not None
        assert await add_task(connection, HOUSE, lead, "Позвонить", ANNA, because="rule x") is None
        assert await finish_task(connection, first, ANNA)
        assert not await finish_task(connection, first, VERA)
        told = await whole(connection, lead)
        assert told is not None
        assert [(task.assignee, task.done_by) for task in told.tasks] == [("boris", "anna")]


async def test_lost_leads_leave_the_managers_list_and_are_found_by_their_fields(engine: AsyncEngine) -> None:
    """After the days of the policy, or when they are being revived; a segment is any fields together."""
    async with engine.begin() as connection:
        fields = {"project": "Парк", "payment": "ипотека"}
        lost = await lead_of(connection, NUMBER, fields=fields)
        await lead_of(connection, "79161234568", fields={"project": "Парк"})
        await decide(connection, HOUSE, lost, LOST, ANNA)
        for days, seen in ((6, 2), (7, 1)):
            listed = newest(on_managers_list(HOUSE.leads, T0 + timedelta(days=days)))
            assert len((await connection.execute(listed)).all()) == seen
        for wanted, found in (
            (Wanted(fields={"project": "Парк"}), {"qualifying": 1, "lost": 1}),
            (Wanted(fields=fields), {"lost": 1}),
            (Wanted(stages=("lost",), fields={"project": "Сад"}), {}),
            (Wanted(reason="no_contact", owner="anna", line=LINE), {"lost": 1}),
            (Wanted(owner="-"), {}),
        ):
            assert await count(connection, wanted.condition()) == found
