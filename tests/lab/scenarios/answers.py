"""A caller and the telephones of a line: who answers, who hangs up, and everything that goes wrong before."""

from __future__ import annotations

import time
from dataclasses import replace

from tests.lab.scenarios.record import RECORDED, Record
from tests.lab.scenarios.scenario import RECORD, RING, scenario
from tests.lab.scenarios.stage import CALLER, Stage, lasts

M1, M2, M3, M4, M5, TRUNK = "PJSIP/m1", "PJSIP/m2", "PJSIP/m3", "PJSIP/m4", "PJSIP/m5", "PJSIP/trunk"
ANSWERED = Record(
    legs=((M1, "answered"),),
    answered_by=(M1,),
    talks=((CALLER, M1),),
    recordings=RECORDED,
    wait=0.4,
    talk=1.0,
    ended_by="caller",
)
MISSED = Record(status="missed", ended_by="pbx", recordings=RECORDED)
GAVE_UP = replace(MISSED, missed_cause="caller_gave_up_early", ended_by="caller")


def ring(devices: str, seconds: int = 20) -> str:
    """Line 500 records and rings these."""
    return f"[from-trunk]\nexten => 500,1,{RECORD}\n same => n,Dial({devices},{seconds},tTkK)\n"


@scenario(
    replace(ANSWERED, recordings=()),
    dialplan="[from-trunk]\nexten => 500,1,Dial(PJSIP/m1,20,tTkK)\n",
)
async def answered(stage: Stage) -> None:
    """The phone rings and is answered, the caller hangs up."""
    caller, _ = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await caller.hang_up()


@scenario(replace(ANSWERED, ended_by="staff"))
async def answered_staff_ends(stage: Stage) -> None:
    """The phone rings and is answered, the person who answered hangs up."""
    _, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.hang_up()


@scenario(replace(ANSWERED, ended_by="pbx"))
async def answered_pbx_ends(stage: Stage) -> None:
    """The phone rings and is answered, the administrator ends the call."""
    caller, _ = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await stage.pbx.does("Hangup", Channel=await stage.pbx.channel("trunk"))
    await caller.ended()


@scenario(ANSWERED)
async def recorded(stage: Stage) -> None:
    """A talk is recorded."""
    caller, _ = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await caller.hang_up()


@scenario(replace(MISSED, legs=((M1, "no_answer"),), missed_cause="rang_out", wait=2.0), dialplan=ring("PJSIP/m1", 2))
async def noanswer(stage: Stage) -> None:
    """The phone rings out."""
    caller = await stage.call()
    await stage.m1.rings()
    await caller.ended()


@scenario(replace(MISSED, legs=((M1, "busy"),), missed_cause="all_busy"))
async def busy(stage: Stage) -> None:
    """The phone is busy."""
    await stage.m1.answers_with(486)
    await (await stage.call()).ended()


@scenario(replace(MISSED, legs=((M1, "rejected"),), missed_cause="rejected", wait=0.4))
async def rejected(stage: Stage) -> None:
    """The call is declined at the phone."""
    caller = await stage.call()
    desk = await stage.m1.rings()
    await lasts(0.4)
    await desk.reject()
    await caller.ended()


@scenario(
    replace(GAVE_UP, wait=0.7),
    dialplan=RING.replace("Dial", "Wait(5)\n same => n,Dial"),
)
async def gives_up_before_ringing(stage: Stage) -> None:
    """The caller gives up before any phone rings."""
    caller = await stage.call()
    await stage.pbx.tells("Newexten", Application="Wait")
    await lasts(0.7)
    await caller.hang_up()


@scenario(
    replace(GAVE_UP, wait=0.5, recordings=("*-caller.wav", "*-staff.wav")),
    ami=("recordings",),
    dialplan="[from-trunk]\nexten => 500,1,Goto(switchhook,500,1)\n",
)
async def gives_up_while_routed(stage: Stage) -> None:
    """The caller gives up while our dialplan waits to be told where the call goes."""
    await stage.pbx.does("Setvar", Variable="SWITCHHOOK_ALIVE", Value=str(int(time.time())))
    caller = await stage.call()
    await stage.pbx.tells("UserEvent", UserEvent="SwitchhookArrival", Line="500")
    await lasts(0.5)
    await caller.hang_up()


@scenario(replace(GAVE_UP, legs=((M1, "cancelled"),), wait=1.0))
async def abandon(stage: Stage) -> None:
    """The caller gives up while the phone rings."""
    caller = await stage.call()
    await stage.m1.rings()
    await lasts(1.0)
    await caller.hang_up()


@scenario(replace(GAVE_UP, legs=((M1, "cancelled"), (M2, "cancelled")), wait=1.0), dialplan=ring("PJSIP/m1&PJSIP/m2"))
async def ring_group_abandon(stage: Stage) -> None:
    """Two phones ring, the caller gives up."""
    caller = await stage.call()
    await stage.m1.rings()
    await stage.m2.rings()
    await lasts(1.0)
    await caller.hang_up()


MENU = """
[from-trunk]
exten => 500,1,Answer()
 same => n,{record}
 same => n,Read(KEY,silence/1,1,,1,{seconds})
 same => n,GotoIf($["${{KEY}}" = "1"]?one)
 same => n,Hangup()
 same => n(one),Dial(PJSIP/m1,20,tTkK)
"""


@scenario(replace(GAVE_UP, wait=1.0), dialplan=MENU.format(record=RECORD, seconds=9))
async def menu_abandon(stage: Stage) -> None:
    """The caller gives up in a menu."""
    caller = await stage.call()
    await caller.answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(replace(MISSED, missed_cause="menu_dead_end", wait=2.0), dialplan=MENU.format(record=RECORD, seconds=1))
async def menu(stage: Stage) -> None:
    """A menu that the caller does not answer."""
    await (await stage.call()).ended()


@scenario(replace(ANSWERED, wait=1.5), dialplan=MENU.format(record=RECORD, seconds=9))
async def menu_chosen(stage: Stage) -> None:
    """The caller presses 1 in a menu and reaches a person."""
    caller = await stage.call()
    await caller.answered()
    await lasts(1.1)
    await caller.press("1")
    await stage.picks_up(stage.m1)
    await lasts(1.0)
    await caller.hang_up()


@scenario(replace(MISSED, legs=((M5, "unavailable"),), missed_cause="device_unreachable"), dialplan=ring("PJSIP/m5"))
async def unregistered(stage: Stage) -> None:
    """The phone has no registration."""
    await (await stage.call()).ended()


@scenario(
    replace(MISSED, legs=((M4, "unavailable"),), missed_cause="device_unreachable", wait=2.0),
    dialplan=ring("PJSIP/m4", 2),
    cel=("legs", "missed_cause"),
)
async def dead_phone(stage: Stage) -> None:
    """The phone is registered but dead: it is called, and never says that it rings."""
    await stage.kill_m4()
    await (await stage.call()).ended()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered_elsewhere"), (M2, "answered"), (M3, "busy")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        wait=0.4,
    ),
    dialplan=ring("PJSIP/m1&PJSIP/m2&PJSIP/m3"),
)
async def fork_ringall(stage: Stage) -> None:
    """Three phones at once: one is busy, one answers, the third stops ringing."""
    await stage.m3.answers_with(486)
    caller = await stage.call()
    await stage.m1.rings()
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


HUNT = ring("PJSIP/m1", 1) + " same => n,Dial(PJSIP/m2,9)\n same => n,Dial(PJSIP/m3,2)\n"


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "no_answer"), (M2, "busy"), (M3, "answered")),
        answered_by=(M3,),
        talks=((CALLER, M3),),
        wait=1.4,
    ),
    dialplan=HUNT,
)
async def hunt(stage: Stage) -> None:
    """One phone after the other: the first rings out, the second is busy, the third answers."""
    await stage.m2.answers_with(486)
    caller = await stage.call()
    await stage.picks_up(stage.m3)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(MISSED, legs=((M1, "no_answer"), (M2, "rejected"), (M3, "no_answer")), missed_cause="rang_out", wait=3.0),
    dialplan=HUNT,
)
async def hunt_missed(stage: Stage) -> None:
    """One phone after the other, and nobody answers."""
    await stage.m2.answers_with(603)
    await (await stage.call()).ended()


@scenario(replace(ANSWERED, hold=1.0, talk=3.0))
async def hold(stage: Stage) -> None:
    """The person who answered puts the caller on hold, and comes back."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.hold()
    await lasts(1.0)
    await desk.resume()
    await lasts(1.0)
    await caller.hang_up()


@scenario(replace(ANSWERED, hold=1.0, talk=2.0))
async def hold_abandoned(stage: Stage) -> None:
    """The caller hangs up while on hold."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.hold()
    await lasts(1.0)
    await caller.hang_up()


SECOND = "79161234568"


@scenario(
    replace(ANSWERED, talk=4.4, hold=1.8),
    replace(ANSWERED, caller=SECOND, talks=((SECOND, M1),), ended_by="caller"),
)
async def call_waiting(stage: Stage) -> None:
    """A second caller rings at the phone that talks: the first waits on hold while the second is answered."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    second = await stage.someone(SECOND, "Второй").dials("500")
    other = await stage.m1.rings()
    await lasts(0.4)
    await desk.hold()
    await other.answer()
    await lasts(1.0)
    await second.hang_up()
    await lasts(0.8)
    await desk.resume()
    await lasts(1.2)
    await caller.hang_up()


@scenario(
    replace(ANSWERED, legs=((M1, "answered"), (M2, "answered_elsewhere")), talk=2.4, ended_by="staff"),
    replace(
        ANSWERED, legs=((M1, "busy"), (M2, "answered")), answered_by=(M2,), talks=((CALLER, M2),), ended_by="caller"
    ),
    dialplan=ring("PJSIP/m1&PJSIP/m2"),
)
async def same_numbers_twice(stage: Stage) -> None:
    """The same caller calls the same line twice at once, and two people answer."""
    first, desk = await stage.answered_by(stage.m1)
    await lasts(0.5)
    await stage.m1.answers_with(486)
    second = await stage.call()
    await stage.m2.rings()
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await second.hang_up()
    await lasts(0.5)
    await desk.hang_up()
    await first.ended()
