"""Plans for programs of heads and admins: a month read with its pace, and set all or nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from aiohttp import hdrs, web
from pydantic import Field

from reports.plan_days import Whose, WhoseKind, month_of
from reports.plan_rows import write_plans
from reports.plan_sheet import read_month
from reports.report import Outlook
from web.api.operations import PREFIX, Answer, Body, Door, Query, Said, answered, problem, read_body, refusal
from web.audited import audited
from web.guard import VIEWER, only
from web.house import HOUSE
from web.keeping import actor_of
from web.page import language_of
from web.reports.plans import PLANNERS, PlanRefused, check, fault_words, planned_by
from web.reports.plans_told import told_plans
from web.services import SERVICES

PATH: Final = f"{PREFIX}/plans"
_MOST: Final = 500
Month = Annotated[str, Field(pattern=r"^2[0-9]{3}-(0[1-9]|1[0-2])$")]
Number = Annotated[float, Field(allow_inf_nan=False)]


class PlansQuery(Query):
    """`month` as 2026-11; this one unless told."""

    month: Month | None = None


class PlanTold(Answer):
    """One plan and its month so far; `due` should be there by now, nine months of ten end from `low` to `high`.

    Shares are 0 to 1, times are seconds.
    """

    kind: WhoseKind
    key: str
    measure: str
    value: float
    so_far: float | None
    due: float | None
    forecast: float | None
    low: float | None
    high: float | None
    needed_a_day: float | None
    outlook: Outlook | None


class PlanList(Answer):
    """The plans of a month that the viewer makes."""

    month: str
    items: list[PlanTold]


class PlanWish(Body):
    """One plan to set; `value` null: none any more. `key` is empty for the house."""

    kind: WhoseKind
    key: Annotated[str, Field(max_length=200)] = ""
    measure: Annotated[str, Field(max_length=100)]
    value: Number | None


class PlansWish(Body):
    """Plans of a month to set; the others stay as they are."""

    month: Month
    plans: Annotated[list[PlanWish], Field(min_length=1, max_length=_MOST)]


class PlansDone(Answer):
    """How many plans are not as they were."""

    changed: int


async def list_plans(request: web.Request, query: PlansQuery) -> PlanList:
    """GET /plans, for heads and admins: those that they make."""
    only(request, *PLANNERS)
    directory = await request.app[HOUSE].read()
    today = datetime.now(ZoneInfo(directory.company.time_zone)).date()
    month = (read_month(query.month) if query.month else None) or month_of(today)
    mine = planned_by(request[VIEWER], directory)
    async with request.app[SERVICES].engine.connect() as connection:
        told = await told_plans(connection, directory, month, today, mine)
    items = [PlanTold.model_validate(one.to_json()) for one in told]
    return PlanList(month=f"{month:%Y-%m}", items=items)


@audited("plan_set")
async def put_plans(request: web.Request) -> web.Response:
    """PUT /plans, by heads and admins: all that is sent, or nothing."""
    only(request, *PLANNERS)
    wish = read_body(PlansWish, await request.read())
    directory, language = await request.app[HOUSE].read(), language_of(request)
    mine, month = set(planned_by(request[VIEWER], directory)), read_month(wish.month)
    if month is None:
        raise web.HTTPBadRequest(text=f"month: there is none {wish.month!r}")
    cells: dict[tuple[Whose, str], float | None] = {}
    for number, one in enumerate(wish.plans):
        whose = Whose(one.kind, one.key)
        try:
            check(directory, mine, whose, one.measure, one.value)
            if (whose, one.measure) in cells:
                raise PlanRefused("twice", "measure", one.measure)
        except PlanRefused as error:
            detail = f"{fault_words(language, error.why)}: {error.value!r}"
            return refusal(422, error.why, detail, field=f"plans.{number}.{error.field}")
        cells[whose, one.measure] = one.value
    async with request.app[SERVICES].engine.begin() as connection:
        changed = await write_plans(connection, month, cells, actor_of(request), action="plan_set")
    return answered(PlansDone(changed=changed))


WRITE: Final = Door(
    hdrs.METH_PUT,
    PATH,
    put_plans.__name__,
    "Set plans of a month, all or nothing",
    {
        200: Said("Set.", PlansDone),
        **{status: problem(status) for status in (400, 401, 403, 413, 422)},
    },
    body=PlansWish,
)
