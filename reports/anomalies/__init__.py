"""What only comparing shows, a file a subject: each question looks at the evidence and tells how likely chance is.

`look` is the shape of an answer, `peers` compares people (or lines) with one another. All of it is pure, and every look
counts, whatever it shows: what is believed depends on how much was looked at (`reports.findings`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from reports.anomalies import calls, leads, people, phones
from reports.anomalies.look import Look
from reports.evidence import Evidence

QUESTIONS: Final[tuple[Callable[[Evidence], Iterator[Look]], ...]] = (
    calls.outages,
    phones.dead,
    phones.unmapped,
    calls.silent_lines,
    phones.telephony,
    leads.disqualifiers,
    leads.sources,
    leads.steps,
    people.overloaded,
    people.long_talks,
    people.missing_more,
    calls.not_called_back,
    people.entering_late,
    people.leaving_script,
)

COUNTS: Final = frozenset(
    {
        *("answered", "calls_in", "charged", "missed", "missed_integration", "missed_telephony", "unreached"),
        *("never_called_back", "open_by_integration", "open_by_phone", "open_promises"),
        *("disqualified", "disqualified_after_long_talk", "in_work", "judged", "leads_in", "qualified", "steps"),
        *("entered", "entered_late", "heard", "steps_due", "steps_said", "talk_seconds"),
    }
)
"""What they look at."""
