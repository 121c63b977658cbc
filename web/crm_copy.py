"""Whose a caller is by the word of the CRM that was asked, and how old that is, as the decision kept it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any


@dataclass(frozen=True, slots=True)
class CrmWord:
    """What the CRM said of a caller's owner (key of a person, None for nobody); `crm` is what people call it, if so.

    `fault`: it did not tell in time (`late`), or gave an error (`failed`); empty when it told. Then `told_at`, by our
    clock, and `age`, as of the decision, are of its last word, which stands in; None: there is none.
    """

    crm: str | None
    owner: str | None
    fault: str = ""
    told_at: datetime | None = None
    age: timedelta | None = None

    @property
    def is_known(self) -> bool:
        """Whether it told an owner, now or once."""
        return not self.fault or self.told_at is not None

    def to_json(self) -> dict[str, Any] | None:
        """The copy that stands in, for programs; None where the CRM told by itself."""
        if not self.fault:
            return None
        told_at, age = self.told_at and self.told_at.isoformat(), self.age and round(self.age.total_seconds())
        return {"crm": self.crm, "owner": self.owner, "fault": self.fault, "told_at": told_at, "age_seconds": age}


def word_of(plan: Mapping[str, Any], decided_at: datetime) -> CrmWord | None:
    """The word that a decision, taken at this moment by our clock, rests on; None: no CRM was asked."""
    facts = plan.get("facts")
    if not isinstance(facts, Mapping) or not facts.keys() & {"crm_seconds", "crm_fault"}:
        return None
    crm, owner, fault = facts.get("crm"), facts.get("owner"), str(facts.get("crm_fault") or "")
    seconds = facts.get("owner_age_seconds")
    if not fault or not isinstance(seconds, int | float):
        return CrmWord(crm, owner, fault)
    age = timedelta(seconds=seconds)
    return CrmWord(crm, owner, fault, decided_at - age, age)
