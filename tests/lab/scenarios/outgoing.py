"""Calls that begin inside: to colleagues, and to the outside."""

from __future__ import annotations

from dataclasses import replace

from tests.lab.scenarios.answers import M1, M2, TRUNK
from tests.lab.scenarios.record import RECORDED, Record
from tests.lab.scenarios.scenario import RECORD, scenario
from tests.lab.scenarios.stage import CLIENT, Stage, lasts

# All places share the context of the phones: whose extensions are no numbers of three digits begins them otherwise.
OURS = "[from-phones]\nexten => _8XXXXXXXXXX,1,Goto(switchhook-outbound,7${EXTEN:1},1)\n"
NOBODY = f"[from-phones]\nexten => _3XXXXXXXXXX,1,{RECORD}\n same => n,Dial(PJSIP/7${{EXTEN:1}}@${{TRUNK}},2)\n"
OUT = Record(
    direction="outbound",
    caller="101",
    dialed=CLIENT,
    legs=((TRUNK, "answered"),),
    answered_by=(TRUNK,),
    talks=((M1, CLIENT),),
    recordings=RECORDED,
    wait=0.4,
    talk=1.0,
    ended_by="staff",
)
FAILED = replace(OUT, status="failed", answered_by=(), talks=(), talk=0.0, wait=0.0, ended_by="pbx")
INSIDE = replace(
    OUT, direction="internal", dialed="102", legs=((M2, "answered"),), answered_by=(M2,), talks=((M1, M2),)
)


@scenario(INSIDE, record_phones=True)
async def internal(stage: Stage) -> None:
    """A colleague calls a colleague, and hangs up."""
    caller = await stage.m1.dials("102")
    await stage.picks_up(stage.m2)
    await lasts(1.0)
    await caller.hang_up()


@scenario(OUT, record_phones=True)
async def outbound(stage: Stage) -> None:
    """A call to the outside is answered, and ended by who called."""
    desk = await stage.m1.dials(CLIENT)
    await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await desk.hang_up()


@scenario(
    replace(OUT, dialed="8" + CLIENT[1:], ended_by="caller", recordings=("*-caller.wav", "*-staff.wav")),
    dialplan=OURS,
    ami=("recordings",),
)
async def outbound_by_ours(stage: Stage) -> None:
    """A call to the outside by the dialplan that we ship, recorded, is answered, and ended there."""
    desk = await stage.m1.dials("8" + CLIENT[1:])
    client = await stage.picks_up(stage.someone(CLIENT))
    await lasts(1.0)
    await client.hang_up()
    await desk.ended()


@scenario(replace(FAILED, legs=((TRUNK, "busy"),)), record_phones=True)
async def outbound_busy(stage: Stage) -> None:
    """A call to the outside meets a busy line."""
    await stage.someone(CLIENT).answers_with(486)
    await (await stage.m1.dials(CLIENT)).ended()


@scenario(replace(FAILED, legs=((TRUNK, "cancelled"),), wait=1.0, ended_by="staff"), record_phones=True)
async def outbound_given_up(stage: Stage) -> None:
    """Nobody answers a call to the outside, and who called gives up."""
    desk = await stage.m1.dials(CLIENT)
    await stage.someone(CLIENT).rings()
    await lasts(1.0)
    await desk.hang_up()


@scenario(
    replace(FAILED, dialed="3" + CLIENT[1:], legs=((TRUNK, "no_answer"),), wait=2.0),
    dialplan="[from-phones]\nexten => _3XXXXXXXXXX,1,"
    + RECORD
    + "\n same => n,Dial(PJSIP/7${EXTEN:1}@${TRUNK},2)\n same => n,Hangup()\n",
)
async def outbound_noanswer(stage: Stage) -> None:
    """Nobody answers a call to the outside in time."""
    await (await stage.m1.dials("3" + CLIENT[1:])).ended()


@scenario(replace(FAILED, legs=((TRUNK, "unavailable"),)), record_phones=True)
async def outbound_invalid(stage: Stage) -> None:
    """A call to a number that does not exist (404)."""
    await stage.someone(CLIENT).answers_with(404)
    await (await stage.m1.dials(CLIENT)).ended()


@scenario(replace(FAILED, legs=((TRUNK, "congestion"),)), record_phones=True)
async def outbound_congestion(stage: Stage) -> None:
    """The trunk takes no more calls (503)."""
    await stage.someone(CLIENT).answers_with(503)
    await (await stage.m1.dials(CLIENT)).ended()


@scenario(replace(FAILED, legs=((TRUNK, "unavailable"),)), record_phones=True)
async def outbound_incomplete(stage: Stage) -> None:
    """A call to a number that is not whole (484)."""
    await stage.someone(CLIENT).answers_with(484)
    await (await stage.m1.dials(CLIENT)).ended()


@scenario(replace(FAILED, legs=((TRUNK, "rejected"),), wait=0.4), record_phones=True)
async def outbound_rejected(stage: Stage) -> None:
    """A call to the outside is declined."""
    desk = await stage.m1.dials(CLIENT)
    client = await stage.someone(CLIENT).rings()
    await lasts(0.4)
    await client.reject()
    await desk.ended()


@scenario(
    replace(FAILED, direction="internal", dialed="106", legs=((M2, "no_answer"),), wait=2.0),
    dialplan="[from-phones]\nexten => 106,1," + RECORD + "\n same => n,Dial(PJSIP/m2,2)\n same => n,Hangup()\n",
)
async def internal_unanswered(stage: Stage) -> None:
    """A colleague calls a colleague, whose phone rings out."""
    caller = await stage.m1.dials("106")
    await stage.m2.rings()
    await caller.ended()
