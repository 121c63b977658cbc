"""What a person answers on: learned from rings, fading with time, turned into an order with its reason."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.model import KINDS, Device
from routing.learned import (
    ENOUGH,
    HALF_LIFE,
    REMEMBERED,
    Answers,
    Ring,
    Tally,
    hour_of_week,
    order,
    tally,
    weight,
)
from web.told import reason

MOSCOW = "Europe/Moscow"
THURSDAY_18 = datetime(2026, 11, 26, 18, 30, tzinfo=ZoneInfo(MOSCOW))
HOUR = hour_of_week(THURSDAY_18, MOSCOW)
DESK = Device(kind="desk", address="PJSIP/anna-desk")
SOFT = Device(kind="soft", address="PJSIP/anna-soft")
MOBILE = Device(kind="mobile", address="79160000011", trunk="PJSIP/trunk")

moments = st.datetimes(datetime(2024, 1, 1), datetime(2029, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis adds the zone
rings = st.lists(st.builds(Ring, moments, st.booleans()), max_size=30)
tallies = st.builds(lambda rang, share: Tally(rang, rang * share), st.floats(0, 1e6), st.floats(0, 1))
answers = st.dictionaries(st.integers(0, 167), tallies, max_size=5).map(Answers.of)


def rung(answered: int, missed: int, at: datetime = THURSDAY_18) -> Tally:
    """So many rings of that hour, all at that time."""
    return tally([Ring(at, answered=True)] * answered + [Ring(at, answered=False)] * missed)


def learned(told: Mapping[Device, Mapping[int, Tally]]) -> dict[str, Answers]:
    return {device.address: Answers.of(week) for device, week in told.items()}


@given(rings)
def test_a_share_is_a_share(told: list[Ring]) -> None:
    counted = tally(told)
    assert 0.0 <= counted.answered <= counted.rang
    assert 0.0 <= counted.share <= 1.0


@given(rings, st.randoms())
def test_the_order_in_which_rings_are_told_changes_nothing(told: list[Ring], random: object) -> None:
    shuffled = list(told)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis' own random.Random
    assert tally(shuffled) == tally(told)


@given(moments, st.timedeltas(timedelta(seconds=1), timedelta(weeks=20)))
def test_an_older_ring_weighs_less_and_half_after_each_half_life(at: datetime, ago: timedelta) -> None:
    assert weight(at - ago) < weight(at)
    assert math.isclose(weight(at - HALF_LIFE), weight(at) / 2)
    assert tally([Ring(at, answered=True), Ring(at - ago, answered=False)]).share > 0.5


def test_what_was_long_ago_is_forgotten() -> None:
    """The last ring of the hour says what is long ago."""
    old = Ring(THURSDAY_18 - REMEMBERED, answered=True)
    assert tally([old]).share == 1.0
    assert tally([old, Ring(THURSDAY_18, answered=False)]).share == 0.0


@pytest.mark.parametrize("year", [1, 1970, 9990])
def test_a_clock_that_is_centuries_off_breaks_nothing(year: int) -> None:
    at = datetime(year, 1, 2, tzinfo=UTC)
    assert tally([Ring(at, answered=True)]).share == 1.0
    assert order("Анна", [DESK, MOBILE], {}, at, MOSCOW)[0] == (DESK, MOBILE)


@given(
    st.lists(st.sampled_from(KINDS), min_size=2, max_size=5),
    st.lists(answers, min_size=5, max_size=5),
    moments,
)
def test_the_order_is_total_and_stable(kinds: list[str], told: list[Answers], at: datetime) -> None:
    """Every device stands in it once, and the same facts give the same order."""
    devices = [Device(kind=kind, address=f"PJSIP/{index}") for index, kind in enumerate(kinds)]  # type: ignore[arg-type]  # sampled of KINDS
    known = {device.address: one for device, one in zip(devices, told, strict=False)}
    ordered, why = order("Анна", devices, known, at, MOSCOW)
    assert sorted(one.address for one in ordered) == sorted(one.address for one in devices)
    assert order("Анна", ordered, known, at, MOSCOW)[0] == ordered
    assert order("Анна", devices, known, at, MOSCOW) == (ordered, why)
    assert why.text


def test_the_mobile_rings_first_when_it_is_what_is_answered_in_this_hour() -> None:
    facts = learned({DESK: {HOUR: rung(2, 8)}, MOBILE: {HOUR: rung(9, 1)}})
    ordered, why = order("Анна", [DESK, SOFT, MOBILE], facts, THURSDAY_18, MOSCOW)
    assert ordered == (MOBILE, DESK, SOFT)
    assert why.key == "learned_weekday"
    assert why.text == "Анна, mobile first: 9 of 10 answered on thu from 18:00 to 19:00"
    assert reason(why.to_json(), "ru") == "Анна: сначала мобильный, принято 9 из 10 (чт с 18:00 до 19:00)"


def test_another_hour_has_another_order() -> None:
    """In the morning the same person answers at the desk."""
    morning = THURSDAY_18.replace(hour=10)
    facts = learned(
        {
            DESK: {HOUR: rung(2, 8), hour_of_week(morning, MOSCOW): rung(10, 0)},
            MOBILE: {HOUR: rung(9, 1), hour_of_week(morning, MOSCOW): rung(1, 9)},
        }
    )
    assert order("Анна", [DESK, MOBILE], facts, THURSDAY_18, MOSCOW)[0] == (MOBILE, DESK)
    assert order("Анна", [DESK, MOBILE], facts, morning, MOSCOW)[0] == (DESK, MOBILE)


def test_a_day_without_rings_learns_from_the_same_hour_of_other_days_then_from_all_hours() -> None:
    friday, noon = THURSDAY_18 + timedelta(days=1), THURSDAY_18.replace(hour=12)
    facts = learned({DESK: {HOUR: rung(2, 8)}, MOBILE: {HOUR: rung(9, 1)}})
    for at, key, text in (
        (friday, "learned_hour", "Анна, mobile first: 9 of 10 answered from 18:00 to 19:00"),
        (noon, "learned_ever", "Анна, mobile first: 9 of 10 answered"),
    ):
        ordered, why = order("Анна", [DESK, MOBILE], facts, at, MOSCOW)
        assert ordered == (MOBILE, DESK)
        assert (why.key, why.text) == (key, text)


def test_few_rings_leave_the_order_written_and_say_so() -> None:
    """One device that is well known tells nothing of another."""
    few = int(ENOUGH) - 1
    for told in ({}, {MOBILE: {HOUR: rung(9, 1)}}, {DESK: {HOUR: rung(0, few)}, MOBILE: {HOUR: rung(9, 1)}}):
        ordered, why = order("Анна", [DESK, MOBILE], learned(told), THURSDAY_18, MOSCOW)
        assert ordered == (DESK, MOBILE)
        assert why.key == "learned_few"
        assert "мало" in reason(why.to_json(), "ru")


def test_what_was_learned_long_ago_is_few_data_now() -> None:
    """Ten rings of half a year ago weigh less than one of today."""
    facts = learned({DESK: {HOUR: rung(2, 8)}, MOBILE: {HOUR: rung(9, 1)}})
    assert order("Анна", [DESK, MOBILE], facts, THURSDAY_18 + timedelta(weeks=26), MOSCOW)[1].key == "learned_few"


def test_devices_that_answer_alike_keep_the_order_written() -> None:
    facts = learned({SOFT: {HOUR: rung(5, 5)}, DESK: {HOUR: rung(5, 5)}})
    assert order("Анна", [SOFT, DESK], facts, THURSDAY_18, MOSCOW)[0] == (SOFT, DESK)


def test_the_hour_is_that_of_the_persons_own_week() -> None:
    """A Moscow evening is a Yekaterinburg night of the next day."""
    assert hour_of_week(THURSDAY_18, MOSCOW) == 3 * 24 + 18
    assert hour_of_week(datetime(2026, 11, 26, 22, 30, tzinfo=ZoneInfo(MOSCOW)), "Asia/Yekaterinburg") == 4 * 24
