"""Reads one party for who may see it, and what they may change of it; every change is written down with who made it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from sqlalchemy import exists, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.book import merging
from crm_sync.book import parties as book
from crm_sync.book.leads import By
from crm_sync.tables import leads, parties, party_merges
from directory import store
from directory.model import Directory
from recordings.audit import note
from web.api.operations import number_in
from web.guard import VIEWER
from web.keeping import actor_of
from web.leads.one import UNDOERS, numbers_of_party
from web.rights import Scope, leads_worked, parties_seen, scope_of


@dataclass(frozen=True, slots=True)
class OneParty:
    """A party's row with their numbers, and what the viewer may do: `may_change` their name and numbers; `head` all."""

    row: Any
    numbers: tuple[str, ...]
    directory: Directory
    scope: Scope
    may_change: bool
    head: bool

    @property
    def id(self) -> int:
        """The party's id."""
        return int(self.row.id)


async def read_party(request: web.Request, connection: AsyncConnection, number: int | None = None) -> OneParty:
    """The party of that id, else of `{number}` in the path. Raises 404 when there is none, 403 for who may not see it.

    Whoever works on one of its leads may change its name and numbers.
    """
    party = number_in(request) if number is None else number
    directory = await store.read(connection)
    viewer = request[VIEWER]
    scope = scope_of(viewer, directory)
    worked = exists(select(leads.c.id).where(leads.c.party_id == party, leads_worked(scope)))
    asked = select(parties, parties_seen(scope, literal(party)).label("seen"), worked.label("worked"))
    row = (await connection.execute(asked.where(parties.c.id == party))).first()
    if row is None:
        raise web.HTTPNotFound(text="There is no such party.")
    if not row.seen:
        raise web.HTTPForbidden(text="Neither you nor your team works with this party.")
    head = viewer.role in UNDOERS
    numbers = await numbers_of_party(connection, party)
    return OneParty(row, numbers, directory, scope, may_change=head or row.worked, head=head)


async def set_wish(request: web.Request, connection: AsyncConnection, one: OneParty, *, may_be_called: bool) -> None:
    """Note that the party does not want to be called, or, by heads, does again. Raises 403."""
    if may_be_called:
        only_heads(request)
    noted = [await book.set_do_not_call(connection, number, may_be_called=may_be_called) for number in one.numbers]
    if any(noted):
        await _written(request, connection, one, "do_not_call_lifted" if may_be_called else "do_not_call_set")


async def rename(request: web.Request, connection: AsyncConnection, one: OneParty, name: str) -> None:
    """Write the party's name. Raises PartyRefused, 403."""
    _only_who_works(one)
    await merging.rename(connection, one.id, name)
    await _written(request, connection, one, "party_renamed")


async def add_number(request: web.Request, connection: AsyncConnection, one: OneParty, number: str) -> None:
    """Note another number of the party. Raises PartyRefused, 403."""
    _only_who_works(one)
    await merging.add_number(connection, one.directory, one.id, number)
    await _written(request, connection, one, "party_number_added")


async def merge(request: web.Request, connection: AsyncConnection, one: OneParty, gone: int) -> None:
    """Make another party part of this one. Raises PartyRefused, 403."""
    only_heads(request)
    await merging.merge(connection, one.directory, one.id, gone, _by(request))
    await note(connection, actor_of(request), "parties_merged", f"party {one.id}", {"gone": gone})


async def unmerge(request: web.Request, connection: AsyncConnection, one: OneParty, gone: int) -> None:
    """Take back that another party is part of this one. Raises PartyRefused, 403, 404."""
    only_heads(request)
    if gone not in {row.gone for row in await merging.merges_of(connection, one.id) if row.kept == one.id}:
        raise web.HTTPNotFound(text="There is no such merge of this party.")
    await merging.unmerge(connection, one.directory, gone, _by(request))
    await note(connection, actor_of(request), "merge_undone", f"party {one.id}", {"gone": gone})


async def undo_merge(request: web.Request, connection: AsyncConnection, merge_id: int) -> int:
    """Take a merge back, and give the id of the party that was kept. Raises PartyRefused, 403, 404."""
    only_heads(request)
    row = (await connection.execute(select(party_merges).where(party_merges.c.id == merge_id))).first()
    if row is None:
        raise web.HTTPNotFound(text=f"There is no merge {merge_id}.")
    if row.undone_at is not None:
        raise merging.PartyRefused("party", f"merge {merge_id} was taken back already")
    kept = await merging.unmerge(connection, await store.read(connection), row.gone, _by(request))
    await note(connection, actor_of(request), "merge_undone", f"party {kept}", {"gone": row.gone})
    return kept


def only_heads(request: web.Request) -> None:
    """Heads decide who is one, and who may be called again. Raises HTTPForbidden."""
    if request[VIEWER].role not in UNDOERS:
        raise web.HTTPForbidden(text="Only for heads and admins.")


def _only_who_works(one: OneParty) -> None:
    if not one.may_change:
        raise web.HTTPForbidden(text="Neither you nor your team works on a lead of this party.")


def _by(request: web.Request) -> By:
    viewer = request[VIEWER]
    return By(who=viewer.person or viewer.login, at=datetime.now(UTC), head=viewer.role in UNDOERS)


async def _written(request: web.Request, connection: AsyncConnection, one: OneParty, action: str) -> None:
    await note(connection, actor_of(request), action, f"party {one.id}")
