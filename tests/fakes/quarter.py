"""A quarter of an invented house (three teams of four, six lines with campaigns), with truths in it to be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from directory.hours import read_week
from directory.lead_policy import FunnelStep, LeadPolicy
from directory.model import Company, Device, Directory, Hours, Line, Person, Role, Team
from directory.script import Step
from directory.store import apply
from service.demo_history import Pbx, Planted, Truth, first_day, store_history

ALL: Final = frozenset(Truth)
PBX: Final = Pbx("main", ahead=timedelta(seconds=90))
_TUESDAY, _WEDNESDAY, _THURSDAY = 1, 2, 3

_SCRIPT: Final = (
    Step("Приветствие", ("добрый день", "здравствуйте")),
    Step("Спросить о бюджете", ("на какой бюджет",)),
    Step("Позвать на встречу", ("приезжайте к нам", "когда вам удобно приехать")),
)
_TEAMS: Final = {
    "new": ("Новостройки", ("anna Анна Смирнова", "boris Борис Козлов", "gleb Глеб Орлов", "dina Дина Фролова")),
    "city": ("Город", ("egor Егор Лебедев", "zhanna Жанна Белова", "ilya Илья Зуев", "kira Кира Мельник")),
    "land": ("Загород", ("lev Лев Титов", "maria Мария Власова", "nikita Никита Ершов", "olga Ольга Ким")),
}
_HEADS: Final = {"new": "vera Вера Павлова", "city": "roman Роман Гусев", "land": "sofia Софья Тихонова"}
_LINES: Final = (
    ("74955550101", "Лесные Дали", "new", "Яндекс"),
    ("74955550102", "Набережная", "new", "Циан"),
    ("74955550201", "Квартиры", "city", "Авито"),
    ("74955550202", "Аренда", "city", "Радио"),
    ("74955550301", "Дома", "land", "Выставка"),
    ("74955550302", "Участки", "land", "Щиты на шоссе"),
)


def _people() -> Iterator[Person]:
    managers = [one for _, members in _TEAMS.values() for one in members]
    for number, one in enumerate((*managers, *_HEADS.values()), 101):
        key, _, name = one.partition(" ")
        desk = Device(kind="desk", address=f"PJSIP/{key}", number=str(number))
        role: Role = "manager" if one in managers else "head"
        yield Person(key=key, name=name, role=role, hours="office", devices=(desk,))


def _members(team: str) -> tuple[str, ...]:
    return tuple(one.partition(" ")[0] for one in (*_TEAMS[team][1], _HEADS[team]))


HOUSE: Final = Directory(
    company=Company(name="Ромашка"),
    hours=(Hours("office", read_week({"mon-fri": "09:00-19:00", "sat": "10:00-16:00"})),),
    people=tuple(_people()),
    teams=tuple(
        Team(key=key, name=name, strategy="ring_all", members=_members(key)) for key, (name, _) in _TEAMS.items()
    ),
    lines=tuple(
        Line(
            number=number, name=name, team=team, trunk="PJSIP/trunk", hours="office", campaign=campaign, script=_SCRIPT
        )
        for number, name, team, campaign in _LINES
    ),
    leads=LeadPolicy(
        funnel=(
            FunnelStep(key="meeting", name="Встреча"),
            FunnelStep(key="booking", name="Бронь"),
            FunnelStep(key="contract", name="Договор"),
        ),
        forgotten_days=7,
        leads_most=41,
    ),
)


@dataclass(frozen=True)
class Quarter:
    """What was stored: its days, the first and the last counted, and what was planted in it."""

    first: date
    last: date
    planted: Mapping[Truth, Planted]

    @property
    def days(self) -> tuple[date, ...]:
        """Each of its days."""
        return _since(self.first, self.last)


async def quarter(engine: AsyncEngine, dsn: str, last: date, truths: Iterable[Truth] = (), seed: int = 1) -> Quarter:
    """Store the quarter that ends with the day `last` in a migrated database; the same seed makes the same one."""
    async with engine.begin() as connection:
        await apply(connection, HOUSE)
    planted = {one: plant(one, last) for one in truths}
    await store_history(dsn, HOUSE, last, planted.values(), pbx=PBX, seed=seed)
    return Quarter(first_day(last), last, planted)


def plant(truth: Truth, last: date) -> Planted:
    """Where a truth is in the quarter that ends with `last`: what goes on does so until then."""
    monday = last - timedelta(days=last.weekday())
    where: dict[Truth, tuple[str, tuple[date, ...]]] = {
        Truth.BAD_MANAGER: ("gleb", _lately(last, 31)),
        Truth.DEAD_PHONE: ("kira", tuple(monday + timedelta(days=_TUESDAY, weeks=week) for week in (-3, -2, -1, 0))),
        Truth.OUTAGE: ("", (monday + timedelta(days=_WEDNESDAY, weeks=-1),)),
        Truth.SILENT_LINE: ("74955550302", _since(monday + timedelta(days=_THURSDAY), last)),
        Truth.GOOD_SOURCE: ("74955550301", _lately(last, 42)),
        Truth.FALLING_STEP: ("booking", _lately(last, 14)),
        Truth.OVERLOAD: ("nikita", _lately(last, 21)),
    }
    return Planted(truth, *where[truth])


def _lately(last: date, days: int) -> tuple[date, ...]:
    return _since(last - timedelta(days=days - 1), last)


def _since(first: date, last: date) -> tuple[date, ...]:
    return tuple(first + timedelta(days=number) for number in range((last - first).days + 1))
