"""The list of leads: tabs by stage with counts, filters, the rows that follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from aiohttp import web
from sqlalchemy import and_

from crm_sync.book.attention import NEEDS, needs
from crm_sync.book.lead_list import Wanted
from directory.lead_policy import LeadPolicy
from directory.model import Directory, Person
from web.finding import FilterError
from web.guard import VIEWER
from web.house import HOUSE
from web.leads.listing import (
    EVERYBODYS,
    MINE,
    TABS,
    find_leads,
    in_lists,
    read_attention,
    read_tab,
    read_wanted,
    tab_counts,
)
from web.leads.wording import reason_name, words_of
from web.page import fragment, language_of, page
from web.rights import Scope, scope_of
from web.services import SERVICES
from web.sessions import Viewer
from web.wording import COUNTED_MOST

PAGE: Final = 50
_T = TypeVar("_T")
_GIVEN_MOST: Final = 200
KEPT: Final = ("owner", "line", "step", "reason", "field", "attention")


async def show(request: web.Request) -> web.Response:
    """GET /leads: the whole page, or with `cursor` only the rows that follow."""
    directory, viewer, query = await request.app[HOUSE].read(), request[VIEWER], request.query
    scope, now = scope_of(viewer, directory), datetime.now(UTC)
    usual = usual_owner(viewer, scope)
    tab, tab_wrong = _or_without("stage", query, read_tab)
    wanted, field_wrong = _or_without("field", query, lambda told: read_wanted(told, viewer.person, usual))
    wrong = tab_wrong or field_wrong
    where = in_lists(scope, directory, wanted, now)
    try:
        needy = read_attention(query)
        async with request.app[SERVICES].engine.connect() as connection:
            if needy is not None:
                where = and_(where, needs(directory, needy, now))
            found = await find_leads(connection, where, tab, query.get("cursor"), PAGE)
            counts = {} if "cursor" in query else await tab_counts(connection, where, COUNTED_MOST)
    except FilterError as error:  # an address that nobody typed
        raise web.HTTPBadRequest(text=str(error)) from error
    kept = {name: query[name] for name in KEPT if query.get(name) and name != wrong}
    kept |= {"attention": "overdue"} if wanted.overdue else {}
    more = urlencode(kept | {"stage": tab, "cursor": found.cursor}) if found.cursor else None
    may_give = viewer.role in {"head", "admin"}
    context: dict[str, Any] = {"found": found.rows, "more": more, "may_give": may_give} | words_of(
        directory.leads, language_of(request), now
    )
    if "cursor" in query:
        return web.Response(text=await fragment(request, "leads_rows.html", **context), content_type="text/html")
    context |= {
        "tabs": [(told, counts[told], urlencode(kept | {"stage": told})) for told in TABS],
        "tab": tab,
        "export": _query_of(tab, wanted) if needy is None else "",
        "kept": kept,
        "owner": query.get("owner") or usual,
        "whose": whose_leads(scope, directory),
        "lines": [line for line in directory.lines if scope.everything or line.number in scope.lines],
        "policy": directory.leads,
        "reasons": _reasons(directory.leads, language_of(request)),
        "needs": NEEDS,
        "may_see_rules": may_give,
        "give": urlencode(kept | {"stage": tab}),
        "given": _count(query.get("given", "")),
    }
    context |= {"wrong": wrong, "typed": query.get(wrong, "")[:_GIVEN_MOST] if wrong else ""}
    response = await page(request, "leads.html", **context)
    response.set_status(400 if wrong else 200)
    return response


def _or_without(name: str, query: Mapping[str, str], read: Callable[[Mapping[str, str]], _T]) -> tuple[_T, str]:
    """What is read from the query; where this value of it cannot be read, what the rest asks, and the value's name."""
    try:
        return read(query), ""
    except FilterError:
        return read({told: value for told, value in query.items() if told != name}), name


def usual_owner(viewer: Viewer, scope: Scope) -> str:
    """Whose leads are shown where nobody said: a manager's own, everybody's for a head."""
    return EVERYBODYS if scope.everything or viewer.person is None else MINE


def _query_of(tab: str, wanted: Wanted) -> str:
    """The query by which the API gives the leads of a tab."""
    told = {"stage": tab, "owner": wanted.owner, "line": wanted.line, "step": wanted.step, "reason": wanted.reason}
    told |= {"overdue": "true" if wanted.overdue else ""}
    told |= {f"fields[{name}]": value for name, value in wanted.fields.items()}
    return urlencode({name: value for name, value in told.items() if value})


def _count(told: str) -> int | None:
    """How many leads were given a moment ago, as the address says."""
    return int(told) if told.isascii() and told.isdecimal() and len(told) < 9 else None


def whose_leads(scope: Scope, directory: Directory) -> list[Person]:
    """The people whose leads may be chosen."""
    return [one for one in directory.people if (scope.everything or one.key in scope.people) and one.role != "operator"]


def _reasons(policy: LeadPolicy, language: str) -> Mapping[str, str]:
    return {key: reason_name(policy, language, key) for key in (*policy.disqualifies(), *policy.loses())}
