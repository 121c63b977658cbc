"""Whether somebody of ours may call a number outside: one answer, with its reason. Pure, and total.

1. Emergency numbers are always allowed: nothing below is asked about them.
2. Of all prefixes that fit, a role's and everybody's, the longest decides; where two are as long the role's does, then
   the one that denies. Where none fits, the own country is allowed, and no other country.
   Numbers that cost a premium are allowed only by a prefix that names them: +7809 does, +7 does not.
3. Every refusal has a key of REFUSALS; what was refused costs nobody anything.
"""

from dataclasses import dataclass
from decimal import Decimal
from math import ceil
from typing import Final, Literal

from directory.model import Directory, Person
from directory.numbers import e164, is_emergency, is_short, origin, within_premium
from directory.outgoing import NOTHING, Reach, longest
from routing.plan import Reason, because

Purpose = Literal["click", "callback", "dialled"]

PURPOSES: Final[tuple[Purpose, ...]] = ("click", "callback", "dialled")
REFUSALS: Final = (
    "not_a_number",
    "internal",
    "do_not_call",
    "destination_denied",
    "premium_rate",
    "international",
    "person_per_minute",
    "person_per_hour",
    "company_per_minute",
    "company_per_hour",
    "person_day_budget",
    "company_day_budget",
)
"""Every key of a refusal, in the order in which they are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What was called before: calls of the last minute and hour, and money spent today, of the person and of all."""

    person_minute: int = 0
    person_hour: int = 0
    company_minute: int = 0
    company_hour: int = 0
    person_spent: Decimal = NOTHING
    company_spent: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call may be made to ``number`` (E.164 digits, or an emergency number); a minute costs ``per_minute``."""

    number: str
    per_minute: Decimal = NOTHING


@dataclass(frozen=True, slots=True)
class Refused:
    """The call may not be made; ``number`` is what would have been called, empty when it is none."""

    reason: Reason
    number: str = ""


NOTHING_USED: Final = Usage()


def may_call(
    to: str, person: Person | None, directory: Directory, usage: Usage = NOTHING_USED, *, flagged: bool = False
) -> Allowed | Refused:
    """Judge one call to ``to``, in any spelling, by ``person`` (None: a device that is nobody's).

    ``flagged`` tells that the party of this number does not want to be called.
    """
    region, written = directory.company.region, to.strip()
    # An extension of ours that looks like a national emergency number is ours; 112 and 911 nobody may give away.
    ours = is_short(written) and directory.person_of_number(written) is not None
    if is_emergency(written, "ZZ" if ours else region):
        return Allowed(written)
    if ours:
        return Refused(because("internal", "{number} is an extension: dial it on the phone", number=written))
    number = e164(written, region)
    if number is None:
        return Refused(because("not_a_number", "this is no telephone number that can be called"))
    reason = _unwanted(number, directory, flagged=flagged) or _unreachable(number, person, directory)
    reason = reason or _too_many(usage, directory) or _too_dear(usage, directory.outgoing.price(number), directory)
    return Refused(reason, number) if reason else Allowed(number, directory.outgoing.price(number))


def decided(number: str, *reaches: Reach) -> bool | None:
    """Tell what the longest prefix says, of the first of the reaches where two are as long; None when none fits."""
    allows = [longest(number, reach.allow) for reach in reaches]
    denies = [longest(number, reach.deny) for reach in reaches]
    most = max((*allows, *denies))
    if most < 0:
        return None
    return next(deny != most for allow, deny in zip(allows, denies, strict=True) if most in {allow, deny})


def names_premium(number: str, *reaches: Reach) -> bool:
    """Tell whether a prefix that allows this number lies itself among those that cost a premium."""
    allowing = {prefix for reach in reaches for prefix in reach.allow if number.startswith(prefix)}
    return any(within_premium(prefix) for prefix in allowing)


def cost(per_minute: Decimal, seconds: float) -> Decimal:
    """Give what a talk costs: every minute that began."""
    return per_minute * max(ceil(seconds / 60), 0)


def _unwanted(number: str, directory: Directory, *, flagged: bool) -> Reason | None:
    if flagged or directory.must_not_be_called(number):
        return because("do_not_call", "this number is on the do-not-call list")
    return None


def _unreachable(number: str, person: Person | None, directory: Directory) -> Reason | None:
    policy = directory.outgoing
    reaches = (policy.reach_of(person.role) if person else Reach(), policy.everybody)
    allowed = decided(number, *reaches)
    if allowed is False:
        return because("destination_denied", "calls to this destination are denied")
    region, premium = origin(number)
    if premium and not names_premium(number, *reaches):
        return because("premium_rate", "this is a premium-rate number")
    if allowed is True:
        return None
    if region != directory.company.region:
        return because("international", "calls to other countries ({region}) are not allowed", region=region)
    return None


def _too_many(usage: Usage, directory: Directory) -> Reason | None:
    policy = directory.outgoing
    for key, made, most in (
        ("person_per_minute", usage.person_minute, policy.person_per_minute),
        ("person_per_hour", usage.person_hour, policy.person_per_hour),
        ("company_per_minute", usage.company_minute, policy.company_per_minute),
        ("company_per_hour", usage.company_hour, policy.company_per_hour),
    ):
        if made >= most:
            who, span = key.split("_per_")
            return because(key, "the {who} may make {most} calls a {span}", who=who, most=str(most), span=span)
    return None


def _too_dear(usage: Usage, per_minute: Decimal, directory: Directory) -> Reason | None:
    policy = directory.outgoing
    for key, spent, most in (
        ("person_day_budget", usage.person_spent, policy.person_day_budget),
        ("company_day_budget", usage.company_spent, policy.company_day_budget),
    ):
        if most is not None and per_minute and spent + per_minute > most:
            who = key.partition("_")[0]
            return because(key, "the {who}'s budget of the day ({most}) is used up", who=who, most=str(most))
    return None
