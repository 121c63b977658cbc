"""What concerns a person is told them once: by the channels they want, when they may be disturbed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from directory import store
from directory.model import Directory, Person
from notices import inbox
from notices.model import Notice, NoticeRefused
from notices.telling import CHANNEL, heads_of, tell
from tests.fakes.directories import LINE, OFFICE

ANNA, BORIS, VERA = OFFICE.people
DAY = datetime.fromisoformat("2026-03-02T12:00+03:00")
NIGHT = datetime.fromisoformat("2026-03-02T23:00+03:00")

HOUSE = replace(
    OFFICE,
    people=(
        ANNA,
        replace(BORIS, email="boris@romashka.example", notify=("page", "email"), quiet="22:00-08:00"),
        replace(VERA, telegram="77", email="vera@romashka.example", notify=("email", "telegram", "webhook")),
    ),
)


def passed(lead: int = 7) -> Notice:
    """A deadline that ran out."""
    values = {"deadline": "qualify", "due_at": "2026-03-02T09:00:00+00:00", "owner": "anna"}
    return Notice(
        key=f"deadline_passed {lead}", kind="deadline_passed", subject="lead", subject_id=str(lead), values=values
    )


async def furnish(engine: AsyncEngine, *people: Person) -> Directory:
    """The house, in the database."""
    house = replace(HOUSE, people=people or HOUSE.people)
    async with engine.begin() as connection:
        await store.apply(connection, house)
    return house


async def rows(engine: AsyncEngine, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql), values)]


async def told(engine: AsyncEngine, *people: str | None, at: datetime = DAY) -> int:
    async with engine.begin() as connection:
        return await tell(connection, HOUSE, passed(), people, at=at)


MESSAGES = """
    select person, channel, state, due_at from notice_messages join notices on notices.id = notice_id
    order by person, channel
"""


async def test_a_notice_is_told_once_however_often_and_by_however_many(engine: AsyncEngine) -> None:
    """Ten tellers at once, and one after a restart, make one row a person and one job a message."""
    await furnish(engine)
    counts = await asyncio.gather(*(told(engine, "vera", "boris", "anna") for _ in range(10)))
    assert (sum(counts), await told(engine, "vera")) == (3, 0)
    assert await rows(engine, "select person, on_page from notices order by person") == [
        ("anna", True),
        ("boris", True),
        ("vera", False),
    ]
    assert await rows(engine, MESSAGES) == [
        ("boris", "email", "planned", DAY),
        ("vera", "email", "planned", DAY),
        ("vera", "telegram", "planned", DAY),
        ("vera", "webhook", "planned", DAY),
    ]
    assert await rows(engine, "select count(*) from procrastinate_jobs where queue_name = 'notices'") == [(4,)]


async def test_messages_wait_for_the_morning_and_the_page_does_not(engine: AsyncEngine) -> None:
    await furnish(engine)
    await told(engine, "boris", at=NIGHT)
    ((_, _, _, due_at),) = await rows(engine, MESSAGES)
    assert due_at == datetime.fromisoformat("2026-03-03T08:00+03:00")
    assert await rows(engine, "select on_page, read_at from notices") == [(True, None)]


async def test_a_report_is_on_the_pages_of_this_version_and_not_on_those_of_the_one_before(engine: AsyncEngine) -> None:
    """That reads `on_page`, and knows nothing of reports; who wants nothing on the pages has none of them there."""
    await furnish(engine)
    values = {"audience": "person", "about": "anna"}
    report = Notice(key="report", kind="report_daily", subject="report", subject_id="2026-03-02", values=values)
    async with engine.begin() as connection:
        await tell(connection, HOUSE, report, ["anna", "vera"])
        await tell(connection, HOUSE, passed(), ["anna"])
        await connection.execute(text("update notices set shown = null where subject = 'lead'"))
        mine = [await inbox.listed(connection, key, unread=True) for key in ("anna", "vera")]
        assert [[row.subject for row in told] for told in mine] == [["lead", "report"], []]
        assert [await inbox.unread_count(connection, key) for key in ("anna", "vera")] == [2, 0]
    assert await rows(engine, "select subject from notices where on_page") == [("lead",)]


async def test_who_is_not_in_the_directory_is_told_nothing(engine: AsyncEngine) -> None:
    """Nobody, and who left; whoever leaves later takes what they were told along."""
    await furnish(engine)
    assert await told(engine, None, "gone", "vera") == 1
    async with engine.begin() as connection:
        await store.apply(
            connection, replace(HOUSE, people=HOUSE.people[:2], teams=OFFICE.teams[:1], lines=OFFICE.lines[:1])
        )
    assert await rows(engine, "select 1 from notices union all select 1 from notice_messages") == []


async def test_a_page_hears_of_it_when_the_transaction_commits(engine: AsyncEngine) -> None:
    await furnish(engine)
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with engine.connect() as listening:
        driver: Any = (await listening.get_raw_connection()).driver_connection
        await driver.add_listener(CHANNEL, lambda *told: heard.put_nowait(told[-1]))
        await told(engine, "anna")
        assert await asyncio.wait_for(heard.get(), 30) == "anna"
        await listening.invalidate()


def test_the_heads_are_those_of_the_lines_team_else_all() -> None:
    assert heads_of(OFFICE, LINE) == ("vera",)
    other = Person(key="olga", name="Ольга", role="head")
    sales = replace(OFFICE.teams[0], members=("anna", "olga"))
    house = replace(OFFICE, people=(*OFFICE.people, other), teams=(sales, OFFICE.teams[1]))
    assert (heads_of(house, LINE), heads_of(house, None)) == (("olga",), ("vera", "olga"))


@pytest.mark.parametrize(
    "changed, why",
    [
        ({"kind": "gossip"}, "kind"),
        ({"values": {}}, "values of deadline_passed"),
        ({"values": {"deadline": "qualify", "due_at": "", "owner": "Анна"}}, "owner"),
        ({"values": {"deadline": "79161234567", "due_at": "", "owner": ""}}, "deadline"),
        ({"subject_id": "a b"}, "subject_id"),
        ({"key": ""}, "key"),
    ],
)
def test_nothing_of_a_person_outside_can_be_told(changed: dict[str, Any], why: str) -> None:
    """Neither a name nor a telephone number passes for a value, so that no message and no row ever holds one."""
    with pytest.raises(NoticeRefused, match=why):
        replace(passed(), **changed)
