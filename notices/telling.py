"""Tells a person something, in the transaction in which it happened: the notice, its messages, and the jobs they owe.

Rules kept here:
1. One row a person and key: whoever tells again, after a restart or beside another, tells nothing.
2. A message waits until the person's quiet ends; the page shows the notice at once.
3. An address that is known to be dead gets no message.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from calls.due import Job
from calls.jobs import enqueue
from directory.contact import tell_at
from directory.model import Directory, Person, Role
from notices.addresses import dead_of
from notices.model import Notice
from notices.tables import SENT_BY, notice_messages, notices

CHANNEL: Final = "switchhook_notices"
"""NOTIFY channel; its payload is the key of the person who was told something, or has read it."""

QUEUE: Final = "notices"
TASK: Final = "notices.deliver"

_NOTIFY: Final = text("select pg_notify(:channel, :person)")


def people_of(directory: Directory, role: Role, team: str | None = None) -> tuple[str, ...]:
    """The keys of a team's people of a role; where it has none, or there is no team, those of the company."""
    mine = directory.members(team) if team else ()
    found = tuple(person.key for person in mine if person.role == role)
    return found or tuple(person.key for person in directory.people if person.role == role)


def heads_of(directory: Directory, line: str | None) -> tuple[str, ...]:
    """The keys of the heads whose business a line is: of its team, else of the company."""
    found = directory.line(line) if line else None
    return people_of(directory, "head", found.team if found else None)


async def tell(
    connection: AsyncConnection,
    directory: Directory,
    notice: Notice,
    people: Collection[str | None],
    *,
    at: datetime | None = None,
) -> int:
    """Tell `people` (keys; who is not in the directory is left out) a notice, once each; returns how many were told.

    `at`: the moment by which their quiet is judged, now unless told.
    """
    moment = at or datetime.now(UTC)
    told = 0
    for person in _known(directory, people):
        notice_id = await _write(connection, person, notice)
        if notice_id is None:
            continue
        told += 1
        await _plan(connection, directory, person, notice_id, moment)
        await connection.execute(_NOTIFY, {"channel": CHANNEL, "person": person.key})
    return told


def _known(directory: Directory, people: Collection[str | None]) -> Iterator[Person]:
    """Whom to tell, each once, in the order of their keys: two tellers at once never wait for each other in a ring."""
    found = (directory.person(key) for key in sorted({key for key in people if key}))
    return (person for person in found if person is not None)


async def _write(connection: AsyncConnection, person: Person, notice: Notice) -> int | None:
    """The id of the new notice, None when the person was told before."""
    wanted = "page" in person.notify
    row = {
        "person": person.key,
        "key": notice.key,
        "kind": notice.kind,
        "subject": notice.subject,
        "subject_id": notice.subject_id,
        "values": dict(notice.values),
        "on_page": wanted and notice.subject != "report",  # pages of before revision 0076 have no words for those
        "shown": wanted,
    }
    made = insert(notices).values(row).on_conflict_do_nothing().returning(notices.c.id)
    notice_id: int | None = (await connection.execute(made)).scalar_one_or_none()
    return notice_id


async def _plan(
    connection: AsyncConnection, directory: Directory, person: Person, notice_id: int, at: datetime
) -> None:
    dead = await dead_of(connection, person)
    wanted = [channel for channel in person.notify if channel in SENT_BY and channel not in dead]
    if not wanted:
        return
    due_at = tell_at(directory, person, at)
    rows = [{"notice_id": notice_id, "channel": name, "state": "planned", "due_at": due_at} for name in wanted]
    made = insert(notice_messages).values(rows).returning(notice_messages.c.id, notice_messages.c.channel)
    await enqueue(connection, [_job(row.id, row.channel, person.key) for row in await connection.execute(made)])


def _job(message_id: object, channel: str, person: str) -> Job:
    """Messages to one address go one after another."""
    return Job(TASK, QUEUE, {"message_id": str(message_id)}, lock=f"notices {channel} {person}")
