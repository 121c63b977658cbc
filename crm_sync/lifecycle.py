"""The stages of a lead: how it begins, what may follow, when it is due (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

OPEN: Final = ("new", "in_work", "qualified")
"""Someone should be working on it. A party has at most one such lead at a time."""

CLOSED: Final = ("won", "lost", "disqualified")

STAGES: Final = (*OPEN, *CLOSED)

NEXT: Final[Mapping[str, frozenset[str]]] = {
    "new": frozenset({"in_work", "qualified", "lost", "disqualified"}),
    "in_work": frozenset({"qualified", "won", "lost", "disqualified"}),
    "qualified": frozenset({"in_work", "won", "lost", "disqualified"}),
    "won": frozenset(),
    "lost": frozenset({"in_work"}),
    "disqualified": frozenset({"in_work"}),
}
"""Where a lead may go from each stage; a lost or disqualified one may come back to work, a won one stays."""

_DUE: Final = {"new": timedelta(hours=1), "in_work": timedelta(days=1)}


class LifecycleError(Exception):
    """A lead cannot go from this stage to that one."""


def first_stage(*, talked: bool) -> str:
    """The stage of a lead that a call opens: in work when a person talked, else new (someone must call back)."""
    return "in_work" if talked else "new"


def after_call(stage: str, *, talked: bool) -> str:
    """The stage of an open lead after one more call: a talk takes a new lead into work, nothing else moves it."""
    return "in_work" if stage == "new" and talked else stage


def opens_again(last_stage: str | None) -> bool:
    """Tell whether a party without an open lead gets a new one by calling.

    Not when the last was disqualified: spam and shareholders stay what they are until a person says otherwise.
    """
    return last_stage != "disqualified"


def move(stage: str, to: str) -> str:
    """The stage after a person's decision. Raises LifecycleError for a step that is not allowed."""
    if stage not in NEXT or to not in NEXT[stage]:
        raise LifecycleError(f"a lead cannot go from {stage!r} to {to!r}")
    return to


def deadline(stage: str, since: datetime) -> datetime | None:
    """By when a lead at `stage` since `since` must move on: a new one in an hour, one in work in a day."""
    return since + _DUE[stage] if stage in _DUE else None
