"""Panels, rows and pages in our own few words; what they are to Grafana is said here alone."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from grafana_foundation_sdk.builders import common as widgets
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

Kind = Literal["figure", "lines", "bars", "states"]
Query = str | tuple[str, str]
"""A question to Prometheus, alone or with the legend of its series."""

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
ALERTS: Final = 'ALERTS{alertname!="", alertstate="firing"}'
_IDS: Final = 1_000_000
_Drawn = stat.Panel | statetimeline.Panel | timeseries.Panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel: a figure of now, lines, bars on one another, or states in time.

    `every` is the time that one bar counts, `back` how far the panel looks, when not as far as its page.
    `good` is where a figure turns from red to green, `bad` where from green to red.
    """

    title: str
    queries: tuple[Query, ...]
    kind: Kind = "lines"
    about: str = ""
    unit: str = "short"
    width: int = 12
    every: str | None = None
    back: str | None = None
    good: float | None = None
    bad: float | None = None

    @property
    def id(self) -> int:
        """Its number on its page, the same as long as the title is."""
        return panel_id(self.title)


@dataclass(frozen=True, slots=True)
class Row:
    """A heading over the panels that follow."""

    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page at /d/switchhook-NAME, in the order of reading."""

    name: str
    title: str
    about: str
    parts: tuple[Row | Panel, ...]
    since: str = "now-6h"
    by_line: bool = False

    @property
    def uid(self) -> str:
        """What the page is found by."""
        return f"switchhook-{self.name}"


def panel_id(title: str) -> int:
    """Give the number of the panel with this title."""
    return zlib.crc32(title.encode()) % _IDS + 1


def figure(
    title: str, *queries: Query, unit: str = "short", good: float | None = None, bad: float | None = None
) -> Panel:
    """Make a figure of this moment."""
    return Panel(title=title, queries=queries, kind="figure", unit=unit, width=6, good=good, bad=bad)


def written(page: Page) -> str:
    """Give the page as the file that Grafana reads."""
    made = dashboard.Dashboard(page.title).uid(page.uid).description(page.about).tags(["switchhook"])
    made = made.timezone("browser").time(page.since, "now").refresh("30s").tooltip(model.DashboardCursorSync.CROSSHAIR)
    made = made.with_variable(dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"))
    if page.by_line:
        made = made.with_variable(
            dashboard.QueryVariable("line")
            .label("Line")
            .datasource(SOURCE)
            .query("label_values(switchhook_calls_total, line)")
            .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .all_value(".*")
            .current(model.VariableOption(text="All", value="$__all"))
        )
    made = made.annotation(
        dashboard.AnnotationQuery().name("Alerts").datasource(SOURCE).enable(True).expr(ALERTS).icon_color("red")
    )
    made = made.link(
        dashboard.DashboardLink("Switchhook").type(model.DashboardLinkType.DASHBOARDS).tags(["switchhook"])
    )
    for part in page.parts:
        made = made.with_row(_row(part)) if isinstance(part, Row) else made.with_panel(_panel(part))
    told = json.loads(JSONEncoder().encode(made.build()))
    # The SDK has no word for what an annotation says.
    told["annotations"]["list"][0]["titleFormat"] = "{{alertname}}"
    return json.dumps(told, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def _row(row: Row) -> dashboard.Row:
    return dashboard.Row(row.title).id(panel_id(row.title))


def _panel(panel: Panel) -> _Drawn:
    drawn: _Drawn = (
        _DRAWN[panel.kind](panel).id(panel.id).title(panel.title).description(panel.about).datasource(SOURCE)
    )
    drawn = drawn.unit(panel.unit).span(panel.width).height(5 if panel.kind == "figure" else 8)
    # A bar counts its own time, not what the width of the screen makes of it.
    if panel.every is not None:
        drawn = drawn.interval(panel.every)
    if panel.back is not None:
        drawn = drawn.time_from(panel.back)
    for place, query in enumerate(panel.queries):
        drawn = drawn.with_target(_target(panel.kind, chr(ord("A") + place), query))
    return drawn


def _target(kind: Kind, letter: str, query: Query) -> prometheus.Dataquery:
    asked, legend = query if isinstance(query, tuple) else (query, "__auto")
    target = prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(asked).legend_format(legend)
    return target.instant() if kind == "figure" else target.range()


def _figure(panel: Panel) -> stat.Panel:
    drawn = stat.Panel().graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.BACKGROUND)
    return drawn.reduce_options(widgets.ReduceDataOptions().calcs(["lastNotNull"])).thresholds(_thresholds(panel))


def _thresholds(panel: Panel) -> dashboard.ThresholdsConfig:
    steps = [model.Threshold(value=None, color="red" if panel.good is not None else "green")]
    steps += [model.Threshold(value=panel.good, color="green")] if panel.good is not None else []
    steps += [model.Threshold(value=panel.bad, color="red")] if panel.bad is not None else []
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)


def _lines(_of: Panel) -> timeseries.Panel:
    drawn = timeseries.Panel().min(0).fill_opacity(10).show_points(common.VisibilityMode.NEVER)
    return drawn.legend(_legend()).tooltip(_tooltip())


def _bars(_of: Panel) -> timeseries.Panel:
    drawn = timeseries.Panel().min(0).draw_style(common.GraphDrawStyle.BARS).fill_opacity(80).decimals(0)
    stacked = widgets.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
    return drawn.stacking(stacked).legend(_legend()).tooltip(_tooltip())


def _states(_of: Panel) -> statetimeline.Panel:
    steps = [model.Threshold(value=None, color="red"), model.Threshold(value=1, color="green")]
    drawn = statetimeline.Panel().show_value(common.VisibilityMode.NEVER).row_height(0.8)
    return (
        drawn.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
        .color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .legend(_legend())
        .tooltip(_tooltip())
    )


def _legend() -> widgets.VizLegendOptions:
    return (
        widgets.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(True)
    )


def _tooltip() -> widgets.VizTooltipOptions:
    return widgets.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)


_DRAWN: Final[Mapping[Kind, Callable[[Panel], _Drawn]]] = {
    "figure": _figure,
    "lines": _lines,
    "bars": _bars,
    "states": _states,
}
