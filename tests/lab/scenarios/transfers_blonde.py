"""Blonde transfers: the caller is handed over while the other phone still rings."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import M1, M2
from tests.lab.scenarios.scenario import scenario
from tests.lab.scenarios.stage import CALLER, Stage, lasts
from tests.lab.scenarios.transfers_attended import INSIDE, PLAN, TARGETS, begun, calls_beside, presses_code


def blonde(reject: bool) -> None:
    """Make the scenario in which the caller is handed over while the other phone still rings."""
    record = begun("code", TARGETS["answered"], (3.4, 1.6))

    async def play(stage: Stage) -> None:
        caller, desk = await stage.answered_by(stage.m1)
        await lasts(1.0)
        await presses_code(stage, desk, "102")
        other = await stage.m2.rings()
        await lasts(0.5)
        await desk.hang_up()
        await lasts(0.5)
        if reject:
            await other.reject()
            back = await stage.picks_up(stage.m1)
            await lasts(1.0)
            await back.hang_up()
            await caller.ended()
        else:
            await other.answer()
            await lasts(1.0)
            await caller.hang_up()

    if reject:
        record = replace(
            record,
            legs=((M1, "answered"), (M2, "rejected"), (M1, "answered")),
            answered_by=(M1,),
            talks=((CALLER, M1), (CALLER, M1)),
            transfers=(("blonde", M1, "102", (), False),),
            ended_by="staff",
        )
    else:
        record = replace(record, talks=((CALLER, M1), (CALLER, M2)), transfers=(("blonde", M1, "102", (M2,), True),))
    play.__name__ = "blonde_rejected" if reject else "blonde"
    play.__doc__ = "A transfer by feature code whose phone still rings when it is completed: " + (
        "it is rejected, and the call comes back." if reject else "it is answered."
    )
    scenario(record, dialplan=PLAN)(play)


blonde(reject=False)
blonde(reject=True)


@scenario(
    replace(
        begun("refer", TARGETS["answered"], (2.5, 0.5)),
        talks=((CALLER, M1), (CALLER, M2)),
        transfers=(("blonde", M1, "102", (M2,), True),),
    ),
    dialplan=PLAN,
)
async def blonde_refer(stage: Stage) -> None:
    """The phone joins its two calls (REFER with Replaces) while the second still rings; it is answered."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    second = await calls_beside(stage, desk, "102")
    other = await stage.m2.rings()
    await second.ringing()
    await lasts(0.5)
    await desk.refer_to(second)
    await desk.ended()
    await lasts(0.5)
    await other.answer()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        begun("code", TARGETS["unanswered"], (2.4, 1.4)),
        talks=((CALLER, M1),),
        transfers=(("blonde", M1, "102", (), False),),
        ended_by="pbx",
    ),
    # No event ties the ringing back to the call it comes from, unless it is answered.
    replace(INSIDE, status="failed", dialed="", legs=((M1, "no_answer"),), wait=6.0, ended_by="pbx"),
    dialplan=PLAN,
    chance=("wait",),  # it may ring for the six seconds of atxfernoanswertimeout, or for none (seen on Asterisk 22.10)
)
async def blonde_unanswered(stage: Stage) -> None:
    """A transfer by feature code is completed while the phone rings; neither it nor who transferred answers."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await presses_code(stage, desk, "102")
    await stage.m2.rings()
    await lasts(0.5)
    await desk.hang_up()
    await stage.m1.rings()
    await caller.ended()
