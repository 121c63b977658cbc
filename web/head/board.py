"""What the wallboard shows: who waits, talks and is free, who is not called back yet, and today's service level.

It holds no number and no name of anybody outside, so that it may hang on a wall. All boards of a process read the
database together: however many screens there are, it is asked once in so many seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import presence_store
from directory.model import Directory
from directory.presence import NOTHING_KNOWN, PresenceBook, Presences
from telephony.devices import DeviceState
from telephony.tables import device_states
from web.head.figures import SOON_SECONDS, Level, Waiting, level, waiting
from web.head.floor import PersonNow, floor, of_teams
from web.house import HOUSE
from web.live import LIVE
from web.services import SERVICES

FLOOR_SECONDS: Final = 1.0
FIGURES_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 10.0
"""A board is drawn anew after so long though nothing was told: shifts begin, and promises come due."""
REST_SECONDS: Final = 0.5
"""A board is drawn at most so often, whatever happens."""

Teams = frozenset[str] | None


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


@dataclass
class Boards:
    """What the boards of this process read lately."""

    _known: tuple[PresenceBook, Mapping[str, DeviceState]] = (NOTHING_KNOWN, {})
    _known_at: float = float("-inf")
    _figures: dict[Teams, tuple[float, Level, Waiting]] = field(default_factory=dict)

    async def people(self, request: web.Request, teams: Teams) -> list[PersonNow]:
        """Everybody of these teams and what they do now."""
        app, directory = request.app, await request.app[HOUSE].read()
        if monotonic() - self._known_at > FLOOR_SECONDS:
            async with app[SERVICES].engine.connect() as connection:
                known = await presence_store.read(connection), await _states(connection)
            self._known, self._known_at = known, monotonic()
        book, states = self._known
        return floor(directory, Presences(directory, book, datetime.now(UTC)), states, app[LIVE].calls.values(), teams)

    async def figures(self, request: web.Request, teams: Teams) -> tuple[Level, Waiting]:
        """Today's service level, and who is not called back yet."""
        known = self._figures.get(teams)
        if known is None or monotonic() - known[0] > FIGURES_SECONDS:
            directory = await request.app[HOUSE].read()
            lines = numbers_of(directory, teams)
            async with request.app[SERVICES].engine.connect() as connection:
                day = await level(connection, today(directory), lines)
                missed = await waiting(connection, lines)
            self._figures[teams] = known = (monotonic(), day, missed)
        return known[1], known[2]


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
