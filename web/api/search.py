"""Search over what was said, by the API; whose words are answered is written into the audit."""

from typing import Annotated

from aiohttp import web
from pydantic import AwareDatetime, Field

from web.api.calls import brief, utc
from web.api.models import CallBrief
from web.api.operations import Answer, Query
from web.finding import FilterError, Filters
from web.searching import QUERY_CHARACTERS_MOST, search


class SearchQuery(Query):
    """What was said, in any inflection ("quoted": one after another, -word: not); `since` is included, `until` not."""

    q: Annotated[str, Field(min_length=1, max_length=QUERY_CHARACTERS_MOST)]
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
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


class TalksPage(Answer):
    """One page of talks, the newest first; `next` asks for the following one."""

    items: list[TalkFound]
    next: str | None


async def search_talks(request: web.Request, query: SearchQuery) -> TalksPage:
    """GET /search."""
    filters = Filters(
        said=query.q,
        since=utc("since", query.since),
        until=utc("until", query.until),
        line=query.line,
        person=query.person,
    )
    try:
        found = await search(request, filters, query.cursor, query.limit)
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    items = [
        TalkFound(
            call=brief(one.call),
            moments=[
                MomentSaid(
                    at=excerpt.start,
                    side=excerpt.side,
                    text=excerpt.text,
                    found=[text for text, marked in excerpt.pieces if marked],
                )
                for excerpt in one.excerpts
            ],
        )
        for one in found.items
    ]
    return TalksPage(items=items, next=found.cursor)
