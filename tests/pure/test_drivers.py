"""What explains a difference most, by parts that add up to it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.model import Company, Directory, Line
from reports.drivers import count_parts, main_driver, ratio_parts
from reports.facts import Fact
from reports.registry import MEASURES
from reports.report import Driver

DAY, BEFORE = date(2026, 11, 24), date(2026, 11, 17)
DIRECTORY = Directory(
    company=Company(name="House"),
    lines=(
        Line(number="74950000001", name="Site", team="sales", campaign="search"),
        Line(number="74950000002", name="Flyer", team="sales", campaign="search"),
        Line(number="74950000003", name="Fair", team="sales"),
    ),
)
NUMBERS = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 30), max_size=4)


def fact(count: str, value: float, day: date = DAY, **told: Any) -> Fact:
    told = {"team": "sales", "line": "74950000001", "person": "", "detail": ""} | told
    return Fact(day, count, value=value, **told)


@given(NUMBERS, NUMBERS)
def test_the_parts_of_a_count_add_up_to_its_difference(now: dict[str, int], usual: dict[str, int]) -> None:
    parts = count_parts(now, usual)
    assert sum(part.difference for part in parts.values()) == sum(now.values()) - sum(usual.values())


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_the_parts_of_a_ratio_add_up_to_its_difference(
    now: dict[str, int], now_of: dict[str, int], usual: dict[str, int], usual_of: dict[str, int]
) -> None:
    now_of, usual_of = {**now_of, "e": 3}, {**usual_of, "f": 7}
    parts = ratio_parts(now, now_of, usual, usual_of)
    difference = sum(now.values()) / sum(now_of.values()) - sum(usual.values()) / sum(usual_of.values())
    assert sum(part.difference for part in parts.values()) == pytest.approx(difference)
    assert sum(part.rate + part.mix for part in parts.values()) == pytest.approx(difference)


@given(NUMBERS.filter(lambda told: sum(told.values()) > 0))
def test_what_is_as_it_was_explains_nothing(of: dict[str, int]) -> None:
    now = {key: value / 3 for key, value in of.items()}
    assert all(part.difference == pytest.approx(0) for part in ratio_parts(now, of, now, of).values())


def test_a_worse_rate_and_a_larger_share_are_told_apart() -> None:
    parts = ratio_parts({"a": 4, "b": 2}, {"a": 10, "b": 10}, {"a": 2, "b": 2}, {"a": 10, "b": 10})
    assert parts["a"].rate == pytest.approx(0.1)
    assert parts["a"].mix == 0.0
    parts = ratio_parts({"a": 9, "b": 1}, {"a": 18, "b": 10}, {"a": 5, "b": 1}, {"a": 10, "b": 10})
    assert parts["a"].rate == pytest.approx(0.0)
    assert parts["a"].mix > 0


def test_of_more_missed_calls_the_cause_that_grew_is_the_driver() -> None:
    now = [fact("missed", 12, detail="device_unreachable"), fact("missed", 5, detail="rang_out")]
    before = [fact("missed", 8, BEFORE, detail="rang_out"), fact("missed", 2, BEFORE, detail="device_unreachable")]
    told = main_driver(MEASURES["missed"], now, before, 0.5, DIRECTORY)
    assert told == Driver(by="cause", key="device_unreachable", difference=11.0, share=11 / 12)


def test_a_line_that_has_nearly_all_calls_anyway_explains_nothing() -> None:
    now = [fact("leads_in", 40), fact("leads_in", 2, line="74950000003")]
    before = [fact("leads_in", 20, BEFORE), fact("leads_in", 1, BEFORE, line="74950000003")]
    assert main_driver(MEASURES["leads_in"], now, before, 1.0, DIRECTORY) is None


def test_a_source_of_several_lines_is_told_when_it_explains_more_than_each_of_them() -> None:
    now = [fact("leads_in", 4, line=f"7495000000{line}") for line in (1, 2)] + [
        fact("leads_in", 20, line="74950000003")
    ]
    before = [fact("leads_in", 12, BEFORE, line=f"7495000000{line}") for line in (1, 2)] + [
        fact("leads_in", 20, BEFORE, line="74950000003")
    ]
    told = main_driver(MEASURES["leads_in"], now, before, 1.0, DIRECTORY)
    assert told is not None
    assert (told.by, told.key, told.share) == ("source", "search", 1.0)


def test_an_hour_explains_what_no_person_or_line_does() -> None:
    now = [fact("missed", 12, line=f"7495000000{line}") for line in (1, 2, 3)]
    now += [fact("missed", 30, line="", hour=10), fact("missed", 6, line="", hour=15)]
    before = [fact("missed", 4, BEFORE, line=f"7495000000{line}") for line in (1, 2, 3)]
    before += [fact("missed", 6, BEFORE, line="", hour=10), fact("missed", 6, BEFORE, line="", hour=15)]
    told = main_driver(MEASURES["missed"], now, before, 1.0, DIRECTORY)
    assert told is not None
    assert (told.by, told.key, told.difference) == ("hour", "10", 24.0)


def test_a_manager_whose_rate_changed_drives_the_share_of_all() -> None:
    def judged(day: date, anna: float) -> list[Fact]:
        return [
            fact("judged", 20, day, person="anna"),
            fact("judged", 20, day, person="boris"),
            fact("judged", 20, day, person="vera"),
            fact("disqualified", anna, day, person="anna", detail="spam"),
            fact("disqualified", 4, day, person="boris", detail="spam"),
            fact("disqualified", 4, day, person="vera", detail="spam"),
        ]

    told = main_driver(MEASURES["disqualified_share"], judged(DAY, 14), judged(BEFORE, 4), 1.0, DIRECTORY)
    assert told is not None
    assert (told.by, told.key) == ("person", "anna")
    assert told.difference == pytest.approx(10 / 60)


def test_missed_calls_of_nobody_are_not_explained_by_people_who_answer_others() -> None:
    now = [fact("missed", 20, detail="rang_out"), fact("calls_in", 20), fact("calls_in", 20, person="anna")]
    before = [fact("missed", 5, BEFORE, detail="rang_out"), fact("calls_in", 40, BEFORE, person="anna")]
    told = main_driver(MEASURES["missed_share"], now, before, 1.0, DIRECTORY)
    assert told is None or told.by != "person"


def test_nothing_to_compare_with_has_no_driver() -> None:
    assert main_driver(MEASURES["missed_share"], [fact("missed", 5)], [], 1.0, DIRECTORY) is None
    assert main_driver(MEASURES["missed"], [], [], 1.0, DIRECTORY) is None
