"""The stages of a lead: how it begins, what may follow and at what price, what a call does to it (pure).

```
new -> qualifying -> qualified -> in_work (the house's own funnel) -> won
            any of these -> disqualified | lost;   lost -> reviving;   lost, reviving -> in_work
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from directory.lead_policy import LeadPolicy

Fault = Literal[
    "stage",
    "step",
    "reason",
    "duplicate_of",
    "block",
    "head",
    "owner",
    "text",
    "assignee",
    "due_at",
    "at",
    "fields",
    "leads",
]
"""What is wrong with what was asked: one of its values, or `head`: whoever asks may not."""

OPEN: Final = ("new", "qualifying", "qualified", "in_work")
"""Someone should be working on it. A party has at most one such lead at a time."""

AWAY: Final = ("lost", "reviving")
"""Nobody works on it, and any call of its party brings it back."""

REVIVED: Final = "kind = 'stage' and before in ('lost', 'reviving') and after ~ '^in_work'"
"""Whether an event of a lead brought it back to work, in SQL, on the table of events."""

CLOSED: Final = ("won", "lost", "disqualified", "reviving")

STAGES: Final = ("new", "qualifying", "qualified", "in_work", "won", "lost", "disqualified", "reviving")

BACK: Final = "in_work"
"""Where a lead that was lost comes back to."""

OUTCOMES: Final = ("qualified", "existing_client", "spam", "shareholder", "duplicate", "call_again")
"""What a person tells of a call on its card: what its lead becomes, or that they call again."""

SERVICE: Final = "switchhook"
"""Who did it, where no person did."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a change of stage asks for: a reason of the policy's, or a head (or admin) who does it."""

    reason: bool = False
    head: bool = False


_FREE: Final = Needs()
_REASON: Final = Needs(reason=True)
_HEAD: Final = Needs(head=True)
_ENDS: Final = {"lost": _REASON, "disqualified": _REASON}

NEXT: Final[Mapping[str, Mapping[str, Needs]]] = {
    "new": {"qualifying": _FREE, "qualified": _FREE, **_ENDS},
    "qualifying": {"qualified": _FREE, "in_work": _FREE, **_ENDS},
    "qualified": {"qualifying": _FREE, "in_work": _FREE, "won": _FREE, **_ENDS},
    "in_work": {"in_work": _FREE, "qualified": _FREE, "won": _FREE, **_ENDS},
    "won": {"in_work": _HEAD},
    "lost": {"in_work": _FREE, "reviving": _FREE, "disqualified": _REASON},
    "disqualified": {"qualifying": _HEAD, "in_work": _HEAD},
    "reviving": {"in_work": _FREE, "lost": _FREE, "disqualified": _REASON},
}
"""Where a lead may go from each stage. From in_work to in_work is another step of the funnel; between lost and reviving
a lead keeps why it was lost."""


class LifecycleError(ValueError):
    """What was asked of a lead cannot be; `field` names what is wrong, `head` is the right.

    `why` is the key of its words where a field can be wrong in more than one way, else the field.
    """

    def __init__(
        self, field: Fault, message: str, *, why: Literal["past", "closed", "when", "why", "other_team"] | None = None
    ) -> None:
        """Keep the field beside the message."""
        super().__init__(message)
        self.field = field
        self.why: str = why or field


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Where a lead shall go: the stage, its step of the funnel in work, the reason where one is asked for."""

    stage: str
    step: str | None = None
    reason: str | None = None
    duplicate_of: int | None = None


def check(policy: LeadPolicy, stage: str, step: str | None, move: Move, *, head: bool) -> None:
    """Check a decision about a lead at `stage` and `step`; `head`: who decides may undo. Raises LifecycleError."""
    needs = NEXT.get(stage, {}).get(move.stage)
    if needs is None:
        listed = ", ".join(NEXT.get(stage, ())) or "nowhere"
        raise LifecycleError("stage", f"a lead cannot go from {stage!r} to {move.stage!r} (from there: {listed})")
    if needs.head and not head:
        raise LifecycleError("head", f"only a head takes a lead back from {stage!r}")
    _check_step(policy, stage, step, move)
    if not needs.reason:
        if move.reason is not None or move.duplicate_of is not None:
            raise LifecycleError("reason", f"{move.stage!r} has no reason, got {move.reason!r}")
        return
    known = policy.disqualifies() if move.stage == "disqualified" else policy.loses()
    if move.reason not in known:
        raise LifecycleError("reason", f"must be one of {', '.join(known)}, got {move.reason!r}")
    if (move.reason == "duplicate") != (move.duplicate_of is not None):
        raise LifecycleError("duplicate_of", "a duplicate names the other lead, and nothing else does")


def _check_step(policy: LeadPolicy, stage: str, step: str | None, move: Move) -> None:
    if move.step is not None and move.stage != "in_work":
        raise LifecycleError("step", f"only a lead in work has a step, got {move.step!r} for {move.stage!r}")
    if move.step is not None and policy.step(move.step) is None:
        known = ", ".join(one.key for one in policy.funnel) or "none at all"
        raise LifecycleError("step", f"there is no step {move.step!r} in the funnel (there is: {known})")
    if stage == move.stage and step == move.step:
        raise LifecycleError("step", f"the lead is there already: {stage!r}, step {step!r}")


def first_stage(*, talked: bool) -> str:
    """The stage of a lead that a call opens: in qualification when a person talked, else new (someone must call)."""
    return "qualifying" if talked else "new"


def after_call(stage: str, *, talked: bool) -> str:
    """The stage after one more call: a talk takes a new lead up, any call brings one back that was lost."""
    if stage in AWAY:
        return BACK
    return "qualifying" if stage == "new" and talked else stage


def opens_again(last_stage: str | None) -> bool:
    """Tell whether a party whose last lead is at that stage gets a new one by calling: when it has none, or a won one.

    A lost lead comes back itself, and who was disqualified stays so until a person says otherwise.
    """
    return last_stage in {None, "won"}
