"""The figures of missed calls."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from calls.missed import CAUSES
from reports.missed import DayCount, MissedCall, summarise

MONDAY = date(2026, 11, 23)


def missed(**told: Any) -> MissedCall:
    usual: dict[str, Any] = {
        "at": datetime(2026, 11, 23, 10, 15),  # noqa: DTZ001 - the company's wall clock
        "line": "74951234567",
        "cause": "rang_out",
        "charged_to": ("anna",),
        "owner": "anna",
        "known": True,
        "owed": True,
        "called_back_seconds": 600.0,
    }
    return MissedCall(**usual | told)


def test_how_soon_and_how_many_never_are_told_of_those_who_were_owed_a_call() -> None:
    calls = [missed(), missed(called_back_seconds=200.0), missed(called_back_seconds=None), missed(owed=False)]
    total = summarise(calls, [], MONDAY).total
    assert (total.missed, total.owed, total.called_back) == (4, 3, 2)
    assert (total.median_seconds, round(total.never_share or 0, 2)) == (400.0, 0.33)


def test_new_clients_stand_apart_from_known_ones() -> None:
    parts = {part.key: part for part in summarise([missed(), missed(known=False), missed()], [], MONDAY).clients}
    assert {key: part.missed for key, part in parts.items()} == {"known": 2, "new": 1}


def test_a_call_is_charged_to_everybody_who_is_to_blame_and_to_nobody_else() -> None:
    report = summarise([missed(charged_to=("anna", "boris")), missed(cause="crm_late", charged_to=())], [], MONDAY)
    assert {part.key: part.missed for part in report.by_person} == {"anna": 1, "boris": 1}
    assert {part.key: part.missed for part in report.by_group} == {"people": 1, "integration": 1}


def test_hours_stand_in_the_order_of_the_day_and_causes_by_their_number() -> None:
    late = datetime(2026, 11, 23, 9, 0)  # noqa: DTZ001 - the company's wall clock
    report = summarise([missed(), missed(cause="all_busy"), missed(), missed(at=late)], [], MONDAY)
    assert [part.key for part in report.by_hour] == ["09", "10"]
    assert [part.key for part in report.by_cause] == ["rang_out", "all_busy"]


def test_a_day_is_held_against_the_same_weekday_of_the_weeks_before() -> None:
    """Mondays of two weeks are known, and one Sunday, which does not count."""
    days = [
        DayCount(MONDAY - timedelta(weeks=2), 20, 2),
        DayCount(MONDAY - timedelta(weeks=1), 20, 4),
        DayCount(MONDAY - timedelta(days=1), 9, 9),
        DayCount(MONDAY, 10, 7),
    ]
    report = summarise([missed()] * 7, days, MONDAY)
    assert [(one.day, one.usual, one.difference) for one in report.days] == [(MONDAY, 3.0, 4.0)]
    assert (report.inbound, report.missed_share) == (10, 0.7)


def test_nothing_missed_is_a_report_too() -> None:
    report = summarise([], [DayCount(MONDAY, 0, 0)], MONDAY)
    assert (report.total.missed, report.total.never_share, report.missed_share) == (0, None, None)
    assert report.to_json()["days"] == [
        {"day": "2026-11-23", "inbound": 0, "missed": 0, "usual": None, "difference": None}
    ]


calls = st.builds(
    missed,
    cause=st.sampled_from(CAUSES),
    line=st.sampled_from(["", "1", "2"]),
    known=st.booleans(),
    owed=st.booleans(),
    called_back_seconds=st.none() | st.floats(0, 1e6),
)


@given(st.lists(calls, max_size=30))
def test_every_way_of_counting_counts_every_call_once(told: list[MissedCall]) -> None:
    report = summarise(told, [], MONDAY)
    for parts in (report.clients, report.by_cause, report.by_group, report.by_line, report.by_hour):
        assert sum(part.missed for part in parts) == report.total.missed == len(told)
        assert sum(part.called_back for part in parts) == report.total.called_back
