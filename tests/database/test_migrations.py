"""The schema: migrations and the rooms' tables say the same."""

from __future__ import annotations

import ast
import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.database import connect
from crm_sync.webhook.adapter import EVENTS, USUAL
from directory import store
from directory.file import loads
from service.database import _config, metadata, status, upgrade
from tests.fakes import days

VERSIONS = Path(__file__).resolve().parents[2] / "service/migrations/versions"


async def test_migrations_make_exactly_the_tables_that_the_rooms_declare(engine: AsyncEngine) -> None:
    """Alembic finds nothing to add, change or drop."""
    async with engine.connect() as connection:
        await connection.run_sync(lambda sync: command.check(_config(sync)))


_CHECKS = """
select conrelid::regclass::text as of_table, conname as name, pg_get_constraintdef(oid) as checks from pg_constraint
where contype = 'c' and connamespace = to_regnamespace('{schema}') and conname like 'ck\\_%'
  and not exists (select from pg_inherits where inhrelid = conrelid)
"""


async def test_migrations_make_exactly_the_checks_that_the_rooms_declare(engine: AsyncEngine) -> None:
    """Alembic does not compare those: the tables are made beside the migrated ones, and each check is the same."""
    async with engine.begin() as connection:
        migrated = set((await connection.execute(text(_CHECKS.format(schema="public")))).all())
        await connection.execute(text("create schema declared"))
        await connection.execute(text("set local search_path to declared, public"))
        await connection.run_sync(lambda sync: metadata.create_all(sync, checkfirst=False))
        declared = set((await connection.execute(text(_CHECKS.format(schema="declared")))).all())
    assert migrated == declared != set()


async def test_two_services_that_start_at_once_migrate_once(empty_database_url: str) -> None:
    """The second waits for the first and finds nothing to do."""
    await asyncio.gather(*(upgrade(empty_database_url) for _ in range(3)))
    found, newest = await status(empty_database_url)
    assert found == newest is not None


async def test_each_migration_is_a_transaction_of_its_own(empty_database_url: str) -> None:
    """What one locked is free while the next is at work; where one fails, the next upgrade goes on from there."""
    engine = connect(empty_database_url, pool=1)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("create table password_tries ()")
    with pytest.raises(ProgrammingError, match="password_tries"):
        await upgrade(empty_database_url)
    assert (await status(empty_database_url))[0] == "0064"
    async with engine.begin() as connection:
        await connection.exec_driver_sql("drop table password_tries")
    await engine.dispose()
    await upgrade(empty_database_url)
    found, newest = await status(empty_database_url)
    assert found == newest


async def test_the_version_before_starts_with_the_schema_of_this_one(empty_database_url: str) -> None:
    """While machines are upgraded one after another, or where somebody goes back: what it does not know is left."""
    await upgrade(empty_database_url)
    engine = connect(empty_database_url, pool=1)
    async with engine.begin() as connection:
        await connection.exec_driver_sql("update alembic_version set version_num = '9999'")
    await upgrade(empty_database_url)
    await engine.dispose()
    assert (await status(empty_database_url))[0] == "9999"


_FIRST_OF_THE_RULE = "0067"
_TAKES_AWAY = {"drop_table", "drop_column", "rename_table"}


def _breaks(call: ast.Call) -> bool:
    """Whether the version before would not find what it reads, or could not write as it does."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    told = {word.arg: word.value for word in call.keywords}
    if name == "add_column":
        column = call.args[1]
        told = {word.arg: word.value for word in column.keywords} if isinstance(column, ast.Call) else {}
        return _is(told.get("nullable"), False) and "server_default" not in told
    if name == "alter_column":
        return "new_column_name" in told or "type_" in told or _is(told.get("nullable"), False)
    return name in _TAKES_AWAY


def _is(told: ast.expr | None, value: object) -> bool:
    return isinstance(told, ast.Constant) and told.value is value


@pytest.mark.parametrize("file", sorted(VERSIONS.glob("*.py")), ids=lambda file: file.stem[:4])
def test_a_migration_leaves_what_the_version_before_reads_and_writes(file: Path) -> None:
    """What it takes away nevertheless says above it since which revision nobody reads it: `# unread since 0065`."""
    lines = file.read_text().splitlines()
    (up,) = [one for one in ast.parse("\n".join(lines)).body if getattr(one, "name", "") == "upgrade"]
    breaking = [one.lineno for one in ast.walk(up) if isinstance(one, ast.Call) and _breaks(one)]
    unread = [re.search(r"# unread since (\d{4})$", lines[number - 2]) for number in breaking]
    assert file.stem < _FIRST_OF_THE_RULE or all(told and told[1] < file.stem[:4] for told in unread)


_OF_0002 = """
insert into company (id, name, region, time_zone, language) values (1, 'Ромашка', 'RU', 'Europe/Moscow', 'ru');
insert into hours (key, week, position) values ('office', '{"mon": "09:00-18:00"}', 0);
insert into people (key, name, role, hours, position) values ('anna', 'Анна', 'manager', 'office', 0);
insert into devices (address, person, kind, number, position) values ('PJSIP/anna-desk', 'anna', 'desk', '101', 0);
insert into teams (key, name, strategy, position) values ('sales', 'Продажи', 'hunt', 0);
insert into team_members (team, person, position) values ('sales', 'anna', 0);
insert into lines (number, name, team, hours, ring_seconds, position)
    values ('74951234567', 'Основная', 'sales', 'office', 15, 0)
"""
_THE_SAME = """
company: {name: Ромашка, region: RU, time_zone: Europe/Moscow, language: ru}
hours: {office: {mon: "09:00-18:00"}}
people:
  - key: anna
    name: Анна
    role: manager
    hours: office
    devices: [{kind: desk, address: PJSIP/anna-desk, number: "101"}]
teams: [{key: sales, name: Продажи, strategy: hunt, members: [anna]}]
lines: [{number: "74951234567", name: Основная, team: sales, hours: office, ring_seconds: 15}]
"""


async def test_a_directory_of_an_earlier_version_is_the_same_after_the_upgrade(empty_database_url: str) -> None:
    """What it did not know yet is as if the file had not said it."""
    engine = connect(empty_database_url, pool=1)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0002"))
        for statement in _OF_0002.split(";"):
            await connection.execute(text(statement))
    await upgrade(empty_database_url)
    async with engine.connect() as connection:
        assert await store.read(connection) == loads(_THE_SAME)
    await engine.dispose()


_OF_0027 = """
insert into parties (id) overriding system value values (1);
insert into leads (party_id, stage, opened_at, closed_at)
    values (1, 'lost', '2026-10-01', '2026-10-02'), (1, 'in_work', '2026-11-02', null);
insert into calls (id, pbx, state, direction, status, party_id, started_at, answered_at) values
    (gen_random_uuid(), 'pbx', '{}', 'inbound', 'ended', 1, '2026-10-01', '2026-10-01'),
    (gen_random_uuid(), 'pbx', '{}', 'inbound', 'ended', 1, '2026-11-03', '2026-11-03'),
    (gen_random_uuid(), 'pbx', '{}', 'inbound', 'ended', 1, '2026-11-04', null)
"""


async def test_an_open_lead_of_an_earlier_version_is_not_called_forgotten_after_the_upgrade(
    empty_database_url: str,
) -> None:
    """It knows its last talk; what is closed is left alone."""
    engine = connect(empty_database_url, pool=1)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0027"))
        for statement in _OF_0027.split(";"):
            await connection.execute(text(statement))
    await upgrade(empty_database_url)
    async with engine.connect() as connection:
        told = await connection.execute(text("select contact_at::date::text from leads order by id"))
        assert list(told.scalars()) == [None, "2026-11-03"]
    await engine.dispose()


async def test_this_month_and_the_next_have_partitions_of_events(empty_database_url: str) -> None:
    """Events of now never wait for a partition, odd times have one too."""
    await upgrade(empty_database_url)
    engine = connect(empty_database_url, pool=1)
    async with engine.connect() as connection:
        found = await connection.exec_driver_sql(
            "select relname from pg_inherits join pg_class on oid = inhrelid where inhparent = 'call_events'::regclass"
        )
        assert len(found.all()) == 3
    await engine.dispose()


_OF_0026 = """
insert into crm_connections (key, kind, settings, secrets, steps, state)
    values ('site', 'webhook', '{"url": "https://example.com/hook"}', 'x', '{transcript}', 'active');
insert into crm_effects (key, connection, step, lane, waits, state, ended_at, request)
    values (gen_random_uuid(), 'site', 'transcript', 'x', false, 'done', now(),
            '{"at": "2026-11-26T09:00:00Z", "told": {"call": "c", "language": "ru", "text": "said"}}')
"""


async def test_what_was_said_leaves_the_ledger_with_the_upgrade(empty_database_url: str) -> None:
    """Of a text only which it was stays; the connection is as it was, until the worker seals its address."""
    engine = connect(empty_database_url, pool=1)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0026"))
        for statement in _OF_0026.split(";"):
            await connection.exec_driver_sql(statement)
    await upgrade(empty_database_url)
    async with engine.connect() as connection:
        asked = "select request, settings from crm_effects join crm_connections c on c.key = connection"
        (row,) = (await connection.execute(text(asked))).all()
    await engine.dispose()
    assert row.request == {"at": "2026-11-26T09:00:00Z", "told": {"call": "c"}}
    assert row.settings == {"url": "https://example.com/hook"}


_OF_0071 = """
insert into crm_connections (key, kind, account, settings, secrets, steps, state)
select key, kind, key, '{}', 'x', steps, 'active' from (values
    ('all', 'webhook', '{lead,call_started,call_answered,call_finished,recording,transcript,task}'::text[]),
    ('chosen', 'webhook', '{call_finished,lead}'),
    ('messages', 'webhook', '{call_started,call_answered,call_finished,recording,transcript,task,lead,message}'),
    ('portal', 'bitrix24', '{call_started,call_answered,call_finished,recording,transcript,task,lead}')
) as told (key, kind, steps)
"""


async def test_webhooks_of_an_earlier_version_that_named_no_events_are_told_incidents(empty_database_url: str) -> None:
    """Who named events chose them, and a CRM of another kind has no place for an incident."""
    engine = connect(empty_database_url, pool=1)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0071"))
        await connection.exec_driver_sql(_OF_0071)
    await upgrade(empty_database_url)
    async with engine.connect() as connection:
        rows = await connection.execute(text("select key, steps from crm_connections"))
        told = {row.key: row.steps for row in rows}
    await engine.dispose()
    assert [key for key, steps in told.items() if "incident" in steps] == ["all"]
    assert set(told["all"]) == {EVENTS[event] for event in USUAL}


async def test_talks_and_deadlines_of_an_earlier_version_are_counted_after_the_upgrade(empty_database_url: str) -> None:
    """Also a talk whose words were judged anew while the machines were upgraded."""
    engine = connect(empty_database_url, pool=1)
    at = datetime(2026, 11, 3, 9, tzinfo=UTC)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0072"))
        for _ in range(2):
            await days.hear(connection, await days.call(connection, at))
        lead = await days.lead(connection, at)
        told = {"lead_id": lead, "at": at, "by": "anna", "kind": "deadline", "after": "2026-11-05T09:00:00+00:00"}
        await days.write(connection, "lead_events", **told)
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: command.upgrade(_config(sync), "0078"))
        one = "call_id = (select min(call_id::text)::uuid from talk_facts)"
        await connection.exec_driver_sql(f"update talk_facts set staff_seconds = 50 where {one}")
    await upgrade(empty_database_url)
    async with engine.connect() as connection:
        talks = await connection.execute(text("select staff_seconds from report_talks order by 1"))
        deadlines = await connection.execute(text("select deadline_at from lead_events where kind = 'deadline'"))
        assert list(talks.scalars()) == [30, 50]
        assert list(deadlines.scalars()) == [datetime(2026, 11, 5, 9, tzinfo=UTC)]
    await engine.dispose()
