"""What `switchhook leads` does: each command opens the database, asks or changes one thing, and closes it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book import decisions, notes
from crm_sync.book.decisions import ChangedMeanwhile
from crm_sync.book.lead_list import NOBODY, Wanted, WantedRefused, checked, count, newest, whole
from crm_sync.book.leads import By, NoSuchLead, place
from crm_sync.book.lifecycle import STAGES, LifecycleError, Move
from crm_sync.book.notes import NoSuchTask, open_tasks
from crm_sync.tables import tasks
from directory import store
from directory.model import Directory
from directory.tables import users
from service.faults import UserFault
from service.settings import Settings
from service.wiring import open_house
from web.wording import phone

_MOST = 1000


async def list_leads(
    settings: Settings, wanted: Wanted, *, only_count: bool
) -> tuple[list[dict[str, Any]] | dict[str, int], str]:
    """(JSON, a line each) of the newest thousand of such leads, or how many there are at each stage."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        try:
            wanted = checked(wanted, await store.read(connection))
        except WantedRefused as error:
            raise UserFault(f"--{error}") from None
        if only_count:
            stages = await count(connection, wanted.condition())
            words = [f"{stages[stage]:>6}  {stage}" for stage in STAGES if stage in stages]
            return stages, "\n".join(words) or "no leads"
        rows = (await connection.execute(newest(wanted.condition()).limit(_MOST))).all()
    return [_plain(row) for row in rows], "\n".join(map(_line, rows)) or "no leads"


async def show_lead(settings: Settings, lead: int) -> tuple[dict[str, Any], str]:
    """(JSON, words) of one lead whole; times by the company's clock."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        directory, found = await store.read(connection), await whole(connection, lead)
    if found is None:
        raise UserFault(f"ID: there is no lead {lead}")
    parts = {"history": found.events, "notes": found.notes, "tasks": found.tasks}
    told = _plain(found.row) | {name: [_plain(row) for row in rows] for name, rows in parts.items()}
    zone = ZoneInfo(directory.company.time_zone)
    lines = [_line(found.row), *(f"  {name}: {value}" for name, value in sorted(found.row.fields.items()))]
    for event in found.events:
        change = " -> ".join(part for part in (event.before, event.after) if part)
        why = f" ({event.reason})" if event.reason else ""
        lines.append(f"  {_clock(event.at, zone)}  {event.by}  {event.kind}  {change}{why}")
    lines += [f"  {_clock(note.at, zone)}  {note.by}  note  {note.text}" for note in found.notes]
    for task in found.tasks:
        state = f"done by {task.done_by}" if task.done_at else f"due {_clock(task.due_at, zone)}" if task.due_at else ""
        lines.append(f"  task {task.id}  {task.assignee or 'nobody'}  {task.text}  {state}".rstrip())
    return told, "\n".join(lines)


async def move_lead(settings: Settings, lead: int, move: Move, login: str, *, block: bool) -> tuple[str, ...]:
    """Move a lead; gives the numbers that are blocked for it."""
    async with _deciding(settings, login) as (connection, directory, by):
        return await decisions.decide(connection, directory, lead, move, by, block=block)


async def return_lead(settings: Settings, lead: int, login: str) -> None:
    """Return a lost lead to work."""
    async with _deciding(settings, login) as (connection, directory, by):
        await decisions.bring_back(connection, directory, lead, by)


async def give_lead(settings: Settings, lead: int, owner: str | None, login: str) -> None:
    """Give a lead to a person, or to nobody."""
    async with _deciding(settings, login) as (connection, directory, by):
        await decisions.give(connection, directory, lead, owner, by)


async def note_lead(settings: Settings, lead: int, text: str, login: str) -> int:
    """Write a note; gives its id."""
    async with _deciding(settings, login) as (connection, _directory, by):
        return await notes.add_note(connection, lead, text, by)


async def add_task(
    settings: Settings, lead: int, text: str, assignee: str | None, due_at: datetime | None, login: str
) -> int | None:
    """Give somebody a task; gives its id."""
    async with _deciding(settings, login) as (connection, directory, by):
        return await notes.add_task(connection, directory, lead, text, by, assignee=assignee, due_at=due_at)


async def list_tasks(settings: Settings, assignee: str) -> tuple[list[dict[str, Any]], str]:
    """(JSON, a line each) of the first thousand open tasks, of a person, of nobody, or (empty) of all."""
    async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
        directory = await store.read(connection)
        if assignee not in {"", NOBODY} and directory.person(assignee) is None:
            raise UserFault(f"--assignee: there is no person {assignee!r}")
        whose = tasks.c.assignee.is_(None) if assignee == NOBODY else tasks.c.assignee == assignee
        asked = open_tasks(*([whose] if assignee else [])).limit(_MOST)
        rows = (await connection.execute(asked)).all()
    zone, now = ZoneInfo(directory.company.time_zone), datetime.now(UTC)
    lines = []
    for row in rows:
        late = " (overdue)" if row.due_at and row.due_at < now else ""
        due = f"due {_clock(row.due_at, zone)}{late}" if row.due_at else "no time"
        of = f"lead {row.lead_id}" if row.lead_id else f"party {row.party_id}"
        lines.append(f"{row.id:>6}  {row.assignee or 'nobody'}  {due}  {of}  {row.text}")
    return [_plain(row) for row in rows], "\n".join(lines) or "no tasks"


async def finish_task(settings: Settings, task: int, login: str) -> None:
    """Note that a task is done."""
    async with _deciding(settings, login) as (connection, _directory, by):
        await notes.finish_task(connection, task, by)


async def set_deadline(settings: Settings, lead: int, at: datetime | None, login: str) -> None:
    """Set by when a lead must go on."""
    async with _deciding(settings, login) as (connection, _directory, by):
        await decisions.put_off(connection, lead, at, by)


async def set_fields(settings: Settings, lead: int, fields: Mapping[str, str], login: str) -> None:
    """Write fields of a lead; what is blank takes one away."""
    async with _deciding(settings, login) as (connection, directory, by):
        await decisions.write_fields(connection, directory, lead, fields, by)


@asynccontextmanager
async def _deciding(settings: Settings, login: str) -> AsyncIterator[tuple[AsyncConnection, Directory, By]]:
    """A transaction in which a login decides; what it may not, or what cannot be, is the user's to mend."""
    try:
        async with open_house(settings, pool=1) as house, house.engine.begin() as connection:
            asked = select(users.c.person_key, users.c.role).where(users.c.login == login)
            user = (await connection.execute(asked)).one_or_none()
            if user is None:
                raise UserFault(f"--by: there is no login {login!r}")
            by = By(who=user.person_key or login, at=datetime.now(UTC), head=user.role in {"head", "admin"})
            yield connection, await store.read(connection), by
    except LifecycleError as error:
        raise UserFault(f"{'--by' if error.field == 'head' else error.field}: {error}") from None
    except (NoSuchLead, NoSuchTask, ChangedMeanwhile) as error:
        raise UserFault(f"ID: {error}") from None


def _line(row: Any) -> str:
    numbers = ", ".join(phone(number) or number for number in sorted(row.numbers or ()))
    parts = [f"{row.id:>6}", place(row.stage, row.step), row.owner or "nobody", row.party_name or "-", numbers]
    return "  ".join([*parts, *([row.reason] if row.reason else [])])


def _clock(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}"


def _plain(row: Any) -> dict[str, Any]:
    told = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return {name: _json(value) for name, value in told.items()}


def _json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, UUID) else value
