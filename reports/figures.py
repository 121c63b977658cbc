"""Figures of a report: each measure in a period, judged by the periods before it and by its plan (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Final

from crm_sync.book.lifecycle import STAGES
from directory.model import Directory
from reports.compared import Counts, counted, key_of, seen
from reports.counts.promises import RIPENING
from reports.drivers import main_driver
from reports.facts import Fact, Sums, facts_of
from reports.layout import FIGURES, SECTIONS, Shown
from reports.lengths import Lengths
from reports.links import behind
from reports.measures import PREFIX_OF_CONVERSION, PREFIX_OF_STEP, Count, Ratio, counts_of
from reports.norms import Seen, judge, value_of
from reports.periods import Period
from reports.plan_days import Whose, WhoseKind, whose_of
from reports.plans import Plans, adds_up, counted_of, month_plan, pace, plan_of, sources
from reports.registry import MEASURES
from reports.report import Audience, By, Figure, Row, Section

CONVERSION: Final = "step_conversion"
"""Of the leads that reached the step before (before the first: that were qualified), how many reached a step."""

_WHOSE: Final[Mapping[By, WhoseKind]] = {"team": "team", "person": "person", "line": "line", "source": "source"}
_DETAILS: Final = frozenset({"status", "cause", "step", "stage", "reason"})


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the figures of a report to an audience are made of.

    `facts` and `hours` are the audience's in the periods of `lengths`; of what stands at the end of a day, those of the
    last day of each. `month` are its facts day by day from the first of the last day's month on, of what is planned.
    `passed`: which share of the report's last day has passed, 0 to 1. `counted`: whether anything of that day is.
    `ripe`: whether it is so long ago that what became of its promises to call back is known.
    """

    audience: Audience
    directory: Directory
    lengths: Lengths
    plans: Plans
    facts: Sequence[Sums]
    hours: Sequence[Sums]
    month: Sequence[Fact]
    passed: float = 1.0
    counted: bool = True
    ripe: bool = True

    @property
    def period(self) -> Period:
        """What the report tells of."""
        return self.lengths.periods[0]

    @cached_property
    def totals(self) -> Sequence[Counts]:
        """The counts of each period."""
        return counted(self.facts, lambda _: "").get("") or self.nothing

    @property
    def nothing(self) -> Sequence[Counts]:
        """The counts of each period if there were none."""
        return [{} for _ in self.lengths.periods]

    def whose(self, by: By | None, key: str) -> Whose:
        """Whose days of work, and whose plans, the figures of a key have."""
        kind = _WHOSE.get(by) if by else None
        return Whose(kind, key) if kind else whose_of(self.audience)


def figures_of(known: Known) -> tuple[Figure, ...]:
    """The figures of the whole audience, with the pace of its month."""
    totals = known.totals
    figures = (_figure(known, measure, totals) for measure in FIGURES[known.audience.kind])
    return tuple(_paced(known, _driven(known, figure)) for figure in figures)


def sections_of(known: Known) -> tuple[Section, ...]:
    """The sections that the audience sees, without those of which there is nothing."""
    found = (_section(known, shown) for shown in SECTIONS if known.audience.kind in shown.whom)
    return tuple(section for section in found if section.rows)


def _section(known: Known, shown: Shown) -> Section:
    counts = {count for measure in shown.measures for count in counts_of(MEASURES[measure])}
    told = known.hours if shown.by == "hour" else known.facts
    found = counted((one for one in told if one.count in counts), key_of(shown.by, known.directory))
    rows = []
    for key in _in_order(known.directory, shown, found):
        figures = [
            _conversion(known, key, found)
            if measure == CONVERSION
            else _figure(known, measure, found[key], shown.by, key)
            for measure in shown.measures
        ]
        rows.append(Row(key=key, figures=tuple(figures)))
    return Section(by=shown.by, rows=tuple(rows))


def _in_order(directory: Directory, shown: Shown, found: Mapping[str, Sequence[Counts]]) -> list[str]:
    """The keys that there are, as the directory, the funnel or the clock has them; others by how much there is."""
    steps = [step.key for step in directory.leads.funnel]
    known = {
        "team": [team.key for team in directory.teams],
        "person": [person.key for person in directory.people],
        "line": [line.number for line in directory.lines],
        "source": list(sources(directory)),
        "step": steps,
        "stage": [place for stage in STAGES for place in (stage, *(f"{stage}/{step}" for step in steps))],
        "hour": [f"{hour:02}" for hour in range(24)],
    }.get(shown.by, [])
    there = {key: sum(counts[0].values()) for key, counts in found.items() if key and any(counts)}
    others = sorted(there.keys() - set(known), key=lambda key: (-there[key], key))
    return [*(key for key in known if key in there), *others]


def _figure(known: Known, measure: str, counts: Sequence[Counts], by: By | None = None, key: str = "") -> Figure:
    """The figure of a whole audience, or of a key of a dimension."""
    whose = known.whose(by, key)
    now, *before = seen(measure, counts, known.lengths.of(whose))
    planned = by is None or by == "step" or whose != whose_of(known.audience)
    name = PREFIX_OF_STEP + key if by == "step" else measure
    plan, due = _planned(known, name, whose) if planned else (None, None)
    return _judged(known, measure, (now, before), by, key, plan=plan, due=due)


def _planned(known: Known, measure: str, whose: Whose) -> tuple[float | None, float | None]:
    """The period's share of the plan, and how much of it is due by now, while its last day goes on."""
    first, last = known.period.first, known.period.last
    plan = plan_of(known.plans, measure, whose, first, last)
    if plan is None or not adds_up(measure):
        return plan, plan
    today = plan_of(known.plans, measure, whose, last, last) or 0.0
    return plan, plan - today * (1 - known.passed)


def _judged(
    known: Known,
    measure: str,
    told: tuple[Seen, Sequence[Seen]],
    by: By | None,
    key: str,
    *,
    plan: float | None = None,
    due: float | None = None,
) -> Figure:
    now, before = told
    if measure in RIPENING and not known.ripe:
        before, due = (), None
    of = MEASURES[measure]
    judged = judge(of, now, before, plan=due)
    ratio = isinstance(of, Ratio)
    return Figure(
        measure=measure,
        value=value_of(of, now),
        part=now.part if ratio else None,
        whole=now.whole if ratio else None,
        usual=judged.usual,
        low=judged.low,
        high=judged.high,
        verdict=judged.verdict if known.counted else "too_few",
        by_plan=judged.by_plan and known.counted,
        plan=plan,
        due=due,
        behind=_behind(known, measure, by, key),
    )


def _conversion(known: Known, key: str, found: Mapping[str, Sequence[Counts]]) -> Figure:
    steps = [step.key for step in known.directory.leads.funnel]
    from_counts, count = known.totals, "qualified"
    if key in steps[1:]:
        from_counts, count = found.get(steps[steps.index(key) - 1], known.nothing), "steps"
    told = [
        Seen(here.get("steps", 0.0), there.get(count, 0.0)) for here, there in zip(found[key], from_counts, strict=True)
    ]
    lengths = known.lengths.of(whose_of(known.audience))
    before = [one if length else Seen(0.0, 0.0) for one, length in zip(told[1:], lengths[1:], strict=True)]
    plan, due = _planned(known, PREFIX_OF_CONVERSION + key, known.whose("step", key))
    return _judged(known, CONVERSION, (told[0], before), "step", key, plan=plan, due=due)


def _behind(known: Known, measure: str, by: By | None, key: str) -> str:
    of = MEASURES[measure]
    period = Period(known.period.last, known.period.last) if isinstance(of, Count) and of.at_end else known.period
    narrowed: dict[str, str] = {} if known.audience.kind == "house" else {known.audience.kind: known.audience.key}
    if by is not None:
        narrowed |= {"detail" if by in _DETAILS else by: key}
    return behind("steps" if measure == CONVERSION else measure, period, narrowed)


def _driven(known: Known, figure: Figure) -> Figure:
    """The figure with what explains most of its difference to what is usual, where that is why it is good or bad."""
    if figure.verdict not in {"good", "bad"} or (figure.by_plan and not _alike(figure)):
        return figure
    of, lengths = MEASURES[figure.measure], known.lengths.of(whose_of(known.audience))
    if isinstance(of, Count) and of.at_end:
        lengths = tuple(float(days > 0) for days in lengths)
    scale = lengths[0] / sum(lengths[1:]) if any(lengths[1:]) else 0.0
    if not scale:
        return figure
    made_of = counts_of(of)
    told = [one for one in (*known.facts, *known.hours) if one.count in made_of]
    now, *before = (list(facts_of(told, at, known.period.last)) for at in range(len(lengths)))
    compared = [fact for facts, length in zip(before, lengths[1:], strict=True) if length for fact in facts]
    return replace(figure, driver=main_driver(of, now, compared, scale, known.directory))


def _alike(figure: Figure) -> bool:
    """Whether a figure lies on the same side of what is usual as of its plan."""
    if figure.value is None or figure.usual is None or figure.due is None:
        return False
    return (figure.value - figure.usual) * (figure.value - figure.due) > 0


def _paced(known: Known, figure: Figure) -> Figure:
    """The figure with its month: planned, so far, and where it is going."""
    whose, last = whose_of(known.audience), known.period.last
    if month_plan(known.plans, figure.measure, whose, last) is None:
        return figure
    over = last - timedelta(days=1) if known.passed < 1 else last
    stood = last if known.counted else None
    facts = counted_of(known.month, figure.measure, whose, known.directory, stood=stood)
    told = pace(known.plans, figure.measure, whose, over, facts, last)
    return replace(
        figure,
        plan_month=told.plan,
        month_so_far=told.so_far,
        month_forecast=told.forecast,
        month_low=told.low,
        month_high=told.high,
        outlook=told.outlook(MEASURES[figure.measure].better),
    )
