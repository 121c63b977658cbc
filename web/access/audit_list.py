"""Reads the audit by who, what, to what and when; the newest first, page by page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from recordings.privacy_tables import ACTIONS, audit

TEXT_MOST: Final = 200
EXPORT_MOST: Final = 200_000
_PIECE: Final = 1000


class AuditQueryError(ValueError):
    """A filter cannot be; the text is one clear line that begins with its name."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which lines: of one actor, action and subject; from `since` up to before `until`. None: any."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def rows(self) -> Select[Any]:
        """The lines that fit, the newest first."""
        asked = select(audit)
        for name in ("actor", "action", "subject"):
            value = getattr(self, name)
            if value is not None:
                asked = asked.where(audit.c[name] == value)
        if self.since is not None:
            asked = asked.where(audit.c.at >= self.since)
        if self.until is not None:
            asked = asked.where(audit.c.at < self.until)
        return asked.order_by(audit.c.at.desc(), audit.c.id.desc())


def read_wanted(query: Mapping[str, str], zone: ZoneInfo) -> Wanted:
    """The filters of an address; `since` and `until` are days on the wall of `zone`, both within.

    Raises AuditQueryError.
    """
    told = {name: query.get(name, "").strip() or None for name in ("actor", "action", "subject")}
    for name, value in told.items():
        if value is not None and len(value) > TEXT_MOST:
            raise AuditQueryError(f"{name}: must be at most {TEXT_MOST} characters")
    if told["action"] is not None and told["action"] not in ACTIONS:
        raise AuditQueryError(f"action: is none of the audit's, got {told['action']!r}")
    since, until = _day(query, "since", zone), _day(query, "until", zone)
    return Wanted(**told, since=since, until=until and until + timedelta(days=1))


def _day(query: Mapping[str, str], name: str, zone: ZoneInfo) -> datetime | None:
    told = query.get(name, "").strip()
    if not told:
        return None
    try:
        on = date.fromisoformat(told)
        return datetime(on.year, on.month, on.day, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise AuditQueryError(f"{name}: must be a day like 2026-03-31, got {told[:20]!r}") from None


async def lines(connection: AsyncConnection, wanted: Wanted, before: int | None, most: int) -> Sequence[Any]:
    """At most so many lines, those older than the line of id `before`."""
    asked = wanted.rows()
    if before is not None:
        line = select(audit.c.at).where(audit.c.id == before).scalar_subquery()
        asked = asked.where(tuple_(audit.c.at, audit.c.id) < tuple_(line, before))
    rows: Sequence[Any] = (await connection.execute(asked.limit(most))).all()
    return rows


async def all_lines(connection: AsyncConnection, wanted: Wanted) -> AsyncIterator[Any]:
    """Every line that fits, the newest first, at most EXPORT_MOST; not held in memory together."""
    streamed = await connection.execution_options(stream_results=True, max_row_buffer=_PIECE)
    async for row in await streamed.stream(wanted.rows().limit(EXPORT_MOST)):
        yield row
