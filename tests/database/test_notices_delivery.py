"""One message from its transaction to its end: sent once as far as its channel can, tried again, or told as dead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.queue import Crew, Timing, TryAgain, make_app, work
from directory import store
from directory.model import Directory, Person
from notices import inbox
from notices.channel import REASONS, Channel, Rich
from notices.delivering import MADE_TRIES, NoticeJobs
from notices.model import KINDS, Notice, Told, Written
from notices.telling import tell
from service.settings import Settings
from service.telling import open_channels
from service.worker_role import crews_of
from tests.fakes.directories import OFFICE
from tests.fakes.listeners import CHAT, hang_up, telegram_error
from tests.fakes.told_world import ToldWorld
from web.notice_text import NoticeWords
from web.words import LANGUAGES, has_words, say

VERA = replace(
    OFFICE.people[2],
    email="vera@romashka.example",
    telegram=CHAT,
    notify=("page", "email", "telegram", "webhook"),
    quiet="never",
)


async def told(
    engine: AsyncEngine, person: Person = VERA, lead: int = 7, at: datetime | None = None
) -> dict[str, UUID]:
    """Vera is told that a deadline of Anna's passed; gives the id of each message by its channel."""
    values = {"deadline": "qualifying", "due_at": "2026-03-02T09:00:00+00:00", "owner": "anna"}
    notice = Notice(
        key=f"deadline_passed {lead}", kind="deadline_passed", subject="lead", subject_id=str(lead), values=values
    )
    async with engine.begin() as connection:
        house = replace(OFFICE, people=(*OFFICE.people[:2], person))
        await store.apply(connection, house)
        await tell(connection, house, notice, ["vera"], at=at)
    return dict(await asked(engine, "select channel, id from notice_messages"))


async def asked(engine: AsyncEngine, sql: str) -> list[Any]:
    async with engine.connect() as connection:
        return list((await connection.execute(text(sql))).all())


async def states(engine: AsyncEngine) -> dict[str, tuple[str, str | None, int]]:
    """State, reason and tries of the messages, by channel."""
    rows = await asked(engine, "select channel, state, reason, tried_count from notice_messages")
    return {row[0]: tuple(row[1:]) for row in rows}


def jobs(engine: AsyncEngine, channels: Mapping[str, Channel]) -> NoticeJobs:
    return NoticeJobs(engine=engine, channels=channels, words=NoticeWords(None))


@asynccontextmanager
async def one_channel(engine: AsyncEngine, world: ToldWorld, name: str) -> AsyncIterator[tuple[NoticeJobs, UUID]]:
    """The job of the message that Vera gets by one channel."""
    messages = await told(engine, replace(VERA, notify=(name,)))  # type: ignore[arg-type]  # one of the channels
    async with open_channels(world.settings) as channels:
        yield jobs(engine, channels), messages[name]


async def test_what_a_transaction_owed_a_worker_sends_by_every_channel(
    engine: AsyncEngine, database_url: str, world: ToldWorld
) -> None:
    await told(engine)
    stop = asyncio.Event()
    async with open_channels(world.settings) as channels, asyncio.timeout(20), asyncio.TaskGroup() as group:
        app = make_app(database_url, jobs(engine, channels).tasks())
        group.create_task(work(app, [Crew(("notices",), 4)], stop, Timing(grace=0.3)))
        while {one[0] for one in (await states(engine)).values()} != {"done"}:
            await asyncio.sleep(0.02)
        stop.set()
    assert [len(one.taken) for one in (world.mail, world.telegram, world.webhook)] == [1, 1, 1]
    assert await asked(engine, "select channel, result, count from notice_counts order by 1") == [
        ("email", "done", 1), ("telegram", "done", 1), ("webhook", "done", 1),
    ]  # fmt: skip


async def test_the_language_is_that_of_the_persons_login(engine: AsyncEngine, world: ToldWorld) -> None:
    async with one_channel(engine, world, "telegram") as (job, message):
        async with engine.begin() as connection:
            await connection.execute(
                text("insert into users (login, role, person_key, language) values ('vera', 'head', 'vera', 'en')")
            )
        await job.deliver(message, 0)
    assert world.telegram.taken[0]["text"].startswith("The deadline of lead no. 7 has passed\n")


async def test_a_dead_address_gets_nothing_more_and_another_one_does(engine: AsyncEngine, world: ToldWorld) -> None:
    """The bot was blocked: no message is tried again, none is planned, until the person has another chat."""
    world.telegram.answers = [telegram_error(403, "Forbidden: bot was blocked by the user")]
    async with one_channel(engine, world, "telegram") as (job, message):
        for attempt in range(2):
            await job.deliver(message, attempt)
    assert await states(engine) == {"telegram": ("dead", "blocked", 1)}
    assert await asked(engine, "select channel, reason from dead_channels") == [("telegram", "blocked")]
    here = replace(VERA, notify=("telegram",))
    await told(engine, here, lead=8)
    await told(engine, replace(here, telegram="78"), lead=9)
    sent_to = await asked(engine, "select subject_id from notice_messages join notices on notices.id = notice_id")
    assert sorted(sent_to) == [("7",), ("9",)]


async def test_what_may_pass_is_tried_again_and_arrives_once(engine: AsyncEngine, world: ToldWorld) -> None:
    """As late as the other side asks."""
    world.telegram.answers = [telegram_error(429, "Too Many Requests: retry after 31", retry_after=31)]
    async with one_channel(engine, world, "telegram") as (job, message):
        with pytest.raises(TryAgain, match="rate_limited") as again:
            await job.deliver(message, 0)
        assert again.value.seconds == 31
        assert await states(engine) == {"telegram": ("planned", "rate_limited", 1)}
        for attempt in range(1, 3):
            await job.deliver(message, attempt)
    assert await states(engine) == {"telegram": ("done", None, 2)}
    assert len(world.telegram.taken) == 1


@pytest.mark.parametrize("channel, ends", [("telegram", ("sent", "answer_lost", 1)), ("webhook", ("done", None, 2))])
async def test_whose_answer_was_lost_is_told_again_only_where_that_is_noticed(
    engine: AsyncEngine, world: ToldWorld, channel: str, ends: tuple[str, str | None, int]
) -> None:
    """Telegram knows no message again: told perhaps is better than told twice, and the page has it anyway."""
    listener = getattr(world, channel)
    listener.answers = [hang_up]
    async with one_channel(engine, world, channel) as (job, message):
        for attempt in range(2):
            try:
                await job.deliver(message, attempt)
            except TryAgain:
                assert await states(engine) == {channel: ("sent", None, 1)}
    assert await states(engine) == {channel: ends}
    assert listener.asked == ends[2]
    assert len({one.get("id") for one in listener.taken}) == 1


@pytest.mark.parametrize("channel, ends", [("telegram", ("sent", "answer_lost", 1)), ("email", ("done", None, 2))])
async def test_a_worker_that_dies_while_it_sends(
    engine: AsyncEngine, world: ToldWorld, channel: str, ends: tuple[str, str | None, int]
) -> None:
    """What it had written down before says how far it may have come."""
    async with one_channel(engine, world, channel) as (job, message):
        assert await job._take(message, 0) is not None
        await job.deliver(message, 1)
    assert await states(engine) == {channel: ends}
    assert len(world.telegram.taken) + len(world.mail.taken) == (channel == "email")


async def test_what_is_made_when_it_is_sent_is_made_before_it_is_written_down_as_sent(
    engine: AsyncEngine, world: ToldWorld
) -> None:
    """Whoever dies while it is made has sent nothing, and another one sends it."""
    ids = await told(engine, replace(VERA, notify=("telegram",)))
    fails = [RuntimeError("killed")]

    async def made(_directory: Directory, notice: Told) -> tuple[Written, Rich]:
        assert await states(engine) == {"telegram": ("planned", None, 0)}
        if fails:
            raise fails.pop()
        return Written("title", "text", None), Rich(html="", caption=f"<b>{notice.kind}</b> {notice.subject_id}")

    async with open_channels(world.settings) as channels:
        job = replace(jobs(engine, channels), made={"deadline_passed": made})
        with pytest.raises(RuntimeError, match="killed"):
            await job.deliver(ids["telegram"], 0)
        await job.deliver(ids["telegram"], 1)
        await job.deliver(ids["telegram"], 2)
    assert await states(engine) == {"telegram": ("done", None, 1)}
    assert world.telegram.taken == [{"chat": 77, "text": "deadline_passed 7"}]


async def test_servers_that_are_away_are_waited_for_a_day_and_no_longer(engine: AsyncEngine, world: ToldWorld) -> None:
    """Nothing listens there; every wait is longer than the one before, up to a quarter of an hour."""
    mail = world.settings.mail.model_copy(update={"port": 9})
    ids = await told(engine, replace(VERA, notify=("email",)))
    async with open_channels(world.settings.model_copy(update={"mail": mail})) as channels:
        job, waits = jobs(engine, channels), list[float]()
        for attempt in range(10):
            with pytest.raises(TryAgain, match="unreachable") as again:
                await job.deliver(ids["email"], attempt)
            waits.append(again.value.seconds)
        assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]
        async with engine.begin() as connection:
            await connection.execute(text("update notice_messages set due_at = now() - interval '25 hours'"))
        await job.deliver(ids["email"], 11)
    assert await states(engine) == {"email": ("dead", "too_late", 10)}


async def test_a_channel_that_is_not_set_up_is_waited_for_a_day(engine: AsyncEngine) -> None:
    """A worker with other channels soon gives it to one that has this; one that has none leaves the queue to others."""
    ids = await told(engine, replace(VERA, notify=("telegram", "email")))
    job = jobs(engine, {})
    with pytest.raises(TryAgain, match="not_set_up") as again:
        await job.deliver(ids["telegram"], 0)
    assert again.value.seconds == 5
    assert (await job.end_late(), await states(engine)) == (0, dict.fromkeys(ids, ("planned", None, 0)))
    async with engine.begin() as connection:
        await connection.execute(text("update notice_messages set due_at = now() - interval '25 hours'"))
    await job.deliver(ids["telegram"], 1)
    assert (await states(engine))["email"] == ("planned", None, 0)
    assert [await job.end_late() for _ in range(2)] == [1, 0]
    assert await states(engine) == dict.fromkeys(ids, ("dead", "not_set_up", 0))
    settings = Settings()
    assert [crew.queues for crew in crews_of(("crm", "notices"), settings, {})] == [("crm",)]
    assert [crew.queues for crew in crews_of(("crm", "notices"), settings, {"email"})] == [("crm",), ("notices",)]


async def test_in_quiet_hours_a_message_waits_and_then_goes_out(engine: AsyncEngine, world: ToldWorld) -> None:
    ids = await told(engine, replace(VERA, notify=("telegram",)), at=datetime.now(UTC) + timedelta(minutes=30))
    async with open_channels(world.settings) as channels:
        job = jobs(engine, channels)
        with pytest.raises(TryAgain, match="disturbed") as again:
            await job.deliver(ids["telegram"], 0)
        assert 1700 < again.value.seconds <= 1800
        async with engine.begin() as connection:
            await connection.execute(text("update notice_messages set due_at = now()"))
        await job.deliver(ids["telegram"], 1)
    assert await states(engine) == {"telegram": ("done", None, 1)}


async def test_what_cannot_be_made_goes_out_in_its_plain_words(engine: AsyncEngine, world: ToldWorld) -> None:
    """Nothing is sent before the last try, and then the words and the link."""

    async def fail(*_: object) -> tuple[Written, Rich]:
        raise LookupError("a row that nobody thought of")

    ids = await told(engine, replace(VERA, notify=("email",)))
    async with open_channels(world.settings) as channels:
        words = NoticeWords("https://calls.romashka.example")
        job = NoticeJobs(engine=engine, channels=channels, words=words, made={"deadline_passed": fail})
        for attempt in range(MADE_TRIES - 1):
            with pytest.raises(LookupError):
                await job.deliver(ids["email"], attempt)
        assert (world.mail.taken, await states(engine)) == ([], {"email": ("planned", None, 0)})
        await job.deliver(ids["email"], MADE_TRIES - 1)
    (mail,) = world.mail.taken
    assert "https://calls.romashka.example/leads/7" in mail.get_content()


async def test_what_was_told_long_ago_is_forgotten_and_still_counted(engine: AsyncEngine, world: ToldWorld) -> None:
    async with one_channel(engine, world, "telegram") as (job, message):
        await job.deliver(message, 0)
    async with engine.begin() as connection:
        assert await inbox.forget_old(connection, datetime.now(UTC) + timedelta(days=89)) == 0
        assert await inbox.forget_old(connection, datetime.now(UTC) + timedelta(days=91)) == 1
    assert await states(engine) == {}
    assert await asked(engine, "select result, count from notice_counts") == [("done", 1)]


def test_every_kind_and_every_reason_has_words() -> None:
    """In both languages, with the values that it names and no other."""
    for kind, names in KINDS.items():
        for key in (f"notice.{kind}", f"notice.{kind}.text"):
            assert all(say(language, key, id="7", **dict.fromkeys(names, "x")) for language in LANGUAGES)
    assert all(has_words(f"undelivered.{reason}") for reason in REASONS)
