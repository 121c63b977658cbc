"""What talks were like by their words, and how late their outcome was entered.

What a talk's words told is kept in `report_talks`, which outlives the words. An outcome is of the day on which it was
told, so that the late ones are seen by somebody.
"""

from __future__ import annotations

from typing import Final

from reports.counts.told import of_calls
from reports.measures import Count, Ratio

LATE_SECONDS: Final = 30 * 60
"""After a call's end: what is entered later is late."""

_WORDS: Final = "join report_talks on call_id = calls.id"
_PEOPLE: Final = "direction in ('inbound', 'outbound')"


def _heard(value: str = "1", where: str = "true") -> str:
    return of_calls(f"{_PEOPLE} and {where}", also=_WORDS, value=value)


_SECONDS: Final = "greatest(extract(epoch from told_at - (ended_at - coalesce(ahead, interval '0'))), 0)"


def _entered(where: str = "true", value: str = "1") -> str:
    return f"""
        select told_at as at, calls.id as call_id, cast(null as bigint) as lead_id, cast(null as bigint) as promise_id,
               calls.line, desk_cards.person, '' as detail, cast({value} as float) as value
        from desk_cards join calls on calls.id = call_id left join pbx_clocks using (pbx)
        where told_at >= :since and told_at < :until and joined_into is null and settled_at is not null
          and {_PEOPLE} and {where}
    """  # noqa: S608 - of our own text


COUNTS: Final[tuple[Count, ...]] = (
    Count(key="heard", of="call", items=_heard()),
    Count(key="speech_seconds", of="call", items=_heard("speech_seconds"), unit="seconds"),
    Count(key="staff_seconds", of="call", items=_heard("staff_seconds"), unit="seconds"),
    Count(
        key="interruptions",
        of="call",
        items=_heard("interruption_count", "interruption_count > 0"),
        better="fewer",
    ),
    Count(key="steps_due", of="call", items=_heard("due_count", "due_count > 0")),
    Count(key="steps_said", of="call", items=_heard("said_count", "said_count > 0"), better="more"),
    Count(key="entered", of="call", items=_entered()),
    Count(key="entered_late", of="call", items=_entered(f"{_SECONDS} > {LATE_SECONDS}"), better="fewer"),
    Count(key="entry_seconds", of="call", items=_entered(value=_SECONDS), unit="seconds", better="fewer"),
)

RATIOS: Final[tuple[Ratio, ...]] = (
    Ratio(key="staff_share", part="staff_seconds", whole="speech_seconds", unit="share", better="neither"),
    Ratio(key="interruptions_a_talk", part="interruptions", whole="heard", unit="number", better="fewer"),
    Ratio(key="script", part="steps_said", whole="steps_due", unit="share", better="more"),
    Ratio(key="entered_late_share", part="entered_late", whole="entered", unit="share", better="fewer"),
    Ratio(key="entry", part="entry_seconds", whole="entered", unit="seconds", better="fewer"),
)
