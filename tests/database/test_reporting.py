"""Who is told a report at the end of their day, once; and what goes out by mail and into a chat."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.hours import read_week
from directory.model import Company, Directory, Hours
from notices.delivering import NoticeJobs
from notices.model import Notice, Told
from recordings.processes import ProcessDiedError, Processes
from reports.due import Due
from reports.facts import Fact
from reports.report import Audience
from reports.tables import report_days
from service import reporting
from service.composing import Composer, open_composing
from service.reporting import send_now, tell_due
from service.settings import Settings, WebSettings
from service.telling import open_channels
from service.wiring import House
from tests.fakes import counted
from tests.fakes.command import Running, begin
from tests.fakes.directories import LINE, OFFICE, noon_zone
from tests.fakes.listeners import CHAT
from tests.fakes.told_world import ToldWorld
from web.notice_text import NoticeWords

ANNA, BORIS, VERA = OFFICE.people
TOLD = replace(VERA, email="vera@romashka.example", telegram=CHAT, notify=("page", "email", "telegram"))
HOUSE = replace(OFFICE, people=(ANNA, BORIS, TOLD))
FRIDAY = date(2026, 10, 23)
CLOSES = datetime(2026, 10, 23, 15, tzinfo=UTC)
"""18:00 of Friday in Moscow, when the office closes."""


async def furnish(engine: AsyncEngine, house: Directory = HOUSE) -> None:
    """The house, whose days until Sunday were counted when they were over."""
    async with engine.begin() as connection:
        await store.apply(connection, house)
    await counted.keep(engine, [], FRIDAY - timedelta(days=70), FRIDAY + timedelta(days=2))


async def asked(engine: AsyncEngine, sql: str) -> list[Any]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


async def told(engine: AsyncEngine) -> list[Any]:
    """Who was told which report of what."""
    return await asked(engine, "select person, key from notices order by person, key")


OF_FRIDAY = [
    ("anna", "report daily 2026-10-23 person anna"),
    ("boris", "report daily 2026-10-23 person boris"),
    ("vera", "report daily 2026-10-23 team sales"),
    ("vera", "report daily 2026-10-23 team support"),
]


async def test_at_the_end_of_the_day_each_is_told_theirs_once_though_two_workers_do_it(engine: AsyncEngine) -> None:
    """Managers their own, the head the teams'; nobody is an admin, to whom the house's would go."""
    await furnish(engine)
    await tell_due(engine, CLOSES - timedelta(minutes=1))
    assert {key for _, key in await told(engine) if "2026-10-22" not in key} == set()
    async with engine.begin() as connection:
        await connection.execute(text("delete from notices"))
    assert sum(await asyncio.gather(*(tell_due(engine, CLOSES + timedelta(seconds=20)) for _ in range(2)))) == 4
    assert await told(engine) == OF_FRIDAY
    assert await tell_due(engine, CLOSES + timedelta(hours=20)) == 0
    subjects = await asked(engine, "select distinct kind, subject, subject_id from notices")
    assert subjects == [("report_daily", "report", "2026-10-23")]


async def test_nobody_is_told_of_a_day_on_which_they_are_closed(engine: AsyncEngine) -> None:
    """Sales' week ends on Saturday; support, whose line is always open, has a Sunday."""
    await furnish(engine)
    await tell_due(engine, CLOSES + timedelta(days=2))
    assert {key.removeprefix("report ") for _, key in await told(engine)} == {
        "daily 2026-10-25 team support", "weekly 2026-10-19 team support",
    }  # fmt: skip


async def test_quiet_is_judged_by_the_last_minute_of_the_day_and_kept(engine: AsyncEngine) -> None:
    """Anna works until then, and is told then; Boris wants his peace from five on, and Vera's worker came at night."""
    notify = {"email": "a@romashka.example", "notify": ("email",)}
    anna, boris = replace(ANNA, **notify), replace(BORIS, quiet="17:00-09:00", **notify)  # type: ignore[arg-type]
    await furnish(engine, replace(HOUSE, people=(anna, boris, TOLD)))
    await tell_due(engine, CLOSES)
    due = "select person, due_at from notice_messages join notices on notices.id = notice_id where person <> 'vera'"
    assert dict(await asked(engine, due)) == {
        "anna": CLOSES - timedelta(minutes=1), "boris": datetime(2026, 10, 24, 6, tzinfo=UTC),
    }  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(text("delete from notices"))
    await tell_due(engine, CLOSES + timedelta(hours=5))
    assert dict(await asked(engine, due))["anna"] == datetime(2026, 10, 24, 7, tzinfo=UTC)


async def test_a_report_waits_for_its_days_to_be_counted_for_half_an_hour(engine: AsyncEngine) -> None:
    """Something of the day that it is compared with came late; a day that was never counted is as late."""
    await furnish(engine)
    for late in (
        "update report_days set waiting = day = '2026-10-16'",
        "delete from report_days where day >= '2026-10-23'",
    ):
        async with engine.begin() as connection:
            await connection.execute(text(late))
            await connection.execute(text("delete from notices"))
        await tell_due(engine, CLOSES + timedelta(minutes=30))
        assert set(OF_FRIDAY).isdisjoint(await told(engine))
        await tell_due(engine, CLOSES + timedelta(minutes=31))
        assert set(OF_FRIDAY) <= set(await told(engine))


async def test_nobody_is_told_of_the_time_before_there_was_anything(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    assert await tell_due(engine, CLOSES + timedelta(hours=3)) == 0
    await counted.keep(engine, [], FRIDAY + timedelta(days=1), FRIDAY + timedelta(days=1))
    assert await tell_due(engine, CLOSES + timedelta(hours=3)) == 0


async def test_a_day_that_was_counted_before_its_end_is_counted_anew_for_its_report(engine: AsyncEngine) -> None:
    await furnish(engine)
    async with engine.begin() as connection:
        await connection.execute(update(report_days).values(built_at=CLOSES - timedelta(minutes=5)))
    at = CLOSES + timedelta(seconds=20)
    await tell_due(engine, at)
    assert set(OF_FRIDAY) <= set(await told(engine))
    assert await asked(engine, "select built_at from report_days where day = '2026-10-23'") == [(at,)]


async def test_a_report_that_cannot_be_told_keeps_no_other_from_being(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anna's is no notice, for it names nobody; the others' are told."""
    await furnish(engine)

    def about(one: Due, so_far: str = "") -> Notice:
        told = notice(one, so_far)
        return replace(told, values={}) if one.audience.key == "anna" else told

    notice = reporting._notice
    monkeypatch.setattr(reporting, "_notice", about)
    await tell_due(engine, CLOSES)
    assert set(OF_FRIDAY[1:]) <= set(await told(engine))


async def test_what_is_told_by_hand_is_told_beside_that_of_the_days_end_or_instead_of_it(engine: AsyncEngine) -> None:
    """Of a day that goes on it is one of so far; of one that is over it is the same."""
    await furnish(engine)
    sales = Audience("team", "sales")
    assert await send_now(engine, "daily", FRIDAY, sales, CLOSES - timedelta(hours=2)) == ("vera",)
    assert await send_now(engine, "daily", FRIDAY, sales, CLOSES) == ("vera",)
    assert await send_now(engine, "daily", FRIDAY, sales, CLOSES + timedelta(hours=1)) == ()
    await tell_due(engine, CLOSES + timedelta(hours=1))
    so_far = ("vera", "report daily 2026-10-23 team sales 2026-10-23T13:00")
    assert await told(engine) == sorted([*OF_FRIDAY, so_far])


def facts() -> list[Fact]:
    """A Friday on which sales missed every second call, after weeks on which they missed none."""
    friday = [
        Fact(FRIDAY, "calls_in", "sales", LINE, "anna", "answered", 20),
        Fact(FRIDAY, "calls_in", "sales", LINE, "", "missed", 20),
        Fact(FRIDAY, "answered", "sales", LINE, "anna", "", 20),
        Fact(FRIDAY, "missed", "sales", LINE, "", "rang_out", 20),
        Fact(FRIDAY, "charged", "sales", LINE, "anna", "rang_out", 18),
        Fact(FRIDAY, "charged", "sales", LINE, "boris", "rang_out", 2),
    ]
    before = [one.of(40) for one in friday if one.count in {"calls_in", "answered"} and one.person]
    return [*friday, *counted.weekdays(before, 8)]


async def test_what_goes_out_is_the_report_in_words_pictures_and_a_chats_caption(
    engine: AsyncEngine, world: ToldWorld, tmp_path: Path
) -> None:
    """Nothing is fetched from outside, the links lead to our pages, and the chat has one message."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    await counted.keep(engine, facts(), FRIDAY - timedelta(weeks=8), FRIDAY)
    await send_now(engine, "daily", FRIDAY, Audience("team", "sales"), CLOSES)
    async with engine.begin() as connection:
        await connection.execute(text("update notice_messages set due_at = now()"))
    settings = Settings(data_dir=tmp_path, web=WebSettings(public_url="https://calls.romashka.example"))
    async with open_composing(House(settings, "", engine)) as made, open_channels(world.settings) as channels:
        jobs = NoticeJobs(engine=engine, channels=channels, words=NoticeWords(None), made=made)
        for (message,) in await asked(engine, "select id from notice_messages"):
            await jobs.deliver(message, 0)
    (mail,) = world.mail.taken
    plain, related = mail.iter_parts()
    document, *pictures = related.iter_parts()
    html, words = document.get_content(), plain.get_content()
    assert "(Продажи, 23 окт.)" in mail["Subject"]
    assert "Пропущенные: 20 (" in words
    assert "Анна Смирнова" in words
    assert [one.get_content()[1:4] for one in pictures] == [b"PNG", b"PNG"]
    assert all(f'src="cid:{one["Content-ID"].strip("<>")}"' in html for one in pictures)
    assert html.count("src=") == len(pictures)
    assert html.count("https://") == html.count('href="https://calls.romashka.example/')
    (chat,) = world.telegram.taken
    assert chat["text"].splitlines()[0] == mail["Subject"]
    assert chat["photo"] == pictures[0].get_content()


class Broken(Processes):
    """Its process dies whatever it is given."""

    async def run(self, work: Any, *what: Any, **named: Any) -> Any:
        raise ProcessDiedError("killed")


async def test_a_report_whose_pictures_cannot_be_drawn_goes_out_without_them(engine: AsyncEngine) -> None:
    await counted.keep(engine, facts(), FRIDAY - timedelta(weeks=8), FRIDAY)
    values: dict[str, str | int] = {"audience": "team", "about": "sales"}
    notice = Told("vera", "report_daily", "report", FRIDAY.isoformat(), values, CLOSES, "en")
    written, rich = await Composer(engine, Broken(1), None)(HOUSE, notice)
    assert (rich.pictures, written.link, "<img" in rich.html) == ((), None, False)
    assert "(Продажи, 23 Oct)" in written.title
    assert "Missed: 20 (" in rich.caption


async def test_a_drawing_that_hangs_is_ended_and_the_next_one_is_drawn() -> None:
    processes = Processes(1, most_seconds=2)
    try:
        with pytest.raises(ProcessDiedError, match="too long"):
            await processes.run(time.sleep, 600)
        processes.most_seconds = 50
        assert await processes.run(abs, -7) == 7
    finally:
        await processes.close()


async def start(world: ToldWorld, url: str, folder: Path, number: int) -> Running:
    """A worker that tells and sends reports."""
    said = folder / f"said-{number}"
    said.touch()
    told = {"DATABASE_URL": url, "SWITCHHOOK_DATA_DIR": str(folder / "data"), "SWITCHHOOK_LOG": "json"}
    told |= {"SWITCHHOOK_JOBS__STALLED_SECONDS": "3", **world.environment}
    return await begin("worker", "--queue", "reports", "--queue", "notices", said=said, room=None, **told)


async def test_a_worker_that_is_killed_while_it_sends_leaves_one_report_in_the_mailbox(
    engine: AsyncEngine, database_url: str, world: ToldWorld, tmp_path: Path
) -> None:
    """The day of the house ends as it starts; the next worker sends it with the same id, and so it is there once."""
    now = datetime.now(UTC)
    wall = now + timedelta(hours=12 - now.hour)
    hours = Hours("until_now", read_week({"mon-sun": f"00:00-{wall:%H:%M}"}))
    people = (ANNA, BORIS, replace(TOLD, notify=("email",), quiet="never"))
    teams = (replace(OFFICE.teams[0], hours="until_now"),)
    company = Company(name="Ромашка", time_zone=noon_zone(now))
    house = replace(
        OFFICE, company=company, hours=(*OFFICE.hours, hours), people=people, teams=teams, lines=OFFICE.lines[:1]
    )
    async with engine.begin() as connection:
        await store.apply(connection, house)
        await connection.execute(insert(report_days).values(day=wall.date(), built_at=now))
    world.mail.answers = ["wait"]
    worker = await start(world, database_url, tmp_path, 1)
    try:
        async with asyncio.timeout(60):
            await world.mail.arrived.wait()
        worker.send_signal(signal.SIGKILL)
        assert await worker.wait() == -signal.SIGKILL
        worker = await start(world, database_url, tmp_path, 2)
        async with asyncio.timeout(60):
            while await asked(engine, "select id from notice_messages where state <> 'done'"):
                await asyncio.sleep(0.05)
    finally:
        worker.send_signal(signal.SIGTERM)
        await worker.wait()
    notices = await asked(engine, "select key from notices where person = 'vera'")
    assert len({mail["Message-ID"] for mail in world.mail.taken}) == len(notices) == len(world.mail.taken) - 1
