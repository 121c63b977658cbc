"""Which missed callers are called back by themselves now, and by whom. Pure.

1. Only a line that wants it (`callback:` of the directory), only while it is open, and only promises that are open.
2. The first call comes a while after the last miss, the next ones after a pause, and there are only so many.
3. Nobody is called who is on the line, is being called, or was talked with since; and never two at once.
4. Who calls is the promise's owner, else somebody of the line's team: on shift, with a device that can ring, and with
   no other call of ours under way.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from directory.hours import open_at
from directory.model import Directory, Line, Person
from routing.arrival import Arrival, Facts
from routing.choice import choose
from routing.outgoing import Allowed, may_call


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """An open promise to call back, and what was tried for it. Times are by our clock.

    ``busy`` tells that the client is on the line, is being called, or was talked with since the miss.
    """

    follow_up: int
    number: str
    line: str
    owner: str | None
    missed_at: datetime
    tried: int = 0
    tried_at: datetime | None = None
    busy: bool = False


@dataclass(frozen=True, slots=True)
class CallBack:
    """One call to be made: who calls whom, for which promise."""

    promise: Promise
    person: str


NOTHING_BUSY: Final[frozenset[str]] = frozenset()


def due(
    promises: Iterable[Promise],
    facts: Facts,
    now: datetime,
    *,
    pbx: str = "",
    busy_people: frozenset[str] = NOTHING_BUSY,
) -> Iterator[CallBack]:
    """Give what is to be called now, the promises in the order they come in; each person and client once."""
    people, numbers = set(busy_people), set[str]()
    for promise in promises:
        line = facts.directory.line(promise.line)
        if line is None or promise.number in numbers or not _is_time(promise, line, facts.directory, now):
            continue
        free = (one for one in callers(promise, facts.directory) if one.key not in people)
        person = next((one for one in free if _can_call(one, promise, facts, now, pbx)), None)
        if person is not None:
            people.add(person.key)
            numbers.add(promise.number)
            yield CallBack(promise, person.key)


def _is_time(promise: Promise, line: Line, directory: Directory, now: datetime) -> bool:
    wanted = line.callback
    if wanted is None or promise.busy or promise.tried >= wanted.attempts:
        return False
    begins = promise.missed_at + timedelta(seconds=wanted.after_seconds)
    if promise.tried_at is not None:
        begins = max(begins, promise.tried_at + timedelta(seconds=wanted.pause_seconds))
    return now >= begins and open_at(directory.hours_of(line.hours), directory.zone_of(line), now)


def callers(promise: Promise, directory: Directory) -> Iterator[Person]:
    """Give who may keep a promise, whoever has to first."""
    line = directory.line(promise.line)
    if line is None:
        return iter(())
    found: Mapping[str, Person] = {person.key: person for person in directory.members(line.team)}
    owner = directory.person(promise.owner) if promise.owner else None
    return iter({owner.key: owner, **found}.values() if owner else found.values())


def _can_call(person: Person, promise: Promise, facts: Facts, now: datetime, pbx: str) -> bool:
    """Tell whether a person is free for this call, and may make it as far as the directory says."""
    arrival = Arrival(pbx=pbx, channel="", line=promise.line, caller_number=promise.number, caller_name="", at=now)
    allowed = isinstance(may_call(f"+{promise.number}", person, facts.directory), Allowed)
    return allowed and bool(choose(person, arrival, facts).attempts)
