"""Calls with parties that answer, and calls from or to numbers that do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, and_, literal_column, or_
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from web.finding import newest, newest_of, newest_with
from web.rights import Scope
from web.search.asked import DIGITS_LEAST, Asked
from web.search.newest import few_with
from web.search.parties import contains

_INBOUND: Final[ColumnElement[str]] = literal_column("'inbound'", Text)
_OUTBOUND: Final[ColumnElement[str]] = literal_column("'outbound'", Text)


async def find(
    connection: AsyncConnection, scope: Scope, asked: Asked, parties: Sequence[int], limit: int
) -> tuple[Any, ...]:
    """The calls (rows as `web.finding` gives them) that may be seen, the newest first.

    A query for a number alone finds every call with it; words find the calls with `parties`.
    """
    if not asked.pieces or asked.words:
        return tuple(await newest_with(connection, scope, parties, limit)) if parties else ()
    # The fewest digits are in very many numbers. Left to choose, the planner would look for more of them in one call
    # after the other, too.
    rare = any(len(digits) > DIGITS_LEAST for piece in asked.pieces for digits in piece.writings)
    few = await few_with(connection, calls.c.id, _with(asked)) if rare else None
    if few is None:
        return tuple(await newest(connection, scope, _with(asked), limit))
    return tuple(await newest_of(connection, scope, few, limit)) if few else ()


def _with(asked: Asked) -> ColumnElement[bool]:
    """Calls from or to such a number. The indexes hold settled ones; those that go on are few."""
    came = and_(calls.c.direction == _INBOUND, contains(calls.c.caller_number, asked.pieces))
    went = and_(calls.c.direction == _OUTBOUND, contains(calls.c.dialed, asked.pieces))
    settled, open_ = calls.c.settled_at.is_not(None), calls.c.settled_at.is_(None)
    ways = or_(and_(settled, came), and_(settled, went), and_(open_, came), and_(open_, went))
    return and_(calls.c.joined_into.is_(None), ways)
