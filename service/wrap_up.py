"""Wrap-up: who has talked with somebody outside is left alone for as long as the line or the team says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.due import Change
from calls.record import collided
from calls.view import CallView
from directory.model import Directory
from directory.presence_store import begin_wrap_up
from telephony.tables import pbx_clocks

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WrapUp:
    """A person to be left alone for `seconds` after a talk that ended at `ended_at`, by the clock of `pbx`."""

    person: str
    pbx: str
    ended_at: datetime
    seconds: int


class WrapUps:
    """Begins a wrap-up for each talk that a change ended, in the change's own transaction: no process that dies leaves
    a talk that is over without one. The phone shows as free already while that transaction is written.
    """

    def __init__(self, directory: Callable[[], Directory | None]) -> None:
        self._directory = directory

    async def begin(self, connection: AsyncConnection, changes: Sequence[Change]) -> None:
        """Begin what these changes ended; one that cannot be written costs the record of the calls nothing."""
        directory = self._directory()
        found = [one for change in changes for one in ended(change, directory)] if directory is not None else []
        if not found:
            return
        try:
            async with connection.begin_nested():
                for wrap_up in sorted(found, key=lambda one: one.person):
                    await _write(connection, wrap_up)
        except DBAPIError as error:
            if error.connection_invalidated or collided(error):
                raise
            log.warning("a wrap-up could not be written", error=type(error).__name__)


async def _write(connection: AsyncConnection, wrap_up: WrapUp) -> None:
    asked = select(pbx_clocks.c.ahead).where(pbx_clocks.c.pbx == wrap_up.pbx)
    ahead = await connection.scalar(asked) or timedelta()
    until = wrap_up.ended_at - ahead + timedelta(seconds=wrap_up.seconds)
    await begin_wrap_up(connection, wrap_up.person, until)


def ended(change: Change, directory: Directory) -> Iterator[WrapUp]:
    """Give a wrap-up for each person whose last talk with somebody outside ended in this change (pure)."""
    before = _through(change.before, directory) if change.before else {}
    for person, at in _through(change.after, directory).items():
        seconds = _seconds(change.after, person, directory)
        if seconds and before.get(person) != at:
            yield WrapUp(person, change.after.pbx, at, seconds)


def _through(call: CallView, directory: Directory) -> dict[str, datetime]:
    """Give who talked with somebody outside and is through with the call, not only holding, and since when."""
    left: dict[str, bool] = {}
    for leg in call.legs:
        person = directory.person_of_device(leg.device) or directory.person_of_number(leg.number)
        if person is not None:
            left[person.key] = left.get(person.key, True) and leg.ended_at is not None
    ends = _talked_until(call, directory)
    over = call.ended_at is not None
    return {key: at for key, at in ends.items() if at is not None and (over or left.get(key, False))}


def _talked_until(call: CallView, directory: Directory) -> dict[str, datetime | None]:
    """Give when each person's talks with somebody outside were over; None while one goes on."""
    ends: dict[str, datetime | None] = {}
    for talk in call.talks:
        people = [directory.person_of_device(it) or directory.person_of_number(it) for it in talk.between]
        inside = [person.key for person in people if person is not None]
        if len(inside) == 1:  # two colleagues who talk with each other have nothing to write down
            (key,) = inside
            known = ends.get(key, talk.until)
            ends[key] = None if talk.until is None or known is None else max(known, talk.until)
    return ends


def _seconds(call: CallView, person: str, directory: Directory) -> int:
    """Give the wrap-up of the line, else of its team; of a call to somebody outside, of the person's first team."""
    line = directory.line(call.line) if call.direction == "inbound" else None
    if line is not None and line.wrap_up_seconds is not None:
        return line.wrap_up_seconds
    if call.direction == "inbound":
        team = directory.team(line.team) if line is not None else None
    else:
        own = (it for it in directory.teams if person in it.members and it.wrap_up_seconds is not None)
        team = next(own, None)
    return (team.wrap_up_seconds or 0) if team is not None else 0
