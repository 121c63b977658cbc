"""What colleagues write of a moment of a call, beside a second of its line; each in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal
from unicodedata import category
from uuid import UUID

from sqlalchemy import Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.tables import comments

TEXT_MOST: Final = 2000
MOST: Final = 500
"""Of one call."""


class CommentRefused(ValueError):
    """A comment that cannot be; `field` names the value, the text says what is wrong with it."""

    def __init__(self, field: Literal["at", "text", "call"], message: str) -> None:
        """Keep the field beside the message."""
        super().__init__(f"{field}: {message}")
        self.field = field


async def of_call(connection: AsyncConnection, call_id: UUID) -> Sequence[Row[Any]]:
    """The comments of a call that are not deleted, in the order of their moments."""
    mine = select(comments).where(comments.c.call_id == call_id, comments.c.text.is_not(None))
    rows: Sequence[Row[Any]] = (await connection.execute(mine.order_by(comments.c.at, comments.c.id))).all()
    return rows


async def comment(connection: AsyncConnection, number: int) -> Row[Any] | None:
    """The row of one, also of a deleted, which has no text; None: there is none of that id."""
    asked = select(comments).where(comments.c.id == number)
    return (await connection.execute(asked)).one_or_none()


async def add(  # what a comment is
    connection: AsyncConnection, call_id: UUID, at: float, text: str, *, seconds: float, by: str, user: int
) -> int:
    """Write a comment of second `at` of a call that has so many `seconds`, and give its id. Raises CommentRefused.

    `by` is the key of a person, or a login; `user` the id of that login.
    """
    if not 0 <= at <= seconds:
        raise CommentRefused("at", f"must be a second of the call, 0 to {seconds:g}, got {at:g}")
    count = select(func.count()).where(comments.c.call_id == call_id, comments.c.text.is_not(None))
    if (await connection.execute(count)).scalar_one() >= MOST:
        raise CommentRefused("call", f"has {MOST} comments already, and cannot have more")
    row = {"call_id": call_id, "at": round(at, 2), "text": _text(text), "by": by, "user_id": user}
    made: int = (await connection.execute(insert(comments).values(row).returning(comments.c.id))).scalar_one()
    return made


async def delete(connection: AsyncConnection, number: int, by: str) -> None:
    """Forget the text of a comment; who deleted it, and when, is kept. Twice is once."""
    gone = {"text": None, "deleted_at": func.clock_timestamp(), "deleted_by": by}
    await connection.execute(update(comments).where(comments.c.id == number, comments.c.text.is_not(None)).values(gone))


def _text(text: str) -> str:
    told = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not told or len(told) > TEXT_MOST:
        raise CommentRefused("text", f"must be 1 to {TEXT_MOST} characters, got {len(told)}")
    control = next((sign for sign in told if category(sign) == "Cc" and sign not in "\n\t"), None)
    if control is not None:  # a terminal would obey it
        raise CommentRefused("text", f"must have no control characters but line breaks and tabs, got {control!r}")
    return told
