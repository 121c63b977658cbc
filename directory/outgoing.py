"""What the directory says of calls to the outside: destinations, prices, limits, and the call-back of a line (pure).

`plain` and `from_plain` are the one form for the file and for the row: what is by default is left out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final, Literal

First = Literal["manager", "client"]

FIRSTS: Final[tuple[First, ...]] = ("manager", "client")
NOTHING: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Prefixes of E.164 digits that may, and that may not, be called; the longest that fits decides, deny on a tie.

    ``role`` is whose they are; empty: everybody's.
    """

    role: str = ""
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The way the difference of two directories tells it."""
        told = [self.role, *(f"+{prefix}" for prefix in self.allow), *(f"not +{prefix}" for prefix in self.deny)]
        return " ".join(part for part in told if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a minute to numbers of this prefix costs, in the company's currency; the longest that fits counts."""

    prefix: str
    per_minute: Decimal

    def __str__(self) -> str:
        """The way the difference of two directories tells it."""
        return f"+{self.prefix} {money(self.per_minute)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """Who may call where, and how much. ``line``: the company's line to call out as; budgets are a day's, None: none.

    ``roles`` stand in the order of their names.

    Without a word of it the own country may be called, other countries and premium numbers may not.
    """

    line: str | None = None
    everybody: Reach = Reach()
    roles: tuple[Reach, ...] = ()
    prices: tuple[Price, ...] = ()
    price_per_minute: Decimal = NOTHING
    person_per_minute: int = 10
    person_per_hour: int = 120
    company_per_minute: int = 60
    company_per_hour: int = 1000
    person_day_budget: Decimal | None = None
    company_day_budget: Decimal | None = None

    def reach_of(self, role: str) -> Reach:
        """Give the prefixes of a role beside everybody's."""
        return next((reach for reach in self.roles if reach.role == role), Reach(role=role))

    def price(self, number: str) -> Decimal:
        """Give what a minute to this number (E.164 digits) costs."""
        fitting = [price for price in self.prices if number.startswith(price.prefix)]
        return max(fitting, key=lambda price: len(price.prefix)).per_minute if fitting else self.price_per_minute


BY_DEFAULT: Final = Outgoing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """How a line's missed callers are called back by themselves.

    ``first`` is who is called first; at most ``attempts`` calls, the first ``after_seconds`` after the miss, the next
    ones ``pause_seconds`` after the one before.
    """

    first: First = "manager"
    attempts: int = 3
    after_seconds: int = 60
    pause_seconds: int = 900

    def __str__(self) -> str:
        """The way the difference of two directories tells it."""
        return f"{self.first} first, {self.attempts} times, after {self.after_seconds} s, then {self.pause_seconds} s"


Plain = dict[str, Any]


def plain(value: Outgoing | Callback) -> Plain:
    """Give the form in which it is written; empty when all of it is by default."""
    default = type(value)()
    told = {field.name: getattr(value, field.name) for field in fields(value)}
    told = {name: content for name, content in told.items() if content != getattr(default, name)}
    if isinstance(value, Outgoing):
        everybody, roles, prices = told.pop("everybody", Reach()), told.pop("roles", ()), told.pop("prices", ())
        told |= _lists(everybody)
        told |= {"roles": {reach.role: _lists(reach) for reach in roles}} if roles else {}
        told |= (
            {"prices": [{"prefix": it.prefix, "per_minute": money(it.per_minute)} for it in prices]} if prices else {}
        )
    return {name: money(content) if isinstance(content, Decimal) else content for name, content in told.items()}


def outgoing_from(told: Mapping[str, Any]) -> Outgoing:
    """Read what ``plain`` gave."""
    values = dict(told)
    everybody = _reach("", values)
    roles = tuple(_reach(role, dict(lists)) for role, lists in sorted(values.pop("roles", {}).items()))
    prices = tuple(Price(prefix=it["prefix"], per_minute=Decimal(it["per_minute"])) for it in values.pop("prices", ()))
    for name in ("price_per_minute", "person_day_budget", "company_day_budget"):
        if name in values:
            values[name] = Decimal(values[name])
    return Outgoing(everybody=everybody, roles=roles, prices=prices, **values)


def money(amount: Decimal) -> str:
    """Give an amount in its one form: 1.50 and 1.5 are the same."""
    return f"{amount.normalize():f}"


def longest(number: str, prefixes: Iterable[str]) -> int:
    """Give the length of the longest prefix that the number begins with, -1 for none."""
    return max((len(prefix) for prefix in prefixes if number.startswith(prefix)), default=-1)


def _lists(reach: Reach) -> Plain:
    told = {"allow": list(reach.allow), "deny": list(reach.deny)}
    return {name: prefixes for name, prefixes in told.items() if prefixes}


def _reach(role: str, values: Plain) -> Reach:
    return Reach(role=role, allow=tuple(values.pop("allow", ())), deny=tuple(values.pop("deny", ())))
