"""The work a change owes, as values; each room's `due` is a pure function from a change to jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from calls.events import Event
from calls.view import CallView


@dataclass(frozen=True, slots=True)
class Change:
    """What one recording did to one call: how it read before (None: it is new) and after, and the events told.

    `joined`: another stored call became part of it.
    """

    call_id: UUID
    before: CallView | None
    after: CallView
    events: tuple[Event, ...]
    joined: bool = False

    def first(self, kind: type[Event]) -> Event | None:
        """The first event of that kind in this change, None when there is none."""
        return next((event for event in self.events if isinstance(event, kind)), None)

    @property
    def just_settled(self) -> bool:
        """The call settled in this change and not before: the moment for work that must be done once."""
        return self.after.settled_at is not None and (self.before is None or self.before.settled_at is None)


@dataclass(frozen=True, slots=True)
class Job:
    """Durable work: `task` on `queue` with JSON `args`.

    Jobs of one `lock` run one after another, in order; a job is not enqueued while one of its `queueing_lock` waits.
    The highest `priority` of a queue runs first, of equal ones the oldest job.
    """

    task: str
    queue: str
    args: Mapping[str, str | int] = field(default_factory=dict)
    lock: str | None = None
    queueing_lock: str | None = None
    priority: int = 0


Owes = Callable[[Change], Iterable[Job]]
"""A room's `due`."""


def owe_nothing(_change: Change) -> Iterable[Job]:
    """No work, for readers and tests that only record."""
    return ()
