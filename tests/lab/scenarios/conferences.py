"""Several people in one room: ConfBridge().

A room that records itself (`record_conference`) names its file to nobody: ConfbridgeRecord and CEL leave it out (seen
on Asterisk 22.10). So the dialplan records who comes in.
"""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import ANSWERED, M1, M2
from tests.lab.scenarios.scenario import RECORD, scenario
from tests.lab.scenarios.stage import CALLER, Stage, lasts

CONFERENCE = f"""
[from-trunk]
exten => 500,1,{RECORD}
 same => n,ConfBridge(meeting,,quiet)
[from-phones]
exten => 603,1,ConfBridge(meeting,,quiet)
"""


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2), (M1, M2)),
        conference=True,
        wait=1.0,
        talk=2.2,
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
    for one in (second, first, caller):
        await one.hang_up()
        await lasts(0.2)


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((M1, M2), (M1, CALLER), (M2, CALLER)),
        conference=True,
        wait=0.5,
        talk=1.7,
    ),
    dialplan=CONFERENCE,
)
async def conference_of_staff(stage: Stage) -> None:
    """Two of ours talk in a conference room (ConfBridge), and the caller comes to them."""
    first = await stage.m1.dials("603")
    await first.answered()
    await lasts(0.5)
    second = await stage.m2.dials("603")
    await second.answered()
    await lasts(0.5)
    caller = await stage.call()
    await caller.answered()
    await lasts(1.0)
    for one in (second, first, caller):
        await one.hang_up()
        await lasts(0.2)
