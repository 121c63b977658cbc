"""Routing rules in a directory file: read with every fault named, written back, doubted only where that is sure."""

import re
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sync.book.lifecycle import STAGES
from directory import rule_checks
from directory.file import DirectoryError, dumps, loads, reads
from directory.model import Directory, Vip
from directory.rules import (
    BUILT_IN,
    DESTINATIONS,
    LEAD_STAGES,
    REJECTS,
    STRATEGIES,
    Destination,
    Rule,
    TeamLoad,
    When,
)
from routing.arrival import Arrival, Facts, Load
from routing.decide import decide
from tests.fakes.directories import OFFICE, conditions, directories

HEAD = """\
company: {name: Ромашка}
hours: {night: {mon-sun: "22:00-06:00"}}
people: [{key: anna, name: Анна, role: manager, languages: [en], skills: [tax], plan: 3}]
teams: [{key: sales, name: Продажи, strategy: weighted, members: [anna]}]
lines: [{number: "74951234567", name: Основная, team: sales, campaign: spring}]
vip: [{number: 8 916 000-00-77, note: завод}]
rules:
"""


def read_rule(text: str) -> Rule:
    (found,) = loads(f"{HEAD}  - {{name: mine, {text}}}\n").rules
    return found


def test_rules_of_a_file_become_conditions_and_destinations() -> None:
    """Numbers in their stored form, one value as good as a list, defaults filled in."""
    told = read_rule(
        "when: {line: 8 495 123-45-67, campaign: [spring], known: false, vip: true, number: +7916, stage: [new, lost],"
        " owner: nobody, last_talked: known, team: {key: sales, free_at_most: 0, waiting_at_least: 2}},"
        " then: [{ring: owner}, {team: sales, strategy: hunt, languages: en, skills: [tax]},"
        " {hold: sales, seconds: 90}, {number: 8 495 111-22-33}, {voicemail: 100@default}]"
    )
    assert told.when == When(
        line=("74951234567",),
        campaign=("spring",),
        known=False,
        vip=True,
        number=("7916",),
        stage=("new", "lost"),
        owner="nobody",
        last_talked="known",
        team=TeamLoad(key="sales", free_at_most=0, waiting_at_least=2),
    )
    assert told.then == (
        Destination(kind="ring", to="owner"),
        Destination(kind="team", to="sales", strategy="hunt", languages=("en",), skills=("tax",)),
        Destination(kind="hold", to="sales", seconds=90),
        Destination(kind="number", to="74951112233"),
        Destination(kind="voicemail", to="100@default"),
    )
    directory = loads(HEAD + "  []\n")
    assert directory.is_vip("+7 916 000-00-77")
    assert (directory.people[0].languages, directory.people[0].skills, directory.people[0].plan) == (
        ("en",),
        ("tax",),
        3,
    )


@pytest.mark.parametrize(
    "when, opens",
    [
        ("", True), ("open: true", True), ("open: false", False), ("open: any", None), ("hours: night", None),
        ("outside: night", None), ("hours: night, open: true", True),
        ('time: {mon-fri: "18:00-22:00"}', None),
    ],
)  # fmt: skip
def test_a_rule_that_says_nothing_of_time_is_for_the_lines_hours(when: str, opens: bool | None) -> None:
    assert read_rule(f"when: {{{when}}}, then: [{{ring: team}}]").when.open is opens


@given(directories())
@settings(max_examples=40)
def test_rules_survive_their_file_and_their_json(directory: Directory) -> None:
    assert loads(dumps(directory)).rules == directory.rules
    assert tuple(Rule.from_json(rule.to_json()) for rule in (*directory.rules, *BUILT_IN)) == (
        *directory.rules,
        *BUILT_IN,
    )


@pytest.mark.parametrize(
    "rule, fault",
    [
        ("{then: [{ring: owner}]}", "rules[0].name: is missing"),
        ("{name: mine}", "rules[0].then: must name at least one destination"),
        ("{name: mine, when: {time: {}}, then: [{ring: owner}]}", "rules[0].when.time: must name days and hours"),
        (
            "{name: mine, when: {time: {mon: 9-18}}, then: [{ring: owner}]}",
            "rules[0].when.time.mon: hours must look like",
        ),
        ("{name: Mine, then: [{ring: owner}]}", "rules[0].name: must be small letters"),
        ("{name: blocked, then: [{ring: owner}]}", "rules[0].name: 'blocked' is the name of a built-in rule"),
        ("{name: mine, then: [{ring: boss}]}", "rules[0].then[0].ring: unknown value 'boss'"),
        ("{name: mine, then: [{person: ann}]}", "rules[0].then[0].person: there is no person 'ann'"),
        ("{name: mine, then: [{team: sale}]}", "rules[0].then[0].team: there is no team 'sale'"),
        ("{name: mine, then: [{hold: sale}]}", "rules[0].then[0].hold: there is no team 'sale'"),
        ("{name: mine, then: [{rang: owner}]}", "rules[0].then[0].rang: unknown key, did you mean 'ring'?"),
        ("{name: mine, then: [{ring: owner, person: anna}]}", "rules[0].then[0]: must name exactly one of"),
        ("{name: mine, then: [{seconds: 3}]}", "rules[0].then[0]: must name exactly one of"),
        ("{name: mine, then: [{number: '12345678'}]}", "rules[0].then[0].number: must be a phone number of RU"),
        ('{name: mine, then: [{queue: "a&b"}]}', "rules[0].then[0].queue: must be a queue's name"),
        ('{name: mine, then: [{message: "a b"}]}', "rules[0].then[0].message: must be names of sounds"),
        ("{name: mine, then: [{message: ../etc}]}", "rules[0].then[0].message: must be names of sounds"),
        ('{name: mine, then: [{voicemail: "1@a@b"}]}', "rules[0].then[0].voicemail: must be a name, or a mailbox"),
        ("{name: mine, then: [{reject: rude}]}", "rules[0].then[0].reject: unknown value 'rude'"),
        ("{name: mine, then: [{ring: owner, seconds: 3}]}", "rules[0].then[0].seconds: is for hold, queue, voicemail"),
        ("{name: mine, then: [{ring: owner, strategy: hunt}]}", "rules[0].then[0].strategy: is for a team, not for"),
        ("{name: mine, then: [{team: sales, strategy: luck}]}", "rules[0].then[0].strategy: unknown value 'luck'"),
        ("{name: mine, then: [{hold: sales, seconds: 0}]}", "rules[0].then[0].seconds: must be a whole number from 1"),
        (
            f"{{name: mine, then: [{', '.join(['{ring: owner}'] * 8)}]}}",
            "rules[0].then: must have at most 7 destinations, got 8",
        ),
    ],
)  # fmt: skip
def test_a_fault_of_a_rule_is_named_by_its_line_and_path(rule: str, fault: str) -> None:
    assert any(line.startswith(f"office.yaml:8: {fault}") for line in _faults(rule))


@pytest.mark.parametrize(
    "when, fault",
    [
        ("lines: x", "lines: unknown key"),
        ("line: '74950000001'", "line: there is no line"),
        ("campaign: autumn", "campaign: there is no campaign"),
        ("hours: day", "hours: there is no hours 'day'"),
        ("owner_is: ann", "owner_is: there is no person"),
        ("vip: maybe", "vip: must be true or false, got 'maybe'"),
        ("open: maybe", "open: unknown value 'maybe'"),
        ("stage: hot", "stage: unknown value 'hot'"),
        ("number: abc", "number: must be the beginning"),
        ("team: {key: sales}", "team: must ask for at least one"),
        ("team: {key: sale, free_at_most: 1}", "team.key: there is"),
        ("team: {free_at_most: x}", "team.free_at_most: must be"),
    ],
)
def test_a_fault_of_a_condition_is_named_by_its_line_and_path(when: str, fault: str) -> None:
    told = _faults(f"{{name: mine, when: {{{when}}}, then: [{{ring: owner}}]}}")
    assert any(line.startswith(f"office.yaml:8: rules[0].when.{fault}") for line in told)


def _faults(rule: str) -> list[str]:
    with pytest.raises(DirectoryError) as caught:
        loads(f"{HEAD}  - {rule}\n", "office.yaml")
    return caught.value.lines


def test_two_rules_of_one_name_are_a_fault() -> None:
    text = HEAD + "  - {name: mine, then: [{ring: owner}]}\n  - {name: mine, then: [{ring: team}]}\n"
    with pytest.raises(DirectoryError, match=r"rules\[1\]\.name: 'mine' is already used by rules\[0\]\.name"):
        loads(text)


@pytest.mark.parametrize(
    "rules, doubt",
    [
        (
            ["when: {}", "when: {known: true}"],
            "9: rules[1]: no call can match rule 'r1': 'r0' (rules[0]) takes it first",
        ),
        (["when: {line: '74951234567'}", "when: {campaign: spring}"], "9: rules[1]: no call can match rule 'r1'"),
        (["when: {owner: known}", "when: {owner: free, vip: true}"], "9: rules[1]: no call can match rule 'r1'"),
        (["when: {number: 7}", "when: {number: [7916, 7495]}"], "9: rules[1]: no call can match"),
        (["when: {team: {free_at_most: 1}}", "when: {team: {free_at_most: 0}}"], "9: rules[1]: no call can match"),
        (["when: {language: en}"], "8: rules[0].when: no call can match rule 'r0': no line has this line"),
        (["when: {known: false, owner: free}"], "8: rules[0].when: no call can match rule 'r0': known: false"),
        (["when: {hours: night, outside: night}"], "8: rules[0].when: no call can match rule 'r0': hours"),
        (["when: {team: {free_at_least: 5}}"], "8: rules[0].when: no call can match rule 'r0': team"),
        (["when: {blocked: true}"], "8: rules[0].when: no call can match rule 'r0': blocked: the list"),
        (["when: {known: true}", "when: {known: false}"], ""),
        (["when: {vip: true}", "when: {}"], ""),
        (["when: {}", "when: {open: false}"], ""),
        (["when: {owner: free}", "when: {owner: known}"], ""),
    ],
)
def test_a_rule_that_no_call_can_match_is_doubted_by_line(rules: list[str], doubt: str) -> None:
    """It is allowed all the same: the file may be half written."""
    text = HEAD + "".join(f"  - {{name: r{at}, {when}, then: [{{ring: team}}]}}\n" for at, when in enumerate(rules))
    told = reads(text, "office.yaml").warnings
    assert [line.startswith(f"office.yaml:{doubt}") for line in told] == ([True] if doubt else []), told


def test_what_follows_a_rejection_is_doubted() -> None:
    told = reads(f"{HEAD}  - {{name: r, then: [{{reject: busy}}, {{ring: team}}]}}\n", "office.yaml").warnings
    assert told == ("office.yaml:8: rules[0].then[1]: ring is never reached: reject ends the call",)


def test_the_rules_of_the_manual_are_good() -> None:
    """Each example of the how-to is read beside the example directory, without a fault and without a doubt."""
    example = Path("examples/directory.yaml").read_text()
    examples = re.findall(r"```yaml\n(rules:.*?)```", Path("docs/how_to/add_a_routing_rule.md").read_text(), re.DOTALL)
    assert examples
    for rules in (example[example.index("\nrules:") :], *examples):
        told = reads(example[: example.index("\nrules:")] + "\n" + rules)
        assert told.directory.rules
        assert told.warnings == ()


def test_the_manual_names_every_condition_destination_and_strategy() -> None:
    told = Path("docs/how_to/add_a_routing_rule.md").read_text()
    for name in (*(it.name for it in fields(When)), *DESTINATIONS, *STRATEGIES, *REJECTS, *LEAD_STAGES):
        assert re.search(rf"[`{{]{name}\b", told), name


def test_the_stages_that_rules_ask_for_are_those_that_leads_have() -> None:
    assert LEAD_STAGES == STAGES


CITY = replace(
    OFFICE,
    lines=(
        replace(OFFICE.lines[0], campaign="spring"),
        replace(OFFICE.lines[1], campaign="метро", language="en", hours="office"),
    ),
    vip=(Vip(number="442079460000"),),
)


@st.composite
def calls(draw: st.DrawFn) -> tuple[Arrival, Facts]:
    """Rules of which many are doubted, and a call that may meet them."""
    rules = tuple(
        Rule(name=f"r{at}", when=draw(conditions(CITY)), then=(Destination(kind="ring", to="team"),))
        for at in range(draw(st.integers(1, 4)))
    )
    people = st.sampled_from([None, "anna", "boris", "dmitry"])
    arrival = Arrival(
        pbx="main",
        channel="1.1",
        line=draw(st.sampled_from([*(line.number for line in CITY.lines), "74950000000"])),
        caller_number=draw(st.sampled_from(["442079460000", "79160009999", "79161234567", "anonymous"])),
        caller_name="",
        at=draw(st.sampled_from([datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 29, 9, tzinfo=UTC)])),
    )
    return arrival, Facts(
        directory=replace(CITY, rules=rules),
        owner=draw(people),
        last_talked=draw(people),
        known=draw(st.sampled_from([None, True, False])),
        stage=draw(st.sampled_from([None, "new", "won"])),
        load={"anna": Load(talking=draw(st.booleans())), "boris": Load(talking=draw(st.booleans()))},
        waiting={"sales": draw(st.integers(0, 3))},
        missing=draw(st.sampled_from([frozenset[str](), frozenset({"owner"}), frozenset({"party", "last_talked"})])),
    )


@given(calls())
@settings(max_examples=80)
def test_a_rule_that_is_doubted_decides_no_call(call: tuple[Arrival, Facts]) -> None:
    """Neither as it stands, nor with other rules before it out of the way when it contradicts itself."""
    arrival, facts = call
    directory = facts.directory
    rules = directory.rules
    dead = {
        rule.name
        for at, rule in enumerate(rules)
        if rule_checks.contradiction(directory, rule)
        or any(rule_checks.covers(directory, earlier, rule) for earlier in rules[:at])
    }
    assert decide(arrival, facts).rule not in dead
    for at, rule in enumerate(rules):
        alone = replace(facts, directory=replace(directory, rules=(rule,)))
        if rule_checks.contradiction(directory, rule):
            assert decide(arrival, alone).rule != rule.name
        for earlier in rules[:at]:
            if rule_checks.covers(directory, earlier, rule) and decide(arrival, alone).rule == rule.name:
                first = replace(facts, directory=replace(directory, rules=(earlier, rule)))
                assert decide(arrival, first).rule == earlier.name


@pytest.mark.parametrize(
    "told, other",
    [
        ({"line": ("74951234567",)}, {"line": ("74951234568",)}),
        ({"campaign": ("spring",)}, {"campaign": ("метро",)}),
        ({"language": ("ru",)}, {"language": ("en",)}),
        ({"vip": True}, {"vip": False}),
        ({"known": True}, {"known": False}),
        ({"number": ("7916",)}, {"number": ("79",)}),
        ({"stage": ("new",)}, {"stage": ("new", "won")}),
        ({"open": True}, {"open": False}),
        ({"hours": ("office",)}, {"hours": ("office", "late")}),
        ({"outside": ("office", "late")}, {"outside": ("office",)}),
        ({"time": (("mon", "09:00-18:00"),)}, {"time": (("mon", "09:00-17:00"),)}),
        ({"owner": "free"}, {"owner": "known"}),
        ({"owner": "nobody"}, {"owner": "known"}),
        ({"owner_is": ("anna",)}, {"owner_is": ("anna", "boris")}),
        ({"last_talked": "free"}, {"last_talked": "nobody"}),
        ({"team": TeamLoad(free_at_least=2)}, {"team": TeamLoad(free_at_least=1)}),
        ({"team": TeamLoad(free_at_most=0)}, {"team": TeamLoad(free_at_most=1)}),
        ({"team": TeamLoad(waiting_at_least=2)}, {"team": TeamLoad(waiting_at_least=1)}),
        ({"team": TeamLoad(waiting_at_most=0)}, {"team": TeamLoad(waiting_at_most=1)}),
        ({"team": TeamLoad(key="sales", free_at_most=0)}, {"team": TeamLoad(key="support", free_at_most=0)}),
        ({"blocked": True}, {"blocked": False}),
    ],
)
def test_a_rule_is_covered_by_what_asks_no_more_and_by_nothing_else(
    told: dict[str, Any], other: dict[str, Any]
) -> None:
    """For each condition: by the same one, by none at all; not by a narrower or another one."""
    narrow, wide = (Rule(name="x", when=When(**{"open": None} | it), then=()) for it in (told, other))
    bare = Rule(name="bare", when=When(open=None), then=())
    assert rule_checks.covers(CITY, narrow, narrow)
    assert rule_checks.covers(CITY, bare, narrow) == ("blocked" not in told)
    assert not rule_checks.covers(CITY, narrow, bare)
    assert not rule_checks.covers(CITY, narrow, wide)
