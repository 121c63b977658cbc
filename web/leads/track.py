"""Where a lead stands on its way and where it may go from there (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from crm_sync.book.leads import place
from crm_sync.book.lifecycle import NEXT
from directory.lead_policy import LeadPolicy

State = Literal["done", "here", "ahead"]

_WAY: Final = ("new", "qualifying", "qualified", "in_work", "won")


@dataclass(frozen=True, slots=True)
class Mark:
    """One mark of the way: a place (in_work/meeting), how it stands, and whether one click leads there."""

    place: str
    state: State
    open: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What may be done about a lead: the next place of the way (None: it is at its end), and the ways out of it.

    `back` are the places to which a lead that nobody works on may be taken back.
    """

    next: str | None
    lose: bool
    disqualify: bool
    back: tuple[str, ...]


def way(policy: LeadPolicy, stage: str, step: str | None) -> tuple[str, ...]:
    """Every place of the way in order; one in work that is none of the house's funnel comes before its steps."""
    steps = tuple(place("in_work", one.key) for one in policy.funnel)
    here = place(stage, step)
    if stage == "in_work" and here not in steps:
        steps = (here, *steps)
    return tuple(told for one in _WAY for told in ((steps or ("in_work",)) if one == "in_work" else (one,)))


def marks(policy: LeadPolicy, stage: str, step: str | None, *, head: bool, may_change: bool) -> list[Mark]:
    """The way of a lead with what is behind it; a lead off the way (lost, disqualified) is nowhere on it."""
    places, here = _along(policy, stage, step)
    return [
        Mark(
            told,
            "here" if at == here else "done" if at < here else "ahead",
            may_change and at != here and _leads(stage, told, head=head),
        )
        for at, told in enumerate(places)
    ]


def choices(policy: LeadPolicy, stage: str, step: str | None, *, head: bool) -> Choices:
    """What the table of transitions offers from here."""
    places, here = _along(policy, stage, step)
    ahead = [told for told in places[here + 1 :] if _leads(stage, told, head=head)] if here >= 0 else []
    allowed = NEXT.get(stage, {})
    away = stage in {"lost", "reviving", "disqualified", "won"}
    taken_back = [told for told in ("in_work", "qualifying") if away and _leads(stage, told, head=head)]
    return Choices(
        next=ahead[0] if ahead else None,
        lose="lost" in allowed and stage != "reviving",
        disqualify="disqualified" in allowed,
        back=tuple(taken_back),
    )


def _along(policy: LeadPolicy, stage: str, step: str | None) -> tuple[tuple[str, ...], int]:
    places, here = way(policy, stage, step), place(stage, step)
    return places, places.index(here) if here in places else -1


def _leads(stage: str, told: str, *, head: bool) -> bool:
    needs = NEXT.get(stage, {}).get(told.partition("/")[0])
    return needs is not None and not needs.reason and (head or not needs.head)
