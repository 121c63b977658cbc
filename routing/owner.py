"""Whose caller it is, where a CRM is asked: its answer, or the copy of its last, and what is said of it (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from routing.arrival import Facts
from routing.plan import Reason, because

Fault = Literal["late", "failed"]
"""Why a CRM did not tell: it did not answer in time, or its answer was none."""

_FAULTS: Final[Mapping[Fault, str]] = {
    "late": "the CRM did not answer in {ms} ms",
    "failed": "the CRM did not tell, but gave an error",
}


@dataclass(frozen=True, slots=True)
class Copy:
    """What a CRM said last of a number: the key of its owner, None for nobody, and when."""

    owner: str | None
    told_at: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one look-up, after ``seconds``; with a fault ``copy`` is what stands in for it, if anything.

    ``crm`` is what people call who was asked.
    """

    copy: Copy | None
    seconds: float
    fault: Fault | None = None
    crm: str | None = None


def with_owner(facts: Facts, told: Told, now: datetime) -> Facts:
    """Give the facts with the owner that the CRM told, now or last; ``owner`` is missing when it never did."""
    copy, missing = told.copy, facts.missing - {"owner"}
    return replace(
        facts,
        owner=copy.owner if copy else None,
        missing=missing if copy else missing | {"owner"},
        owner_age_seconds=max((now - copy.told_at).total_seconds(), 0.0) if copy and told.fault else None,
        crm_fault=told.fault or "",
        crm_seconds=told.seconds,
        crm=told.crm,
    )


def about_owner(facts: Facts) -> list[Reason]:
    """Say that the owner is from a copy, or not known, because of the CRM; nothing when the CRM told in time.

    The keys are owner_copy_late, owner_copy_failed, and, without a copy, crm_late and crm_failed.
    """
    fault = facts.crm_fault
    if not fault:
        return []
    ms = str(round(facts.crm_seconds * 1000))
    if facts.owner_age_seconds is None:
        return [because(f"crm_{fault}", _FAULTS[fault], ms=ms)]
    text = f"who owns this caller is from a copy of {{age}} ago: {_FAULTS[fault]}"
    return [because(f"owner_copy_{fault}", text, age=_age(facts.owner_age_seconds), ms=ms)]


def _age(seconds: float) -> str:
    """A span in its largest unit: 40 s, 12 min, 3 h, 5 d."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds:.0f} s"
