"""A program has the PBX call two people, one after the other (AMI's Originate): click-to-call."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import M1, TRUNK
from tests.lab.scenarios.outgoing import FAILED, OUT
from tests.lab.scenarios.scenario import scenario
from tests.lab.scenarios.stage import CLIENT, Stage, lasts
from tests.lab.scenarios.telephones import Phone

NOT_CALLED = replace(FAILED, direction="internal", dialed="", recordings=())
"""No event of a channel tells the client's number before the client is called."""
NUMBER = ("direction", "caller", "dialed", "legs", "talks", "ended_by")
"""What hangs on the number that the PBX called first: CEL names the trunk only."""


async def click(stage: Stage, channel: str, exten: str, shown: str, seconds: int = 20) -> None:
    """A program connects the channel, if it answers within so many seconds, with the extension."""
    await stage.pbx.does(
        "Originate",
        Channel=channel,
        Exten=exten,
        Context="from-phones",
        Priority="1",
        CallerID=shown,
        Timeout=str(1000 * seconds),
        Async="true",
    )


# Who is busy says so after a moment: an Originate now and then misses a refusal that comes at once, and waits for its
# whole timeout (seen on Asterisk 22.10).
async def is_busy(phone: Phone) -> None:
    """The phone has hardly rung when it says that it is busy."""
    call = await phone.rings()
    await lasts(0.4)
    await call.reject(486)


@scenario(replace(OUT, wait=0.8), record_phones=True)
async def click2call(stage: Stage) -> None:
    """A click calls the colleague first, then the client."""
    await click(stage, "PJSIP/m1", CLIENT, "101")
    desk = await stage.picks_up(stage.m1)
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await desk.hang_up()


@scenario(replace(FAILED, legs=((TRUNK, "rejected"),), wait=0.8), record_phones=True)
async def click2call_client_refuses(stage: Stage) -> None:
    """A click calls the colleague first, then the client, who declines."""
    await click(stage, "PJSIP/m1", CLIENT, "101")
    desk = await stage.picks_up(stage.m1)
    client = await stage.someone(CLIENT).rings()
    await lasts(0.4)
    await client.reject()
    await desk.ended()


@scenario(replace(NOT_CALLED, legs=((M1, "rejected"),), wait=0.4), record_phones=True)
async def click2call_staff_refuses(stage: Stage) -> None:
    """A click calls the colleague first, who declines."""
    await click(stage, "PJSIP/m1", CLIENT, "101")
    desk = await stage.m1.rings()
    await lasts(0.4)
    await desk.reject()


@scenario(replace(OUT, talks=((CLIENT, M1),), wait=0.8), record_phones=True)
async def click2call_client_first(stage: Stage) -> None:
    """A click calls the client first, then the colleague."""
    await click(stage, f"PJSIP/{CLIENT}@trunk", "101", CLIENT)
    client = await stage.picks_up(stage.someone(CLIENT))
    desk = await stage.picks_up(stage.m1)
    await lasts(1.0)
    await desk.hang_up()
    await client.ended()


@scenario(replace(OUT, wait=0.8), record_phones=True)
async def click2call_shown_client(stage: Stage) -> None:
    """A click calls the colleague first, whose phone shows the client's number, then the client."""
    await click(stage, "PJSIP/m1", CLIENT, f'"Клиент" <{CLIENT}>')
    desk = await stage.picks_up(stage.m1)
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await desk.hang_up()


@scenario(replace(NOT_CALLED, legs=((M1, "busy"),), wait=0.4), record_phones=True)
async def click2call_staff_busy(stage: Stage) -> None:
    """A click calls the colleague first, whose phone is busy."""
    await click(stage, "PJSIP/m1", CLIENT, "101")
    await is_busy(stage.m1)


@scenario(replace(NOT_CALLED, legs=((M1, "no_answer"),), wait=2.0), record_phones=True)
async def click2call_staff_unanswered(stage: Stage) -> None:
    """A click calls the colleague first, who does not answer."""
    await click(stage, "PJSIP/m1", CLIENT, "101", 2)
    await (await stage.m1.rings()).ended()


@scenario(replace(FAILED, legs=((TRUNK, "busy"),), wait=0.8), record_phones=True)
async def click2call_client_busy(stage: Stage) -> None:
    """A click calls the colleague first, then the client, who is busy."""
    await click(stage, "PJSIP/m1", CLIENT, "101")
    desk = await stage.picks_up(stage.m1)
    await is_busy(stage.someone(CLIENT))
    await desk.ended()


@scenario(replace(FAILED, caller="", legs=((TRUNK, "busy"),), wait=0.4, recordings=()), cel=NUMBER, record_phones=True)
async def click2call_client_first_busy(stage: Stage) -> None:
    """A click calls the client first, who is busy; the colleague's phone does not ring."""
    await click(stage, f"PJSIP/{CLIENT}@trunk", "101", "")
    await is_busy(stage.someone(CLIENT))


@scenario(replace(FAILED, legs=((TRUNK, "failed"), (M1, "rejected")), wait=0.8), cel=NUMBER, record_phones=True)
async def click2call_client_first_staff_refuses(stage: Stage) -> None:
    """A click calls the client first, who answers, then the colleague, who declines."""
    await click(stage, f"PJSIP/{CLIENT}@trunk", "101", "")
    client = await stage.picks_up(stage.someone(CLIENT))
    desk = await stage.m1.rings()
    await lasts(0.4)
    await desk.reject()
    await client.ended()


@scenario(replace(OUT, talks=((CLIENT, M1),), wait=0.8, ended_by="caller"), cel=NUMBER, record_phones=True)
async def click2call_client_first_unnamed(stage: Stage) -> None:
    """A click that tells no number for the caller calls the client first, then the colleague; the client hangs up."""
    await click(stage, f"PJSIP/{CLIENT}@trunk", "101", "")
    client = await stage.picks_up(stage.someone(CLIENT))
    await stage.picks_up(stage.m1)
    await lasts(1.0)
    await client.hang_up()
