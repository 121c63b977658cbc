"""What `switchhook follow-ups` and `switchhook report missed` do and print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from calls import follow_up_list as promises
from calls.follow_ups import close_by_hand
from calls.incident_rows import listed
from directory.model import Directory
from directory.store import read
from directory.tables import users
from reports.missed import MissedReport, Part
from reports.missed_rows import missed_report as count_missed
from service.commands.incidents import incident_json, incident_lines
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web.wording import deadline, duration, phone
from web.words import plural, say

_MOST = 1000


async def list_follow_ups(settings: Settings, *, only_open: bool) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each): the open promises by urgency, or the newest of all, at most a thousand."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        asked = promises.most_urgent() if only_open else promises.newest()
        rows = (await connection.execute(asked.limit(_MOST))).all()
        told = await promises.history(connection, [row.id for row in rows])
        directory = await read(connection)
    words = [_line(row, directory, settings.language) for row in rows]
    return [promises.to_json(row, told[row.id]) for row in rows], "\n".join(words) or "no follow-ups"


def _line(row: Any, directory: Directory, language: str) -> str:
    found, owner = directory.line(row.line), directory.person(row.owner or "")
    zone, now = ZoneInfo(directory.zone_of(found) if found else directory.company.time_zone), datetime.now(UTC)
    cause = say(language, f"cause.{row.cause}") if row.cause else say(language, f"promise.{row.origin}")
    parts = [
        f"{row.id:>5}",
        phone(row.number) or row.number,
        found.name if found else row.line,
        cause,
        plural(language, "promise.attempts", row.attempt_count),
        owner.name if owner else say(language, "promise.nobody"),
    ]
    if row.closed_at:
        parts.append(say(language, f"closed.{row.closed_by}"))
    elif row.due_at:
        parts.append(say(language, "promise.until", time=deadline(row.due_at, now, zone, language)))
        parts += [say(language, "promise.overdue")] if row.overdue else []
    return "  ".join(parts)


async def close_follow_up(settings: Settings, number: int, login: str, reason: str) -> None:
    """Close one promise by hand. Raises UserFault for an unknown login, a blank reason, or what is not open."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        if (await connection.execute(select(users.c.id).where(users.c.login == login))).first() is None:
            raise UserFault(f"--by: there is no login {login!r}")
        await close_by_hand(connection, number, login, reason)


async def missed_report(
    settings: Settings, since: datetime | None, until: datetime | None
) -> tuple[dict[str, Any], str]:
    """(JSON, a table) of the missed calls of a period, the last seven days when nothing is told."""
    ends = until or datetime.now(UTC)
    began = since or ends - timedelta(days=7)
    if began >= ends:
        raise UserFault(f"--from: must be before --to, got {began.isoformat()}")
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        directory = await read(connection)
        report = await count_missed(connection, began, ends, directory.company.time_zone)
        wrong = await listed(connection, "all", began, ends)
    told = {"from": began.isoformat(), "to": ends.isoformat()} | report.to_json()
    told |= {"incidents": [incident_json(row) for row in wrong]}
    words = _report_lines(report, directory, settings.language)
    if wrong:
        words += ["", say(settings.language, "report.incidents"), *incident_lines(wrong, settings.language)]
    return told, "\n".join(words)


def _report_lines(report: MissedReport, directory: Directory, language: str) -> list[str]:
    people = {person.key: person.name for person in directory.people}
    lines = {line.number: line.name for line in directory.lines}
    causes = {part.key: say(language, f"cause.{part.key}") for part in report.by_cause}
    groups = {part.key: say(language, f"group.{part.key}") for part in report.by_group}
    clients = {part.key: say(language, f"report.{part.key}") for part in report.clients}
    hours = {part.key: f"{part.key}:00" for part in report.by_hour}
    share = f" ({report.missed_share:.0%})" if report.missed_share is not None else ""
    told = [say(language, "report.missed", missed=report.total.missed, inbound=report.inbound) + share]
    told += [_part(report.total, say(language, "report.all"), language)]
    sections: Sequence[tuple[str, Sequence[Part], dict[str, str]]] = (
        ("clients", report.clients, clients),
        ("by_cause", report.by_cause, causes),
        ("by_group", report.by_group, groups),
        ("by_line", report.by_line, lines),
        ("by_person", report.by_person, people),
        ("by_owner", report.by_owner, people),
        ("by_hour", report.by_hour, hours),
    )
    for title, parts, names in sections:
        if parts:
            told += ["", say(language, f"report.{title}")]
            told += [_part(part, names.get(part.key) or part.key or "—", language) for part in parts]
    told += ["", say(language, "report.days")]
    for one in report.days:
        usual = "" if one.usual is None else say(language, "report.usual", usual=f"{one.usual:.1f}")
        told.append(f"  {one.day.isoformat()}  {one.missed:>4} / {one.inbound:<4} {usual}".rstrip())
    return told


def _part(part: Part, name: str, language: str) -> str:
    spent = "—" if part.median_seconds is None else duration(part.median_seconds)
    never = "—" if part.never_share is None else f"{part.never_share:.0%}"
    return f"  {name:<40} {part.missed:>5}  " + say(language, "report.part", time=spent, never=never)
