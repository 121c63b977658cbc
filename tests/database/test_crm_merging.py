"""Parties that turn out to be one, and that taken back, against a real PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.due import owe_nothing
from calls.record import record
from crm_sync.book.leads import By, locked, move_lead, open_lead
from crm_sync.book.lifecycle import Move
from crm_sync.book.locks import lock_numbers
from crm_sync.book.merging import PartyRefused, add_number, merge, rename, same_party, unmerge
from crm_sync.book.notes import add_note, add_task
from crm_sync.erasing import erase_parties
from crm_sync.jobs import CrmJobs
from crm_sync.tables import notes, parties, party_merges, party_numbers, tasks
from directory.file import loads
from directory.store import apply
from service.commands import parties as commands
from service.faults import UserFault
from service.settings import load
from tests.fakes.recorded import T0, settled_call

BY = By(who="vera", at=T0)
HOUSE = loads(
    """
company: {name: Ромашка}
people: [{key: anna, name: Анна, role: manager, devices: [{kind: mobile, address: "79160000011", trunk: PJSIP/t}]}]
teams: [{key: sales, name: Продажи, members: [anna]}]
lines: [{number: "74951234567", name: Основная, team: sales}]
blocked: [{number: "79160009999"}]
leads: {funnel: [{key: meeting, name: Встреча}]}
"""
)


async def party(connection: AsyncConnection, name: str | None, *numbers: str) -> int:
    made = await connection.execute(insert(parties).values(name=name).returning(parties.c.id))
    found: int = made.scalar_one()
    for number in numbers:
        await connection.execute(insert(party_numbers).values(number=number, party_id=found))
    return found


async def asked(connection: AsyncConnection, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in await connection.execute(text(sql))]


_WHOLE = (
    "select 'party', id, name, merged_into, do_not_call_at from parties",
    "select 'number', party_id, number from party_numbers",
    "select 'lead', id, party_id from leads",
    "select 'note', id, party_id from notes",
    "select 'task', id, party_id from tasks",
)


async def whole(connection: AsyncConnection) -> list[tuple[Any, ...]]:
    """Whose everything is."""
    return [row for sql in _WHOLE for row in await asked(connection, f"{sql} order by 2, 3")]


async def two(connection: AsyncConnection) -> tuple[int, int]:
    """Мария with one number and a nameless caller with another, each with a lead in work, notes and tasks."""
    one, other = await party(connection, None, "79161230001"), await party(connection, "Мария", "79161230002")
    await connection.execute(text("update parties set do_not_call_at = now() where id = :id"), {"id": other})
    for owner, stage in ((one, "qualifying"), (other, "qualified")):
        lead = await open_lead(connection, HOUSE, owner, BY, stage=stage)
        told = {"party_id": owner, "lead_id": lead, "text": "слова"}
        await connection.execute(insert(notes).values(told | {"at": T0, "by": "vera"}))
        await connection.execute(insert(tasks).values(told | {"made_at": T0, "made_by": "vera"}))
        if owner == other:
            await move_lead(connection, HOUSE, lead, Move(stage="in_work", step="meeting"), BY)
    return one, other


async def test_a_merge_moves_everything_and_unmerging_gives_exactly_that_back(engine: AsyncEngine) -> None:
    """Numbers, leads, notes, tasks, a name that was missing, a wish not to be called; then all as it was."""
    async with engine.begin() as connection:
        one, other = await two(connection)
        before = await whole(connection)
        await merge(connection, HOUSE, one, other, BY)
        merged = await whole(connection)
        assert {row[1] for row in merged if row[0] == "number"} == {one}
        assert {row[2] for row in merged if row[0] in {"lead", "note", "task"}} == {one}
        assert [row[2] for row in merged if row[0] == "party"] == ["Мария", "Мария"]
        assert await asked(connection, "select do_not_call_at is not null from parties") == [(True,), (True,)]
        assert await asked(connection, "select stage, reason, duplicate_of from leads order by id") == [
            ("qualifying", None, None),
            ("disqualified", "duplicate", 1),
        ]
        assert set((await connection.execute(same_party(one))).scalars()) == {one, other}
        assert await unmerge(connection, HOUSE, other, BY) == one
        assert await whole(connection) == before
        assert await asked(connection, "select stage, step from leads order by id") == [
            ("qualifying", None),
            ("in_work", "meeting"),
        ]
        told = "select before, after from lead_events where kind = 'merged' order by id"
        assert await asked(connection, told) == [(str(other), str(one)), (str(one), str(other))]
        history = "select kept, gone, by, undone_by from party_merges"
        assert await asked(connection, history) == [(one, other, "vera", "vera")]


async def test_what_others_changed_since_stays_when_a_merge_is_taken_back(engine: AsyncEngine) -> None:
    """A number that came after the merge, a name that was written, a lead that was closed again."""
    async with engine.begin() as connection:
        one, other = await two(connection)
        await merge(connection, HOUSE, one, other, BY)
        assert await add_number(connection, HOUSE, one, "8 916 123-00-03") == "79161230003"
        await rename(connection, one, "  Мария\u00a0 Петрова ")
        await connection.execute(text("update leads set reason = 'spam', duplicate_of = null where id = 2"))
        await unmerge(connection, HOUSE, other, BY)
        assert await asked(connection, "select party_id, number from party_numbers order by number") == [
            (one, "79161230001"),
            (other, "79161230002"),
            (one, "79161230003"),
        ]
        assert await asked(connection, "select name from parties order by id") == [("Мария Петрова",), ("Мария",)]
        assert await asked(connection, "select stage, reason from leads where id = 2") == [("disqualified", "spam")]


async def test_what_was_written_during_a_merge_goes_with_the_lead_it_is_of(engine: AsyncEngine) -> None:
    """A note and a task of a lead that is given back are given back with it; those of the kept lead stay."""
    async with engine.begin() as connection:
        one, other = await two(connection)
        await merge(connection, HOUSE, one, other, BY)
        for lead in (1, 2):
            await add_note(connection, lead, "позже", BY)
            await add_task(connection, HOUSE, lead, "позвонить", BY)
        await unmerge(connection, HOUSE, other, BY)
        for table in ("notes", "tasks"):
            whose = f"select distinct lead_id, party_id from {table} order by 1"
            assert await asked(connection, whose) == [(1, one), (2, other)]


async def until_it_waits(engine: AsyncEngine, lock: str) -> None:
    waits = f"select count(*) from pg_stat_activity where wait_event = '{lock}' and datname = current_database()"
    async with asyncio.timeout(10), engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        while await asked(connection, waits) != [(1,)]:
            await asyncio.sleep(0.01)


async def become_one(engine: AsyncEngine, one: int, other: int) -> None:
    async with engine.begin() as connection:
        await merge(connection, HOUSE, one, other, BY)


async def test_a_note_and_a_merge_at_once_never_wait_for_each_other_crosswise(engine: AsyncEngine) -> None:
    """The note's lead is locked, the merge holds both parties and waits for it: the note is written, then moved."""
    async with engine.begin() as connection:
        one, other = await two(connection)
    async with engine.begin() as writing:
        await locked(writing, 2)
        merging = asyncio.create_task(become_one(engine, one, other))
        await until_it_waits(engine, "transactionid")
        await add_note(writing, 2, "во время", BY)
    await merging
    async with engine.connect() as connection:
        assert await asked(connection, "select distinct party_id from notes") == [(one,)]


async def test_a_number_that_comes_while_a_merge_waits_is_locked_with_the_others(engine: AsyncEngine) -> None:
    """A call from it comes before the merge or after it, never into the midst."""
    async with engine.begin() as connection:
        one, other = await two(connection)
    async with engine.begin() as adding:
        await lock_numbers(adding, ["79161230002", "79161230003"])
        merging = asyncio.create_task(become_one(engine, one, other))
        await until_it_waits(engine, "advisory")
        await adding.execute(insert(party_numbers).values(number="79161230003", party_id=other))
        async with engine.begin() as holding:
            # The merge has the numbers that it knew of, and waits for its second lead.
            await locked(holding, 2)
            await adding.commit()
            await until_it_waits(engine, "transactionid")
            free = "select pg_try_advisory_xact_lock(hashtextextended('79161230003', 7))"
            assert await asked(holding, free) == [(False,)]
    await merging


async def test_a_party_of_parties_can_be_taken_apart_in_any_order(engine: AsyncEngine) -> None:
    """Three become one in two steps; the first that was merged goes its own way again, then the second."""
    async with engine.begin() as connection:
        ids = [await party(connection, name, f"7916123000{n}") for n, name in enumerate(("Первый", "Второй", "Третий"))]
        before = await whole(connection)
        await merge(connection, HOUSE, ids[1], ids[0], BY)
        await merge(connection, HOUSE, ids[2], ids[1], BY)
        assert {row[3] for row in await whole(connection) if row[0] == "party"} == {ids[2], None}
        assert await unmerge(connection, HOUSE, ids[0], BY) == ids[2]
        assert await unmerge(connection, HOUSE, ids[1], BY) == ids[2]
        assert await whole(connection) == before


async def test_what_cannot_be_is_refused_by_field_and_changes_nothing(engine: AsyncEngine) -> None:
    """With itself, with nobody, twice, a number of ours, a number of another's."""
    async with engine.begin() as connection:
        one, other = await two(connection)
        third = await party(connection, None, "79161230009")
        await merge(connection, HOUSE, one, other, BY)
        before = await whole(connection)
        for field, doing in (
            ("with", lambda: merge(connection, HOUSE, one, one, BY)),
            ("party", lambda: merge(connection, HOUSE, third, other, BY)),
            ("party", lambda: merge(connection, HOUSE, one, 999, BY)),
            ("party", lambda: unmerge(connection, HOUSE, one, BY)),
            ("party", lambda: unmerge(connection, HOUSE, 999, BY)),
            ("party", lambda: rename(connection, 999, "Кто-то")),
            ("name", lambda: rename(connection, one, "x" * 201)),
            ("name", lambda: rename(connection, one, "a\x00b")),
            ("number", lambda: add_number(connection, HOUSE, one, "79160000011")),
            ("number", lambda: add_number(connection, HOUSE, one, "101")),
            ("number", lambda: add_number(connection, HOUSE, one, "+7 916 000-99-99")),
            ("number", lambda: add_number(connection, HOUSE, one, "8 916 123-00-09")),
            ("party", lambda: add_number(connection, HOUSE, other, "79161230007")),
        ):
            with pytest.raises(PartyRefused) as refused:
                await doing()
            assert refused.value.field == field
        assert await whole(connection) == before


async def test_calls_while_two_parties_become_one_never_make_a_second_lead(engine: AsyncEngine) -> None:
    """Both numbers call while somebody merges them: one open lead, every call linked, nobody waits for ever."""
    async with engine.begin() as connection:
        await apply(connection, HOUSE)
        one, other = await two(connection)
    ids = []
    for n in range(6):
        async with engine.begin() as connection:
            (change,) = await record(connection, settled_call(f"{n}.1", number=f"7916123000{n % 2 + 1}"))
            ids.append(change.call_id)
    jobs = CrmJobs(engine=engine, owes=owe_nothing)
    async with asyncio.timeout(60):
        await asyncio.gather(become_one(engine, one, other), *(jobs.link_call(call_id, 0) for call_id in ids))
    async with engine.connect() as connection:
        assert await asked(connection, "select count(*) from leads") == [(2,)]
        assert await asked(connection, "select party_id from leads where closed_at is null") == [(one,)]
        assert await asked(connection, "select count(*) from calls where lead_id is not null") == [(6,)]
        mine = text("select count(*) from calls where party_id = any(:ids)")
        ids_of_one = list((await connection.execute(same_party(one))).scalars())
        assert (await connection.execute(mine, {"ids": ids_of_one})).scalar() == 6


async def test_a_merged_person_is_erased_whole_also_from_merges_taken_back(engine: AsyncEngine) -> None:
    """Both rows, both names, and a number that a merge of others once moved."""
    async with engine.begin() as connection:
        ids = [await party(connection, f"Имя {n}", f"7916123000{n}") for n in range(3)]
        await merge(connection, HOUSE, ids[1], ids[0], BY)
        await merge(connection, HOUSE, ids[2], ids[1], BY)
        await unmerge(connection, HOUSE, ids[0], BY)
        gone = await erase_parties(connection, ["79161230000"])
        assert gone.names == {"Имя 0"}
        told = (await connection.execute(select(party_merges.c.moved))).scalars().all()
        assert told
        assert "79161230000" not in str(told)
        gone = await erase_parties(connection, ["79161230002"])
        assert gone.names == {"Имя 1", "Имя 2"}
        assert await whole(connection) == []


async def test_the_command_line_merges_shows_and_refuses(engine: AsyncEngine, database_url: str) -> None:
    """What people do with parties, and one line with field and value for what cannot be."""
    async with engine.begin() as connection:
        await apply(connection, HOUSE)
        one, other = await two(connection)
    settings = load(database_url=SecretStr(database_url))
    assert await commands.add_party_number(settings, one, "8 916 123-00-05") == "79161230005"
    await commands.merge_parties(settings, one, other, "anna")
    told, words = await commands.show_party(settings, "8 (916) 123-00-02")
    assert (told["id"], told["numbers"]) == (one, ["79161230001", "79161230002", "79161230005"])
    assert f"anna merged {other} into {one}" in words
    assert await commands.unmerge_party(settings, other, "anna") == one
    await commands.rename_party(settings, other, "Мария П.")
    told, words = await commands.show_party(settings, str(other))
    assert (told["name"], told["merges"][0]["undone_by"]) == ("Мария П.", "anna")
    for doing, message in (
        (commands.show_party(settings, "999"), "PARTY: there is no party '999'"),
        (commands.merge_parties(settings, one, other, "who"), "--by: there is nobody 'who'"),
        (commands.merge_parties(settings, one, one, "anna"), "with: must be another party"),
        (commands.add_party_number(settings, one, "101"), "number: must be a telephone number"),
    ):
        with pytest.raises(UserFault, match=message):
            await doing
