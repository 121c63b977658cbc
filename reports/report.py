"""What a report says, as frozen values; pages, mails, messages, files and the API write the same one (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any, Literal

Kind = Literal["daily", "weekly", "monthly"]

AudienceKind = Literal["house", "team", "person"]

Verdict = Literal["good", "bad", "as_usual", "too_few"]
"""`too_few`: so little was counted, or so little is known of before, that chance alone may have made the difference."""

Outlook = Literal["kept", "open", "missed"]
"""Whether a plan will be kept; `open`: it may be or not."""

By = Literal["team", "person", "line", "source", "cause", "reason", "step", "stage", "status", "hour", "weekday"]


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a report is for: the house (lines and sources), a team (it and each of its people), or a person."""

    kind: AudienceKind
    key: str = ""

    def __str__(self) -> str:
        """`house`, `team sales`, `person anna`."""
        return f"{self.kind} {self.key}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What explains most of a difference: `key` of a dimension, its own difference, and its share of all (0 to 1).

    The differences of all keys of a dimension add up to the whole difference.
    """

    by: By
    key: str
    difference: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measure in a period. `value` None: it was not to be had (nothing to divide by).

    `part` and `whole` are a ratio's two counts. `usual` is its own norm (the same weekdays before; for weeks and months
    those before), `low` to `high` what chance alone would make of it. `plan` is the period's share of the month's plan,
    `due` what of it should be there by now; `by_plan`: the verdict is by that, not by what is usual.
    The month is expected to end with `month_forecast`, nine times of ten from `month_low` to `month_high`; `outlook`
    is what becomes of its plan.
    """

    measure: str
    value: float | None
    part: float | None = None
    whole: float | None = None
    usual: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: Verdict = "too_few"
    by_plan: bool = False
    plan: float | None = None
    due: float | None = None
    plan_month: float | None = None
    month_so_far: float | None = None
    month_forecast: float | None = None
    month_low: float | None = None
    month_high: float | None = None
    outlook: Outlook | None = None
    driver: Driver | None = None
    behind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing to do: `key` is of its words, `values` are named in them, `link` is a path of our pages."""

    key: str
    values: Mapping[str, str | float] = field(default_factory=dict)
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that somebody should know: what (a key of its words), about whom, how sure, and what to do.

    `stake`: how many clients are at stake; findings are ranked by it. `chance`: how often a quiet day would show as
    much (0 to 1). `values` are named in its words: keys of the directory, numbers, dates as ISO 8601.
    """

    key: str
    good: bool
    stake: float
    chance: float
    values: Mapping[str, str | float] = field(default_factory=dict)
    measure: str = ""
    driver: Driver | None = None
    actions: tuple[Action, ...] = ()
    link: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How far the figures can be trusted: counted until when, and what is missing or came late.

    `days_waiting`: so many days of the period, and of those that it is held against, are to be counted anew.
    """

    counted_at: datetime | None
    calls_until: datetime | None
    recovered_calls: int
    crm_oldest_seconds: float | None
    recordings_missing: int
    days_waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentTold:
    """A fault of the period, as operations kept it."""

    id: int
    kind: str
    subject: str
    started_at: datetime
    ended_at: datetime | None
    calls_lost: int
    calls_saved: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The figures of one team, person, line, source or hour."""

    key: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Rows that are compared with one another, under the same measures."""

    by: By
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPoint:
    """One day of the chart: calls that came in and that were missed, leads, and what was usual of missed ones.

    A person's calls are those that they answered, and what they missed is what is charged to them (`day_measures`).
    """

    day: date
    calls_in: float
    missed: float
    leads_in: float
    missed_usual: float | None


def day_measures(audience: Audience) -> dict[str, str]:
    """The measure that each count of this audience's DayPoints is, by the count's name."""
    calls, missed = ("answered", "charged") if audience.kind == "person" else ("calls_in", "missed")
    return {"calls_in": calls, "missed": missed, "leads_in": "leads_in"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that is told of a period (`first` to `last`, both counted) to an audience, made at `made_at`."""

    kind: Kind
    first: date
    last: date
    audience: Audience
    made_at: datetime
    freshness: Freshness
    findings: tuple[Finding, ...]
    figures: tuple[Figure, ...]
    sections: tuple[Section, ...]
    incidents: tuple[IncidentTold, ...]
    days: tuple[DayPoint, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON: the names of these fields; days and moments as ISO 8601."""
        told: dict[str, Any] = _plain(asdict(self))
        return told


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.isoformat() if isinstance(value, date | datetime) else value
