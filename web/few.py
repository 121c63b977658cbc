"""Calls that answer a filter and are few: they are looked up by it, and not met one after another among all by time.

What many calls have is met soon among the newest, and the list is read so. What few have might be met years ago: of
each filter that can be rare, its calls are asked for first, and only while they are no more than FEW.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Text, and_, func, literal, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls, legs
from recordings.tables import call_audio

FEW: Final = 1000
"""Calls that are looked up at once."""

RARE_LEAST: Final = 5
"""So many digits are in few numbers; fewer are met soon."""

_NOT_DIGITS: Final = re.compile(r"[^0-9]")
_INBOUND: Final[ColumnElement[str]] = literal_column("'inbound'", Text)
_OUTBOUND: Final[ColumnElement[str]] = literal_column("'outbound'", Text)
_STORED: Final[ColumnElement[str]] = literal_column("'stored'", Text)
_GAPS: Final = or_(call_audio.c.state != _STORED, call_audio.c.not_in_crm_since.is_not(None))


async def reached(
    connection: AsyncConnection, people: Collection[str], lines: Collection[str]
) -> Sequence[UUID] | None:
    """The calls on which these people talked, called out or were rung, or on these lines; None when they are many."""
    asked = [select(calls.c.id).where(calls.c.person == one) for one in sorted(people)]
    asked += [select(calls.c.id).where(calls.c.line == one, calls.c.joined_into.is_(None)) for one in sorted(lines)]
    asked += [select(legs.c.call_id).where(legs.c.person == one) for one in sorted(people)]
    return None if await _are_many(connection, asked) else await _few(connection, asked)


async def with_number(connection: AsyncConnection, number: str) -> Sequence[UUID] | None:
    """The calls from or to such a number; None when they are many, or so few digits are in many numbers."""
    if len(digits_of(number)) < RARE_LEAST:
        return None
    return await _few(connection, [select(calls.c.id).where(has_number(number))])


async def with_gaps(connection: AsyncConnection) -> Sequence[UUID] | None:
    """The calls whose audio is not well; None when they are many."""
    return await _few(connection, [select(call_audio.c.call_id).where(_GAPS)])


def has_number(number: str) -> ColumnElement[bool]:
    """Calls from or to a number with these digits. The indexes hold settled ones; those that go on are few."""
    forms = sorted(_forms(number))
    came = and_(calls.c.direction == _INBOUND, or_(*(calls.c.caller_number.contains(form) for form in forms)))
    went = and_(calls.c.direction == _OUTBOUND, or_(*(calls.c.dialed.contains(form) for form in forms)))
    settled, open_ = calls.c.settled_at.is_not(None), calls.c.settled_at.is_(None)
    ways = or_(and_(settled, came), and_(settled, went), and_(open_, came), and_(open_, went))
    return and_(calls.c.joined_into.is_(None), ways)


def digits_of(number: str) -> str:
    """The digits of what was typed as a number."""
    return _NOT_DIGITS.sub("", number)


def _forms(number: str) -> Iterator[str]:
    digits = digits_of(number)
    yield digits
    if digits.startswith("8"):  # in Russia people write 8 916 … for what is stored as 7916…
        yield f"7{digits[1:]}"


async def _are_many(connection: AsyncConnection, asked: Sequence[Select[Any]]) -> bool:
    """Whether one of these alone finds more than FEW: that the indexes know without a look at the calls."""
    some = [one.with_only_columns(literal(1)).limit(FEW + 1).subquery() for one in asked]
    counted = [select(func.count()).select_from(one).scalar_subquery() for one in some]
    return bool(some) and max((await connection.execute(select(*counted))).one()) > FEW


async def _few(connection: AsyncConnection, asked: Sequence[Select[Any]]) -> Sequence[UUID] | None:
    found: set[UUID] = set()
    for one in asked:
        found |= set((await connection.execute(one.limit(FEW + 1))).scalars())
        if len(found) > FEW:
            return None
    return sorted(found)
