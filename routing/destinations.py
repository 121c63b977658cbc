"""Where calls may go, as few prefixes as tell it: what the PBX judges by while the service is away. Pure.

It is the strictest of what the roles of the company's people may, and knows no limits and no prices. Whom nobody calls
is in it, and the emergency numbers, which may always be called.
"""

from typing import Final

from directory.model import Directory
from directory.numbers import beginnings_abroad, dialling, is_emergency, premium_below, within_premium
from directory.outgoing import Reach, longest
from routing.outgoing import decided, names_premium

BYTES_MOST: Final = 900
"""What fits into one line to the PBX."""


def destinations(directory: Directory) -> str:
    """Give ``/7+/7809-/112*/``: beginnings of E.164 digits that may (+) and may not (-) be called, emergencies (*).

    Of more than fits only the emergency numbers are left: what cannot be told is not allowed.
    """
    region = directory.company.region
    urgent = [f"{number}*" for number in _emergencies(region)]
    known: dict[str, bool] = {}
    for prefix in sorted(_prefixes(directory), key=lambda prefix: (len(prefix), prefix)):
        allowed = _allowed(prefix, directory)
        above = next((known[prefix[:end]] for end in range(len(prefix) - 1, 0, -1) if prefix[:end] in known), False)
        if allowed != above:
            known[prefix] = allowed
    told = [*urgent, *(f"{prefix}{'+' if allowed else '-'}" for prefix, allowed in known.items())]
    text = f"/{'/'.join(told)}/"
    return text if len(text) <= BYTES_MOST else f"/{'/'.join(urgent)}/"


def _emergencies(region: str) -> list[str]:
    return [number for number in map(str, range(100, 1000)) if is_emergency(number, region)]


def _prefixes(directory: Directory) -> set[str]:
    """Give every beginning at which the answer may change."""
    policy, region = directory.outgoing, directory.company.region
    named = {prefix for reach in (policy.everybody, *policy.roles) for prefix in (*reach.allow, *reach.deny)}
    unwanted = {entry.number for entry in directory.do_not_call}
    dear = {
        beginning
        for reach in (policy.everybody, *policy.roles)
        for one in reach.allow
        for beginning in premium_below(one)
    }
    return {dialling(region)[0], *beginnings_abroad(region), *dear, *named, *unwanted} - {""}


def _allowed(prefix: str, directory: Directory) -> bool:
    policy, region = directory.outgoing, directory.company.region
    if directory.must_not_be_called(prefix):
        return False
    code = dialling(region)[0]
    home = bool(code) and prefix.startswith(code) and longest(prefix, beginnings_abroad(region)) < 0
    roles = [policy.reach_of(role) for role in {person.role for person in directory.people}]
    reaches = [(reach, policy.everybody) for reach in (*roles, Reach())]
    if within_premium(prefix) and not all(names_premium(prefix, *both) for both in reaches):
        return False
    said = [decided(prefix, *both) for both in reaches]
    return all(home if one is None else one for one in said)
