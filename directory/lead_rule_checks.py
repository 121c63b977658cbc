"""Doubts about lead rules: those that no call can reach, because an earlier one takes all of theirs (pure)."""

from collections.abc import Iterator

from directory.checks import Problem
from directory.lead_policy import LeadPolicy, LeadRule


def lead_doubts(leads: LeadPolicy) -> Iterator[Problem]:
    """Give what is allowed and hardly meant, in the order of the rules."""
    for at, rule in enumerate(leads.rules):
        first = next((one for one in leads.rules[:at] if _covers(one, rule)), None)
        if first is not None:
            index = leads.rules.index(first)
            told = f"no call can match rule {rule.name!r}: {first.name!r} (leads.rules[{index}]) takes it first"
            yield Problem(f"leads.rules[{at}]", told)


def _covers(earlier: LeadRule, later: LeadRule) -> bool:
    """Tell whether every call that the later rule holds for is the earlier one's."""
    return (
        _within(later.lines, earlier.lines)
        and _within(later.types, earlier.types)
        and earlier.known in {None, later.known}
    )


def _within(inner: tuple[str, ...], outer: tuple[str, ...]) -> bool:
    return not outer or (bool(inner) and set(inner) <= set(outer))
