"""Judging what is dialled on phones while the database is slow, hangs or is away: in time, and within the limits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.owners import owners
from crm_sync.book.parties import must_not_be_called, unwanted
from directory import store
from directory.model import Directory
from directory.outgoing import Outgoing
from routing.memory import Memory
from routing.recent import Recent
from routing.requests import Desk, Wish
from service.judge import AT_ONCE_MOST, Judge
from service.wishers import Wishers
from telephony import devices
from telephony.link import Link
from telephony.pbx import LinkSettings
from tests.fakes.directories import OFFICE

CLIENT = "79161234567"
UNWANTED = "79161234568"
LIMITED = replace(OFFICE, outgoing=Outgoing(person_per_minute=3))
BUDGET_SECONDS = 0.3


def wish(to: str = CLIENT, person: str = "anna", **told: Any) -> Wish:
    return Wish(to=to, person=person, purpose="dialled", asked_by="PJSIP/x", pbx="main", channel="1.1", **told)


@pytest.fixture
async def judge(engine: AsyncEngine) -> Judge:
    """A judge who has looked at the database once; somebody does not want to be called."""
    async with engine.begin() as connection:
        await store.apply(connection, LIMITED)
        await connection.execute(text("insert into parties (name, do_not_call_at) values ('Пётр', now())"))
        numbered = "insert into party_numbers select cast(:number as text), id from parties"
        await connection.execute(text(numbered), {"number": UNWANTED})
    memory = Memory(engine, devices=devices.read, owners=owners)
    await memory.load()
    link = Link(LinkSettings("main"), lambda _message: None)
    desk = Desk(flagged=must_not_be_called, unwanted=unwanted)
    made = Judge(
        link, memory, engine, lambda _at, _event: None, desk, Recent(), Wishers(), budget_seconds=BUDGET_SECONDS
    )
    await made.catch_up()
    return made


def the(judge: Judge) -> Directory:
    directory = judge._memory.directory
    assert directory is not None
    return directory


async def rows(engine: AsyncEngine) -> list[tuple[str, str | None]]:
    async with engine.connect() as connection:
        asked = "select state, reason from outgoing_calls order by state, reason"
        return [tuple(row) for row in await connection.execute(text(asked))]


async def test_limits_hold_while_the_database_does_not_answer(judge: Judge, engine: AsyncEngine) -> None:
    """Everybody is answered in time, the fourth call of a minute and the unwanted one are refused; all is kept."""
    async with engine.begin() as connection:
        await connection.execute(text("lock table outgoing_calls"))
        began = time.monotonic()
        wishes = [*(wish() for _ in range(4)), wish(UNWANTED, "boris"), wish(person="boris")]
        told = [await judge.judged(one, the(judge)) for one in wishes]
        assert time.monotonic() - began < 6 * (BUDGET_SECONDS + 0.3)
    assert [one.reason_key for one in told] == [None, None, None, "person_per_minute", "do_not_call", None]
    await judge.catch_up()
    await judge.catch_up()
    kept = [("dialled", None)] * 4 + [("refused", "do_not_call"), ("refused", "person_per_minute")]
    assert await rows(engine) == kept


async def test_a_flood_does_not_open_the_limits(judge: Judge, engine: AsyncEngine) -> None:
    """Forty calls at once, three may: whoever judged them, and however many the database took."""
    told = await asyncio.gather(*(judge.judged(wish(), the(judge)) for _ in range(40)))
    assert sum(one.reason_key is None for one in told) <= 3 + AT_ONCE_MOST
    again = await judge.judged(wish(), the(judge))
    assert again.reason_key == "person_per_minute"


async def test_a_driver_that_hangs_makes_nobody_wait(judge: Judge) -> None:
    """It does not even end when it is told to: the answer comes in the budget."""
    never, stubborn = asyncio.Event(), asyncio.Event()

    async def hangs(_connection: object, _number: str) -> bool:
        while not stubborn.is_set():
            try:
                await never.wait()
            except asyncio.CancelledError:
                await stubborn.wait()
        raise asyncio.CancelledError

    judge._desk = replace(judge._desk, flagged=hangs)
    assert (await judge.judged(wish(), the(judge))).reason_key is None
    stubborn.set()
    await asyncio.gather(*judge._asking, return_exceptions=True)
