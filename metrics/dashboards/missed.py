"""Missed calls: why, where and at which hours, whether it gets better, and who waits to be called back."""

from __future__ import annotations

from metrics.dashboards.panels import Page, Panel, Row, figure

_MISSED = 'switchhook_missed_calls_total{line=~"$line"}'
_INBOUND = 'switchhook_calls_total{direction="inbound", line=~"$line"}'
_PEOPLE = 'switchhook_missed_calls_total{cause!~"caller_gave_up_early|outside_hours", line=~"$line"}'
_BY_TECHNOLOGY = (
    'switchhook_missed_calls_total{cause=~"service_down|routing_late|trunk_failure|no_route|device_unreachable|'
    'menu_dead_end|transfer_failed|integration_lost|unknown", line=~"$line"}'
)


_CALLED_BACK = "max by (le) (increase(switchhook_follow_up_seconds_bucket[1d]))"

PAGE = Page(
    name="missed",
    title="Switchhook: missed calls",
    about="Why callers talked with nobody, where and when, and whether they were called back.",
    since="now-24h",
    by_line=True,
    parts=(
        figure("Missed in 24 hours", f"round(sum(increase({_MISSED}[1d])))", bad=1),
        figure(
            "Share missed in 24 hours",
            f"sum(increase({_PEOPLE}[1d])) / sum(increase({_INBOUND}[1d]))",
            unit="percentunit",
            bad=0.1,
        ),
        figure("Callers who wait to be called back", "sum(max by (age) (switchhook_missed_calls_open))", bad=1),
        figure("Promises past their deadline", 'max(switchhook_follow_ups_open{state="overdue"})', bad=1),
        Row("Why and where"),
        Panel(
            title="Missed calls by cause",
            queries=((f"round(sum by (cause) (increase({_MISSED}[1h]))) > 0", "{{cause}}"),),
            kind="bars",
            every="1h",
            about="What each cause means is in the runbook of ManyCallsMissed.",
        ),
        Panel(
            title="Calls lost by technology",
            queries=((f"round(sum by (line, cause) (increase({_BY_TECHNOLOGY}[1h]))) > 0", "{{line}} {{cause}}"),),
            kind="bars",
            every="1h",
            about="No person could have taken them.",
        ),
        Panel(
            title="Missed calls by line",
            queries=((f"round(sum by (line) (increase({_MISSED}[1h]))) > 0", "{{line}}"),),
            kind="bars",
            every="1h",
        ),
        Panel(
            title="Missed calls by team",
            queries=((f"round(sum by (team) (increase({_MISSED}[1h]))) > 0", "{{team}}"),),
            kind="bars",
            every="1h",
        ),
        Panel(
            title="Share of calls missed by line and team",
            queries=(
                (
                    f"sum by (line, team) (increase({_PEOPLE}[1h])) / sum by (line, team) (increase({_INBOUND}[1h]))",
                    "{{line}} {{team}}",
                ),
            ),
            unit="percentunit",
            about="Of the last hour; callers who gave up early and calls outside hours do not count.",
        ),
        Panel(
            title="How long callers wait",
            queries=(
                ("histogram_quantile(0.5, sum by (le) (rate(switchhook_call_wait_seconds_bucket[1h])))", "half"),
                ("histogram_quantile(0.9, sum by (le) (rate(switchhook_call_wait_seconds_bucket[1h])))", "nine of ten"),
            ),
            unit="s",
        ),
        Row("When"),
        Panel(
            title="Missed calls by the hour, beside a week ago",
            queries=(
                (f"round(sum(increase({_MISSED}[1h])))", "today"),
                (f"round(sum(increase({_MISSED}[1h] offset 1w)))", "a week ago"),
            ),
            every="1h",
            back="24h",
            about="The same hours of the same weekday.",
        ),
        Panel(
            title="Missed calls a day",
            queries=((f"round(sum by (cause) (increase({_MISSED}[1d]))) > 0", "{{cause}}"),),
            kind="bars",
            every="1d",
            back="30d",
        ),
        Panel(
            title="Share of calls missed a week",
            queries=(
                (f"sum(increase({_MISSED}[1w])) / sum(increase({_INBOUND}[1w]))", "all causes"),
                (f"sum(increase({_PEOPLE}[1w])) / sum(increase({_INBOUND}[1w]))", "without early and closed"),
            ),
            unit="percentunit",
            every="1d",
            back="90d",
            about="The trend: each day looks seven days back.",
        ),
        Row("Calling back"),
        Panel(
            title="Callers who wait, by how long",
            queries=(("max by (age) (switchhook_missed_calls_open)", "{{age}}"),),
        ),
        Panel(title="Promises to call back", queries=(("max by (state) (switchhook_follow_ups_open)", "{{state}}"),)),
        Panel(
            title="From the missed call to the talk",
            queries=tuple(
                (
                    f"histogram_quantile({share}, {_CALLED_BACK})",
                    name,
                )
                for share, name in ((0.5, "half"), (0.9, "nine of ten"))
            ),
            unit="s",
            back="30d",
            about="Of those called back within a day.",
        ),
    ),
)
