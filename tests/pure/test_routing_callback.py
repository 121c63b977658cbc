"""Who is called back by itself, when, and by whom: never twice at once, never too often, only by who is free."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.model import DoNotCall, Line
from directory.outgoing import Callback
from directory.presence import Presence
from routing.arrival import DeviceState, Facts
from routing.callback import CallBack, Promise, due
from tests.fakes.directories import LINE, OFFICE

NOON = datetime(2026, 11, 23, 9, tzinfo=UTC)
"""A Monday, noon in Moscow: the line is open."""
CLIENT = "79161234567"
FREE = {"PJSIP/anna-desk": DeviceState("not_inuse", True), "PJSIP/boris-desk": DeviceState("not_inuse", True)}
WANTED = Callback(attempts=3, after_seconds=60, pause_seconds=900)
PROMISE = Promise(follow_up=1, number=CLIENT, line=LINE, owner="boris", missed_at=NOON - timedelta(seconds=60))


def facts(callback: Callback | None = WANTED, **devices: DeviceState) -> Facts:
    """The office whose first line calls back, with both desk phones free."""
    lines = (replace(OFFICE.lines[0], callback=callback), *OFFICE.lines[1:])
    known = FREE | {f"PJSIP/{name}-desk": state for name, state in devices.items()}
    return Facts(directory=replace(OFFICE, lines=lines), devices=known)


def wanted(promise: Promise = PROMISE, known: Facts | None = None, now: datetime = NOON) -> list[str]:
    return [one.person for one in due([promise], known or facts(), now)]


def test_the_owner_calls_back_who_was_missed_a_while_ago() -> None:
    assert wanted() == ["boris"]
    assert wanted(now=NOON - timedelta(seconds=1)) == []


@pytest.mark.parametrize(
    "changed, why",
    [
        ({"busy": True}, "on the line, being called, or talked with since"),
        ({"tried": 3, "tried_at": NOON - timedelta(days=1)}, "as often as it may be"),
        ({"tried": 1, "tried_at": NOON - timedelta(seconds=899)}, "within the pause"),
        ({"line": "74951234568"}, "a line that does not call back"),
        ({"line": "74950000000"}, "no line of ours"),
        ({"missed_at": NOON - timedelta(seconds=59)}, "too soon"),
    ],
)
def test_nobody_is_called_back_who_should_not_be(changed: dict[str, object], why: str) -> None:
    assert wanted(replace(PROMISE, **changed)) == [], why  # type: ignore[arg-type] # fields by their names


def test_the_next_attempt_comes_after_the_pause() -> None:
    again = replace(PROMISE, tried=2, tried_at=NOON - timedelta(seconds=900))
    assert wanted(again) == ["boris"]


def test_nobody_is_called_back_outside_the_lines_hours() -> None:
    night = datetime(2026, 11, 23, 20, tzinfo=UTC)
    assert wanted(replace(PROMISE, missed_at=night - timedelta(hours=1)), now=night) == []


def test_off_by_default() -> None:
    assert Line(number="74951234567", name="x", team="sales").callback is None
    assert wanted(known=facts(None)) == []


def test_a_colleague_of_the_team_calls_while_the_owner_cannot() -> None:
    """Who talks, is gone, away or not on shift does not; and when nobody can, nobody is asked."""
    talking, gone = DeviceState("inuse", True), DeviceState("unavailable", False)
    assert wanted(known=facts(boris=talking)) == ["anna"]
    assert wanted(known=facts(boris=gone)) == ["anna"]
    away = replace(facts(), presence={"boris": Presence(status="away")})
    assert wanted(known=away) == ["anna"]
    nobody = replace(facts(boris=talking), presence={"anna": Presence(on_shift=False)})
    assert wanted(known=nobody) == []
    assert list(due([PROMISE], facts(), NOON, busy_people=frozenset({"boris"}))) == [CallBack(PROMISE, "anna")]


def test_who_must_not_be_called_is_not() -> None:
    known = facts()
    unwanted = replace(known.directory, do_not_call=(DoNotCall(number=CLIENT),))
    assert wanted(known=replace(known, directory=unwanted)) == []
    assert wanted(replace(PROMISE, number="anonymous")) == []
    assert wanted(replace(PROMISE, number="4930901820")) == []


promises = st.builds(
    Promise,
    follow_up=st.integers(1, 50),
    number=st.sampled_from([f"7916123456{digit}" for digit in range(5)]),
    line=st.sampled_from([LINE, "74951234568"]),
    owner=st.sampled_from([None, "anna", "boris", "vera", "left"]),
    missed_at=st.integers(-4000, 100).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    tried=st.integers(0, 4),
    tried_at=st.none() | st.integers(-4000, 0).map(lambda seconds: NOON + timedelta(seconds=seconds)),
    busy=st.booleans(),
)
states = st.builds(
    DeviceState, st.sampled_from(["not_inuse", "inuse", "ringing", "unavailable", "unknown"]), st.booleans()
)


@given(st.lists(promises, max_size=12), states, states)
def test_never_two_at_once_for_one_client_or_one_person(
    told: list[Promise], annas: DeviceState, boriss: DeviceState
) -> None:
    """And whoever is asked can be rung."""
    known = facts(anna=annas, boris=boriss)
    found = list(due(told, known, NOON))
    people, numbers = [one.person for one in found], [one.promise.number for one in found]
    assert len(set(people)) == len(people)
    assert len(set(numbers)) == len(numbers)
    for one in found:
        person = known.directory.person(one.person)
        assert person is not None
        assert not one.promise.busy
        assert one.promise.tried < WANTED.attempts
        talking = [known.devices.get(device.address, DeviceState()).state for device in person.devices]
        assert not {"inuse", "busy", "onhold"} & set(talking)
