"""The one search by the API: people outside, their leads and calls, and what was said; the latter is audited."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from aiohttp import web
from pydantic import Field

from web.api.calls import brief
from web.api.models import CallBrief
from web.api.operations import Answer, Moment, Query
from web.finding import FilterError, Filters
from web.search.asked import Asked
from web.search.everywhere import QUERY_CHARACTERS_MOST, RefusedError, search
from web.search.likeness import marked_name, marked_number
from web.search.parties import FoundParty
from web.search.ranking import KINDS
from web.search.talks import Talk
from web.words import say

Kind = Literal["parties", "leads", "calls", "notes", "talks"]


class SearchQuery(Query):
    """What is looked for: a name, a piece of a number, or what was said ("quoted": one after another, -word: not).

    What only leaves out words is refused, and so is what takes too long.

    `since` (included), `until` (not), `line`, `person` and `cursor` are of talks: with one of them, only talks answer.
    """

    q: Annotated[str, Field(min_length=1, max_length=QUERY_CHARACTERS_MOST)]
    kind: Kind | None = None
    since: Moment | None = None
    until: Moment | None = None
    line: str = ""
    person: str = ""
    cursor: str | None = None
    limit: Annotated[int, Field(ge=1, le=50)] = 20


class MomentSaid(Answer):
    """Where it was said: second of the recording, by which side, and the words around."""

    at: float
    side: str
    text: str
    found: list[str] = Field(description="The words of `text` that were searched for.")


class TalkFound(Answer):
    """A call in whose talk it was said; `moments` by time."""

    call: CallBrief
    moments: list[MomentSaid]


class PartyFound(Answer):
    """A party that answers; `score` is 1 for what was typed exactly, less for every liberty taken."""

    id: int
    name: str | None
    numbers: list[str] = Field(description="All of its numbers, those that answer first.")
    do_not_call: bool
    score: float
    found: list[str] = Field(description="The parts of the name and of the numbers that answer.")


class LeadFound(Answer):
    """A lead of a party that answers, or one whose fields do."""

    id: int
    party_id: int
    party_name: str | None
    stage: str
    step: str | None
    owner: str | None
    source_line: str | None
    fields: dict[str, str]
    opened_at: datetime
    closed_at: datetime | None


class NoteFound(Answer):
    """What somebody wrote of a party, a lead or a call."""

    id: int
    party_id: int
    party_name: str | None
    lead_id: int | None
    call_id: UUID | None
    at: datetime
    by: str
    text: str


class PartiesFound(Answer):
    """Parties, the best first; `more`: there are others."""

    items: list[PartyFound]
    more: bool


class LeadsFound(Answer):
    """Leads of the parties that answer best or with the words in a field, open ones first; `more`: there are others."""

    items: list[LeadFound]
    more: bool


class CallsFound(Answer):
    """Calls with the parties that answer best, or with the number, the newest first; `more`: there are others."""

    items: list[CallBrief]
    more: bool


class NotesFound(Answer):
    """Notes with the words, the newest first; `more`: there are others."""

    items: list[NoteFound]
    more: bool


class SearchPage(Answer):
    """What answers. `items` are talks, the newest first, and `next` asks for the following ones."""

    order: list[str] = Field(description=f"The kinds that have answers, the best first, of {', '.join(KINDS)}.")
    parties: PartiesFound
    leads: LeadsFound
    calls: CallsFound
    notes: NotesFound
    items: list[TalkFound]
    next: str | None


async def search_all(request: web.Request, query: SearchQuery) -> SearchPage:
    """GET /search."""
    filters = Filters(
        said=query.q,
        since=query.since,
        until=query.until,
        line=query.line,
        person=query.person,
    )
    of_talks = query.since or query.until or query.line or query.person or query.cursor is not None
    kinds = ("talks",) if of_talks else (query.kind,) if query.kind else KINDS
    try:
        found = await search(request, query.q, query.limit, kinds, filters, query.cursor)
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except RefusedError as error:
        refused = web.HTTPServiceUnavailable if error.why == "too_long" else web.HTTPBadRequest
        raise refused(text=f"q: {say('en', f'search.{error.why}')}") from error
    return SearchPage(
        order=list(found.order),
        parties=PartiesFound(items=[_party(found.asked, one) for one in found.parties.items], more=found.parties.more),
        leads=LeadsFound(
            items=[LeadFound.model_validate(one, from_attributes=True) for one in found.leads.items],
            more=found.leads.more,
        ),
        calls=CallsFound(items=[brief(row) for row in found.calls.items], more=found.calls.more),
        notes=NotesFound(
            items=[NoteFound.model_validate(one, from_attributes=True) for one in found.notes.items],
            more=found.notes.more,
        ),
        items=[_talk(one) for one in found.talks.items],
        next=found.talks.cursor,
    )


def _party(asked: Asked, one: FoundParty) -> PartyFound:
    marked = [marked_name(asked.words, one.name or "")]
    marked += [marked_number(asked.pieces, number, number) for number in one.numbers]
    return PartyFound(
        id=one.id,
        name=one.name,
        numbers=list(one.numbers),
        do_not_call=one.do_not_call,
        score=round(one.score, 3),
        found=[text for pieces in marked for text, is_found in pieces if is_found],
    )


def _talk(one: Talk) -> TalkFound:
    moments = [
        MomentSaid(
            at=excerpt.start,
            side=excerpt.side,
            text=excerpt.text,
            found=[text for text, marked in excerpt.pieces if marked],
        )
        for excerpt in one.excerpts
    ]
    return TalkFound(call=brief(one.call), moments=moments)
