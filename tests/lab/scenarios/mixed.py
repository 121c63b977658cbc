"""Several things that happen to one call, one after the other."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import ANSWERED, M1, M2, M3, SECOND, TRUNK
from tests.lab.scenarios.conferences import CONFERENCE
from tests.lab.scenarios.parking import park
from tests.lab.scenarios.pickup import CODES
from tests.lab.scenarios.queues import queue
from tests.lab.scenarios.record import RECORDED, Record
from tests.lab.scenarios.scenario import RING, scenario
from tests.lab.scenarios.stage import CALLER, MOBILE, Stage, lasts


@scenario(
    replace(
        ANSWERED,
        parks=((M1, "taken", M3),),
        legs=((M1, "answered"), (M3, "answered")),
        answered_by=(M1, M3),
        talks=((CALLER, M1), (CALLER, M3)),
        talk=2.5,
        hold=1.6,
    ),
    replace(
        ANSWERED,
        caller=SECOND,
        parks=((M1, "taken", M2),),
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((SECOND, M1), (SECOND, M2)),
        talk=2.2,
    ),
)
async def park_of_two(stage: Stage) -> None:
    """Two callers are parked at once, and taken by two colleagues, the second first."""
    caller, desk = await park(stage)
    await desk.hang_up()
    second = await stage.someone(SECOND, "Второй").dials("500")
    desk = await stage.picks_up(stage.m1)
    await second.answered()
    await lasts(0.5)
    await desk.press("#72")
    await stage.pbx.tells("ParkedCall", ParkeeCallerIDNum=SECOND)
    await desk.hang_up()
    await (await stage.m2.dials("702")).answered()
    await (await stage.m3.dials("701")).answered()
    await lasts(1.0)
    await second.hang_up()
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        talks=((CALLER, M1), (SECOND, M1), (CALLER, SECOND)),
        legs=((M1, "answered"), (M1, "answered")),
        transfers=(("attended", M1, SECOND, (TRUNK,), True),),
        recordings=("*.wav", "*.wav"),
        talk=3.4,
        hold=1.0,
    ),
)
async def two_callers_joined(stage: Stage) -> None:
    """A phone that talks with two callers in turn connects them with each other and leaves."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    second = await stage.someone(SECOND, "Второй").dials("500")
    other = await stage.m1.rings()
    await lasts(0.4)
    await desk.hold()
    await other.answer()
    await second.answered()
    await lasts(1.0)
    await desk.refer_to(other)
    await desk.ended()
    await lasts(1.0)
    await caller.hang_up()


QUEUES = (
    "[sales]\nstrategy = ringall\ntimeout = 15\nmember => PJSIP/m1\n"
    "[office]\nstrategy = ringall\ntimeout = 15\nmember => PJSIP/m2\n"
)
OTHER = "[from-phones]\nexten => 601,1,NoOp()\n same => n,Queue(office,,,,5)\n same => n,Hangup()\n"


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"), (M2, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2)),
        transfers=(("blind", M1, "601", (M2,), True),),
        queues=(("sales", "answered"), ("office", "answered")),
        talk=2.0,
    ),
    dialplan=queue() + OTHER,
    queues=QUEUES,
)
async def queue_to_queue(stage: Stage) -> None:
    """A member of a queue sends the caller to another queue, whose member answers."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.refer("601")
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"),),
        talks=((CALLER, M1),),
        transfers=(("blind", M1, "601", (), False),),
        queues=(("sales", "answered"), ("office", "abandoned")),
        talk=1.0,
    ),
    dialplan=queue() + OTHER,
    queues=QUEUES.replace("member => PJSIP/m2\n", "joinempty = yes\n"),
    taped=False,
)
async def queue_to_queue_abandoned(stage: Stage) -> None:
    """A member of a queue sends the caller to another queue, where they give up."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.refer("601")
    await stage.pbx.tells("QueueCallerJoin", Queue="office")
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        parks=((M1, "taken", M2),),
        legs=((M1, "answered"), (M2, "answered"), (M3, "answered")),
        answered_by=(M1, M2, M3),
        talks=((CALLER, M1), (CALLER, M2), (CALLER, M3)),
        transfers=(("blind", M2, "103", (M3,), True),),
        talk=3.5,
        hold=1.6,
    ),
)
async def park_taken_and_transferred(stage: Stage) -> None:
    """Parked, taken by a colleague, and sent on by them to a third."""
    caller, desk = await park(stage)
    await lasts(1.0)
    await desk.hang_up()
    await lasts(0.5)
    taker = await stage.m2.dials("701")
    await taker.answered()
    await lasts(1.0)
    await taker.refer("103")
    await stage.picks_up(stage.m3)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"), (M2, "answered"), (M3, "answered")),
        answered_by=(M1, M2, M3),
        talks=((CALLER, M1), (CALLER, M2), (M1, M2), (CALLER, M3), (M1, M3), (M2, M3)),
        conference=True,
        wait=0.5,
        talk=2.5,
        ended_by="staff",
    ),
    dialplan=CONFERENCE,
    taped=False,
)
async def conference_of_four(stage: Stage) -> None:
    """A caller and three of ours meet in a conference room; the caller goes first."""
    caller = await stage.call()
    await caller.answered()
    await lasts(0.5)
    desks = []
    for phone in (stage.m1, stage.m2, stage.m3):
        desk = await phone.dials("603")
        await desk.answered()
        await lasts(0.5)
        desks.append(desk)
    await lasts(0.5)
    await caller.hang_up()
    await lasts(0.5)
    for desk in desks:
        await desk.hang_up()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"), (M2, "answered_elsewhere"), (M3, "answered")),
        answered_by=(M1, M3),
        talks=((CALLER, M1), (CALLER, M3)),
        transfers=(("blind", M1, "102", (M3,), True),),
        pickups=((M3, M2),),
        talk=2.0,
    ),
    dialplan=RING + CODES.replace("m1", "m2"),
)
async def pickup_of_transferred(stage: Stage) -> None:
    """A caller is sent to a colleague's phone, and a third takes the call there."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.refer("102")
    await stage.m2.rings()
    await lasts(0.5)
    await (await stage.m3.dials("801")).answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered_elsewhere"), (TRUNK, "answered")),
        answered_by=(TRUNK,),
        talks=((CALLER, MOBILE),),
        queues=(("sales", "answered"),),
        wait=1.4,
    ),
    dialplan=queue(),
    queues=QUEUES + f"[sales](+)\nmember => Local/{MOBILE}@switchhook-mobile/n\n",
)
async def queue_with_mobile(stage: Stage) -> None:
    """A desk phone and a mobile are members of a queue, and 1 is pressed on the mobile."""
    caller = await stage.call()
    await stage.m1.rings()
    mobile = await stage.picks_up(stage.someone(MOBILE))
    await lasts(1.0)
    await mobile.press("1")
    await stage.pbx.tells("UserEvent", UserEvent="SwitchhookConfirmed")
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        forwards=((M1, "102"), (M2, "103")),
        legs=((M1, "failed"), (M2, "failed"), (M3, "answered")),
        answered_by=(M3,),
        talks=((CALLER, M3),),
        wait=1.2,
    ),
)
async def forward_302_twice(stage: Stage) -> None:
    """The phone sends the call on to a colleague (302), whose phone sends it on to a third, who answers."""
    caller = await stage.call()
    for phone, number in ((stage.m1, "102"), (stage.m2, "103")):
        desk = await phone.rings()
        await lasts(0.4)
        await desk.forward(number)
    await stage.picks_up(stage.m3)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    Record(
        direction="internal",
        caller="102",
        dialed="500",
        legs=((M1, "answered"),),
        answered_by=(M1,),
        talks=((M2, M1),),
        recordings=RECORDED,
        wait=0.4,
        talk=1.0,
        ended_by="staff",
    ),
    dialplan=RING + "[from-phones]\nexten => 500,1,Goto(from-trunk,500,1)\n",
    taped=False,
)
async def staff_calls_the_line(stage: Stage) -> None:
    """One of ours dials the line that clients dial, and a colleague answers."""
    caller = await stage.m2.dials("500")
    await stage.picks_up(stage.m1)
    await caller.answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"), (M2, "answered"), (M1, "answered")),
        answered_by=(M1, M2),
        talks=((CALLER, M1), (CALLER, M2), (CALLER, M1)),
        transfers=(("blind", M1, "102", (M2,), True), ("blind", M2, "101", (M1,), True)),
        talk=3.0,
    ),
    taped=False,
)
async def transferred_back(stage: Stage) -> None:
    """A caller is sent to a colleague, who sends them back."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await desk.refer("102")
    desk = await stage.picks_up(stage.m2)
    await lasts(1.0)
    await desk.refer("101")
    await stage.picks_up(stage.m1)
    await lasts(1.0)
    await caller.hang_up()
