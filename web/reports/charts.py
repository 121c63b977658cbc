"""Pictures of days, as rectangles and lines that a template draws: how many, and how many are usual (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from reports.plans import adds_up
from reports.report import Audience, DayPoint, Figure, day_measures

STEP: Final = 20
"""From one day to the next."""

GAP: Final = 5
HEIGHT: Final = 100


@dataclass(frozen=True, slots=True)
class Bar:
    """One day: `usual` is what was usual of it, None where that is not known; `last`: the newest of them."""

    day: date
    value: float
    usual: float | None
    x: float
    y: float
    height: float
    last: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """The days of one measure; `usual` is the line of what is usual, as an SVG path, "" where nothing is known.

    `of` is the name that a DayPoint has for it.
    """

    of: str
    measure: str
    bars: tuple[Bar, ...]
    usual: str
    most: float
    width: int
    height: int = HEIGHT
    bar: int = STEP - GAP


@dataclass(frozen=True, slots=True)
class Pace:
    """A month's plan, 0 to 100 across the picture: what was done, and where the month is expected to end."""

    done: float
    forecast: float | None


def charts(days: Sequence[DayPoint], audience: Audience) -> tuple[Chart, ...]:
    """Missed calls with what is usual of them, calls that came in, and leads; none where there are no days."""
    measures = day_measures(audience)
    told = (
        _chart("missed", measures["missed"], [(one.day, one.missed, one.missed_usual) for one in days]),
        _chart("calls_in", measures["calls_in"], [(one.day, one.calls_in, None) for one in days]),
        _chart("leads_in", measures["leads_in"], [(one.day, one.leads_in, None) for one in days]),
    )
    return told if days else ()


def pace(figure: Figure) -> Pace | None:
    """How a count stands to its month's plan; None where it has none. More than the plan is the whole of it.

    A rate does not fill up in a month.
    """
    if not adds_up(figure.measure) or not figure.plan_month or figure.month_so_far is None:
        return None
    forecast = figure.month_forecast
    return Pace(
        done=_share(figure.month_so_far, figure.plan_month),
        forecast=None if forecast is None else _share(forecast, figure.plan_month),
    )


def _share(value: float, plan: float) -> float:
    return round(min(max(value / plan, 0), 1) * 100, 1)


def _chart(of: str, measure: str, told: Sequence[tuple[date, float, float | None]]) -> Chart:
    most = max((max(value, usual or 0) for _, value, usual in told), default=0) or 1
    bars = tuple(
        Bar(
            day=day,
            value=value,
            usual=usual,
            x=place * STEP + GAP / 2,
            y=round(HEIGHT - value / most * HEIGHT, 1),
            height=round(value / most * HEIGHT, 1),
            last=place == len(told) - 1,
        )
        for place, (day, value, usual) in enumerate(told)
    )
    return Chart(of, measure, bars, _line(bars, most), most, len(told) * STEP)


def _line(bars: Sequence[Bar], most: float) -> str:
    """Across each day at the height of what is usual; where nothing is known the line breaks."""
    told = []
    for place, bar in enumerate(bars):
        if bar.usual is not None:
            y = round(HEIGHT - bar.usual / most * HEIGHT, 1)
            told.append(f"M{place * STEP} {y}H{(place + 1) * STEP}")
    return "".join(told)
