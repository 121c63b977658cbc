"""Which kind of thing answers a query best, and so comes first (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

KINDS: Final = ("parties", "leads", "calls", "notes", "talks")
"""In this order where they answer equally well."""

WORDS_AS_ASKED: Final = 0.8
"""What a text is worth that has the words in any form: more than a name that is only like them."""

_BEHIND: Final = {"leads": 0.99, "calls": 0.98}
"""Leads and calls are found through their parties, and stand behind them."""


def in_order(found: Mapping[str, int], best_party: float) -> tuple[str, ...]:
    """The kinds that have answers (`found` counts them), the best first; `best_party`: the best score of a party.

    Without a party, leads are found by the words in their fields, and calls by a piece of a number.
    """
    scores = dict.fromkeys(KINDS, WORDS_AS_ASKED) | {"parties": best_party}
    if best_party:
        scores |= {kind: best_party * share for kind, share in _BEHIND.items()}
    told = [kind for kind in KINDS if found.get(kind)]
    return tuple(sorted(told, key=lambda kind: (-scores[kind], KINDS.index(kind))))
