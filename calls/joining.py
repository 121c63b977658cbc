"""What happens to the rows of a call that turns out to be part of an older one: all of them go to the older.

A row that the older has already stays under the younger's id until its room has made one of both: whoever removes what
a call has looks under all its ids.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, Table, TextClause, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.tables import calls
from directory.tables import metadata

TOLD_ANEW: Final[dict[Any, Any]] = {"told_anew": True}
"""`info` of the time since when a row is the call's: rows that come to those which the older has are told anew.

So their room sees that what it made of the older's rows was not made of all.
"""


async def join_rows(connection: AsyncConnection, kept: UUID, gone: UUID) -> None:
    """Point `gone`, and whatever was joined into it before, to `kept`, with every row that any room keeps of it."""
    for statement in _statements():
        await connection.execute(statement, {"kept": kept, "gone": gone})


def ids_of(call_id: UUID) -> Select[tuple[UUID]]:
    """The ids under which rows of a call may be found: its own, and those of the calls that became part of it."""
    return select(calls.c.id).where(or_(calls.c.id == call_id, calls.c.joined_into == call_id))


# What waits is done under the older call's id and in turn with its other work; what is told twice is done once.
_MOVE_JOBS = text(
    """
    update procrastinate_jobs
    set args = args || jsonb_build_object('call_id', cast(:kept as uuid)), queueing_lock = null,
        lock = replace(lock, cast(cast(:gone as uuid) as text), cast(cast(:kept as uuid) as text))
    where status = 'todo' and args->>'call_id' = cast(cast(:gone as uuid) as text)
    """
)


@cache
def _statements() -> tuple[TextClause, ...]:
    moves = [_move(table) for table in metadata.sorted_tables if _keeps_calls(table)]
    return (
        text("delete from legs where call_id = :gone"),
        text("update call_events set call_id = :kept where call_id = :gone"),
        *moves,
        _MOVE_JOBS,
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
    more = f"exists (select from {table.name} other where other.call_id = :kept)"
    times = [column.name for column in table.columns if column.info == TOLD_ANEW]
    anew = "".join(f", {name} = case when {more} then clock_timestamp() else {name} end" for name in times)
    return text(f"update {table.name} set call_id = :kept{anew} where call_id = :gone{free}")  # noqa: S608 - as above
