"""What a PBX wrote into CEL as events, call by call.

Events told before are harmless, because the fold takes a fact told twice as told once: a period may overlap with what
is known, and be read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime

from calls.events import Event, LinkedidEnded, names
from telephony import cel
from telephony.cel_source import CelSource

_HELD_MOST = 20_000
"""Events held back until their calls have ended: about 1,000 calls. Beyond it calls come in parts."""


@dataclass(slots=True)
class ToldCall:
    """Events of one call, and every name that ties them."""

    events: list[Event] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    linkedids: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        """CEL told the end of every linkedid."""
        return self.linkedids <= self.ended

    def add(self, event: Event) -> None:
        """Take one event."""
        self.events.append(event)
        self.names |= names(event)
        if event.linkedid:
            self.linkedids.add(event.linkedid)
        if isinstance(event, LinkedidEnded) and event.linkedid:
            self.ended.add(event.linkedid)

    def merge(self, other: ToldCall) -> None:
        """Take all of `other`, which turned out to be the same call."""
        self.events += other.events
        self.names |= other.names
        self.linkedids |= other.linkedids
        self.ended |= other.ended


async def told_calls(pbx: str, source: CelSource, since: datetime, until: datetime) -> AsyncIterator[list[ToldCall]]:
    """The calls of a period as its rows end them, whole unless they reach beyond it, in bounded pieces.

    Raises what the source raises.
    """
    gathered = _Gathered()
    async for rows in source.rows(since, until):
        for row in rows:
            for event in cel.translate(pbx, row):
                gathered.add(event)
        if over := gathered.take():
            yield over
    if left := gathered.take(everything=True):
        yield left


class _Gathered:
    """Events tied to calls by their shared names."""

    def __init__(self) -> None:
        self._by_name: dict[str, ToldCall] = {}
        self._held = 0

    def add(self, event: Event) -> None:
        tied = names(event)
        found = {id(call): call for name in tied if (call := self._by_name.get(name))}
        call, *others = sorted(found.values(), key=lambda one: -len(one.names)) or [ToldCall()]
        for other in others:
            call.merge(other)
        call.add(event)
        self._held += 1
        self._by_name.update(dict.fromkeys(tied.union(*(other.names for other in others)), call))

    def take(self, *, everything: bool = False) -> list[ToldCall]:
        """Remove and return the calls that are over; all of them when too much is held."""
        everything = everything or self._held > _HELD_MOST
        calls = {id(call): call for call in self._by_name.values() if everything or call.is_over}
        for call in calls.values():
            self._held -= len(call.events)
            for name in call.names:
                del self._by_name[name]
        return list(calls.values())
