"""What the wallboard shows: who waits, talks and is free, who is not called back yet, and today's service level.

It holds no number and no name of anybody outside, so that it may hang on a wall. All boards of a process read the
database together: however many screens there are, it is asked once in so many seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from calls.service_level import SOON_SECONDS
from directory import presence_store
from directory.model import Directory
from directory.presence import NOTHING_KNOWN, PresenceBook, Presences
from telephony.devices import DeviceState
from telephony.tables import device_states
from web.head.figures import Level, Waiting, level, waiting
from web.head.floor import PersonNow, floor, of_teams
from web.house import HOUSE
from web.lately import Lately
from web.live import LIVE

FLOOR_SECONDS: Final = 1.0
FIGURES_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 10.0
"""A board is drawn anew after so long though nothing was told: shifts begin, and promises come due."""
REST_SECONDS: Final = 0.5
"""A board is drawn at most so often, whatever happens."""

Teams = frozenset[str] | None
Known = tuple[PresenceBook, Mapping[str, DeviceState]]
Figures = tuple[Level, Waiting]
NO_FIGURES: Final[Figures] = (Level(0, 0, 0), Waiting(0, 0))


@dataclass(frozen=True, slots=True)
class Board:
    """One moment of these teams; `waiting_since`: the longest of those who wait, by our clock."""

    waiting: int
    waiting_since: datetime | None
    talking: int
    free: int
    on_shift: int
    level: Level
    missed: Waiting
    soon_seconds: int = SOON_SECONDS


class Boards:
    """What the boards of this process read lately."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._floor: Lately[Known] = Lately((NOTHING_KNOWN, {}))
        self._figures: defaultdict[Teams, Lately[Figures]] = defaultdict(lambda: Lately(NO_FIGURES))

    async def people(self, request: web.Request, teams: Teams) -> list[PersonNow]:
        """Everybody of these teams and what they do now."""
        directory, now = await request.app[HOUSE].read(), datetime.now(UTC)
        book, states = await self._floor.get(self._read_floor, FLOOR_SECONDS)
        return floor(directory, Presences(directory, book, now), states, request.app[LIVE].calls.values(), teams)

    async def figures(self, request: web.Request, teams: Teams) -> Figures:
        """Today's service level, and who is not called back yet."""
        directory = await request.app[HOUSE].read()
        return await self._figures[teams].get(partial(self._read_figures, directory, teams), FIGURES_SECONDS)

    async def _read_floor(self) -> Known:
        async with self._engine.connect() as connection:
            return await presence_store.read(connection), await _states(connection)

    async def _read_figures(self, directory: Directory, teams: Teams) -> Figures:
        lines = numbers_of(directory, teams)
        async with self._engine.connect() as connection:
            return await level(connection, today(directory), lines), await waiting(connection, lines)


BOARDS: Final = web.AppKey("boards", Boards)


async def read_board(request: web.Request, teams: Teams) -> Board:
    """The wallboard of these teams; None: of the whole house."""
    boards, directory = request.app[BOARDS], await request.app[HOUSE].read()
    calls = of_teams(directory, request.app[LIVE].calls.values(), teams)
    rings = [it.started_at - it.ahead for it in calls if it.direction == "inbound" and it.status == "ringing"]
    people = await boards.people(request, teams)
    day, missed = await boards.figures(request, teams)
    return Board(
        waiting=len(rings),
        waiting_since=min(rings, default=None),
        talking=sum(call.status == "talking" for call in calls),
        free=sum(one.doing == "free" for one in people),
        on_shift=sum(one.on_shift for one in people),
        level=day,
        missed=missed,
    )


def numbers_of(directory: Directory, teams: Teams) -> list[str] | None:
    """The numbers of these teams' lines as calls have them; None: of all, also of lines that nobody knows."""
    if teams is None:
        return None
    return sorted({form for it in directory.lines if it.team in teams for form in (it.number, f"+{it.number}")})


def today(directory: Directory) -> datetime:
    """When the company's day began, in UTC."""
    here = datetime.now(ZoneInfo(directory.company.time_zone))
    return here.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


async def _states(connection: AsyncConnection) -> dict[str, DeviceState]:
    """What the PBXes said last of each device."""
    rows = await connection.execute(select(device_states))
    return {row.device: DeviceState(row.device, row.state, row.reachable, row.changed_at) for row in rows}
