"""All kinds of things that answer one query, each up to a limit, the kind that answers best first."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar

from aiohttp import web
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from web.finding import Filters
from web.guard import VIEWER
from web.house import HOUSE
from web.rights import Scope, scope_of
from web.search import calls, leads, notes, parties, talks
from web.search.asked import Asked, read
from web.search.leads import FoundLead
from web.search.notes import FoundNote
from web.search.parties import ALIKE, FoundParty
from web.search.ranking import KINDS, in_order
from web.services import SERVICES

QUERY_CHARACTERS_MOST: Final = 200

SECONDS_MOST: Final = 3.0
"""Of a search: all that it asks the database, one after the other."""

Refusal = Literal["only_excluded", "too_long"]

_CANCELLED: Final = "57014"
"""SQLSTATE query_canceled."""

_CLOSE: Final = 0.1
"""Leads and calls are those of the parties that answer almost as well as the best."""

_SETTINGS: Final = text(
    "select set_config('pg_trgm.word_similarity_threshold', :alike, true),"
    # What is asked for decides the plan: a rare piece of a number is looked up, a common one is met soon.
    " set_config('plan_cache_mode', 'force_custom_plan', true),"
    # To read what was said costs more than the planner thinks, to look it up by an index less.
    " set_config('enable_seqscan', 'off', true), set_config('random_page_cost', '1.1', true),"
    " set_config('statement_timeout', :milliseconds, true),"
    # What answers though it has no word at all is not asked for by any word, and nearly everything would answer.
    " cast('' as tsvector) @@ websearch_to_tsquery('russian', :query) as only_excluded"
)


class RefusedError(Exception):
    """A search that is not answered; `why` is its key, `only_excluded`: it asks for all but some words."""

    def __init__(self, why: Refusal) -> None:
        super().__init__(why)
        self.why: Refusal = why


Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Group(Generic[Item]):
    """The best of one kind; `more`: there are others."""

    items: tuple[Item, ...] = ()
    more: bool = False


def _group(found: Collection[Item], limit: int) -> Group[Item]:
    told = tuple(found)
    return Group(told[:limit], len(told) > limit)


@dataclass(frozen=True, slots=True)
class Answers:
    """What answers a query; `order` has the kinds with answers, the best first."""

    asked: Asked
    parties: Group[FoundParty] = Group()
    leads: Group[FoundLead] = Group()
    calls: Group[Any] = Group()
    notes: Group[FoundNote] = Group()
    talks: talks.Talks = talks.NONE
    order: tuple[str, ...] = ()


async def search(
    request: web.Request,
    query: str,
    limit: int,
    kinds: Collection[str] = KINDS,
    filters: Filters | None = None,
    cursor: str | None = None,
) -> Answers:
    """What answers `query` and the viewer may see, of these kinds; `filters` and `cursor` are of talks.

    That words of talks are shown is noted. Raises FilterError for a cursor that this service did not give, and
    RefusedError.
    """
    bound = asyncio.timeout(SECONDS_MOST)
    try:
        async with bound:
            return await _search(request, query, limit, kinds, filters or Filters(said=query), cursor)
    except TimeoutError as error:
        if not bound.expired():
            raise
        raise RefusedError("too_long") from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != _CANCELLED:
            raise
        raise RefusedError("too_long") from error


async def _search(
    request: web.Request, query: str, limit: int, kinds: Collection[str], filters: Filters, cursor: str | None
) -> Answers:
    directory = await request.app[HOUSE].read()
    scope = scope_of(request[VIEWER], directory)
    asked = read(query, directory.company.region)
    async with request.app[SERVICES].engine.begin() as connection:
        milliseconds = str(round(SECONDS_MOST * 1000))
        asks = {"alike": str(ALIKE), "milliseconds": milliseconds, "query": query}
        if (await connection.execute(_SETTINGS, asks)).one().only_excluded:
            raise RefusedError("only_excluded")
        said = talks.NONE
        written: Group[FoundNote] = Group()
        if "talks" in kinds:
            said = await talks.find(request, connection, scope, filters, cursor, limit)
        if "notes" in kinds:
            written = _group(await notes.find(connection, scope, query, limit + 1), limit)
        # What is said or written so often is a word, and no name that was misspelt.
        is_word = said.more or written.more
        found = await _of_parties(connection, scope, asked, kinds, limit, misspelt=not is_word)
    counts = {kind: len(group.items) for kind, group in found.items()}
    counts |= {"notes": len(written.items), "talks": len(said.items)}
    best = found["parties"].items[0].score if found["parties"].items else 0.0
    return Answers(asked=asked, notes=written, talks=said, order=in_order(counts, best), **found)


async def _of_parties(
    connection: AsyncConnection, scope: Scope, asked: Asked, kinds: Collection[str], limit: int, *, misspelt: bool
) -> dict[str, Group[Any]]:
    if not {"parties", "leads", "calls"} & set(kinds):
        return dict.fromkeys(("parties", "leads", "calls"), Group())
    likely = await parties.find(connection, scope, asked, limit, misspelt=misspelt)
    close = [one.id for one in likely if one.score >= likely[0].score - _CLOSE]
    found_leads = await leads.find(connection, scope, asked.text, close, limit + 1) if "leads" in kinds else ()
    found_calls: Collection[Any] = ()
    if "calls" in kinds:
        theirs = await parties.with_merged(connection, close)
        found_calls = await calls.find(connection, scope, asked, theirs, limit + 1)
    shown = likely if "parties" in kinds else ()
    return {
        "parties": _group(shown, limit),
        "leads": _group(found_leads, limit),
        "calls": _group(found_calls, limit),
    }
