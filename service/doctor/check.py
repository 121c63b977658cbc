"""One line of the doctor."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

State = Literal["ok", "warn", "fail"]

_LEVELS = {"ok": 0, "warn": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it stands, why, and what to do when it is not well."""

    name: str
    state: State
    why: str
    remedy: str = ""

    @property
    def level(self) -> int:
        """0 ok, 1 warn, 2 fail: the command's exit status is the highest."""
        return _LEVELS[self.state]

    def to_json(self) -> dict[str, Any]:
        """The check as JSON."""
        return asdict(self)
