"""How a person is told, what needs attention and what is late: by command, on time, and in the metrics."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine
from typer.testing import CliRunner

from calls.follow_ups import escalate
from calls.tables import follow_ups
from crm_sync.tables import leads, parties
from directory import store
from directory.lead_policy import LeadPolicy
from metrics.gauges import DatabaseGauges
from notices.addresses import bury
from notices.model import Notice
from notices.tables import notice_counts, notice_messages
from notices.telling import tell
from service import overdue
from service.cli.main import app
from tests.fakes.directories import LINE, OFFICE
from tests.fakes.listeners import telegram_error
from tests.fakes.story import Told, furnish
from tests.fakes.told_world import open_told_world

ANNA, BORIS, VERA = OFFICE.people
TOLD = replace(VERA, email="vera@romashka.example", telegram="77", notify=("page", "email", "telegram"))
HOUSE = replace(OFFICE, people=(ANNA, BORIS, TOLD), leads=LeadPolicy(leads_most=1))


@pytest.fixture
async def house(engine: AsyncEngine, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncEngine:
    """A house that commands find; Vera is told by mail and in a chat."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    told = {"DATABASE_URL": database_url, "SWITCHHOOK_DATA_DIR": str(tmp_path), "SWITCHHOOK_LOG": "quiet"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return engine


async def called(*words: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of a command."""
    done = await asyncio.to_thread(CliRunner().invoke, app, words)
    return done.exit_code, done.stdout, done.stderr


async def test_notify_says_how_each_channel_of_a_person_stands_and_tries_them(
    house: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 while one that they want does not work; a test message goes out by these alone, and marks the dead."""
    assert await called("notify", "nobody") == (2, "", "PERSON: there is no 'nobody' in the directory\n")
    code, said, _ = await called("notify", "vera", "--json")
    assert code == 1
    assert [(one["channel"], one["wanted"], one["reason"]) for one in json.loads(said)] == [
        ("email", True, "not_set_up"), ("telegram", True, "not_set_up"), ("webhook", False, "not_set_up"),
    ]  # fmt: skip
    async with open_told_world(tmp_path) as world:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        assert (await called("notify", "vera"))[0] == 0
        assert (world.mail.taken, world.telegram.taken) == ([], [])
        world.telegram.answers = [telegram_error(403, "Forbidden: bot was blocked by the user")]
        tried = [await called("notify", "vera", *words) for words in (("--test",), (), ("--test",), ())]
        assert [code for code, _, _ in tried] == [1, 1, 0, 0]
        assert [len(world.mail.taken), len(world.telegram.taken), len(world.webhook.taken)] == [2, 1, 0]
    assert "vera@romashka.example" in tried[0][1]


async def test_leads_attention_lists_who_waits_and_who_has_too_many(house: AsyncEngine) -> None:
    """For people and for programs."""
    now = datetime.now(UTC)
    async with house.begin() as connection:
        for days in (40, 0):
            party = (await connection.execute(insert(parties).values(name="Пётр").returning(parties.c.id))).scalar_one()
            at = now - timedelta(days=days)
            row = {"stage": "qualified", "owner": "anna", "source_line": LINE, "opened_at": at, "stage_at": at}
            due = {"deadline_at": at + timedelta(days=1)}
            await connection.execute(insert(leads).values(party_id=party, **row, **due))
    code, said, _ = await called("leads", "attention", "--json")
    told = json.loads(said)
    assert (code, told["counts"]) == (0, {"overdue": 1, "forgotten": 1, "long": 0, "overloaded": 1})
    words = (await called("leads", "attention"))[1]
    assert f"overdue: 1\n  lead 1  Пётр  qualified  anna  since {now - timedelta(days=40):%Y-%m-%d}\n" in words
    assert "overloaded: 1\n  anna  2 open, limit 1\n" in words
    assert [one["name"] for one in told["overdue"]] == ["Пётр"]


async def test_an_overdue_promise_is_told_its_owner_and_the_head_once(engine: AsyncEngine) -> None:
    """When the promise becomes the head's business, and never before or again."""
    await furnish(engine)
    call = Told(engine)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.hangs_up(after=30)
    await call.is_promised()
    assert await escalate(engine, overdue.tell_overdue) == 0
    async with engine.begin() as connection:
        await connection.execute(update(follow_ups).values(due_at=datetime.now(UTC) - timedelta(minutes=1)))
    assert [await escalate(engine, overdue.tell_overdue) for _ in range(2)] == [1, 0]
    async with engine.connect() as connection:
        asked = text("select person, kind, subject, values ->> 'line', values ->> 'owner' from notices order by person")
        rows = [tuple(row) for row in await connection.execute(asked)]
    assert rows == [(person, "follow_up_overdue", "follow_up", LINE, "anna") for person in ("anna", "vera")]


async def test_messages_are_counted_by_their_end_and_the_oldest_that_is_due_is_told(house: AsyncEngine) -> None:
    """What waits for its person's morning is not due; what may have arrived is owed no more; a dead address counts."""
    async with house.begin() as connection:
        for number in range(3):
            notice = Notice(key=f"test {number}", kind="test", subject="house")
            await tell(connection, HOUSE, notice, ["vera"])
        mails = notice_messages.c.channel == "email"
        later = datetime.now(UTC) + timedelta(hours=1)
        await connection.execute(update(notice_messages).where(~mails).values(due_at=later))
        due = datetime.now(UTC) - timedelta(minutes=40)
        await connection.execute(update(notice_messages).where(mails).values(due_at=due))
        first = notice_messages.c.notice_id == 1
        lost = {"state": "sent", "reason": "answer_lost", "due_at": due - timedelta(hours=9)}
        await connection.execute(update(notice_messages).where(mails, first).values(lost))
        await connection.execute(insert(notice_counts).values(channel="email", result="unknown", count=1))
        await bury(connection, TOLD, "telegram", "blocked")
    told = {
        (sample.name.removeprefix("switchhook_"), *sample.labels.values()): sample.value
        for family in await DatabaseGauges(house).read()
        for sample in family.samples
    }
    assert (told["notices_total", "email", "unknown"], told["notices_total", "email", "done"]) == (1, 0)
    assert [told["notices_open", channel] for channel in ("email", "telegram", "webhook")] == [2, 0, 0]
    assert [told["notice_addresses_dead", channel] for channel in ("email", "telegram")] == [0, 1]
    assert 2400 <= told["notice_oldest_seconds", "email"] < 3000
    assert told["notice_oldest_seconds", "telegram"] == 0
