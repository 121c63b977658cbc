"""How long what was said, and with whom, is kept: the company's policy and a line's own (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

KEPT: Final = ("audio_days", "transcript_days", "party_days")
"""The sound; the text with all that was read from it; and who the other side was: numbers and names."""

STATUSES: Final = ("answered", "missed", "voicemail", "failed")
"""How calls end, as `calls.view` tells it; each may have days of its own."""

FOREVER: Final = 0
"""Stands where a line, or a status, keeps what is removed elsewhere."""

DAYS_MOST: Final = 36_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """Days from the end of a call; None: nothing is said here, FOREVER: it is never removed."""

    audio_days: int | None = None
    transcript_days: int | None = None
    party_days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention(Keep):
    """A policy: days for every call, and days for calls that ended so: `statuses`, in the order of STATUSES.

    A status that says nothing of its own is not among them.
    """

    statuses: tuple[tuple[str, Keep], ...] = ()

    def of(self, status: str, kind: str) -> int | None:
        """Days of a kind for calls that ended so; None: nothing is said here."""
        own: int | None = next((getattr(days, kind) for name, days in self.statuses if name == status), None)
        told: int | None = getattr(self, kind)
        return told if own is None else own


NO_RETENTION: Final = Retention()


def kept(policies: tuple[Retention, ...], status: str) -> Keep:
    """What the first of `policies` that says something says of each kind; nothing said is for ever."""

    def days(kind: str) -> int | None:
        told = (policy.of(status, kind) for policy in policies)
        return next((one for one in told if one is not None), None) or None

    return Keep(**{kind: days(kind) for kind in KEPT})


def plain(policy: Keep) -> dict[str, Any]:
    """A policy as a file and the database write it; what is not said is left out."""
    told: dict[str, Any] = {kind: days or "forever" for kind in KEPT if (days := getattr(policy, kind)) is not None}
    if isinstance(policy, Retention):
        told |= {status: plain(days) for status, days in policy.statuses}
    return told


def retention_from(told: Mapping[str, Any]) -> Retention:
    """The policy that `plain` wrote."""
    statuses = tuple((status, Keep(**_days(told[status]))) for status in STATUSES if status in told)
    return Retention(statuses=statuses, **_days(told))


def _days(told: Mapping[str, Any]) -> dict[str, int]:
    known = [one.name for one in fields(Keep)]
    return {name: FOREVER if told[name] == "forever" else told[name] for name in known if name in told}
