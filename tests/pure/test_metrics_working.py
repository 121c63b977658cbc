"""What should work at a moment, as alerts ask before they call silence a fault."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from directory.model import Company, Device, Directory, Hours, Line, Person, Span, SpecialDay, Team
from directory.presence import Absence, Busy, CalendarCopy, PresenceBook, Presences, StatusSet
from metrics.http import new_registry
from metrics.working import WorkingNow

SALES, NIGHT, ABROAD = "74951234567", "74957654321", "74950000000"
OFFICE = Hours(
    key="office",
    spans=tuple(Span(day, 9 * 60, 18 * 60) for day in range(5)),
    holidays="RU",
    dates=(SpecialDay(datetime(2026, 11, 27, tzinfo=UTC).date()),),
)
MORNING = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)  # Tuesday, half past nine in Moscow
EVENING = MORNING + timedelta(hours=9)


def person(key: str, hours: str | None = "office", kind: str = "desk") -> Person:
    device = Device(kind="mobile" if kind == "mobile" else "desk", address=f"PJSIP/{key}")
    return Person(key=key, name=key.title(), role="manager", devices=(device,), hours=hours)


DIRECTORY = Directory(
    company=Company(name="Ромашка"),
    hours=(OFFICE,),
    people=(person("anna"), person("boris", None), person("vera", None), person("gleb", kind="mobile")),
    teams=(
        Team(key="sales", name="Продажи", strategy="ring_all", members=("anna", "boris", "gleb")),
        Team(key="duty", name="Дежурные", strategy="ring_all", members=("vera",)),
    ),
    lines=(
        Line(number=SALES, name="Основная", team="sales", hours="office", trunk="PJSIP/trunk"),
        Line(number=ABROAD, name="Владивосток", team="sales", hours="office", time_zone="Asia/Vladivostok"),
        Line(number=NIGHT, name="Дежурная", team="duty", trunk="PJSIP/second"),
    ),
)


def told(at: datetime, directory: Directory | None = DIRECTORY, book: PresenceBook | None = None) -> dict[str, float]:
    """Every series, by the value of its only label."""
    registry = new_registry()
    known = book or PresenceBook()
    registry.register(
        WorkingNow(lambda: directory, lambda now: Presences(directory, known, now) if directory else {}, lambda: at)
    )
    names = {"switchhook_line_open", "switchhook_trunk_open", "switchhook_device_expected"}
    samples = [one for family in registry.collect() if family.name in names for one in family.samples]
    return {next(iter(one.labels.values())): one.value for one in samples}


def test_a_line_is_open_by_its_hours_its_time_zone_and_the_days_off() -> None:
    assert {key: told(MORNING)[key] for key in (SALES, ABROAD, NIGHT)} == {SALES: 1, ABROAD: 1, NIGHT: 1}
    assert {key: told(EVENING)[key] for key in (SALES, ABROAD, NIGHT)} == {SALES: 0, ABROAD: 0, NIGHT: 1}
    at_night_here = MORNING - timedelta(hours=6)
    assert (told(at_night_here)[SALES], told(at_night_here)[ABROAD]) == (0, 1)
    own_day_off, holiday = MORNING + timedelta(days=3), datetime(2026, 11, 4, 6, 30, tzinfo=UTC)
    assert told(own_day_off)[SALES] == told(holiday)[SALES] == 0


def test_a_trunk_is_open_while_one_of_its_lines_is() -> None:
    assert [told(at)["PJSIP/trunk"] for at in (MORNING, EVENING)] == [1, 0]
    assert [told(at)["PJSIP/second"] for at in (MORNING, EVENING)] == [1, 1]


def test_a_phone_is_expected_while_its_person_is_on_shift_and_a_mobile_never_is_told() -> None:
    """Who has no hours works whenever a line of their team is open."""
    assert {key: told(MORNING)[f"PJSIP/{key}"] for key in ("anna", "boris", "vera")} == dict.fromkeys(
        ("anna", "boris", "vera"), 1
    )
    night = told(MORNING + timedelta(hours=12))
    assert {key: night[f"PJSIP/{key}"] for key in ("anna", "boris", "vera")} == {"anna": 0, "boris": 0, "vera": 1}
    assert "PJSIP/gleb" not in night


def test_who_has_no_hours_and_no_team_works_whenever_any_line_is_open() -> None:
    alone = replace(DIRECTORY, people=(*DIRECTORY.people, person("olga", None)))
    assert told(EVENING, alone)["PJSIP/olga"] == 1
    assert told(EVENING, replace(alone, lines=alone.lines[:1]))["PJSIP/olga"] == 0


def test_an_absent_persons_phone_is_not_expected_and_a_busy_one_is() -> None:
    around = (MORNING - timedelta(hours=1), MORNING + timedelta(hours=1))
    absent = PresenceBook(absences={"anna": (Absence(1, *around),)})
    away = PresenceBook(calendars={"anna": CalendarCopy((Busy(*around, away=True),), MORNING)})
    busy = PresenceBook(
        calendars={"anna": CalendarCopy((Busy(*around),), MORNING)}, statuses={"anna": StatusSet("away")}
    )
    assert [told(MORNING, book=book)["PJSIP/anna"] for book in (absent, away, busy)] == [0, 0, 1]


def test_nothing_is_told_before_there_is_a_directory() -> None:
    assert told(MORNING, None) == {}
