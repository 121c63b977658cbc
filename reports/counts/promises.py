"""Promises to call back: who was promised a call on a day, and who got it.

A promise is of the day on which its first call ended, whenever it is kept. Who was talked with because they got through
by themselves (`answered_after_all`) was neither called back nor never called back. What has become of the promises of
a day is known some days later only (RIPE_DAYS).
"""

from __future__ import annotations

from typing import Final

from reports.measures import Count, Ratio


def _of(where: str, value: str = "1") -> str:
    return f"""
        select opened_at as at, call_id, cast(null as bigint) as lead_id, id as promise_id, line, owner as person,
               '' as detail, cast({value} as float) as value
        from follow_ups where opened_at >= :since and opened_at < :until and {where}
    """  # noqa: S608 - of our own text


_BACK: Final = "closed_by = 'talk'"
_NEVER: Final = "coalesce(closed_by, '') not in ('talk', 'answered_after_all')"
_SECONDS: Final = "greatest(extract(epoch from closed_at - opened_at), 0)"

RIPE_DAYS: Final = 7
"""Most promises are kept by then, or never are: before, a day is not held against days that had weeks."""

RIPENING: Final = frozenset(
    {"called_back", "call_back_seconds", "call_back"} | {"never_called_back", "never_called_back_share"}
)
"""The measures of which this is true."""

COUNTS: Final[tuple[Count, ...]] = (
    Count(key="promised", of="promise", items=_of("true")),
    Count(key="called_back", of="promise", items=_of(_BACK), better="more"),
    Count(key="call_back_seconds", of="promise", items=_of(_BACK, _SECONDS), unit="seconds", better="fewer"),
    Count(key="never_called_back", of="promise", items=_of(_NEVER), better="fewer"),
)

RATIOS: Final[tuple[Ratio, ...]] = (
    Ratio(key="call_back", part="call_back_seconds", whole="called_back", unit="seconds", better="fewer"),
    Ratio(key="never_called_back_share", part="never_called_back", whole="promised", unit="share", better="fewer"),
)
