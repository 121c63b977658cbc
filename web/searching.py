"""The page of the search: everything that answers, or all of one kind."""

from functools import partial
from typing import Any, Final

from aiohttp import web

from web.finding import FilterError
from web.page import page
from web.search.everywhere import QUERY_CHARACTERS_MOST, Answers, RefusedError, search
from web.search.likeness import marked_name, marked_number, marked_words
from web.search.ranking import KINDS
from web.wording import phone

FEW: Final = 5
"""Of each kind, where all kinds are shown."""

MANY: Final = 50
TALKS: Final = 20
EXCERPTS: Final = 4
"""Of one talk on the page; the call's own page has them all."""


async def show(request: web.Request) -> web.Response:
    """GET /search."""
    query = request.query.get("q", "").strip()[:QUERY_CHARACTERS_MOST]
    cursor = request.query.get("cursor")
    kind = "talks" if cursor is not None else request.query.get("in", "")
    if kind and kind not in KINDS:
        raise web.HTTPBadRequest(text=f"in: must be one of {', '.join(KINDS)}, got {kind[:40]!r}")
    limit = FEW if not kind else TALKS if kind == "talks" else MANY
    found, refused = None, None
    try:
        found = await search(request, query, limit, [kind] if kind else KINDS, cursor=cursor) if query else None
    except FilterError as error:
        raise web.HTTPBadRequest(text=str(error)) from error
    except RefusedError as error:
        refused = error.why
    context = _context(found) if found else {}
    context |= {"query": query, "kind": kind, "kinds": KINDS, "excerpts_shown": EXCERPTS}
    response = await page(request, "search.html", found=found, refused=refused, **context)
    response.set_status(503 if refused == "too_long" else 200)
    return response


def _context(found: Answers) -> dict[str, Any]:
    """How many there are of each kind ("5+": and more), and what of a name or a number answers."""
    groups = {kind: getattr(found, kind) for kind in found.order}
    return {
        "counts": {kind: f"{len(group.items)}{'+' if group.more else ''}" for kind, group in groups.items()},
        "name_pieces": partial(marked_name, found.asked.words),
        "word_pieces": partial(marked_words, found.asked.text),
        "number_pieces": lambda number: marked_number(found.asked.pieces, number.lstrip("+"), phone(number)),
    }
