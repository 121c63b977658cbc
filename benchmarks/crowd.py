"""A firm after years of calls, invented: people outside with names and numbers, their calls, leads, notes and talks."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.call import Call
from calls.call import apply as apply_event
from calls.tables import calls
from crm_sync.book.lifecycle import OPEN, STAGES
from crm_sync.tables import leads, notes, parties, party_numbers
from directory.model import Company, Device, Directory, Line, Person, Team
from directory.store import apply
from recordings.tables import transcripts

TEAMS: Final = 8
IN_A_TEAM: Final = 5
_LINE: Final = 74951000000
_YEARS: Final = timedelta(days=730)
_HEARD_AFTER: Final = timedelta(minutes=10)
_AHEAD: Final = timedelta(days=30)
_LEADS_FOR_A_TASK: Final = 10

_ROOTS_TOLD: Final = (
    "Иван Смирн Кузнец Поп Васил Петр Сокол Михайл Новик Фёдор Мороз Волк Алексе Лебед Семён Егор Павл Козл Степан "
    "Никола Орл Андре Макар Никит Захар Зайц Соловь Борис Яковл Григор Роман Вороб Серге Кузьм Фрол Александр Дмитри "
    "Корол Гус Киселё Ильин Максим Поляк Сорок Виноград Ковал Белоус Медвед Антон Тарас Жук Баран Филип Комар Давыд "
    "Беля Герасим Богдан Осип Сидор Матве Тит Марк Мирон Крыл Кудряв Караул Власо Мельник Денис Гаврил Тихон Казак "
    "Афанас Данил Савел Тимофе Фомин Чернов Абрам Март Ефим Федот Щерб Назар Калинин Исак Чернышё Быч Маслов Родион "
    "Лазар Авде Пахом Ерём Кондрат Сафрон Трофим Ларион Потап Мака Прохор Рыбак Шубин Горбун Лукин Кошел Пономарё"
)
_ROOTS: Final = tuple(_ROOTS_TOLD.split())
_ENDINGS: Final = ("ов", "ев", "ин", "ский", "енко", "ко", "овский", "ович", "ян", "ук")
_MEN_TOLD: Final = "Александр Сергей Дмитрий Андрей Алексей Максим Иван Михаил Никита Артём Олег Пётр Юрий Глеб Игорь"
_MEN: Final = tuple(_MEN_TOLD.split())
_WOMEN_TOLD: Final = "Анна Мария Елена Ольга Наталья Екатерина Татьяна Ирина Юлия Светлана Дарья Алёна Вера Софья"
_WOMEN: Final = tuple(_WOMEN_TOLD.split())
_SAID_TOLD: Final = (
    "здравствуйте добрый день слушаю вас меня зовут хочу посмотреть квартиру сколько стоит скидка ипотека договор "
    "встреча завтра послезавтра утром вечером адрес дом этаж балкон ремонт паркинг рассрочка банк процент документ "
    "перезвоните спасибо пожалуйста конечно понятно хорошо давайте запишу номер почта менеджер компания проект корпус "
    "площадь метров комната кухня окно вид двор школа парковка лифт ключи сдача дома очередь бронь аванс наличные"
)
_SAID: Final = tuple(_SAID_TOLD.split())
_PROJECTS: Final = ("Лесные Дали", "Парк", "Набережная", "Сады", "Маяк")
_RARE: Final = tuple(f"{root.lower()}{ending}град" for root in _ROOTS for ending in _ENDINGS)


def _answered() -> str:
    """The folded state of an answered call, which every row holds; its times are of none of them."""
    at = datetime.now(UTC) - _HEARD_AFTER
    caller: dict[str, Any] = {"pbx": "main", "channel": "17.1", "linkedid": "17.1", "name": "PJSIP/trunk-1"}
    staff: dict[str, Any] = {"pbx": "main", "channel": "17.2", "linkedid": "17.1", "name": "PJSIP/p0-2"}
    told: dict[str, Any] = {"number": "79161234567", "caller_name": ""}
    events: tuple[e.Event, ...] = (
        e.ChannelCreated(**caller, **told, at=at, dialed=str(_LINE), context="trunk", incoming=True),
        e.Arrived(**caller, **told, at=at, line=str(_LINE)),
        e.ChannelCreated(**staff, at=at, number="100", incoming=False),
        e.Dialed(**caller, at=at, target="17.2", target_name="PJSIP/p0-2", target_linkedid="17.1", dial_string="p0"),
        e.ChannelRang(**staff, at=at),
        e.DialEnded(**caller, at=at, target="17.2", status="ANSWER"),
        *(e.ChannelUp(**one, at=at) for one in (caller, staff)),
        *(e.BridgeEntered(**one, at=at, bridge="b") for one in (caller, staff)),
        *(e.ChannelHungUp(**one, at=at + timedelta(minutes=1), cause=16) for one in (caller, staff)),
    )
    return msgspec.json.encode(reduce(apply_event, events, Call())).decode()


_STATE: Final = _answered()


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are of each."""

    parties: int = 200_000
    calls: int = 1_000_000
    talks: int = 100_000
    notes: int = 200_000


@dataclass
class Crowd:
    """What was made: names and numbers to look for."""

    names: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)


def firm(teams: int = TEAMS, in_a_team: int = IN_A_TEAM) -> Directory:
    """Managers in teams, each team with a line, and their head."""
    people = [
        Person(key=f"p{n}", name=f"Person {n}", role="manager", devices=(Device(kind="desk", address=f"PJSIP/p{n}"),))
        for n in range(teams * in_a_team)
    ]
    members = [tuple(one.key for one in people[n * in_a_team : (n + 1) * in_a_team]) for n in range(teams)]
    return Directory(
        company=Company(name="Bench", region="RU", time_zone="Europe/Moscow", language="ru"),
        people=(*people, Person(key="head", name="Head", role="head")),
        teams=tuple(Team(key=f"t{n}", name=f"Team {n}", strategy="ring_all", members=members[n]) for n in range(teams)),
        lines=tuple(Line(number=str(_LINE + n), name=f"Line {n}", team=f"t{n}") for n in range(teams)),
    )


async def gather(engine: AsyncEngine, dsn: str, size: Size, seed: int = 1) -> Crowd:
    """Fill a migrated database, by COPY, and make its statistics; the same seed makes the same crowd."""
    async with engine.begin() as connection:
        await apply(connection, firm())
    dice, crowd = random.Random(seed), Crowd()
    searched = [
        index for table in (calls, parties, party_numbers, leads, notes, transcripts) for index in table.indexes
    ]
    words = [index for index in searched if index.dialect_options["postgresql"]["using"] == "gin"]
    async with engine.begin() as connection:
        for index in words:
            await connection.run_sync(index.drop)
    raw = await asyncpg.connect(dsn)
    try:
        await _people(raw, dice, crowd, size)
        await _calls(raw, dice, crowd, size)
        async with engine.begin() as connection:
            for index in words:
                await connection.run_sync(index.create)
        await raw.execute("vacuum analyze", timeout=600)
    finally:
        await raw.close()
    return crowd


async def _people(raw: asyncpg.Connection, dice: random.Random, crowd: Crowd, size: Size) -> None:
    surnames = [root + ending for root in _ROOTS for ending in _ENDINGS]
    # A few surnames are everybody's, most are rare.
    shares = [1 / place for place in range(1, len(surnames) + 1)]
    for surname in dice.choices(surnames, shares, k=size.parties):
        woman = dice.random() < 0.5
        first = dice.choice(_WOMEN if woman else _MEN)
        crowd.names.append(f"{surname}{'а' if woman and surname[-1] in 'вн' else ''} {first}")
        crowd.numbers.append(f"79{dice.choice('012568')}{dice.randrange(10**8):08}")
    crowd.numbers = list(dict.fromkeys(crowd.numbers))
    del crowd.names[len(crowd.numbers) :]
    now = datetime.now(UTC)
    await _copy(raw, "parties", ("name", "created_at"), ((name, now) for name in crowd.names))
    numbers = ((number, place) for place, number in enumerate(crowd.numbers, 1))
    await _copy(raw, "party_numbers", ("number", "party_id"), numbers)
    columns = (
        *("party_id", "stage", "owner", "source_line", "opened_at", "stage_at", "contact_at", "deadline_at"),
        *("closed_at", "fields"),
    )
    await _copy(raw, "leads", columns, (_lead(dice, place, now) for place in range(1, len(crowd.names) + 1)))
    tasks = (
        (lead, lead, "перезвонить", _person(dice), now + dice.random() * _AHEAD, now, "p0")
        for lead in range(1, len(crowd.names) + 1, _LEADS_FOR_A_TASK)
    )
    names = ("party_id", "lead_id", "text", "assignee", "due_at", "made_at", "made_by")
    await _copy(raw, "tasks", names, tasks)
    written = (
        (dice.randrange(1, len(crowd.names) + 1), _person(dice), now, " ".join(dice.choices(_SAID, k=12)))
        for _ in range(size.notes)
    )
    await _copy(raw, "notes", ("party_id", "by", "at", "text"), written)


def _lead(dice: random.Random, party: int, now: datetime) -> tuple[Any, ...]:
    """A lead of these years: one in ten nobody's, most open ones due this month or the last, half overdue."""
    opened = now - dice.random() * _YEARS
    stage, moved = dice.choice(STAGES), opened + dice.random() * (now - opened)
    owner = _person(dice) if dice.random() < 0.9 else None
    talked = opened + dice.random() * (now - opened) if dice.random() < 0.7 else None
    due = now + dice.uniform(-1, 1) * _AHEAD if stage in OPEN and dice.random() < 0.9 else None
    line = str(_LINE + dice.randrange(TEAMS))
    return party, stage, owner, line, opened, moved, talked, due, None if stage in OPEN else moved, _fields(dice)


def _person(dice: random.Random) -> str:
    return f"p{dice.randrange(TEAMS * IN_A_TEAM)}"


def _fields(dice: random.Random) -> str:
    return json.dumps({"проект": dice.choice(_PROJECTS), "оплата": dice.choice(("ипотека", "наличные"))})


async def _calls(raw: asyncpg.Connection, dice: random.Random, crowd: Crowd, size: Size) -> None:
    """Calls by the time they began, as they come; a party's are its team's, most of them."""
    began, step = datetime.now(UTC) - _YEARS, _YEARS / size.calls
    columns = (
        *("id", "pbx", "state", "direction", "status", "line", "caller_number", "dialed", "started_at", "answered_at"),
        *("ended_at", "settled_at", "person", "talk_seconds", "party_id"),
    )
    legs: list[tuple[Any, ...]] = []
    talks: list[tuple[UUID, datetime]] = []

    def rows() -> Iterator[tuple[Any, ...]]:
        for place in range(size.calls):
            party = min(int(dice.expovariate(3) * len(crowd.numbers)), len(crowd.numbers) - 1)
            team = (party if dice.random() < 0.9 else dice.randrange(TEAMS)) % TEAMS
            person = f"p{team * IN_A_TEAM + dice.randrange(IN_A_TEAM)}"
            id_, at = UUID(int=dice.getrandbits(128), version=4), began + step * place
            out, talked = dice.random() < 0.3, dice.random() < 0.75
            number, line = crowd.numbers[party], str(_LINE + team)
            legs.append((id_, f"17.{place}", f"PJSIP/{person}", person, True, at))
            if talked and len(talks) < size.talks and dice.random() < size.talks / size.calls / 0.75:
                talks.append((id_, at))
            yield (
                *(id_, "main", _STATE, "outbound" if out else "inbound", "answered" if talked else "missed", line),
                *(person if out else number, f"8{number[1:]}" if out else line, at, at if talked else None),
                *(at, at, person if talked else None, 60.0 if talked else 0.0, party + 1),
            )

    await _copy(raw, "calls", columns, rows())
    await _copy(raw, "legs", ("call_id", "channel", "device", "person", "rang", "started_at"), legs)
    told = ((*_talk(dice, id_), at + _HEARD_AFTER) for id_, at in talks)
    names = ("call_id", "language", "text", "words", "segments", "model", "audio_seconds", "took_seconds", "made_at")
    await _copy(raw, "transcripts", names, told)


def _talk(dice: random.Random, call_id: UUID) -> tuple[Any, ...]:
    said = [*dice.choices(_SAID, k=58), *dice.choices(_RARE, k=2)]
    dice.shuffle(said)
    words = [
        {
            "side": dice.choice(("caller", "staff")),
            "text": word,
            "start": at / 2,
            "end": at / 2 + 0.4,
            "confidence": 0.9,
        }
        for at, word in enumerate(said)
    ]
    return call_id, "ru", " ".join(said), json.dumps(words, ensure_ascii=False), "[]", "base", 30.0, 2.0


async def _copy(
    raw: asyncpg.Connection, table: str, columns: Iterable[str], rows: Iterable[tuple[Any, ...]], batch: int = 100_000
) -> None:
    """COPY in pieces, each short of the connection's time limit."""
    left = iter(rows)
    while piece := list(itertools.islice(left, batch)):
        await raw.copy_records_to_table(table, records=piece, columns=list(columns), timeout=600)
