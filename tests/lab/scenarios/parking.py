"""A caller is parked, and taken from there, or not."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import ANSWERED, M1, M2
from tests.lab.scenarios.scenario import scenario
from tests.lab.scenarios.stage import CALLER, Stage, lasts
from tests.lab.scenarios.telephones import PhoneCall


async def park(stage: Stage) -> tuple[PhoneCall, PhoneCall]:
    """The caller talks with m1 for a second, who parks them by feature code: (the caller's side, m1's side)."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.press("#72")
    await stage.pbx.tells("ParkedCall", ParkeeChannel="PJSIP/trunk-")
    return caller, desk


@scenario(
    replace(
        ANSWERED,
        parks=((M1, "taken_back", M1),),
        legs=((M1, "answered"), (M1, "answered")),
        talks=((CALLER, M1), (CALLER, M1)),
        talk=2.5,
        hold=1.6,
    ),
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
        ANSWERED,
        parks=((M1, "taken", M2),),
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2)),
        talk=2.5,
        hold=1.6,
    ),
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
        ANSWERED,
        parks=((M1, "timed_out", ""),),
        legs=((M1, "answered"), (M1, "answered")),
        talks=((CALLER, M1), (CALLER, M1)),
        talk=2.5,
        hold=3.0,
    ),
)
async def park_comes_back(stage: Stage) -> None:
    """Parked by feature code, taken by nobody: it rings at who parked, who answers."""
    caller, desk = await park(stage)
    await desk.hang_up()
    await stage.picks_up(stage.m1)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(ANSWERED, parks=((M1, "timed_out", ""),), legs=((M1, "answered"), (M1, "cancelled")), talk=1.5, hold=3.0),
)
async def park_comes_back_in_vain(stage: Stage) -> None:
    """Parked by feature code, taken by nobody: it rings at who parked, and the caller gives up."""
    caller, desk = await park(stage)
    await desk.hang_up()
    await stage.m1.rings()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(ANSWERED, parks=((M1, "abandoned", ""),), talk=1.5, hold=1.0),
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
        ANSWERED,
        parks=((M1, "taken", M2),),
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2)),
        talk=2.0,
        hold=1.0,
    ),
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


@scenario(
    replace(
        ANSWERED,
        parks=((M1, "timed_out", ""),),
        legs=((M1, "answered"), (M1, "no_answer")),
        talk=1.5,
        hold=3.0,
        ended_by="pbx",
    ),
)
async def park_comes_back_unanswered(stage: Stage) -> None:
    """Parked by feature code, taken by nobody: it rings at who parked, where nobody answers."""
    caller, desk = await park(stage)
    await desk.hang_up()
    await stage.m1.rings()
    await caller.ended()
