"""The ledger and a CRM that can be read are compared call by call, and what is lacking there is told again, once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.record import record
from calls.tables import calls
from crm_sync import connections
from crm_sync.amocrm.adapter import KIND, Amo
from crm_sync.connections import Connection
from crm_sync.crm import Crm
from crm_sync.ledger import comparisons
from crm_sync.ledger.reconciling import Report, reconcile, repair
from crm_sync.ledger.sending import SendingJobs
from crm_sync.ledger.upkeep import tidy
from crm_sync.people import pair
from directory.tables import people
from metrics.http import new_registry
from metrics.observe import Reconciled
from service.crm import reconcile as crm_reconcile
from service.faults import UserFault
from service.settings import Settings
from tests.fakes.amocrm import ANNA, BORIS
from tests.fakes.amocrm_place import Rig, open_rig
from tests.fakes.crms import RIGS
from tests.fakes.ledger import OWES, ROOMS, SECRET_KEY, add_connection
from tests.fakes.odoo import ANNA as ANNA_IN_ODOO
from tests.fakes.recorded import outgoing_call, settled_call
from tests.fakes.webhooks import Said

HOUR = timedelta(hours=1)
BEGAN = datetime.now(UTC).replace(microsecond=0) - 3 * HOUR
PERIOD = BEGAN - HOUR, BEGAN + HOUR


@dataclass
class Office:
    """An account of amoCRM that is told of calls, and the jobs by hand."""

    engine: AsyncEngine
    rig: Rig
    jobs: SendingJobs
    at: datetime

    async def happen(self, uid: str = "1795427050.1", *, sound: bool = False, **more: Any) -> UUID:
        """One call of the period, told."""
        told = settled_call(uid, at=BEGAN, **more)
        if sound:
            told.append(e.RecordingStored(pbx="pbx", channel=uid, linkedid=uid, at=BEGAN, side="caller"))
        async with self.engine.begin() as connection:
            (change,) = await record(connection, told, OWES)
            await connection.execute(calls.update().values(person="anna").where(calls.c.answered_at.is_not(None)))
        return change.call_id

    async def run(self) -> None:
        """Send what is open."""
        await self.sql("update crm_effects set waits = false where ended_at is null")
        for row in await self.sql("select key from crm_effects where ended_at is null order by number"):
            await self.jobs.send_effect(row.key, 0)

    async def compared(self, crm: Crm | None = None, *, late: timedelta = HOUR) -> Report:
        async with self.engine.connect() as connection:
            to = await connections.read(connection, "amo")
        assert to is not None
        return await reconcile(self.engine, to, crm or self.rig.crm, PERIOD, self.at, late=late)

    async def repaired(self, report: Report) -> Report:
        async with self.engine.begin() as connection:
            return await repair(connection, report)

    async def sql(self, sql: str, **values: Any) -> Sequence[Any]:
        async with self.engine.begin() as connection:
            told = await connection.execute(text(sql), values)
            return told.all() if told.returns_rows else ()

    async def key(self) -> UUID:
        (row,) = await self.sql("select key from crm_effects where step = 'call_finished'")
        key: UUID = row.key
        return key

    def notes(self) -> dict[int, dict[str, Any]]:
        return {number: one for number, one in self.rig.account.notes.items() if one["note_type"].startswith("call")}


@asynccontextmanager
async def open_office(engine: AsyncEngine, **settings: Any) -> AsyncIterator[Office]:
    async with open_rig(**settings) as rig:
        async with engine.begin() as connection:
            await connections.add(connection, "amo", "amocrm", {}, b"", KIND.steps, "active", BEGAN - HOUR)
            for position, (person, user) in enumerate((("anna", ANNA), ("boris", BORIS))):
                row = {"key": person, "name": person, "role": "manager", "position": position}
                await connection.execute(people.insert().values(**row))
                await pair(connection, "amo", str(user), person)
        jobs = SendingJobs(engine=engine, rooms=ROOMS, open_crm=lambda _to: rig.again())
        office = Office(engine, rig, jobs, datetime.now(UTC) + HOUR)
        try:
            yield office
        finally:
            await jobs.close()


@pytest.fixture
async def office(engine: AsyncEngine) -> AsyncIterator[Office]:
    async with open_office(engine) as opened:
        yield opened


def told(report: Report) -> list[tuple[str, UUID | None, str | None]]:
    return [(one.kind, one.call, one.why) for one in report.differences]


async def test_what_was_told_is_there_and_no_difference(office: Office) -> None:
    """Calls in and out, talked and missed, of strangers and hidden callers."""
    for uid, more in (("1.1", {}), ("2.1", {"answered": False}), ("3.1", {"number": "anonymous"})):
        await office.happen(uid, **more)
    await office.run()
    found = await office.compared()
    assert (found.calls, found.waiting, found.differences, found.is_read, found.failed) == (3, 0, (), True, None)


async def test_what_is_missing_there_is_told_again_once_with_its_sound_and_text(office: Office) -> None:
    """Under the same key; what is there still is not told twice, and the next comparison finds nothing."""
    call = await office.happen(sound=True)
    await office.run()
    key = await office.key()
    (number,) = office.notes()
    del office.rig.account.notes[number]
    found = await office.compared()
    assert told(found) == [("missing", call, None)]
    assert (await office.repaired(found)).differences == ()
    await office.run()
    (note,) = office.notes().values()
    assert note["params"]["uniq"] == key.hex
    assert {(row.step, row.state) for row in await office.sql("select step, state from crm_effects")} == {
        ("call_finished", "done"),
        ("recording", "done"),
    }
    assert (await office.compared()).differences == ()


async def test_what_a_person_gave_up_stays_so_when_its_call_is_told_again(office: Office) -> None:
    """Sound that was discarded is not told after all."""
    await office.happen(sound=True)
    await office.run()
    discarded = """update crm_effects set answer = '{"not_told": "discarded"}' where step = 'recording'"""
    await office.sql(discarded)
    office.rig.account.notes.clear()
    await office.repaired(await office.compared())
    rows = await office.sql("select step, state from crm_effects order by step")
    assert [tuple(row) for row in rows] == [("call_finished", "unknown"), ("recording", "done")]


async def test_a_call_of_another_period_is_not_unknown(office: Office) -> None:
    """The CRM's time of a call may be when it was told, or of another clock."""
    await office.happen()
    await office.run()
    await office.sql("update calls set started_at = :at", at=BEGAN - 2 * HOUR)
    (note,) = office.notes().values()
    note["created_at"] = note["updated_at"] = int(BEGAN.timestamp())
    assert ((found := await office.compared()).calls, found.differences) == (0, ())


async def test_what_a_list_leaves_out_and_is_there_is_not_missing(office: Office) -> None:
    """A note that was changed since stands in another period of the list; it is looked for by itself."""
    await office.happen()
    await office.run()
    (note,) = office.notes().values()
    note["updated_at"] += 10 * 86_400
    assert (await office.compared()).differences == ()


async def test_a_list_that_leaves_out_whatever_is_looked_for_says_nothing_of_the_rest(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where one may see only one's own calls: nobody knows, and nothing is told again."""
    monkeypatch.setattr("crm_sync.ledger.reconciling._LOOKED_FOR", 1)
    for uid in ("1.1", "2.1"):
        await office.happen(uid)
    await office.run()
    for note in office.notes().values():
        note["updated_at"] += 10 * 86_400
    found = await office.compared()
    assert (found.differences, found.failed) == ((), "permanent: its list leaves out calls that are there")


async def test_what_is_repaired_although_it_is_there_stays_one(office: Office) -> None:
    """Whoever looked was mistaken, or somebody told it meanwhile: it is looked for again before it is told."""
    await office.happen()
    await office.run()
    (number,) = office.notes()
    note = office.rig.account.notes.pop(number)
    found = await office.compared()
    office.rig.account.notes[number] = note
    await office.repaired(found)
    await office.run()
    assert list(office.notes()) == [number]


async def test_what_is_there_twice_and_what_nobody_told_are_named_for_a_person(office: Office) -> None:
    """Nothing is removed there, and repairing leaves both as they are."""
    call = await office.happen()
    await office.run()
    (number,) = office.notes()
    note = office.rig.account.notes[number]
    stranger = {**note, "id": 9002, "params": {**note["params"], "uniq": UUID(int=7).hex}}
    other = {**note, "id": 9003, "params": {**note["params"], "uniq": UUID(int=8).hex, "source": "another PBX"}}
    at = int(BEGAN.timestamp())
    office.rig.account.notes |= {9001: {**note, "id": 9001}, 9002: {**stranger, "created_at": at}, 9003: other}
    found = await office.compared()
    assert [(one.kind, one.call, one.effect) for one in found.differences] == [
        ("twice", call, await office.key()),
        ("unknown", None, UUID(int=7)),
    ]
    assert [len(one.remote_ids) for one in found.differences] == [2, 1]
    assert await office.repaired(found) == found
    await office.run()
    assert len(office.notes()) == 4


async def test_another_owner_and_length_there_are_named(office: Office) -> None:
    """As the note says who talked and how long."""
    await office.happen()
    await office.run()
    (note,) = office.notes().values()
    note["params"] |= {"call_responsible": BORIS, "duration": 60}
    (found,) = (await office.compared()).differences
    assert found.kind == "differs"
    assert found.fields == {"owner": (f"anna ({ANNA})", str(BORIS)), "talk_seconds": ("6", "60")}


async def test_what_nobody_planned_is_planned_and_told(office: Office) -> None:
    """With its sound, under the key that it would have had; what was over before a connection was made is not owed."""
    call = await office.happen(sound=True)
    key = await office.key()
    await office.sql("delete from crm_effects")
    found = await office.compared()
    assert told(found) == [("not_told", call, "never_planned")]
    assert (await office.repaired(found)).differences == ()
    rows = await office.sql("select key, step, waits from crm_effects order by number")
    assert [(row.step, row.waits) for row in rows] == [("call_finished", False), ("recording", True)]
    assert rows[0].key == key
    await office.run()
    assert (await office.compared()).differences == ()
    await office.sql("delete from crm_effects")
    await office.sql("update crm_connections set since = :at", at=BEGAN + HOUR)
    assert (await office.compared()).differences == ()


async def test_what_lost_its_job_gets_another_and_what_is_late_is_told_so(office: Office) -> None:
    """What is owed for less than that is on its way."""
    call = await office.happen()
    assert ((found := await office.compared(late=3 * HOUR)).waiting, found.differences) == (1, ())
    found = await office.compared(late=HOUR / 2)
    assert told(found) == [("not_told", call, "planned")]
    assert (await office.repaired(found)).differences == found.differences  # its job is there
    await office.sql("delete from procrastinate_jobs")
    assert (await office.repaired(found)).differences == ()
    assert len(await office.sql("select id from procrastinate_jobs where task_name = 'crm_sync.send_effect'")) == 1


async def test_what_was_given_up_is_looked_for_and_told_again(office: Office) -> None:
    """What is there already is only noted."""
    call = await office.happen()
    await office.run()
    given_up = "update crm_effects set state = 'dead', error = 'permanent', remote_id = null"
    await office.sql(given_up)
    found = await office.compared()
    assert told(found) == [("not_noted", call, "dead permanent")]
    await office.repaired(found)
    await office.run()
    assert (await office.compared()).differences == ()
    await office.sql(given_up)
    office.rig.account.notes.clear()
    found = await office.compared()
    assert told(found) == [("not_told", call, "dead permanent")]
    await office.repaired(found)
    await office.run()
    assert ((await office.compared()).differences, len(office.notes())) == ((), 1)


async def test_what_was_not_told_for_a_reason_is_no_difference_when_its_texts_are_forgotten(office: Office) -> None:
    """After thirty days too."""
    await office.happen(number="anonymous")
    await office.run()
    await office.sql("update crm_effects set ended_at = ended_at - interval '40 days'")
    await tidy(office.engine)
    (row,) = await office.sql("select request, answer from crm_effects")
    assert (row.request, row.answer) == (None, {"not_told": "no_number"})
    assert (await office.compared()).differences == ()


async def test_an_unsorted_call_that_somebody_accepted_is_not_missing(engine: AsyncEngine) -> None:
    """It left the list of unsorted ones, and no key says what became of it."""
    async with open_office(engine, unknown="unsorted") as office:
        await office.happen()
        await office.run()
        (uid,) = office.rig.account.unsorted
        office.rig.account.accept(uid)
        assert (await office.compared()).differences == ()


async def test_a_limit_is_waited_for_and_a_crm_that_is_away_is_no_agreement(office: Office) -> None:
    """Not to know is told as what it is; what the ledger alone knows is compared all the same."""
    await office.happen()
    await office.run()
    office.rig.account.script = once(Said(status=429, headers={"Retry-After": "1"}))
    assert ((found := await office.compared()).left, found.is_read) == (0, True)
    office.rig.account.script = lambda _count, _asked: Said(status=503)
    found = await office.compared()
    assert (found.differences, found.left, found.is_read) == ((), 1, False)
    assert found.failed == "transient: status 503"


def once(said: Said) -> Callable[[int, Any], Said]:
    """This answer to the first request, then the usual one."""
    left = [said]
    return lambda _count, _asked: left.pop() if left else Said()


def forget_bitrix24(rig: Any) -> None:
    rig.told.server.portal.statistics.clear()


def forget_odoo(rig: Any) -> None:
    """With a note its external id goes."""
    for name, (model, number) in list(rig.odoo.names.items()):
        if name.startswith("switchhook.call_"):
            del rig.odoo.names[name], rig.odoo.rows[model][number]


@pytest.mark.parametrize(
    "kind, forget, user", [("bitrix24", forget_bitrix24, "1"), ("odoo", forget_odoo, str(ANNA_IN_ODOO))]
)
async def test_every_crm_that_is_read_back_gets_what_it_lacks_once(
    engine: AsyncEngine, kind: str, forget: Callable[[Any], None], user: str
) -> None:
    """Of two calls, in and out, one that was told and removed there and one that nobody planned."""
    async with RIGS[kind]() as rig:
        async with engine.begin() as connection:
            await connections.add(connection, "site", kind, {}, b"", rig.steps, "active", BEGAN - HOUR)
        jobs = SendingJobs(engine=engine, rooms=ROOMS, open_crm=lambda _to: rig.crm)
        async with engine.begin() as connection:
            await record(connection, settled_call("1.1", at=BEGAN), OWES)
            await connection.execute(calls.update().values(person="anna"))
            await connection.execute(people.insert().values(key="anna", name="anna", role="manager", position=0))
            await pair(connection, "site", "777", "anna")
            to = await connections.read(connection, "site")
        assert to is not None
        now = datetime.now(UTC) + HOUR

        async def run() -> Report:
            async with engine.connect() as connection:
                rows = (await connection.execute(text("select key from crm_effects where ended_at is null"))).all()
            for row in rows:
                await jobs.send_effect(row.key, 0)
            assert to is not None
            return await reconcile(engine, to, rig.crm, PERIOD, now, late=HOUR)

        (differs,) = (await run()).differences
        assert differs.fields == {"owner": ("anna (777)", user)}
        async with engine.begin() as connection:
            await pair(connection, "site", user, "anna")
        found = await run()
        assert (found.calls, found.differences, found.is_read) == (1, (), True)
        forget(rig)
        async with engine.begin() as connection:
            await record(connection, outgoing_call("2.1", number="79169876543", at=BEGAN + HOUR / 2), OWES)
            await connection.execute(text("delete from crm_effects where state = 'planned'"))
        found = await reconcile(engine, to, rig.crm, PERIOD, now, late=HOUR)
        assert [one.kind for one in found.differences] == ["missing", "not_told"]
        async with engine.begin() as connection:
            assert (await repair(connection, found)).differences == ()
        found = await run()
        assert (found.calls, found.differences, len(rig.calls())) == (2, (), 2)


# --- The command, and the comparison of each day ----------------------------------------------------------------------


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    told = {"database_url": database_url, "data_dir": tmp_path, "secret_key": SECRET_KEY}
    return Settings.model_validate(told | {"crm": {"networks": ["127.0.0.0/8"]}})


async def outcome(settings: Settings, *, mend: bool = False, key: str | None = None) -> dict[str, Any]:
    (found,) = await crm_reconcile.reconcile_crms(settings, *PERIOD, key, mend=mend)
    told: dict[str, Any] = json.loads(json.dumps(found.to_json()))
    assert len(found.lines()) == len(told["differences"]) + 1
    return told


async def test_the_command_names_repairs_and_writes_down_who_did(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The repair is in the audit with the number of calls, and no more; without a difference nothing is written."""
    monkeypatch.setattr(crm_reconcile, "opener", lambda _settings, _engine: lambda _to: office.rig.again())
    call = await office.happen()
    await office.run()
    await office.sql("update crm_effects set ended_at = ended_at - interval '10 minutes'")
    assert (await outcome(settings, mend=True))["repaired"] == 0
    office.rig.account.notes.clear()
    before = await outcome(settings)
    assert [(one["kind"], one["call"]) for one in before["differences"]] == [("missing", str(call))]
    after = await outcome(settings, mend=True, key="amo")
    assert (after["calls"], after["repaired"], after["differences"], after["is_read_back"]) == (1, 1, [], True)
    rows = await office.sql("select actor, subject, details from audit where action = 'crm_repaired'")
    assert [tuple(row) for row in rows] == [("command line", "crm amo", {"calls": 1})]


async def test_a_webhook_is_compared_by_the_ledger_and_whoever_is_told_nothing_is_not(
    engine: AsyncEngine, settings: Settings
) -> None:
    """A receiver cannot be asked what it holds; one that is stopped is owed nothing; an unknown one is named."""
    await add_connection(engine, "http://127.0.0.1:9/hook", since=BEGAN - HOUR)
    async with engine.begin() as connection:
        await record(connection, settled_call(at=BEGAN), OWES)
        await connection.execute(text("delete from crm_effects"))
    found = await outcome(settings)
    assert [one["why"] for one in found["differences"]] == ["never_planned"]
    assert (found["is_read_back"], found["failed"]) == (False, None)
    assert (await outcome(settings, mend=True))["repaired"] == 1
    with pytest.raises(UserFault, match="there is no connection"):
        await crm_reconcile.reconcile_crms(settings, *PERIOD, "nobody", mend=False)
    for ended_by in ("hand", "gone"):
        async with engine.begin() as connection:
            await connections.stop(connection, "site", ended_by)
        with pytest.raises(UserFault, match="is stopped"):
            await crm_reconcile.reconcile_crms(settings, *PERIOD, "site", mend=False)
        assert await crm_reconcile.reconcile_crms(settings, *PERIOD, None, mend=False) == []
    async with engine.begin() as connection:
        await connections.stop(connection, "site", "auth_dead")
    assert (await outcome(settings))["failed"] == "nobody lets us in"


async def test_each_day_is_compared_once_by_one_worker_and_again_soon_when_it_differs(
    office: Office, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is found is told as a metric, for as long as the connection is told anything."""
    opened: list[str] = []

    def opener(_settings: Settings, _engine: AsyncEngine) -> Callable[[Connection], Crm]:
        def open_crm(to: Connection) -> Amo:
            opened.append(to.key)
            return office.rig.again()

        return open_crm

    monkeypatch.setattr(crm_reconcile, "opener", opener)
    registry = new_registry()
    reconciled = Reconciled(registry)

    async def differing() -> float | None:
        reconciled.note_all(crm_reconcile.STORE_CRM, await comparisons.counts(office.engine))
        return registry.get_sample_value("switchhook_reconcile_differences", {"between": "store_crm"})

    await office.happen()
    await office.sql("delete from crm_effects")
    assert await crm_reconcile.compare_due(office.engine, settings) == 1
    assert await crm_reconcile.compare_due(office.engine, settings) == 0
    assert (opened, await differing()) == (["amo"], 1)
    (row,) = await office.sql("select *, next_at - compared_at as waits from crm_comparisons")
    assert row.waits == timedelta(hours=1)
    assert row.until - row.since == timedelta(days=1)
    await office.sql("update crm_comparisons set next_at = clock_timestamp()")
    await office.sql("update crm_connections set since = clock_timestamp()")
    assert await crm_reconcile.compare_due(office.engine, settings) == 1
    (row,) = await office.sql("select next_at - compared_at as waits from crm_comparisons")
    assert (row.waits, await differing()) == (timedelta(days=1), 0)
    await office.sql("update crm_comparisons set differences = 3")
    assert await differing() == 3
    async with office.engine.begin() as connection:
        await connections.stop(connection, "amo")
    await crm_reconcile.compare_due(office.engine, settings)
    assert await differing() == 0
