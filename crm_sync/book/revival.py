"""What is done for a lost lead, and when: the chain that it enters, its steps by days, and their words (pure).

1. A lead enters when it leaves its manager's list, or at the first step of its chain where that is sooner.
2. Two steps are never nearer to each other than the house wrote: who was late with one is as late with the next.
3. A chain that the house takes away, or shortens, ends for the leads that are in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from directory.lead_policy import LeadPolicy, RevivalChain, RevivalStep

SENT: Final = ("sent_webhook",)
"""To whom a message is handed over: the webhooks of connections that take messages, to send them on."""

RESULTS: Final = ("task", *SENT, "no_channel", "unwanted", "other_lead", "chain_gone")
"""What a step came to. `no_channel`: nothing sends messages, the heads are told; `unwanted`: the client does not want
to hear of us, or is blocked. Two end the chain: `other_lead`, the client has an open lead beside this one, and
`chain_gone`, there is no such step any more."""

TASK_MINUTES: Final = 480
"""A task of a chain is to be done within a working day."""

_NAME: Final = re.compile(r"(,?\s*)\{name\}")
_NAME_MOST: Final = 100


def chain_of(policy: LeadPolicy, reason: str | None, fields: Mapping[str, str]) -> RevivalChain | None:
    """Give the first chain that fits a lead lost for `reason`; None: nothing is done for it."""
    return next((chain for chain in policy.revival if _fits(chain, reason, fields)), None)


def _fits(chain: RevivalChain, reason: str | None, fields: Mapping[str, str]) -> bool:
    if chain.reasons and reason not in chain.reasons:
        return False
    return all(fields.get(name) in wanted for name, wanted in chain.fields.items())


def enters_at(policy: LeadPolicy, reason: str | None, fields: Mapping[str, str], lost_at: datetime) -> datetime | None:
    """Give when a lead that was lost at `lost_at` enters its chain; None: no chain fits."""
    chain = chain_of(policy, reason, fields)
    return None if chain is None else lost_at + timedelta(days=min(policy.lost_days, chain.steps[0].days))


def step_of(policy: LeadPolicy, chain: str | None, taken: int) -> RevivalStep | None:
    """Give the step after `taken` steps of a chain; None: there is none, or no such chain, any more."""
    found = next((one for one in policy.revival if one.name == chain), None)
    return found.steps[taken] if found is not None and taken < len(found.steps) else None


def next_at(chain: RevivalChain, taken: int, lost_at: datetime, now: datetime) -> datetime | None:
    """Give when the step after `taken` steps is due, the last of them taken `now`; None: that was the last."""
    if taken >= len(chain.steps):
        return None
    days = chain.steps[taken].days
    gap = days - chain.steps[taken - 1].days if taken else 0
    return max(lost_at + timedelta(days=days), now + timedelta(days=gap))


def words(text: str, name: str | None) -> str:
    """Put the client's name for {name}; where it is not known, what joins it to the sentence goes with it.

    A name comes from outside: of it only what can be printed is kept, in one line.
    """
    plain = " ".join("".join(sign if sign.isprintable() else " " for sign in name or "").split())[:_NAME_MOST]
    if plain:
        return _NAME.sub(lambda found: f"{found[1]}{plain}", text).strip()
    nameless = _NAME.sub("", text).strip(" ,\n")
    return nameless[:1].upper() + nameless[1:]
