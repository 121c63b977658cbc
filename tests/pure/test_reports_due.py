"""Which reports a day ends with: for whom, of which period, and when; and which days before it none told whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from directory.hours import read_dates, read_week
from directory.model import Directory, Hours, Team
from reports.due import Due, due, untold
from reports.periods import Period
from reports.report import Audience
from tests.fakes.directories import OFFICE

ANNA, BORIS, VERA = OFFICE.people
SALES, SUPPORT = OFFICE.teams
LONG = Hours("long", read_week({"mon-sun": "10:00-21:00"}))
FRIDAY, SATURDAY, SUNDAY = (date(2026, 11, day) for day in (27, 28, 29))
MONDAY = date(2026, 11, 30)
TEAM = Audience("team", "sales")


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


def part_time(week: dict[str, str]) -> Directory:
    """Sales open on weekdays, Anna works on some of them; the company has its holidays and days of its own."""
    weekdays = Hours("office", read_week({"mon-fri": "09:00-18:00"}), "RU", OFFICE.hours[0].dates)
    hours = (weekdays, Hours("hers", read_week(week)), LONG)
    people = (replace(ANNA, hours="hers"), replace(BORIS, hours=None), VERA)
    return replace(OFFICE, hours=hours, people=people, teams=(SALES, replace(SUPPORT, hours="long")))


@pytest.mark.parametrize(
    "audience, day, first",
    [
        (TEAM, MONDAY, FRIDAY),
        (TEAM, date(2026, 12, 1), MONDAY),
        (TEAM, date(2026, 11, 5), date(2026, 11, 3)),
        (TEAM, SUNDAY, FRIDAY),
        (Audience("team", "support"), MONDAY, SUNDAY),
        (Audience("house"), MONDAY, SUNDAY),
        (Audience("person", "boris"), MONDAY, SUNDAY),
        (Audience("person", "anna"), MONDAY, date(2026, 11, 25)),
    ],
)
def test_the_last_day_of_work_and_the_days_of_rest_since_were_not_told_whole(
    audience: Audience, day: date, first: date
) -> None:
    """After a weekend, a day of work, a public holiday, and on a day of rest itself: by whoever's hours they are.

    Anna works on Mondays and Wednesdays; support, in which Boris is too, has no day of rest, and so the house has none.
    """
    directory = part_time({"mon": "09:00-18:00", "wed": "09:00-18:00"})
    assert untold(directory, audience, day) == Period(first, day - timedelta(days=1))


@pytest.mark.parametrize(
    "hours, zone, first",
    [
        ({"mon-fri": "18:00-06:00"}, "", SATURDAY),
        ({"mon-fri": "09:00-24:00"}, "", SATURDAY),
        ({"mon-fri": "09:00-23:59"}, "", FRIDAY),
        ({"mon-sun": "18:00-06:00"}, "", None),
        ({"mon-sun": "00:00-24:00"}, "", None),
        ({"mon-thu": "09:00-18:00", "fri": "18:00-06:00"}, "", SATURDAY),
        ({"mon-fri": "18:00-06:00", "sat": "10:00-15:00"}, "", SATURDAY),
        ({"mon-fri": "09:00-18:00"}, "America/New_York", SATURDAY),
        ({"mon-fri": "18:00-06:00"}, "Asia/Vladivostok", FRIDAY),
    ],
)
def test_a_day_whose_report_was_due_when_it_was_over_was_told_whole(
    hours: dict[str, str], zone: str, first: date | None
) -> None:
    """What was due at midnight or after it has all of the day, which is the company's, whatever the team's zone is."""
    own = replace(OFFICE.hours[0], spans=read_week(hours), holidays=None)
    team = replace(OFFICE, hours=(own, LONG), teams=(replace(SALES, hours="office", time_zone=zone or None),))
    assert untold(team, TEAM, MONDAY) == (first and Period(first, SUNDAY))


def test_absences_change_nothing_for_who_is_away_is_told_of_each_day_all_the_same() -> None:
    """Reports are due by hours alone: the day on which Boris was away has one, and after it only that day is told."""
    sales = house(replace(SALES, hours="office"))
    boris = Audience("person", "boris")
    assert boris in {one.audience for one in due(sales, FRIDAY)}
    assert untold(sales, boris, SATURDAY) == Period(FRIDAY, FRIDAY)


def test_they_go_back_as_far_as_a_daily_report_has_days() -> None:
    """Four weeks with its own, where nobody worked in them."""
    sales = part_time({"mon": "09:00-18:00"})
    closed = replace(sales.hours[0], spans=())
    assert untold(replace(sales, hours=(closed, *sales.hours[1:])), TEAM, MONDAY) == Period(date(2026, 11, 3), SUNDAY)
