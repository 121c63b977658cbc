"""A head overhears a call on their own telephone: who hears whom, and that the call's record knows nothing of it."""

from __future__ import annotations

import array
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import state_call
from calls.view import view
from directory.file import loads
from directory.store import apply
from directory.tables import users
from recordings.names import SIDES
from service.comparison import compare
from service.demo_world import OutsideWorld, answer, reject
from service.demo_world.world import OutsideCall
from service.pbx import Pbx, Phone
from service.wiring import cel_source
from telephony import overhearings
from telephony.chan_spy import Mode
from tests.end_to_end.stage import LINE, ROUTED, Stage, until
from tests.lab.test_dialplan_talks import complete, length
from tests.lab.test_dialplan_talks import loud_seconds as recorded_seconds

NUMBER, OTHER, THIRD, HEAD = "79161230188", "79161230189", "79161230190", "vera-desk"
TALK = ("ru/queue-youarenext",) * 12
TEAM = loads(
    f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
people:
  - {{key: anna, name: Анна, role: manager, devices: [{{kind: desk, address: PJSIP/{ROUTED}, number: "101"}}]}}
  - {{key: vera, name: Вера, role: head, devices: [{{kind: desk, address: PJSIP/{HEAD}, number: "103"}}]}}
teams: [{{key: sales, name: Продажи, strategy: ring_all, members: [anna]}}]
lines: [{{number: "{LINE}", name: Продажи, trunk: PJSIP/trunk, team: sales}}]
""",
    "directory.yaml",
)


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    """The company's PBX."""
    async with Pbx([Phone(ROUTED, "101"), Phone(HEAD, "103")]) as running:
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    """A fresh store with the directory in it; afterwards nobody is on the line."""
    async with engine.begin() as connection:
        await apply(connection, TEAM)
        await connection.execute(insert(users).values(login="vera", role="head", person_key="vera"))
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


async def talk(stage: Stage, number: str, *, speak: tuple[str, ...] = ()) -> tuple[OutsideCall, UUID]:
    """A client and Анна are connected; she says nothing."""
    await stage.world.phone(ROUTED).behave(answer(0.1, speak=()))
    call = await stage.world.call(number, "Клиент", LINE, speak=speak, stay=True)
    asked = "select id from calls where caller_number = :n and joined_into is null and status = 'talking'"
    rows = await until(lambda: stage.rows(asked, n=number), "they talk")
    return call, rows[0].id


async def overhear(stage: Stage, call: UUID, mode: Mode, *, ends: str = "heard") -> Any:
    """Вера wants to overhear; the row of it once it is in that state."""
    async with stage.engine.begin() as connection:
        asked = await overhearings.ask(connection, call, person="vera", heard="anna", mode=mode, asked_by="vera")
    return await state(stage, asked, ends)


async def state(stage: Stage, overhearing: UUID, wanted: str) -> Any:
    """The row once it is in that state."""

    async def there() -> Any:
        async with stage.engine.connect() as connection:
            row = await overhearings.find(connection, overhearing)
        return row if row is not None and row.state == wanted else None

    return await until(there, f"the overhearing is {wanted}")


async def outside(stage: Stage, who: str) -> str:
    """The channel, in the outside world, of a telephone by its name, or of a caller by the call's."""
    rows = [row.split("!") for row in (await stage.world.cli("core show channels concise")).splitlines()]
    (name,) = [row[0] for row in rows if who in {row[2], row[-1]}]
    return name


async def ear(stage: Stage, who: str, what: str) -> Path:
    """A file of all that somebody outside hears from now on."""
    heard = stage.world.folder / f"{what}.sln"
    everything = stage.world.folder / f"{what}-all.sln"
    await stage.world.cli(f"mixmonitor start {await outside(stage, who)} {everything},r({heard})")
    return heard


def loud_seconds(heard: Path) -> float:
    """Seconds of what was heard so far in which somebody spoke, in steps of a twentieth."""
    sound = heard.read_bytes() if heard.exists() else b""
    samples = array.array("h", sound[: len(sound) // 2 * 2])
    return sum(max(map(abs, samples[at : at + 400])) > 500 for at in range(0, len(samples), 400)) / 20


async def hears(heard: Path) -> None:
    """Wait until somebody was heard."""

    async def loud() -> bool:
        return loud_seconds(heard) > 0.4

    await until(loud, f"{heard.name}: somebody is heard")


async def test_a_head_listens_whispers_and_joins_and_the_record_has_the_call_alone(stage: Stage) -> None:
    """Listening is heard by nobody, a whisper by the colleague alone, joining by everybody; each wish is a row.

    It ends with the right to it.

    The telephone of the head is in no call: the store has the two calls of the clients, and CEL tells no third. What
    she says is in no recording.
    """
    began_at = datetime.now(UTC)  # what another test left with the PBX may be recovered into this store
    settings = stage.settings()
    async with stage.open(settings):
        await until(stage.asked, "the PBX asks the service")
        client, call = await talk(stage, NUMBER, speak=TALK)
        await stage.world.phone(HEAD).behave(answer(0.1, speak=()))
        first = await overhear(stage, call, "listen")
        await hears(await ear(stage, HEAD, "head"))
        await client.hangup()
        assert (await state(stage, first.id, "over")).began_at is not None

        client, other = await talk(stage, OTHER)
        await stage.world.phone(HEAD).behave(answer(0.1, speak=TALK))
        theirs, colleague = await ear(stage, client.name, "client"), await ear(stage, ROUTED, "colleague")
        whisper = await overhear(stage, other, "whisper")
        await hears(colleague)
        assert loud_seconds(theirs) == 0
        joined = await overhear(stage, other, "join")
        await hears(theirs)
        assert (joined.channel, (await state(stage, whisper.id, "over")).reason) == (whisper.channel, None)
        async with stage.engine.begin() as connection:  # she is no head any more: she hears no more, they talk on
            await connection.execute(update(users).values(role="manager"))
        await state(stage, joined.id, "over")
        assert not client.is_ended
        await client.hangup()
        (channel,) = view(state_call((await stage.record(OTHER)).state)).recorded
        await complete(stage.pbx.recordings, channel)
        assert [length(stage.pbx.recordings / f"{channel}-{side}.wav") > 0.5 for side in SIDES] == [True, True]
        assert [recorded_seconds(stage.pbx.recordings / f"{channel}-{side}.wav") for side in SIDES] == [0, 0]
        asked = "select caller_number, status, answered_by from calls where started_at >= :began order by started_at"
        rows = await stage.rows(asked, began=began_at)
        assert [tuple(row) for row in rows] == [
            (NUMBER, "answered", [f"PJSIP/{ROUTED}"]),
            (OTHER, "answered", [f"PJSIP/{ROUTED}"]),
        ]
        source = cel_source(settings.pbx[0])
        assert source is not None
        until_now = datetime.now(UTC) + timedelta(seconds=1)
        told = [one async for some in compare("pbx", source, stage.engine, began_at, until_now) for one in some]
        assert [dict(one.differing) for one in told] == [{}, {}]


async def phone_is(stage: Stage, state: str) -> None:
    """Wait until the PBX says that of Вера's telephone."""
    asked = "select 1 from device_states where device = :device and state = :state"

    async def told() -> bool:
        return bool(await stage.rows(asked, device=f"PJSIP/{HEAD}", state=state))

    await until(told, f"the telephone of the head is {state}")


async def test_what_cannot_be_overheard_says_why(stage: Stage) -> None:
    """Вера declines; her telephone is in use; the call is over."""
    async with stage.open(stage.settings()):
        await until(stage.asked, "the PBX asks the service")
        client, call = await talk(stage, THIRD)
        head = stage.world.phone(HEAD)
        await head.behave(reject())
        assert (await overhear(stage, call, "listen", ends="failed")).reason == "rejected"
        own = await head.dial("101", speak=())
        await phone_is(stage, "inuse")
        assert (await overhear(stage, call, "listen", ends="failed")).reason == "in_use"
        await own.hangup()
        await client.hangup()
        await stage.record(THIRD)
        assert (await overhear(stage, call, "listen", ends="failed")).reason == "over"
