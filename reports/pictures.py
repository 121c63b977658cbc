"""Draws the pictures of reports that are sent: PNGs for mailboxes and chats (the one importer of matplotlib).

They are drawn for twice the size at which mails show them, on white, with words that are handed in. To import
matplotlib takes a second, and to draw takes a core: it is done in a process of its own (`recordings.processes`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH: Final = 600
"""Of every picture as it is shown, in pixels."""

_INK, _QUIET, _SOFT, _BAD = "#17201d", "#5b6762", "#bcd0c8", "#b3332b"
_BARE: Final[dict[str, Any]] = {
    "frameon": False,
    "fontsize": 9,
    "handlelength": 1.4,
    "columnspacing": 1.2,
    "borderpad": 0,
    "borderaxespad": 0,
}
_DPI: Final = 200
_SIDE: Final = 0.12
_LABELS_MOST: Final = 6
_ROWS_MOST: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Days:
    """Calls and missed ones, day by day, and how many missed ones are usual.

    `labels` are of the days; `calls_words`, `missed_words` and `usual_words` tell what is what. `stacked`: missed ones
    are none of the calls, which stand on top of them; else they are some of them.
    """

    title: str
    labels: tuple[str, ...]
    calls: tuple[float, ...]
    missed: tuple[float, ...]
    usual: tuple[float | None, ...]
    stacked: bool
    calls_words: str
    missed_words: str
    usual_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """How much of one thing there is for each name (`value_words` beside the bar), and how much is usual."""

    title: str
    names: tuple[str, ...]
    values: tuple[float, ...]
    value_words: tuple[str, ...]
    usual: tuple[float | None, ...]
    usual_words: str


def prepare(folder: Path) -> None:
    """Have matplotlib at hand; what it learns about fonts is kept in the folder."""
    os.environ["MPLCONFIGDIR"] = str(folder)
    import matplotlib as mpl  # noqa: PLC0415  # by this process alone
    import matplotlib.figure  # noqa: PLC0415  # what takes the second

    mpl.rcParams.update(
        {
            "font.family": "DejaVu Sans",
            "font.size": 10,
            "text.color": _INK,
            "text.parse_math": False,  # a name may have a dollar in it
            "axes.edgecolor": _SOFT,
            "axes.labelcolor": _QUIET,
            "xtick.color": _QUIET,
            "ytick.color": _QUIET,
        }
    )


def draw_days(told: Days) -> bytes:
    """The picture of days as a PNG."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415  # as `prepare`

    figure, axes = _sheet(told.title, 270)
    places = range(len(told.labels))
    beneath = told.missed if told.stacked else 0
    calls = axes.bar(places, told.calls, 0.78, beneath, color=_SOFT, label=told.calls_words)
    missed = axes.bar(places, told.missed, 0.78, color=_BAD, label=told.missed_words)
    known = [(place, value) for place, value in enumerate(told.usual) if value is not None]
    levels, starts, ends = ([value for _, value in known], *([at + by for at, _ in known] for by in (-0.39, 0.39)))
    usual = axes.hlines(levels, starts, ends, color=_INK, linewidth=1.5, label=told.usual_words)
    step = -(-len(places) // _LABELS_MOST) or 1
    shown = [place for place in places if (len(places) - 1 - place) % step == 0]
    axes.set_xticks(shown, [told.labels[place] for place in shown])
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(axis="y", color="#e3e6e0", linewidth=0.6)
    axes.set_axisbelow(True)
    handles = [calls, missed, *([usual] if known else [])]
    legend = axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.02), ncols=3, **_BARE)
    legend.set_in_layout(False)  # the days keep the whole width
    return _written(figure)


def draw_bars(told: Bars) -> bytes:
    """The picture of bars as a PNG, in the order of the names, the first on top."""
    count = min(len(told.names), _ROWS_MOST)
    figure, axes = _sheet(told.title, 84 + 30 * count)
    places = range(count)
    axes.barh(places, told.values[:count], 0.62, color=_SOFT)
    most = max((*told.values[:count], *(one or 0.0 for one in told.usual[:count])), default=0.0) or 1.0
    for place, usual in zip(places, told.usual, strict=False):
        if usual is not None:
            label = told.usual_words if place == 0 else None
            axes.plot([usual, usual], [place - 0.4, place + 0.4], color=_INK, linewidth=1.6, label=label)
        end = max(told.values[place], usual or 0.0)
        axes.text(end + most * 0.015, place, told.value_words[place], va="center", fontweight="bold")
    axes.set_yticks(places, [_short(name) for name in told.names[:count]])
    axes.tick_params(axis="y", length=0, labelcolor=_INK)
    axes.set_xlim(0, most * 1.14)
    axes.set_ylim(count - 0.4, -0.6)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), **_BARE)
    return _written(figure)


def _short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:25]}…"


def _sheet(title: str, height: int) -> tuple[Figure, Axes]:
    """An empty picture of `height` pixels as it is shown, with its title."""
    from matplotlib.figure import Figure as Sheet  # noqa: PLC0415  # as `prepare`

    figure = Sheet(figsize=(WIDTH / 100, height / 100), dpi=_DPI, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=_SIDE, h_pad=_SIDE)
    figure.suptitle(title, x=_SIDE * 100 / WIDTH, ha="left", fontsize=12, fontweight="bold")
    axes = figure.subplots()
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    return figure, axes


def _written(figure: Figure) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()
