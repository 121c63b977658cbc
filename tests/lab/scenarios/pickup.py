"""A colleague takes a call that rings at another phone."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import ANSWERED, M1, M2, M3, ring
from tests.lab.scenarios.record import Record
from tests.lab.scenarios.scenario import RING, scenario
from tests.lab.scenarios.stage import CALLER, Stage, lasts

CODES = "[from-phones]\nexten => 801,1,PickupChan(PJSIP/m1)\nexten => 802,1,Pickup()\n"
TAKEN_UP = replace(
    ANSWERED,
    pickups=((M2, M1),),
    legs=((M1, "answered_elsewhere"), (M2, "answered")),
    answered_by=(M2,),
    talks=((CALLER, M2),),
    wait=0.8,
)


@scenario(
    TAKEN_UP,
    dialplan=RING + CODES,
)
async def pickup(stage: Stage) -> None:
    """A colleague takes the call that rings at m1."""
    caller = await stage.call()
    await stage.m1.rings()
    await lasts(0.8)
    await (await stage.m2.dials("801")).answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    TAKEN_UP,
    dialplan=RING + CODES,
)
async def pickup_group(stage: Stage) -> None:
    """A colleague takes whatever call rings in the group."""
    caller = await stage.call()
    await stage.m1.rings()
    await lasts(0.8)
    await (await stage.m2.dials("802")).answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        TAKEN_UP,
        legs=((M1, "answered_elsewhere"), (M3, "answered_elsewhere"), (M2, "answered")),
        wait=1.0,
    ),
    dialplan=ring("PJSIP/m1&PJSIP/m3") + CODES,
)
async def pickup_of_two(stage: Stage) -> None:
    """Two phones ring and nobody answers, so a colleague takes the call."""
    caller = await stage.call()
    await stage.m1.rings()
    await stage.m3.rings()
    await lasts(1.0)
    taker = await stage.m2.dials("801")
    await taker.answered()
    await caller.answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    Record(status="failed", direction="internal", caller="102", dialed="801", ended_by="pbx"),
    dialplan=CODES,
)
async def pickup_of_nothing(stage: Stage) -> None:
    """A colleague tries to take a call where none rings."""
    await (await stage.m2.dials("801")).ended()
