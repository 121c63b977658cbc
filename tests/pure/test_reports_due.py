"""Which reports a day ends with: for whom, of which period, and when."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from directory.hours import read_dates, read_week
from directory.model import Directory, Hours, Team
from reports.due import Due, due
from reports.report import Audience
from tests.fakes.directories import OFFICE

ANNA, BORIS, VERA = OFFICE.people
SALES, SUPPORT = OFFICE.teams
LONG = Hours("long", read_week({"mon-sun": "10:00-21:00"}))
FRIDAY, SATURDAY, SUNDAY = (date(2026, 11, day) for day in (27, 28, 29))


def house(*teams: Team, dates: dict[str, str] | None = None) -> Directory:
    """The small office with these teams; `dates` of its hours are other than their weekdays."""
    office = replace(OFFICE.hours[0], dates=read_dates(dates or {}))
    people = (replace(ANNA, hours=None), replace(BORIS, hours=None), VERA)
    return replace(OFFICE, hours=(office, LONG), people=people, teams=teams)


def told(found: Iterable[Due]) -> dict[str, str]:
    """When each is due, by the wall in Moscow (UTC+3)."""
    return {f"{one.kind} {one.audience}": f"{one.at.astimezone(UTC).hour + 3}:{one.at.minute:02}" for one in found}


def test_a_teams_day_ends_with_its_hours_and_else_with_its_lines() -> None:
    """Sales have no hours of their own, and one line with some; support has a line that is always open."""
    assert told(due(OFFICE, FRIDAY)) == {
        "daily house": "18:00",
        "daily team sales": "18:00",
        "daily team support": "18:00",
        "daily person anna": "18:00",
        "daily person boris": "18:00",
    }
    assert told(due(house(SALES), SATURDAY))["daily team sales"] == "15:00"
    assert told(due(house(replace(SALES, hours="long")), FRIDAY))["daily team sales"] == "21:00"


def test_who_is_in_two_teams_is_told_by_the_last_of_them_once() -> None:
    teams = replace(SALES, hours="office"), replace(SUPPORT, hours="long", members=("boris",))
    found = told(due(house(*teams), FRIDAY))
    assert (found["daily person anna"], found["daily person boris"], found["daily house"]) == (
        "18:00",
        "21:00",
        "21:00",
    )
    weeks = {day: [one for one in told(due(house(*teams), day)) if "weekly" in one] for day in (SATURDAY, SUNDAY)}
    assert weeks == {
        SATURDAY: ["weekly team sales", "weekly person anna"],
        SUNDAY: ["weekly house", "weekly team support", "weekly person boris"],
    }


def test_who_has_hours_of_their_own_is_told_at_the_end_of_their_own_day() -> None:
    morning = Hours("morning", read_week({"mon": "08:00-12:00", "fri": "08:00-13:00"}))
    directory = house(replace(SALES, hours="office"))
    anna, *others = directory.people
    part = replace(directory, hours=(*directory.hours, morning), people=(replace(anna, hours="morning"), *others))
    assert told(due(part, FRIDAY)) == {
        "daily house": "18:00",
        "daily team sales": "18:00",
        "daily person anna": "13:00",
        "weekly person anna": "13:00",
        "daily person boris": "18:00",
    }
    assert "daily person anna" not in told(due(part, date(2026, 11, 26)))


def test_a_closed_day_has_no_report_and_the_week_ends_before_it() -> None:
    """Saturday is a holiday: Friday ends the week. The month ends on Monday, which is the 30th."""
    closed = house(replace(SALES, hours="office"), dates={"2026-11-28": "closed"})
    assert told(due(closed, SATURDAY)) == {}
    assert "weekly team sales" in told(due(closed, FRIDAY))
    assert told(due(closed, SUNDAY)) == {}
    monday = told(due(closed, date(2026, 11, 30)))
    assert "monthly team sales" in monday
    assert "weekly team sales" not in monday
    assert told(due(closed, date(2026, 11, 26))).keys() == {
        "daily house",
        "daily team sales",
        "daily person anna",
        "daily person boris",
    }


def test_a_day_is_that_of_the_teams_own_zone() -> None:
    far = house(replace(SALES, hours="office", time_zone="Asia/Vladivostok"))
    (found,) = (one for one in due(far, FRIDAY) if one.audience == Audience("team", "sales"))
    assert found.at == datetime(2026, 11, 27, 8, tzinfo=UTC)


def test_what_is_due_is_asked_for_of_some_hours() -> None:
    """After the one moment, until the other."""
    six = datetime(2026, 11, 27, 15, tzinfo=UTC)
    sales = house(replace(SALES, hours="office"), replace(SUPPORT, hours="long"))
    everything = told(due(sales, FRIDAY))
    early = told(due(sales, FRIDAY, after=six - timedelta(hours=1), until=six))
    late = told(due(sales, FRIDAY, after=six, until=six + timedelta(hours=3)))
    assert (set(early.values()), set(late.values())) == ({"18:00"}, {"21:00"})
    assert early | late == everything


def test_nobody_is_told_of_a_house_without_teams() -> None:
    assert told(due(house(), FRIDAY)) == {}
