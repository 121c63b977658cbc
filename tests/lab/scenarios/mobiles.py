"""A person's mobile, through the dialplan that we ship: it asks for a pressed 1 before anybody is connected."""

from __future__ import annotations

import time
from dataclasses import replace

from telephony.hand_over import WAKE
from tests.lab.scenarios.answers import ANSWERED, GAVE_UP, M1, MISSED, TRUNK
from tests.lab.scenarios.scenario import scenario
from tests.lab.scenarios.stage import CALLER, MOBILE, Stage, lasts
from tests.lab.scenarios.telephones import PhoneCall


def mobile(seconds: int = 20, beside: str = "") -> str:
    """Line 500 rings a mobile, and what is beside it."""
    return (
        "[from-trunk]\nexten => 500,1,Set(__SWITCHHOOK_LINE=500)\n"
        " same => n,Gosub(switchhook-record,s,1(caller,staff))\n"
        f" same => n,Dial({beside}Local/{MOBILE}@switchhook-mobile/n,{seconds},gR)\n same => n,Hangup()\n"
    )


SIDES = ("*-caller.wav", "*-staff.wav")
ON_MOBILE = replace(
    ANSWERED, legs=((TRUNK, "answered"),), answered_by=(TRUNK,), talks=((CALLER, MOBILE),), recordings=SIDES, wait=1.4
)


@scenario(ON_MOBILE, dialplan=mobile(), ami=("recordings",))
async def mobile_confirm(stage: Stage) -> None:
    """The mobile is answered, 1 is pressed after a second, and the two talk."""
    caller = await stage.call()
    mobile = await stage.picks_up(stage.someone(MOBILE))
    await lasts(1.0)
    await mobile.press("1")
    await stage.pbx.tells("UserEvent", UserEvent="SwitchhookConfirmed")
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(MISSED, legs=((TRUNK, "rejected"),), missed_cause="rejected", wait=1.4, recordings=SIDES),
    dialplan=mobile(),
    ami=("recordings",),
    cel=("legs", "missed_cause"),
)
async def mobile_refused(stage: Stage) -> None:
    """The mobile is answered, and 2 is pressed: the person will not take the call."""
    caller = await stage.call()
    mobile = await stage.picks_up(stage.someone(MOBILE))
    await lasts(1.0)
    await mobile.press("2")
    await caller.ended()


@scenario(
    replace(MISSED, legs=((TRUNK, "no_answer"),), missed_cause="rang_out", wait=4.0, recordings=SIDES),
    dialplan=mobile(4),
    ami=("recordings",),
)
async def mobile_swallowed(stage: Stage) -> None:
    """The mobile's own voicemail answers and speaks, and nobody presses 1: the caller has talked with nobody."""
    caller = await stage.call()
    await stage.picks_up(stage.someone(MOBILE))
    await caller.ended()


@scenario(
    replace(GAVE_UP, legs=((M1, "cancelled"), (TRUNK, "cancelled")), wait=1.4, recordings=SIDES),
    dialplan=mobile(beside="PJSIP/m1&"),
    ami=("recordings",),
)
async def mobile_asked_too_long(stage: Stage) -> None:
    """The caller gives up while the mobile is asked, and a desk phone rings beside it."""
    caller = await stage.call()
    await stage.m1.rings()
    await stage.picks_up(stage.someone(MOBILE))
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(ON_MOBILE, legs=((M1, "answered_elsewhere"), (TRUNK, "answered"))),
    dialplan=mobile(beside="PJSIP/m1&"),
    ami=("recordings",),
)
async def mobile_wins(stage: Stage) -> None:
    """A desk phone and a mobile ring, and 1 is pressed on the mobile."""
    caller = await stage.call()
    await stage.m1.rings()
    mobile = await stage.picks_up(stage.someone(MOBILE))
    await lasts(1.0)
    await mobile.press("1")
    await stage.pbx.tells("UserEvent", UserEvent="SwitchhookConfirmed")
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(ANSWERED, legs=((M1, "answered"), (TRUNK, "answered_elsewhere")), wait=1.4, recordings=SIDES),
    dialplan=mobile(beside="PJSIP/m1&"),
    ami=("recordings",),
)
async def mobile_loses(stage: Stage) -> None:
    """A desk phone and a mobile ring; while the mobile is asked, the desk phone answers."""
    caller = await stage.call()
    desk = await stage.m1.rings()
    await stage.picks_up(stage.someone(MOBILE))
    await lasts(1.0)
    await desk.answer()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(MISSED, legs=((TRUNK, "congestion"),), missed_cause="trunk_failure", recordings=SIDES),
    dialplan=mobile(),
    ami=("recordings",),
)
async def mobile_congestion(stage: Stage) -> None:
    """The trunk takes no more calls: the mobile cannot be reached (503)."""
    await stage.someone(MOBILE).answers_with(503)
    await (await stage.call()).ended()


ROUTED = "[from-trunk]\nexten => 500,1,Goto(switchhook,500,1)\n"


async def routed(stage: Stage) -> PhoneCall:
    """The caller dials the line, and is sent to the mobile for 40 seconds as our service would send them."""
    await stage.pbx.does("Setvar", Variable="SWITCHHOOK_ALIVE", Value=str(int(time.time())))
    caller = await stage.call()
    channel = (await stage.pbx.tells("UserEvent", UserEvent="SwitchhookArrival", Line="500"))["Channel"]
    plan = f"1||PJSIP/trunk|ring|40|Local/{MOBILE}@switchhook-mobile/n"
    await stage.pbx.does("Setvar", Channel=channel, Variable="SWITCHHOOK_GO", Value=plan)
    await stage.pbx.does("PlayDTMF", Channel=channel, Digit=WAKE["Digit"], Receive=WAKE["Receive"])
    return caller


@scenario(replace(ON_MOBILE, wait=2.0), ami=("recordings",), dialplan=ROUTED)
async def mobile_routed(stage: Stage) -> None:
    """Our dialplan is told to ring the mobile, which is answered, and 1 is pressed."""
    caller = await routed(stage)
    mobile = await stage.picks_up(stage.someone(MOBILE))
    await lasts(1.5)
    await mobile.press("1")
    await caller.answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(MISSED, legs=((TRUNK, "no_answer"),), missed_cause="rang_out", wait=22.3, recordings=SIDES),
    ami=("recordings",),
    dialplan=ROUTED,
)
async def mobile_unconfirmed(stage: Stage) -> None:
    """Our dialplan is told to ring the mobile, whose voicemail answers, is asked twice, and presses nothing."""
    caller = await routed(stage)
    mailbox = await stage.picks_up(stage.someone(MOBILE))
    await mailbox.ended()
    await caller.ended()
