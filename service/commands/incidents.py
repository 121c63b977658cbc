"""What `switchhook incidents` prints, and the same lines of a report."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from calls.incident_rows import listed
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web.incident_text import title_of
from web.wording import duration
from web.words import say


async def tell_incidents(
    settings: Settings, since: datetime | None, until: datetime | None, *, only_open: bool
) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each) of what was wrong in a period, the last seven days when nothing is told."""
    ends = until or datetime.now(UTC)
    began = since or ends - timedelta(days=7)
    if began >= ends:
        raise UserFault(f"--from: must be before --to, got {began.isoformat()}")
    async with open_house(settings, pool=1) as house, house.engine.connect() as connection:
        rows = await listed(connection, "open" if only_open else "all", began, ends)
    told = incident_lines(rows, settings.language) or [say(settings.language, "incident.none_ended")]
    return [incident_json(row) for row in rows], "\n".join(told)


def incident_json(row: Row[Any]) -> dict[str, Any]:
    """An incident as it is answered to programs."""
    told = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return told | {name: told[name] and told[name].isoformat() for name in ("started_at", "seen_at", "ended_at")}


def incident_lines(rows: Sequence[Row[Any]], language: str) -> list[str]:
    """An incident a line: since when, until when, what, and the calls that were lost and saved."""
    return [_line(row, language) for row in rows]


def _line(row: Row[Any], language: str) -> str:
    began = row.started_at.astimezone().isoformat(timespec="seconds")
    ended = row.ended_at.astimezone().isoformat(timespec="seconds") if row.ended_at else say(language, "incident.open")
    lasted = duration(((row.ended_at or row.seen_at) - row.started_at).total_seconds())
    lost = f"{say(language, 'incident.lost')}: {row.calls_lost}, {say(language, 'incident.saved')}: {row.calls_saved}"
    return f"  {began} — {ended} ({lasted})  {title_of(language, row.kind, row.subject, row.found_count)}. {lost}"
