"""Callers who hold, and the service as it serves them: first come, first served, by whoever comes free."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.model import Vip
from directory.rules import Destination, Rule
from directory.store import apply
from recordings.store import Store
from recordings.storing import StoringJobs
from service.demo_world import OutsideWorld, answer, ring_out
from service.demo_world.world import OutsideCall
from service.pbx import Pbx, Phone
from service.reconcile import reconcile
from service.wiring import owes
from telephony.cel_file import CelFile
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until
from tests.lab.test_dialplan_talks import loudness

HELD = "74951234599"
"""A number of the PBX's own, whose callers hold for the team at once."""
MAILBOX = "74951234598"
"""Another, whose callers leave a message."""
SPEECH = ("ru/hello",)


class HoldingPbx(Pbx):
    """The company's PBX; whoever dials HELD holds for the team sales, with music."""

    def configuration(self) -> dict[str, str]:
        told = super().configuration()
        told["extensions.conf"] += (
            f"\n[from-trunk](+)\nexten => {HELD},1,Set(CHANNEL(hangup_handler_push)=switchhook-hangup,s,1)\n"
            f" same => n,MSet(__SWITCHHOOK_LINE={HELD},SWITCHHOOK_GO=1|||hold|120|sales)\n"
            " same => n,Goto(switchhook-plan,s,1)\n"
            f"exten => {MAILBOX},1,Set(CHANNEL(hangup_handler_push)=switchhook-hangup,s,1)\n"
            f" same => n,MSet(__SWITCHHOOK_LINE={MAILBOX},SWITCHHOOK_GO=1|||voicemail|60|sales)\n"
            " same => n,Goto(switchhook-plan,s,1)\n"
        )
        told["musiconhold.conf"] = f"[general]\n[default]\nmode = files\ndirectory = {self.folder}/data/sounds/ru\n"
        return told


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    async with HoldingPbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """Anna talks with a colleague on her only phone; nobody else is in the team."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    await world.phone(ROUTED).behave(ring_out())
    await world.phone(FALLBACK).behave(answer(0.0, speak=(120.0,)))
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def annas_talk(stage: Stage) -> OutsideCall:
    """Anna talks, so that nobody is free."""
    talk = await stage.world.phone(ROUTED).dial("102", speak=(120.0,))
    await talk.answered()
    return talk


async def held(stage: Stage, number: str, place: str, line: str = HELD) -> OutsideCall:
    """A caller who holds and knows their place."""
    call = await stage.world.call(number, "Ждущий", line, speak=(), stay=True)
    await call.answered()
    await place_of(stage, number, place)
    return call


async def place_of(stage: Stage, number: str, wanted: str) -> None:
    """Wait until the PBX has the place of a caller."""
    await hears(stage, number, f"SWITCHHOOK_PLACE={wanted}\n")


async def hears(stage: Stage, number: str, wanted: str) -> None:
    """Wait until what the PBX tells of a holding caller's channel, its words among it, has `wanted`."""

    async def told() -> bool:
        for row in (await stage.pbx.cli("core show channels concise")).splitlines():
            name, context = row.split("!")[:2]
            if context == "switchhook-hold" and f"!{number}!" in row:
                return wanted in await stage.pbx.cli(f"core show channel {name}")
        return False

    await until(told, f"{number} is told {wanted.strip()}")


async def press(stage: Stage, call: OutsideCall, digit: str) -> None:
    """The caller presses a key."""
    await stage.world.manager.action({"Action": "PlayDTMF", "Channel": call.name, "Digit": digit})


async def test_who_comes_free_gets_who_came_first_and_each_gets_one(stage: Stage) -> None:
    """Anna hangs up: her phone rings at once for the first; the second is served next."""
    anna = stage.world.phone(ROUTED)
    async with stage.serve():
        talk = await annas_talk(stage)
        first = await held(stage, "79161232001", "1")
        second = await held(stage, "79161232002", "2")
        await talk.hangup()
        assert await anna.rings(3.0) == "79161232001"
        assert not anna.has_rung
        await anna.behave(answer(0.0, speak=(60.0,)))
        await first.hangup()  # gave up in this very moment: she gets the next one
        assert await anna.rings(3.0) == "79161232002"
        await anna.answers()
        await asyncio.sleep(1.5)  # they talk
        await second.hangup()
        record = await stage.record("79161232002")
        assert (record.answered_by, record.person, record.status) == ([f"PJSIP/{ROUTED}"], "anna", "answered")
        (taken,) = await stage.told(record, "TakenOver")
        assert (taken["person"], taken["team"]) == ("anna", "sales")
        record = await stage.record("79161232001", status="missed")
        assert len(await stage.told(record, "QueueJoined")) == 1


async def test_who_does_not_answer_is_not_rung_again_at_once(stage: Stage) -> None:
    """The caller goes on holding at their place."""
    anna = stage.world.phone(ROUTED)
    async with stage.serve():
        talk = await annas_talk(stage)
        call = await held(stage, "79161232003", "1")
        await talk.hangup()
        await anna.rings(3.0)
        await anna.behave(ring_out())
        await stage.pbx.cli(f"channel request hangup {await channel_to(stage, ROUTED)}")
        await asyncio.sleep(2.5)
        assert not anna.has_rung
        assert not call.is_ended
        await call.hangup()


async def test_a_rule_has_callers_hold_and_a_vip_goes_first(stage: Stage) -> None:
    """The whole way: the service is asked, a rule says hold, the VIP who comes later is served before the others."""
    anna, vip = stage.world.phone(ROUTED), "79161232042"
    rule = Rule(name="wait", then=(Destination(kind="ring", to="team"), Destination(kind="hold", to="sales")))
    async with stage.engine.begin() as connection:
        await apply(connection, replace(DIRECTORY, rules=(rule,), vip=(Vip(number=vip),)))
    async with stage.serve():
        talk = await annas_talk(stage)
        first = await held(stage, "79161232041", "1", LINE)
        second = await held(stage, vip, "1", LINE)
        await place_of(stage, "79161232041", "2")
        await anna.behave(answer(0.0, speak=(60.0,)))
        await talk.hangup()
        assert await anna.rings(3.0) == vip
        await anna.answers()
        await place_of(stage, "79161232041", "1")
        await second.hangup()
        assert await anna.rings(3.0) == "79161232041"
        await anna.answers()
        await first.hangup()
        record = await stage.record(vip)
        (routed,) = await stage.told(record, "Routed")
        assert routed["rule"] == "wait"
        assert [step["kind"] for step in json.loads(routed["plan"])["steps"]] == ["hold"]
        assert len(await stage.told(record, "TakenOver")) == 1
        assert (record.person, record.line) == ("anna", LINE)
        await stage.record("79161232041")
        assert await differences(stage) == []


async def channel_to(stage: Stage, phone: str) -> str:
    rows = (await stage.pbx.cli("core show channels concise")).splitlines()
    return next(name for row in rows if (name := row.partition("!")[0]).startswith(f"PJSIP/{phone}-"))


async def test_a_restart_in_the_middle_of_the_words_keeps_every_place_and_every_wish(stage: Stage) -> None:
    """Killed while three hold and one hears their place, who presses 1 then, to nobody; started again: the wish is
    promised, who came first is served first, and each wait is one.
    """
    anna = stage.world.phone(ROUTED)
    numbers = [f"7916123201{number}" for number in (1, 2, 3)]
    async with stage.serve() as service:
        talk = await annas_talk(stage)
        calls = [await held(stage, number, str(place)) for place, number in enumerate(numbers, 1)]
        assert 'switchhook_callers_waiting{pbx="pbx",team="sales"} 3.0' in await service.metrics()
        await hears(stage, numbers[2], "digits/3")
        await service.kill()
        await press(stage, calls[2], "1")
    async with stage.serve():
        assert await calls[2].ended() == 16
        (asked,) = await stage.told(await stage.record(numbers[2], status="missed"), "CallbackRequested")
        assert (asked["team"], asked["place"]) == ("sales", 3)
        await talk.hangup()
        assert await anna.rings(20.0) == numbers[0]
        for call in calls[:2]:
            await call.hangup()
        for number in numbers:
            record = await stage.record(number, status="missed")
            joined = await stage.told(record, "QueueJoined")
            assert {one["queue"] for one in joined} == {"sales"}


async def test_who_presses_1_is_promised_a_call_and_it_is_in_the_record(stage: Stage) -> None:
    """With the place that they had."""
    async with stage.serve():
        talk = await annas_talk(stage)
        first = await held(stage, "79161232021", "1")
        second = await held(stage, "79161232022", "2")
        await press(stage, second, "1")
        assert await second.ended() == 16
        record = await stage.record("79161232022", status="missed")
        (asked,) = await stage.told(record, "CallbackRequested")
        assert (asked["team"], asked["place"]) == ("sales", 2)
        assert record.missed_cause == "all_busy"  # nobody was free for them, and their time was not up
        (left,) = await stage.told(record, "QueueLeft")
        assert left["outcome"] == "callback"
        await first.hangup()
        await talk.hangup()
        await stage.record("79161232021", status="missed")
        assert await differences(stage) == []


async def test_a_message_is_in_the_record_and_in_the_store(stage: Stage) -> None:
    """The service dies while the caller speaks: CEL tells of the message, and its sound is kept like a recording."""
    world = stage.world
    async with stage.serve() as service:
        call = await world.call("79161232031", "Говорящий", MAILBOX, speak=(7.0, *SPEECH, *SPEECH, *SPEECH))
        await call.answered()
        await service.kill()
    await call.ended()
    async with stage.serve(answering=False):
        record = await stage.record("79161232031", status="voicemail")
        (left,) = await stage.told(record, "VoicemailLeft")
        assert left["box"] == "sales"
        assert await differences(stage) == []
        await until(
            lambda: stage.rows("select 1 from calls where id = :id and settled_at is not null", id=record.id), "settled"
        )
    store = Store.in_folder(stage.folder)
    jobs = StoringJobs(engine=stage.engine, owes=owes, store=store, folders={"pbx": stage.pbx.recordings})
    await jobs.store_recording(record.id, 0)
    (kept,) = await stage.rows("select * from recordings where call_id = :id", id=record.id)
    assert (kept.side, kept.state) == ("caller", "stored")
    assert kept.seconds > 2
    assert loudness(stage.folder / kept.path) > 100


async def differences(stage: Stage) -> list[str]:
    """What the PBX's own log and the store tell otherwise of this test's calls."""
    (first,) = await stage.rows("select min(started_at) as at from calls")
    source = CelFile(stage.pbx.cel_file)
    found = await reconcile("pbx", source, stage.engine, first.at, datetime.now(UTC) + timedelta(hours=1))
    return [str(one) for one in found.differences]
