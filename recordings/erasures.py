"""What became of a request to erase a person, as it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


class EraseRefused(ValueError):
    """Whom nobody may erase, or nobody can find; the text names the value and why."""


@dataclass(frozen=True, slots=True)
class Report:
    """What went and what stays; nothing of who it was. `state`: dry_run, going_on or finished."""

    id: int | None
    state: str
    went: Mapping[str, int]
    calls: Sequence[str]
    stayed: Sequence[Mapping[str, Any]]
    asked_at: datetime | None = None
    finished_at: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The fields by their names, times as ISO 8601."""
        times = {name: at and at.isoformat() for name in ("asked_at", "finished_at") for at in [getattr(self, name)]}
        told = {"erasure": self.id, "state": self.state, **times}
        return told | {"went": dict(self.went), "calls": list(self.calls), "stayed": list(self.stayed)}
