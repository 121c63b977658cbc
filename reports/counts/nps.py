"""How willing clients are to recommend the house (net promoter score), as they answered."""

from __future__ import annotations

from typing import Final

from reports.measures import Count, Ratio


def _items(value: str, which: str = "score is not null") -> str:
    """The answers of a time, each once: of the talk, or the lead, after which the client was asked."""
    return f"""
        select answered_at as at, talk_id as call_id, lead_id, cast(null as bigint) as promise_id, line,
               coalesce(person, '') as person, '' as detail, cast({value} as double precision) as value
        from nps_asks where answered_at >= :since and answered_at < :until and {which}
    """  # noqa: S608 - words of this file


COUNTS: Final[tuple[Count, ...]] = (
    Count(key="nps_answers", of="client", items=_items("1")),
    Count(
        key="nps_balance",
        of="client",
        items=_items("case when score >= 9 then 1 when score <= 6 then -1 else 0 end"),
        unit="number",
        better="more",
    ),
    Count(key="promoters", of="client", items=_items("1", "score >= 9"), better="more"),
    Count(key="detractors", of="client", items=_items("1", "score <= 6"), better="fewer"),
)

RATIOS: Final[tuple[Ratio, ...]] = (
    Ratio(key="nps", part="nps_balance", whole="nps_answers", unit="points", better="more"),
)
