"""A quarter with known truths in it: reports name exactly those, first, and of quiet days nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Final

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect, plain
from calls.write import row_of
from directory.numbers import Regions
from reports.assembling import make_report
from reports.building import build_day
from reports.report import Audience, Finding, Kind
from service.demo_history import Truth
from service.demo_history.shapes import seen
from tests.fakes.quarter import HOUSE, Quarter, plant, quarter

LAST: Final = date(2026, 10, 31)
"""A Saturday, and the end of a month, after thirteen weeks without a public holiday."""
NOW: Final = datetime(2026, 10, 31, 20, 59, tzinfo=UTC)
COUNTED_DAYS: Final = 77
"""At the end of the quarter: eight weeks before a day of October, and some of the days before that."""
EVERYBODY: Final = Audience("house")
QUIET_UNTIL: Final = date(2026, 10, 10)

OF_OCTOBER: Final = frozenset({Truth.BAD_MANAGER, Truth.DEAD_PHONE, Truth.OUTAGE, Truth.SILENT_LINE, Truth.GOOD_SOURCE})
OF_ITS_END: Final = frozenset({Truth.FALLING_STEP, Truth.OVERLOAD})

NAMED: Final = {
    Truth.BAD_MANAGER: ("disqualifies_more", "person", "gleb"),
    Truth.DEAD_PHONE: ("phone_dead_weekday", "person", "kira"),
    Truth.OUTAGE: ("outage", "day", "2026-10-21"),
    Truth.SILENT_LINE: ("line_silent", "line", "74955550302"),
    Truth.GOOD_SOURCE: ("source_good", "source", "Выставка"),
    Truth.FALLING_STEP: ("step_falls", "step", "booking"),
    Truth.OVERLOAD: ("overload", "person", "nikita"),
}
"""What a report calls each truth, and about whom it says so."""

NewDatabase = Callable[[], AbstractAsyncContextManager[str]]

_ONE_OF_EACH = text(
    """
    select distinct on (direction, status, missed_cause) calls.*, state #>> '{}' as told from calls
    order by direction, status, missed_cause, started_at
    """
)


class House:
    """A database with a quarter in it, counted day by day."""

    def __init__(self, engine: AsyncEngine, told: Quarter) -> None:
        self.engine, self.told = engine, told

    async def findings(self, kind: Kind, day: date, audience: Audience = EVERYBODY) -> tuple[Finding, ...]:
        """What the report of the period that holds `day` finds."""
        return (await make_report(self.engine, HOUSE, kind, day, audience, NOW)).findings


@asynccontextmanager
async def _house(new_database: NewDatabase, truths: frozenset[Truth]) -> AsyncIterator[House]:
    async with new_database() as url:
        engine = connect(url)
        told = await quarter(engine, plain(url), LAST, truths)
        for day in told.days[-COUNTED_DAYS:]:
            assert await build_day(engine, HOUSE, day, NOW)
        yield House(engine, told)
        await engine.dispose()


@pytest.fixture(scope="module")
async def october(new_database: NewDatabase) -> AsyncIterator[House]:
    """The house of which much is to be told in October."""
    async with _house(new_database, OF_OCTOBER) as one:
        yield one


@pytest.fixture(scope="module")
async def quiet(new_database: NewDatabase) -> AsyncIterator[House]:
    """The house of which nothing is to be told until the last weeks of October."""
    async with _house(new_database, OF_ITS_END) as one:
        yield one


def named(findings: Iterable[Finding]) -> list[tuple[str, str, str | float]]:
    """Each finding, with about whom it is, in their order."""
    about = {key: name for key, name, _ in NAMED.values()}
    return [(one.key, name, one.values.get(name, "")) for one in findings for name in (about.get(one.key, "person"),)]


def true_on(day: date, truths: frozenset[Truth]) -> set[tuple[str, str, str]]:
    """What is so on a day, as reports call it."""
    return {NAMED[truth] for truth in truths if day in plant(truth, LAST).days}


async def test_the_months_report_names_exactly_what_was_planted(october: House) -> None:
    assert set(named(await october.findings("monthly", LAST))) == {NAMED[truth] for truth in OF_OCTOBER}


@pytest.mark.parametrize(
    "truth, day",
    [
        (Truth.OUTAGE, date(2026, 10, 21)),
        (Truth.DEAD_PHONE, date(2026, 10, 27)),
        (Truth.SILENT_LINE, date(2026, 10, 30)),
    ],
)
async def test_the_days_report_names_first_what_was_wrong_that_day(october: House, truth: Truth, day: date) -> None:
    """Besides it, at most what goes on for weeks is told."""
    told = named(await october.findings("daily", day))
    assert told[:1] == [NAMED[truth]]
    assert set(told) <= true_on(day, OF_OCTOBER)


async def test_a_team_is_told_of_its_own_people(october: House) -> None:
    assert named(await october.findings("weekly", LAST, Audience("team", "new")))[:1] == [NAMED[Truth.BAD_MANAGER]]
    city = named(await october.findings("weekly", LAST, Audience("team", "city")))
    assert city[:1] == [NAMED[Truth.DEAD_PHONE]]
    assert NAMED[Truth.BAD_MANAGER] not in city


async def test_the_weeks_report_names_who_has_too_much_and_where_leads_stick(quiet: House) -> None:
    assert set(named(await quiet.findings("weekly", LAST))) == {NAMED[truth] for truth in OF_ITS_END}


@pytest.mark.parametrize("ago", [0, 2, 8])
async def test_of_a_quiet_day_nothing_is_told(quiet: House, ago: int) -> None:
    assert await quiet.findings("daily", QUIET_UNTIL - timedelta(days=ago)) == ()


async def test_of_a_quiet_week_nothing_is_told(quiet: House) -> None:
    assert await quiet.findings("weekly", QUIET_UNTIL - timedelta(weeks=1)) == ()


async def test_every_call_is_what_the_pbx_told_of_it(october: House) -> None:
    """One call of each kind, read from its folded state, is what its row and its legs say."""
    async with october.engine.connect() as connection:
        stored = (await connection.execute(_ONE_OF_EACH)).mappings().all()
        regions = Regions(company="RU")
        for row in stored:
            view = seen(row["told"])
            told = row_of(row["id"], view, regions)
            linked = {"party_id", "lead_id", "recovered"}  # by events of their own
            assert {name: row[name] for name in told if name not in linked} == {
                name: value for name, value in told.items() if name not in linked
            }
            legs = await connection.execute(text("select * from legs where call_id = :id"), {"id": row["id"]})
            kept = [{name: value for name, value in leg.items() if name != "person"} for leg in legs.mappings()]
            assert kept == [{"call_id": row["id"], **asdict(leg)} for leg in view.legs]
    assert len(stored) == 10
