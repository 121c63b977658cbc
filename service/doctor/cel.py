"""CEL, the witness that survives us: whether it can be read, how old its newest row is, and whether it tells enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from service.doctor.check import Check
from service.doctor.look import Asked, aside
from service.doctor.pbx import HOW, readable
from service.wiring import cel_source
from telephony.cel import event_type, spelling
from telephony.cel_file import Row, last_rows, newest
from telephony.cel_table import CelTable, CelTableError
from telephony.heartbeat import PbxClock

_REMEDY: Final = f"see {HOW}, The record that survives us"
_OF_ANY_CALL: Final = ("CHAN_START", "HANGUP", "CHAN_END", "LINKEDID_END")
"""What each call leaves behind, answered or not."""

_TOLD_WITH: Final = "HANGUP"
"""A hang-up always has more to tell: its cause."""


async def look(asked: Asked) -> list[Check]:
    """Look where the settings say that CEL is."""
    name = f"pbx {asked.pbx.name} CEL"
    source, clock = cel_source(asked.pbx), asked.link.clock
    try:
        if isinstance(source, CelTable):
            return await _table(name, source, clock)
        return await _file(asked, clock)
    except CelTableError as error:
        return [Check(name, "fail", str(error), _REMEDY)]
    except (SQLAlchemyError, OSError) as error:
        cause = str(getattr(error, "orig", None) or error).splitlines()[0]
        return [Check(name, "fail", f"cannot be read: {cause}", _REMEDY)]


async def _file(asked: Asked, clock: PbxClock) -> list[Check]:
    path = asked.pbx.cel_file
    check = await aside(readable, f"pbx {asked.pbx.name} cel_file", path)
    if check.state != "ok" or path is None:
        return [check]
    rows = await aside(last_rows, path)
    if not rows and (await aside(path.stat)).st_size:
        return [Check(check.name, "fail", f"{path} holds no row that we know", _REMEDY)]
    at = await aside(newest, path)
    return [Check(check.name, "ok", f"{path}, {_age(at, clock)}"), fields(f"pbx {asked.pbx.name} CEL fields", rows)]


async def _table(name: str, table: CelTable, clock: PbxClock) -> list[Check]:
    async with table.engine.connect() as connection:
        columns = await table.columns(connection)
        at = await table.newest(connection, columns)
        is_indexed = await table.is_indexed(connection, columns)
        told = f"table {table.table}, {_age(at, clock)}"
        remedy = f'create index on {table.table} ("{columns.time}")'
        slow = f"{told}; without an index on {columns.time} each reading goes through all"
        check = Check(name, "ok", told) if is_indexed else Check(name, "warn", slow, remedy)
        if "extra" not in columns.by_name:
            why = f"{table.table} has no column eventextra: causes of hang-ups and transfers are not known from it"
            return [check, Check(f"{name} fields", "warn", why, f"add the column, and to the writer: {_REMEDY}")]
        # Without an index all rows would be sorted for a look at the last.
        rows = await table.last_rows(connection, columns) if is_indexed else []
    return [check, fields(f"{name} fields", rows)]


def fields(name: str, rows: Sequence[Row]) -> Check:
    """Judge whether rows tell all that a call's record needs, as far as calls have left any."""
    ours = [{spelling(column) or column: value for column, value in row.items()} for row in rows]
    kinds = {event_type(row.get("eventtype", "")) for row in ours}
    if _TOLD_WITH not in kinds:
        return Check(name, "ok", "no call to judge by among the last rows")
    bare = [row for row in ours if event_type(row["eventtype"]) == _TOLD_WITH and not row.get("extra", "").strip()]
    if bare:
        why = "rows tell no eventextra: causes of hang-ups and transfers are not known from them"
        return Check(name, "warn", why, f"write eventextra too: {_REMEDY}")
    lacking = [kind for kind in _OF_ANY_CALL if kind not in kinds]
    if lacking:
        return Check(name, "warn", f"no rows of {', '.join(lacking)}", f"events=ALL in cel.conf: {_REMEDY}")
    return Check(name, "ok", f"{len(rows)} rows looked at, with eventextra")


def _age(newest_at: datetime | None, clock: PbxClock) -> str:
    if newest_at is None:
        return "no row yet"
    return f"newest row {max(0.0, clock.pbx_now() - newest_at.timestamp()):.0f} s old"
