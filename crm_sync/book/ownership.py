"""Whose lead it is after a call: which rules are asked, whom each of them names, and who of those gets it (pure).

Rules kept here:
1. An owner stays, unless the rule of the call says `reassign`, they left the directory, or a lost lead comes back and
   they are away.
2. Who is asked by a rule and away hands on to who stands in for them; who talked with the client is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from crm_sync.book.rules import Booking, CallFacts
from directory.lead_policy import OwnerRule
from directory.model import Directory
from directory.presence import Presence, line_up

_THERE: Final[frozenset[OwnerRule]] = frozenset({"answered", "answered_last"})


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who becomes the owner, and the owner rule that named them."""

    person: str
    by: OwnerRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """What a round goes by: open leads of each person, and the id of the last lead that each was given."""

    open_leads: Mapping[str, int] = field(default_factory=dict)
    last_given: Mapping[str, int] = field(default_factory=dict)


def asked(
    directory: Directory, booking: Booking, owner: str | None, presence: Mapping[str, Presence]
) -> tuple[OwnerRule, ...]:
    """Give the owner rules that a call asks about a lead of `owner`, in their order; none: the owner stays."""
    rule = booking.rule
    gone = owner is None or directory.person(owner) is None
    if booking.then in {"none", "over"}:
        return ()
    if booking.then != "back":
        return rule.owner if gone or rule.reassign else ()
    away = gone or not _is_there(owner or "", presence)
    if not away and not rule.reassign:
        return ()
    return tuple(dict.fromkeys((*(directory.leads.return_owner if away else ()), *rule.owner)))


def candidates(
    directory: Directory, call: CallFacts, presence: Mapping[str, Presence], shares: Shares
) -> Mapping[OwnerRule, Sequence[str]]:
    """Whom each owner rule names for a call, in its order."""
    line = directory.line(call.line) if call.line else None
    person = directory.follow_up_of(line.number).person if line else directory.company.follow_up.person
    return {
        "answered": call.talked,
        "answered_last": call.talked[::-1],
        "rung_last": call.rung,
        "line_person": (person,) if person else (),
        "round_robin": _by_share(directory, line.team, presence, shares) if line else (),
    }


def choose(
    directory: Directory,
    rules: Sequence[OwnerRule],
    found: Mapping[OwnerRule, Sequence[str]],
    presence: Mapping[str, Presence],
) -> Chosen | None:
    """Give the first who is there, in the order of the rules; else the first whom they name at all."""
    known = [
        Chosen(key if by in _THERE else line_up(key, presence)[-1], by)
        for by in rules
        for key in found.get(by, ())
        if directory.person(key) is not None
    ]
    there = (one for one in known if one.by in _THERE or _is_there(one.person, presence))
    return next(there, next(iter(known), None))


def _by_share(directory: Directory, team: str, presence: Mapping[str, Presence], shares: Shares) -> list[str]:
    """The people of a team, first who has least open leads for their plan; the absent and the full come last."""
    members = directory.members(team)

    def turn(key: str) -> tuple[bool, bool, Fraction, int]:
        person, count = directory.person(key), shares.open_leads.get(key, 0)
        most = (person.leads_most if person else None) or directory.leads.leads_most
        full = most is not None and count >= most
        share = Fraction(count, person.plan if person else 1)
        return not _is_there(key, presence), full, share, shares.last_given.get(key, 0)

    return sorted((person.key for person in members), key=turn)


def _is_there(key: str, presence: Mapping[str, Presence]) -> bool:
    """Whether a person is at work these days; an evening or a pause is no reason to give their leads away."""
    found = presence.get(key)
    return found is None or found.absence is None
