"""Calls that are sent on: by the phone (SIP 302), or by our dialplan."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import ANSWERED, M1, M2, M5, MISSED, TRUNK, ring
from tests.lab.scenarios.scenario import scenario
from tests.lab.scenarios.stage import CALLER, CLIENT, Stage, lasts


@scenario(
    replace(
        ANSWERED,
        forwards=((M1, "102"),),
        legs=((M1, "failed"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        wait=0.8,
    ),
)
async def forward_302(stage: Stage) -> None:
    """The phone sends the call on to a colleague (302), who answers."""
    caller = await stage.call()
    desk = await stage.m1.rings()
    await lasts(0.4)
    await desk.forward("102")
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        forwards=((M1, CLIENT),),
        legs=((M1, "failed"), (TRUNK, "answered")),
        answered_by=(TRUNK,),
        talks=((CALLER, CLIENT),),
        wait=0.8,
    ),
)
async def forward_302_outside(stage: Stage) -> None:
    """The phone sends the call on to a number outside (302), where it is answered."""
    caller = await stage.call()
    desk = await stage.m1.rings()
    await lasts(0.4)
    await desk.forward(CLIENT)
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        MISSED,
        forwards=((M1, "105"),),
        legs=((M1, "failed"), (M5, "unavailable")),
        missed_cause="device_unreachable",
        wait=0.4,
    ),
    live=("legs", "missed_cause"),
)
async def forward_302_unreachable(stage: Stage) -> None:
    """The phone sends the call on to a phone that has no registration (302)."""
    caller = await stage.call()
    desk = await stage.m1.rings()
    await lasts(0.4)
    await desk.forward("105")
    await caller.ended()


@scenario(
    replace(ANSWERED, legs=((TRUNK, "answered"),), answered_by=(TRUNK,), talks=((CALLER, CLIENT),)),
    dialplan=ring(f"Local/{CLIENT}@from-phones"),
)
async def forward_by_us(stage: Stage) -> None:
    """Our dialplan sends the call on to a number outside, through a Local channel."""
    caller = await stage.call()
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "no_answer"), (TRUNK, "answered")),
        answered_by=(TRUNK,),
        talks=((CALLER, CLIENT),),
        wait=1.4,
    ),
    dialplan=ring("PJSIP/m1", 1) + f" same => n,Dial(Local/{CLIENT}@from-phones/n,20)\n",
)
async def forward_by_us_kept(stage: Stage) -> None:
    """The phone rings out, and our dialplan sends the call on outside, through a Local channel that stays."""
    caller = await stage.call()
    await stage.m1.rings()
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await caller.hang_up()
