"""Leads that need attention, by the API."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web
from pydantic import Field

from crm_sync.book.attention import attention
from web.api.operations import Answer, NoQuery
from web.guard import VIEWER
from web.house import HOUSE
from web.rights import leads_seen, scope_of
from web.services import SERVICES


class NeedyLeadTold(Answer):
    """A lead that needs attention."""

    id: int
    name: str | None = Field(description="Its party's; null: not known.")
    number: str | None = Field(description="The first of its party's, E.164 digits.")
    owner: str | None
    line: str | None
    stage: str
    step: str | None
    since: datetime = Field(description="Of its stage and step.")
    contact_at: datetime | None = Field(description="Of the last talk; null: there was none yet.")
    deadline_at: datetime | None


class OverloadTold(Answer):
    """A person with more open leads than their limit."""

    person: str
    open: int
    limit: int
    plan: int


class AttentionTold(Answer):
    """All of it; `counts` by list, of which the first 500 are listed, the longest first."""

    counts: dict[str, int]
    overdue: list[NeedyLeadTold]
    forgotten: list[NeedyLeadTold]
    long: list[NeedyLeadTold]
    overloaded: list[OverloadTold]


async def get_attention(request: web.Request, _query: NoQuery) -> AttentionTold:
    """GET /leads/attention: of the leads that the viewer sees; who has too many, for heads and admins alone."""
    viewer, directory = request[VIEWER], await request.app[HOUSE].read()
    scope = scope_of(viewer, directory)
    wanted = None if scope.everything else leads_seen(scope)
    async with request.app[SERVICES].engine.connect() as connection:
        found = await attention(connection, directory, datetime.now(UTC), wanted)
    return AttentionTold.model_validate(found.to_json())
