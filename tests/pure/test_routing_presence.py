"""Nobody is rung who is not there, whatever their telephones say; and the plan says why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.hours import read_week
from directory.model import Directory, Hours
from directory.presence import (
    STATUSES,
    Absence,
    Busy,
    CalendarCopy,
    Presence,
    PresenceBook,
    Presences,
    StatusSet,
    presence_at,
)
from routing.arrival import Arrival, DeviceState, Facts
from routing.choice import choose
from routing.decide import decide
from routing.plan import Plan
from routing.there import why_not_there
from tests.fakes.directories import LINE, OFFICE, directories
from web.told import considered, reason

MONDAY = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Moscow"))
HOUR = timedelta(hours=1)
ANNA = OFFICE.people[0]
FREE = DeviceState("not_inuse", reachable=True)

minutes = st.integers(-300, 300)


@st.composite
def books(draw: st.DrawFn, directory: Directory, at: datetime) -> PresenceBook:
    """Anything that may be known of anybody around a moment."""
    keys = st.sampled_from([person.key for person in directory.people])
    span = st.tuples(minutes, st.integers(1, 600)).map(lambda told: (at + told[0] * HOUR / 60, told[1] * HOUR / 60))
    absence = st.builds(lambda it, who: Absence(1, it[0], it[0] + it[1], who), span, st.none() | keys)
    status = st.builds(StatusSet, st.sampled_from(STATUSES), st.none() | minutes.map(lambda it: at + it * HOUR / 60))
    busy = st.builds(lambda it, away: Busy(it[0], it[0] + it[1], away), span, st.booleans())
    copy = st.builds(lambda times: CalendarCopy(tuple(sorted(times)), at - HOUR), st.lists(busy, max_size=3))
    return PresenceBook(
        absences=draw(st.dictionaries(keys, absence.map(lambda it: (it,)))),
        statuses=draw(st.dictionaries(keys, status)),
        calendars=draw(st.dictionaries(keys, copy)),
    )


@st.composite
def situations(draw: st.DrawFn) -> tuple[Arrival, Facts]:
    directory = draw(directories())
    at = draw(st.datetimes(datetime(2024, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # Hypothesis adds the zone
    somebody = st.sampled_from([None, *(person.key for person in directory.people)])
    lines = st.sampled_from([*(line.number for line in directory.lines), "s"])
    arrival = Arrival(pbx="main", channel="1.1", line=draw(lines), caller_number="79161234567", caller_name="", at=at)
    addresses = [device.address for person in directory.people for device in person.devices]
    presence = Presences(directory, draw(books(directory, at)), at)
    return arrival, Facts(
        directory=directory,
        devices=dict.fromkeys(addresses, FREE),
        presence=presence,
        owner=draw(somebody),
        last_talked=draw(somebody),
    )


@given(situations())
@settings(max_examples=30)
def test_nobody_absent_away_or_taken_is_rung(situation: tuple[Arrival, Facts]) -> None:
    """Nor anybody off shift, not to be disturbed, or in wrap-up; as an owner, a substitute or one of a team."""
    arrival, facts = situation
    plan = decide(arrival, facts)
    rung = {target.person for step in plan.steps for target in step.targets if target.person}
    for key in rung:
        presence = facts.presence[key]
        assert presence.there
        assert (presence.absence, presence.status, presence.calendar_until) == (None, "available", None)


def anna(presence: Presence) -> tuple[str, str]:
    """The key and the text of why Anna is not rung."""
    why = why_not_there(ANNA, presence, OFFICE)
    assert why is not None
    return why.key, why.text


@pytest.mark.parametrize(
    "presence, key, text",
    [
        (Presence(on_shift=False), "off_shift", "Анна Смирнова is not on shift"),
        (
            Presence(absence=Absence(1, MONDAY, MONDAY + 5 * HOUR, "boris", "больничный")),
            "absent",
            "Анна Смирнова is absent until 2026-11-23 17:00, Борис Козлов stands in",
        ),
        (
            Presence(absence=Absence(1, MONDAY, MONDAY + HOUR)),
            "absent",
            "Анна Смирнова is absent until 2026-11-23 13:00",
        ),
        (Presence(status="away"), "away", "Анна Смирнова is away"),
        (
            Presence(status="do_not_disturb", status_until=MONDAY + HOUR),
            "do_not_disturb",
            "Анна Смирнова does not want to be disturbed until 2026-11-23 13:00",
        ),
        (
            Presence(status="wrap_up", status_until=MONDAY + HOUR),
            "wrap_up",
            "Анна Смирнова is finishing the last call until 2026-11-23 13:00",
        ),
        (
            Presence(calendar_until=MONDAY + HOUR, calendar_age_seconds=300),
            "calendar_busy",
            "Анна Смирнова is busy by their calendar until 2026-11-23 13:00",
        ),
        (
            Presence(calendar_until=MONDAY + HOUR, calendar_away=True, calendar_age_seconds=9_000),
            "calendar_away",
            (
                "Анна Смирнова is out of office by their calendar until 2026-11-23 13:00, "
                "as a copy has it that is 150 min old"
            ),
        ),
    ],
)
def test_every_reason_has_a_key_and_its_words_in_both_languages(presence: Presence, key: str, text: str) -> None:
    """With times on the person's own wall; why somebody is absent is colleagues' business and in no call's record."""
    assert anna(presence) == (key, text)
    why = why_not_there(ANNA, presence, OFFICE)
    assert why is not None
    assert reason(why.to_json(), "ru") != text
    assert "больничный" not in str(why)


def test_who_is_there_has_nothing_against_them() -> None:
    assert why_not_there(ANNA, Presence(), OFFICE) is None


def test_facts_that_say_nothing_of_a_person_leave_their_hours_to_say_it() -> None:
    at = MONDAY.replace(hour=20)
    arrival = Arrival(pbx="main", channel="1.1", line=LINE, caller_number="79161234567", caller_name="", at=at)
    assert choose(ANNA, arrival, Facts(directory=OFFICE)).why.key == "off_shift"
    assert presence_at(ANNA, OFFICE, PresenceBook(), at) == Presence(on_shift=False)


def decided(presence: dict[str, Presence], directory: Directory = OFFICE, **told: str) -> Plan:
    """The plan for a caller of Monday noon, with every telephone free."""
    arrival = Arrival(pbx="main", channel="1.1", line=LINE, caller_number="79161234567", caller_name="", at=MONDAY)
    addresses = [device.address for person in directory.people for device in person.devices]
    devices = dict.fromkeys(addresses, FREE)
    return decide(arrival, Facts(directory=directory, devices=devices, presence=presence, **told))  # type: ignore[arg-type]


def rung(plan: Plan) -> list[set[str]]:
    return [{target.person for target in step.targets} for step in plan.steps if step.kind == "ring"]


def absent(substitute: str | None) -> Presence:
    return Presence(absence=Absence(1, MONDAY - HOUR, MONDAY + 5 * HOUR, substitute))


def test_the_substitute_of_an_absent_owner_rings_in_their_place_and_the_plan_says_so() -> None:
    """Vera is of another team: she rings only because she stands in."""
    plan = decided({"anna": absent("vera")}, owner="anna")
    assert rung(plan)[0] == {"vera"}
    assert [it.key for it in plan.reasons][:3] == ["open", "owner_absent", "stands_in"]
    assert plan.steps[0].reason.text == "Вера Павлова stands in for Анна Смирнова"
    assert {it.key for it in plan.considered if it.person == "anna"} == {"absent"}


def test_a_substitute_rings_for_an_absent_member_of_a_team_and_once_for_two() -> None:
    one = decided({"anna": absent("vera")})
    assert {person for step in rung(one) for person in step} == {"boris", "vera"}
    both = decided({"anna": absent("vera"), "boris": absent("vera")})
    devices = [target.device for step in both.steps for target in step.targets if target.person]
    assert devices == ["79160000013"]


def test_a_chain_of_substitutes_ends_with_who_is_there() -> None:
    plan = decided({"anna": absent("boris"), "boris": absent("vera")}, owner="anna")
    assert rung(plan)[0] == {"vera"}


def test_a_circle_of_substitutes_rings_nobody_of_it_and_ends() -> None:
    plan = decided({"anna": absent("boris"), "boris": absent("anna")}, owner="anna")
    assert rung(plan) == []
    assert plan.cause == "nobody_on_shift"


def test_a_team_outside_its_hours_rings_nobody_and_says_until_when() -> None:
    """The owner rings all the same: as an owner, not as one of the team."""
    night = Hours("night", read_week({"mon-sun": "20:00-23:00"}))
    teams = (replace(OFFICE.teams[0], hours="night"), OFFICE.teams[1])
    closed = replace(OFFICE, hours=(*OFFICE.hours, night), teams=teams)
    plan = decided({}, closed)
    assert (rung(plan), plan.cause) == ([], "nobody_on_shift")
    told = next(it for it in plan.reasons if it.key == "team_closed")
    assert told.text == "team Продажи is closed until 2026-11-23 20:00"
    assert {person for step in rung(decided({}, closed, owner="anna")) for person in step} == {"anna"}


def test_the_page_says_in_russian_until_when_who_stands_in_and_how_old_a_copy_is() -> None:
    old = Presence(calendar_until=MONDAY + HOUR, calendar_age_seconds=9_000)
    plan = decided({"anna": absent("vera"), "boris": old})
    told = {it.name: it.why for it in considered(plan.to_json(), OFFICE, "ru")}
    assert told["Анна Смирнова"] == "Отсутствует до 2026-11-23 17:00, замещает Вера Павлова"
    assert told["Борис Козлов"] == "Занят по календарю до 2026-11-23 13:00, по копии 150 мин. назад"
    assert Plan.from_json(plan.to_json()) == plan


@pytest.mark.parametrize("field", ["status", "calendar", "absence"])
def test_an_end_at_the_end_of_time_is_spelled_and_loses_no_caller(field: str) -> None:
    """Moscow's clock cannot tell the last hours of 9999 by UTC."""
    last = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)
    presence = {
        "status": Presence(status="away", status_until=last),
        "calendar": Presence(calendar_until=last),
        "absence": Presence(absence=Absence(1, MONDAY, last)),
    }[field]
    why = why_not_there(ANNA, presence, OFFICE)
    assert why is not None
    assert "9999-12-30" in why.text
