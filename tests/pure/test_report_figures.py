"""Figures and sections of a small invented house: judged, planned, narrowed, and never divided by nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from directory.hours import read_week
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Company, Directory, Hours, Line, Person, Team
from directory.presence import Absence
from reports.evidence import BY_HOUR
from reports.facts import Fact, Sums
from reports.figures import Known, figures_of, sections_of
from reports.layout import FIGURES, SECTIONS
from reports.lengths import Lengths
from reports.measures import Ratio, counts_of
from reports.out_of_common import LOOKED_AT
from reports.periods import before, period_of
from reports.plan_days import HOUSE as OF_HOUSE
from reports.plan_days import PlanDays, Whose
from reports.plans import Plans
from reports.registry import COUNTS, MEASURES
from reports.report import Audience, Figure, Section
from web.reports.letter import COMPARED, HEADLINES

FRIDAY = date(2026, 11, 27)
NOON = datetime(2026, 11, 27, 9, tzinfo=UTC)
LONG_AGO = date(2026, 1, 1)
MAIN, OTHER = "74951234567", "74951234568"
HOUSE = Directory(
    company=Company(name="Ромашка"),
    hours=(Hours("office", read_week({"mon-fri": "09:00-18:00"})),),
    people=(Person(key="anna", name="Анна", role="manager"), Person(key="boris", name="Борис", role="manager")),
    teams=(Team(key="sales", name="Продажи", strategy="hunt", members=("anna", "boris"), hours="office"),),
    lines=(
        Line(number=MAIN, name="Основная", team="sales", campaign="Сайт"),
        Line(number=OTHER, name="Склад", team="sales"),
    ),
    leads=LeadPolicy(funnel=(FunnelStep(key="meeting", name="Встреча"), FunnelStep(key="booking", name="Бронь"))),
)
WHOLE = Audience("house")


def known(
    told: Iterable[Sequence[Fact]],
    audience: Audience = WHOLE,
    *,
    passed: float = 1.0,
    counted: bool = True,
    ripe: bool = True,
    begun: date = LONG_AGO,
    plans: dict[tuple[date, Whose, str], float] | None = None,
    away: Sequence[Absence] = (),
) -> Known:
    """Facts of the day and of the eight Fridays before it, the nearest first."""
    day = period_of("daily", FRIDAY)
    periods = (day, *before("daily", day))
    days = PlanDays(HOUSE, {"anna": tuple(away)})
    facts = [list(one) for one in told]
    return Known(
        audience=audience,
        directory=HOUSE,
        lengths=Lengths(days=days, periods=periods, begun=begun, passed=passed),
        plans=Plans(HOUSE, plans or {}, days),
        facts=added_up(facts),
        hours=[],
        month=facts[0],
        passed=passed,
        counted=counted,
        ripe=ripe,
    )


def added_up(periods: Sequence[Sequence[Fact]]) -> list[Sums]:
    """As the database adds up what there is in each period."""
    found: dict[tuple[str, str, str, str, str], list[float]] = {}
    for at, facts in enumerate(periods):
        for one in facts:
            key = one.count, one.team, one.line, one.person, one.detail
            found.setdefault(key, [0.0] * len(periods))[at] += one.value
    return [Sums(*key, tuple(values)) for key, values in found.items()]


def fact(count: str, value: float, *, line: str = MAIN, person: str = "", detail: str = "", ago: int = 0) -> Fact:
    return Fact(FRIDAY - timedelta(weeks=ago), count, "sales", line, person, detail, value)


def days(now: Sequence[Fact], *usual: Fact) -> list[Sequence[Fact]]:
    return [
        now,
        *([msgspec.structs.replace(one, day=FRIDAY - timedelta(weeks=ago)) for one in usual] for ago in range(1, 9)),
    ]


def of(measure: str, figures: Iterable[Figure]) -> Figure:
    return next(figure for figure in figures if figure.measure == measure)


def section(by: str, sections: Iterable[Section]) -> Section:
    return next(one for one in sections if one.by == by)


def test_what_cannot_be_divided_is_none_and_what_did_not_happen_is_nought() -> None:
    figures = figures_of(known([[] for _ in range(9)]))
    assert [figure.measure for figure in figures] == list(FIGURES["house"])
    for figure in figures:
        assert figure.value == (None if isinstance(MEASURES[figure.measure], Ratio) else 0.0)


def test_who_has_had_something_is_in_a_section_though_nothing_of_today_has_passed() -> None:
    """What came on the days before then counts for nothing yet."""
    (row,) = section("line", sections_of(known(days([], fact("calls_in", 0.0))))).rows
    assert (row.key, of("calls_in", row.figures).value) == (MAIN, 0.0)


def test_what_is_told_by_the_hour_is_kept_by_it() -> None:
    """Of counts that are not nobody knows by the hour, and a question about them would get nothing."""
    kept = {count.key for count in COUNTS if count.hourly}
    shown = {
        count
        for one in SECTIONS
        if one.by == "hour"
        for measure in one.measures
        for count in counts_of(MEASURES[measure])
    }
    assert shown | BY_HOUR <= kept


def test_a_day_worse_than_its_weekdays_is_bad_and_told_by_what_made_it_so() -> None:
    usual = (
        fact("missed", 1, detail="rang_out"),
        fact("missed", 1, line=OTHER, detail="rang_out"),
        fact("calls_in", 60),
    )
    now = [fact("missed", 18, detail="device_unreachable"), fact("missed", 2, detail="rang_out"), fact("calls_in", 61)]
    figures = figures_of(known(days(now, *usual)))
    missed, calls_in = of("missed", figures), of("calls_in", figures)
    assert (missed.value, missed.verdict, calls_in.verdict) == (20.0, "bad", "as_usual")
    assert missed.usual == pytest.approx(2, abs=0.2)
    assert missed.driver is not None
    assert (missed.driver.by, missed.driver.key) == ("cause", "device_unreachable")
    assert missed.behind == "/reports/behind?measure=missed&from=2026-11-27&to=2026-11-27"
    share = of("missed_share", figures)
    assert (share.part, share.whole, share.value) == (20.0, 61.0, 20 / 61)


def test_days_before_the_first_known_one_are_no_quiet_days() -> None:
    told = known(days([fact("missed", 20)], fact("missed", 20)), begun=FRIDAY - timedelta(weeks=2))
    assert of("missed", figures_of(told)).verdict == "too_few"


def test_a_day_that_goes_on_is_held_against_as_much_of_others() -> None:
    told = days([fact("calls_in", 30)], fact("calls_in", 60))
    assert of("calls_in", figures_of(known(told, passed=0.5))).usual == pytest.approx(30, abs=0.1)
    assert of("calls_in", figures_of(known(told))).usual == pytest.approx(60, abs=0.1)


def test_what_stands_at_the_end_of_a_day_is_as_much_at_noon() -> None:
    told = days([fact("overdue", 12)], fact("overdue", 12))
    assert of("overdue", figures_of(known(told, passed=0.5))).usual == pytest.approx(12)


def test_what_became_of_promises_is_not_judged_before_it_is_known() -> None:
    """Those of this evening are open still; those of weeks ago were kept one by one."""
    usual = (
        fact("promised", 40),
        fact("never_called_back", 2),
        fact("called_back", 38),
        fact("call_back_seconds", 9e5),
    )
    now = [fact("promised", 40), fact("never_called_back", 30), fact("called_back", 10), fact("call_back_seconds", 9e3)]
    young, ripe = (figures_of(known(days(now, *usual), ripe=one)) for one in (False, True))
    ripening = ("never_called_back", "never_called_back_share", "call_back")
    assert [of(measure, ripe).verdict for measure in ripening] == ["bad", "bad", "good"]
    assert [(of(measure, young).verdict, of(measure, young).usual) for measure in ripening] == [("too_few", None)] * 3
    assert [of(measure, young).value for measure in ripening] == [30.0, 0.75, 900.0]
    assert of("promised", young).verdict == "as_usual"


def test_nothing_is_judged_of_a_day_that_is_not_counted() -> None:
    """Not even by its plan: that nothing is overdue is not known."""
    told, plans = days([], fact("overdue", 12)), {(date(2026, 11, 1), OF_HOUSE, "overdue"): 5.0}
    counted, blank = (figures_of(known(told, plans=plans, counted=one)) for one in (True, False))
    assert (of("overdue", counted).verdict, of("overdue", counted).month_so_far) == ("good", 0.0)
    assert {figure.verdict for figure in blank} == {"too_few"}
    assert of("overdue", blank).month_so_far is None


def test_whoever_is_away_is_not_held_against_days_of_work() -> None:
    told = days([], fact("answered", 40, person="anna"))
    there = section("person", sections_of(known(told)))
    assert of("answered", there.rows[0].figures).verdict == "bad"
    away = Absence(1, *(NOON - timedelta(days=3), NOON + timedelta(days=3)), None, "")
    gone = section("person", sections_of(known(told, away=[away])))
    assert of("answered", gone.rows[0].figures).verdict == "too_few"


def test_steps_of_the_funnel_tell_their_conversion_from_the_step_before() -> None:
    now = [fact("qualified", 8), fact("steps", 4, detail="meeting"), fact("steps", 1, detail="booking")]
    rows = section("step", sections_of(known(days(now)))).rows
    assert [row.key for row in rows] == ["meeting", "booking"]
    told = [(of("steps", row.figures).value, of("step_conversion", row.figures).value) for row in rows]
    assert told == [(4.0, 0.5), (1.0, 0.25)]
    assert of("step_conversion", rows[1].figures).behind.endswith(
        "measure=steps&from=2026-11-27&to=2026-11-27&detail=booking"
    )
    (alone,) = section("step", sections_of(known(days([fact("steps", 1, detail="booking")])))).rows
    assert of("step_conversion", alone.figures).value is None


def test_a_row_is_narrowed_to_whom_the_report_is_for_and_to_its_key() -> None:
    sections = sections_of(
        known(days([fact("charged", 2, person="anna", detail="rang_out")]), Audience("team", "sales"))
    )
    (anna,) = section("person", sections).rows
    assert of("charged", anna.figures).behind.endswith("&team=sales&person=anna")
    own = sections_of(known(days([fact("charged", 2, person="anna", detail="rang_out")]), Audience("person", "anna")))
    (cause,) = section("cause", own).rows
    assert of("charged", cause.figures).behind.endswith("&person=anna&detail=rang_out")


def test_rows_of_a_section_add_up_to_the_figure() -> None:
    now = [
        fact("missed", 3, detail="rang_out"),
        fact("missed", 2, line=OTHER, detail="all_busy"),
        fact("calls_in", 9, detail="missed"),
        fact("calls_in", 4, line=OTHER, detail="answered"),
    ]
    told = known(days(now))
    figures, sections = figures_of(told), sections_of(told)
    for by, measure in (("line", "missed"), ("cause", "missed"), ("source", "calls_in"), ("status", "calls_in")):
        rows = [of(measure, row.figures).value or 0.0 for row in section(by, sections).rows]
        assert sum(rows) == of(measure, figures).value, by
    assert [row.key for row in section("source", sections).rows] == ["Сайт", "Склад"]


def test_a_plan_is_shared_out_and_the_month_told_so_far() -> None:
    plans = {
        (date(2026, 11, 1), OF_HOUSE, "leads_in"): 882.0,
        (date(2026, 11, 1), Whose("person", "anna"), "won"): 42.0,
    }
    told = known(days([fact("leads_in", 2), fact("won", 1, person="anna")]), plans=plans)
    leads = of("leads_in", figures_of(told))
    assert (leads.plan, leads.plan_month, leads.month_so_far, leads.verdict) == (42.0, 882.0, 2.0, "bad")
    assert (leads.by_plan, leads.due, leads.outlook) == (True, 42.0, "missed")
    assert of("won", figures_of(told)).by_plan is False
    assert leads.month_low is not None
    assert leads.month_high is not None
    assert leads.month_low < (leads.month_forecast or 0) < leads.month_high
    (anna,) = section("person", sections_of(told)).rows
    assert of("won", anna.figures).plan == 2.0


def test_what_made_a_figure_better_than_usual_does_not_explain_why_it_is_behind_its_plan() -> None:
    """And what is worse than both is explained."""
    usual = (fact("leads_in", 10, person="anna"), fact("leads_in", 10, person="boris"))
    plans = {(date(2026, 11, 1), OF_HOUSE, "leads_in"): 2100.0}
    more, fewer = (
        of(
            "leads_in",
            figures_of(
                known(
                    days([fact("leads_in", 10, person="anna"), fact("leads_in", boris, person="boris")], *usual),
                    plans=plans,
                )
            ),
        )
        for boris in (30, 0)
    )
    assert (more.verdict, more.by_plan, more.driver) == ("bad", True, None)
    assert (fewer.verdict, fewer.by_plan) == ("bad", True)
    assert fewer.driver is not None
    assert fewer.driver.key == "boris"


def test_every_measure_that_is_shown_is_one_that_there_is() -> None:
    """What letters and findings tell of is among them; of what is not shown none is a ratio."""
    shown = {measure for one in SECTIONS for measure in one.measures} | {
        one for told in FIGURES.values() for one in told
    }
    assert shown <= MEASURES.keys()
    assert (HEADLINES | COMPARED).union(*LOOKED_AT.values()) <= shown
    assert [key for key, measure in MEASURES.items() if key not in shown and isinstance(measure, Ratio)] == []
