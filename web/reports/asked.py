"""Which report an address asks for, and the address of one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final, get_args
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web

from directory.model import Directory
from reports.periods import Period, period_of
from reports.report import Audience, Kind
from web.reports.seen import audience_asked

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_EARLIEST: Final = date(2000, 1, 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """The report of the period that holds `day`, to an audience."""

    kind: Kind
    day: date
    audience: Audience

    @property
    def path(self) -> str:
        """Where our pages show it."""
        told = {"kind": self.kind, "date": self.day.isoformat()}
        return "/reports?" + urlencode(told | whose(self.audience))

    @property
    def period(self) -> Period:
        """Its days."""
        return period_of(self.kind, self.day)

    @property
    def earlier(self) -> Asked:
        """That of the period before."""
        return replace(self, day=self.period.first - timedelta(days=1))

    def later(self, today: date) -> Asked | None:
        """That of the period after it; None when that has not begun."""
        after = self.period.last + timedelta(days=1)
        return replace(self, day=min(period_of(self.kind, after).last, today)) if after <= today else None


def whose(audience: Audience) -> dict[str, str]:
    """An audience as an address has it."""
    return {} if audience.kind == "house" else {audience.kind: audience.key}


def today_of_company(directory: Directory) -> date:
    """Days of reports are the company's."""
    return datetime.now(ZoneInfo(directory.company.time_zone)).date()


def read_asked(request: web.Request, directory: Directory, today: date) -> Asked:
    """What `kind`, `date`, and `team` or `person` ask; a form has both of these in `of`: team sales.

    Nothing told is today's daily report of the viewer. Raises 400, and 403 for another's report.
    """
    told, query = request.query.get("kind") or KINDS[0], request.query
    kind = next((one for one in KINDS if one == told), None)
    if kind is None:
        raise web.HTTPBadRequest(text=f"kind: must be one of {', '.join(KINDS)}, got {told[:20]!r}")
    of, _, key = query.get("of", "").partition(" ")
    team, person = (key if of == name else query.get(name, "") for name in ("team", "person"))
    return Asked(kind, read_day(query.get("date", ""), "date", today), audience_asked(request, directory, team, person))


def read_day(told: str, name: str, today: date) -> date:
    """A day that has begun; today when none is told. Raises 400."""
    try:
        day = date.fromisoformat(told) if told else today
    except ValueError:
        raise web.HTTPBadRequest(text=f"{name}: must be a date like 2026-03-31, got {told[:20]!r}") from None
    if not _EARLIEST <= day <= today:
        raise web.HTTPBadRequest(text=f"{name}: must be from {_EARLIEST} to {today}, got {told[:20]!r}")
    return day
