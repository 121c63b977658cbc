"""A line's number for emergencies is rung when nothing else is left, and only then."""

from __future__ import annotations

from dataclasses import replace

import pytest

from directory.model import Line
from routing.emergency import with_emergency
from routing.plan import Plan, Step, StepKind, Target, because

SORRY = ("vm-nobodyavail", "vm-goodbye")
LINE = Line(
    number="74951234567", name="Основная", team="sales", trunk="PJSIP/trunk", emergency="74951112233", ring_seconds=25
)


def step(kind: StepKind, *dials: str) -> Step:
    return Step(kind, tuple(Target(dial) for dial in dials), 20, because("team", "everybody"))


def plan(*steps: Step) -> Plan:
    return Plan(rule="team", steps=steps, reasons=())


def kinds(told: Plan) -> list[str]:
    return [one.kind for one in told.steps]


@pytest.mark.parametrize("kind", ["ring", "hold", "queue"])
def test_it_rings_behind_whoever_else_is_tried(kind: StepKind) -> None:
    told = with_emergency(plan(step("ring", "PJSIP/anna"), step(kind, "sales")), LINE, SORRY)
    assert kinds(told) == ["ring", kind, "ring"]
    last = told.steps[-1]
    assert (last.targets[0].dial, last.targets[0].trunk, last.seconds) == (
        "Local/74951112233@switchhook-outside/n", "PJSIP/trunk", 25,
    )  # fmt: skip
    assert last.reason.key == told.reasons[-1].key == "emergency"


def test_it_rings_before_the_house_says_that_nobody_is_there() -> None:
    """Around the clock: also outside the hours."""
    assert kinds(with_emergency(plan(step("message", *SORRY)), LINE, SORRY)) == ["ring", "message"]


@pytest.mark.parametrize("end", [step("message", "ss-noservice"), step("voicemail", "sales"), step("reject", "busy")])
def test_an_end_that_somebody_chose_stays_the_end(end: Step) -> None:
    told = plan(step("ring", "PJSIP/anna"), end)
    assert with_emergency(told, LINE, SORRY) == told


def test_a_line_without_a_number_keeps_its_plan() -> None:
    told = plan(step("ring", "PJSIP/anna"))
    assert with_emergency(told, replace(LINE, emergency=None), SORRY) == with_emergency(told, None, SORRY) == told
    assert with_emergency(plan(), LINE, SORRY) == plan()
