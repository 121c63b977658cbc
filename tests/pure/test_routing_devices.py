"""On which devices a person rings, in which order, how long, and what is said of it."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from directory.model import Directory, Person
from routing.arrival import Arrival, DeviceState, Facts
from routing.choice import CONFIRM_SECONDS
from routing.decide import decide
from routing.learned import Answers, Ring, hour_of_week, tally
from routing.plan import Plan
from tests.fakes.directories import LINE, OFFICE
from web.told import reason

MONDAY = datetime(2026, 11, 23, 12, tzinfo=ZoneInfo("Europe/Moscow"))
ARRIVAL = Arrival(pbx="main", channel="1.1", line=LINE, caller_number="79161234567", caller_name="", at=MONDAY)
FREE = DeviceState("not_inuse", reachable=True)
DESK, SOFT, MOBILE = "PJSIP/anna-desk", "PJSIP/anna-soft", "79160000011"


def office(anna: Person) -> Directory:
    return replace(OFFICE, people=(anna, *OFFICE.people[1:]))


def anna(**changes: object) -> Person:
    return replace(OFFICE.people[0], **changes)  # type: ignore[arg-type]  # fields of Person


def decided(person: Person, **facts: object) -> Plan:
    told = {"devices": dict.fromkeys((DESK, SOFT, "PJSIP/boris-desk"), FREE)} | facts
    return decide(ARRIVAL, Facts(directory=office(person), owner="anna", **told))  # type: ignore[arg-type]  # fields of Facts


def rung(plan: Plan) -> list[list[str]]:
    return [[target.device for target in step.targets] for step in plan.steps if step.targets[0].person == "anna"]


def answers(**told: tuple[int, int]) -> dict[str, Answers]:
    """(answered, not answered) of the hour of the arrival, all today."""
    hour = hour_of_week(MONDAY, "Europe/Moscow")
    names = {"desk": DESK, "soft": SOFT, "mobile": MOBILE}
    return {
        names[name]: Answers.of({hour: tally([Ring(MONDAY, it < good) for it in range(good + bad)])})
        for name, (good, bad) in told.items()
    }


@pytest.mark.parametrize(
    "ring, steps",
    [
        ("mobile_apart", [[DESK, SOFT], [MOBILE]]),
        ("in_turn", [[DESK], [SOFT], [MOBILE]]),
        ("together", [[DESK, SOFT, MOBILE]]),
    ],
)
def test_devices_ring_one_after_another_or_together_as_the_person_says(ring: str, steps: list[list[str]]) -> None:
    assert rung(decided(anna(ring=ring))) == steps


def test_a_learned_order_puts_the_mobile_first_and_says_why() -> None:
    plan = decided(anna(order="learned", ring="in_turn"), answers=answers(desk=(1, 9), mobile=(9, 1)))
    assert rung(plan) == [[MOBILE], [DESK], [SOFT]]
    (why,) = [one for one in plan.reasons if one.key.startswith("learned")]
    assert why.text == "Анна Смирнова, mobile first: 9 of 10 answered on mon from 12:00 to 13:00"
    assert reason(why.to_json(), "ru") == "Анна Смирнова: сначала мобильный, принято 9 из 10 (пн с 12:00 до 13:00)"


def test_a_learned_order_with_few_rings_is_the_one_written_and_says_so() -> None:
    plan = decided(anna(order="learned", ring="in_turn"), answers=answers(desk=(1, 1), mobile=(2, 1)))
    assert rung(plan) == [[DESK], [SOFT], [MOBILE]]
    assert "learned_few" in [one.key for one in plan.reasons]


def test_a_fixed_order_is_kept_whatever_is_answered_and_needs_no_word() -> None:
    plan = decided(anna(ring="in_turn"), answers=answers(desk=(0, 10), mobile=(10, 0)))
    assert rung(plan) == [[DESK], [SOFT], [MOBILE]]
    assert not [one for one in plan.reasons if one.key.startswith("learned")]


def test_a_learned_order_speaks_only_of_phones_that_can_ring() -> None:
    """The best device is dead: the order is that of the others, and of two a word is said, of one none."""
    gone = {DESK: DeviceState("unavailable", reachable=False), SOFT: FREE, "PJSIP/boris-desk": FREE}
    told = answers(desk=(10, 0), soft=(1, 9), mobile=(5, 5))
    plan = decided(anna(order="learned", ring="in_turn"), answers=told, devices=gone)
    assert rung(plan) == [[MOBILE], [SOFT]]
    plan = decided(anna(order="learned"), answers=told, devices=gone | {SOFT: gone[DESK]})
    assert rung(plan) == [[MOBILE]]
    assert not [one for one in plan.reasons if one.key.startswith("learned")]


def test_a_mobile_rings_short_of_its_mailbox_and_its_step_leaves_time_for_the_key() -> None:
    plan = decided(anna())
    mobile = plan.steps[1]
    assert mobile.targets[0].dial == f"Local/{MOBILE}*18@switchhook-mobile/n"
    assert (plan.steps[0].seconds, mobile.seconds) == (20, 18 + CONFIRM_SECONDS)
    own = replace(OFFICE.people[0].devices[2], mobile_seconds=12)
    plan = decided(anna(devices=(*OFFICE.people[0].devices[:2], own)))
    assert (plan.steps[1].targets[0].dial, plan.steps[1].seconds) == (
        f"Local/{MOBILE}*12@switchhook-mobile/n",
        12 + CONFIRM_SECONDS,
    )


def test_a_mobile_shows_the_callers_number_where_the_line_says_so() -> None:
    directory = replace(OFFICE, lines=(replace(OFFICE.lines[0], mobile_shows="caller"), *OFFICE.lines[1:]))
    plan = decide(ARRIVAL, Facts(directory=directory, owner="anna"))
    assert plan.steps[1].targets[0].dial == f"Local/{MOBILE}*18*caller@switchhook-mobile/n"


@pytest.mark.parametrize("switch", ["Custom:DND101", "Custom:DEVDNDanna-desk", "CustomPresence:101"])
def test_do_not_disturb_of_the_pbx_passes_the_phone_over(switch: str) -> None:
    """Whether it is switched by the extension or by the device, as a device state or as a presence."""
    devices = dict.fromkeys((DESK, SOFT, "PJSIP/boris-desk"), FREE)
    assert rung(decided(anna(), devices=devices | {switch: FREE}))[0] == [DESK, SOFT]
    plan = decided(anna(), devices=devices | {switch: DeviceState("dnd")})
    assert rung(plan)[0] == [SOFT]
    refused = {one.device: one.key for one in plan.considered if not one.taken}
    assert refused == {DESK: "do_not_disturb"}


@pytest.mark.parametrize(
    "fault, age, key, english, russian",
    [
        (
            "late",
            3 * 3600 + 60,
            "owner_copy_late",
            "who owns this caller is from a copy of 3 h ago: the CRM did not answer in 300 ms",
            "Ответственный взят из копии, ей 3 ч: CRM не ответила за 300 мс",
        ),
        (
            "failed",
            40,
            "owner_copy_failed",
            "who owns this caller is from a copy of 40 s ago: the CRM did not tell, but gave an error",
            "Ответственный взят из копии, ей 40 с: CRM ответила ошибкой",
        ),
        ("late", None, "crm_late", "the CRM did not answer in 300 ms", "CRM не ответила за 300 мс"),
        ("failed", None, "crm_failed", "the CRM did not tell, but gave an error", "CRM ответила ошибкой"),
    ],
)
def test_a_decision_says_what_the_crm_did_not_tell(
    fault: str, age: float | None, key: str, english: str, russian: str
) -> None:
    plan = decided(anna(), crm_fault=fault, owner_age_seconds=age, crm_seconds=0.3)
    assert (plan.reasons[0].key, plan.reasons[0].text) == (key, english)
    assert reason(plan.reasons[0].to_json(), "ru") == russian
    assert Plan.from_json(plan.to_json()) == plan
