"""Lost leads in a real PostgreSQL: they go through their chains, each step is taken once, and nothing is silent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.decisions import bring_back, decide
from crm_sync.book.lead_list import last_lost, whole
from crm_sync.book.leads import By, open_lead, set_fields
from crm_sync.book.lifecycle import Move
from crm_sync.book.reviving import revive
from crm_sync.ledger.tables import crm_connections
from crm_sync.ledger.upkeep import plan_told
from crm_sync.tables import parties, party_numbers
from directory import store
from directory.lead_policy import LeadPolicy, RevivalChain, RevivalStep
from directory.model import Directory
from metrics.gauges import DatabaseGauges
from tests.fakes.directories import LINE, OFFICE
from tests.fakes.ledger import open_ledger

NUMBER: Final = "79161234567"
LOST_AT: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)  # Monday noon in Moscow, the office is open
DAY: Final = timedelta(days=1)
CHAIN: Final = RevivalChain(
    name="park",
    steps=(
        RevivalStep(days=7, do="message", text="Здравствуйте, {name}! Цены снижены."),
        RevivalStep(days=14, do="task", text="Позвонить: {name}"),
    ),
    fields={"project": ("Парк",)},
)
HOUSE: Final = replace(OFFICE, leads=LeadPolicy(revival=(CHAIN,)))
ANNA: Final = By(who="anna", at=LOST_AT)
LOST: Final = Move(stage="lost", reason="too_expensive")
_STEPS: Final = "select kind, before, after, reason from lead_events where kind in ('revival', 'message') order by id"


async def lost(
    engine: AsyncEngine,
    house: Directory = HOUSE,
    *,
    steps: tuple[str, ...] = ("lead", "message"),
    number: str = NUMBER,
    **party: Any,
) -> int:
    """A lead of Anna's that was lost; a connection is told the `steps`."""
    async with engine.begin() as connection:
        await store.apply(connection, house)
        if steps:
            told = {
                "key": "site",
                "kind": "webhook",
                "steps": list(steps),
                "state": "active",
                "settings": {},
            }
            await connection.execute(insert(crm_connections).values(told | {"account": "x", "secrets": b"x"}))
        made = insert(parties).values({"name": "Пётр"} | party).returning(parties.c.id)
        party_id = (await connection.execute(made)).scalar_one()
        await connection.execute(insert(party_numbers).values(number=number, party_id=party_id))
        fields = {"project": "Парк"}
        lead = await open_lead(
            connection, house, party_id, ANNA, stage="qualified", owner="anna", line=LINE, fields=fields
        )
        await decide(connection, house, lead, LOST, ANNA)
    return lead


async def days_pass(engine: AsyncEngine, *days: float) -> None:
    """The loop comes round at noon of these days after the loss, and twice at once."""
    for day in days:
        at = LOST_AT + day * DAY
        await asyncio.gather(revive(engine, at), revive(engine, at))


async def asked(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def test_a_lost_lead_goes_through_its_chain_once_and_is_lost_again(engine: AsyncEngine) -> None:
    """Message, task, end; two services at once, and every round told twice, do no more than one."""
    await lost(engine)
    await days_pass(engine, 6)
    assert await asked(engine, "select stage from leads") == [("lost",)]
    await days_pass(engine, 7, 7, 13)
    assert await asked(engine, "select stage, reason, chain_step from leads") == [("reviving", "too_expensive", 1)]
    message = ("message", "park/1", "Здравствуйте, Пётр! Цены снижены.", "sent_webhook")
    assert await asked(engine, _STEPS) == [message]
    await days_pass(engine, 14, 14, 40)
    assert await asked(engine, _STEPS) == [message, ("revival", "park/2", "Позвонить: Пётр", "task")]
    assert await asked(engine, "select stage, reason, chain_at from leads") == [("lost", "too_expensive", None)]
    (task,) = await asked(engine, "select text, assignee, due_at from tasks")
    assert task == ("Позвонить: Пётр", "anna", LOST_AT + 15 * DAY - timedelta(hours=1))
    told = "select person, subject_id, values->>'by' from notices where kind = 'task_given'"
    assert await asked(engine, told) == [("anna", "1", "switchhook")]


async def test_a_step_that_cannot_be_taken_keeps_no_other_from_being(engine: AsyncEngine) -> None:
    """Its words are nothing without a name, as a house of before could write them, and the client has told none."""
    steps = (RevivalStep(days=7, do="task", text="{name}"), *CHAIN.steps[1:])
    house = replace(OFFICE, leads=LeadPolicy(revival=(RevivalChain(name="park", steps=steps),)))
    await lost(engine, house, name=None)
    await lost(engine, house, steps=(), number="79161234568")
    await days_pass(engine, 7, 7.01)
    assert await asked(engine, "select text from tasks") == [("Пётр",)]


async def test_without_a_channel_the_lead_says_so_and_the_heads_are_told_once_a_day(engine: AsyncEngine) -> None:
    """Nothing is lost silently: the words that were not sent are in the history."""
    await lost(engine, steps=("lead",))
    await days_pass(engine, 7, 7.01)
    assert await asked(engine, _STEPS) == [("revival", "park/1", "Здравствуйте, Пётр! Цены снижены.", "no_channel")]
    assert await asked(engine, "select person, kind, values->>'step' from notices") == [
        ("vera", "revival_without_channel", "park/1")
    ]


async def test_a_message_is_handed_over_to_whoever_takes_messages(engine: AsyncEngine) -> None:
    """Signed, to a strict receiver: the words and the numbers, beside what else happens to the lead; once."""
    async with open_ledger(engine) as ledger:
        async with engine.begin() as connection:
            await connection.execute(text("update crm_connections set created_at = '2026-11-01'"))
        await lost(engine, steps=())
        await days_pass(engine, 7)
        await plan_told(engine)
        assert await plan_told(engine) == 0
        await ledger.run()
        told = [one["data"] for one in ledger.receiver.order if one["type"] == "lead.message"]
        assert [(one["after"], one["numbers"]) for one in told] == [("Здравствуйте, Пётр! Цены снижены.", [NUMBER])]
        assert (ledger.receiver.refused, "lead.stage" in ledger.receiver.types()) == ([], True)
        assert await asked(engine, "select count(*) from crm_effects where step = 'message'") == [(1,)]


async def test_who_does_not_want_to_be_called_or_is_blocked_gets_no_message(engine: AsyncEngine) -> None:
    """The chain goes on: a person may still decide what to do."""
    await lost(engine, do_not_call_at=LOST_AT)
    await days_pass(engine, 7, 7.01, 14)
    assert [row[3] for row in await asked(engine, _STEPS)] == ["unwanted", "task"]


async def test_nobody_gets_a_message_while_the_line_is_closed(engine: AsyncEngine) -> None:
    """Due in the night: it goes in the morning, and the next step is no nearer than written."""
    await lost(engine)
    await days_pass(engine, 7.5, 7.5)  # midnight in Moscow
    assert await asked(engine, _STEPS) == []
    opens = LOST_AT + 8 * DAY - timedelta(hours=3)
    assert await asked(engine, "select chain_at from leads") == [(opens,)]
    await days_pass(engine, 8)
    assert len(await asked(engine, _STEPS)) == 1
    assert await asked(engine, "select chain_at from leads") == [(LOST_AT + 15 * DAY,)]


async def test_a_lead_that_comes_back_leaves_its_chain_and_tells_what_happened(engine: AsyncEngine) -> None:
    """Nothing more is done for it; lost again, it goes through the chain again."""
    lead = await lost(engine)
    await days_pass(engine, 7, 7.01)
    async with engine.begin() as connection:
        await bring_back(connection, HOUSE, lead, By(who="vera", at=LOST_AT + 8 * DAY, head=True))
        told = await whole(connection, lead)
    assert told is not None
    assert (told.row.stage, told.row.owner, told.row.chain) == ("in_work", "anna", None)
    story = last_lost(told.events)
    assert story is not None
    assert (story.at, story.reason) == (LOST_AT, "too_expensive")
    assert [step.reason for step in story.steps] == ["sent_webhook"]
    await days_pass(engine, 14, 30)
    assert len(await asked(engine, _STEPS)) == 1
    async with engine.begin() as connection:
        await decide(connection, HOUSE, lead, LOST, By(who="anna", at=LOST_AT + 28 * DAY))
    await days_pass(engine, 35, 35.01, 42)
    assert [row[3] for row in await asked(engine, _STEPS)] == ["sent_webhook", "sent_webhook", "task"]


async def test_a_chain_that_the_house_took_away_ends_and_says_so(engine: AsyncEngine) -> None:
    """Nobody waits in a chain that there is not."""
    await lost(engine)
    await days_pass(engine, 7, 7.01)
    async with engine.begin() as connection:
        await store.apply(connection, OFFICE)
    await days_pass(engine, 14)
    assert [row[3] for row in await asked(engine, _STEPS)] == ["sent_webhook", "chain_gone"]
    assert await asked(engine, "select stage, chain_at from leads") == [("lost", None)]


async def test_a_client_with_another_open_lead_is_left_alone(engine: AsyncEngine) -> None:
    """They are being worked with already."""
    await lost(engine)
    await revive(engine, LOST_AT + 7 * DAY)  # it enters its chain
    async with engine.begin() as connection:
        await open_lead(connection, HOUSE, 1, ANNA, stage="new")
    await days_pass(engine, 7.01)
    assert [row[3] for row in await asked(engine, _STEPS)] == ["other_lead"]


async def test_a_step_that_fails_half_way_was_not_taken(engine: AsyncEngine) -> None:
    """The message, its event and the step stand or fall together; the next round does them."""
    await lost(engine)
    await revive(engine, LOST_AT + 7 * DAY)  # it enters its chain
    async with engine.begin() as connection:
        await connection.execute(text("alter table lead_events add constraint broken check (kind <> 'message')"))
    await days_pass(engine, 7.01)
    assert await asked(engine, "select chain_step from leads") == [(0,)]
    async with engine.begin() as connection:
        await connection.execute(text("alter table lead_events drop constraint broken"))
    await days_pass(engine, 7.02)
    assert await asked(engine, "select chain_step from leads") == [(1,)]
    assert len(await asked(engine, _STEPS)) == 1


async def test_revival_is_counted(engine: AsyncEngine) -> None:
    """By what each step came to, also what never happened; and how many came back."""
    lead = await lost(engine)
    await days_pass(engine, 7, 7.01)
    async with engine.begin() as connection:
        await bring_back(connection, HOUSE, lead, ANNA)
    families = {family.name: family for family in await DatabaseGauges(engine).read()}
    counted = {sample.labels["result"]: sample.value for sample in families["switchhook_revival_steps"].samples}
    assert counted == dict.fromkeys(("task", "no_channel", "unwanted", "other_lead", "chain_gone"), 0) | {
        "sent_webhook": 1
    }
    assert [sample.value for sample in families["switchhook_leads_revived"].samples] == [1]


async def test_a_lead_is_met_in_the_next_round_when_fields_make_it_fit(engine: AsyncEngine) -> None:
    """No chain fitted when it was lost; a field written since makes one fit."""
    lead = await lost(engine)
    async with engine.begin() as connection:
        await set_fields(connection, HOUSE, lead, {"project": None}, ANNA)
        assert (await connection.execute(text("select chain_at from leads"))).scalar() is None
        await set_fields(connection, HOUSE, lead, {"project": "Парк"}, ANNA)
    await days_pass(engine, 7)
    assert await asked(engine, "select stage from leads") == [("reviving",)]


async def test_a_chain_that_is_written_later_is_also_for_who_was_lost_before(engine: AsyncEngine) -> None:
    """Once: who went through a chain, or whom no chain fits, is not met."""
    plain = replace(HOUSE, leads=LeadPolicy())
    await lost(engine, plain)
    async with engine.begin() as connection:
        other = await open_lead(connection, plain, 1, ANNA, stage="qualified")
        await decide(connection, plain, other, LOST, ANNA)
    await days_pass(engine, 50)
    assert await asked(engine, "select distinct stage from leads") == [("lost",)]
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    await days_pass(engine, 60, 60.01, 70, 80)
    assert [row[3] for row in await asked(engine, _STEPS)] == ["sent_webhook", "task"]
    ends = "select stage, chain, chain_at from leads order by id"
    assert await asked(engine, ends) == [("lost", "park", None), ("lost", None, None)]


async def test_a_blocked_number_gets_no_message(engine: AsyncEngine) -> None:
    """Whoever the house does not want to hear of does not hear of the house."""
    await lost(engine)
    async with engine.begin() as connection:
        await connection.execute(insert(party_numbers).values(number=OFFICE.blocked[0].number, party_id=1))
    await days_pass(engine, 7, 7.01)
    assert [row[3] for row in await asked(engine, _STEPS)] == ["unwanted"]
