"""What is planted in an invented house is found, first and once; in a quiet one next to nothing is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from directory.model import SpecialDay
from reports import off_plan, out_of_common
from reports.anomalies import calls, leads, look, people, phones
from reports.anomalies.peers import compared
from reports.evidence import Evidence, day_passed, source_of
from reports.facts import Fact
from reports.findings import ACTIONS, FINDINGS, LOOKED_FOR, find
from reports.links import NONE
from reports.registry import COUNT_OF
from reports.report import Audience, Finding, IncidentTold
from tests.fakes.day_facts import Life, days_of, house, with_hours

TUESDAY = date(2026, 11, 24)
MONDAY = TUESDAY - timedelta(days=1)
HOUSE = house()
LINE, PERSON = HOUSE.lines[0].number, "team0-p0"
LATELY = days_of(TUESDAY, range(7), 4)

TRUTHS: dict[str, dict[str, Any]] = {
    "disqualifies_more": {"qualifies": {PERSON: 0.15}},
    "phone_dead_weekday": {"dead": {PERSON: days_of(TUESDAY, [1], 4)}},
    "phone_dead": {"dead": {PERSON: frozenset([TUESDAY])}},
    "outage": {"down": {TUESDAY: range(11, 14)}},
    "line_silent": {"silent": {LINE: days_of(TUESDAY, [0, 1], 1)}},
    "source_good": {"qualifies": {LINE: 0.9}},
    "source_bad": {"qualifies": {LINE: 0.1}},
    "misses_more": {"misses": {PERSON: 0.3}},
    "entered_late": {"enters_late": {PERSON: 0.6}},
    "script_missed": {"says": {PERSON: 0.3}},
    "step_falls": {"narrow": ("booking", LATELY)},
    "overload": {"in_work": {PERSON: 75}},
    "extension_unmapped": {"nobody": frozenset([TUESDAY])},
}
COUNTED = {
    "disqualifies_more": "leads",
    "phone_dead_weekday": "calls",
    "phone_dead": "calls",
    "outage": "calls",
    "line_silent": "calls",
    "source_good": "leads",
    "source_bad": "leads",
    "misses_more": "calls",
    "entered_late": "talks",
    "step_falls": "reached",
    "extension_unmapped": "calls",
}
"""Which of a finding's values its link counts."""
TEAM = Audience("team", "team0")
ABOUT = {"person": PERSON, "line": LINE, "source": "ad00", "step": "booking"}


@pytest.fixture(scope="module")
def dead_phone() -> Evidence:
    return Life(HOUSE, 5, dead={PERSON: days_of(TUESDAY, [1], 4)}).evidence(TUESDAY, TUESDAY)


@pytest.mark.parametrize("key", TRUTHS)
def test_what_is_planted_is_found_and_nothing_else_is(key: str) -> None:
    found = find(Life(HOUSE, 5, **TRUTHS[key]).evidence(TUESDAY, TUESDAY))
    assert [finding.key for finding in found] == [key]
    (finding,) = found
    assert {name: value for name, value in finding.values.items() if name in ABOUT and key != "extension_unmapped"} == {
        name: ABOUT[name] for name in FINDINGS[key] if name in ABOUT and key != "extension_unmapped"
    }
    assert set(finding.values) == set(FINDINGS[key])
    assert finding.good == (key == "source_good")
    assert finding.actions
    for action in finding.actions:
        assert set(action.values) == set(ACTIONS[action.key])
        assert action.link.startswith("/")


def _quiet() -> Iterator[Evidence]:
    """Twenty days of each of five houses, of which weeks are told now and then."""
    shapes = (house(), house(1, 1, 2), house(2, 3, 3), house(1, 3, 6), house(4, 1, 3))
    for seed, directory in enumerate(shapes):
        life = Life(directory, seed, calls=(12, 5, 20, 8, 15)[seed])
        known = life.evidence(MONDAY, MONDAY + timedelta(days=23))
        for ago in range(24):
            day = known.last - timedelta(days=ago)
            if day.weekday() != 6:
                first = day - timedelta(days=6) if ago % 4 == 0 else day
                since = first - timedelta(days=63)
                facts = [fact for fact in known.facts if since <= fact.day <= day]
                yield with_hours(replace(known, first=first, last=day, facts=facts), life.hours)


def test_on_fewer_than_one_of_twenty_quiet_days_anything_is_found() -> None:
    told = [bool(find(evidence)) for evidence in _quiet()]
    assert len(told) >= 100
    assert sum(told) < len(told) / 20


def test_several_truths_are_all_told_the_most_clients_at_stake_first() -> None:
    planted: dict[str, Any] = {**TRUTHS["outage"], **TRUTHS["phone_dead_weekday"], **TRUTHS["overload"]}
    found = find(Life(HOUSE, 5, **planted).evidence(TUESDAY, TUESDAY))
    assert [finding.key for finding in found] == ["outage", "phone_dead_weekday", "overload"]
    assert [finding.stake for finding in found] == sorted((finding.stake for finding in found), reverse=True)


def test_an_audience_is_told_what_is_its_own(dead_phone: Evidence) -> None:
    def keys(kind: Any, key: str) -> list[str]:
        return [one.key for one in find(replace(dead_phone, audience=Audience(kind, key)))]

    assert keys("team", "team0") == ["phone_dead_weekday"]
    assert keys("person", PERSON) == ["phone_dead_weekday"]
    assert keys("team", "team1") == []
    assert keys("person", "team0-p1") == []


def _behind(evidence: Evidence, link: str) -> float:
    """What the list has that a link leads to, as facts count it."""
    asked = dict(parse_qsl(urlsplit(link).query))
    first, last = (date.fromisoformat(asked[name]) for name in ("from", "to"))
    only = {name: "" if asked[name] == NONE else asked[name] for name in asked.keys() - {"measure", "from", "to", "of"}}
    count = asked["measure"]
    if (count, asked.get("of")) == ("step_conversion", "whole"):
        steps = [step.key for step in HOUSE.leads.funnel]
        place = steps.index(only.pop("detail"))
        count, only = ("steps", only | {"detail": steps[place - 1]}) if place else ("qualified", only)
    found = (fact for fact in evidence.facts if fact.count == count and first <= fact.day <= last)
    return sum(fact.value for fact in found if only.items() <= _told_of(evidence, fact).items())


def _told_of(evidence: Evidence, fact: Fact) -> dict[str, str]:
    return {name: getattr(fact, name) for name in ("team", "line", "person", "detail")} | {
        "source": source_of(evidence.directory, fact.line)
    }


@pytest.mark.parametrize("audience", [Audience("house"), TEAM], ids=str)
@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("key", COUNTED)
def test_a_number_is_what_the_list_behind_it_has(key: str, days: int, audience: Audience) -> None:
    """In a team's report both are the team's, and of the days that were counted, whatever the period."""
    planted = {"down": {TUESDAY: range(11, 14), MONDAY: range(11, 12)}} if key == "outage" else TRUTHS[key]
    evidence = Life(HOUSE, 5, **planted).evidence(TUESDAY - timedelta(days=days - 1), TUESDAY, audience)
    for finding in find(evidence):
        if finding.key == key:
            assert _behind(evidence, finding.link) == finding.values[COUNTED[key]]
            return
    assert days == 7, "on the day itself it is found"


@pytest.mark.parametrize("key", TRUTHS)
def test_an_action_opens_just_what_it_counts(key: str) -> None:
    """The list that an action opens is as long as it says; of leads that somebody has too many of, as all of them."""
    evidence = Life(HOUSE, 5, **TRUTHS[key]).evidence(TUESDAY, TUESDAY)
    told = [find(replace(evidence, audience=one)) for one in (evidence.audience, TEAM, Audience("person", PERSON))]
    for action in (action for findings in told for finding in findings for action in finding.actions):
        if action.link.startswith("/leads?"):
            last = f"from={TUESDAY}&to={TUESDAY}&person={PERSON}"
            assert action.link == f"/leads?owner={PERSON}&stage=open"
            assert action.values["open"] == _behind(evidence, f"/reports/behind?measure=in_work&{last}")
        elif "count" in action.values and action.key != "map_extension":
            assert _behind(evidence, action.link) == action.values["count"], action


def test_a_source_that_teams_share_is_told_to_each_by_its_own_leads() -> None:
    """And not at all to the one that has good leads of it."""
    shared = ("74950000000", "74951000000")
    lines = tuple(replace(line, campaign="ad00" if line.number in shared else line.campaign) for line in HOUSE.lines)
    directory = replace(HOUSE, lines=lines)
    for good, told in ((0.1, "team1"), (0.45, "")):
        life = Life(directory, 5, calls=20, qualifies={shared[0]: 0.02, shared[1]: good})
        evidence = life.evidence(TUESDAY, TUESDAY)
        of = {team: find(replace(evidence, audience=Audience("team", team))) for team in ("team0", "team1", "team2")}
        bad = {team: one for team, found in of.items() for one in found if one.key == "source_bad"}
        assert set(bad) == {"team0", told} - {""}
        for one in bad.values():
            assert _behind(evidence, one.link) == one.values["leads"]


def test_a_team_is_told_of_its_own_funnel_and_promises() -> None:
    """Those of the others are none of its business, and do not count for whom there is to call back."""
    evidence = Life(HOUSE, 5, narrow=("booking", LATELY)).evidence(TUESDAY, TUESDAY, TEAM)
    (falls,) = find(evidence)
    assert falls.key == "step_falls"
    assert "&team=team0" in falls.link
    waiting = Fact(TUESDAY, "open_promises", "team0", LINE, "", "", 15)
    quiet = Life(HOUSE, 5).evidence(TUESDAY, TUESDAY, TEAM)
    more = replace(quiet, facts=[*quiet.facts, waiting])
    (found,) = find(more)
    assert (found.key, found.values["open"]) == ("not_called_back", more.own.sum("open_promises", [TUESDAY]))
    assert found.actions[0].values["count"] == found.values["open"]
    assert find(replace(more, audience=Audience("team", "team1"))) == ()


def test_who_misses_more_calls_back_those_who_wait_for_them() -> None:
    """Not those who wait for others."""
    evidence = Life(HOUSE, 5, **TRUTHS["misses_more"]).evidence(TUESDAY, TUESDAY)
    waiting = [Fact(TUESDAY, "open_promises", "team0", LINE, who, "", 1.0) for who in (PERSON, "team0-p1")]
    told = replace(evidence, facts=[*evidence.facts, *waiting])
    assert _to_do(find(told))["call_back"]["count"] == 1


@pytest.mark.parametrize(
    "key, measure, by", [("outage", "open_by_integration", ()), ("phone_dead", "open_by_phone", ("person", PERSON))]
)
def test_of_a_fault_only_those_are_to_be_called_back_who_wait_because_of_it(
    key: str, measure: str, by: tuple[Any, ...]
) -> None:
    """Not all who wait; and nobody is, where nobody waits any more."""
    evidence = Life(HOUSE, 5, **TRUTHS[key]).evidence(TUESDAY, TUESDAY)
    for audience in (Audience("house"), TEAM):
        told = replace(evidence, audience=audience)
        assert _to_do(find(told))["call_back_lost"]["count"] == (evidence if by else told.own).sum(
            measure, [TUESDAY], *by
        )
        assert "call_back" not in _to_do(find(told))
    called = replace(evidence, facts=[fact for fact in evidence.facts if fact.count != measure])
    assert [one.key for one in find(called)] == [key]
    assert "call_back_lost" not in _to_do(find(called))


def _to_do(findings: tuple[Finding, ...]) -> dict[str, Any]:
    return {action.key: action.values for finding in findings for action in finding.actions}


@pytest.mark.parametrize(
    "key, head, own",
    [
        ("overload", "take_leads", "ask_for_fewer"),
        ("misses_more", "talk_with", "see_behind"),
        ("disqualifies_more", "talk_with", "return_leads"),
    ],
)
def test_nobody_is_to_talk_with_themselves(key: str, head: str, own: str) -> None:
    """What a head is to do with somebody is not what they are to do themselves."""
    evidence = Life(HOUSE, 5, **TRUTHS[key]).evidence(TUESDAY, TUESDAY)
    theirs = _to_do(find(replace(evidence, audience=Audience("person", PERSON))))
    assert head in _to_do(find(evidence))
    assert own in theirs
    assert not {"talk_with", "take_leads"} & theirs.keys()


def test_an_extension_that_is_nobodys_is_named() -> None:
    """The one that answered most calls of the line that has most of them."""
    evidence = Life(HOUSE, 5, **TRUTHS["extension_unmapped"]).evidence(TUESDAY, TUESDAY)
    told = replace(evidence, strangers={line.number: f"9{line.number}" for line in HOUSE.lines})
    values = _to_do(find(told))["map_extension"]
    assert values["extension"] == f"9{values['line']}"
    assert _to_do(find(evidence))["map_extension"]["extension"] == ""


def test_an_outage_is_told_with_the_fault_that_was_kept_of_it() -> None:
    evidence = Life(HOUSE, 5, **TRUTHS["outage"]).evidence(TUESDAY, TUESDAY)
    began, ended = datetime(2026, 11, 24, 8, tzinfo=UTC), datetime(2026, 11, 24, 11, tzinfo=UTC)
    kept = [
        IncidentTold(id=number, kind=kind, subject="", started_at=began, ended_at=ended, calls_lost=lost, calls_saved=0)
        for number, (kind, lost) in enumerate([("device", 90), ("service", 30), ("crm_late", 1)])
    ]
    (finding,) = find(replace(evidence, incidents=kept))
    assert finding.values["fault"] == "service"
    assert (finding.values["from_hour"], finding.values["to_hour"]) == (11, 13)


def test_more_missed_calls_of_one_hour_are_told_as_a_figure_with_its_driver() -> None:
    life = Life(HOUSE, 5)
    evidence = life.evidence(TUESDAY, TUESDAY)
    more = [Fact(TUESDAY, "missed", line.team, line.number, "", "nobody_on_shift", 6) for line in HOUSE.lines]
    calls = [msgspec.structs.replace(fact, count="calls_in", detail="missed") for fact in more]
    hours = [msgspec.structs.replace(fact, detail="", hour=17) for fact in (*more, *calls)]
    found = find(with_hours(replace(evidence, facts=[*evidence.facts, *more, *calls]), [*life.hours, *hours]))
    assert [(one.key, one.measure) for one in found] == [("figure_worse", "missed_share")]
    assert found[0].driver is not None
    by, key = found[0].driver.by, found[0].driver.key
    assert (by, key) in {("cause", "nobody_on_shift"), ("hour", "17")}
    see = found[0].actions[-1]
    assert (see.key, see.values) == (f"see_behind_{by}", {"measure": "missed_share", by: key})
    assert see.link == f"{found[0].link}&{'detail' if by == 'cause' else by}={key}", "the number's own list is of all"


def test_the_first_day_of_a_house_and_a_closed_day_have_nothing_to_tell(dead_phone: Evidence) -> None:
    assert find(replace(dead_phone, facts=[fact for fact in dead_phone.facts if fact.day == TUESDAY])) == ()
    closed = replace(HOUSE, hours=(replace(HOUSE.hours[0], dates=(SpecialDay(TUESDAY),)),))
    much = Fact(TUESDAY, "in_work", "team0", LINE, PERSON, "qualifying", 75)
    assert find(replace(dead_phone, directory=closed, facts=[*dead_phone.facts, much])) == ()


def test_nothing_is_looked_for_in_counts_that_are_not_read(dead_phone: Evidence) -> None:
    """So that what a question asks for and is not read cannot pass for nought."""
    with pytest.raises(KeyError, match="calls_out"):
        dead_phone.of("calls_out")
    assert replace(dead_phone, counts=None).of("calls_out") == ()


def test_every_count_that_a_question_names_is_read() -> None:
    """Also in a branch that is come to on bad days alone; `talks` is a value of findings and actions, as `leads` is."""
    files = [Path(module.__file__ or "") for module in (calls, leads, look, people, phones, out_of_common, off_plan)]
    named = {
        node.value
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Constant) and node.value in COUNT_OF
    }
    assert named - LOOKED_FOR == {"missed_people", "talks"}, "explained or said, but never looked for"


def test_no_line_is_silent_on_a_day_that_is_quiet_everywhere() -> None:
    everywhere = {line.number: frozenset([TUESDAY]) for line in HOUSE.lines}
    found = find(Life(HOUSE, 5, silent=everywhere).evidence(TUESDAY, TUESDAY))
    assert "line_silent" not in {finding.key for finding in found}


def test_a_day_that_goes_on_is_compared_by_how_much_of_it_has_passed() -> None:
    evidence = Life(HOUSE, 5).evidence(TUESDAY, TUESDAY)
    facts = [fact.of(fact.value / 5) if fact.day == TUESDAY else fact for fact in evidence.facts]
    assert 0.1 < day_passed(evidence.day_hours, TUESDAY, 11) < 0.3
    eleven, half, twelve = (day_passed(evidence.day_hours, TUESDAY, hour) for hour in (11, 11.5, 12))
    assert half == pytest.approx((eleven + twelve) / 2)
    assert find(replace(evidence, facts=facts, until_hour=11)) == ()


def test_who_has_the_worse_line_is_compared_with_others_on_that_line() -> None:
    def facts(count: str, *told: tuple[str, str, float]) -> list[Fact]:
        return [Fact(TUESDAY, count, "team0", line, person, "", value) for person, line, value in told]

    judged = facts("judged", *((person, line, 50.0) for person in "abc" for line in "xy"))
    bad = facts("disqualified", *((person, "x", 40.0) for person in "abc"), *((person, "y", 10.0) for person in "abc"))
    judged += facts("judged", ("d", "x", 50.0))
    bad += facts("disqualified", ("d", "x", 40.0))
    found = {one.key: one for one in compared(bad, judged, lambda fact: fact.person, lambda fact: fact.line)}
    assert found["d"].share == pytest.approx(0.8)
    assert found["d"].usual == pytest.approx(0.8, abs=0.01)
    assert found["a"].usual == pytest.approx(0.5, abs=0.01)
