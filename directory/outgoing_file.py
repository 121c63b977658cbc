"""The `outgoing:` section, the `callback:` of a line and the list of whom nobody calls, read from YAML nodes."""

from decimal import Decimal
from operator import itemgetter
from typing import Final, cast

from directory import values
from directory.model import ROLES, DoNotCall
from directory.nodes import Fields, Reading, Table
from directory.outgoing import FIRSTS, Callback, First, Outgoing, Price, Reach

_LISTS: Final = ("allow", "deny")
_LIMITS: Final = ("person_per_minute", "person_per_hour", "company_per_minute", "company_per_hour")
_OUTGOING: Final = (
    *("line", *_LISTS, "roles", "prices", "price_per_minute", *_LIMITS),
    *("person_day_budget", "company_day_budget"),
)
_PRICE: Final = ("prefix", "per_minute")
_CALLBACK: Final = ("first", "attempts", "after_seconds", "pause_seconds")
_DO_NOT_CALL: Final = ("number", "note")
_CALLS_MOST: Final = 1_000_000
_DAY_SECONDS: Final = 86_400


def read_outgoing(reading: Reading, root: Table, region: str) -> Outgoing:
    """Read the section; a file without it gives what is by default."""
    default = Outgoing()
    fields = Fields(reading, "outgoing", reading.mapping(root.get("outgoing"), "outgoing", _OUTGOING))
    roles = reading.mapping(fields.table.get("roles"), "outgoing.roles", ROLES)
    return Outgoing(
        line=fields.text("line", values.line(region)),
        everybody=_reach(fields, ""),
        roles=tuple(
            _reach(Fields(reading, path, reading.mapping(node, path, _LISTS)), role)
            for role, node in sorted(roles.items(), key=itemgetter(0))
            for path in [f"outgoing.roles.{role}"]
        ),
        prices=tuple(
            Price(prefix=price.needed("prefix", values.prefix), per_minute=_amount(price, "per_minute") or Decimal(0))
            for path, node in reading.entries(fields.table.get("prices"), "outgoing.prices")
            for price in [Fields(reading, path, reading.mapping(node, path, _PRICE))]
        ),
        price_per_minute=_amount(fields, "price_per_minute") or default.price_per_minute,
        **{name: fields.whole(name, getattr(default, name), 1, _CALLS_MOST) for name in _LIMITS},
        person_day_budget=_amount(fields, "person_day_budget"),
        company_day_budget=_amount(fields, "company_day_budget"),
    )


def read_callback(line: Fields) -> Callback | None:
    """Read a line's `callback:`; None, nobody is called back by itself, without one."""
    if "callback" not in line.table:
        return None
    path, default = f"{line.path}.callback", Callback()
    fields = Fields(line.reading, path, line.reading.mapping(line.table["callback"], path, _CALLBACK))
    return Callback(
        first=cast("First", fields.text("first", values.one_of(FIRSTS)) or default.first),
        attempts=fields.whole("attempts", default.attempts, 1, 20),
        after_seconds=fields.whole("after_seconds", default.after_seconds, 0, _DAY_SECONDS),
        pause_seconds=fields.whole("pause_seconds", default.pause_seconds, 1, _DAY_SECONDS),
    )


def read_do_not_call(reading: Reading, root: Table, region: str) -> tuple[DoNotCall, ...]:
    """Read the list of whom nobody calls."""
    entries = [
        Fields(reading, path, reading.mapping(node, path, _DO_NOT_CALL))
        for path, node in reading.entries(root.get("do_not_call"), "do_not_call")
    ]
    return tuple(
        DoNotCall(number=entry.needed("number", values.mobile(region)), note=entry.text("note") or "")
        for entry in entries
    )


def _reach(fields: Fields, role: str) -> Reach:
    allow, deny = (fields.texts(name, values.prefix) for name in _LISTS)
    return Reach(role=role, allow=allow, deny=deny)


def _amount(fields: Fields, name: str) -> Decimal | None:
    told = fields.text(name, values.amount)
    return None if told is None else Decimal(told)
