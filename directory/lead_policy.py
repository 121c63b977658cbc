"""How calls become leads and what leads go through, by the house's own policy (pure).

`plain` and `policy_from` are the one form for the file and for the row: what is by default is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

CallType = Literal["inbound_answered", "inbound_missed", "outbound_answered", "outbound_unanswered"]
Make = Literal["lead", "party", "nothing"]
OwnerRule = Literal["answered", "answered_last", "rung_last", "line_person", "round_robin"]
Do = Literal["message", "task"]

CALL_TYPES: Final[tuple[CallType, ...]] = (
    "inbound_answered", "inbound_missed", "outbound_answered", "outbound_unanswered",
)  # fmt: skip
MAKES: Final[tuple[Make, ...]] = ("lead", "party", "nothing")
OWNER_RULES: Final[tuple[OwnerRule, ...]] = ("answered", "answered_last", "rung_last", "line_person", "round_robin")
DOES: Final[tuple[Do, ...]] = ("message", "task")
FIRST_STAGES: Final = ("new", "qualifying", "qualified")
"""Where a rule may let a lead begin."""

DISQUALIFIED: Final = ("existing_client", "spam", "shareholder", "duplicate")
"""Reasons for disqualifying that every house has; it may add its own."""
LOST: Final = ("no_contact", "too_expensive", "chose_another", "not_needed")
"""Reasons for losing that every house has; it may add its own."""

MINUTES_MOST: Final = 365 * 24 * 60
DAYS_MOST: Final = 3650
LEADS_MOST: Final = 100_000


class TaskWish(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task that a rule owes: what is to be done, within so many minutes of the line's working time."""

    text: str
    minutes: int = 60


class LeadRule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What calls of some kinds make. The first whose conditions all hold decides; empty conditions hold always.

    ``known``: whether the number is a party's already. ``make`` says what a call without an open lead gets: a lead
    (and its party), a party only, or nothing new; a known party is linked in any case. ``stage`` is where a new lead
    begins, by the talk unless told. ``owner`` are asked in order; they fill in a lead that nobody owns, and change an
    owner only with ``reassign``. ``minutes`` is the new lead's first deadline in working time, that of its stage
    unless told.
    """

    name: str
    lines: tuple[str, ...] = ()
    types: tuple[CallType, ...] = ()
    known: bool | None = None
    make: Make = "lead"
    stage: str = ""
    owner: tuple[OwnerRule, ...] = ()
    reassign: bool = False
    minutes: int | None = None
    task: TaskWish | None = None


class FunnelStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step of a lead in work (meeting, booking, contract), and its target in minutes of working time."""

    key: str
    name: str
    minutes: int | None = None


class OwnReason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A reason of the house's own."""

    key: str
    name: str


class RevivalStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is done so many days after the lead was lost: a message to the client, or a task for a manager."""

    days: int
    do: Do
    text: str


class RevivalChain(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How lost leads are warmed up, step by step; the first chain that fits is taken.

    ``reasons``: why they were lost; ``fields``: what their fields hold (name: one of the values). Empty fits all.
    """

    name: str
    steps: tuple[RevivalStep, ...]
    reasons: tuple[str, ...] = ()
    fields: Mapping[str, tuple[str, ...]] = {}


class LeadPolicy(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that the house says of leads.

    ``funnel`` are the steps of a lead in work, in their order. ``minutes`` are targets of stages in working time
    (new, qualifying, qualified, in_work), ``remind_minutes`` how long before the end of one its owner is told.
    ``forgotten_days`` working days without contact and task make a lead forgotten; more than ``leads_most`` open leads
    are too many for a person who has no limit of their own. A lost lead leaves its manager's list after
    ``lost_days``; who gets it when it comes back is ``return_owner``: its owner as before, or else by these rules.
    """

    rules: tuple[LeadRule, ...] = ()
    funnel: tuple[FunnelStep, ...] = ()
    disqualified: tuple[OwnReason, ...] = ()
    lost: tuple[OwnReason, ...] = ()
    minutes: Mapping[str, int] = {}
    remind_minutes: int = 30
    forgotten_days: int = 3
    leads_most: int | None = None
    lost_days: int = 7
    revival: tuple[RevivalChain, ...] = ()
    return_owner: tuple[OwnerRule, ...] = ()

    def step(self, key: str) -> FunnelStep | None:
        """Give a step of the funnel."""
        return next((step for step in self.funnel if step.key == key), None)

    def disqualifies(self) -> tuple[str, ...]:
        """Give every reason for disqualifying, the house's own last."""
        return (*DISQUALIFIED, *(reason.key for reason in self.disqualified))

    def loses(self) -> tuple[str, ...]:
        """Give every reason for losing, the house's own last."""
        return (*LOST, *(reason.key for reason in self.lost))

    def target(self, stage: str, step: str | None) -> int | None:
        """Give by how many minutes of working time a lead must go on from there; None: nobody asks."""
        own = self.step(step) if step is not None else None
        if own is not None and own.minutes is not None:
            return own.minutes
        return self.minutes.get(stage, MINUTES.get(stage))


MINUTES: Final[Mapping[str, int]] = {"new": 60, "qualifying": 480}
"""Targets where the house says nothing: a new lead is spoken to in an hour, and judged in a working day."""

NO_POLICY: Final = LeadPolicy()

BUILT_IN: Final = (
    LeadRule(name="answered", types=("inbound_answered",), owner=("answered",)),
    LeadRule(name="missed", types=("inbound_missed",)),
    LeadRule(name="called", types=("outbound_answered",), make="nothing", owner=("answered",)),
    LeadRule(name="outbound", make="nothing"),
)
"""Asked after the house's own rules: who calls in is a lead, of who talked with them first, whoever called then; whom
we call without having heard of them is nobody's.
"""


def plain(policy: LeadPolicy) -> dict[str, Any]:
    """Give the form in which it is written; empty when all of it is by default."""
    told: dict[str, Any] = msgspec.to_builtins(policy)
    return told


def policy_from(told: Mapping[str, Any]) -> LeadPolicy:
    """Read what ``plain`` gave."""
    return msgspec.convert(told, LeadPolicy)
