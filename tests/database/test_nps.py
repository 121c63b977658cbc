"""Clients are asked for NPS, in a real PostgreSQL: once a reason, once in so many days; what they answer is kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import msgspec
import pytest
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.forgetting import Person, pattern
from calls.record import record_all
from crm_sync.book.decisions import decide
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import Move
from crm_sync.ledger.upkeep import plan_told
from directory import store
from directory.hours import read_week
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.masking import Masking
from directory.model import Directory, Hours
from directory.nps import NpsPolicy, TalkShare
from directory.outgoing import Outgoing
from directory.retention import Retention
from reports import nps_erasing, nps_links
from reports import nps_rows as rows
from reports.registry import COUNT_OF
from routing.requests import Wish, usage
from routing.requests import ask as ask_to_call
from routing.tables import outgoing_calls
from service import nps
from service.crm.ledger import rooms
from service.nps_calls import NpsCalls
from service.settings import Settings
from service.wiring import outgoing_desk, owes
from telephony.nps import channel_of
from tests.fakes import days
from tests.fakes.ledger import open_ledger
from tests.fakes.recorded import LINE, settled_call
from tests.fakes.story import HOUSE, know

NUMBER = "79161234567"
OTHER = "79161230002"
NOW = datetime.now(UTC)
ALL = NpsPolicy(talks=(TalkShare(line=LINE, percent=100),), prompt="custom/nps", delay_minutes=0)
MEETING = LeadPolicy(funnel=(FunnelStep(key="meeting", name="Встреча"),))
HEARD = e.NpsAsked(pbx="pbx", channel="", line=LINE, number=NUMBER)


async def house(engine: AsyncEngine, policy: NpsPolicy = ALL, leads: LeadPolicy = MEETING, **more: Any) -> Directory:
    round_the_clock = Hours("always", read_week({"mon-sun": "00:00-24:00"}))
    policy = msgspec.structs.replace(policy, hours="always")
    directory = replace(HOUSE, hours=(round_the_clock,), nps=policy, leads=leads, **more)
    async with engine.begin() as connection:
        await store.apply(connection, directory)
    return directory


async def talk(engine: AsyncEngine, uid: str, number: str = NUMBER, *, ago: float = 600, answered: bool = True) -> None:
    """A client called, so many seconds ago."""
    at = datetime.now(UTC) - timedelta(seconds=ago)
    told = settled_call(uid, number=number, at=at, answered=answered)
    await record_all(engine, [_longer(one) for one in told] if answered else told, owes)


def _longer(event: e.Event) -> e.Event:
    """The talk lasts half a minute: a shorter one is none."""
    longer = isinstance(event, e.ChannelHungUp | e.Settled) and event.at
    return replace_at(event, event.at + timedelta(seconds=30)) if longer and event.at else event


def replace_at(event: e.Event, at: datetime) -> e.Event:
    return type(event)(**{name: getattr(event, name) for name in event.__struct_fields__} | {"at": at})


async def asked(engine: AsyncEngine, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql), values)]


async def planned(engine: AsyncEngine, directory: Directory) -> int:
    async with engine.begin() as connection:
        return await rows.plan(connection, directory)


async def test_a_talk_is_asked_about_once_whoever_looks_and_a_client_once_in_so_many_days(engine: AsyncEngine) -> None:
    directory = await house(engine)
    await talk(engine, "1.1")
    await talk(engine, "1.3", OTHER, answered=False)
    await talk(engine, "1.5", OTHER, ago=3 * 86400)
    await asyncio.gather(planned(engine, directory), planned(engine, directory))
    await talk(engine, "1.7")
    await planned(engine, directory)
    assert await planned(engine, directory) == 0
    told = "select number, line, person, way, state, why, talk_id is not null from nps_asks order by planned_at"
    assert await asked(engine, told) == [
        (NUMBER, LINE, "anna", "call", "planned", "", True),
        (NUMBER, LINE, "anna", "call", "declined", "asked_lately", True),
    ]


async def test_the_share_of_talks_is_taken_by_their_ids(engine: AsyncEngine) -> None:
    """Whoever looks again takes the same ones."""
    for at in range(8):
        await talk(engine, f"2.{at}0", f"7916123100{at}")
    shares = []
    for percent in (20, 60, 100):
        policy = NpsPolicy(talks=(TalkShare(line=LINE, percent=percent),), prompt="custom/nps")
        directory = await house(engine, policy)
        shares.append(await planned(engine, directory))
        assert sum([await planned(engine, directory) for _ in range(9)]) == 0
    assert sum(shares) == 8
    assert shares[0] < 8


async def test_a_lead_is_asked_about_when_it_comes_to_a_stage_or_step_that_is_named(engine: AsyncEngine) -> None:
    directory = await house(engine, NpsPolicy(stages=("won",), steps=("meeting",), prompt="custom/nps", days_between=1))
    await know(engine, NUMBER, "Пётр", "anna", "qualified")
    by = By(who="anna", at=datetime.now(UTC))
    for move in (Move(stage="in_work"), Move(stage="in_work", step="meeting"), Move(stage="won")):
        async with engine.begin() as connection:
            await decide(connection, directory, 1, move, by)
    await planned(engine, directory)
    told = "select stage, person, line, number, lead_id, state, why from nps_asks order by reason"
    assert await asked(engine, told) == [
        ("in_work/meeting", "anna", LINE, NUMBER, 1, "planned", ""),
        ("won", "anna", LINE, NUMBER, 1, "declined", "asked_lately"),
    ]


async def test_a_step_within_a_stage_does_not_bring_the_lead_there_again(engine: AsyncEngine) -> None:
    directory = await house(engine, NpsPolicy(stages=("in_work",), prompt="custom/nps"))
    await know(engine, NUMBER, "Пётр", "anna", "qualified")
    for move in (Move(stage="in_work"), Move(stage="in_work", step="meeting")):
        async with engine.begin() as connection:
            await decide(connection, directory, 1, move, By(who="anna", at=datetime.now(UTC)))
    await planned(engine, directory)
    assert await asked(engine, "select stage from nps_asks") == [("in_work",)]


async def test_who_wants_no_calls_is_not_asked_also_when_they_said_so_later(engine: AsyncEngine) -> None:
    directory = await house(engine)
    await know(engine, NUMBER, "Пётр", "anna")
    await talk(engine, "3.1")
    await planned(engine, directory)
    async with engine.begin() as connection:
        await connection.execute(text("update parties set do_not_call_at = now()"))
        row = await rows.take(connection, "pbx")
        assert row is not None
        verdict = await rows.judge(connection, directory, row, NOW, own=row.id)
    assert verdict.why == "do_not_call"


async def test_an_ask_is_taken_once_and_not_while_the_client_talks_with_us(engine: AsyncEngine) -> None:
    directory = await house(engine)
    await talk(engine, "4.1")
    await planned(engine, directory)

    async def take() -> Any:
        async with engine.begin() as connection:
            return await rows.take(connection, "pbx")

    going_on = settled_call("4.5", at=datetime.now(UTC) - timedelta(seconds=5))[:5]
    await record_all(engine, going_on, owes)
    assert await take() is None
    await record_all(engine, settled_call("4.5", at=datetime.now(UTC) - timedelta(seconds=20)), owes)
    async with engine.begin() as connection:
        assert await rows.take(connection, "pbx") is not None
        assert await take() is None
    assert await take() is None


@pytest.mark.parametrize(
    "limits, planned_days_ago, state, calls",
    [
        (Outgoing(), 0, "calling", 1),
        (Outgoing(person_per_minute=1), 0, "calling", 1),
        (Outgoing(company_per_minute=1), 0, "planned", 0),
        (Outgoing(company_day_budget=Decimal(3), price_per_minute=Decimal(2)), 0, "planned", 0),
        (Outgoing(company_per_hour=1), 4, "declined", 0),
    ],
)
async def test_calls_that_ask_keep_to_the_limits_of_calls_out(
    engine: AsyncEngine, limits: Outgoing, planned_days_ago: int, state: str, calls: int
) -> None:
    """Somebody has just dialled: they are put off, and given up after days; nobody's own limit is theirs."""
    directory = await house(engine, outgoing=limits)
    await talk(engine, "4.9")
    await planned(engine, directory)
    pbx: Any = Pretended()
    async with engine.begin() as connection:
        aged = text("update nps_asks set planned_at = planned_at - make_interval(days => :days)")
        await connection.execute(aged, {"days": planned_days_ago})
        dialled = {"purpose": "dialled", "state": "connected", "number": OTHER, "asked_by": "PJSIP/door"}
        await connection.execute(insert(outgoing_calls).values(dialled))
    look = NpsCalls(pbx, pbx, engine)
    assert await look._ask_next(directory)
    assert not await look._ask_next(directory)
    ((told, later),) = await asked(engine, "select state, due_at > now() from nps_asks")
    assert (told, later) == (state, state == "planned")
    assert pbx.told.count("Originate") == calls


@pytest.mark.parametrize("told", [None, (), (HEARD,)], ids=["rings", "picked up", "heard"])
async def test_calls_that_ask_cost_the_company_and_no_further_is_made(
    engine: AsyncEngine, told: tuple[e.Event, ...] | None
) -> None:
    """From when the client answered; a minute while it rings there, nothing where nobody takes it."""
    limits = Outgoing(company_day_budget=Decimal(3), person_day_budget=Decimal(2), price_per_minute=Decimal(2))
    directory = await house(engine, outgoing=limits)
    await talk(engine, "4.1")
    await planned(engine, directory)
    pbx: Any = Pretended()
    look = NpsCalls(pbx, pbx, engine)
    assert await look._ask_next(directory)
    ((ask,),) = await asked(engine, "select id from nps_asks")
    if told is not None:
        await record_all(engine, call_that_asks(ask, *told), owes)
        await follow(engine)
    await talk(engine, "4.5", OTHER)
    await planned(engine, directory)
    assert await look._ask_next(directory)
    assert (pbx.told.count("Originate"), await spent(engine, directory)) == (1, Decimal(2))
    async with engine.begin() as connection:
        wish = Wish(to=OTHER, person="anna", purpose="click", asked_by="anna")
        assert (await ask_to_call(connection, wish, outgoing_desk())).reason_key == "company_day_budget"


async def test_who_did_not_answer_a_call_that_asks_cost_nothing(engine: AsyncEngine) -> None:
    limits = Outgoing(company_day_budget=Decimal(3), price_per_minute=Decimal(2))
    directory = await house(engine, outgoing=limits)
    await talk(engine, "4.1")
    await planned(engine, directory)
    async with engine.begin() as connection:
        row = await rows.take(connection, "pbx")
    assert row is not None
    assert await spent(engine, directory) == Decimal(2)
    unanswered = [one for one in call_that_asks(row.id) if not isinstance(one, e.ChannelUp)]
    await record_all(engine, unanswered, owes)
    assert await spent(engine, directory) == 0
    async with engine.begin() as connection:
        await rows.fail(connection, row.id, "pbx_refused")
    assert await spent(engine, directory) == 0


async def spent(engine: AsyncEngine, directory: Directory) -> Decimal:
    """What the company spent today; nobody spent any of it."""
    async with engine.connect() as connection:
        used = await usage(connection, directory, None, outgoing_desk())
    assert used.person_spent == 0
    return used.company_spent


class Pretended:
    """A PBX whose dialplan asks."""

    def __init__(self) -> None:
        """Was told nothing."""
        self.settings = SimpleNamespace(name="pbx")
        self.told: list[str] = []

    async def action(self, fields: dict[str, Any]) -> Any:
        """Do as it is told."""
        self.told.append(fields["Action"])
        return SimpleNamespace(fields={"Value": "1"})


def call_that_asks(ask: UUID, *told: e.Event) -> list[e.Event]:
    """The client was called, answered and hung up; what the dialplan told in between."""
    at = datetime.now(UTC) - timedelta(seconds=60)
    channel = channel_of(ask)

    def of(kind: Any, seconds: float, **more: Any) -> e.Event:
        event: e.Event = kind(pbx="pbx", channel=channel, linkedid=channel, at=at + timedelta(seconds=seconds), **more)
        return event

    between = [of(type(one), 5 + at_, **_own(one)) for at_, one in enumerate(told)]
    return [
        of(e.ChannelCreated, 0, incoming=False, name="PJSIP/trunk-77", number=LINE),
        of(e.ChannelUp, 4),
        *between,
        of(e.ChannelHungUp, 30, cause=16),
        of(e.LinkedidEnded, 30),
        of(e.Settled, 35),
    ]


def _own(event: e.Event) -> dict[str, Any]:
    names = set(event.__struct_fields__) - {"pbx", "channel", "at", "linkedid", "name"}
    return {name: getattr(event, name) for name in names}


async def called(engine: AsyncEngine) -> UUID:
    """An ask whose client is being called."""
    directory = await house(engine)
    await talk(engine, "5.1")
    await planned(engine, directory)
    async with engine.begin() as connection:
        row = await rows.take(connection, "pbx")
        assert row is not None
        ask: UUID = row.id
        return ask


async def follow(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await rows.follow(connection)


@pytest.mark.parametrize(
    "told, state, score",
    [
        ((HEARD, e.NpsAnswered(pbx="pbx", channel="", score=10)), "answered", 10),
        ((HEARD, e.NpsAnswered(pbx="pbx", channel="", score=0)), "answered", 0),
        ((HEARD,), "refused", None),
        ((), "unreachable", None),
    ],
)
async def test_what_the_record_tells_of_the_call_ends_the_ask(
    engine: AsyncEngine, told: tuple[e.Event, ...], state: str, score: int | None
) -> None:
    """Also when it is told twice; and the call is of nobody's: it makes no lead, no promise, no work but its sound."""
    ask = await called(engine)
    made = "select count(*) from leads union all select count(*) from follow_ups"
    before = await asked(engine, made)
    events = call_that_asks(ask, *told)
    await record_all(engine, events, owes)
    await record_all(engine, events, owes)
    await follow(engine)
    await follow(engine)
    assert await asked(engine, "select state, score from nps_asks") == [(state, score)]
    ((call_id, line),) = await asked(engine, "select id, coalesce(line, '') from calls where direction = 'nps'")
    assert line == (LINE if told else "")
    assert await asked(engine, made) == before
    jobs = "select distinct task_name from procrastinate_jobs where args->>'call_id' = :call"
    assert await asked(engine, jobs, call=str(call_id)) == [("recordings.store_recording",)]


async def test_a_call_that_never_came_to_be_is_given_up_and_what_cel_tells_later_counts(engine: AsyncEngine) -> None:
    ask = await called(engine)
    await follow(engine)
    assert await asked(engine, "select state from nps_asks") == [("calling",)]
    async with engine.begin() as connection:
        await connection.execute(text("update nps_asks set asked_at = asked_at - interval '5 minutes'"))
    await follow(engine)
    assert await asked(engine, "select state, why from nps_asks") == [("unreachable", "lost")]
    await record_all(engine, call_that_asks(ask, HEARD, e.NpsAnswered(pbx="pbx", channel="", score=8)), owes)
    await follow(engine)
    assert await asked(engine, "select state, score, why from nps_asks") == [("answered", 8, "")]


async def test_plans_that_fail_keep_no_answer_back(engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    ask = await called(engine)
    await record_all(engine, call_that_asks(ask, HEARD, e.NpsAnswered(pbx="pbx", channel="", score=7)), owes)

    async def fails(*_: object) -> int:
        raise ValueError

    monkeypatch.setattr(rows, "plan", fails)
    await nps.look(engine, "")
    assert await asked(engine, "select state, score from nps_asks") == [("answered", 7)]


async def test_answers_are_counted_by_manager_and_line_on_the_day_they_came(engine: AsyncEngine) -> None:
    directory = await house(engine)
    for at, score in enumerate((10, 9, 8, 6, 0)):
        await talk(engine, f"6.{at}0", f"7916123200{at}")
        await planned(engine, directory)
        told = "update nps_asks set state = 'answered', score = :score, answered_at = now() where state = 'planned'"
        async with engine.begin() as connection:
            await connection.execute(text(told), {"score": score})
    sums = {}
    for key in ("nps_answers", "nps_balance", "promoters", "detractors"):
        since, until = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(hours=1)
        found = await asked(engine, COUNT_OF[key].items, since=since, until=until)
        assert {(row[4], row[5]) for row in found} == {(LINE, "anna")}
        sums[key] = sum(row[7] for row in found)
    assert sums == {"nps_answers": 5, "nps_balance": 0, "promoters": 2, "detractors": 2}
    assert await asked(engine, "select count(*) > 0 from report_marks") == [(True,)]


async def test_a_link_is_sent_once_and_nobody_of_ours_reads_it(engine: AsyncEngine) -> None:
    """Whoever sends messages is told the address; neither the lead's history nor the ledger keeps it."""
    base = "https://calls.example.com"
    await house(engine, NpsPolicy(way="link", stages=("won",), delay_minutes=0))
    async with open_ledger(engine) as ledger:
        ledger.jobs.rooms = rooms(Settings(web={"public_url": base}))
        async with engine.begin() as connection:
            await connection.execute(text("update crm_connections set created_at = '2026-11-01'"))
            await connection.execute(text("update crm_connections set steps = array['message']"))
        await know(engine, NUMBER, "Пётр", "anna", "qualified")
        directory = await house(engine, NpsPolicy(way="link", stages=("won",), delay_minutes=0))
        async with engine.begin() as connection:
            await decide(connection, directory, 1, Move(stage="won"), By(who="anna", at=datetime.now(UTC)))
        await asyncio.gather(nps.look(engine, base), nps.look(engine, base))
        await nps.look(engine, base)
        await plan_told(engine)
        await ledger.run()
        (told,) = [one["data"]["after"] for one in ledger.receiver.order if one["type"] == "lead.message"]
    ((ask, state),) = await asked(engine, "select id, state from nps_asks")
    assert state == "sent"
    async with engine.begin() as connection:
        path = await nps_links.path_of(connection, ask)
        assert await nps_links.opened(connection, path.removeprefix(nps_links.PREFIX)) == ask
        assert await nps_links.opened(connection, path.removeprefix(nps_links.PREFIX)[:-2] + "AA") is None
    assert told.endswith(base + path)
    async with engine.begin() as connection:
        assert await rows.answer(connection, ask, 9, "хорошо")
        assert not await rows.answer(connection, ask, 0, "плохо")
    kept = "select request::text from crm_effects union all select after from lead_events where after is not null"
    assert all(path not in (row[0] or "") for row in await asked(engine, kept))


async def test_without_whoever_sends_messages_the_ask_says_so(engine: AsyncEngine) -> None:
    directory = await house(engine, NpsPolicy(way="link", stages=("won",), delay_minutes=0))
    await know(engine, NUMBER, "Пётр", "anna", "qualified")
    async with engine.begin() as connection:
        await decide(connection, directory, 1, Move(stage="won"), By(who="anna", at=datetime.now(UTC)))
    await nps.look(engine, "https://calls.example.com")
    assert await asked(engine, "select state, why from nps_asks") == [("declined", "no_channel")]


async def test_a_person_is_forgotten_and_the_score_stays(engine: AsyncEngine) -> None:
    ask = await called(engine)
    await record_all(engine, call_that_asks(ask, HEARD, e.NpsAnswered(pbx="pbx", channel="", score=3)), owes)
    await follow(engine)
    async with engine.begin() as connection:
        await connection.execute(text("update nps_asks set comment = 'дорого', party_id = 5"))
        assert await nps_erasing.forget(connection, [OTHER]) == 0
        assert await nps_erasing.forget(connection, [NUMBER]) == 1
    assert await asked(engine, "select number, party_id, comment, state, score from nps_asks") == [
        ("", None, None, "answered", 3)
    ]


async def test_a_person_is_forgotten_in_what_another_client_wrote(engine: AsyncEngine) -> None:
    await called(engine)
    person = Person(frozenset({OTHER[1:]}), frozenset(), "erased000000000001")
    async with engine.begin() as connection:
        await connection.execute(text("update nps_asks set comment = 'Звоните жене: 8 (916) 123-00-02'"))
        assert await nps_erasing.mask_mentions(connection, pattern(OTHER[1:]), person) == 1
        assert await nps_erasing.mask_mentions(connection, pattern(OTHER[1:]), person) == 0
    assert await asked(engine, "select number, comment from nps_asks") == [(NUMBER, "Звоните жене: •••")]


async def test_what_a_client_wrote_is_masked_by_the_policy_of_now(engine: AsyncEngine) -> None:
    """Of answers of that time alone, by the line's policy, once; each is in the audit without its words."""
    directory = await house(engine)
    words, card = "Спасибо, мой номер 8 916 123-00-02", "Карта 4111 1111 1111 1111"
    async with engine.begin() as connection:
        for ago, line, comment in (
            (0, LINE, words),
            (1, LINE, words),
            (0, "", words),
            (0, LINE, card),
            (0, LINE, None),
        ):
            await days.answered(connection, NOW - timedelta(days=ago), 9, comment=comment, line=line)
    phones = Masking(kinds=("phone",))
    lines = tuple(replace(line, masking=phones) if line.number == LINE else line for line in directory.lines)
    await house(engine, lines=lines)
    changed = [await nps_erasing.mask_anew(engine, NOW - timedelta(hours=1), NOW) for _ in range(2)]
    assert changed == [1, 0]
    kept = [row[0] for row in await asked(engine, "select comment from nps_asks where comment is not null")]
    assert sorted(kept) == sorted([words, words, card, "Спасибо, мой номер [phone]"])
    ((who, subject),) = await asked(engine, "select actor, subject from audit where action = 'masked_anew'")
    assert (who, subject.split()[0]) == ("command line", "answer")


async def test_words_and_numbers_go_after_the_days_of_the_policy_unless_they_are_held(engine: AsyncEngine) -> None:
    await called(engine)
    kept = Retention(transcript_days=10, party_days=20)
    directory = await house(engine, company=replace(HOUSE.company, retention=kept))
    told = "select number, comment, state from nps_asks"

    async def later(days: float, *, held: bool = False) -> list[tuple[Any, ...]]:
        async with engine.begin() as connection:
            await nps_erasing.keep_to(connection, directory, NOW + timedelta(days=days), lambda _: held)
        return await asked(engine, told)

    async with engine.begin() as connection:
        await connection.execute(text("update nps_asks set comment = 'дорого'"))
    assert await later(9) == [(NUMBER, "дорого", "calling")]
    assert await later(30, held=True) == [(NUMBER, "дорого", "calling")]
    assert await later(11) == [(NUMBER, None, "calling")]
    assert await later(21) == [("", None, "calling")]
