"""The decision: who rings, on what, in which order, and why."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.events import Arrived
from directory.model import MOBILE_SECONDS, Directory, Line, Person
from routing.arrival import Arrival, DeviceState, Facts
from routing.choice import CONFIRM_SECONDS
from routing.decide import DIAL_BYTES_MOST, STEPS_MOST, decide
from routing.learned import Answers, Tally
from routing.plan import Plan
from tests.fakes.directories import LINE, OFFICE, directories

MONDAY = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Moscow"))
SUNDAY = datetime(2026, 11, 29, 12, tzinfo=ZoneInfo("Europe/Moscow"))
FREE = DeviceState("not_inuse", reachable=True)
GONE = DeviceState("unavailable", reachable=False)
TALKING = DeviceState("inuse", reachable=True)
ALL_FREE = dict.fromkeys(("PJSIP/anna-desk", "PJSIP/anna-soft", "PJSIP/boris-desk"), FREE)


def arrival(number: str = "79161234567", line: str = LINE, at: datetime = MONDAY) -> Arrival:
    return Arrival(pbx="main", channel="1.1", line=line, caller_number=number, caller_name="", at=at)


def facts(*, owner: str | None = None, last_talked: str | None = None, **devices: DeviceState) -> Facts:
    told = {f"PJSIP/{name.replace('_', '-')}": state for name, state in devices.items()}
    return Facts(directory=OFFICE, devices=ALL_FREE | told, owner=owner, last_talked=last_talked)


def rung(plan: Plan) -> list[list[str]]:
    return [[target.device for target in step.targets] for step in plan.steps if step.kind == "ring"]


def why(plan: Plan) -> list[str]:
    return [reason.key for reason in plan.reasons]


states = st.builds(
    DeviceState,
    st.sampled_from(["not_inuse", "inuse", "ringing", "busy", "onhold", "unavailable", "unknown", "dnd", "?"]),
    st.none() | st.booleans(),
)
numbers = st.sampled_from(["79160009999", "anonymous", "", "101", "+7 916 123-45-67", "'; drop"]) | st.text(max_size=12)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Arrival, Facts]:
    directory = draw(directories())
    addresses = [device.address for person in directory.people for device in person.devices]
    devices = draw(st.dictionaries(st.sampled_from(addresses), states)) if addresses else {}
    somebody = st.sampled_from([None, "nobody", *(person.key for person in directory.people)])
    lines = st.sampled_from([*(line.number for line in directory.lines), "s", "74950000000"])
    staff = st.sampled_from([device.address for person in directory.people for device in person.devices] or [""])
    at = draw(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # Hypothesis adds the zone
    told = st.dictionaries(st.integers(0, 167), st.builds(Tally, st.floats(1e2, 1e9), st.floats(0, 1e2)), max_size=3)
    learned = st.dictionaries(st.sampled_from(addresses or [""]), told.map(Answers.of))
    return arrival(draw(numbers | staff), draw(lines), at), Facts(
        directory=directory,
        devices=devices,
        owner=draw(somebody),
        last_talked=draw(somebody),
        missing=draw(st.frozensets(st.sampled_from(["owner", "last_talked"]))),
        answers=draw(learned),
        owner_age_seconds=draw(st.none() | st.floats(0, 1e9)),
        crm_fault=draw(st.sampled_from(["", "late", "failed"])),
        crm_seconds=draw(st.floats(0, 1)),
    )


@given(situations())
@settings(max_examples=40)
def test_there_is_a_plan_for_whatever_comes_in(situation: tuple[Arrival, Facts]) -> None:
    """It has at least one step, each step has targets, seconds and a reason, and a value survives JSON."""
    plan = decide(*situation)
    assert 1 <= len(plan.steps) <= STEPS_MOST
    assert all(step.targets and step.seconds > 0 and step.reason.text for step in plan.steps)
    assert plan.reasons
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@given(situations())
@settings(max_examples=40)
def test_nobody_busy_off_shift_or_unreachable_is_rung(situation: tuple[Arrival, Facts]) -> None:
    told = situation[1]
    for step in decide(*situation).steps:
        for target in step.targets:
            if step.kind == "message":
                continue
            person = told.directory.person(target.person)
            assert person is not None
            own = [told.devices.get(device.address, DeviceState()) for device in person.devices]
            assert not any(state.state in {"inuse", "busy", "onhold"} for state in own)
            state = told.devices.get(target.device, DeviceState())
            assert state.state != "dnd"
            assert target.kind == "mobile" or (state.state != "unavailable" and state.reachable is not False)


@given(situations())
@settings(max_examples=40)
def test_no_device_rings_twice_and_everybody_rung_was_considered(situation: tuple[Arrival, Facts]) -> None:
    plan = decide(*situation)
    devices = [device for step in rung(plan) for device in step]
    assert len(devices) == len(set(devices))
    taken = [candidate.device for candidate in plan.considered if candidate.taken]
    assert sorted(taken) == sorted(devices)
    looked_at = [(candidate.person, candidate.device) for candidate in plan.considered]
    assert len(looked_at) == len(set(looked_at))


@given(situations())
@settings(max_examples=40)
def test_every_ring_step_lasts_as_long_as_the_line_says_and_a_mobile_as_it_says_itself(
    situation: tuple[Arrival, Facts],
) -> None:
    """A mobile rings no longer than its own time and the line's, and its step leaves time to press 1."""
    directory = situation[1].directory
    line = directory.line(situation[0].line)
    usual = line.ring_seconds if line else 20
    for step in decide(*situation).steps:
        if step.kind == "message":
            continue
        rings = []
        for target in step.targets:
            if target.kind != "mobile":
                continue
            person = directory.person(target.person)
            assert person is not None
            (mobile,) = [device for device in person.devices if device.address == target.device]
            rings.append(min(usual, mobile.mobile_seconds or MOBILE_SECONDS))
            assert f"*{rings[-1]}" in target.dial
        alone = len(rings) == len(step.targets)
        assert step.seconds == max([0 if alone else usual, *(ring + CONFIRM_SECONDS for ring in rings)])


def test_the_owner_rings_first_then_his_mobile_then_the_team() -> None:
    plan = decide(arrival(), facts(owner="anna", last_talked="boris"))
    assert plan.rule == "owner"
    assert rung(plan) == [["PJSIP/anna-desk", "PJSIP/anna-soft"], ["79160000011"], ["PJSIP/boris-desk"]]
    assert why(plan) == ["open", "owner", "team_ring_all"]
    mobile = plan.steps[1].targets[0]
    assert (mobile.dial, mobile.trunk) == ("Local/79160000011*18@switchhook-mobile/n", "PJSIP/trunk")
    assert plan.trunk == "PJSIP/trunk"


def test_without_an_owner_the_last_who_talked_rings_first() -> None:
    plan = decide(arrival(), facts(last_talked="boris"))
    assert plan.rule == "last_talked"
    assert rung(plan)[0] == ["PJSIP/boris-desk"]


def test_a_new_caller_rings_the_whole_team_and_then_its_mobiles() -> None:
    plan = decide(arrival(), facts())
    assert plan.rule == "team"
    assert rung(plan) == [["PJSIP/anna-desk", "PJSIP/anna-soft", "PJSIP/boris-desk"], ["79160000011"]]


def test_a_hunt_rings_one_after_another_in_the_order_of_the_team() -> None:
    plan = decide(arrival(line="74951234568"), facts())
    assert rung(plan) == [
        ["PJSIP/boris-desk"],
        ["PJSIP/anna-desk", "PJSIP/anna-soft"],
        ["79160000013"],
        ["79160000011"],
    ]
    assert [step.seconds for step in plan.steps] == [15, 15, 15 + CONFIRM_SECONDS, 15 + CONFIRM_SECONDS]


def test_a_dead_desk_phone_leaves_the_softphone_and_both_dead_the_mobile() -> None:
    assert rung(decide(arrival(), facts(owner="anna", anna_desk=GONE)))[0] == ["PJSIP/anna-soft"]
    plan = decide(arrival(), facts(owner="anna", anna_desk=GONE, anna_soft=GONE))
    assert rung(plan)[0] == ["79160000011"]
    dead = next(candidate for candidate in plan.considered if candidate.device == "PJSIP/anna-desk")
    assert (dead.taken, dead.key) == (False, "unreachable")


def test_an_owner_who_talks_is_not_rung_on_anything() -> None:
    plan = decide(arrival(), facts(owner="anna", anna_soft=TALKING))
    assert plan.rule == "team"
    assert rung(plan) == [["PJSIP/boris-desk"]]
    assert "owner_busy" in why(plan)
    assert {candidate.key for candidate in plan.considered if candidate.person == "anna"} == {"busy"}


def test_a_busy_owner_gives_way_to_the_last_who_talked() -> None:
    plan = decide(arrival(), facts(owner="anna", last_talked="boris", anna_desk=TALKING))
    assert plan.rule == "last_talked"


def test_a_phone_that_rings_for_another_call_still_counts_as_free() -> None:
    """Two callers at once both reach the team."""
    ringing = DeviceState("ringing", reachable=True)
    assert rung(decide(arrival(), facts(anna_desk=ringing, anna_soft=ringing, boris_desk=ringing)))[0]


def test_do_not_disturb_passes_a_device_over() -> None:
    plan = decide(arrival(), facts(owner="anna", anna_desk=DeviceState("dnd", reachable=True)))
    assert rung(plan)[0] == ["PJSIP/anna-soft"]


@pytest.mark.parametrize(
    "state, rule", [(TALKING, "all_busy"), (GONE, "device_unreachable"), (DeviceState("dnd"), "do_not_disturb")]
)
def test_when_nobody_can_be_rung_the_caller_is_told_and_the_plan_says_why(state: DeviceState, rule: str) -> None:
    team = replace(OFFICE.teams[0], members=("boris",))
    office = replace(OFFICE, teams=(team,), lines=OFFICE.lines[:1])
    plan = decide(arrival(), Facts(directory=office, devices={"PJSIP/boris-desk": state}))
    assert plan.rule == rule
    assert [step.kind for step in plan.steps] == ["message"]
    assert [target.dial for target in plan.steps[0].targets]


def test_nobody_on_shift_is_its_own_cause() -> None:
    line = replace(OFFICE.lines[0], hours=None)
    plan = decide(arrival(at=SUNDAY), Facts(directory=replace(OFFICE, lines=(line,)), devices=ALL_FREE))
    assert plan.rule == "nobody_on_shift"


def test_outside_hours_nobody_rings_and_the_plan_says_when_it_opens() -> None:
    plan = decide(arrival(at=SUNDAY), facts(owner="anna"))
    assert plan.rule == "outside_hours"
    assert rung(plan) == []
    assert dict(plan.reasons[-1].values)["opens"] == "2026-11-30T06:00:00+00:00"


def test_a_blocked_caller_is_not_put_through_even_to_an_owner() -> None:
    plan = decide(arrival("+7 916 000-99-99"), facts(owner="anna"))
    assert plan.rule == "blocked"
    assert rung(plan) == []


def test_a_line_that_the_directory_does_not_know_rings_the_first_team() -> None:
    plan = decide(arrival(line="74950000000"), facts())
    assert "line_unknown" in why(plan)
    assert rung(plan)[0] == ["PJSIP/anna-desk", "PJSIP/anna-soft", "PJSIP/boris-desk"]


def test_a_line_is_known_in_whatever_form_the_trunk_sends_it() -> None:
    assert "line_unknown" not in why(decide(arrival(line="4951234567"), facts()))


def test_an_owner_who_has_left_is_said_to_have_left() -> None:
    assert "owner_left" in why(decide(arrival(), facts(owner="dmitry")))


def test_facts_that_did_not_come_in_time_are_said_to_be_missing() -> None:
    plan = decide(arrival(), replace(facts(), missing=frozenset({"owner", "last_talked"})))
    assert plan.rule == "team"
    assert {"owner_not_in_time", "last_talked_not_in_time"} <= set(why(plan))


def test_a_hidden_caller_goes_to_the_team() -> None:
    plan = decide(arrival("anonymous"), facts())
    assert plan.rule == "team"
    assert "owner_hidden" in why(plan)


def test_staff_who_call_in_from_their_mobile_are_not_rung_themselves() -> None:
    plan = decide(arrival("79160000011"), facts(owner="anna"))
    assert "anna" not in {target.person for step in plan.steps for target in step.targets}


def test_without_any_device_state_phones_are_tried() -> None:
    assert rung(decide(arrival(), Facts(directory=OFFICE)))[0] == [
        "PJSIP/anna-desk",
        "PJSIP/anna-soft",
        "PJSIP/boris-desk",
    ]


def test_a_large_team_rings_in_steps_that_fit_into_a_line_of_ami() -> None:
    base = OFFICE.people[1].devices[0]
    people = tuple(
        Person(
            key=f"p{index}",
            name=f"P{index}",
            role="manager",
            devices=(replace(base, address=f"PJSIP/person-number-{index}-desk", number=None),),
        )
        for index in range(80)
    )
    team = replace(OFFICE.teams[0], members=tuple(person.key for person in people))
    line = Line(number=LINE, name="Основная", team="sales")
    plan = decide(
        arrival(), Facts(directory=Directory(company=OFFICE.company, people=people, teams=(team,), lines=(line,)))
    )
    assert len(rung(plan)) > 1
    assert sum(len(step) for step in rung(plan)) == 80
    for step in plan.steps:
        assert len("&".join(target.dial for target in step.targets)) <= DIAL_BYTES_MOST


def test_an_arrival_is_made_of_its_event() -> None:
    event = Arrived(pbx="main", channel="1.1", at=MONDAY, linkedid="1.1", name="PJSIP/trunk-1", line=LINE, number="7")
    made = Arrival.of(event)
    assert made is not None
    assert (made.name, made.line, made.at) == ("PJSIP/trunk-1", LINE, MONDAY)
    assert Arrival.of(Arrived(pbx="main", channel="1.1")) is None
