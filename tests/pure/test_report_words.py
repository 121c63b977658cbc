"""The words of reports: each measure, finding and action has them in both languages, numbers and plurals are right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

import pytest

from calls.incidents import KINDS
from reports.findings import ACTIONS, FINDINGS
from reports.measures import Unit
from reports.registry import MEASURES, RATIOS, SUBJECTS
from reports.report import Action, Driver, Figure, Finding, Freshness, Outlook, Verdict
from tests.fakes.sample_report import BAD_DAY, QUIET_DAY
from tests.fakes.story import HOUSE, LINE
from web.reports.words import (
    amount,
    counted,
    difference,
    driver_words,
    key_name,
    lacks,
    measure_name,
    month_pace,
    outlook_words,
    period,
    span,
    title,
    told,
    usual_range,
    verdict_words,
)
from web.words import LANGUAGES, say

VALUES: Mapping[str, str | float] = {
    "person": "anna",
    "line": LINE,
    "source": "Авито",
    "step": "meeting",
    "measure": "missed_share",
    "extension": "105",
    "fault": "crm_dead",
    "day": "2026-11-27",
    "weekday": 1,
}
"""What names that are no numbers might have."""


def spoken(text: str) -> set[str]:
    """The values that words fill in."""
    return set(re.findall(r"{(\w+)}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_measure_has_a_name_a_sentence_and_a_formula(language: str) -> None:
    """All end as sentences do, but for the name; no two measures share one."""
    for key in MEASURES:
        name, what, formula = (say(language, f"measure.{key}{rest}") for rest in ("", ".what", ".formula"))
        assert not name.endswith(".")
        assert what.endswith(".")
        assert formula.endswith(".")
    names = [say(language, f"measure.{key}") for key in MEASURES]
    assert len(set(names)) == len(names)


def test_every_measure_is_about_something() -> None:
    """So that it stands on the page of measures, and among the figures; each once."""
    told = [measure.key for measures in SUBJECTS.values() for measure in measures]
    assert sorted(told) == sorted(MEASURES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_formula_names_the_counts_that_it_divides(language: str) -> None:
    """By the names under which they stand on the same page; some leave a word out."""
    for ratio in RATIOS:
        part, whole = say(language, f"measure.{ratio.key}.formula").split("÷")
        for said, count in ((part, ratio.part), (whole, ratio.whole)):
            first = said.split()[0].strip(".,")[:5].lower()
            assert first in say(language, f"measure.{count}").lower(), (ratio.key, said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_formula_names_stages_as_the_board_does(language: str) -> None:
    """Those between which a lead is revived."""
    for stage in ("lost", "reviving", "in_work"):
        assert say(language, f"stage.{stage}") in say(language, "measure.revived.formula")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", FINDINGS)
def test_every_finding_is_told_with_its_values(language: str, key: str) -> None:
    """No words name a value that the finding does not have, and no value is told as its key."""
    finding = Finding(
        key=key,
        good=False,
        stake=1,
        chance=0.01,
        values={name: VALUES.get(name, 3) for name in FINDINGS[key]},
        measure="missed_share",
    )
    said = told(finding, HOUSE, language)
    assert said.title == said.title[:1].upper() + said.title[1:]
    assert said.why == said.why[:1].upper() + said.why[1:]
    assert said.why.endswith(".")
    assert not {"anna", "missed_share", "crm_dead", LINE} & set(re.findall(r"\w+", f"{said.title} {said.why}"))
    for words in (f"finding.{key}", f"finding.{key}.why"):
        assert spoken(say(language, words)) <= set(FINDINGS[key])


@pytest.mark.parametrize("key", ["figure_worse", "plan_missed", "plan_not_kept"])
def test_a_sentence_that_ends_on_an_abbreviation_has_one_full_stop(key: str) -> None:
    two_days = dict.fromkeys(FINDINGS[key], 172_800) | {"measure": "time_in_stage"}
    finding = Finding(key=key, good=False, stake=1, chance=0, values=two_days, measure="time_in_stage")
    assert re.search(r"[^.]\.$", told(finding, HOUSE, "ru").why)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("key", ACTIONS)
def test_every_action_is_told_with_its_values(language: str, key: str) -> None:
    """Each of its values is in its words, and its link goes with it."""
    action = Action(key=key, values={name: VALUES.get(name, 3) for name in ACTIONS[key]}, link="/missed")
    finding = Finding(key="phone_dead", good=False, stake=1, chance=0, values={"person": "x", "calls": 1})
    (said,) = told(replace(finding, actions=(action,)), HOUSE, language).actions
    assert said.words
    assert said.link == "/missed"
    assert spoken(say(language, f"report.action.{key}")) == set(ACTIONS[key])


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fault_has_a_word(language: str) -> None:
    """And none was kept has one too."""
    assert all(say(language, f"report.fault.{kind}") for kind in KINDS)
    assert say(language, "report.no.fault")


@pytest.mark.parametrize(
    "unit, value, russian, english",
    [
        ("count", 96, "96", "96"),
        ("count", 8.24, "8,2", "8.2"),
        ("count", 1234.5, "1\xa0234", "1,234"),
        ("share", 0.1771, "18\xa0%", "18%"),
        ("share", 0.0471, "4,7\xa0%", "4.7%"),
        ("seconds", 18.4, "18 с", "18 s"),
        ("seconds", 125, "2 мин 5 с", "2 min 5 s"),
        ("seconds", 120, "2 мин", "2 min"),
        ("seconds", 0, "0 с", "0 s"),
        ("seconds", 2_390, "40 мин", "40 min"),
        ("seconds", 12_000, "3 ч 20 мин", "3 h 20 min"),
        ("points", 32, "+32", "+32"),
        ("points", -5, "−5", "−5"),
        ("number", 0.5, "0,5", "0.5"),
        ("count", None, "—", "—"),
    ],
)
def test_a_value_reads_as_its_unit_and_its_language_have_it(
    unit: Unit, value: float | None, russian: str, english: str
) -> None:
    """Commas and points, spaces and signs."""
    assert amount("ru", unit, value) == russian
    assert amount("en", unit, value) == english


def test_a_difference_has_its_sign_and_shares_differ_in_points() -> None:
    """Nothing is told where one of the two is not known."""
    share = Figure(measure="missed_share", value=0.25, usual=0.28, low=0.2, high=0.3)
    assert difference("ru", share) == "−3 п. п."
    assert usual_range("en", share) == "20% – 30%"
    assert difference("en", Figure(measure="missed", value=17, usual=8.2)) == "+8.8"
    assert difference("en", Figure(measure="missed", value=8, usual=8.04)) == "0"
    assert difference("en", Figure(measure="missed", value=17)) == ""
    assert usual_range("en", Figure(measure="missed", value=17)) == ""
    assert difference("ru", Figure(measure="nps", value=-5, usual=3)) == "−8"


def test_where_the_plan_made_it_bad_the_difference_is_to_what_was_due_of_it() -> None:
    """More than usual and yet less than planned is told as less; the plan of the whole day is not due at noon."""
    leads = Figure(measure="leads_in", value=30, usual=24, plan=60, due=46, by_plan=True, verdict="bad")
    assert difference("ru", leads) == "−16 к плану"
    assert difference("en", leads) == "−16 against plan"
    assert difference("en", replace(leads, by_plan=False)) == "+6"


def test_nothing_is_said_of_what_there_is_nothing_to_hold_against() -> None:
    """Too few are those of which it is known what is usual, or planned."""
    alone = Figure(measure="missed", value=3)
    assert verdict_words("en", alone) == ""
    assert verdict_words("en", replace(alone, usual=2.0)) == verdict_words("en", replace(alone, plan=2.0))
    assert verdict_words("en", replace(alone, plan=2.0)) == "too few to tell"


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_whether_a_plan_will_be_kept(language: str) -> None:
    """In the words of the page of plans."""
    outlooks: tuple[Outlook, ...] = ("kept", "open", "missed")
    leads = Figure(measure="leads_in", value=3)
    said = [outlook_words(language, replace(leads, outlook=one)) for one in outlooks]
    assert said == [say(language, f"plans.outlook.{one}") for one in outlooks]
    assert outlook_words(language, leads) == ""


def test_plural_forms_are_right() -> None:
    """One, few and many, in Russian also eleven and twenty-one."""
    finding = Finding(key="phone_dead", good=False, stake=1, chance=0)
    seen = [
        told(replace(finding, values={"person": "anna", "calls": count}), HOUSE, "ru").why
        for count in (1, 2, 5, 11, 21)
    ]
    assert [one.rpartition(": ")[2] for one in seen] == [
        *("1 звонок.", "2 звонка.", "5 звонков.", "11 звонков.", "21 звонок.")
    ]


def test_days_that_wait_are_told_with_their_verb() -> None:
    """One is counted anew, several are."""
    freshness = QUIET_DAY.freshness
    seen = [one for count in (1, 2, 21, 55) for one in lacks(replace(freshness, days_waiting=count), "ru")]
    assert [one.split(maxsplit=1)[1] for one in seen] == [
        *("день ещё пересчитывается.", "дня ещё пересчитываются.", "день ещё пересчитывается."),
        "дней ещё пересчитываются.",
    ]


def test_keys_are_named_and_none_has_a_word() -> None:
    """What left the directory keeps its key."""
    assert key_name(HOUSE, "ru", "person", "anna") == "Анна Смирнова"
    assert key_name(HOUSE, "ru", "person", "gone") == "gone"
    assert key_name(HOUSE, "ru", "line", LINE) == "Основная"
    assert key_name(HOUSE, "ru", "hour", "9") == "09:00"
    assert key_name(HOUSE, "ru", "weekday", "1") == "вторник"
    assert key_name(HOUSE, "en", "cause", "rang_out") == say("en", "cause.rang_out")
    for language in LANGUAGES:
        for by in ("team", "person", "line", "source", "cause", "reason"):
            assert key_name(HOUSE, language, by, "") == say(language, f"report.no.{by}")
    assert key_name(HOUSE, "ru", "step", "") == "—"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_report_has_a_title_a_period_and_its_freshness_in_words(language: str) -> None:
    """Of each kind and for everybody; a report that lacks nothing says nothing of it."""
    for kind in ("daily", "weekly", "monthly"):
        for audience in ("house", "team", "person"):
            who = replace(BAD_DAY.audience, kind=audience, key={"team": "sales", "person": "anna"}.get(audience, ""))
            one = replace(BAD_DAY, kind=kind, audience=who)
            assert {"house": "Ромашка", "team": "Продажи", "person": "Анна"}[audience] in title(one, HOUSE, language)
            assert "2026" in period(one, language)
    assert "27" in counted(BAD_DAY.freshness, HOUSE, language)
    assert len(lacks(BAD_DAY.freshness, language)) == 3
    assert lacks(QUIET_DAY.freshness, language) == ()
    never = Freshness(
        counted_at=None,
        calls_until=None,
        recovered_calls=0,
        crm_oldest_seconds=None,
        recordings_missing=0,
        days_waiting=2,
    )
    assert counted(never, HOUSE, language) == say(language, "report.not_counted")
    assert len(lacks(never, language)) == 1
    some = Figure(measure="missed", value=17, usual=8.2)
    verdicts: tuple[Verdict, ...] = ("good", "bad", "as_usual", "too_few")
    assert all(verdict_words(language, replace(some, verdict=one)) for one in verdicts)
    assert measure_name(HOUSE, language, "step.meeting") == "meeting"
    assert span(59.6, language) == say(language, "age.minutes", count=1)


def test_what_explains_most_is_named() -> None:
    """Who, by how much, and which part of the difference."""
    driver = Driver(by="person", key="anna", difference=6.5, share=0.81)
    assert driver_words(driver, HOUSE, "ru", "count") == (
        "Больше всего повлияло: Анна Смирнова (+6,5, 81\xa0% разницы)."
    )


def test_a_months_pace_is_told_with_its_bounds_in_whole_things() -> None:
    """A month that is over has none; a rate is told as it is; nothing is told of what nobody planned."""
    leads = Figure(measure="leads_in", value=3, plan_month=100, month_so_far=36, month_forecast=80.4)
    told = "36 of 100 this month. 80 (68 – 93) expected by its end."
    assert month_pace("en", replace(leads, month_low=68, month_high=93)) == told
    over = replace(leads, month_forecast=36.0, month_low=36, month_high=36)
    assert month_pace("ru", over) == "36 из 100 за месяц."
    share = Figure(measure="qualified_share", value=0.5, plan_month=0.5, month_so_far=0.43, month_forecast=0.43)
    assert month_pace("en", replace(share, month_low=0.38, month_high=0.49)) == (
        "43% (38% – 49%) this month, planned 50%."
    )
    assert month_pace("en", replace(leads, plan_month=None)) == ""
