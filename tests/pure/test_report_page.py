"""What the page of a report shows to whom, before it is drawn."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from reports.report import Audience, Figure, Row, Section
from web.reports.asked import Asked
from web.reports.report_page import by_subject, has_parts, most_of
from web.reports.words import ToldAction, ToldFinding

FINDING = ToldFinding(
    good=False,
    title="Телефон",
    why="Он молчит.",
    driver="",
    actions=(ToldAction("Проверить", "/admin/people/anna"), ToldAction("Перезвонить", "/missed")),
    link="/reports/behind?measure=missed",
)


def test_where_only_administrators_may_go_no_link_leads_others() -> None:
    """They are told to do it all the same."""
    told = FINDING.for_others()
    assert [one.link for one in told.actions] == ["", "/missed"]
    assert [one.words for one in told.actions] == ["Проверить", "Перезвонить"]


def test_figures_stand_by_what_they_are_about() -> None:
    """In the order in which they came, and nothing is said of what there is none."""
    figures = [Figure(measure=key, value=1) for key in ("won", "missed", "leads_in", "calls_in")]
    assert [(subject, [one.measure for one in mine]) for subject, mine in by_subject(figures)] == [
        ("calls", ["missed", "calls_in"]),
        ("leads", ["won", "leads_in"]),
    ]


def test_bars_of_a_column_share_its_greatest_value() -> None:
    """Nothing known is nothing, and there is never anything to divide by that is none."""

    def row(key: str, *values: float | None) -> Row:
        return Row(key=key, figures=tuple(Figure(measure="missed", value=value) for value in values))

    assert most_of(Section(by="hour", rows=(row("9", 2, None), row("10", 7, 0)))) == [7, 1]


def test_the_counts_of_a_share_are_told_only_where_they_are_things() -> None:
    """17 of 96 calls says something, 4645 of 7727 seconds does not."""
    told = {
        key: has_parts(Figure(measure=key, value=0.2, part=17, whole=96)) for key in ("missed_share", "staff_share")
    }
    assert told == {"missed_share": True, "staff_share": False}
    assert not has_parts(Figure(measure="missed", value=17))


def test_a_report_leads_to_the_one_before_and_after_it() -> None:
    """After the last there is none; a period that goes on is asked for by today."""
    week = Asked("weekly", date(2026, 11, 27), Audience("team", "sales"))
    assert week.path == "/reports?kind=weekly&date=2026-11-27&team=sales"
    assert week.earlier.day == date(2026, 11, 22)
    assert week.later(date(2026, 11, 29)) is None
    later = week.later(date(2026, 12, 2))
    assert later is not None
    assert later.day == date(2026, 12, 2)
    month = replace(week, kind="monthly", audience=Audience("house"))
    assert month.earlier.path == "/reports?kind=monthly&date=2026-10-31"
