"""What the forms of a lead's page do: each is one decision of a person, carried out by `crm_sync` or not at all."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from aiohttp import web
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book import decisions, notes
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import LifecycleError, Move
from directory.model import Person
from web.guard import VIEWER
from web.leads.one import OneLead, see_other
from web.page import zone_of

LAST_NUMBER: Final = re.compile(r"(\d{1,18})\D*\Z", re.ASCII)
FIELD: Final = "field:"
WAS: Final = "was:"

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One form to carry out: the lead as it is read, who asks, and on whose wall their times are."""

    connection: AsyncConnection
    one: OneLead
    by: By
    zone: ZoneInfo
    form: Form

    @property
    def lead(self) -> int:
        """The lead's id."""
        return int(self.one.row.id)


def change_of(request: web.Request, connection: AsyncConnection, one: OneLead, form: Form) -> Change:
    """What a viewer asks with a form."""
    viewer, zone = request[VIEWER], ZoneInfo(zone_of(request, one.directory))
    by = By(who=viewer.person or viewer.login, at=datetime.now(UTC), head=one.head)
    return Change(connection, one, by, zone, form)


def givable(one: OneLead) -> list[Person]:
    """To whom a viewer may give a lead: heads to their teams or everybody, others to themselves and their team."""
    mine = one.scope.people
    return [it for it in one.directory.people if it.role != "operator" and (one.scope.everything or it.key in mine)]


def may_give(one: OneLead, person: str | None) -> bool:
    """Whether a lead that they work on may change its owner by this person: heads give any, others their own."""
    return one.head or one.row.owner in {None, person}


async def carry_out(change: Change) -> None:
    """Do what the form asks in its `do`. Raises LifecycleError, ChangedMeanwhile; HTTPBadRequest for another `do`."""
    does = _DOES.get(change.form.get("do", ""))
    if does is None:
        raise web.HTTPBadRequest(text=f"do must be one of {', '.join(_DOES)}")
    await does(change)


async def _move(change: Change) -> None:
    stage, _, step = change.form.get("to", "").partition("/")
    await _decide(change, Move(stage=stage, step=step or None))


async def _lose(change: Change) -> None:
    await _decide(change, Move(stage="lost", reason=change.form.get("reason", "")))


async def _disqualify(change: Change) -> None:
    reason, other = change.form.get("reason", ""), change.form.get("duplicate_of", "").strip()
    named = LAST_NUMBER.search(other)
    if other and named is None:
        raise LifecycleError("duplicate_of", f"must be the number of a lead, got {other[:40]!r}")
    duplicate_of = int(named[1]) if named else None
    if duplicate_of is not None:
        await see_other(change.connection, change.one.scope, duplicate_of)
    move = Move(stage="disqualified", reason=reason, duplicate_of=duplicate_of)
    await _decide(change, move, block=change.form.get("block") == "1")


async def _decide(change: Change, move: Move, *, block: bool = False) -> None:
    seen = change.form.get("seen") or decisions.UNSEEN
    directory = change.one.directory
    await decisions.decide(change.connection, directory, change.lead, move, change.by, seen=seen, block=block)
    await _comment(change)


async def _comment(change: Change) -> None:
    comment = change.form.get("comment", "").strip()
    if comment:
        await notes.add_note(change.connection, change.lead, comment, change.by)


async def _bring_back(change: Change) -> None:
    seen = change.form.get("seen") or decisions.UNSEEN
    await decisions.bring_back(change.connection, change.one.directory, change.lead, change.by, seen=seen)
    await _comment(change)


async def _give(change: Change) -> None:
    owner = change.form.get("owner") or None
    if owner is not None and owner not in {it.key for it in givable(change.one)}:
        raise LifecycleError("owner", f"must be one of your people, got {owner[:64]!r}")
    if not may_give(change.one, change.by.who):
        raise LifecycleError("head", "only a head gives a colleague's lead")
    seen = change.form.get("owner_seen", decisions.UNSEEN)
    await decisions.give(change.connection, change.one.directory, change.lead, owner, change.by, seen=seen)


async def _put_off(change: Change) -> None:
    await decisions.put_off(
        change.connection, change.lead, time_of(change.form.get("at", ""), "at", change.zone), change.by
    )


async def _note(change: Change) -> None:
    await notes.add_note(change.connection, change.lead, change.form.get("text", ""), change.by)


async def _task(change: Change) -> None:
    told, due_at = change.form.get("text", ""), time_of(change.form.get("due_at", ""), "due_at", change.zone)
    assignee = change.form.get("assignee") or None
    one = change.one
    await notes.add_task(
        change.connection, one.directory, change.lead, told, change.by, assignee=assignee, due_at=due_at
    )


async def _fields(change: Change) -> None:
    form = change.form
    told: dict[str, str | None] = {
        key.removeprefix(FIELD): value
        for key, value in form.items()
        if key.startswith(FIELD) and value != form.get(WAS + key.removeprefix(FIELD))
    }
    if form.get("new_name", "").strip() or form.get("new_value", "").strip():
        told[form.get("new_name", "")] = form.get("new_value", "")
    if told:
        await decisions.write_fields(change.connection, change.one.directory, change.lead, told, change.by)


def time_of(text: str, name: Literal["at", "due_at"], zone: ZoneInfo) -> datetime | None:
    """The time of a field on the viewer's wall, in UTC; None for an empty one. Raises LifecycleError."""
    told = text.strip()
    if not told:
        return None
    try:
        at = datetime.fromisoformat(told)
        return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise LifecycleError(name, f"must be a time like 2026-03-31T14:00, got {told[:40]!r}") from None


_DOES: Final[Mapping[str, Callable[[Change], Awaitable[None]]]] = {
    "move": _move, "lose": _lose, "disqualify": _disqualify, "back": _bring_back, "give": _give, "deadline": _put_off,
    "note": _note, "task": _task, "fields": _fields,
}  # fmt: skip
