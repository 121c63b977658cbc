"""Our own queue and voicemail, by the dialplan that we ship: served, given up, called back; a message left."""

from __future__ import annotations

import time
from dataclasses import replace

from telephony.hand_over import WAKE
from tests.lab.scenarios.answers import ANSWERED, GAVE_UP, M1, M2, MISSED
from tests.lab.scenarios.scenario import scenario
from tests.lab.scenarios.stage import CALLER, Stage, lasts
from tests.lab.scenarios.telephones import PhoneCall


def planned(step: str) -> str:
    """Line 500 does this one step of a plan; prompts are short."""
    return (
        "[from-trunk]\nexten => 500,1,Set(CHANNEL(hangup_handler_push)=switchhook-hangup,s,1)\n"
        f" same => n,MSet(__SWITCHHOOK_LINE=500,SWITCHHOOK_GREETING=beep,SWITCHHOOK_GO=1|||{step})\n"
        " same => n,Goto(switchhook-plan,s,1)\n"
    )


async def held(stage: Stage) -> tuple[PhoneCall, str]:
    """The caller holds, while a service lives: (their side, the channel's name)."""
    await stage.pbx.does("Setvar", Variable="SWITCHHOOK_ALIVE", Value=str(int(time.time())))
    caller = await stage.call()
    told = await stage.pbx.tells("UserEvent", UserEvent="SwitchhookHold")
    return caller, told["Channel"]


async def set_and_wake(stage: Stage, channel: str, name: str, value: str) -> None:
    """What the service does to a holding channel."""
    await stage.pbx.does("Setvar", Channel=channel, Variable=name, Value=value)
    await stage.pbx.does("PlayDTMF", Channel=channel, Digit=WAKE["Digit"], Receive=WAKE["Receive"])


SERVED = replace(ANSWERED, queues=(("sales", "answered"),), recordings=(), wait=1.4)


@scenario(SERVED, dialplan=planned("hold|60|sales"))
async def held_and_served(stage: Stage) -> None:
    """The caller holds for a second, somebody comes free, is rung, and answers."""
    caller, channel = await held(stage)
    await lasts(1.0)
    await set_and_wake(stage, channel, "SWITCHHOOK_TAKE", "20||PJSIP/m1")
    await stage.picks_up(stage.m1)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        SERVED,
        legs=((M1, "busy"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        wait=2.4,
    ),
    dialplan=planned("hold|60|sales"),
)
async def held_and_served_by_the_next(stage: Stage) -> None:
    """Who came free took another call; the caller holds on, and the next one answers."""
    await stage.m1.answers_with(486)
    caller, channel = await held(stage)
    await lasts(1.0)
    await set_and_wake(stage, channel, "SWITCHHOOK_TAKE", "20||PJSIP/m1")
    await stage.pbx.tells("UserEvent", UserEvent="SwitchhookTakeEnd")
    await lasts(1.0)
    await set_and_wake(stage, channel, "SWITCHHOOK_TAKE", "20||PJSIP/m2")
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(GAVE_UP, queues=(("sales", "abandoned"),), recordings=(), wait=2.0),
    dialplan=planned("hold|60|sales"),
    taped=False,
)
async def held_and_given_up(stage: Stage) -> None:
    """The caller holds for two seconds and hangs up."""
    caller, _ = await held(stage)
    await lasts(2.0)
    await caller.hang_up()


@scenario(
    replace(MISSED, queues=(("sales", "callback"),), recordings=(), missed_cause="all_busy", wait=3.1),
    dialplan=planned("hold|60|sales"),
    taped=False,
)
async def held_and_called_back(stage: Stage) -> None:
    """The caller holds, presses 1 to be called back, and is told so when the service has heard it."""
    caller, channel = await held(stage)
    await lasts(1.0)
    await caller.press("1")
    await stage.pbx.tells("UserEvent", UserEvent="SwitchhookCallback")
    await set_and_wake(stage, channel, "SWITCHHOOK_KEPT", "1")
    await caller.ended()


@scenario(
    replace(MISSED, status="voicemail", recordings=(), wait=8.0), dialplan=planned("voicemail|60|sales"), taped=False
)
async def leaves_a_message(stage: Stage) -> None:
    """The caller speaks after the tone for four seconds and presses the key that ends it."""
    caller = await stage.call()
    await caller.answered()
    await lasts(6.0)
    await caller.press("#")
    await caller.ended()
