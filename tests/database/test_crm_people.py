"""Who is who in a CRM: by extension, by hand, and by what it said last."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.crm import CrmUser
from crm_sync.people import KnownPeople, disputed, keep_users, known, pair, unknown
from directory import tables as d
from tests.fakes.ledger import add_connection

USERS = (CrmUser("1", "Анна", "101"), CrmUser("7", "Пётр", "207"), CrmUser("9", "Вера"))


@pytest.fixture
async def people(engine: AsyncEngine) -> KnownPeople:
    """Anna (101) and Boris (102) here, and a CRM that has named its users."""
    await add_connection(engine, "https://example.com/hook")
    async with engine.begin() as connection:
        for position, (key, number) in enumerate((("anna", "101"), ("boris", "102"))):
            person = {"key": key, "name": key, "role": "manager", "position": position}
            device = {"address": f"PJSIP/{key}", "person": key, "kind": "desk", "number": number, "position": 0}
            await connection.execute(insert(d.people).values(**person))
            await connection.execute(insert(d.devices).values(**device))
    await _say(engine, USERS)
    return KnownPeople(engine, "site")


async def _say(engine: AsyncEngine, users: Sequence[CrmUser]) -> None:
    async with engine.begin() as connection:
        await keep_users(connection, "site", users)


async def test_people_are_known_by_their_extension(people: KnownPeople, engine: AsyncEngine) -> None:
    """Both ways; nobody there and nobody here are None, and who is missing there is told."""
    assert (await people.user_of("anna"), await people.person_of("1")) == ("1", "anna")
    assert (await people.user_of("boris"), await people.person_of("7")) == (None, None)
    assert (await people.user_of(None), await people.person_of(None)) == (None, None)
    async with engine.connect() as connection:
        assert await unknown(connection, "site") == ["boris"]


async def test_what_a_person_said_goes_before_extensions(people: KnownPeople, engine: AsyncEngine) -> None:
    """For both sides of the pair; said anew it holds for the other, and taken back the extension counts again."""
    async with engine.begin() as connection:
        await pair(connection, "site", "9", "anna")
    assert (await people.user_of("anna"), await people.person_of("1")) == ("9", None)
    async with engine.begin() as connection:
        await pair(connection, "site", "7", "anna")
    assert (await people.user_of("anna"), await people.person_of("9")) == ("7", None)
    async with engine.begin() as connection:
        await pair(connection, "site", "7", None)
    assert await people.user_of("anna") == "1"


async def test_the_last_good_answer_stays(people: KnownPeople, engine: AsyncEngine) -> None:
    """An empty one is not believed; who is not named any more is forgotten, unless somebody said who that is."""
    async with engine.begin() as connection:
        await pair(connection, "site", "9", "boris")
    await _say(engine, ())
    assert await people.user_of("anna") == "1"
    await _say(engine, (CrmUser("2", "Анна Смирнова", "101"),))
    assert await people.user_of("anna") == "2"
    async with engine.connect() as connection:
        told = await known(connection, "site")
    assert [(one.user, one.person, one.by_hand) for one in told] == [("2", "anna", False), ("9", "boris", True)]


async def test_who_has_no_extension_there_is_known_by_their_mailbox(people: KnownPeople, engine: AsyncEngine) -> None:
    """However it is written; an extension goes before it, and a mailbox that several have is nobody's."""
    async with engine.begin() as connection:
        await connection.execute(update(d.people).where(d.people.c.key == "boris").values(email="Boris@example.com"))
        await connection.execute(update(d.people).where(d.people.c.key == "anna").values(email="anna@example.com"))
    await _say(
        engine,
        (*USERS[:2], CrmUser("8", "Борис", None, "boris@Example.com"), CrmUser("9", "А.", None, "anna@example.com")),
    )
    assert [await people.person_of(user) for user in ("1", "8", "9")] == ["anna", "boris", None]
    await _say(
        engine, (CrmUser("8", "Борис", None, "boris@example.com"), CrmUser("66", "Б.", None, "boris@example.com"))
    )
    assert [await people.person_of(user) for user in ("8", "66")] == [None, None]


async def test_an_extension_that_several_have_is_nobodys_until_it_is_said(
    people: KnownPeople, engine: AsyncEngine
) -> None:
    """Users write their own there: whoever writes another's becomes nobody, and it is told as missing."""
    await _say(engine, (*USERS, CrmUser("66", "Аноним", "101")))
    assert [await people.person_of(user) for user in ("1", "66")] == [None, None]
    assert await people.user_of("anna") is None
    async with engine.begin() as connection:
        (told,) = await disputed(connection, "site")
        await pair(connection, "site", "1", "anna")
        assert await disputed(connection, "site") == ()
    assert "extension 101" in told
    assert [await people.person_of(user) for user in ("1", "66")] == ["anna", None]
