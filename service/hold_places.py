"""What callers who hold are told: their place and how long it may take, written to their channels where it is new."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.model import Directory
from routing.history import talk_seconds
from routing.waiting import TALK_SECONDS, Holder, expected_minutes, places
from telephony.link import Link
from telephony.pbx import LinkError

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

Action = dict[str, str]


class Places:
    """The places of those who hold at one PBX, as they were told last."""

    def __init__(self, link: Link, engine: AsyncEngine) -> None:
        self._link = link
        self._engine = engine
        self._told: dict[str, tuple[int, int | None]] = {}
        self._talk_seconds: dict[str, float] = {}

    def news(self, holders: Collection[Holder], at_work: Callable[[str], int]) -> list[Action]:
        """Give the AMI actions that tell what is new; `at_work` counts the people of a team who talk, or could."""
        found = places(holders)
        people = {team: at_work(team) for team in {one.team for one in holders}}
        before, self._told = self._told, {}
        actions: list[Action] = []
        for one in holders:
            place, seconds = found[one.channel], self._talk_seconds.get(one.team, TALK_SECONDS)
            told = self._told[one.channel] = (place, expected_minutes(place, seconds, people[one.team]))
            if told != before.get(one.channel):
                actions += _set(one.name, SWITCHHOOK_PLACE=str(place), SWITCHHOOK_EXPECT=str(told[1] or ""))
        return actions

    async def write(self, actions: Collection[Action]) -> None:
        """Tell them; what the PBX does not take is told when it is new again."""
        try:
            await self._link.actions(list(actions))
        except LinkError as error:
            log.warning("the places of holding callers were not written", error=str(error))

    async def learn(self, directory: Directory, teams: Collection[str]) -> None:
        """Read how long these teams talk of late."""
        try:
            async with self._engine.connect() as connection:
                for team in teams:
                    lines = [line.number for line in directory.lines if line.team == team]
                    self._talk_seconds[team] = await talk_seconds(connection, lines) or TALK_SECONDS
        except (SQLAlchemyError, OSError) as error:
            log.warning("how long talks last is not known", error=type(error).__name__)

    def forget(self) -> None:
        """Tell everybody anew."""
        self._told.clear()


def _set(channel: str, **variables: str) -> Iterator[Action]:
    for name, value in variables.items():
        yield {"Action": "Setvar", "Channel": channel, "Variable": name, "Value": value}
