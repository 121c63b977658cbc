"""Blind transfers: four ways to ask for one, seven places to send the caller to, and what else may come of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tests.lab.scenarios.answers import ANSWERED, M1, M2, M3, M4, M5, TRUNK
from tests.lab.scenarios.record import Record
from tests.lab.scenarios.scenario import RING, scenario
from tests.lab.scenarios.stage import CALLER, CLIENT, Stage, lasts
from tests.lab.scenarios.telephones import PhoneCall

EXTENSIONS = """
[from-phones]
exten => 106,1,NoOp()
 same => n,Dial(PJSIP/m2,2,tTkK)
 same => n,Hangup()
exten => 601,1,NoOp()
 same => n,Queue(sales,,,,5)
 same => n,Hangup()
exten => 602,1,NoOp()
 same => n,VoiceMail(101@default,s)
 same => n,Hangup()
"""
QUEUES = "[sales]\nstrategy = ringall\ntimeout = 15\nmember => PJSIP/m2\nmember => PJSIP/m3\n"


@dataclass(frozen=True)
class Target:
    """A place to send a caller to: the number, what happens there, and what the record then says."""

    number: str
    happens: Callable[[Stage, PhoneCall], Awaitable[None]]
    record: Record
    completed: bool


async def answers(stage: Stage, caller: PhoneCall) -> None:
    """Somebody answers, talks for a second, and the caller hangs up."""
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


async def rings_out(stage: Stage, caller: PhoneCall) -> None:
    """It rings, nobody comes, and the PBX ends the call."""
    await stage.m2.rings()
    await caller.ended()


async def is_unreachable(_: Stage, caller: PhoneCall) -> None:
    """Nothing rings, and the PBX ends the call."""
    await caller.ended()


async def queue_answers(stage: Stage, caller: PhoneCall) -> None:
    """A member of the queue answers."""
    await stage.m3.rings()
    await answers(stage, caller)


async def mailbox_answers(stage: Stage, caller: PhoneCall) -> None:
    """The mailbox takes a message."""
    await stage.pbx.tells("Newexten", Application="VoiceMail")
    await lasts(1.5)
    await caller.hang_up()


async def client_answers(stage: Stage, caller: PhoneCall) -> None:
    """Somebody outside answers."""
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await caller.hang_up()


REACHED = replace(ANSWERED, legs=((M1, "answered"), (M2, "answered")), answered_by=(M1, M2), talk=2.0)
REACHED = replace(REACHED, talks=((CALLER, M1), (CALLER, M2)))
TARGETS = {
    "answered": Target("102", answers, REACHED, completed=True),
    "unanswered": Target(
        "106",
        rings_out,
        replace(ANSWERED, legs=((M1, "answered"), (M2, "no_answer")), ended_by="pbx"),
        completed=False,
    ),
    "unreachable": Target(
        "105",
        is_unreachable,
        replace(ANSWERED, legs=((M1, "answered"), (M5, "unavailable")), ended_by="pbx"),
        completed=False,
    ),
    "to_queue": Target(
        "601",
        queue_answers,
        replace(
            REACHED,
            legs=((M1, "answered"), (M2, "answered"), (M3, "answered_elsewhere")),
            queues=(("sales", "answered"),),
        ),
        completed=True,
    ),
    "to_voicemail": Target("602", mailbox_answers, ANSWERED, completed=True),
    "outside": Target(
        CLIENT,
        client_answers,
        replace(
            REACHED,
            legs=((M1, "answered"), (TRUNK, "answered")),
            answered_by=(M1, TRUNK),
            talks=((CALLER, M1), (CALLER, CLIENT)),
        ),
        completed=True,
    ),
}


async def by_refer(stage: Stage, desk: PhoneCall, number: str) -> None:
    """The phone sends a SIP REFER."""
    await desk.refer(number)


async def by_code(stage: Stage, desk: PhoneCall, number: str) -> None:
    """A person presses the feature code and the number."""
    await desk.press("#1")
    await stage.pbx.tells("Hold", Channel="PJSIP/m1-")
    await lasts(0.3)
    await desk.press(number)


async def by_ami(stage: Stage, _: PhoneCall, number: str) -> None:
    """A program asks for it, in the name of the phone."""
    channel = await stage.pbx.channel("m1")
    await stage.pbx.does("BlindTransfer", Channel=channel, Exten=number, Context="from-phones")


async def by_redirect(stage: Stage, _: PhoneCall, number: str) -> None:
    """A program moves the caller."""
    channel = await stage.pbx.channel("trunk")
    await stage.pbx.does("Redirect", Channel=channel, Exten=number, Context="from-phones", Priority="1")


WAYS = {"refer": by_refer, "code": by_code, "ami": by_ami, "redirect": by_redirect}


TAPED = {("code", "answered"), ("ami", "answered"), ("redirect", "answered"), ("redirect", "unanswered")}
"""Other ways to the same places than by REFER that are kept as tapes."""


def blind(way: str, place: str) -> None:
    """Make the scenario of one way and one place."""
    ask, target = WAYS[way], TARGETS[place]
    reached = target.record.answered_by[1:]
    by = "" if way == "redirect" else M1
    record = replace(target.record, transfers=(("blind", by, target.number, reached, target.completed),))
    # Whoever presses keys still has the caller in the talk, but on hold, for the second that it takes.
    if way == "code":
        keying = 1.0 + 0.19 * (len(target.number) - 3)
        record = replace(record, hold=keying, talk=record.talk + keying + 0.5)

    async def play(stage: Stage) -> None:
        caller, desk = await stage.answered_by(stage.m1)
        await lasts(1.0)
        await ask(stage, desk, target.number)
        await target.happens(stage, caller)

    play.__name__ = f"blind_{way}_{place}"
    play.__doc__ = f"A blind transfer. {ask.__doc__} {target.happens.__doc__}"
    live = {"unreachable": ["legs"], "to_voicemail": ["transfers"]}.get(place, [])
    live += ["transfers"] if way == "redirect" else []
    taped = way == "refer" or (way, place) in TAPED
    scenario(record, dialplan=RING + EXTENSIONS, queues=QUEUES, taped=taped, live=live)(play)


for _way in WAYS:
    for _place in TARGETS:
        blind(_way, _place)


@scenario(
    replace(
        REACHED,
        direction="internal",
        caller="101",
        dialed="102",
        legs=((M2, "answered"), (M3, "answered")),
        answered_by=(M2, M3),
        talks=((M1, M2), (M2, M3)),
        transfers=(("blind", M1, "103", (M3,), True),),
        ended_by="staff",
        recordings=("*.wav", "*.wav"),
    ),
    record_phones=True,
)
async def caller_transfers(stage: Stage) -> None:
    """A colleague calls a colleague, and the one who called transfers the other to a third (SIP REFER)."""
    caller = await stage.m1.dials("102")
    other = await stage.picks_up(stage.m2)
    await caller.answered()
    await lasts(1.0)
    await caller.refer("103")
    await stage.picks_up(stage.m3)
    await lasts(1.0)
    await other.hang_up()


@scenario(
    replace(
        REACHED,
        direction="internal",
        caller="101",
        dialed="102",
        legs=((M2, "answered"), (M3, "answered")),
        answered_by=(M2, M3),
        talks=((M1, M2), (M2, M3)),
        transfers=(("blind", M1, "103", (M3,), True),),
        ended_by="staff",
        hold=1.0,
        talk=3.5,
        recordings=("*.wav", "*.wav"),
    ),
    record_phones=True,
)
async def caller_transfers_by_code(stage: Stage) -> None:
    """A colleague calls a colleague, and the one who called transfers the other to a third by feature code."""
    caller = await stage.m1.dials("102")
    other = await stage.picks_up(stage.m2)
    await caller.answered()
    await lasts(1.0)
    await by_code(stage, caller, "103")
    await stage.picks_up(stage.m3)
    await lasts(1.0)
    await other.hang_up()


@scenario(
    replace(
        ANSWERED,
        legs=((M1, "answered"), (M2, "answered"), (M3, "answered"), (M4, "answered")),
        answered_by=(M1, M2, M3, M4),
        talks=((CALLER, M1), (CALLER, M2), (CALLER, M3), (CALLER, M4)),
        transfers=(
            ("blind", M1, "102", (M2,), True),
            ("blind", M2, "103", (M3,), True),
            ("blind", M3, "104", (M4,), True),
        ),
        talk=3.2,
    )
)
async def chain_of_three(stage: Stage) -> None:
    """Three blind transfers one after the other; the fourth person finishes the talk."""
    caller, desk = await stage.answered_by(stage.m1)
    for phone, number in ((stage.m2, "102"), (stage.m3, "103"), (stage.m4, "104")):
        await lasts(0.8)
        await desk.refer(number)
        desk = await stage.picks_up(phone)
    await lasts(0.8)
    await caller.hang_up()
