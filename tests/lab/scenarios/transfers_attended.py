"""Attended transfers: three ways to consult, seven places to consult with, completed or not, and blonde ones."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from tests.lab.scenarios.answers import M1, M2, M5, TRUNK
from tests.lab.scenarios.record import RECORDED, Record
from tests.lab.scenarios.scenario import RING, scenario
from tests.lab.scenarios.stage import CALLER, CLIENT, Stage, lasts
from tests.lab.scenarios.telephones import PhoneCall
from tests.lab.scenarios.transfers_blind import EXTENSIONS

PLAN = RING + EXTENSIONS
QUEUE = "[sales]\nstrategy = ringall\ntimeout = 15\nmember => PJSIP/m2\n"
SPANS = {
    "refer": {"answered": (3.4, 1.4), "to_queue": (3.4, 1.4), "outside": (3.4, 1.4), "to_voicemail": (2.0, 1.0)},
    "code": {"answered": (4.6, 2.6), "to_queue": (4.6, 2.6), "outside": (6.2, 4.2), "to_voicemail": (2.6, 2.1)},
    "ami": {"answered": (3.5, 1.6), "to_queue": (3.5, 1.6), "outside": (3.8, 1.9), "to_voicemail": (1.5, 1.0)},
}
"""Seconds of talk, and of hold in it, from the first answer to the end."""
SPANS_BACK = {
    "refer": {"answered": (3.4, 1.4), "unanswered": (4.0, 2.0), "unreachable": (2.0, 0.0)},
    "code": {"answered": (4.6, 3.0), "unanswered": (3.5, 3.4), "unreachable": (3.6, 1.3)},
    "ami": {"answered": (3.5, 2.0), "unanswered": (2.5, 2.2), "unreachable": (1.5, 0.2)},
}
"""The same where the person goes back to the caller."""


@dataclass(frozen=True)
class Way:
    """A way to consult: how it begins, how it is completed, and how one goes back to the caller."""

    begin: Callable[[Stage, PhoneCall, str], Awaitable[PhoneCall | None]]
    complete: Callable[[Stage, PhoneCall, PhoneCall | None], Awaitable[None]]
    back: Callable[[Stage, PhoneCall, PhoneCall | None], Awaitable[None]]


async def calls_beside(stage: Stage, desk: PhoneCall, number: str) -> PhoneCall:
    """The phone puts the caller on hold and makes a second call."""
    await desk.hold()
    return await stage.m1.dials(number)


async def sends_replaces(_: Stage, desk: PhoneCall, second: PhoneCall | None) -> None:
    """The phone joins its two calls (REFER with Replaces)."""
    assert second is not None
    await desk.refer_to(second)


async def ends_the_second(_: Stage, desk: PhoneCall, second: PhoneCall | None) -> None:
    """The phone ends its second call and takes the caller off hold."""
    assert second is not None
    await second.hang_up()
    await desk.resume()


async def presses_code(stage: Stage, desk: PhoneCall, number: str) -> None:
    """A person presses the feature code and the number."""
    await desk.press("*2")
    await stage.pbx.tells("Hold", Channel="PJSIP/m1-")
    await lasts(0.3)
    await desk.press(number)


async def asks_ami(stage: Stage, _: PhoneCall, number: str) -> None:
    """A program asks for it, in the name of the phone."""
    await stage.pbx.does("Atxfer", Channel=await stage.pbx.channel("m1"), Exten=number, Context="from-phones")


async def hangs_up(_: Stage, desk: PhoneCall, __: PhoneCall | None) -> None:
    """The person hangs up."""
    await desk.hang_up()


async def presses_back(_: Stage, desk: PhoneCall, __: PhoneCall | None) -> None:
    """The person presses the code that ends the consultation."""
    await desk.press("*1")


WAYS = {
    "refer": Way(calls_beside, sends_replaces, ends_the_second),
    "code": Way(presses_code, hangs_up, presses_back),
    "ami": Way(asks_ami, hangs_up, presses_back),
}


async def colleague(stage: Stage) -> PhoneCall:
    """A colleague answers."""
    return await stage.picks_up(stage.m2)


async def client(stage: Stage) -> PhoneCall:
    """Somebody outside answers."""
    return await stage.picks_up(stage.someone(CLIENT))


async def mailbox(stage: Stage) -> None:
    """The mailbox answers."""
    await stage.pbx.tells("Newexten", Application="VoiceMail")


async def nobody(stage: Stage) -> None:
    """It rings, and nobody answers."""
    await (await stage.m2.rings()).ended()


async def nothing(stage: Stage) -> None:
    """The phone has no registration."""
    await stage.pbx.tells("VarSet", Variable="DIALSTATUS", Value="CHANUNAVAIL")


@dataclass(frozen=True)
class Target:
    """Whom to consult: the number, what happens there, and what is on record of it."""

    number: str
    happens: Callable[[Stage], Awaitable[PhoneCall | None]]
    device: str
    legs: tuple[tuple[str, str], ...]
    party: str = ""
    queues: tuple[tuple[str, str], ...] = ()


TARGETS = {
    "answered": Target("102", colleague, M2, ((M2, "answered"),), M2),
    "to_queue": Target("601", colleague, M2, ((M2, "answered"),), M2, (("sales", "answered"),)),
    "outside": Target(CLIENT, client, TRUNK, ((TRUNK, "answered"),), CLIENT),
    "to_voicemail": Target("602", mailbox, "", ()),
    "unanswered": Target("106", nobody, "", ((M2, "no_answer"),)),
    "unreachable": Target("105", nothing, "", ((M5, "unavailable"),)),
}


def begun(way: str, target: Target, spans: tuple[float, float]) -> Record:
    """The record of a caller who talked with m1, and of whoever was consulted."""
    return Record(
        legs=((M1, "answered"), *target.legs),
        answered_by=(M1, target.device) if target.device else (M1,),
        queues=target.queues,
        recordings=RECORDED,
        ended_by="caller",
        wait=0.4,
        talk=spans[0],
        hold=spans[1],
    )


def completed(way: str, place: str) -> None:
    """Make the scenario in which the caller is handed over after the consultation."""
    how, target = WAYS[way], TARGETS[place]
    met = (target.party,) if target.party else ()
    reached = (target.device,) if target.device else ()
    record = replace(
        begun(way, target, SPANS[way][place]),
        talks=((CALLER, M1), *((M1, one) for one in met), *((CALLER, one) for one in met)),
        transfers=(("attended", M1, target.number, reached, True),),
    )

    async def play(stage: Stage) -> None:
        caller, desk = await stage.answered_by(stage.m1)
        await lasts(1.0)
        second = await how.begin(stage, desk, target.number)
        await target.happens(stage)
        await lasts(1.0)
        await how.complete(stage, desk, second)
        await desk.ended()
        await lasts(1.0)
        await caller.hang_up()

    play.__name__ = f"attended_{way}_{place}"
    play.__doc__ = f"An attended transfer, completed. {how.begin.__doc__} {target.happens.__doc__}"
    taped = way == "refer" or place in {"to_queue", "to_voicemail"}
    live = ["transfers"] if place == "to_voicemail" else []
    scenario(record, dialplan=PLAN, queues=QUEUE, taped=taped, live=live)(play)


def given_up(way: str, place: str) -> None:
    """Make the scenario in which the person goes back to the caller."""
    how, target = WAYS[way], TARGETS[place]
    record = begun(way, target, SPANS_BACK[way][place])
    if way == "refer":
        # The consultation is a call of its own, and stays one.
        records = [
            replace(record, legs=((M1, "answered"),), answered_by=(M1,), talks=((CALLER, M1),), queues=()),
            CONSULTATIONS[place],
        ]
    else:
        between = ((M1, target.party),) if target.party else ()
        apart = ((CALLER, M1),) if place != "unreachable" else ()
        records = [replace(record, talks=((CALLER, M1), *between, *apart))]

    async def play(stage: Stage) -> None:
        caller, desk = await stage.answered_by(stage.m1)
        await lasts(1.0)
        second = await how.begin(stage, desk, target.number)
        if await target.happens(stage) is not None:
            await lasts(1.0)
            await how.back(stage, desk, second)
        elif second is not None:
            await second.ended()
            await desk.resume()
        await lasts(1.0)
        await caller.hang_up()

    play.__name__ = f"consulted_{way}_{place}"
    play.__doc__ = f"An attended transfer, not completed. {how.begin.__doc__} {target.happens.__doc__}"
    taped = way == "refer" or (way, place) in {("code", "answered"), ("ami", "unanswered")}
    live = ["legs"] if place == "unreachable" else []
    scenario(*records, dialplan=PLAN, queues=QUEUE, taped=taped, live=live)(play)


INSIDE = Record(direction="internal", caller="101", dialed="102")
CONSULTATIONS = {
    "answered": replace(
        INSIDE,
        legs=((M2, "answered"),),
        answered_by=(M2,),
        talks=((M1, M2),),
        wait=0.4,
        talk=1.0,
        ended_by="staff",
    ),
    "unanswered": replace(INSIDE, status="failed", dialed="106", legs=((M2, "no_answer"),), wait=2.0, ended_by="pbx"),
    "unreachable": replace(INSIDE, status="failed", dialed="105", legs=((M5, "unavailable"),), ended_by="pbx"),
}

for _way in WAYS:
    for _place in ("answered", "to_queue", "outside", "to_voicemail"):
        completed(_way, _place)
    for _place in ("answered", "unanswered", "unreachable"):
        given_up(_way, _place)


@scenario(
    replace(
        begun("code", TARGETS["answered"], (6.0, 2.9)),
        talks=((CALLER, M1), (M1, M2), (CALLER, M2), (CALLER, M1)),
        transfers=(("attended", M1, "102", (M2,), True),),
        conference=True,
    ),
    dialplan=PLAN,
)
async def three_way(stage: Stage) -> None:
    """A consultation by feature code becomes a conference of three; m1 leaves it first."""
    caller, desk = await stage.answered_by(stage.m1)
    await lasts(1.0)
    await presses_code(stage, desk, "102")
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await desk.press("*3")
    await lasts(1.5)
    await desk.hang_up()
    await lasts(1.0)
    await caller.hang_up()
