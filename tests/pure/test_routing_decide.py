"""The decision: who rings, on what, in which order, and why."""

import json
import statistics
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.events import Arrived
from directory.model import MOBILE_SECONDS, Blocked, Directory, Line, Person, Vip
from directory.presence import STATUSES, Absence, Presence
from directory.rules import DESTINATIONS_MOST, LEAD_STAGES, Destination, DestinationKind, Rule, TeamLoad, When
from routing import evidence
from routing.arrival import Arrival, DeviceState, Facts, Load
from routing.choice import CONFIRM_SECONDS
from routing.decide import RINGS_MOST, decide
from routing.learned import Answers, Tally
from routing.plan import Passed, Plan
from routing.steps import DIAL_BYTES_MOST
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
    return [[it.device for it in step.targets] for step in plan.steps if step.kind == "ring"]


def rung_people(plan: Plan) -> list[list[str]]:
    return [[it.person for it in step.targets] for step in plan.steps if step.targets[0].person]


def ruled(*rules: Rule, **changes: Any) -> Directory:
    return replace(OFFICE, rules=rules, rules_version=3, **changes)


def rule(*then: Destination, name: str = "mine", **when: Any) -> Rule:
    return Rule(name=name, when=When(**when), then=then)


def to(kind: DestinationKind, name: str, **told: Any) -> Destination:
    return Destination(kind=kind, to=name, **told)


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
    loads = st.builds(
        Load,
        calls_today=st.integers(0, 5),
        leads_open=st.integers(0, 5),
        idle_since=st.none() | st.datetimes(timezones=st.just(UTC)),
        talking=st.booleans(),
    )
    absences = st.builds(
        Absence,
        id=st.just(1),
        starts_at=st.just(MONDAY),
        ends_at=st.just(MONDAY + timedelta(days=9)),
        substitute=st.none() | st.sampled_from([person.key for person in directory.people]),
    )
    presences = st.builds(
        Presence,
        on_shift=st.booleans(),
        absence=st.none() | absences,
        status=st.sampled_from(STATUSES),
        calendar_until=st.none() | st.just(MONDAY),
    )
    teams = [team.key for team in directory.teams]
    people = [person.key for person in directory.people]
    at = draw(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # Hypothesis adds the zone
    told = st.dictionaries(st.integers(0, 167), st.builds(Tally, st.floats(1e2, 1e9), st.floats(0, 1e2)), max_size=3)
    learned = st.dictionaries(st.sampled_from(addresses or [""]), told.map(Answers.of))
    return arrival(draw(numbers | staff), draw(lines), at), Facts(
        directory=directory,
        devices=devices,
        owner=draw(somebody),
        last_talked=draw(somebody),
        known=draw(st.sampled_from([None, True, False])),
        stage=draw(st.sampled_from([None, *LEAD_STAGES])),
        load=draw(st.dictionaries(st.sampled_from(people), loads)),
        presence=draw(st.dictionaries(st.sampled_from(people), presences)),
        turns=draw(st.dictionaries(st.sampled_from(teams), st.lists(st.sampled_from(people), unique=True))),
        waiting=draw(st.dictionaries(st.sampled_from(teams), st.integers(0, 3))),
        missing=draw(st.frozensets(st.sampled_from(["owner", "last_talked", "party"]))),
        answers=draw(learned),
        owner_age_seconds=draw(st.none() | st.floats(0, 1e9)),
        crm_fault=draw(st.sampled_from(["", "late", "failed"])),
        crm_seconds=draw(st.floats(0, 1)),
    )


@given(situations())
@settings(max_examples=25)
def test_there_is_a_plan_for_whatever_comes_in(situation: tuple[Arrival, Facts]) -> None:
    """It has at least one step, each step has targets, seconds and a reason, and a value survives JSON."""
    plan = decide(*situation)
    assert 1 <= len(plan.steps) <= RINGS_MOST + DESTINATIONS_MOST
    assert sum(bool(step.targets[0].person) for step in plan.steps) <= RINGS_MOST
    assert all(step.targets and step.seconds > 0 and step.reason.text for step in plan.steps)
    assert plan.reasons
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


@given(situations())
@settings(max_examples=25)
def test_nobody_busy_absent_off_shift_or_unreachable_is_rung(situation: tuple[Arrival, Facts]) -> None:
    told = situation[1]
    for step in decide(*situation).steps:
        for target in step.targets:
            person = told.directory.person(target.person)
            assert (person is not None) == (step.kind == "ring" and target.kind != "outside")
            if person is None:
                continue
            assert not told.load.get(person.key, Load()).talking
            assert told.presence.get(person.key, Presence()).there
            own = [told.devices.get(device.address, DeviceState()) for device in person.devices]
            assert not any(state.state in {"inuse", "busy", "onhold"} for state in own)
            state = told.devices.get(target.device, DeviceState())
            assert state.state != "dnd"
            assert target.kind == "mobile" or (state.state != "unavailable" and state.reachable is not False)


@given(situations())
@settings(max_examples=25)
def test_no_device_rings_twice_and_everybody_rung_was_considered(situation: tuple[Arrival, Facts]) -> None:
    plan = decide(*situation)
    devices = [target.device for step in plan.steps for target in step.targets if target.person]
    assert len(devices) == len(set(devices))
    taken = [candidate.device for candidate in plan.considered if candidate.taken]
    assert sorted(taken) == sorted(devices)
    looked_at = [(candidate.person, candidate.device) for candidate in plan.considered]
    assert len(looked_at) == len(set(looked_at))


@given(situations())
@settings(max_examples=25)
def test_every_ring_step_lasts_as_long_as_the_line_says_and_a_mobile_as_it_says_itself(
    situation: tuple[Arrival, Facts],
) -> None:
    """A mobile rings no longer than its own time and the line's, and its step leaves time to press 1."""
    directory = situation[1].directory
    line = directory.line(situation[0].line)
    usual = line.ring_seconds if line else 20
    for step in decide(*situation).steps:
        if not step.targets[0].person:
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


@given(situations())
@settings(max_examples=30)
def test_the_first_rule_that_holds_decides_and_every_other_before_it_says_why_not(
    situation: tuple[Arrival, Facts],
) -> None:
    """The rules asked stand in their order; whoever is refused has a reason, and so has the plan."""
    arrival, facts = situation
    plan = decide(arrival, facts)
    names = [rule.name for rule, _ in facts.directory.rules_of(facts.directory.line(arrival.line))]
    assert [*(one.rule for one in plan.passed), plan.rule] == names[: len(plan.passed) + 1]
    assert all(one.condition for one in plan.passed)
    assert all(one.key and one.why for one in plan.considered)
    assert bool(plan.cause) == (not any(step.kind in {"ring", "hold", "queue"} for step in plan.steps))


@given(situations())
@settings(max_examples=30)
def test_the_facts_kept_with_a_decision_make_the_same_decision_again(situation: tuple[Arrival, Facts]) -> None:
    """What is stored is all that mattered: a replay with the same rules changes nothing."""
    arrival, facts = situation
    plan = decide(arrival, facts)
    kept = json.loads(json.dumps(evidence.of(arrival, facts, plan)))
    assert decide(arrival, evidence.back(kept, facts.directory)) == plan


def test_the_facts_kept_hold_those_whom_a_rule_only_counted() -> None:
    """Nobody of the support team is considered, but that all of it talk is why its rule did not hold."""
    asks = rule(to("reject", "busy"), team=TeamLoad(key="support", free_at_least=1))
    told = Facts(directory=ruled(asks), devices=ALL_FREE, load={"vera": Load(talking=True)}, owner="anna")
    told = replace(told, devices=ALL_FREE | {"PJSIP/anna-desk": TALKING, "PJSIP/boris-desk": TALKING})
    plan = decide(arrival(), told)
    kept = json.loads(json.dumps(evidence.of(arrival(), told, plan)))
    assert plan.passed[0] == Passed("mine", "team")
    assert decide(arrival(), evidence.back(kept, told.directory)) == plan


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
    "state, cause", [(TALKING, "all_busy"), (GONE, "device_unreachable"), (DeviceState("dnd"), "do_not_disturb")]
)
def test_when_nobody_can_be_rung_the_caller_is_told_and_the_plan_says_why(state: DeviceState, cause: str) -> None:
    team = replace(OFFICE.teams[0], members=("boris",))
    office = replace(OFFICE, teams=(team,), lines=OFFICE.lines[:1])
    plan = decide(arrival(), Facts(directory=office, devices={"PJSIP/boris-desk": state}))
    assert (plan.rule, plan.cause) == ("team", cause)
    assert [step.kind for step in plan.steps] == ["message"]
    assert [target.dial for target in plan.steps[0].targets]


def test_nobody_on_shift_is_its_own_cause() -> None:
    line = replace(OFFICE.lines[0], hours=None)
    plan = decide(arrival(at=SUNDAY), Facts(directory=replace(OFFICE, lines=(line,)), devices=ALL_FREE))
    assert plan.cause == "nobody_on_shift"


def test_outside_hours_nobody_rings_and_the_plan_says_when_it_opens() -> None:
    plan = decide(arrival(at=SUNDAY), facts(owner="anna"))
    assert (plan.rule, plan.cause) == ("outside_hours", "outside_hours")
    assert rung(plan) == []
    assert dict(plan.reasons[-1].values)["until"] == "2026-11-30 09:00"


def test_a_blocked_caller_is_not_put_through_even_to_an_owner() -> None:
    plan = decide(arrival("+7 916 000-99-99"), facts(owner="anna"))
    assert (plan.rule, plan.cause) == ("blocked", "blocked")
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


def test_rules_are_asked_in_their_order_and_the_built_in_ones_after_them() -> None:
    """The plan names the rule that decided, its version, and the conditions by which those before it did not."""
    directory = ruled(
        rule(to("person", "vera"), name="first", vip=True),
        rule(to("person", "vera"), name="second", line=("74951234568",)),
        rule(to("person", "boris"), name="third", open=True),
        rule(to("person", "vera"), name="fourth"),
    )
    plan = decide(arrival(), Facts(directory=directory, devices=ALL_FREE))
    assert (plan.rule, plan.version) == ("third", 3)
    assert plan.passed == (Passed("first", "vip"), Passed("second", "line"))
    assert rung(plan) == [["PJSIP/boris-desk"]]
    other = decide(arrival(at=SUNDAY), Facts(directory=directory, devices=ALL_FREE))
    assert other.rule == "outside_hours"
    assert [one.rule for one in other.passed] == ["first", "second", "third", "fourth", "blocked"]


@pytest.mark.parametrize(
    "name, when, holds, fails",
    [
        ("line", {"line": (LINE,)}, {}, {"line": "74951234568"}),
        ("language", {"language": ("ru",)}, {}, {"language": "en"}),
        ("campaign", {"campaign": ("spring",)}, {"campaign": "spring"}, {}),
        ("vip", {"vip": True}, {"vip": True}, {}),
        ("vip", {"vip": False}, {}, {"vip": True}),
        ("known", {"known": True}, {"known": True}, {"known": False}),
        ("known", {"known": True}, {"owner": "anna"}, {"known": None}),
        ("known", {"known": False}, {"known": False}, {"known": False, "last_talked": "anna"}),
        ("number", {"number": ("44", "7916")}, {}, {"number": "79250000000"}),
        ("stage", {"stage": ("qualified",)}, {"stage": "qualified"}, {"stage": "new"}),
        ("open", {"open": False}, {"at": SUNDAY}, {}),
        ("open", {"open": True}, {}, {"at": SUNDAY}),
        ("hours", {"open": None, "hours": ("office",)}, {}, {"at": SUNDAY}),
        ("outside", {"open": None, "outside": ("office",)}, {"at": SUNDAY}, {}),
        ("time", {"open": None, "time": (("mon", "09:00-21:00"),)}, {}, {"at": SUNDAY}),
        ("owner", {"owner": "free"}, {"owner": "anna"}, {"owner": "anna", "anna_desk": TALKING}),
        ("owner", {"owner": "known"}, {"owner": "anna", "anna_desk": TALKING}, {"owner": "dmitry"}),
        ("owner", {"owner": "nobody"}, {}, {"owner": "dmitry"}),
        ("owner", {"owner": "nobody"}, {}, {"missing": frozenset({"owner"})}),
        ("owner_is", {"owner_is": ("anna", "vera")}, {"owner": "vera"}, {"owner": "boris"}),
        ("last_talked", {"last_talked": "known"}, {"last_talked": "anna"}, {}),
        ("team", {"team": TeamLoad(free_at_least=2)}, {}, {"anna_desk": TALKING}),
        ("team", {"team": TeamLoad(free_at_most=1)}, {"anna_desk": TALKING}, {}),
        ("team", {"team": TeamLoad(key="sales", waiting_at_least=3)}, {"waiting": 3}, {"waiting": 2}),
        ("team", {"team": TeamLoad(key="sales", waiting_at_most=2)}, {"waiting": 2}, {"waiting": 3}),
    ],
)
def test_a_condition_holds_for_what_it_names_and_for_nothing_else(
    name: str, when: dict[str, Any], holds: dict[str, Any], fails: dict[str, Any]
) -> None:
    """The rule decides where its condition holds, and is passed by that condition where it does not."""
    assert _decided(when, holds).rule == "mine"
    plan = _decided(when, fails)
    assert plan.rule != "mine"
    assert plan.passed[0] == Passed("mine", name)


def _decided(when: dict[str, Any], told: dict[str, Any]) -> Plan:
    """What becomes of a call under one rule with these conditions, all else as usual."""
    told = dict(told)
    caller, at, line = told.pop("number", "79161234567"), told.pop("at", MONDAY), told.pop("line", LINE)
    language, campaign = told.pop("language", None), told.pop("campaign", None)
    lines = (
        replace(OFFICE.lines[0], language=language, campaign=campaign),
        replace(OFFICE.lines[1], campaign="spring"),
    )
    vip = (Vip(number=caller),) if told.pop("vip", False) else (Vip(number="79160000000"),)
    directory = ruled(rule(to("person", "boris"), **when), lines=lines, vip=vip)
    devices = {name: told.pop(name) for name in ("anna_desk", "boris_desk") if name in told}
    waiting = {"sales": told.pop("waiting", 0)}
    return decide(arrival(caller, line, at), replace(facts(**devices), directory=directory, waiting=waiting, **told))


def test_a_rule_is_not_for_blocked_callers_unless_it_says_so() -> None:
    """Whatever rules are written, the block list holds."""
    written = rule(to("person", "boris"), open=None)
    plan = decide(arrival("79160009999"), Facts(directory=ruled(written), devices=ALL_FREE))
    assert plan.rule == "blocked"
    written = rule(to("person", "boris"), open=None, blocked=True)
    plan = decide(arrival("79160009999"), Facts(directory=ruled(written), devices=ALL_FREE))
    assert plan.rule == "mine"


def test_a_caller_of_a_line_abroad_is_the_vip_or_the_blocked_one_of_its_country() -> None:
    """Written as that country does, for the rules and in the facts kept with the decision."""
    line = replace(OFFICE.lines[0], region="GB")
    house = ruled(rule(to("person", "boris"), vip=True), lines=(line,), vip=(Vip(number="442079460018"),))
    told, came = Facts(directory=house, devices=ALL_FREE), arrival("020 7946 0018")
    plan = decide(came, told)
    assert (plan.rule, evidence.of(came, told, plan)["vip"]) == ("mine", True)
    blocked = replace(house, blocked=(Blocked(number="442079460018"),))
    assert decide(came, replace(told, directory=blocked)).rule == "blocked"


@pytest.mark.parametrize(
    "destination, step",
    [
        (to("ring", "owner"), ("ring", "PJSIP/anna-desk", 20)),
        (to("ring", "last_talked"), ("ring", "PJSIP/boris-desk", 20)),
        (to("ring", "team"), ("ring", "PJSIP/anna-desk", 20)),
        (to("person", "boris"), ("ring", "PJSIP/boris-desk", 20)),
        (to("team", "support"), ("ring", "PJSIP/boris-desk", 20)),
        (to("hold", "sales"), ("hold", "sales", 120)),
        (to("hold", "sales", seconds=60), ("hold", "sales", 60)),
        (to("queue", "sales"), ("queue", "sales", 120)),
        (to("voicemail", "100@default"), ("voicemail", "100@default", 120)),
        (to("number", "74951112233"), ("ring", "Local/74951112233@switchhook-outside/n", 30)),
        (to("message", "custom/closed&vm-goodbye"), ("message", "custom/closed", 30)),
        (to("reject", "busy"), ("reject", "busy", 5)),
    ],
)
def test_each_kind_of_destination_is_a_step_of_the_plan(destination: Destination, step: tuple[str, str, int]) -> None:
    told = Facts(directory=ruled(rule(destination)), devices=ALL_FREE, owner="anna", last_talked="boris")
    first = decide(arrival(), told).steps[0]
    assert (first.kind, first.targets[0].dial, first.seconds) == step


def test_destinations_follow_each_other_and_ring_nobody_twice() -> None:
    """Who rang already is not rung again by what comes after."""
    then = (
        to("ring", "owner"),
        to("person", "anna"),
        to("team", "support"),
        to("hold", "sales"),
        to("voicemail", "box"),
    )
    plan = decide(arrival(), Facts(directory=ruled(rule(*then)), devices=ALL_FREE, owner="anna"))
    assert [step.kind for step in plan.steps] == ["ring", "ring", "ring", "ring", "hold", "voicemail"]
    assert rung_people(plan) == [["anna", "anna"], ["anna"], ["boris"], ["vera"]]


def test_a_team_is_asked_only_for_those_who_have_the_skills_and_languages() -> None:
    """The others are refused by name of what they lack; when nobody has them, the plan says so."""
    anna, boris, vera = OFFICE.people
    people = (replace(anna, skills=("tax",), languages=("en",)), replace(boris, skills=("tax",)), vera)
    then = to("team", "sales", skills=("tax",), languages=("en",))
    plan = decide(arrival(), Facts(directory=ruled(rule(then), people=people), devices=ALL_FREE))
    assert {person for step in rung_people(plan) for person in step} == {"anna"}
    assert [(it.person, it.taken, it.key) for it in plan.considered if it.person == "boris"] == [
        ("boris", False, "lacks_language")
    ]
    plan = decide(arrival(), Facts(directory=ruled(rule(then)), devices=ALL_FREE))
    assert (plan.cause, plan.steps[0].kind) == ("no_route", "message")


def test_nobody_waits_for_a_team_that_is_not_there() -> None:
    """A hold for people who are all off shift is left out, with its reason."""
    then = (to("hold", "sales"), to("voicemail", "box"))
    plan = decide(arrival(at=SUNDAY), Facts(directory=ruled(rule(*then, open=None)), devices=ALL_FREE))
    assert [step.kind for step in plan.steps] == ["voicemail"]
    assert "hold_for_nobody" in why(plan)
    assert plan.cause == "outside_hours"


def test_whoever_stands_in_rings_in_place_of_the_absent() -> None:
    """As owner, by name, and as one of a team, once; the plan says for whom."""
    away = Presence(absence=Absence(1, MONDAY, MONDAY + timedelta(days=1), substitute="boris"))
    told = Facts(directory=OFFICE, devices=ALL_FREE, owner="anna", presence={"anna": away})
    plan = decide(arrival(), told)
    assert plan.rule == "owner"
    assert rung_people(plan) == [["boris"]]
    assert {"owner_absent", "stands_in"} <= set(why(plan))
    assert {(it.person, it.taken, it.key) for it in plan.considered} == {
        ("anna", False, "absent"),
        ("boris", True, "free"),
    }
    named = replace(told, directory=ruled(rule(to("person", "anna"))))
    assert rung_people(decide(arrival(), named)) == [["boris"]]
    busy = replace(told, devices=ALL_FREE | {"PJSIP/boris-desk": TALKING})
    assert "stands_in_busy" in why(decide(arrival(), busy))


def test_who_talks_on_a_phone_that_is_not_ours_is_busy() -> None:
    """A mobile's talk shows at no device; the call that is recorded tells of it."""
    told = Facts(directory=OFFICE, devices=ALL_FREE, owner="anna", load={"anna": Load(talking=True)})
    plan = decide(arrival(), told)
    assert "owner_busy" in why(plan)
    assert rung_people(plan) == [["boris"]]


def test_a_talk_that_the_record_has_not_seen_end_ties_nobody_to_a_phone_that_is_free() -> None:
    """The PBX knows its own phones; only a talk where it tells nothing is believed to go on."""
    for on, rung in (("PJSIP/anna-desk", ["anna"]), ("79160000011", ["boris"]), ("", ["boris"])):
        load = {"anna": Load(talking=True, talking_on=frozenset({on}))}
        told = Facts(directory=OFFICE, devices=ALL_FREE, owner="anna", load=load)
        assert set(rung_people(decide(arrival(), told))[0]) == set(rung)
    dumb = Facts(
        directory=OFFICE, owner="anna", load={"anna": Load(talking=True, talking_on=frozenset({"PJSIP/anna-desk"}))}
    )
    assert "owner_busy" in why(decide(arrival(), dumb))


def test_a_decision_over_many_rules_costs_little_of_the_budget() -> None:
    """Two hundred rules, half of them for other lines, each looked at in vain: milliseconds of 1.5 seconds."""
    team = TeamLoad(waiting_at_least=9)
    asked = (rule(to("ring", "team"), name=f"r{at}", vip=bool(at % 2), team=team) for at in range(100))
    others = (rule(to("ring", "team"), name=f"o{at}", line=("74951234568",)) for at in range(100))
    told = Facts(directory=ruled(*asked, *others), devices=ALL_FREE)
    spent, plan = [], decide(arrival(), told)
    for _ in range(20):
        began = time.process_time()
        plan = decide(arrival(), told)
        spent.append(time.process_time() - began)
    assert len(plan.passed) == 204
    assert statistics.median(spent) < 0.02


def test_a_plan_of_an_earlier_version_is_read() -> None:
    """Decisions stored before rules had versions stay readable."""
    plan = decide(arrival(), facts(owner="anna"))
    body = {
        name: value for name, value in plan.to_json().items() if name not in {"version", "cause", "passed", "turns"}
    }
    assert Plan.from_json(body) == replace(plan, passed=(), turns=())


def test_an_arrival_is_made_of_its_event() -> None:
    event = Arrived(pbx="main", channel="1.1", at=MONDAY, linkedid="1.1", name="PJSIP/trunk-1", line=LINE, number="7")
    made = Arrival.of(event)
    assert made is not None
    assert (made.name, made.line, made.at) == ("PJSIP/trunk-1", LINE, MONDAY)
    assert Arrival.of(Arrived(pbx="main", channel="1.1")) is None
