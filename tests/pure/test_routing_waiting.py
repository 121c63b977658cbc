"""Who goes to whom of those who hold: fair, at most one each, and nobody waits for somebody who is free for them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from directory.hours import read_week
from directory.model import Hours, Person
from routing.arrival import DeviceState, Facts
from routing.rules import Situation
from routing.waiting import (
    Holder,
    arrival_of,
    at_work,
    came_free,
    expected_minutes,
    free_for,
    in_order,
    match,
    places,
)
from tests.fakes.directories import OFFICE

T0 = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PEOPLE = ("anna", "boris", "vera", "gleb")
TEAMS = ("sales", "support")


def holder(channel: str, at: int = 0, **more: object) -> Holder:
    told = {"name": f"PJSIP/trunk-{channel}", "team": "sales", "since": T0 + timedelta(seconds=at)}
    return Holder(channel=channel, **told | more)  # type: ignore[arg-type]


@st.composite
def waits(draw: st.DrawFn) -> tuple[list[Holder], dict[str, tuple[str, ...]]]:
    """Callers who hold, and who is free for each."""
    count = draw(st.integers(0, 7))
    people = st.lists(st.sampled_from(PEOPLE), unique=True).map(tuple)
    holders = [
        holder(
            str(number),
            draw(st.integers(0, 3)),
            team=draw(st.sampled_from(TEAMS)),
            vip=draw(st.booleans()),
            tries=draw(st.integers(0, 2)),
            owner=draw(st.sampled_from(("", *PEOPLE))),
        )
        for number in range(count)
    ]
    return draw(st.permutations(holders)), {one.channel: draw(people) for one in holders}


@given(waits())
def test_one_caller_goes_to_one_person_who_can_be_rung_for_them(
    situation: tuple[list[Holder], dict[str, tuple[str, ...]]],
) -> None:
    """Two callers never get one person, one caller never two, and nobody gets a person who is not free for them."""
    holders, able = situation
    found = match(holders, able)
    assert len({one.channel for one in found}) == len({one.person for one in found}) == len(found)
    assert all(one.person in able[one.channel] for one in found)


@given(waits())
def test_nobody_is_passed_by(situation: tuple[list[Holder], dict[str, tuple[str, ...]]]) -> None:
    """Each caller in turn is served whenever those before them can be served as well."""
    holders, able = situation
    served = {one.channel for one in match(holders, able)}
    kept: list[str] = []
    for one in in_order(holders):
        if can_all_be_served([*kept, one.channel], able):
            kept.append(one.channel)
    assert served == set(kept)


def can_all_be_served(
    channels: list[str], able: dict[str, tuple[str, ...]], taken: frozenset[str] = frozenset()
) -> bool:
    """Try every way to give each of them a person of their own."""
    if not channels:
        return True
    first, *rest = channels
    return any(can_all_be_served(rest, able, taken | {one}) for one in able[first] if one not in taken)


@given(waits())
def test_who_tells_first_changes_nothing(situation: tuple[list[Holder], dict[str, tuple[str, ...]]]) -> None:
    """Order and matches depend on what is known of the callers alone."""
    holders, able = situation
    assert in_order(holders) == in_order(holders[::-1])
    assert match(holders, able) == match(holders[::-1], able)


@given(waits())
def test_places_count_each_team_from_one(situation: tuple[list[Holder], dict[str, tuple[str, ...]]]) -> None:
    holders, _ = situation
    found = places(holders)
    for team in TEAMS:
        of_team = sorted(found[one.channel] for one in holders if one.team == team)
        assert of_team == list(range(1, len(of_team) + 1))


def test_vips_come_first_then_who_tried_before_then_who_waits_longest() -> None:
    told = [holder("new", 0), holder("early", 1), holder("again", 2, tries=2), holder("vip", 3, vip=True)]
    assert [one.channel for one in in_order(told)] == ["vip", "again", "new", "early"]
    assert places(told) == {"vip": 1, "again": 2, "new": 3, "early": 4}


def test_who_hangs_up_gives_their_place_to_the_next() -> None:
    told = [holder("1", 0), holder("2", 1), holder("3", 2)]
    assert places(told[1:]) == {"2": 1, "3": 2}


def test_a_caller_goes_to_the_owner_of_their_lead_rather_than_to_anybody() -> None:
    """And leaves another caller's owner to that caller, though the team's order says otherwise."""
    told = [holder("1", 0), holder("2", 1, owner="anna")]
    able = {"1": ("anna", "boris"), "2": ("anna", "boris")}
    assert {one.channel: one.person for one in match(told, able)} == {"1": "boris", "2": "anna"}


def test_the_only_free_person_goes_to_who_is_first_though_they_own_anothers_lead() -> None:
    told = [holder("1", 0), holder("2", 1, owner="anna")]
    assert [(one.channel, one.person) for one in match(told, {"1": ("anna",), "2": ("anna",)})] == [("1", "anna")]


def test_the_wait_grows_with_the_place_and_shrinks_with_the_people() -> None:
    assert [expected_minutes(place, 120, 2) for place in (1, 2, 3, 5)] == [1, 2, 3, 5]
    assert expected_minutes(1, 5, 20) == 1
    assert expected_minutes(3, 120, 0) is None


@given(st.integers(1, 100), st.floats(1, 3600), st.integers(1, 50))
def test_the_wait_is_never_told_shorter_to_who_stands_behind(place: int, seconds: float, people: int) -> None:
    one, behind = expected_minutes(place, seconds, people), expected_minutes(place + 1, seconds, people)
    assert one is not None
    assert behind is not None
    assert one <= behind
    assert one >= 1


def test_the_reason_says_whose_lead_it_is() -> None:
    anna = Person(key="anna", name="Анна", role="manager")
    assert came_free(holder("1", owner="anna"), anna).key == "came_free_owner"
    assert came_free(holder("1", owner="boris"), anna).text == "Анна is free now"


def facts(**states: str) -> Facts:
    told = {"PJSIP/anna-desk": "not_inuse", "PJSIP/anna-soft": "not_inuse", "PJSIP/boris-desk": "not_inuse"}
    told |= {f"PJSIP/{name.replace('_', '-')}": state for name, state in states.items()}
    return Facts(directory=OFFICE, devices={name: DeviceState(state, True) for name, state in told.items()})


def free(told: Facts, *left_out: str, **more: str) -> list[str]:
    one = replace(holder("1"), **more)  # type: ignore[arg-type]  # a key of people
    return list(free_for(one, Situation(arrival_of(one, "pbx", T0), told), left_out))


def test_who_talks_or_rings_or_was_just_rung_in_vain_is_not_free() -> None:
    """One phone that is busy or rings is enough: a person has two ears, and one call."""
    assert free(facts()) == ["anna", "boris"]
    assert free(facts(anna_soft="inuse")) == ["boris"]
    assert free(facts(anna_desk="ringing")) == ["boris"]
    assert free(facts(), "boris") == ["anna"]
    assert free(facts(boris_desk="unavailable"), "anna") == []


def test_the_owner_is_asked_for_though_another_team_has_them() -> None:
    assert free(facts(), owner="vera") == ["anna", "boris", "vera"]
    assert free(facts(), owner="nobody-here") == ["anna", "boris"]


def test_nobody_is_asked_for_by_a_team_that_is_closed() -> None:
    """The owner of the caller's lead still is: they do not answer for the team."""
    night = Hours("night", read_week({"mon-sun": "22:00-23:00"}))
    teams = tuple(replace(team, hours="night") for team in OFFICE.teams)
    closed = replace(facts(), directory=replace(OFFICE, hours=(*OFFICE.hours, night), teams=teams))
    assert free(closed) == []
    assert free(closed, owner="vera") == ["vera"]


def test_who_talks_is_at_work_and_who_cannot_be_reached_is_not() -> None:
    arrival = arrival_of(holder("1"), "pbx", T0)
    assert at_work("sales", Situation(arrival, facts(anna_desk="inuse"))) == 2
    assert at_work("sales", Situation(arrival, facts(anna_desk="inuse", boris_desk="unavailable"))) == 1
    assert at_work("nobody", Situation(arrival, facts())) == 0
