"""A recording is paused while people talk: by keys on a phone, and by whoever asks the service."""

from __future__ import annotations

import array
import wave
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.events import RecordingRefused, RecordingStarted
from calls.record import record, state_call
from calls.view import CallView, view
from directory.store import apply
from recordings import pauses
from recordings.audit import Actor
from recordings.names import SIDES
from service.demo_world import OutsideWorld, answer
from service.demo_world.world import OutsideCall
from service.pbx import Pbx, Phone
from service.telephony_role import Telephony
from tests.end_to_end.stage import DIRECTORY, FALLBACK, LINE, ROUTED, Stage, until
from tests.lab.test_dialplan_talks import complete

NUMBER = "79161230177"
TALK = ("ru/queue-youarenext",) * 12


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(ROUTED, "101"), Phone(FALLBACK, "102")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def known(stage: Stage, number: str = NUMBER) -> tuple[UUID, CallView] | None:
    """The call as the record has it now."""
    rows = await stage.rows("select id, state from calls where caller_number = :n and joined_into is null", n=number)
    return (rows[0].id, view(state_call(rows[0].state))) if rows else None


async def talk(stage: Stage) -> tuple[OutsideCall, UUID]:
    """A client and Анна talk, and it is recorded."""
    await stage.world.phone(ROUTED).behave(answer(0.1, speak=TALK))
    call = await stage.world.call(NUMBER, "Клиент", LINE, speak=TALK, stay=True)

    async def talks() -> UUID | None:
        found = await known(stage)
        return found[0] if found and found[1].status == "talking" and found[1].recorded else None

    call_id = await until(talks, "they talk, recorded")
    assert call_id is not None
    return call, call_id


async def press(stage: Stage, call: OutsideCall, keys: str) -> None:
    """Who was called presses keys on their phone."""
    rows = [row.split("!") for row in (await stage.world.cli("core show channels concise")).splitlines()]
    (name,) = [row[0] for row in rows if row[-1] != call.name]
    for key in keys:
        await stage.world.manager.action({"Action": "PlayDTMF", "Channel": name, "Digit": key})


async def listens(stage: Stage) -> bool:
    """Whether keys that Анна presses are heard: nothing is played to her."""
    rows = [row.split("!") for row in (await stage.pbx.cli("core show channels concise")).splitlines()]
    return {row[5] for row in rows if ROUTED in row[0]} <= {"AppDial", "Return"}


async def send_on(stage: Stage, telephony: Telephony) -> None:
    """Анна sends the client on to Борис, and they talk; what was paused is paused still."""
    (hers,) = await names(stage, ROUTED)
    sent = {"Action": "BlindTransfer", "Channel": hers, "Context": "switchhook-internal", "Exten": "102"}
    await telephony.attendants[0].link.action(sent)

    async def talks() -> CallView | None:
        found = await known(stage)
        return found[1] if found and len(found[1].talks) == 2 else None

    seen = await until(talks, "the client and Борис talk")
    assert seen is not None
    assert pauses.is_paused(seen)


async def muted(stage: Stage, spans: int, *, going_on: bool, number: str = NUMBER) -> CallView:
    """The call once it has so many pauses, of which the last goes on or not."""

    async def there() -> CallView | None:
        found = await known(stage, number)
        told = found[1].muted if found else ()
        return found[1] if found and len(told) == spans and (told[-1].until is None) is going_on else None

    seen = await until(there, f"{spans} pauses, the last {'goes on' if going_on else 'is over'}")
    assert seen is not None
    return seen


async def pause_refused(stage: Stage, call_id: UUID) -> str | None:
    """What becomes of a wish to pause when the record tells of a recorded channel that the PBX does not record."""
    (row,) = await stage.rows("select state from calls where id = :id", id=call_id)
    call = state_call(row.state)
    ours, theirs = view(call).recorded[0], max(call.channels)
    started = RecordingStarted(pbx=call.pbx, channel=theirs, linkedid=ours, at=datetime.now(UTC))
    assert ours != theirs
    async with stage.engine.begin() as connection:
        await record(connection, [started])
    return await wished(stage, call_id, paused=True)


async def test_keys_and_wishes_pause_and_resume_the_same_recording(stage: Stage) -> None:
    """Silence is written on both sides meanwhile, so they stay as long as the talk; who did it is audited.

    A transfer ends no pause. What cannot be paused on every channel is told as refused, and paused on none.
    """
    await stage.world.phone(FALLBACK).behave(answer(0.1, speak=TALK))
    async with stage.open(stage.settings()) as (_, telephony):
        await until(stage.asked, "the PBX asks the service")
        call, call_id = await talk(stage)
        for going_on in (True, False):
            await until(partial(listens, stage), "she hears no beep of before")
            await press(stage, call, "*7")
            await muted(stage, 1, going_on=going_on)
        assert await wished(stage, call_id, paused=True) == "done"
        await muted(stage, 2, going_on=True)
        await send_on(stage, telephony)
        assert await wished(stage, call_id, paused=False) == "done"
        await muted(stage, 2, going_on=False)
        assert await pause_refused(stage, call_id) == "refused_by_pbx"
        await muted(stage, 3, going_on=False)
        await call.hangup()

        async def over() -> CallView | None:
            found = await known(stage)
            return found[1] if found and found[1].ended_at else None

        seen = await until(over, "the call is over")
        assert seen is not None
        assert await wished(stage, call_id, paused=False) == "over"
    assert [span.until is not None for span in seen.muted] == [True, True, True]
    told = await stage.rows("select actor, action from audit where subject = :s order by id", s=f"call {call_id}")
    pause, resume = "recording_paused", "recording_resumed"
    phone = f"PJSIP/{ROUTED}"
    assert [tuple(row) for row in told] == [
        (phone, pause),
        (phone, resume),
        ("head", pause),
        ("head", resume),
        ("head", pause),
        ("head", resume),
    ]
    await complete(stage.pbx.recordings, seen.recorded[0])
    sides = [sound(stage.pbx.recordings / f"{seen.recorded[0]}-{side}.wav") for side in SIDES]
    assert abs(len(sides[0]) - len(sides[1])) < 800
    assert abs(len(sides[0]) / 8000 - seen.talk_seconds) < 1.0
    assert seen.answered_at is not None
    first, second = seen.talks
    assert first.until is not None
    assert second.since is not None
    for span, unrecorded in zip(seen.muted[:2], (timedelta(), second.since - first.until), strict=True):
        assert span.until is not None
        begin, end = ((at - seen.answered_at).total_seconds() for at in (span.since, span.until - unrecorded))
        for side in sides:
            assert not any(side[round((begin + 0.3) * 8000) : round((end - 0.3) * 8000)])
    assert all(max(side) > 1000 for side in sides)


async def wished(stage: Stage, call_id: UUID, *, paused: bool) -> str | None:
    """What becomes of a wish."""
    async with stage.engine.begin() as connection:
        wish = await pauses.ask(connection, call_id, paused=paused, by=Actor(login="head"))

    async def settled() -> str | None:
        async with stage.engine.connect() as connection:
            return await pauses.outcome_of(connection, wish)

    return await until(settled, "the wish is settled")


async def test_what_is_not_recorded_cannot_be_paused_and_a_pause_is_the_calls_and_not_a_channels(stage: Stage) -> None:
    """Between colleagues nothing is recorded: keys and wishes say so. Then it is, on the channel of Борис, and paused.

    That channel ends, and the next is recorded: paused too, and resumed. What somebody refused nobody resumes.
    """
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        await stage.world.phone(FALLBACK).behave(answer(0.1, speak=TALK))
        call = await stage.world.phone(ROUTED).dial("102", speak=TALK)

        async def talks() -> tuple[UUID, CallView] | None:
            found = await known(stage, "101")
            return found if found and found[1].status == "talking" else None

        found = await until(talks, "they talk")
        assert found is not None
        assert not found[1].recorded
        assert await wished(stage, found[0], paused=True) == "not_recorded"
        await press(stage, call, "*7")
        by_keys = "select outcome from recording_wishes where asked_by = :device and settled_at is not null"
        pressed = partial(stage.rows, by_keys, device=f"PJSIP/{FALLBACK}")
        assert [row.outcome for row in await until(pressed, "the keys are settled")] == ["not_recorded"]
        (ours,) = await names(stage, ROUTED)
        (his,) = await names(stage, FALLBACK)
        await begin_recording(stage, his)
        await until(partial(recorded, stage, 1), "it is recorded")
        assert await wished(stage, found[0], paused=True) == "done"
        await muted(stage, 1, going_on=True, number="101")
        await stage.pbx.cli(f"channel redirect {ours} switchhook-internal,102,1")

        async def again() -> str | None:
            now = await names(stage, FALLBACK)
            return now[0] if len(now) == 1 and now != [his] else None

        other = await until(again, "his phone rings again, and the channel before is gone")
        assert other is not None
        await begin_recording(stage, other)
        seen = await muted(stage, 2, going_on=True, number="101")
        assert [span.channel for span in seen.muted] == list(seen.recorded)
        assert await wished(stage, found[0], paused=False) == "done"
        seen = await muted(stage, 2, going_on=False, number="101")
        await refuse(stage, seen)
        seen = await muted(stage, 3, going_on=True, number="101")
        assert await wished(stage, found[0], paused=False) == "not_recorded"
        await call.hangup()


async def refuse(stage: Stage, seen: CallView) -> None:
    """Somebody in the call refuses to be recorded, as the dialplan tells it."""
    refused = RecordingRefused(pbx=seen.pbx, channel=seen.caller_channel, at=datetime.now(UTC))
    async with stage.engine.begin() as connection:
        await record(connection, [refused])


async def names(stage: Stage, phone: str) -> list[str]:
    """The channels of a phone at the PBX."""
    rows = (await stage.pbx.cli("core show channels concise")).splitlines()
    return [row.split("!")[0] for row in rows if f"/{phone}-" in row.split("!")[0]]


async def begin_recording(stage: Stage, name: str) -> None:
    """As a dialplan of the house may."""
    await stage.pbx.cli(f"mixmonitor start {name} {stage.pbx.recordings / name.rpartition('/')[2]}.wav,b")


async def recorded(stage: Stage, count: int) -> bool:
    """Whether so many channels of the call between colleagues are recorded."""
    found = await known(stage, "101")
    return found is not None and len(found[1].recorded) == count


def sound(path: Path) -> array.array[int]:
    """The samples of one side."""
    with wave.open(str(path)) as file:
        return array.array("h", file.readframes(file.getnframes()))
