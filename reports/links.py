"""Where the pages show what a number counts (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reports.periods import Period

NARROWS: Final = ("team", "line", "source", "person", "detail", "hour")
"""By what the list behind a number can be narrowed, besides its days."""

NONE: Final = "-"
"""In such a narrowing: of no team, of no line of ours, of nobody."""

NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

_PLAIN: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")


def behind(measure: str, period: Period, narrowed: Mapping[str, str] = NOTHING) -> str:
    """The path of the list of calls, leads or promises that a measure counts in a period.

    It may be narrowed to a team, line, source, person, detail or hour.
    """
    told = {"measure": measure, "from": period.first.isoformat(), "to": period.last.isoformat()}
    told |= {name: narrowed[name] for name in NARROWS if narrowed.get(name)}
    return "/reports/behind?" + "&".join(f"{name}={_quoted(value)}" for name, value in told.items())


def _quoted(value: str) -> str:
    """A value as a query has it (RFC 3986); most are keys, and stand as they are."""
    return "".join(chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in value.encode())
