"""Whether a person is there at a moment, and who stands in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.presence import (
    STATUSES,
    Absence,
    Busy,
    CalendarCopy,
    Presence,
    PresenceBook,
    Presences,
    StatusSet,
    line_up,
    presence_at,
)
from tests.fakes.directories import OFFICE

MONDAY = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Moscow"))
HOUR = timedelta(hours=1)
ANNA = OFFICE.people[0]


def book(**told: object) -> PresenceBook:
    return PresenceBook(**{name: {"anna": value} for name, value in told.items()})  # type: ignore[arg-type]


def anna(at: datetime = MONDAY, **told: object) -> Presence:
    return presence_at(ANNA, OFFICE, book(**told), at)


def absent(substitute: str | None = None) -> Presence:
    return Presence(absence=Absence(1, MONDAY, MONDAY + HOUR, substitute))


def test_who_has_nothing_but_hours_is_there_when_they_are_open() -> None:
    assert anna().there
    assert not anna(MONDAY.replace(hour=19)).there
    assert anna(MONDAY.replace(hour=19)) == Presence(on_shift=False)


@pytest.mark.parametrize("minutes, away", [(-61, False), (-60, True), (59, True), (60, False)])
def test_an_absence_goes_from_its_first_moment_to_before_its_last(minutes: int, away: bool) -> None:
    absences = (Absence(1, MONDAY - HOUR, MONDAY + HOUR, "boris", "больничный"),)
    presence = anna(MONDAY + timedelta(minutes=minutes), absences=absences)
    assert (presence.absence is not None) is away
    assert "больничный" not in str(presence)
    assert presence.there is not away


@pytest.mark.parametrize("status", ["away", "do_not_disturb", "wrap_up"])
def test_a_status_ends_by_itself(status: str) -> None:
    told = StatusSet(status, MONDAY + HOUR)  # type: ignore[arg-type]
    before = anna(MONDAY + HOUR - timedelta(seconds=1), statuses=told)
    assert (before.status, before.status_until, before.there) == (status, MONDAY + HOUR, False)
    assert anna(MONDAY + HOUR, statuses=told) == Presence()


def test_a_status_without_an_end_stands() -> None:
    assert anna(MONDAY + timedelta(days=7), statuses=StatusSet("do_not_disturb")).status == "do_not_disturb"


def test_a_calendar_holds_until_the_last_of_the_times_that_touch() -> None:
    times = (
        Busy(MONDAY - HOUR, MONDAY + HOUR),
        Busy(MONDAY - HOUR, MONDAY - HOUR / 2),
        Busy(MONDAY + HOUR, MONDAY + 2 * HOUR),
        Busy(MONDAY + 3 * HOUR, MONDAY + 4 * HOUR),
    )
    presence = anna(calendars=CalendarCopy(tuple(sorted(times)), MONDAY - 2 * HOUR))
    assert (presence.calendar_until, presence.calendar_age_seconds) == (MONDAY + 2 * HOUR, 7200)
    assert not presence.there
    assert anna(MONDAY + 2 * HOUR, calendars=CalendarCopy(tuple(sorted(times)), MONDAY)).there


def test_out_of_office_is_told_apart_from_busy() -> None:
    times = (Busy(MONDAY - HOUR, MONDAY + HOUR), Busy(MONDAY, MONDAY + HOUR, away=True))
    assert anna(calendars=CalendarCopy(times, MONDAY)).calendar_away
    assert not anna(MONDAY - HOUR / 2, calendars=CalendarCopy(times, MONDAY)).calendar_away


def test_everybodys_presence_is_there_to_be_asked_for() -> None:
    found = Presences(OFFICE, book(statuses=StatusSet("away")), MONDAY)
    assert {key: it.status for key, it in found.items()} == {"anna": "away", "boris": "available", "vera": "available"}
    assert found.get("nobody") is None
    assert len(found) == 3


def test_who_stands_in_stands_behind_the_absent_and_so_on() -> None:
    there = Presence()
    assert line_up("anna", {"anna": there}) == ("anna",)
    assert line_up("anna", {"anna": absent("boris"), "boris": there}) == ("anna", "boris")
    assert line_up("anna", {"anna": absent("boris"), "boris": absent("vera"), "vera": there}) == (
        "anna", "boris", "vera",
    )  # fmt: skip
    assert line_up("anna", {"anna": absent()}) == ("anna",)


def test_a_substitute_who_is_only_busy_is_the_last_of_the_line() -> None:
    """Not being there for a while is no absence: nobody stands in for somebody at lunch."""
    lunch = Presence(status="away")
    assert line_up("anna", {"anna": absent("boris"), "boris": lunch}) == ("anna", "boris")


names = st.sampled_from("abcdef")


@given(st.dictionaries(names, names.map(absent) | st.just(absent()) | st.just(Presence())), names)
def test_a_line_up_ends_and_names_nobody_twice(presence: dict[str, Presence], key: str) -> None:
    """Circles too, and substitutes whom nobody knows."""
    found = line_up(key, presence)
    assert found[0] == key
    assert len(found) == len(set(found))


moments = st.datetimes(datetime(2026, 11, 20), datetime(2026, 11, 27), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds the zone


@given(moments, st.lists(st.tuples(moments, st.integers(1, 600), st.booleans()), max_size=6))
def test_a_calendar_holds_exactly_in_its_times(at: datetime, told: list[tuple[datetime, int, bool]]) -> None:
    times = tuple(sorted(Busy(since, since + timedelta(minutes=length), away) for since, length, away in told))
    presence = anna(at, calendars=CalendarCopy(times, at))
    held = any(it.starts_at <= at < it.ends_at for it in times)
    assert (presence.calendar_until is not None) is held
    if presence.calendar_until is not None:
        assert not any(it.starts_at <= presence.calendar_until < it.ends_at for it in times)


def test_every_status_is_one_that_is_asked_for() -> None:
    assert [replace(Presence(), status=it).there for it in STATUSES] == [True, False, False, False]
