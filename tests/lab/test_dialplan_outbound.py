"""Calls that staff dial on their phones: asked for, shown as a line, refused; and judged by the PBX itself alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from service.demo_world import OutsideWorld, answer, ring_out
from service.pbx import Pbx
from telephony.hand_over import WAKE
from tests.lab.stand_in import StandIn

DIALLED, CLIENT = "89161230077", "79161230077"
OTHER = "79161230066"
SHOWN = "74951234567"
ALLOWED = f"allow|{SHOWN}|PJSIP/trunk|{CLIENT}|{DIALLED}"
LEFT = "/112*/7+/77-/7809-/79161230078-/49+/"
AS = (("810", ""), ("00", ""), ("8", "7"))
"""How the prefixes that are dialled here are those of the numbers that are rung."""
GLOBALS = {"DESTINATIONS": LEFT, "DIALLING": "7_8_810_11", "SHOWN": SHOWN}


@pytest.fixture
async def left(pbx: Pbx) -> AsyncIterator[None]:
    """What the service left in the PBX before it went away; afterwards as if it never had."""
    for kind, value in GLOBALS.items():
        await pbx.cli(f"dialplan set global SWITCHHOOK_{kind}_default {value}")
    yield
    for kind in GLOBALS:
        await pbx.cli(f'dialplan set global SWITCHHOOK_{kind}_default ""')
        await pbx.cli(f"database del switchhook/{kind} default")


async def answered(service: StandIn, answer: str) -> dict[str, str]:
    """The service answers the question of who dials; the question."""
    asked = await service.seen(UserEvent="SwitchhookOutbound")
    channel = asked["Channel"]
    await service.action(Action="Setvar", Channel=channel, Variable="SWITCHHOOK_OUT", Value=answer)
    await service.action(Action="PlayDTMF", Channel=channel, **WAKE)
    return asked


async def test_an_allowed_call_shows_the_line_that_the_service_named(outside: OutsideWorld, service: StandIn) -> None:
    """The carrier sees the company's number, and never the extension."""
    await outside.mobile(CLIENT).behave(ring_out())
    call = await outside.phone("anna-desk").dial(DIALLED)
    asked = await answered(service, ALLOWED)
    assert (asked["To"], asked["Channel"].rpartition("-")[0]) == (DIALLED, "PJSIP/anna-desk")
    assert await outside.mobile(CLIENT).rings() == SHOWN
    await call.hangup()


@pytest.mark.parametrize(
    "answer",
    [
        f"allow|{SHOWN}|PJSIP/trunk",
        f"allow|{SHOWN}|PJSIP/trunk||{DIALLED}",
        f"allow|{SHOWN}|PJSIP/trunk|{OTHER}|{OTHER}",
        f"allow|{SHOWN}|PJSIP/trunk|{CLIENT}|0{DIALLED}",
    ],
)
async def test_an_answer_that_does_not_name_the_number_allows_nothing(
    outside: OutsideWorld, service: StandIn, answer: str
) -> None:
    """Without the number that was judged, or for another one than was dialled, as a late answer is."""
    for number in (DIALLED, CLIENT, OTHER):
        await outside.mobile(number).behave(ring_out())
    call = await outside.phone("anna-desk").dial(DIALLED, stay=True)
    await answered(service, answer)
    await call.answered()  # by the voice that says no
    assert not any(outside.mobile(number).has_rung for number in (DIALLED, CLIENT, OTHER))


@pytest.mark.parametrize("before", [f"allow|{SHOWN}|PJSIP/trunk|{OTHER}|{OTHER}", "allow||", "refuse"])
async def test_what_is_left_from_another_number_is_judged_again(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, before: str
) -> None:
    """An answer that came too late for a number before neither opens nor closes this one: the service is asked."""
    for number in (CLIENT, OTHER):
        await outside.mobile(number).behave(ring_out())
    await service.action(
        Action="Originate",
        Channel=f"Local/{DIALLED}@switchhook-outbound/n",
        Application="Wait",
        Data="20",
        Variable=f"SWITCHHOOK_OUT={before}",
        Async="true",
    )
    await answered(service, ALLOWED)
    assert await outside.mobile(CLIENT).rings() == SHOWN
    assert not outside.mobile(OTHER).has_rung


async def test_an_answered_call_ends_after_the_longest_that_it_may_last(
    pbx: Pbx, outside: OutsideWorld, service: StandIn
) -> None:
    """By the PBX itself, whatever the service does; here after a second."""
    await service.set_global("SWITCHHOOK_LONGEST", "1")
    await outside.mobile(CLIENT).behave(answer(0.1, speak=("ru/hello",)))
    call = await outside.phone("anna-desk").dial(DIALLED, stay=True)
    await answered(service, ALLOWED)
    await call.answered()
    await call.ended()
    await service.set_global("SWITCHHOOK_LONGEST", "")


async def test_a_refused_call_reaches_no_trunk(outside: OutsideWorld, service: StandIn) -> None:
    """Who dialled hears that it cannot be."""
    await outside.mobile(CLIENT).behave(ring_out())
    call = await outside.phone("anna-desk").dial(DIALLED, stay=True)
    await answered(service, f"refuse||||{DIALLED}")
    await call.answered()
    await call.ended()
    assert not outside.mobile(CLIENT).has_rung


async def test_an_answer_serves_one_number(outside: OutsideWorld, service: StandIn) -> None:
    """Whoever comes again, as by a transfer, is judged again: the answer of before is gone with its call."""
    await outside.mobile(CLIENT).behave(ring_out())
    call = await outside.phone("anna-desk").dial(DIALLED)
    asked = await answered(service, ALLOWED)
    await outside.mobile(CLIENT).rings()
    told = await service.action(Action="Getvar", Channel=asked["Channel"], Variable="SWITCHHOOK_OUT")
    assert told["Value"] == ""
    await call.hangup()


@pytest.mark.usefixtures("left")
async def test_a_service_that_says_nothing_leaves_it_to_the_prefixes(outside: OutsideWorld, service: StandIn) -> None:
    """Alive by its mark and silent: after the budget the PBX decides by what was left in it."""
    await service.set_global("SWITCHHOOK_BUDGET", "0.3")
    await outside.mobile(CLIENT).behave(ring_out())
    call = await outside.phone("anna-desk").dial(DIALLED)
    assert await outside.mobile(CLIENT).rings() == SHOWN
    await service.set_global("SWITCHHOOK_BUDGET", "")
    await call.hangup()


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize(
    "number, allowed",
    [
        ("89161230077", True),
        ("79161230077", True),
        ("+79161230077", True),
        ("+4930901820", True),
        ("8104930901820", True),
        ("004930901820", True),
        ("89161230078", False),
        ("+79161230078", False),
        ("+78091234567", False),
        ("88091234567", False),
        ("87011234567", False),
        ("81044207946000", False),
        ("+44207946000", False),
        ("112", True),
        ("1121", False),
        ("8+9161230077", False),
        ("1+12", False),
        ("+791612300771", False),
        ("8916123007712", False),
        ("+4930901820901820", False),
    ],
)
async def test_without_the_service_the_longest_prefix_decides(
    pbx: Pbx, outside: OutsideWorld, number: str, allowed: bool
) -> None:
    """In every spelling, and what was judged is dialled; what no prefix names is refused, an emergency number never."""
    digits = number.lstrip("+")
    called = next((f"{new}{digits.removeprefix(old)}" for old, new in AS if digits.startswith(old)), digits)
    async with StandIn.logged_in(pbx, alive=False) as witness:
        await outside.mobile(called).behave(ring_out())
        await pbx.cli(f"channel originate Local/{number}@switchhook-outbound/n application Wait 20")
        if allowed:
            assert await outside.mobile(called).rings() == SHOWN
        elif "+" in number[1:]:
            await witness.seen(Event="Hangup", Cause="21")
        else:
            assert (await witness.seen(UserEvent="SwitchhookOutboundRefused"))["To"] == number
        assert allowed or not outside.mobile(called).has_rung


@pytest.mark.usefixtures("left")
async def test_nobody_waits_before_an_emergency_number(pbx: Pbx, outside: OutsideWorld, service: StandIn) -> None:
    """Not even for a service that is there."""
    await outside.mobile("112").behave(ring_out())
    await pbx.cli("channel originate Local/112@switchhook-outbound/n application Wait 20")
    await outside.mobile("112").rings()
    assert "SwitchhookOutbound" not in [event.get("UserEvent") for event in service.events]


async def test_a_pbx_where_the_service_never_was_calls_as_before(pbx: Pbx, outside: OutsideWorld) -> None:
    await outside.mobile(DIALLED).behave(ring_out())
    call = await outside.phone("anna-desk").dial(DIALLED)
    await outside.mobile(DIALLED).rings()
    await call.hangup()


@pytest.mark.usefixtures("left")
async def test_the_prefixes_outlive_a_restart_of_the_pbx(pbx: Pbx, outside: OutsideWorld) -> None:
    """One call with them is enough: AstDB remembers."""
    await outside.mobile(CLIENT).behave(ring_out())
    call = await outside.phone("anna-desk").dial(DIALLED)
    await outside.mobile(CLIENT).rings()
    await call.hangup()
    kept = await pbx.cli("database show switchhook")
    for kind, value in GLOBALS.items():
        assert f"/switchhook/{kind}/default" in kept.replace(" ", "")
        assert value in kept


async def test_who_transfers_a_caller_outside_is_judged_in_their_place(
    outside: OutsideWorld, service: StandIn, line: str
) -> None:
    """The question names the phone that transfers; a refusal leaves the number alone."""
    service.plan = [("ring", "PJSIP/anna-desk", 10)]
    await outside.mobile(CLIENT).behave(ring_out())
    await outside.phone("anna-desk").behave(answer(0.2, speak=("ru/hello",), transfer_to=DIALLED))
    call = await outside.call("79161234567", "Клиент", line, speak=(), stay=True)
    asked = await answered(service, f"refuse||||{DIALLED}")
    assert asked["By"].rpartition("-")[0] == "PJSIP/anna-desk"
    assert asked["Channel"].startswith("PJSIP/trunk-")
    await call.ended()
    assert not outside.mobile(CLIENT).has_rung
