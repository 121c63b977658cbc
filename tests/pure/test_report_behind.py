"""What the list behind a number is asked for by its address, before anything is read."""

from __future__ import annotations

from datetime import date

from reports.report import Audience
from tests.fakes.story import HOUSE
from web.reports.behind import read_question

TODAY = date(2026, 11, 27)


def narrowed(measure: str, detail: str) -> dict[str, object]:
    """By what each side of a measure's number with that detail is narrowed."""
    asked = read_question({"measure": measure, "detail": detail}, HOUSE, Audience("house"), TODAY)
    return {of: (side.count.key, dict(side.only)) for of, side in asked.sides.items()}


def test_a_detail_narrows_the_whole_only_where_the_whole_is_told_apart_by_it() -> None:
    """Of all calls some were missed for this cause, and no call is of a cause before it is missed."""
    assert narrowed("missed_share", "rang_out") == {
        "part": ("missed", {"detail": "rang_out"}),
        "whole": ("calls_in", {}),
    }
    assert narrowed("disqualified_share", "spam")["whole"] == ("judged", {})
    assert narrowed("time_in_stage", "new")["whole"] == ("stages_left", {"detail": "new"})
