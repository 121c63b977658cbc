"""What a caller gets from the dialplan we ship, whatever the service does: real SIP calls through a real Asterisk."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing

import pytest

from service.demo_world import OutsideWorld, answer, busy, reject
from service.pbx import Pbx, Phone
from tests.fakes.office import until
from tests.lab.stand_in import StandIn

CALLER = "79161234567"
HELLO = ("ru/hello", "ru/queue-youarenext")
SHORT = ("ru/hello",)

# --- the service is away ----------------------------------------------------------------------------------------------


async def test_service_known_to_be_away_costs_the_caller_nothing(pbx: Pbx, outside: OutsideWorld, line: str) -> None:
    """Without a sign of life the fallback rings at once."""
    async with StandIn.logged_in(pbx, alive=False) as witness:
        await witness.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/boris-desk")
        call = await outside.call(CALLER, "Клиент", line)
        assert await outside.phone("boris-desk").rings() == CALLER
        assert (await witness.seen(UserEvent="SwitchhookFallback"))["Reason"] == "down"
        assert "Arrival" not in [name for name, *_ in witness.told()]
        await call.hangup()


@pytest.mark.parametrize("age", [10, -10])
async def test_old_mark_or_one_from_the_future_is_no_sign_of_life(
    pbx: Pbx, outside: OutsideWorld, line: str, age: int
) -> None:
    async with StandIn.logged_in(pbx, alive=False) as witness:
        await witness.set_global("SWITCHHOOK_ALIVE", str(int(time.time()) - age))
        await witness.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/boris-desk")
        call = await outside.call(CALLER, "Клиент", line)
        assert (await witness.seen(UserEvent="SwitchhookFallback"))["Reason"] == "down"
        await call.hangup()


async def test_service_that_hangs_costs_the_budget_and_no_call(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """Alive by its mark, silent to the question: ringing for the budget, then the fallback."""
    await service.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/boris-desk")
    call = await outside.call(CALLER, "Клиент", line)
    await call.ringing()
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    fallback = await service.seen(UserEvent="SwitchhookFallback")
    assert fallback["Reason"] == "late"
    assert 1.45 < float(fallback["Timestamp"]) - float(arrival["Timestamp"]) < 1.9
    await outside.phone("boris-desk").rings(2.0)
    await call.hangup()


async def test_budget_is_the_operators_choice(outside: OutsideWorld, service: StandIn, line: str) -> None:
    await service.set_global("SWITCHHOOK_BUDGET", "0.3")
    call = await outside.call(CALLER, "Клиент", line)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    fallback = await service.seen(UserEvent="SwitchhookFallback")
    await service.set_global("SWITCHHOOK_BUDGET", "")
    assert 0.25 < float(fallback["Timestamp"]) - float(arrival["Timestamp"]) < 0.7
    await call.hangup()


async def test_answer_too_late_leaves_the_talk_on_the_fallback_alone(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """A plan that arrives while the caller already talks to somebody changes nothing."""
    await service.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/boris-desk")
    await outside.phone("boris-desk").behave(answer(0.1, speak=HELLO))
    call = await outside.call(CALLER, "Клиент", line, speak=HELLO)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await call.answered()
    await service.answer(arrival["Channel"], [("ring", "PJSIP/anna-desk", 5)])
    await call.ended()
    assert not outside.phone("anna-desk").has_rung
    ended = await service.seen(UserEvent="SwitchhookFallbackEnd", Uniqueid=arrival["Uniqueid"])
    assert ended["Status"] == "ANSWER"
    assert "Step" not in [name for name, *_ in service.told()]


async def test_answer_that_takes_its_time_is_still_in_time(outside: OutsideWorld, service: StandIn, line: str) -> None:
    """The caller hears ringing already, and the plan is run all the same."""
    await service.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/boris-desk")
    call = await outside.call(CALLER, "Клиент", line)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await call.ringing()
    await service.answer(arrival["Channel"], [("ring", "PJSIP/anna-desk", 5), ("ring", "PJSIP/vera-desk", 5)])
    await outside.phone("anna-desk").rings()
    assert not outside.phone("boris-desk").has_rung
    await call.hangup()


async def test_without_any_fallback_a_voice_says_so(pbx: Pbx, outside: OutsideWorld, line: str) -> None:
    """No path ends in silence."""
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.answered()
    assert await call.ended() == 16


async def test_fallback_of_all_lines_rings_when_that_of_the_line_cannot(
    pbx: Pbx, outside: OutsideWorld, line: str
) -> None:
    async with StandIn.logged_in(pbx, alive=False) as witness:
        await witness.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/nobody-here")
        await witness.set_global("SWITCHHOOK_FALLBACK_default", "PJSIP/vera-desk")
        call = await outside.call(CALLER, "Клиент", line)
        await outside.phone("vera-desk").rings()
        await call.hangup()
        await witness.set_global("SWITCHHOOK_FALLBACK_default", "")
    await pbx.cli("database del switchhook/FALLBACK default")


async def test_fallback_survives_a_restart_of_the_pbx_while_the_service_is_away(line: str) -> None:
    """One call with the service is enough: AstDB remembers the line's fallback."""
    async with Pbx([Phone("anna-desk")]) as pbx, OutsideWorld(pbx) as outside:
        async with StandIn.logged_in(pbx) as service:
            await service.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/anna-desk")
            service.plan = [("message", "vm-goodbye", 5)]
            call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
            await call.ended()
        await until(lambda: kept(pbx, line))
        await pbx.kill()
        await pbx.start()
        await outside.registered("anna-desk", wanted=True)
        call = await outside.call(CALLER, "Клиент", line)
        assert await outside.phone("anna-desk").rings() == CALLER
        await call.hangup()


def kept(pbx: Pbx, line: str) -> bool:
    """Whether the line's fallback is in AstDB, on the disk."""
    with closing(sqlite3.connect(pbx.folder / "lib/astdb.sqlite3")) as database:
        asked = "select count(*) from astdb where key like '%/FALLBACK/' || ?"
        return bool(database.execute(asked, (line,)).fetchone()[0])


# --- the plan ---------------------------------------------------------------------------------------------------------


async def test_plan_rings_the_phone_it_names_and_no_other(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.phone("anna-desk").behave(answer(0.1, speak=SHORT))
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    assert await outside.phone("anna-desk").rings() == CALLER
    await call.ended()
    await service.seen(UserEvent="SwitchhookHangup")
    assert service.told("Step", "Status") == [
        ("Arrival",),
        ("Step", "1"),
        ("StepEnd", "1", "ANSWER"),
        ("Hangup", "1", "ANSWER"),
    ]
    assert not outside.phone("boris-desk").has_rung


async def test_decision_costs_milliseconds(outside: OutsideWorld, service: StandIn, line: str) -> None:
    """From the question to the first step, the service's own time included."""
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    waits = []
    for _ in range(5):
        call = await outside.call(CALLER, "Клиент", line)
        await call.ringing()
        step = await service.seen(UserEvent="SwitchhookStep")
        arrival = await service.seen(UserEvent="SwitchhookArrival")
        waits.append(float(step["Timestamp"]) - float(arrival["Timestamp"]))
        await call.hangup()
        await service.seen(UserEvent="SwitchhookHangup")
        service.events.clear()
    assert min(waits) < 0.05


async def test_steps_follow_each_other_without_the_service(pbx: Pbx, outside: OutsideWorld, line: str) -> None:
    """A phone that is off, busy, refused, then one that answers; the service is gone after the hand-over."""
    anna, boris, vera = (outside.phone(name) for name in ("anna-desk", "boris-desk", "vera-desk"))
    await boris.behave(busy())
    await vera.behave(reject())
    await outside.phone("anna-soft").behave(answer(0.1, speak=SHORT))
    await anna.unplug()
    async with StandIn.logged_in(pbx, alive=False) as witness:
        async with StandIn.logged_in(pbx) as service:
            service.plan = [
                ("ring", "PJSIP/anna-desk", 10),
                ("ring", "PJSIP/boris-desk", 10),
                ("ring", "PJSIP/vera-desk", 10),
                ("ring", "PJSIP/boris-desk&PJSIP/anna-soft", 10),
            ]
            call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
            await service.seen(UserEvent="SwitchhookStep", Step="1")
        await call.ended()
        await witness.seen(UserEvent="SwitchhookHangup")
        ends = [rest for name, *rest in witness.told("Step", "Status") if name == "StepEnd"]
    await anna.plug()
    assert ends == [["1", "CHANUNAVAIL"], ["2", "BUSY"], ["3", ends[2][1]], ["4", "ANSWER"]]
    assert ends[2][1] in {"BUSY", "CONGESTION", "CHANUNAVAIL"}


async def test_plan_that_reaches_nobody_ends_with_a_voice(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = [("ring", "PJSIP/anna-desk", 1), ("ring", "PJSIP/boris-desk", 1)]
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    await call.answered()
    assert await call.ended() == 16
    end = await service.seen(UserEvent="SwitchhookPlanEnd")
    assert (end["Steps"], end["Status"]) == ("2", "NOANSWER")


async def test_nonsense_in_a_plan_costs_a_step_and_never_the_call(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [
        ("ring", "", 5),
        ("ring", "nonsense", 5),
        ("ring", "PJSIP/nobody-here", 5),
        ("queue", "no-such-queue", 5),
        ("voicemail", "1@nowhere", 5),
        ("message", "no-such-prompt", 5),
        ("ring", "PJSIP/anna-desk,5,A(x)", 5),
        ("new-kind", "PJSIP/boris-desk", 5),
    ]
    call = await outside.call(CALLER, "Клиент", line)
    await outside.phone("boris-desk").rings()
    await call.hangup()
    await service.seen(UserEvent="SwitchhookHangup")
    assert [rest[0] for name, *rest in service.told("Step") if name == "Step"] == [str(n) for n in range(1, 9)]


@pytest.mark.parametrize("go", ["0|||", "0|ru|", "|ru|", "nonsense", "|||"])
async def test_plan_without_steps_is_left_to_the_fallback(
    outside: OutsideWorld, service: StandIn, line: str, go: str
) -> None:
    await service.set_global(f"SWITCHHOOK_FALLBACK_{line}", "PJSIP/boris-desk")
    call = await outside.call(CALLER, "Клиент", line)
    arrival = await service.seen(UserEvent="SwitchhookArrival", Line=line)
    await service.action(Action="Setvar", Channel=arrival["Channel"], Variable="SWITCHHOOK_GO", Value=go)
    await outside.phone("boris-desk").rings()
    assert (await service.seen(UserEvent="SwitchhookFallback"))["Reason"] == "empty"
    await call.hangup()


async def test_caller_who_gives_up_stops_the_ringing_and_closes_the_step(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    service.plan = [("ring", "PJSIP/anna-desk", 30)]
    call = await outside.call(CALLER, "Клиент", line)
    await outside.phone("anna-desk").rings()
    await call.hangup()
    ended = await service.seen(UserEvent="SwitchhookStepEnd")
    assert (ended["Step"], ended["Status"]) == ("1", "CANCEL")
    await service.seen(Event="Hangup", ConnectedLineNum=CALLER)


async def test_queue_step_rings_its_agents(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = [("queue", "sales", 20)]
    await outside.phone("boris-desk").behave(answer(0.1, speak=SHORT))
    call = await outside.call(CALLER, "Клиент", line, speak=SHORT)
    await outside.phone("boris-desk").answers()
    await call.ended()
    assert (await service.seen(UserEvent="SwitchhookHangup"))["Cause"] == "16"
    assert await service.seen(Event="QueueCallerJoin")
    assert await service.seen(Event="AgentConnect")


async def test_message_step_speaks_and_hangs_up(outside: OutsideWorld, service: StandIn, line: str) -> None:
    service.plan = [("message", "vm-nobodyavail&vm-goodbye", 5)]
    call = await outside.call(CALLER, "Клиент", line, speak=(), stay=True)
    assert await call.ended() == 16
    assert (await service.seen(UserEvent="SwitchhookStepEnd"))["Status"] == "SUCCESS"
    assert "PlanEnd" not in [name for name, *_ in service.told()]
