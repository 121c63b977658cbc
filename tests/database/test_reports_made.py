"""Reports made of days that are counted, in a real PostgreSQL: what they compare, tell whom, and how fresh it is."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from threading import current_thread, main_thread

import pytest
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect
from calls.tables import calls, incidents
from directory import store
from recordings.audit import Actor
from recordings.tables import recordings
from reports import assembling
from reports.assembling import make_report
from reports.facts import Fact
from reports.plan_days import Whose
from reports.plan_rows import write_plans
from reports.report import Audience, Figure, Finding, Kind, Report
from reports.tables import report_days, report_facts
from tests.database.test_follow_ups import happen
from tests.database.test_report_building import until_somebody_waits
from tests.fakes.counted import keep, weekdays
from tests.fakes.story import HOUSE, LINE, SUPPORT

FRIDAY = date(2026, 11, 27)
EVENING = datetime(2026, 11, 27, 21, 30, tzinfo=UTC)
"""Half past midnight in Moscow: the day is over."""
NOON = datetime(2026, 11, 27, 9, tzinfo=UTC)
WHOLE = Audience("house")


def fact(
    count: str,
    value: float,
    *,
    line: str = LINE,
    person: str = "",
    detail: str = "",
    day: date = FRIDAY,
    hour: int | None = None,
) -> Fact:
    return Fact(day, count, "sales" if line == LINE else "support", line, person, detail, value, hour)


def of(measure: str, figures: tuple[Figure, ...]) -> Figure:
    return next(figure for figure in figures if figure.measure == measure)


def keys(report: Report, by: str) -> list[str]:
    return [row.key for section in report.sections if section.by == by for row in section.rows]


USUAL = [
    fact("calls_in", 60, detail="answered"),
    fact("calls_in", 20, line=SUPPORT, detail="answered"),
    fact("missed", 2, detail="rang_out"),
    fact("answered", 40, person="anna"),
    fact("overdue", 5, person="anna"),
    *(fact("calls_in", 30, hour=hour) for hour in (9, 15)),
]


@pytest.fixture
async def told(engine: AsyncEngine) -> AsyncEngine:
    """Nine weeks of Fridays like one another, and a Friday of twenty missed calls; nobody called on other days."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    today = [one for one in USUAL if one.count != "missed"] + [fact("missed", 20, detail="device_unreachable")]
    await keep(engine, [*today, *weekdays(USUAL, 30)], FRIDAY - timedelta(weeks=30), FRIDAY)
    return engine


async def report_of(
    engine: AsyncEngine,
    audience: Audience = WHOLE,
    *,
    kind: Kind = "daily",
    day: date = FRIDAY,
    now: datetime = EVENING,
) -> Report:
    return await make_report(engine, HOUSE, kind, day, audience, now)


async def test_a_day_is_held_against_its_weekdays_and_told_to_whom_it_concerns(told: AsyncEngine) -> None:
    report = await report_of(told)
    missed = of("missed", report.figures)
    assert (report.first, report.last, missed.value, missed.verdict) == (FRIDAY, FRIDAY, 20.0, "bad")
    assert missed.usual == pytest.approx(2, abs=0.1)
    assert (of("calls_in", report.figures).value, of("calls_in", report.figures).verdict) == (80.0, "as_usual")
    assert (keys(report, "team"), keys(report, "line")) == (["sales", "support"], [LINE, SUPPORT])
    assert (keys(report, "person"), keys(report, "hour")) == (["anna"], ["09", "15"])
    team = await report_of(told, Audience("team", "sales"))
    assert of("calls_in", team.figures).value == 60.0
    assert (keys(team, "team"), keys(team, "line"), keys(team, "person")) == ([], [LINE], ["anna"])
    own = await report_of(told, Audience("person", "anna"))
    assert (of("answered", own.figures).value, of("overdue", own.figures).value) == (40.0, 5.0)
    assert keys(own, "person") == keys(own, "line") == []


async def test_a_day_that_goes_on_is_held_against_what_had_come_by_that_hour(told: AsyncEngine) -> None:
    """Half of a Friday's calls come before noon in Moscow."""
    report = await report_of(told, now=NOON)
    assert of("calls_in", report.figures).usual == pytest.approx(40, abs=0.1)
    assert of("overdue", report.figures).usual == pytest.approx(5)


async def test_of_a_day_that_is_not_counted_yet_the_month_stands_as_on_the_last_that_is(told: AsyncEngine) -> None:
    thursday = FRIDAY - timedelta(days=1)
    async with told.begin() as connection:
        await write_plans(
            connection, FRIDAY, {(Whose("house"), "overdue"): 3.0}, Actor(login="vera"), action="plan_set"
        )
        stood = {"day": thursday, "count": "overdue", "team": "sales", "line": LINE, "person": "anna", "detail": ""}
        await connection.execute(insert(report_facts).values(**stood, value=7.0))
        await connection.execute(update(report_days).where(report_days.c.day == FRIDAY).values(built_at=None))
        await connection.execute(delete(report_facts).where(report_facts.c.day == FRIDAY))
    assert of("overdue", (await report_of(told)).figures).month_so_far == 7.0


async def test_a_plan_that_will_be_missed_is_told_to_whom_it_is_of(told: AsyncEngine) -> None:
    """Anna answers forty calls on each of four Fridays; who has no plan, and who works elsewhere, is told nothing."""
    async with told.begin() as connection:
        await write_plans(
            connection, FRIDAY, {(Whose("person", "anna"), "answered"): 500.0}, Actor(login="vera"), action="plan_set"
        )
    anna, support = Audience("person", "anna"), Audience("team", "support")
    kinds: list[tuple[Audience, Kind, bool]] = [
        *((anna, "monthly", True), (anna, "weekly", True)),
        *((anna, "daily", False), (support, "monthly", False)),
    ]
    for audience, kind, is_told in kinds:
        report = await report_of(told, audience, kind=kind, now=EVENING - timedelta(hours=1))
        found = [one for one in report.findings if one.key == "plan_missed"]
        assert [one.values["reached"] for one in found] == [160.0] * is_told


async def test_what_is_not_counted_yet_is_not_judged_as_if_it_were(told: AsyncEngine) -> None:
    """In the evening the day is counted until noon; then, not at all."""

    async def evening(built_at: datetime | None) -> Report:
        async with told.begin() as connection:
            day = update(report_days).where(report_days.c.day == FRIDAY)
            await connection.execute(day.values(built_at=built_at, waiting=True))
        return await report_of(told)

    assert of("calls_in", (await evening(NOON)).figures).usual == pytest.approx(40, abs=0.1)
    blank = await evening(None)
    assert ({figure.verdict for figure in blank.figures}, blank.findings) == ({"too_few"}, ())


async def test_a_report_is_judged_beside_the_event_loop(told: AsyncEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is called meanwhile does not wait for it."""
    threads = []

    def judged(*_: object) -> tuple[Finding, ...]:
        threads.append(current_thread())
        return ()

    monkeypatch.setattr(assembling, "find", judged)
    await report_of(told)
    assert main_thread() not in threads
    assert len(threads) == 1


async def test_all_of_a_report_is_of_one_moment(told: AsyncEngine, database_url: str) -> None:
    """The day is counted anew after what is found was read, and before what the figures are made of is."""
    before = await report_of(told)
    other = connect(database_url, pool=1)
    async with other.connect() as lock, told.connect() as looking:
        await lock.execute(text("lock table report_hours in access exclusive mode"))
        making = asyncio.create_task(report_of(told))
        await until_somebody_waits(looking)
        async with told.begin() as connection:
            await connection.execute(update(report_facts).where(report_facts.c["count"] == "missed").values(value=2))
        await lock.rollback()
        made = await making
    await other.dispose()
    assert [one.key for one in made.findings] == [one.key for one in before.findings]
    assert (of("missed", made.figures).value, of("missed", (await report_of(told)).figures).value) == (20.0, 2.0)


async def test_weeks_and_months_are_held_against_weeks_and_months_by_their_days_of_work(told: AsyncEngine) -> None:
    week = await report_of(told, kind="weekly")
    assert (week.first, week.last) == (date(2026, 11, 23), date(2026, 11, 28))
    assert of("calls_in", week.figures).usual == pytest.approx(80, abs=0.1)
    assert of("overdue", week.figures).value == 0.0
    october = await report_of(told, kind="monthly", day=date(2026, 10, 15))
    assert (october.first, october.last) == (date(2026, 10, 1), date(2026, 10, 31))
    assert of("calls_in", october.figures).value == 400.0
    # Of the six months before, April is not known; the others had 22 Fridays in 153 days.
    assert of("calls_in", october.figures).usual == pytest.approx(80 * 22 / 153 * 31, rel=0.03)


async def test_the_chart_has_four_weeks_and_what_is_usual_of_each_day(told: AsyncEngine) -> None:
    days = (await report_of(told)).days
    assert (len(days), days[0].day, days[-1].day) == (28, FRIDAY - timedelta(days=27), FRIDAY)
    assert (days[-1].calls_in, days[-1].missed, days[-1].missed_usual) == (80.0, 20.0, 2.0)
    assert days[-2].missed_usual == 0.0


async def test_days_of_a_person_are_what_they_answered_and_what_is_charged_to_them(engine: AsyncEngine) -> None:
    """Not what came to them without an answer, and not what the house missed."""
    counted = {"calls_in": 50, "answered": 40, "missed": 9, "charged": 3, "leads_in": 2}
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    facts = [fact(count, value, person="anna") for count, value in counted.items()]
    await keep(engine, facts, FRIDAY, FRIDAY)
    (anna,) = (await report_of(engine, Audience("person", "anna"))).days
    assert (anna.calls_in, anna.missed, anna.leads_in) == (40.0, 3.0, 2.0)
    (team,) = (await report_of(engine, Audience("team", "sales"))).days
    assert (team.calls_in, team.missed, team.leads_in) == (50.0, 9.0, 2.0)


async def test_a_report_of_a_house_without_any_day_that_is_counted_is_empty_and_says_so(engine: AsyncEngine) -> None:
    report = await report_of(engine)
    assert (report.freshness.counted_at, report.sections, report.findings) == (None, (), ())
    assert {figure.verdict for figure in report.figures} == {"too_few"}


async def test_freshness_tells_what_came_late_and_what_is_missing(told: AsyncEngine) -> None:
    """Calls of the evening: one read from CEL afterwards, one whose recording is lost, one by a clock that is ahead."""
    at = datetime(2026, 11, 27, 15, tzinfo=UTC)
    for number, uid in enumerate(("1.1", "1.2", "1.3")):
        await happen(told, uid, at=at + timedelta(minutes=number))
    await happen(told, "1.4", at=at + timedelta(days=2))
    async with told.begin() as connection:
        ids = list((await connection.execute(select(calls.c.id).order_by(calls.c.started_at))).scalars())
        await connection.execute(update(calls).where(calls.c.id == ids[0]).values(recovered=True))
        for side in ("caller", "staff"):
            lost = {"call_id": ids[1], "channel": "x", "side": side, "state": "missing"}
            await connection.execute(insert(recordings).values(lost))
        # A Friday is held against Fridays, and Thursday is told whole beside it; of Wednesday nothing is.
        wait = [FRIDAY - timedelta(days=ago) for ago in (0, 1, 2, 7)]
        await connection.execute(update(report_days).where(report_days.c.day.in_(wait)).values(waiting=True))
    fresh = (await report_of(told)).freshness
    assert fresh.counted_at == EVENING - timedelta(minutes=30)
    assert fresh.calls_until == at + timedelta(minutes=2)
    assert (fresh.recovered_calls, fresh.recordings_missing, fresh.days_waiting) == (1, 1, 3)
    assert fresh.crm_oldest_seconds is None


async def test_incidents_of_the_period_stand_in_it_and_phones_only_for_their_own_people(told: AsyncEngine) -> None:
    at = datetime(2026, 11, 27, 8, tzinfo=UTC)
    faults = (("disk", ""), ("trunk", "PJSIP/trunk"), ("device", "PJSIP/anna-desk"), ("device", "PJSIP/gleb-desk"))
    told_of = {"grave": False, "calls_lost": 3, "calls_saved": 1}
    async with told.begin() as connection:
        for (kind, subject), when in (*((fault, at) for fault in faults), (faults[0], at - timedelta(days=7))):
            row = {"kind": kind, "subject": subject, "started_at": when, "seen_at": when, "ended_at": when}
            await connection.execute(insert(incidents).values(told_of | row))
    whole, team, own = [
        [(one.kind, one.subject) for one in (await report_of(told, audience)).incidents]
        for audience in (WHOLE, Audience("team", "sales"), Audience("person", "boris"))
    ]
    assert whole == list(faults)
    assert team == [("trunk", "PJSIP/trunk"), ("device", "PJSIP/anna-desk")]
    assert own == [("trunk", "PJSIP/trunk")]
    first = (await report_of(told)).incidents[0]
    assert (first.calls_lost, first.calls_saved) == (3, 1)
