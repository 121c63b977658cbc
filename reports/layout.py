"""What a report shows to whom: its figures, and the sections whose rows are compared with one another (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reports.report import AudienceKind, By

_CALLS: Final = (
    *("calls_in", "answered", "missed", "missed_share"),
    *("missed_people", "missed_schedule", "missed_telephony", "missed_integration", "missed_configuration"),
    *("missed_caller", "service_level", "wait", "calls_out", "talks", "talk"),
)
_PROMISES: Final = ("promised", "call_back", "never_called_back", "never_called_back_share", "open_promises")
_LEADS: Final = (
    *("leads_in", "qualified", "qualified_share", "disqualified", "disqualified_share"),
    *("disqualified_after_long_talk", "won", "lost", "revived", "in_work", "overdue", "forgotten", "time_in_stage"),
)
_TALKS: Final = ("script", "staff_share", "interruptions_a_talk", "entered_late_share", "entry")
_NPS: Final = ("nps", "nps_answers")

FIGURES: Final[Mapping[AudienceKind, tuple[str, ...]]] = {
    "house": (*_CALLS, *_PROMISES, *_LEADS, *_TALKS, *_NPS),
    "team": (*_CALLS, *_PROMISES, *_LEADS, *_TALKS, *_NPS),
    # Nobody is the person of a call that was missed, but who is charged with it.
    "person": (
        *("answered", "charged", "calls_out", "talks", "talk_seconds", "talk"),
        *_PROMISES,
        *_LEADS,
        *_TALKS,
        *_NPS,
    ),
}
"""The measures of whole reports, in order."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A section: rows by a dimension, with these measures, in the reports of `whom`."""

    by: By
    measures: tuple[str, ...]
    whom: tuple[AudienceKind, ...] = ("house", "team")


SECTIONS: Final = (
    Shown(
        "team",
        (
            *("calls_in", "missed", "missed_share", "service_level", "call_back", "never_called_back"),
            *("leads_in", "qualified", "qualified_share", "won", "in_work", "overdue", "forgotten", "nps"),
        ),
        ("house",),
    ),
    Shown(
        "person",
        (
            *("answered", "charged", "talks", "talk_seconds", "call_back", "never_called_back", "leads_in"),
            *("qualified", "qualified_share", "disqualified", "disqualified_share", "won", "lost"),
            *("in_work", "overdue", "forgotten", "entered_late_share", "script", "nps"),
        ),
    ),
    Shown(
        "line",
        (
            *("calls_in", "missed", "missed_share", "service_level", "wait"),
            *("leads_in", "qualified_share", "disqualified_share", "won", "nps"),
        ),
    ),
    Shown(
        "source",
        ("calls_in", "missed_share", "leads_in", "qualified", "qualified_share", "disqualified_share", "won"),
        ("house", "team"),
    ),
    Shown("status", ("calls_in", "calls_out"), ("house", "team", "person")),
    Shown("cause", ("missed",)),
    Shown("cause", ("charged",), ("person",)),
    Shown("hour", ("calls_in", "missed")),
    Shown("step", ("steps", "step_conversion"), ("house", "team", "person")),
    Shown("stage", ("in_work", "time_in_stage"), ("house", "team", "person")),
    Shown("reason", ("disqualified", "lost"), ("house", "team", "person")),
)
