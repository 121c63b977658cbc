"""The file's `leads:`."""

import re
from pathlib import Path

import pytest

from directory.difference import difference
from directory.file import DirectoryError, dumps, loads, reads
from directory.lead_policy import (
    BUILT_IN,
    CALL_TYPES,
    FIRST_STAGES,
    MAKES,
    OWNER_RULES,
    LeadPolicy,
    TaskWish,
)

HOUSE = """
company: {name: Ромашка}
people: [{key: anna, name: Анна, role: manager, leads_most: 40}]
teams: [{key: sales, name: Продажи, members: [anna]}]
lines: [{number: "+7 495 123-45-67", name: Основная, team: sales}]
"""
LEADS = """
leads:
  rules:
    - name: new_clients
      lines: "8 (495) 123-45-67"
      types: [inbound_answered, inbound_missed]
      known: false
      owner: [answered, round_robin]
      task: {text: Уточнить бюджет, minutes: 30}
    - {name: others, make: party}
  funnel:
    - {key: meeting, name: Встреча, minutes: 960}
    - {key: contract, name: Договор}
  disqualified: [{key: not_our_region, name: Не наш регион}]
  lost: [{key: moved_away, name: Переехал}]
  minutes: {new: 15, in_work: 2880}
  forgotten_days: 5
  leads_most: 30
  revival:
    - name: mortgage
      reasons: [moved_away, too_expensive]
      fields: {Оплата: [ипотека]}
      steps:
        - {days: 7, do: message, text: Новые условия}
        - {days: 30, do: task, text: Позвонить}
"""


def test_a_policy_is_read_and_written_back_the_same() -> None:
    directory = loads(HOUSE + LEADS)
    rule = directory.leads.rules[0]
    assert (rule.lines, rule.known, rule.owner) == (("74951234567",), False, ("answered", "round_robin"))
    assert rule.task == TaskWish(text="Уточнить бюджет", minutes=30)
    assert directory.leads.loses()[-1] == "moved_away"
    assert directory.leads.revival[0].fields == {"Оплата": ("ипотека",)}
    assert directory.people[0].leads_most == 40
    assert loads(dumps(directory)) == directory


def test_a_house_that_says_nothing_has_the_default_of_everything() -> None:
    assert loads(HOUSE).leads == LeadPolicy()
    assert "leads:" not in dumps(loads(HOUSE))


def test_what_changes_is_told_in_words() -> None:
    told = difference(loads(HOUSE), loads(HOUSE + LEADS))
    assert "~ leads: minutes none -> {new: 15, in_work: 2880}" in told
    assert any(line.startswith("~ leads: rules none -> [{name: new_clients") for line in told)


@pytest.mark.parametrize(
    "written, said",
    [
        ("rules: [{name: a, types: [inbound]}]", "leads.rules[0].types[0]: unknown value 'inbound'"),
        ('rules: [{name: a, lines: ["74950000000"]}]', "leads.rules[0].lines[0]: there is no line '74950000000'"),
        ("rules: [{name: a}, {name: a}]", "leads.rules[1].name: 'a' is already used by leads.rules[0].name"),
        ("rules: [{name: a, stage: won}]", "leads.rules[0].stage: unknown value 'won'"),
        ("rules: [{name: a, task: {minutes: 5}}]", "leads.rules[0].task.text: is missing"),
        ("funnel: [{key: a, name: A}, {key: a, name: B}]", "leads.funnel[1].key: 'a' is already used"),
        ("disqualified: [{key: spam, name: Спам}]", "leads.disqualified[0].key: 'spam' is a reason that there is"),
        ("minutes: {won: 5}", "leads.minutes.won: unknown key"),
        ("minutes: {new: 0}", "leads.minutes.new: must be a whole number from 1"),
        (
            "revival: [{name: a, steps: [{days: 1, do: task, text: '{name},'}]}]",
            "leads.revival[0].steps[0].text: must say something beside {name}",
        ),
        (
            "revival: [{name: a, steps: [{days: 1, do: message, text: 'Здравствуйте, {имя}!'}]}]",
            "leads.revival[0].steps[0].text: knows no '{имя}', only {name}",
        ),
        ("revival: [{name: a, steps: []}]", "leads.revival[0].steps: must have at least one step"),
        ("revival: [{name: a, reasons: why, steps: [{days: 1, do: task, text: x}]}]", "no reason for losing 'why'"),
        (
            "revival: [{name: a, steps: [{days: 9, do: task, text: x}, {days: 1, do: task, text: x}]}]",
            "leads.revival[0].steps: must go by days",
        ),
        ("lost_days: soon", "leads.lost_days: must be a whole number"),
        ("colour: red", "leads.colour: unknown key"),
    ],
)
def test_a_fault_names_its_place_and_its_value(written: str, said: str) -> None:
    with pytest.raises(DirectoryError) as refused:
        loads(f"{HOUSE}leads:\n  {written}\n")
    assert said in str(refused.value)


def test_the_how_to_of_lead_rules_is_true() -> None:
    """Its example is a policy that is read, and every condition, owner rule and built-in rule has its words."""
    told = Path("docs/how_to/add_a_lead_rule.md").read_text()
    (example,) = re.findall(r"```yaml\n(leads:.*?)```", told, re.DOTALL)
    support = '  - {number: "+7 495 123-45-68", name: Поддержка, team: sales}\n'
    lines = 'lines:\n  - {number: "+7 495 123-45-67", name: Основная, team: sales}\n' + support
    house = "\n".join(line for line in HOUSE.splitlines() if not line.startswith("lines")) + "\n" + lines
    rules = {rule.name: rule for rule in loads(house + example).leads.rules}
    assert (rules["new_clients"].minutes, rules["support"].make) == (15, "party")
    for key in (*CALL_TYPES, *OWNER_RULES, *MAKES, *FIRST_STAGES, *(rule.name for rule in BUILT_IN)):
        assert f"`{key}`" in told, key


def test_a_rule_that_no_call_can_reach_is_warned_about() -> None:
    """An earlier rule takes all of its calls: told by file, line and path, and still allowed."""
    rules = "leads:\n  rules:\n  - {name: a, types: [inbound_missed]}\n"
    dead = "  - {name: b, types: inbound_missed, known: true}\n"
    (warning,) = reads(HOUSE + rules + dead).warnings
    assert "leads.rules[1]: no call can match rule 'b': 'a' (leads.rules[0]) takes it first" in warning
    assert reads(HOUSE + rules + "  - {name: c, known: true}\n").warnings == ()
