"""Parking, pickup, forwarding and conferences."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import ANSWERED, M1, M2, M5, MISSED, TRUNK
from tests.lab.scenarios.scenario import scenario
from tests.lab.scenarios.stage import CALLER, CLIENT, Stage, lasts
from tests.lab.scenarios.telephones import PhoneCall
from tests.lab.scenarios.transfers_blind import RECORDED

PARKED = replace(ANSWERED, recordings=("500.wav",))


async def park(stage: Stage) -> tuple[PhoneCall, PhoneCall]:
    """The caller talks with m1 for a second, who parks them by feature code: (the caller's side, m1's side)."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.press("#72")
    await stage.pbx.tells("ParkedCall", ParkeeChannel="PJSIP/trunk-")
    return caller, desk


@scenario(
    replace(
        PARKED,
        parks=((M1, "taken_back", M1),),
        legs=((M1, "answered"), (M1, "answered")),
        talks=((CALLER, M1), (CALLER, M1)),
        talk=2.5,
        hold=1.6,
    ),
    dialplan=RECORDED,
)
async def park_taken_back(stage: Stage) -> None:
    """Parked by feature code, and taken back by who parked."""
    caller, desk = await park(stage)
    await lasts(1.0)
    await desk.hang_up()
    await lasts(0.5)
    await (await stage.m1.dials("701")).answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        PARKED,
        parks=((M1, "taken", M2),),
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2)),
        talk=2.5,
        hold=1.6,
    ),
    dialplan=RECORDED,
)
async def park_taken(stage: Stage) -> None:
    """Parked by feature code, and taken by a colleague."""
    caller, desk = await park(stage)
    await lasts(1.0)
    await desk.hang_up()
    await lasts(0.5)
    await (await stage.m2.dials("701")).answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        PARKED,
        parks=((M1, "timed_out", ""),),
        legs=((M1, "answered"), (M1, "answered")),
        talks=((CALLER, M1), (CALLER, M1)),
        talk=2.5,
        hold=3.0,
    ),
    dialplan=RECORDED,
)
async def park_comes_back(stage: Stage) -> None:
    """Parked by feature code, taken by nobody: it rings at who parked, who answers."""
    caller, desk = await park(stage)
    await desk.hang_up()
    await stage.picks_up(stage.m1)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(PARKED, parks=((M1, "timed_out", ""),), legs=((M1, "answered"), (M1, "cancelled")), talk=1.5, hold=3.0),
    dialplan=RECORDED,
)
async def park_comes_back_in_vain(stage: Stage) -> None:
    """Parked by feature code, taken by nobody: it rings at who parked, and the caller gives up."""
    caller, desk = await park(stage)
    await desk.hang_up()
    await stage.m1.rings()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(PARKED, parks=((M1, "abandoned", ""),), talk=1.5, hold=1.0),
    dialplan=RECORDED,
)
async def park_abandoned(stage: Stage) -> None:
    """Parked by feature code, and the caller gives up there."""
    caller, desk = await park(stage)
    await lasts(0.5)
    await desk.hang_up()
    await lasts(0.5)
    await caller.hang_up()


@scenario(
    replace(
        PARKED,
        parks=((M1, "taken", M2),),
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2)),
        transfers=(("blind", M1, "700", (M2,), True),),
        talk=2.0,
        hold=1.0,
    ),
    dialplan=RECORDED,
)
async def park_by_refer(stage: Stage) -> None:
    """Parked by a blind transfer to the parking extension, and taken by a colleague."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.refer("700")
    await stage.pbx.tells("ParkedCall", ParkeeChannel="PJSIP/trunk-")
    await lasts(1.0)
    await (await stage.m2.dials("701")).answered()
    await lasts(1.0)
    await caller.hang_up()


PICKUP = RECORDED + "[from-phones]\nexten => 801,1,PickupChan(PJSIP/m1)\nexten => 802,1,Pickup()\n"


@scenario(
    replace(
        PARKED,
        pickups=((M2, M1),),
        legs=((M1, "answered_elsewhere"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        wait=0.8,
    ),
    dialplan=PICKUP,
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
    replace(
        PARKED,
        pickups=((M2, M1),),
        legs=((M1, "answered_elsewhere"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        wait=0.8,
    ),
    dialplan=PICKUP,
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
        PARKED,
        forwards=((M1, "102"),),
        legs=((M1, "failed"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        wait=0.8,
    ),
    dialplan=RECORDED,
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
        PARKED,
        forwards=((M1, CLIENT),),
        legs=((M1, "failed"), (TRUNK, "answered")),
        answered_by=(TRUNK,),
        talks=((CALLER, CLIENT),),
        wait=0.8,
    ),
    dialplan=RECORDED,
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
        recordings=("500.wav",),
    ),
    dialplan=RECORDED,
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
    dialplan=f"[from-trunk]\nexten => 500,1,Dial(Local/{CLIENT}@from-phones,20)\n",
)
async def forward_by_us(stage: Stage) -> None:
    """Our dialplan sends the call on to a number outside, through a Local channel."""
    caller = await stage.call()
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await caller.hang_up()


CONFERENCE = """
[from-trunk]
exten => 500,1,MixMonitor(${RECORDINGS}/500.wav)
 same => n,ConfBridge(meeting,,quiet)
[from-phones]
exten => 603,1,ConfBridge(meeting,,quiet)
"""


@scenario(
    replace(
        PARKED,
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2), (M1, M2)),
        conference=True,
        wait=1.0,
        talk=2.0,
    ),
    dialplan=CONFERENCE,
)
async def conference(stage: Stage) -> None:
    """A caller and two of ours meet in a conference room (ConfBridge)."""
    caller = await stage.call()
    await caller.answered()
    await lasts(1.0)
    first = await stage.m1.dials("603")
    await first.answered()
    await lasts(1.0)
    second = await stage.m2.dials("603")
    await second.answered()
    await lasts(1.0)
    await second.hang_up()
    await first.hang_up()
    await caller.hang_up()
