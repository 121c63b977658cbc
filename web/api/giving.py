"""Many leads given at once by the API, by heads and admins: looked at, or all of them given."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from aiohttp import web
from pydantic import Field, model_validator
from sqlalchemy import ColumnElement, and_

from crm_sync.book.giving import REASON_MOST, CountChanged, Found, give_all, look
from crm_sync.book.lead_list import WantedRefused
from crm_sync.book.leads import By
from crm_sync.book.lifecycle import LifecycleError
from crm_sync.tables import leads
from directory import store
from directory.model import Directory
from recordings.audit import note
from web.api.leads import SegmentQuery, refused_wanted
from web.api.operations import Answer, Body, refusal
from web.audited import audited
from web.guard import VIEWER, only
from web.keeping import actor_of
from web.leads.give_page import GIVERS, TICKED_MOST
from web.rights import leads_worked, scope_of
from web.services import SERVICES

Lead = Annotated[int, Field(ge=1, lt=2**63)]


class LeadsHaving(Body):
    """Which leads, as the list takes it: what is left out asks nothing."""

    stage: str = ""
    step: str = ""
    owner: str = ""
    line: str = ""
    reason: str = ""
    overdue: bool = False
    fields: dict[str, str] = Field(default_factory=dict)

    def condition(self, directory: Directory) -> ColumnElement[bool]:
        """The same as a condition on the table of leads. Raises WantedRefused."""
        return SegmentQuery.model_validate(self.model_dump()).wanted(directory).condition()


class LeadsGiving(Body):
    """Which leads, by their ids or by what they have, are to be given to whom, and why.

    `owner` null: nobody. `dry_run`: only look. `seen`: how many there were when it was decided; where there are more
    or fewer by now nothing is done, and the answer is 409.
    """

    leads: list[Lead] | None = Field(default=None, min_length=1, max_length=TICKED_MOST)
    having: LeadsHaving | None = None
    owner: str | None = Field(max_length=64)
    reason: str = Field(default="", max_length=REASON_MOST)
    dry_run: bool = False
    seen: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _one_of_both(self) -> LeadsGiving:
        if (self.leads is None) == (self.having is None):
            raise ValueError("must be told by either leads or having")
        return self

    def condition(self, directory: Directory) -> ColumnElement[bool]:
        """Which leads, as a condition on their table. Raises WantedRefused."""
        if self.having is not None:
            return self.having.condition(directory)
        return leads.c.id.in_(self.leads or ())


class OwnerCount(Answer):
    """How many leads a person has; `owner` null: nobody."""

    owner: str | None
    count: int


class LeadsGiven(Answer):
    """How many there were and whose; how many were given, null where it was only looked."""

    count: int
    owners: list[OwnerCount]
    given: int | None


@audited("leads_given")
async def give_leads(request: web.Request, wish: LeadsGiving) -> LeadsGiven | web.Response:
    """POST /leads/owner: all of them in one transaction, each with its event, or none."""
    only(request, *GIVERS)
    viewer = request[VIEWER]
    by = By(who=viewer.person or viewer.login, at=datetime.now(UTC), head=True)
    try:
        async with request.app[SERVICES].engine.begin() as connection:
            directory = await store.read(connection)
            scope = scope_of(viewer, directory)
            if not scope.everything and wish.owner is not None and wish.owner not in scope.people:
                raise web.HTTPForbidden(text="owner: a head gives leads to people of their teams")
            where = and_(wish.condition(directory), leads_worked(scope))
            found = await look(connection, where)
            if wish.dry_run:
                return _told(found, None)
            given = await give_all(connection, directory, where, wish.owner, wish.reason, by, seen=wish.seen)
            await note(connection, actor_of(request), "leads_given", "leads", {"owner": wish.owner, "count": given})
            return _told(found, given)
    except WantedRefused as error:
        return refused_wanted(error)
    except CountChanged as error:
        return refusal(409, "changed_meanwhile", str(error))
    except LifecycleError as error:
        return refusal(422, f"wrong_{error.field}", str(error), field=error.field)


def _told(found: Found, given: int | None) -> LeadsGiven:
    owners = [OwnerCount(owner=owner, count=count) for owner, count in found.owners.items()]
    return LeadsGiven(count=found.count, owners=owners, given=given)
