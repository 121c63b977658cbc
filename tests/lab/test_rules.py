"""Each kind of destination reaches what it names: a rule of a file, decided, at a real Asterisk with telephones."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from directory.file import loads
from directory.rules import STRATEGIES
from routing.arrival import Arrival, Facts, Load
from routing.decide import decide
from service.demo_world import OutsideWorld, answer, ring_out
from telephony.plan_variables import dial_string
from tests.lab.stand_in import StandIn

CALLER = "79161234567"
OUTSIDE = "79161230077"
SHORT = ("ru/hello",)
SPOKEN = (2.5, "ru/hello", "ru/queue-youarenext")
HOUSE = """\
company: {{name: Ромашка}}
people:
  - {{key: anna, name: Анна, role: manager, skills: [tax], devices: [{{kind: desk, address: PJSIP/anna-desk}}]}}
  - {{key: boris, name: Борис, role: manager, plan: 9, devices: [{{kind: desk, address: PJSIP/boris-desk}}]}}
teams:
  - {{key: sales, name: Продажи, strategy: ring_all, members: [anna, boris]}}
lines:
  - {{number: "{line}", name: Основная, team: sales, trunk: PJSIP/trunk}}
rules:
  - {{name: mine, then: [{then}]}}
"""
BUSY_ANNA = Load(calls_today=3, leads_open=3, idle_since=datetime(2026, 11, 23, 9, 30, tzinfo=UTC))
FREE_BORIS = Load(calls_today=1, leads_open=3, idle_since=datetime(2026, 11, 23, 9, 0, tzinfo=UTC))


def plan(then: str, line: str) -> list[tuple[str, str, int]]:
    """What the rule `mine` with these destinations makes of a call to the line, as the dialplan is told it."""
    facts = Facts(
        directory=loads(HOUSE.format(line=line, then=then)),
        owner="anna",
        last_talked="boris",
        load={"anna": BUSY_ANNA, "boris": FREE_BORIS},
        turns={"sales": ("boris", "anna")},
    )
    at = datetime(2026, 11, 23, 10, tzinfo=UTC)
    arrival = Arrival(pbx="pbx", channel="1.1", line=line, caller_number=CALLER, caller_name="", at=at)
    decided = decide(arrival, facts)
    assert decided.rule == "mine"
    return [(step.kind, dial_string(step), step.seconds) for step in decided.steps]


@pytest.mark.parametrize(
    "then, phone",
    [
        ("{ring: owner}", "anna-desk"),
        ("{ring: last_talked}", "boris-desk"),
        ("{person: boris}", "boris-desk"),
        ("{ring: team, skills: tax}", "anna-desk"),
        ("{queue: sales}", "boris-desk"),
        *((f"{{team: sales, strategy: {strategy}}}", "boris-desk") for strategy in STRATEGIES if strategy != "hunt"),
        ("{team: sales, strategy: hunt}", "anna-desk"),
    ],
)
async def test_a_destination_of_people_rings_whom_it_names(
    outside: OutsideWorld, service: StandIn, line: str, then: str, phone: str
) -> None:
    """By name, by what they are to the caller, by the team's strategy and skills, through the PBX's queue."""
    service.plan = plan(then, line)
    await outside.phone(phone).behave(answer(0.3, speak=SHORT))
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    await outside.phone(phone).answers()
    other = outside.phone("boris-desk" if phone == "anna-desk" else "anna-desk")
    assert other.has_rung == ("ring_all" in then)
    await call.answered()
    await call.ended()


async def test_a_number_outside_rings_through_the_trunk(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = plan(f'{{number: "{OUTSIDE}"}}', line)
    await outside.mobile(OUTSIDE).behave(ring_out())
    call = await outside.call(CALLER, "Клиент", line)
    assert await outside.mobile(OUTSIDE).rings() == line
    await call.hangup()


async def test_a_message_is_said_and_what_follows_it_rings(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = plan("{message: ru/hello}, {person: anna}", line)
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.answered()
    await outside.phone("anna-desk").rings()
    assert (await service.seen(UserEvent="SwitchhookStepEnd", Step="1", Kind="message"))["Status"] == "SUCCESS"
    await call.hangup()


async def test_a_refusal_reaches_the_callers_network(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = plan("{reject: busy}", line)
    call = await outside.call(CALLER, "Клиент", line)
    await call.ended()
    told = await service.seen(UserEvent="SwitchhookStepEnd", Status="REJECT")
    assert (await service.seen(Event="Hangup", Uniqueid=told["Uniqueid"]))["Cause"] == "17"


async def test_a_hold_waits_for_the_team_and_then_goes_on(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = plan("{hold: sales, seconds: 2}, {person: boris}", line)
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await service.seen(UserEvent="SwitchhookHold", Team="sales", Line=line)
    await outside.phone("boris-desk").rings()
    assert not outside.phone("anna-desk").has_rung
    await call.hangup()


@pytest.mark.usefixtures("beep")
async def test_voicemail_keeps_the_message_in_its_box(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = plan("{voicemail: night}", line)
    call = await outside.call(CALLER, "Клиент", line, speak=SPOKEN, stay=True)
    assert (await service.seen(UserEvent="SwitchhookVoicemail", timeout=40))["Box"] == "night"
    await call.ended()
