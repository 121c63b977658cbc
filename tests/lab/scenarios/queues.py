"""Queues: callers who wait, give up, are answered, or wait in vain."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import ANSWERED, GAVE_UP, M1, M2, M3, MISSED, SECOND
from tests.lab.scenarios.scenario import RECORD, scenario
from tests.lab.scenarios.stage import CALLER, Stage, lasts

RINGALL = "[sales]\nstrategy = ringall\ntimeout = 15\nmember => PJSIP/m1\nmember => PJSIP/m2\n"
HUNT = "[sales]\nstrategy = linear\ntimeout = 1\nretry = 1\nmember => PJSIP/m1\nmember => PJSIP/m2\n"
OPEN = "[sales]\nstrategy = ringall\njoinempty = yes\n"
EMPTY = "[sales]\nstrategy = ringall\njoinempty = no\n"


def queue(seconds: int = 15) -> str:
    """Line 500 is a queue, recorded."""
    return (
        f"[from-trunk]\nexten => 500,1,Answer()\n same => n,{RECORD}\n"
        f" same => n,Queue(sales,,,,{seconds})\n same => n,Hangup()\n"
    )


IN_QUEUE = replace(ANSWERED, queues=(("sales", "answered"),))


@scenario(
    replace(
        IN_QUEUE,
        legs=((M1, "answered_elsewhere"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
    ),
    dialplan=queue(),
    queues=RINGALL,
)
async def queue_ringall(stage: Stage) -> None:
    """All members of a queue ring, one answers."""
    caller = await stage.call()
    await stage.m1.rings()
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(IN_QUEUE, legs=((M1, "no_answer"), (M2, "answered")), answered_by=(M2,), talks=((CALLER, M2),), wait=2.4),
    dialplan=queue(),
    queues=HUNT,
)
async def queue_in_turn(stage: Stage) -> None:
    """The members of a queue ring in turn: the first rings out, the second answers."""
    caller = await stage.call()
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        GAVE_UP,
        legs=((M1, "cancelled"), (M2, "cancelled")),
        queues=(("sales", "abandoned"),),
        wait=1.0,
    ),
    dialplan=queue(),
    queues=RINGALL,
)
async def queue_abandon(stage: Stage) -> None:
    """The caller gives up in a queue while its members ring."""
    caller = await stage.call()
    await stage.m1.rings()
    await stage.m2.rings()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(
        MISSED,
        legs=((M1, "no_answer"), (M2, "no_answer")),
        queues=(("sales", "timeout"),),
        missed_cause="queue_timeout",
        wait=2.0,
    ),
    dialplan=queue(2),
    queues=RINGALL,
    cel=("missed_cause", "queues"),
    live=("missed_cause", "queues"),
)
async def queue_timeout(stage: Stage) -> None:
    """Nobody in the queue answers in time."""
    await (await stage.call()).ended()


@scenario(
    replace(MISSED, queues=(("sales", "joinempty"),), missed_cause="nobody_on_shift"),
    dialplan=queue(),
    queues=EMPTY,
    cel=("queues", "missed_cause"),
    live=("queues", "missed_cause"),
)
async def queue_without_members(stage: Stage) -> None:
    """The queue has no members and lets nobody in."""
    await (await stage.call()).ended()


@scenario(
    replace(
        IN_QUEUE,
        legs=((M1, "answered"), (M2, "answered_elsewhere")),
    ),
    replace(
        IN_QUEUE,
        caller=SECOND,
        legs=((M1, "busy"), (M2, "answered")),
        answered_by=(M2,),
        talks=((SECOND, M2),),
        wait=0.4,
        talk=0.5,
    ),
    dialplan=queue(),
    queues=RINGALL.replace("member => PJSIP/m1\n", "member => PJSIP/m1\nringinuse = yes\n"),
)
async def queue_of_two(stage: Stage) -> None:
    """Two callers in one queue are answered by two members."""
    caller, _ = await stage.answered_by(stage.m1)
    await stage.m2.rings()
    await stage.m1.answers_with(486)
    second = await stage.someone(SECOND, "Второй").dials("500")
    await stage.picks_up(stage.m2)
    await lasts(0.5)
    await second.hang_up()
    await lasts(0.1)
    await caller.hang_up()


@scenario(
    replace(
        IN_QUEUE,
        legs=((M1, "rejected"), (M3, "busy"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        wait=0.8,
    ),
    dialplan=queue(),
    queues=RINGALL + "member => PJSIP/m3\n",
)
async def queue_member_declines(stage: Stage) -> None:
    """Of three members of a queue one is busy, one declines, and the third answers."""
    await stage.m3.answers_with(486)
    caller = await stage.call()
    first = await stage.m1.rings()
    second = await stage.m2.rings()
    await lasts(0.4)
    await first.reject()
    await lasts(0.4)
    await second.answer()
    await caller.answered()
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(GAVE_UP, queues=(("sales", "abandoned"),), wait=1.0),
    dialplan=queue(),
    queues=OPEN,
)
async def queue_abandoned_unserved(stage: Stage) -> None:
    """The caller gives up in a queue where no member is."""
    caller = await stage.call()
    await stage.pbx.tells("QueueCallerJoin", Queue="sales")
    await lasts(1.0)
    await caller.hang_up()


@scenario(
    replace(GAVE_UP, queues=(("sales", "abandoned"),), wait=1.0),
    replace(MISSED, caller=SECOND, missed_cause="queue_full", queues=(("sales", "full"),)),
    dialplan=queue(),
    queues=OPEN + "maxlen = 1\n",
    cel=("queues", "missed_cause"),
    live=("queues", "missed_cause"),
)
async def queue_full(stage: Stage) -> None:
    """One caller waits in a queue that takes only one; a second is turned away."""
    caller = await stage.call()
    await stage.pbx.tells("QueueCallerJoin", Queue="sales")
    second = await stage.someone(SECOND, "Второй").dials("500")
    await second.ended()
    await lasts(1.0)
    await caller.hang_up()


# CEL tells no second Queue() right behind a first: the channel's application stays the same. Most say something.
@scenario(
    replace(
        IN_QUEUE,
        legs=((M1, "no_answer"), (M2, "no_answer"), (M1, "answered_elsewhere"), (M2, "answered")),
        answered_by=(M2,),
        talks=((CALLER, M2),),
        queues=(("sales", "timeout"), ("sales", "answered")),
        wait=2.9,
    ),
    dialplan=f"[from-trunk]\nexten => 500,1,{RECORD}\n"
    " same => n,Queue(sales,,,,2)\n same => n,Wait(0.5)\n same => n,Queue(sales,,,,20)\n",
    queues=RINGALL,
    cel=("queues",),
)
async def queue_again(stage: Stage) -> None:
    """The caller's time in a queue is over; the caller waits once more, and a member answers."""
    caller = await stage.call()
    await (await stage.m1.rings()).ended()
    await (await stage.m2.rings()).ended()
    await stage.m1.rings()
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()
