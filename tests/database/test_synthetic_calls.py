"""Synthetic calls: begun once, in no list, no figure and no page, told to no CRM, and not kept for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record_all
from calls.synthetic import PREFIX, RESULTS
from calls.tables import calls
from crm_sync.book.owners import owners
from crm_sync.ledger.tables import crm_effects
from directory.file import loads as loads_directory
from directory.store import apply
from metrics.gauges import DatabaseGauges
from recordings.store import Store
from recordings.storing import StoringJobs
from recordings.tables import call_audio, recordings, transcripts
from reports.missed_rows import missed_report
from routing.arrival import Arrival
from routing.controller import Router
from routing.load import Loads
from routing.memory import Memory
from routing.plan import Plan
from routing.rerouting import decisions
from service.commands.explain import tell
from service.removing import Remover
from service.retention import due_calls, keep_to
from service.wiring import owes
from telephony import devices
from telephony import synthetic_calls as rows
from telephony.synthetic import NUMBER, caller_of
from telephony.tables import synthetic_calls
from tests.fakes.ledger import add_connection
from tests.fakes.recorded import pbx_recorded, tone
from tests.fakes.site import Site, open_site
from tests.fakes.story import LINE
from tests.fakes.synthetic import synthetic_call
from web import users

NOW = datetime.now(UTC)
IN_TURN = loads_directory(
    f"""
company: {{name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}}
people:
  - {{key: anna, name: Анна, role: manager, devices: [{{kind: desk, address: PJSIP/anna-desk}}]}}
  - {{key: boris, name: Борис, role: manager, devices: [{{kind: desk, address: PJSIP/boris-desk}}]}}
teams: [{{key: sales, name: Продажи, strategy: round_robin, members: [anna, boris]}}]
lines: [{{number: "{LINE}", name: Продажи, trunk: PJSIP/trunk, team: sales}}]
""",
    "directory.yaml",
)
SPEEDS = {("switchhook_transcription_realtime_factor",), ("switchhook_database_scrape_seconds",)}
"""Of the engine, with all that it hears, and of the database: no figures of calls."""
WORDS = [{"side": "caller", "text": "операторы", "start": 1.0, "end": 2.0}]


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house, and somebody who may see everything."""
    async with open_site(engine, tmp_path) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ada", "admin")
        yield opened


async def made(engine: AsyncEngine, at: datetime = NOW, *, whole: bool = True) -> tuple[UUID, UUID]:
    """A synthetic call in the record, at its end or while it rings; its own id, and the call's."""
    async with engine.begin() as connection:
        own = await rows.ask(connection, "pbx", LINE, "ru")
    told = synthetic_call(own, LINE, at)
    for batch in [told[:8], told[8:]] if whole else [told[:8]]:
        await record_all(engine, batch, owes)
    async with engine.begin() as connection:
        call_id: UUID = (await connection.execute(select(calls.c.id))).scalar_one()
        await connection.execute(
            update(synthetic_calls).where(synthetic_calls.c.id == own).values(began_at=at, call_id=call_id)
        )
    return own, call_id


async def with_text(engine: AsyncEngine, call_id: UUID) -> None:
    """Its text and its sound are there."""
    text_row = {"call_id": call_id, "language": "ru", "model": "m", "words": WORDS, "segments": [], "text": "операторы"}
    async with engine.begin() as connection:
        columns = {column.name for column in transcripts.columns}
        defaults = {"audio_seconds": 9.0, "took_seconds": 1.0, "masked": [], "made_at": NOW}
        await connection.execute(
            insert(transcripts).values({k: v for k, v in (text_row | defaults).items() if k in columns})
        )


async def figures(engine: AsyncEngine) -> Mapping[tuple[str, ...], float]:
    """Every figure that the database tells, but of jobs and of synthetic calls themselves."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in await DatabaseGauges(engine).read()
        for sample in family.samples
        if not family.name.startswith(("switchhook_synthetic", "switchhook_job"))
    }


@pytest.mark.parametrize("whole", [True, False], ids=["over", "ringing"])
async def test_no_page_list_report_or_figure_knows_of_it(site: Site, *, whole: bool) -> None:
    """Every address without a name in it is asked, as somebody who may see everything."""
    engine = site.engine
    before = await figures(engine)
    _, call_id = await made(engine, whole=whole)
    if whole:
        await with_text(engine, call_id)
    after = await figures(engine)
    assert {name for name in after if after[name] != before.get(name)} <= SPEEDS
    asked = {
        resource.canonical
        for resource in site.app.router.resources()
        for route in resource
        if route.method == "GET" and "{" not in resource.canonical and "stream" not in resource.canonical
    }
    asked -= {"/login/oidc", "/login/oidc/return"}
    asked |= {f"/search?q={NUMBER}", f"/api/v1/search?q={NUMBER}", "/search?q=операторы", "/calls?said=операторы"}
    async with site.visitor("ada") as visitor:
        for path in sorted(asked):
            told = await (await visitor.get(path)).text(errors="replace")  # some are workbooks
            told = told.replace(f"q={NUMBER}", "").replace(f'value="{NUMBER}"', "")
            assert not [trace for trace in (str(call_id), NUMBER, "000 000-00-00", PREFIX) if trace in told], path


async def test_no_report_and_no_learning_takes_it_in(engine: AsyncEngine) -> None:
    _, call_id = await made(engine)
    since, until = NOW - timedelta(days=1), NOW + timedelta(days=1)
    async with engine.connect() as connection:
        assert (await missed_report(connection, since, until, "UTC")).inbound == 0
        assert [one async for one in decisions(connection, since, until)] == []
        row = (await connection.execute(select(calls).where(calls.c.id == call_id))).one()
        jobs = (await connection.execute(text("select task_name from procrastinate_jobs"))).scalars().all()
        told, words = await tell(connection, call_id, "en")
    assert (row.direction, row.person, row.party_id, row.missed_cause) == ("synthetic", None, None, None)
    assert jobs == ["recordings.store_recording"]
    assert told["record"]["direction"] == "synthetic"
    assert words.startswith("Synthetic: ")


async def test_nobodys_turn_is_spent_on_it(engine: AsyncEngine) -> None:
    """Neither in memory, nor by the record that memory is read from."""
    async with engine.begin() as connection:
        await apply(connection, IN_TURN)
    memory = Memory(engine, devices=devices.read, owners=owners)
    await memory.load()

    async def sent(_arrival: Arrival, _plan: Plan, _until: float | None) -> str:
        return "sent"

    async def turns(channel: str) -> object:
        arrival = Arrival(pbx="pbx", channel=channel, line=LINE, caller_number=NUMBER, caller_name="", at=NOW)
        return (await Router(memory, sent).route(arrival)).plan.turns

    first, synthetic, second = await turns("1.1"), await turns(caller_of(uuid4())), await turns("1.2")
    assert first != synthetic == second != ()
    await made(engine)
    loads = Loads()
    async with engine.connect() as connection:
        await loads.read(connection, IN_TURN)
    assert loads.turns == {}


async def test_an_active_crm_is_told_nothing_of_it(engine: AsyncEngine) -> None:
    """What it would be told is written as shadow, without a job, also where the past is told again."""
    await add_connection(engine, "https://crm.example/taken")
    _, call_id = await made(engine)
    async with engine.connect() as connection:
        effects = (await connection.execute(select(crm_effects).where(crm_effects.c.call_id == call_id))).all()
        sends = await connection.scalar(
            text("select count(*) from procrastinate_jobs where task_name = 'crm_sync.send_effect'")
        )
    assert {one.step for one in effects} >= {"call_started", "call_finished"}
    assert {(one.state, one.ended_at is not None) for one in effects} == {("shadow", True)}
    assert sends == 0


async def test_its_sound_is_stored_and_counts_as_no_gap(engine: AsyncEngine, tmp_path: Path) -> None:
    """Neither when it is whole nor when it is lost."""
    own, call_id = await made(engine)
    folder, store = tmp_path / "pbx", Store.in_folder(tmp_path / "store")
    folder.mkdir()
    pbx_recorded(folder, caller_of(own), tone(9.0), tone(9.0))
    await StoringJobs(engine=engine, owes=owes, store=store, folders={"pbx": folder}).store_recording(call_id, 0)
    async with engine.connect() as connection:
        assert (await connection.execute(select(recordings.c.state))).scalars().all() == ["stored", "stored"]
        assert await connection.scalar(select(func.count()).select_from(call_audio)) == 0
    async with engine.begin() as connection:
        await connection.execute(update(recordings).values(state="missing", path=None))
    assert (await figures(engine))["switchhook_recordings_missing",] == 0


async def test_it_is_wanted_once_in_its_time_and_taken_once(engine: AsyncEngine) -> None:
    """Also by two who attend at once, for a moment."""

    async def want() -> None:
        async with engine.begin() as connection:
            await rows.want_next(connection, "pbx", LINE, "ru", 900)

    async def take() -> object:
        async with engine.begin() as connection:
            return await rows.take(connection, "pbx")

    await want()
    await want()
    taken = await asyncio.gather(take(), take(), take())
    assert len([one for one in taken if one is not None]) == 1
    async with engine.begin() as connection:
        await connection.execute(update(synthetic_calls).values(asked_at=NOW - timedelta(minutes=16)))
    await want()
    assert await take() is not None


async def test_what_became_of_them_is_told_by_metrics(engine: AsyncEngine) -> None:
    async def over(result: str, ago: int, **steps: float) -> None:
        at = NOW - timedelta(minutes=ago)
        async with engine.begin() as connection:
            wanted = insert(synthetic_calls).values(pbx="pbx", line=LINE, language="ru", asked_at=at)
            own = (await connection.execute(wanted.returning(synthetic_calls.c.id))).scalar_one()
            await rows.note(connection, own, steps, result=result)
            await rows.note(connection, own, steps, result=result)
            await connection.execute(update(synthetic_calls).where(synthetic_calls.c.id == own).values(ended_at=at))

    async def told() -> dict[tuple[str, ...], float]:
        families = await DatabaseGauges(engine).read()
        samples = [one for family in families for one in family.samples if "_synthetic_" in one.name]
        return {(one.name.removeprefix("switchhook_synthetic_"), *one.labels.values()): one.value for one in samples}

    empty = await told()
    assert {name[1] for name in empty if name[0] == "calls_total"} == set(RESULTS)
    assert ("last_ok_age_seconds",) not in empty
    await over("ok", 30, begun=0.0, arrived=0.01)
    await over("stored", 15, begun=0.0)
    await over("rang", 1, begun=0.0, arrived=0.2)
    seen = await told()
    assert (seen["calls_total", "ok"], seen["calls_total", "rang"], seen["failed_in_a_row",]) == (1, 1, 2)
    assert {name[1]: value for name, value in seen.items() if name[0] == "step_seconds"} == {"begun": 0, "arrived": 0.2}
    assert seen["last_ok_age_seconds",] >= 1800 > seen["last_age_seconds",]
    async with engine.begin() as connection:
        await connection.execute(update(synthetic_calls).values(asked_at=NOW - timedelta(days=91)))
        await rows.forget_old(connection)
        assert await rows.last(connection, 5) == []
    assert (await told())["calls_total", "ok"] == 1


async def test_one_goes_after_a_week_whatever_the_policy(engine: AsyncEngine, tmp_path: Path) -> None:
    """Its row stays, with what became of it."""
    own, call_id = await made(engine, NOW - timedelta(days=8))
    await with_text(engine, call_id)
    async with engine.begin() as connection:
        await rows.note(connection, own, {}, call_id, "ok")
        old = NOW - timedelta(days=8)
        await connection.execute(update(synthetic_calls).values(ended_at=old))
    assert [one.id async for one in due_calls(engine, NOW - timedelta(days=2))] == []
    assert {one.id: one.kinds async for one in due_calls(engine, NOW)} == {call_id: ("transcript", "party")}
    await keep_to(engine, Remover(Store.in_folder(tmp_path), {}), NOW)
    assert [one async for one in due_calls(engine, NOW)] == []
    async with engine.connect() as connection:
        assert (await rows.one(connection, own)).result == "ok"
