"""Calls of a day: how many, how they ended, why they were missed, how long they waited and talked."""

from __future__ import annotations

from typing import Final

from calls.service_level import NOT_COUNTED, SOON_SECONDS
from reports.counts.missed import CAUSE, OUT_OF_REACH, WHOSE_PHONE, of_group, one_of
from reports.counts.told import of_calls
from reports.measures import Count, Ratio

_IN: Final = "direction = 'inbound'"
_ANSWERED: Final = "direction = 'inbound' and status = 'answered'"
_MISSED: Final = "direction = 'inbound' and status = 'missed'"
_TALKED: Final = "direction in ('inbound', 'outbound') and status = 'answered'"
_SOON: Final = f"{_ANSWERED} and wait_seconds <= {SOON_SECONDS}"


def _missed(group: str) -> str:
    """Missed calls whose cause is the business of `group`; nobody of ours was on them."""
    return of_calls(f"{_MISSED} and {of_group(group)}", person="''", detail=CAUSE)


_ALL_MISSED: Final = of_calls(_MISSED, person="''", detail=CAUSE)
_CHARGED: Final = of_calls(
    _MISSED, also="cross join lateral unnest(charged_to) as charged (who)", person="who", detail=CAUSE
)
_UNREACHED: Final = of_calls(f"{_MISSED} and {OUT_OF_REACH}", also=WHOSE_PHONE, person="who", detail=CAUSE)
_ANSWERABLE: Final = of_calls(f"{_ANSWERED} or ({_MISSED} and not {one_of(NOT_COUNTED)})")

COUNTS: Final[tuple[Count, ...]] = (
    Count(key="calls_in", of="call", items=of_calls(_IN, detail="status"), detail="status", hourly=True),
    Count(key="answered", of="call", items=of_calls(_ANSWERED), better="more"),
    Count(key="missed", of="call", items=_ALL_MISSED, better="fewer", detail="cause", hourly=True),
    Count(key="missed_people", of="call", items=_missed("people"), better="fewer", detail="cause"),
    Count(key="missed_schedule", of="call", items=_missed("schedule"), better="fewer", detail="cause"),
    Count(key="missed_telephony", of="call", items=_missed("telephony"), better="fewer", detail="cause"),
    Count(
        key="missed_integration", of="call", items=_missed("integration"), better="fewer", detail="cause", hourly=True
    ),
    Count(key="missed_configuration", of="call", items=_missed("configuration"), better="fewer", detail="cause"),
    Count(key="missed_caller", of="call", items=_missed("caller"), better="fewer", detail="cause"),
    Count(key="charged", of="call", items=_CHARGED, better="fewer", detail="cause"),
    Count(key="unreached", of="call", items=_UNREACHED, better="fewer", detail="cause"),
    Count(key="answerable", of="call", items=_ANSWERABLE, hourly=True),
    Count(key="answered_soon", of="call", items=of_calls(_SOON), better="more", hourly=True),
    Count(
        key="wait_seconds",
        of="call",
        items=of_calls(_ANSWERED, value="wait_seconds"),
        unit="seconds",
        better="fewer",
    ),
    Count(key="calls_out", of="call", items=of_calls("direction = 'outbound'", detail="status"), detail="status"),
    Count(key="talks", of="call", items=of_calls(_TALKED)),
    Count(key="talk_seconds", of="call", items=of_calls(_TALKED, value="talk_seconds"), unit="seconds"),
)

RATIOS: Final[tuple[Ratio, ...]] = (
    Ratio(key="missed_share", part="missed", whole="calls_in", unit="share", better="fewer"),
    Ratio(key="service_level", part="answered_soon", whole="answerable", unit="share", better="more"),
    Ratio(key="wait", part="wait_seconds", whole="answered", unit="seconds", better="fewer"),
    Ratio(key="talk", part="talk_seconds", whole="talks", unit="seconds", better="neither"),
)
