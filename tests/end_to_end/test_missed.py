"""Every cause of a missed call, made to happen on a real PBX with the real service, and who is to blame for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.follow_ups import FollowUpJobs
from calls.missed import GROUPS
from calls.queue import Crew, make_app, work
from calls.record import state_call
from calls.view import CallView, view
from crm_sync.book.owners import owner_of
from crm_sync.book.parties import numbers_of
from directory.file import loads
from directory.presence_store import set_status
from directory.store import apply
from service.demo_world import OutsideWorld, answer, busy, reject, ring_out
from service.demo_world.world import OutsideCall
from service.pbx import Pbx, Phone
from service.ports import free_port
from service.settings import CrmSettings
from telephony.clocks import AHEAD
from tests.end_to_end.stage import Stage, until
from tests.fakes.crm import TOKEN, open_crm

PHONES = ("rings", "declines", "talks", "leaves", "dies", "gone", "quiet", "off", "fallback")
LINES = {name: f"7495123450{number}" for number, name in enumerate((*PHONES[:-1], "mobile"), 1)}
LINES |= {"mobile": "74951234511", "closed": "74951234512", "waits": "74951234513", "empty": "74951234514"}
LINES |= {"full": LINES["waits"], "menu": "74951234515"}
BLOCKED = "79169999999"
NUMBERS = {"fallback": "201"}
"""What colleagues dial."""

DIRECTORY = loads(
    """
company: {name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru, ring_seconds_least: 3}
hours: {always: {mon-sun: "00:00-24:00"}, never: {}}
people:
  - {key: vera, name: Вера, role: head, hours: always}
  - {key: mobile, name: Мобильный, role: manager, hours: always,
      devices: [{kind: mobile, address: "79160000011", trunk: PJSIP/dead}]}
"""
    + "".join(
        f"  - {{key: {name}, name: {name.title()}, role: manager, hours: {'never' if name == 'off' else 'always'},"
        f" devices: [{{kind: desk, address: PJSIP/{name}}}]}}\n"
        for name in PHONES
    )
    + "teams:\n"
    + "".join(f"  - {{key: {name}, name: {name.title()}, members: [{name}]}}\n" for name in (*PHONES[:-1], "mobile"))
    + "lines:\n"
    + "".join(
        f'  - {{number: "{number}", name: {name.title()}, team: {name if name in (*PHONES, "mobile") else "rings"},'
        f" hours: {'never' if name == 'closed' else 'always'}, trunk: PJSIP/trunk, ring_seconds: 5,"
        f" fallback: [PJSIP/fallback]}}\n"
        for name, number in LINES.items()
        if name != "full"
    )
    + f"""
rules:
  - {{name: waits, when: {{line: "{LINES["waits"]}"}}, then: [{{queue: waits, seconds: 6}}]}}
  - {{name: empty, when: {{line: "{LINES["empty"]}"}}, then: [{{queue: empty}}]}}
blocked: [{{number: "{BLOCKED}"}}]
""",
    "directory.yaml",
)


class OfficePbx(Pbx):
    """The company's PBX, with a second trunk whose far end is dead, queues, and a menu that leads nowhere."""

    def configuration(self) -> dict[str, str]:
        told = super().configuration()
        told["pjsip.conf"] += (
            "\n[dead]\ntype = endpoint\ntransport = udp\ncontext = from-trunk\ndisallow = all\nallow = alaw\n"
            f"aors = dead\n\n[dead]\ntype = aor\ncontact = sip:127.0.0.1:{free_port()}\nqualify_frequency = 1\n"
            "qualify_timeout = 1\n"
        )
        told["queues.conf"] = "[general]\n[waits]\njoinempty = yes\nmaxlen = 1\n[empty]\njoinempty = no\n"
        told["extensions.conf"] += (
            f"\n[from-trunk](+)\nexten => {LINES['menu']},1,Answer()\n same => n,WaitExten(1)\n same => n,Hangup()\n"
        )
        return told


@dataclass(frozen=True)
class Miss:
    """What a person who watched would say: the cause and who is to blame."""

    cause: str
    charged_to: tuple[str, ...] = ()


@pytest.fixture(scope="module")
async def pbx() -> AsyncIterator[Pbx]:
    told = {"SWITCHHOOK_FALLBACK_SECONDS": "30"}
    async with OfficePbx([Phone(name, NUMBERS.get(name, "")) for name in PHONES], variables=told) as running:
        yield running


@pytest.fixture(scope="module")
async def world(pbx: Pbx) -> AsyncIterator[OutsideWorld]:
    async with OutsideWorld(pbx) as running:
        for name in PHONES:
            await running.phone(name).behave(ring_out())
        await running.phone("talks").behave(busy())
        await running.phone("declines").behave(reject(after=4))
        await running.phone("gone").unplug()
        yield running


@pytest.fixture
async def stage(
    pbx: Pbx, world: OutsideWorld, engine: AsyncEngine, database_url: str, tmp_path: Path
) -> AsyncIterator[Stage]:
    async with engine.begin() as connection:
        await apply(connection, DIRECTORY)
    yield Stage(pbx, world, engine, database_url, tmp_path)
    await world.quiet()


@asynccontextmanager
async def promising(stage: Stage) -> AsyncIterator[None]:
    """A worker that makes promises of missed calls."""
    jobs = FollowUpJobs(engine=stage.engine, numbers=numbers_of, lead_owner=owner_of, ahead=AHEAD)
    stop = asyncio.Event()
    worker = asyncio.create_task(work(make_app(stage.url, jobs.tasks()), [Crew(("follow_ups",), 2)], stop))
    yield
    stop.set()
    await worker


async def settled(stage: Stage, number: str, seconds: float = 60.0) -> CallView:
    """The one call of a number, read once nothing more is expected."""

    async def found() -> list[Any]:
        sql = "select state from calls where caller_number = :n and settled_at is not null and joined_into is null"
        return await stage.rows(sql, n=number)

    (row,) = await until(found, f"the call of {number} is settled", seconds)
    return view(state_call(row.state))


async def test_every_cause_is_told_with_its_evidence_and_charged_only_to_whom_it_is_due(stage: Stage) -> None:
    """A line for each cause, all called at once; then each missed caller is promised a call back, once."""
    wanted = {
        "rings": Miss("rang_out", ("rings",)),
        "declines": Miss("rejected", ("declines",)),
        "talks": Miss("all_busy"),
        "leaves": Miss("caller_gave_up_early"),
        "dies": Miss("device_unreachable"),
        "gone": Miss("device_unreachable"),
        "quiet": Miss("do_not_disturb"),
        "off": Miss("nobody_on_shift"),
        "mobile": Miss("trunk_failure"),
        "closed": Miss("outside_hours"),
        "waits": Miss("queue_timeout"),
        "full": Miss("queue_full"),
        "empty": Miss("nobody_on_shift"),
        "menu": Miss("menu_dead_end"),
    }
    numbers = {name: f"791612340{number:02}" for number, name in enumerate(wanted)}
    async with stage.engine.begin() as connection:
        await set_status(connection, "quiet", "do_not_disturb")
    async with stage.open(stage.settings(cel=False)) as (_, telephony), promising(stage):
        await telephony.answering()

        async def known() -> bool:
            states = telephony.attendants[0].live_devices() or {}
            gone = {name for name, state in states.items() if not state.reachable}
            return {"PJSIP/gone", "PJSIP/dead"} <= gone and "PJSIP/rings" not in gone

        await until(known, "the PBX has found out who is gone")
        calls: dict[str, OutsideCall] = {}
        for name in wanted:
            if name == "full":
                await until(partial(stage.rows, "select 1 from call_events where kind = 'QueueJoined'"), "one waits")
            calls[name] = await stage.world.call(numbers[name], name, LINES[name], speak=(60.0,))
        blocked = await stage.world.call(BLOCKED, "Блок", LINES["rings"], speak=(60.0,))
        for name in ("leaves", "dies"):
            await stage.world.phone(name).rings()
        await calls["leaves"].hangup()
        await stage.world.phone("dies").unplug()
        await asyncio.gather(*(call.ended() for call in (*calls.values(), blocked)))
        seen = {name: await settled(stage, numbers[name]) for name in wanted}
        assert {name: Miss(call.missed_cause or "", call.charged_to) for name, call in seen.items()} == wanted
        for name, call in seen.items():
            assert call.missed_group == GROUPS[wanted[name].cause]
            assert len(call.missed_evidence) > 1, name
        assert (await settled(stage, BLOCKED)).missed_cause == "no_route"
        reasons = {one.key: dict(one.values) for one in seen["mobile"].missed_evidence}
        assert reasons["unreachable"]["device"] == "PJSIP/dead"
        assert dict(seen["quiet"].missed_evidence[1].values)["reason"] == "do_not_disturb"

        async def promised() -> bool:
            return len(await stage.rows("select 1 from follow_ups")) == len(wanted)

        await until(promised, "every caller but the blocked one is promised a call")
    await stage.world.phone("dies").plug()
    rows = await stage.rows("select number, cause, attempt_count, owner, due_at > opened_at as later from follow_ups")
    assert {row.number: (row.cause, row.attempt_count, row.later) for row in rows} == {
        numbers[name]: (miss.cause, 1, None if name == "closed" else True) for name, miss in wanted.items()
    }
    assert {row.number: row.owner for row in rows}[numbers["rings"]] == "rings"


async def test_who_is_lost_in_a_transfer_is_promised_a_call_for_it(stage: Stage) -> None:
    """They talked with one, were sent on to a colleague, and gave up before anybody took them."""
    number, phone = "79161234301", stage.world.phone("rings")
    await phone.behave(answer(0.0, speak=(0.5,), transfer_to=NUMBERS["fallback"]))
    async with stage.open(stage.settings(cel=False)) as (_, telephony), promising(stage):
        await telephony.answering()
        call = await stage.world.call(number, "Клиент", LINES["rings"], speak=(60.0,))
        await stage.world.phone("fallback").rings()
        await call.hangup()
        seen = await settled(stage, number)
        assert (seen.status, seen.lost_in_transfer, seen.answered_by) == ("answered", True, ("PJSIP/rings",))
        (promise,) = await until(partial(stage.rows, "select cause, owner, origin from follow_ups"), "it is promised")
        assert (promise.cause, promise.origin) == ("transfer_failed", "missed")
    await phone.behave(ring_out())


async def test_a_crm_that_answers_late_is_the_cause_when_the_wrong_people_were_rung(stage: Stage) -> None:
    """Nobody knew in time whose client this is; the team let it ring."""
    async with open_crm() as crm:
        crm.answer = crm.never
        asked = CrmSettings(owner_url=crm.url, token=SecretStr(TOKEN))
        settings = stage.settings().model_copy(update={"crm": asked})
        async with stage.open(settings) as (_, telephony):
            await telephony.answering()
            call = await stage.world.call("79161234101", "Клиент", LINES["rings"], speak=(60.0,))
            await call.ended()
            seen = await settled(stage, "79161234101")
    assert (seen.missed_cause, seen.missed_group, seen.charged_to) == ("crm_late", "integration", ())
    assert ("reason", "crm_late") in {(one.key, dict(one.values).get("reason")) for one in seen.missed_evidence}


async def test_a_service_that_hangs_or_is_down_is_to_blame_and_nobody_else(stage: Stage) -> None:
    """The fallback rang, and lost the call: late while the service hung, down when it was gone."""
    world, fallback = stage.world, stage.world.phone("fallback")
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(stage.serve())
        service.hang()
        late = await world.call("79161234201", "Во время зависания", LINES["rings"], speak=(60.0,))
        assert await fallback.rings() == "79161234201"
        await late.hangup()
        service.go_on()
        seen = await settled(stage, "79161234201")
        assert (seen.missed_cause, seen.missed_group, seen.charged_to) == ("routing_late", "integration", ())
        await service.kill()
    await stage.forget_mark()
    down = await world.call("79161234202", "Во время остановки", LINES["rings"], speak=(60.0,))
    assert await fallback.rings() == "79161234202"
    await down.hangup()
    await down.ended()
    async with stage.serve(answering=False):
        seen = await settled(stage, "79161234202")
    assert (seen.missed_cause, seen.charged_to, seen.recovered) == ("service_down", (), True)
