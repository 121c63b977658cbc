"""Routing rules in PostgreSQL, what people do kept in memory, and past calls decided anew."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls import events as e
from calls.database import ensure_partitions
from calls.record import record
from calls.tables import calls, legs
from crm_sync import tables as crm
from crm_sync.book.owners import owners
from crm_sync.book.standing import open_leads, stages
from directory import store
from directory.file import dumps
from directory.model import Directory
from directory.rules import Destination, Rule, Strategy, When
from routing.arrival import Arrival
from routing.controller import Router
from routing.load import Loads
from routing.memory import Memory
from routing.plan import Plan
from service.commands.one_shot import replay_routes, rule_versions
from service.faults import UserFault
from service.settings import load
from telephony import devices
from tests.fakes.directories import LINE, OFFICE

CALLER = "79161234567"
NOW = datetime.now(UTC)
NIGHT = Rule(name="night", when=When(open=False), then=(Destination(kind="voicemail", to="box"),))
FIRST = Rule(name="first", then=(Destination(kind="person", to="boris"),))
OPEN = replace(OFFICE, hours=(), people=tuple(replace(it, hours=None) for it in OFFICE.people),
               lines=tuple(replace(it, hours=None) for it in OFFICE.lines))  # fmt: skip
"""The office without hours, so that a test may run at night."""


async def applied(engine: AsyncEngine, directory: Directory) -> list[str]:
    async with engine.begin() as connection:
        return await store.apply(connection, directory)


async def stored(engine: AsyncEngine) -> Directory:
    async with engine.connect() as connection:
        return await store.read(connection)


def arrival(number: str = CALLER, channel: str = "1.1", at: datetime | None = None) -> Arrival:
    return Arrival(
        pbx="main", channel=channel, line=LINE, caller_number=number, caller_name="", at=at or datetime.now(UTC)
    )


async def test_each_change_of_the_rules_is_the_next_version_and_every_version_stays(engine: AsyncEngine) -> None:
    """A change of anything else makes none; taking all rules away is a version too."""
    await applied(engine, OFFICE)
    assert (await stored(engine)).rules_version == 0
    await applied(engine, replace(OFFICE, rules=(NIGHT,)))
    await applied(engine, replace(OFFICE, rules=(NIGHT,), blocked=()))
    assert ((await stored(engine)).rules_version, (await stored(engine)).rules) == (1, (NIGHT,))
    await applied(engine, replace(OFFICE, rules=(FIRST, NIGHT)))
    changes = await applied(engine, OFFICE)
    assert any(line.startswith("- rule night (when open: false, then {voicemail: box}") for line in changes)
    assert ((await stored(engine)).rules_version, (await stored(engine)).rules) == (3, ())
    async with engine.connect() as connection:
        told = await store.rule_versions(connection)
    assert [(it.version, it.rules) for it in told] == [(1, (NIGHT,)), (2, (FIRST, NIGHT)), (3, ())]
    assert told[0].at <= told[1].at <= told[2].at


async def test_rules_that_only_change_places_are_another_version(engine: AsyncEngine) -> None:
    """The first that holds decides, so their order is part of them."""
    await applied(engine, replace(OFFICE, rules=(NIGHT, FIRST)))
    assert await applied(engine, replace(OFFICE, rules=(FIRST, NIGHT))) == [
        "~ rules: order night, first -> first, night"
    ]
    assert (await stored(engine)).rules_version == 2


@asynccontextmanager
async def remembering(engine: AsyncEngine) -> AsyncIterator[Memory]:
    memory = Memory(engine, devices=devices.read, owners=owners, parties=stages, loads=Loads(open_leads))
    task = asyncio.create_task(memory.run())
    try:
        await until(lambda: memory.fresh)
        yield memory
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


async def talk(connection: AsyncConnection, person: str, ended_at: datetime | None, *, ago: timedelta) -> UUID:
    began_at = datetime.now(UTC) - ago
    row = {"pbx": "main", "state": {}, "direction": "inbound", "status": "answered", "started_at": began_at}
    call = cast("UUID", await connection.scalar(insert(calls).values(**row).returning(calls.c.id)))
    leg = {
        "call_id": call,
        "channel": "1.2",
        "device": "PJSIP/x",
        "person": person,
        "outcome": "answered",
        "rang": True,
    }
    await connection.execute(insert(legs).values(**leg, started_at=began_at, answered_at=began_at, ended_at=ended_at))
    return call


async def notify(connection: AsyncConnection, call: UUID) -> None:
    await connection.execute(text("select pg_notify('switchhook_calls', :id)"), {"id": str(call)})


async def party(connection: AsyncConnection, number: str, stage: str | None, owner: str | None = None) -> None:
    made: Any = await connection.scalar(insert(crm.parties).returning(crm.parties.c.id))
    await connection.execute(insert(crm.party_numbers).values(number=number, party_id=made))
    if stage is not None:
        lead = {"party_id": made, "stage": stage, "owner": owner, "opened_at": NOW}
        await connection.execute(insert(crm.leads).values(**lead))


async def test_what_each_person_does_is_known_from_the_start_and_follows_their_calls(engine: AsyncEngine) -> None:
    """Talks of today, a talk that goes on, the end of the last one, and open leads."""
    await applied(engine, OPEN)
    ended_at = datetime.now(UTC)
    async with engine.begin() as connection:
        await talk(connection, "anna", ended_at, ago=timedelta())
        await talk(connection, "boris", NOW - timedelta(days=2), ago=timedelta(days=2, minutes=5))
        await party(connection, "79160000077", "in_work", "anna")
        await party(connection, "79160000078", "won", "anna")
    async with remembering(engine) as memory:
        told = memory.facts(arrival()).load
        assert (told["anna"].calls_today, told["anna"].leads_open, told["anna"].talking) == (1, 1, False)
        assert told["anna"].idle_since == ended_at
        assert "boris" not in told
        async with engine.begin() as connection:
            going_on = await talk(connection, "boris", None, ago=timedelta())
            await notify(connection, going_on)
        await until(lambda: "boris" in told and told["boris"].talking)
        async with engine.begin() as connection:
            await connection.execute(update(legs).where(legs.c.call_id == going_on).values(ended_at=datetime.now(UTC)))
            await notify(connection, going_on)
        await until(lambda: not told["boris"].talking)
        assert told["boris"].calls_today == 1
        assert told["boris"].idle_since is not None


async def test_a_talk_is_believed_to_go_on_only_while_the_database_tells_of_its_end(engine: AsyncEngine) -> None:
    """Whoever talked when an outage began would else be busy for as long as it lasts."""
    await applied(engine, OFFICE)
    async with engine.begin() as connection:
        await talk(connection, "boris", None, ago=timedelta(minutes=1))
    memory = Memory(engine, devices=devices.read, owners=owners, parties=stages, loads=Loads(open_leads))
    await memory.load()
    assert not memory.facts(arrival()).load["boris"].talking
    assert not (await memory.ask(arrival())).load["boris"].talking
    memory.fresh = True
    told = memory.facts(arrival()).load["boris"]
    assert (told.talking, told.talking_on) == (True, frozenset({""}))


async def test_a_call_that_joined_another_is_no_talk_of_its_own(engine: AsyncEngine) -> None:
    await applied(engine, OPEN)
    async with engine.begin() as connection:
        one = await talk(connection, "anna", datetime.now(UTC), ago=timedelta())
        other = await talk(connection, "anna", datetime.now(UTC), ago=timedelta())
    async with remembering(engine) as memory:
        told = memory.facts(arrival()).load
        assert told["anna"].calls_today == 2
        async with engine.begin() as connection:
            await connection.execute(update(calls).where(calls.c.id == other).values(joined_into=one))
            await notify(connection, other)
        await until(lambda: told["anna"].calls_today == 1)


async def test_whether_a_caller_is_known_and_the_stage_of_the_lead_are_facts(engine: AsyncEngine) -> None:
    """A party without a lead is known; a lead that is open tells before one that is closed."""
    await applied(engine, OPEN)
    async with engine.begin() as connection:
        await party(connection, CALLER, "lost")
        await party(connection, "79160000077", None)
        await connection.execute(
            insert(crm.leads).from_select(
                ["party_id", "stage", "opened_at"],
                text("select party_id, 'qualified', now() from leads where stage = 'lost'").columns(
                    crm.leads.c.party_id, crm.leads.c.stage, crm.leads.c.opened_at
                ),
            )
        )
    async with remembering(engine) as memory:
        for number, known, stage in (
            (CALLER, True, "qualified"),
            ("79160000077", True, None),
            ("79160000079", False, None),
            ("anonymous", False, None),
        ):
            for facts in (memory.facts(arrival(number)), await memory.ask(arrival(number))):
                assert (facts.known, facts.stage) == (known, stage), number


class Hall:
    """Takes plans instead of a PBX."""

    async def send(self, _arrival: Arrival, _plan: Plan, _until: float | None) -> str:
        return "sent"


def shared(strategy: Strategy) -> Directory:
    return replace(OPEN, teams=(replace(OPEN.teams[0], strategy=strategy), OPEN.teams[1]))


async def test_a_round_robin_goes_on_where_it_was_after_a_restart(engine: AsyncEngine) -> None:
    """Two callers at once ring two people first; the recorded decisions tell a new service whose turn it is."""
    await applied(engine, shared("round_robin"))
    firsts: list[str] = []
    for process in range(2):
        async with remembering(engine) as memory:
            router = Router(memory, Hall().send)
            for call in range(3):
                decision = await router.route(arrival(channel=f"{process}.{call}"))
                firsts.append(decision.plan.steps[0].targets[0].person)
                async with engine.begin() as connection:
                    await ensure_partitions(connection)
                    await record(connection, [decision.event])
    assert firsts == ["anna", "boris"] * 3


async def decided(engine: AsyncEngine, *, channel: str, ago: timedelta, facts: bool = True) -> None:
    """A call was routed so long ago, and its decision kept, with its facts or as an earlier version did."""
    at = datetime.now(UTC) - ago
    async with remembering(engine) as memory:
        decision = await Router(memory, Hall().send).route(arrival(channel=channel, at=at))
    event = decision.event
    if not facts:
        kept = {name: value for name, value in json.loads(event.plan).items() if name not in {"facts", "times"}}
        event = e.Routed(
            **{name: getattr(event, name) for name in event.__struct_fields__} | {"plan": json.dumps(kept)}
        )
    asked = e.Arrived(pbx="main", channel=channel, at=at, linkedid=channel, line=LINE, number=CALLER)
    created = e.ChannelCreated(pbx="main", channel=channel, at=at, linkedid=channel, number=CALLER, incoming=True)
    async with engine.begin() as connection:
        await ensure_partitions(connection)
        await record(connection, [created, asked, event])


async def test_past_calls_decided_anew_by_the_same_rules_stay_as_they_were(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """Although everything else has changed since: the facts are those of then."""
    await applied(engine, OPEN)
    async with engine.begin() as connection:
        told = {"PJSIP/anna-desk": "inuse", "PJSIP/boris-desk": "not_inuse"}
        states = [devices.DeviceState(name, state) for name, state in told.items()]
        await devices.replace(connection, "main", states)
    await decided(engine, channel="1.1", ago=timedelta(minutes=5))
    async with engine.begin() as connection:
        await devices.replace(connection, "main", [])
        await party(connection, CALLER, "in_work", "anna")
    settings = load(data_dir=tmp_path, database_url=SecretStr(database_url))
    told_json, words = await replay_routes(
        settings, NOW - timedelta(days=30), NOW + timedelta(days=1), rules=None, version=None
    )
    assert (told_json["calls"], told_json["same"], told_json["changes"], told_json["guessed"]) == (1, 1, [], 0)
    assert words.splitlines()[0] == "1 decisions: 1 as they were, 0 would change"


async def test_what_other_rules_would_change_is_told_by_rule_with_examples(
    engine: AsyncEngine, database_url: str, tmp_path: Path
) -> None:
    """By a file, by a version; calls decided before facts were kept are left out and counted."""
    await applied(engine, replace(OPEN, rules=(FIRST,)))
    await applied(engine, OPEN)
    await decided(engine, channel="1.1", ago=timedelta(minutes=9))
    await decided(engine, channel="1.2", ago=timedelta(minutes=8), facts=False)
    settings = load(data_dir=tmp_path, database_url=SecretStr(database_url))
    file = tmp_path / "office.yaml"
    file.write_text(dumps(replace(OPEN, rules=(replace(FIRST, name="mine"),))))
    since, until_ = NOW - timedelta(days=30), NOW + timedelta(days=1)
    told, words = await replay_routes(settings, since, until_, rules=file, version=None)
    assert (told["calls"], told["same"], told["left_out"]) == (2, 0, 1)
    (change,) = told["changes"]
    assert (change["before"], change["after"], change["calls"]) == ("team", "mine", 1)
    assert change["examples"][0]["after"] == [{"kind": "ring", "to": ["PJSIP/boris-desk"]}]
    assert "1 x rule team -> mine, as:" in words
    assert "    now  ring PJSIP/boris-desk" in words
    assert "1 left out: decided before the facts of a decision were kept" in words
    by_version, _ = await replay_routes(settings, since, until_, rules=None, version=1)
    assert (by_version["version"], by_version["changes"][0]["after"]) == (1, "first")
    nothing, _ = await replay_routes(settings, since, NOW - timedelta(days=20), rules=None, version=None)
    assert nothing["calls"] == 0
    assert [it["version"] for it in (await rule_versions(settings, None))[0]] == [1, 2]
    assert (await rule_versions(settings, 1))[1].startswith("rules:\n- name: first\n")


@pytest.mark.parametrize(
    "wanted, fault",
    [
        ({"version": 7}, "--version: there is no version 7 of the rules; there are none yet"),
        ({"version": 1, "rules": Path("x.yaml")}, "--version: the rules come from --rules already"),
        ({"until": NOW - timedelta(days=40)}, "--from-time: must be before --to-time"),
    ],
)
async def test_a_replay_that_cannot_be_is_one_clear_line(
    database_url: str, tmp_path: Path, wanted: dict[str, Any], fault: str
) -> None:
    settings = load(data_dir=tmp_path, database_url=SecretStr(database_url))
    asked = {"since": NOW - timedelta(days=30), "until": NOW, "rules": None, "version": None} | wanted
    with pytest.raises(UserFault, match=fault):
        await replay_routes(settings, **asked)
