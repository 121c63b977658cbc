"""What happens to the rows of a call that turns out to be part of an older one: all of them go to the older."""

from __future__ import annotations

from functools import cache
from uuid import UUID

from sqlalchemy import Table, TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from directory.tables import metadata


async def join_rows(connection: AsyncConnection, kept: UUID, gone: UUID) -> None:
    """Point `gone`, and whatever was joined into it before, to `kept`, with every row that any room keeps of it."""
    for statement in _statements():
        await connection.execute(statement, {"kept": kept, "gone": gone})


@cache
def _statements() -> tuple[TextClause, ...]:
    moves = [_move(table) for table in metadata.sorted_tables if _keeps_calls(table)]
    return (
        text("delete from legs where call_id = :gone"),
        text("update call_events set call_id = :kept where call_id = :gone"),
        *moves,
        text("update calls set joined_into = :kept where id = :gone or joined_into = :gone"),
    )


def _keeps_calls(table: Table) -> bool:
    """Rooms tie their rows to a call by a column `call_id` that refers to it; legs are folded anew."""
    return (
        table.name != "legs"
        and "call_id" in table.c
        and any(key.column is calls.c.id for key in table.c.call_id.foreign_keys)
    )


def _move(table: Table) -> TextClause:
    """Move a table's rows, except where the older call has the same row already."""
    own = [column.name for column in table.primary_key if column.name != "call_id"]
    same = " and ".join(["other.call_id = :kept", *(f"other.{name} = {table.name}.{name}" for name in own)])
    free = (
        "" if "call_id" not in table.primary_key else f" and not exists (select from {table.name} other where {same})"
    )
    return text(f"update {table.name} set call_id = :kept where call_id = :gone{free}")  # noqa: S608 - our own names
