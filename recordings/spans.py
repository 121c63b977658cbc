"""Arithmetic of spans of seconds, (start, end) with start before end (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Span = tuple[float, float]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same seconds as sorted spans that lie apart; empty ones are left out."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def minus(spans: Iterable[Span], taken: Iterable[Span]) -> list[Span]:
    """What `taken` leaves of `spans`."""
    left = union(spans)
    for start, end in union(taken):
        left = [
            part for one in left for part in ((one[0], min(one[1], start)), (max(one[0], end), one[1])) if _some(part)
        ]
    return left


def length(spans: Iterable[Span]) -> float:
    """How many seconds they cover."""
    return sum(end - start for start, end in union(spans))


def within(moment: float, spans: Sequence[Span]) -> bool:
    """Whether a moment lies in one of them."""
    return any(start <= moment <= end for start, end in spans)


def _some(span: Span) -> bool:
    return span[0] < span[1]
