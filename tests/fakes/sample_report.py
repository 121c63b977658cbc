"""A report made by hand, for pages and mails: a bad Friday of the sales team of the small office, and a quiet one."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from reports.report import (
    Action,
    Audience,
    DayPoint,
    Driver,
    Figure,
    Finding,
    Freshness,
    IncidentTold,
    Report,
    Row,
    Section,
    Verdict,
)
from tests.fakes.directories import LINE

DAY: Final = date(2026, 11, 27)
MADE_AT: Final = datetime(2026, 11, 27, 15, 1, tzinfo=UTC)


def _behind(measure: str, person: str = "") -> str:
    who = f"&person={person}" if person else ""
    return f"/reports/behind?measure={measure}&from={DAY}&to={DAY}&team=sales{who}"


def figure(
    measure: str,
    value: float | None,
    usual: float | None = None,
    verdict: Verdict = "as_usual",
    *,
    part: float | None = None,
    whole: float | None = None,
    person: str = "",
) -> Figure:
    """A figure of the day; chance alone would make a fifth more or less of what is usual."""
    spread = None if usual is None else usual / 5
    return Figure(
        measure=measure,
        value=value,
        part=part,
        whole=whole,
        usual=usual,
        low=None if usual is None or spread is None else usual - spread,
        high=None if usual is None or spread is None else usual + spread,
        verdict="too_few" if usual is None else verdict,
        behind=_behind(measure, person),
    )


FINDINGS: Final = (
    Finding(
        key="misses_more",
        good=False,
        stake=7,
        chance=0.0004,
        values={"person": "anna", "calls": 9, "usual": 2.5},
        measure="charged",
        driver=Driver(by="person", key="anna", difference=6.5, share=0.81),
        actions=(
            Action(key="call_back", values={"count": 7}, link="/missed?team=sales"),
            Action(key="talk_with", values={"person": "anna"}, link=_behind("charged", "anna")),
        ),
        link=_behind("charged", "anna"),
    ),
    Finding(
        key="disqualifies_more",
        good=False,
        stake=5,
        chance=0.003,
        values={"person": "boris", "leads": 5, "share": 0.62, "usual_share": 0.21, "long_talks": 2},
        measure="disqualified_share",
        driver=Driver(by="person", key="boris", difference=0.16, share=0.9),
        actions=(
            Action(key="return_leads", values={"person": "boris", "count": 2}, link=_behind("disqualified", "boris")),
        ),
        link=_behind("disqualified", "boris"),
    ),
    Finding(
        key="source_good",
        good=True,
        stake=4,
        chance=0.01,
        values={"source": "Основная", "leads": 12, "share": 0.7, "usual_share": 0.4},
        measure="qualified_share",
        actions=(Action(key="more_of_source", values={"source": "Основная"}),),
        link=_behind("qualified"),
    ),
)

FIGURES: Final = (
    figure("calls_in", 96, 88),
    figure("answered", 79, 83.5),
    replace(figure("missed", 17, 8.2, "bad"), driver=Driver(by="person", key="anna", difference=6.5, share=0.74)),
    figure("missed_share", 17 / 96, 8.2 / 88, "bad", part=17, whole=96),
    figure("service_level", 0.71, 0.86, "bad", part=64, whole=90),
    figure("wait", 18.4, 12.1),
    figure("talks", 112, 104),
    figure("talk", 171.5, 168.0),
    figure("call_back", 2_340, 1_200, "bad", part=18_720, whole=8),
    figure("never_called_back", 7, 2, "bad"),
    replace(
        figure("leads_in", 31, 24.5, "good"),
        plan=28.0,
        plan_month=600,
        month_so_far=548,
        month_forecast=611,
        outlook="kept",
    ),
    replace(
        figure("qualified", 11, 12),
        plan=12.0,
        plan_month=252,
        month_so_far=230,
        month_forecast=238.5,
    ),
    figure("disqualified_share", 0.42, 0.24, "bad", part=8, whole=19),
    figure("won", 2),
    figure("nps", None),
)

PEOPLE: Final = Section(
    by="person",
    rows=(
        Row(
            key="anna",
            figures=(
                figure("answered", 34, 44, "bad", person="anna"),
                figure("charged", 9, 2.5, "bad", person="anna"),
                figure("talks", 51, 50, person="anna"),
                figure("leads_in", 14, 12, person="anna"),
                figure("disqualified_share", 0.2, 0.22, part=2, whole=10, person="anna"),
            ),
        ),
        Row(
            key="boris",
            figures=(
                figure("answered", 45, 40, person="boris"),
                figure("charged", 3, 2.8, person="boris"),
                figure("talks", 61, 54, person="boris"),
                figure("leads_in", 17, 12.5, "good", person="boris"),
                figure("disqualified_share", 0.62, 0.21, "bad", part=5, whole=8, person="boris"),
            ),
        ),
    ),
)

LINES: Final = Section(
    by="line", rows=(Row(key=LINE, figures=(figure("calls_in", 96, 88), figure("missed", 17, 8.2, "bad"))),)
)

CAUSES: Final = Section(
    by="cause",
    rows=(
        Row(key="rang_out", figures=(figure("missed", 9, 3.1, "bad"),)),
        Row(key="all_busy", figures=(figure("missed", 5, 3.0),)),
        Row(key="device_unreachable", figures=(figure("missed", 3, 0.4),)),
    ),
)


def _days() -> tuple[DayPoint, ...]:
    """Four weeks: weekdays like one another, a quiet Saturday, nothing on Sundays, and more missed on the last day."""
    calls = (84, 91, 88, 79, 86, 31, 0)
    points = []
    for back in range(27, -1, -1):
        day = DAY - timedelta(days=back)
        calls_in = calls[day.weekday()] + back % 5
        missed = calls_in // 11 + back % 3
        usual = calls[day.weekday()] / 10.5
        points.append(DayPoint(day=day, calls_in=calls_in, missed=missed, leads_in=calls_in // 4, missed_usual=usual))
    last = DayPoint(day=DAY, calls_in=96, missed=17, leads_in=31, missed_usual=8.2)
    return (*points[:-1], last)


BAD_DAY: Final = Report(
    kind="daily",
    first=DAY,
    last=DAY,
    audience=Audience("team", "sales"),
    made_at=MADE_AT,
    freshness=Freshness(
        counted_at=datetime(2026, 11, 27, 15, 0, 30, tzinfo=UTC),
        calls_until=datetime(2026, 11, 27, 14, 58, 12, tzinfo=UTC),
        recovered_calls=3,
        crm_oldest_seconds=240.0,
        recordings_missing=1,
        days_waiting=0,
    ),
    findings=FINDINGS,
    figures=FIGURES,
    sections=(PEOPLE, LINES, CAUSES),
    incidents=(
        IncidentTold(
            id=3,
            kind="device",
            subject="PJSIP/anna-desk",
            started_at=datetime(2026, 11, 27, 8, 10, tzinfo=UTC),
            ended_at=datetime(2026, 11, 27, 9, 25, tzinfo=UTC),
            calls_lost=3,
            calls_saved=1,
        ),
    ),
    days=_days(),
)
"""Anna misses calls, Boris disqualifies leads, and the main line's leads are good."""

QUIET_DAY: Final = replace(
    BAD_DAY,
    findings=(),
    figures=tuple(
        replace(one, verdict="as_usual" if one.usual is not None else "too_few", driver=None) for one in FIGURES
    ),
    sections=(),
    incidents=(),
    freshness=replace(BAD_DAY.freshness, recovered_calls=0, crm_oldest_seconds=None, recordings_missing=0),
)
"""Nothing to tell, nothing to do."""
