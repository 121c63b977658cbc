"""What a settled call makes of parties and leads, by the house's rules (pure).

1. `facts_of` reads a call as rules see it: with which number outside, what became of it, who talked with the client.
2. The first rule that holds decides (`rule_for`); the house's own are asked before those that are built in.
3. A rule says what is new. What is there goes on whatever rules say: an open lead is linked, a lost one comes back.
4. A lead that was closed after a call began is not changed by it: whoever closed it knew of the call, or did so later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from calls.follow_up import number_of
from calls.legs import is_outside
from calls.view import CallView, TalkView
from crm_sync.book.lifecycle import AWAY, OPEN, after_call, first_stage, opens_again
from directory.lead_policy import BUILT_IN, CallType, LeadPolicy, LeadRule
from directory.model import Directory
from directory.numbers import is_anonymous

Created = Literal["nothing", "party", "lead", "party_and_lead"]
Then = Literal["none", "new", "goes_on", "back", "over"]
"""What there is of a lead after a call: none, one that it opened, one that was open, one that was lost and is not, one
that was closed since the call began and stays so."""

NUMBER_DIGITS: Final = range(7, 16)
"""Of a number in the book: fewer are an extension, more are no telephone number (ITU-T E.164)."""

_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFacts:
    """A settled call with somebody outside, as rules see it.

    `number` as the book keeps it; `line` that was called, or that is called out as (None: not known). `talked` are the
    keys of who talked with the client, in their order, `rung` of whose devices rang, the last first; on a call out both
    can only be who made it. `nobodys`: devices of ours that talked with the client and are in nobody's list.
    """

    number: str
    kind: CallType
    line: str | None
    talked: tuple[str, ...] = ()
    rung: tuple[str, ...] = ()
    nobodys: tuple[str, ...] = ()

    @property
    def inbound(self) -> bool:
        """Whether the client called."""
        return self.kind in {"inbound_answered", "inbound_missed"}

    @property
    def answered(self) -> bool:
        """Whether somebody talked with the client."""
        return self.kind in {"inbound_answered", "outbound_answered"}


@dataclass(frozen=True, slots=True)
class Booking:
    """What a call makes: by which rule, what is `created`, what then is of a lead, and at which stage that is."""

    rule: LeadRule
    created: Created
    then: Then
    stage: str | None

    @property
    def owes_task(self) -> bool:
        """Whether the rule's task is owed: there is a lead to work on, or a new party."""
        return self.rule.task is not None and (self.then not in {"none", "over"} or self.created == "party")


def number_in_book(directory: Directory, written: str, line: str = "") -> str | None:
    """Give the form in which the book keeps a number, as a trunk or a person wrote it; None for what is never a party.

    That is: who hides their number, extensions and what is no telephone number, colleagues and lines, the blocked.
    `line`, for a caller: the one that they called, whose region says how they write numbers.
    """
    number = directory.normal(written, line)
    if is_anonymous(written) or not number.isascii() or not number.isdigit() or len(number) not in NUMBER_DIGITS:
        return None
    return None if directory.is_staff(number) or directory.is_blocked(number) else number


def facts_of(directory: Directory, call: CallView) -> CallFacts | None:
    """Read a settled call; None for one of which the book knows nothing: with colleagues, or with no number."""
    outside = call.direction in {"inbound", "outbound"} and is_outside(number_of(call))
    number = number_in_book(directory, number_of(call), _called(call)) if outside else None
    if number is None:
        return None
    inbound, answered = call.direction == "inbound", call.answered_at is not None
    talked, nobodys = _talked(directory, call, number) if answered else ((), ())
    rung = _rung(directory, call) if inbound else _caller(directory, call)
    if inbound:
        line = directory.normal(call.line) or None
        kind: CallType = "inbound_answered" if answered else "inbound_missed"
    else:
        line = _called_out_as(directory, next(iter((*rung, *talked)), ""))
        kind = "outbound_answered" if answered else "outbound_unanswered"
    return CallFacts(number=number, kind=kind, line=line, talked=talked, rung=rung, nobodys=nobodys)


def rule_for(policy: LeadPolicy, call: CallFacts, *, known: bool) -> LeadRule:
    """Give the first rule that holds for a call of a known or unknown number; one that is built in always does."""
    return next(rule for rule in (*policy.rules, *BUILT_IN) if _holds(rule, call, known=known))


def decide(
    policy: LeadPolicy, call: CallFacts, *, known: bool, stage: str | None, closed_since: bool = False
) -> Booking:
    """Decide what a call makes; `stage` is that of its party's open lead, else of the last, None: it never had one.

    `closed_since`: that lead was closed when the call had begun.
    """
    rule = rule_for(policy, call, known=known)
    if closed_since and stage is not None and stage not in OPEN:
        return Booking(rule, "nothing", "over", stage)
    if stage in OPEN or stage in AWAY:
        # Nobody answered us: that is no sign of the client's, so what was lost stays so.
        after = stage if call.kind == "outbound_unanswered" else after_call(stage, talked=call.answered)
        return Booking(rule, "nothing", "back" if stage in AWAY and after != stage else "goes_on", after)
    if rule.make == "lead" and opens_again(stage):
        begins = rule.stage or first_stage(talked=call.answered)
        return Booking(rule, "lead" if known else "party_and_lead", "new", begins)
    made: Created = "party" if not known and rule.make == "party" else "nothing"
    return Booking(rule, made, "none", stage)


def _holds(rule: LeadRule, call: CallFacts, *, known: bool) -> bool:
    return (
        (not rule.lines or call.line in rule.lines)
        and (not rule.types or call.kind in rule.types)
        and (rule.known is None or rule.known == known)
    )


def _talked(directory: Directory, call: CallView, number: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Who talked with the client, and devices that did and are nobody's; a talk of colleagues alone is none."""
    sides = [
        other
        for talk in sorted(call.talks, key=_since)
        for side, other in (talk.between, talk.between[::-1])
        if directory.normal(side, _called(call)) == number
    ]
    # Where the talks tell another number of the client than the call does, whoever answered talked with them.
    found = [_person(directory, side) for side in sides or call.answered_by]
    nobodys = (side for side in sides if _person(directory, side) is None and not is_outside(side))
    return tuple(dict.fromkeys(key for key in found if key)), tuple(dict.fromkeys(nobodys))


def _rung(directory: Directory, call: CallView) -> tuple[str, ...]:
    reached = sorted(call.legs, key=lambda leg: (leg.started_at or _LONG_AGO, leg.channel), reverse=True)
    found = (_person(directory, leg.device) or _person(directory, leg.number) for leg in reached if leg.rang)
    return tuple(dict.fromkeys(key for key in found if key))


def _caller(directory: Directory, call: CallView) -> tuple[str, ...]:
    key = _person(directory, call.caller_device) or _person(directory, call.caller_number)
    return (key,) if key else ()


def _called(call: CallView) -> str:
    """The line that the client called; empty where we called them: then numbers are the company's."""
    return call.line if call.direction == "inbound" else ""


def _called_out_as(directory: Directory, key: str) -> str | None:
    person = directory.person(key)
    line = directory.outgoing_line(person) if person else None
    return line.number if line else None


def _person(directory: Directory, side: str) -> str | None:
    found = (directory.person_of_device(side) or directory.person_of_number(side)) if side else None
    return found.key if found else None


def _since(talk: TalkView) -> datetime:
    return talk.since or _LONG_AGO
