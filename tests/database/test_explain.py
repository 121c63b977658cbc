"""`switchhook explain` tells every call of every tape as a readable story, in both languages."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from msgspec.structs import replace
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.record import record
from calls.tables import calls
from crm_sync.tables import leads, parties
from directory import store
from directory.model import Company, Device, Directory, Line, Person, Team
from service.commands.explain import find_call, tell
from telephony import tape
from web.words import say

TAPES = sorted((Path(__file__).parents[1] / "tapes").glob("*.ami"))
PEOPLE = (("anna", "Анна Смирнова", "1"), ("boris", "Борис Козлов", "2"), ("vera", "Вера Павлова", "3"))
HOUSE = Directory(
    company=Company(name="Ромашка", time_zone="Europe/Moscow"),
    people=tuple(
        Person(
            key=key,
            name=name,
            role="manager",
            devices=(Device(kind="desk", address=f"PJSIP/m{number}", number=f"10{number}"),),
        )
        for key, name, number in PEOPLE
    ),
    teams=(Team(key="sales", name="Продажи", strategy="ring_all", members=("anna", "boris", "vera")),),
    lines=(Line(number="74951234567", name="Основная", team="sales"),),
)
RAW = re.compile(r"\b(?:[a-z]+_[a-z_]+|None|null|nan|PJSIP/m[123]|outbound|inbound|ringing)\b|\?|\{|\}")
"""What no reader should meet: names of the program's own, gaps, and devices of people who have names."""

KEYS = {"id", "record", "timeline", "decision", "recordings", "transcript", "talk_facts"}
KEYS |= {"party", "party_name", "lead", "lead_place"}


@pytest.fixture
async def engine(engine: AsyncEngine) -> AsyncEngine:
    """With the house in it."""
    async with engine.begin() as connection:
        await store.apply(connection, HOUSE)
    return engine


async def stored(engine: AsyncEngine, path: Path, pbx: str = "main") -> list[UUID]:
    """The calls of a tape, recorded."""
    async with engine.begin() as connection:
        changes = await record(connection, tape.read(path, pbx).events)
    return [change.call_id for change in changes]


async def told(engine: AsyncEngine, call: UUID, language: str) -> tuple[dict[str, Any], str]:
    async with engine.begin() as connection:
        return await tell(connection, call, language)


@pytest.mark.parametrize("form", [".ami", ".cel.csv"])
async def test_every_tape_is_a_readable_story(engine: AsyncEngine, form: str) -> None:
    """Numbered moments with the clock of the house, people by their names, no word of the program's own; JSON stays."""
    for number, path in enumerate(one.with_suffix(form) for one in TAPES):
        for call in await stored(engine, path, f"pbx{number}"):
            shapes: list[dict[str, Any]] = []
            facts: dict[str, Any] = {}
            for language in ("ru", "en"):
                facts, story = await told(engine, call, language)
                raw = RAW.search(story.replace(str(call), ""))
                assert raw is None, (path.stem, language, raw, story)
                moments = [line for line in story.splitlines() if re.match(r" *\d+\. \d\d:\d\d:\d\d  \S", line)]
                assert len(moments) == len(facts["timeline"]) >= 2, (path.stem, story)
                assert facts.keys() == KEYS
                assert json.loads(json.dumps(facts)) == facts
                assert all(one["kind"] for one in facts["timeline"])
                shapes.append({**facts, "timeline": [one["at"] for one in facts["timeline"]]})
            assert shapes[0] == shapes[1], "JSON is the same but for the words of the timeline"
            english = " ".join(one["text"] for one in facts["timeline"])
            for known in (*(name for _, name, _ in PEOPLE), facts["record"]["caller"]["name"]):
                english = english.replace(known or " ", " ")
            assert not re.search("[а-яё]", english, re.IGNORECASE), (path.stem, english)


@pytest.mark.parametrize(
    "name, lines",
    [
        ("answered", ["Входящий: Клиент +7 916 123-45-67. Принят.", "Ответили: Анна Смирнова",
                      "Анна Смирнова: разговор начался", "Трубку положил клиент"]),
        ("hunt_missed", ["Почему пропущен: Никто не ответил.", "  Анна Смирнова: нет ответа 0:03",
                         "  Борис Козлов: занято"]),
        ("blind_unanswered", ["Анна Смирнова переводит звонок: Борис Козлов, но никто не отвечает",
                              "Анна Смирнова: собеседник на удержании"]),
        ("atxfer_refer", ["Анна Смирнова — Борис Козлов: говорят между собой",
                          "Анна Смирнова переводит звонок после разговора: Борис Козлов"]),
        ("pickup", ["Борис Козлов перехватывает звонок, на который не ответили: Анна Смирнова"]),
        ("park", ["Анна Смирнова ставит звонок на парковку 701", "Борис Козлов забирает звонок с парковки"]),
        ("queue_again", ["Ожидание в очереди «sales»", "Время ожидания в очереди «sales» вышло"]),
        ("forward_302", ["Анна Смирнова: телефон переадресует звонок: Борис Козлов"]),
        ("voicemail", ["Включается голосовая почта", "Звонок окончен в голосовой почте."]),
        ("unregistered", ["Почему пропущен: Телефон был недоступен."]),
        ("click2call_staff_busy", ["Внутренний: Анна Смирнова. Не дозвонились.", "АТС звонит: Анна Смирнова"]),
        ("click2call_client_first_busy", ["Исходящий: +7 916 000-00-22. Не дозвонились."]),
        ("click2call_client_first_staff_refuses", ["+7 916 000-00-22: трубку взяли, но соединить не удалось"]),
        ("mobile_refused", ["+7 916 000-00-11: вызов сброшен"]),
        ("mobile_unconfirmed", ["+7 916 000-00-11: на мобильном не нажали 1"]),
        ("three_way", ["Анна Смирнова подключает к разговору: Борис Козлов"]),
        ("queue_without_members", ["  В очереди «sales» никого нет"]),
        ("park_comes_back", ["Время парковки вышло, звонок возвращается: Анна Смирнова"]),
    ],
)  # fmt: skip
async def test_a_story_tells_what_happened(engine: AsyncEngine, name: str, lines: list[str]) -> None:
    """Who rang, held, parked, transferred and hung up, in plain words."""
    (call,) = await stored(engine, TAPES[0].with_name(f"{name}.ami"))
    _, story = await told(engine, call, "ru")
    for line in lines:
        assert line in story, story


@pytest.mark.parametrize("name", ["voicemail", "attended_refer_to_voicemail"])
async def test_voicemail_is_told_once(engine: AsyncEngine, name: str) -> None:
    """Both witnesses tell of the mailbox, and a transfer to it tells it again: the story has it once."""
    path = TAPES[0].with_name(f"{name}.ami")
    (call,) = await stored(engine, path)
    assert await stored(engine, path.with_suffix(".cel.csv")) == [call]
    _, story = await told(engine, call, "ru")
    assert story.count("Включается голосовая почта") == 1, story


async def test_a_route_is_told_of_calls_that_came_in_only(engine: AsyncEngine) -> None:
    """Nobody routes a call to the outside."""
    stories = {}
    for name in ("answered", "outbound"):
        (call,) = await stored(engine, TAPES[0].with_name(f"{name}.ami"), name)
        stories[name] = (await told(engine, call, "ru"))[1]
    assert [say("ru", "call.no_decision") in stories[name] for name in ("answered", "outbound")] == [True, False]


async def test_a_call_tells_who_its_party_turned_out_to_be_and_where_its_lead_is(engine: AsyncEngine) -> None:
    """The party that is kept, with its name; the lead with its stage and step."""
    (call,) = await stored(engine, TAPES[0].with_name("answered.ami"))
    async with engine.begin() as connection:
        kept = (await connection.execute(insert(parties).values(name="Пётр").returning(parties.c.id))).scalar_one()
        gone = (await connection.execute(insert(parties).values(merged_into=kept).returning(parties.c.id))).scalar_one()
        row = {"party_id": kept, "stage": "in_work", "step": "meeting", "opened_at": func.now()}
        lead = (await connection.execute(insert(leads).values(row).returning(leads.c.id))).scalar_one()
        await connection.execute(calls.update().values(party_id=gone, lead_id=lead))
    facts, story = await told(engine, call, "en")
    assert (facts["party"], facts["party_name"], facts["lead_place"]) == (kept, "Пётр", "in_work/meeting")
    assert f"Party no. {kept}: Пётр" in story
    assert f"Lead no. {lead}: meeting" in story


async def test_a_call_is_found_by_any_name_of_the_pbx(engine: AsyncEngine) -> None:
    """Its own id, and each uniqueid or linkedid it ever had."""
    path = TAPES[0].with_name("answered.ami")
    (call,) = await stored(engine, path)
    names = {name for event in tape.read(path).events for name in (event.channel, event.linkedid)} - {None, ""}
    async with engine.begin() as connection:
        for name in (str(call), *names):
            assert await find_call(connection, str(name)) == call
        assert await find_call(connection, "1.1") is None


async def test_a_recovered_call_says_so(engine: AsyncEngine) -> None:
    """The mark stands in the head and in the story."""
    (call,) = await stored(engine, TAPES[0].with_name("answered.ami"))
    async with engine.begin() as connection:
        row = (await connection.execute(select(calls.c.pbx, calls.c.state).where(calls.c.id == call))).one()
        uid = next(iter(row.state["channels"]))
        mark = e.Recovered(pbx=row.pbx, channel=uid, at=datetime(2026, 11, 23, 9, 41, 19, 950000, UTC))
        await record(connection, [replace(mark)])
    _, story = await told(engine, call, "en")
    assert story.count(say("en", "call.recovered")) == 2
