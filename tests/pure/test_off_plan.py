"""A month that misses its plan is told beyond chance, with what to do; one that does not is not told of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest

from reports.anomalies.look import look
from reports.evidence import Evidence
from reports.facts import Fact
from reports.figures import Known, figures_of
from reports.findings import ACTIONS, FINDINGS, find
from reports.lengths import Lengths
from reports.off_plan import off_plan
from reports.periods import before, period_of
from reports.plan_days import HOUSE as WHOLE
from reports.plan_days import PlanDays, Whose
from reports.plans import Plans, pace
from reports.report import Action, Audience, Finding, Kind
from tests.fakes.day_facts import Life, house
from web.reports.plan_grid import facts_by, known_of

NOVEMBER = date(2026, 11, 1)
LAST = date(2026, 11, 30)
HOUSE = house(2, 1, 2)
PEOPLE = [
    (team.key, line.number, person)
    for team, line in zip(HOUSE.teams, HOUSE.lines, strict=True)
    for person in team.members
]
TEAM, PERSON = Audience("team", "team0"), Audience("person", "team0-p0")
WORKED = PlanDays(HOUSE).of(WHOLE, NOVEMBER, LAST)
A_DAY = 10.0
"""Of each person's leads, half of which are qualified."""


def plans(values: Mapping[tuple[Whose, str], float]) -> Plans:
    """What is planned for November."""
    return Plans(HOUSE, {(NOVEMBER, *key): value for key, value in values.items()}, PlanDays(HOUSE))


def evidence(
    last: date, audience: Audience, a_day: Callable[[date], float] = lambda _: A_DAY, kind: Kind = "weekly"
) -> Evidence:
    """A week so far of a house in which every person has so many leads on each day of work."""
    first = period_of("monthly", last - timedelta(days=40)).first
    known = PlanDays(HOUSE).of(WHOLE, first, last)
    facts = [
        Fact(day, count, team, line, person, "", a_day(day) * share)
        for day in known
        for team, line, person in PEOPLE
        for count, share in (("leads_in", 1.0), ("judged", 1.0), ("qualified", 0.5))
    ]
    begins = period_of(kind, last).first
    return Evidence(first=begins, last=last, audience=audience, directory=HOUSE, facts=facts, since=first)


def told(one: Evidence, planned: Plans) -> list[Finding]:
    """What is told of plans."""
    return [finding for finding in find(one, planned) if finding.key in {"plan_missed", "plan_not_kept"}]


def listed(one: Evidence, link: str) -> float:
    """What the list that a link leads to has of its measure."""
    asked = dict(parse_qsl(urlsplit(link).query))
    first, last = (date.fromisoformat(asked[name]) for name in ("from", "to"))
    facts = (fact for fact in one.of(asked["measure"]) if first <= fact.day <= last)
    only = {name: asked[name] for name in ("team", "person") if name in asked}
    return sum(fact.value for fact in facts if all(getattr(fact, name) == key for name, key in only.items()))


def to_do(finding: Finding) -> dict[str, Action]:
    """Its actions by their keys."""
    return {action.key: action for action in finding.actions}


@pytest.mark.parametrize(
    "audience, people, keys",
    [
        (Audience("house"), 4, {"keep_pace", "lags_team", "see_plans"}),
        (TEAM, 2, {"keep_pace", "lags_person", "see_plans"}),
        (PERSON, 1, {"keep_pace", "see_behind"}),
    ],
    ids=("house", "team", "person"),
)
def test_a_plan_that_will_be_missed_is_told_with_what_to_do(audience: Audience, people: int, keys: set[str]) -> None:
    """To each of their own: how much is missing, what is needed a day, and who of theirs is furthest behind."""
    day = WORKED[-8]
    one, plan = evidence(day, audience), 400.0
    planned = plans({(Whose("person", person), "leads_in"): plan for _, _, person in PEOPLE})
    (finding,) = told(one, planned)
    assert set(finding.values) == set(FINDINGS["plan_missed"])
    reached = people * A_DAY * (len(WORKED) - 7)
    assert finding.values == {
        "measure": "leads_in",
        "reached": reached,
        "expected": people * A_DAY * len(WORKED),
        "plan": people * plan,
    }
    assert listed(one, finding.link) == reached
    assert finding.stake == people * (plan - A_DAY * len(WORKED))
    assert set(to_do(finding)) == keys
    for action in finding.actions:
        assert set(action.values) == set(ACTIONS[action.key])
    needed = to_do(finding)["keep_pace"].values
    assert needed["days"] == 7
    assert needed["needed"] == pytest.approx((people * plan - reached) / 7, abs=0.05)


def test_who_is_furthest_behind_is_named_with_their_share() -> None:
    planned = {(Whose("person", person), "leads_in"): 400.0 for _, _, person in PEOPLE}
    planned[Whose("person", "team0-p1"), "leads_in"] = 800.0
    one = evidence(LAST, TEAM, kind="monthly")
    (finding,) = told(one, plans(planned))
    lags = to_do(finding)["lags_person"]
    assert lags.values == {"person": "team0-p1", "reached_share": pytest.approx(A_DAY * len(WORKED) / 800, abs=0.001)}
    assert listed(one, lags.link) == A_DAY * len(WORKED)
    (of_house,) = told(replace(one, audience=Audience("house")), plans(planned))
    assert to_do(of_house)["lags_team"].values["team"] == "team0"


def few(count: str, day: date, value: float, person: str = "team0-p0") -> Fact:
    """A fact of a person of the first team."""
    return Fact(day, count, "team0", HOUSE.lines[0].number, person, "", value)


def of_month(values: Mapping[str, float], facts: Mapping[str, float], audience: Audience = TEAM) -> list[Finding]:
    """What the month's report tells of the first team's plans, where so much was counted in the month besides."""
    one = evidence(LAST, audience, kind="monthly")
    besides = [few(count, WORKED[0], value) for count, value in facts.items()]
    whose = Whose(audience.kind, audience.key)
    planned = plans({(whose, measure): value for measure, value in values.items()})
    return told(replace(one, facts=[*one.facts, *besides]), planned)


def test_each_report_of_a_week_or_a_month_tells_it_and_none_of_a_day() -> None:
    """A week of which there is its Monday alone is a day too."""
    planned = plans({(Whose("team", "team0"), "leads_in"): 700.0})

    def days(kind: Kind) -> list[date]:
        return [day for day in WORKED if told(evidence(day, TEAM, kind=kind), planned)]

    weekly, later = days("weekly"), [day for day in WORKED if day.weekday()]
    assert weekly == [day for day in later if day >= weekly[0]]
    assert WORKED[3] < weekly[0] < WORKED[15]
    assert days("monthly")[-1] == LAST
    assert days("daily") == []


def test_a_month_that_is_over_is_told_as_it_came() -> None:
    planned = plans({(Whose("team", "team0"), "leads_in"): 700.0})
    (goes_on,), (over,) = (told(evidence(day, TEAM, kind="monthly"), planned) for day in (WORKED[-2], LAST))
    assert (goes_on.key, over.key) == ("plan_missed", "plan_not_kept")
    reached = 2 * A_DAY * len(WORKED)
    assert over.values == {"measure": "leads_in", "reached": reached, "plan": 700.0}
    assert set(over.values) == set(FINDINGS["plan_not_kept"])


@pytest.mark.parametrize("values", [{"leads_in": 700.0, "revived": 2.0}, {"leads_in": 700.0, "qualified": 400.0}])
def test_of_what_is_about_the_same_the_plan_with_most_at_stake_is_told(values: Mapping[str, float]) -> None:
    """However little of another is reached: of two to be revived, nobody."""
    assert [one.measure for one in of_month(values, {})] == ["leads_in"]
    others = {"answered": 1000.0, **values}
    assert {one.measure for one in of_month(others, {})} == {"leads_in", "answered"}


def test_what_ripens_is_left_out() -> None:
    """What became of promises of these days is known later; of what is known, as much is told."""
    values = {"never_called_back": 10.0, "never_called_back_share": 0.1, "call_back": 60.0, "called_back": 500.0}
    counts = {"never_called_back": 90.0, "promised": 100.0, "call_back_seconds": 9000.0, "called_back": 10.0}
    assert not of_month(values, counts)
    assert of_month({"missed": 10.0}, {"missed": 90.0})


@pytest.mark.parametrize(
    "measure, plan, counts, stake",
    [
        ("time_in_stage", 86_400.0, {"stage_seconds": 125 * 2 * 86_400.0, "stages_left": 125.0}, 25.0),
        ("time_in_stage", 86_400.0, {"stage_seconds": 125 * 9 * 86_400.0, "stages_left": 125.0}, 25.0),
        ("entry", 600.0, {"entry_seconds": 50 * 900.0, "entered": 50.0}, 5.0),
        ("interruptions_a_talk", 1.0, {"interruptions": 900.0, "heard": 100.0}, 100.0),
        ("nps", 20.0, {"nps_balance": -20.0, "nps_answers": 50.0}, 6.0),
        ("answered", 200.0, {"answered": 100.0}, 20.0),
    ],
)
def test_at_stake_are_never_more_clients_than_there_are(
    measure: str, plan: float, counts: Mapping[str, float], stake: float
) -> None:
    (finding,) = of_month({measure: plan}, counts)
    assert finding.stake == pytest.approx(stake)


def test_a_plan_below_nought_may_be_missed_too() -> None:
    """And nobody reaches -200 % of it."""
    for plan in (-20.0, 20.0):
        (finding,) = of_month({"nps": plan}, {"nps_balance": -20.0, "nps_answers": 50.0})
        assert (finding.values["reached"], finding.values["plan"]) == (-40.0, plan)
        assert set(to_do(finding)) == {"see_plans"}


def test_a_share_is_told_by_how_many_clients_are_missing_to_it() -> None:
    planned = plans({(Whose("team", "team0"), "qualified_share"): 0.6})
    (finding,) = told(evidence(WORKED[-8], TEAM), planned)
    assert (finding.values["reached"], finding.values["plan"]) == (0.5, 0.6)
    assert set(to_do(finding)) == {"lags_person", "see_plans"}
    assert finding.stake == pytest.approx(0.1 * listed(evidence(LAST, TEAM), finding.link.replace("_share", "")) * 2)


def test_the_finding_the_figure_and_the_page_of_plans_tell_the_same_numbers() -> None:
    """Of a day that is nearly over too."""
    day, planned = WORKED[-8], plans({(Whose("team", "team0"), "leads_in"): 700.0})
    week = day - timedelta(weeks=1)
    hours = [Fact(week, "calls_in", "team0", HOUSE.lines[0].number, "", "", 95.0, 9)]
    hours.append(Fact(week, "calls_in", "team0", HOUSE.lines[0].number, "", "", 5.0, 18))
    one = replace(evidence(day, TEAM, lambda of: A_DAY - 2 * (of == day)), day_hours=hours, until_hour=17.0)
    assert one.passed == 0.95
    (finding,) = told(one, planned)
    needed = to_do(finding)["keep_pace"].values

    month = [fact for fact in one.facts if fact.day >= NOVEMBER]
    team = Whose("team", "team0")
    known = known_of(planned, facts_by(month, HOUSE), team, "leads_in", day)
    page = pace(planned, "leads_in", team, day - timedelta(days=1), known, NOVEMBER)
    assert (page.forecast, page.needed) != (page.so_far, None)
    assert finding.values["reached"] == page.so_far
    assert finding.values["expected"] == round(page.forecast or 0)
    assert needed == {"needed": round(page.needed or 0, 1), "days": page.days_left}

    periods = (period_of("daily", day), *before("daily", period_of("daily", day)))
    figures = figures_of(
        Known(
            audience=TEAM,
            directory=HOUSE,
            lengths=Lengths(days=planned.days, periods=periods, begun=one.begun, passed=one.passed),
            plans=planned,
            facts=[],
            hours=[],
            month=[fact for fact in month if fact.team == "team0"],
            passed=one.passed,
        )
    )
    figure = next(figure for figure in figures if figure.measure == "leads_in")
    assert (figure.month_so_far, figure.month_forecast, figure.plan_month) == (page.so_far, page.forecast, page.plan)


def test_a_share_is_told_in_whole_percent() -> None:
    """43%, not 40%."""
    assert look("plan_missed", 0.0, 1.0, {"reached": 0.4321}).finding.values == {"reached": 0.432}  # type: ignore[union-attr]


def test_of_what_should_be_few_it_is_told_how_many_may_be() -> None:
    """And nobody is behind, who has the fewest least of all."""
    planned = plans({(Whose("person", person), "disqualified"): 50.0 for _, _, person in PEOPLE})
    one = evidence(WORKED[9], TEAM)
    bad = [few("disqualified", day, 8.0) for day in WORKED[:10]]
    (finding,) = told(replace(one, facts=[*one.facts, *bad]), planned)
    assert set(to_do(finding)) == {"keep_below", "see_plans"}
    assert to_do(finding)["keep_below"].values == {
        "needed": round(20 / (len(WORKED) - 10), 1),
        "days": len(WORKED) - 10,
    }


def test_months_that_go_as_planned_are_not_told_of() -> None:
    """On fewer than one of twenty days anything is told of plans that are kept in the week so far, whoever is told."""
    days = looked = 0
    for seed in range(4):
        life = Life(HOUSE, seed, calls=15).evidence(LAST, LAST)
        usual = {
            (whose, measure): 0.95
            * sum(f.value for f in life.facts if f.count == measure and is_of(f, whose))
            / 64
            * 30
            for whose in (WHOLE, Whose("team", "team0"))
            for measure in ("leads_in", "qualified", "answered")
        }
        for day in (day for day in WORKED if day.weekday()):
            facts = [fact for fact in life.facts if fact.day <= day]
            for audience in (Audience("house"), TEAM):
                one = replace(life, first=day - timedelta(days=day.weekday()), last=day, audience=audience, facts=facts)
                looked += 1
                days += any(off_plan(one, plans(usual)))
    assert looked > 150
    assert days < looked / 20


def is_of(fact: Fact, whose: Whose) -> bool:
    """Whether a fact is somebody's."""
    return whose == WHOLE or fact.team == whose.key


def test_a_month_that_is_not_known_from_its_first_day_is_not_told_of() -> None:
    planned = plans({(Whose("team", "team0"), "leads_in"): 700.0})
    assert not told(replace(evidence(WORKED[12], TEAM), since=NOVEMBER + timedelta(days=2)), planned)
