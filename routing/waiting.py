"""Who goes to whom of those who hold: their order, their places, how long it may take, and who comes free (pure).

1. VIPs come first, then who tried in vain before, then everybody else; among equals who has waited longest.
2. One caller goes to one person, and one person gets one caller.
3. Nobody waits for a person who is free for them, unless an earlier caller has that person; so whoever comes first in
   the order is served whenever anybody can be, and as many as possible are.
4. Of several who are free, the owner of the caller's lead; then who owns no other holding caller's; then by the team's
   order.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from directory.model import Person
from routing.arrival import Arrival, Facts
from routing.choice import Choice
from routing.plan import Reason, because
from routing.rules import Situation

TALK_SECONDS: Final = 180.0
"""How long a talk lasts in a house that has no talks yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A caller who holds for a team since ``since``, the PBX's time.

    ``channel`` is the uniqueid, ``name`` the channel's name; ``tries`` counts the calls in vain before this one,
    ``owner`` is the key of who owns the caller's lead, empty for nobody.
    """

    channel: str
    name: str
    team: str
    since: datetime
    line: str = ""
    number: str = ""
    vip: bool = False
    tries: int = 0
    owner: str = ""


_AT_WORK: Final = frozenset({"busy", "wrap_up", "calendar_busy"})
"""Why a person cannot be rung who will be free again soon."""


_TAKEN: Final = frozenset({"inuse", "busy", "onhold", "ringing"})
"""What a device does whose person is not free, or not for long."""


@dataclass(frozen=True, slots=True)
class Match:
    """This caller goes to this person now."""

    channel: str
    person: str


def in_order(holders: Iterable[Holder]) -> list[Holder]:
    """Give the callers in the order in which they are served."""
    return sorted(holders, key=lambda one: (not one.vip, one.tries == 0, one.since, one.channel))


def places(holders: Iterable[Holder]) -> dict[str, int]:
    """Give each caller's place by channel, from 1, among those who hold for the same team."""
    counts: dict[str, int] = {}
    found: dict[str, int] = {}
    for one in in_order(holders):
        found[one.channel] = counts[one.team] = counts.get(one.team, 0) + 1
    return found


def expected_minutes(place: int, talk_seconds: float, at_work: int) -> int | None:
    """Give how many minutes, at least one, the caller at ``place`` may wait; None when nobody is at work.

    As many talks must end as there are callers up to this one; of ``at_work`` people who talk ``talk_seconds`` each one
    comes free every ``talk_seconds / at_work``.
    """
    if at_work < 1:
        return None
    return max(1, math.ceil(place * talk_seconds / at_work / 60))


def arrival_of(holder: Holder, pbx: str, at: datetime) -> Arrival:
    """Give the holding caller as one who comes in at ``at``."""
    told = {"channel": holder.channel, "line": holder.line, "caller_number": holder.number, "name": holder.name}
    return Arrival(pbx=pbx, caller_name="", at=at, **told)


class Moment:
    """What is known at one moment, looked at together for all who hold at one PBX."""

    def __init__(self, pbx: str, at: datetime, facts: Facts) -> None:
        """Take the facts, of which no caller's own are used, and the PBX's time."""
        self._pbx = pbx
        self._at = at
        self._facts = facts
        self._situations: dict[tuple[str, str], Situation] = {}

    def of(self, holder: Holder) -> Situation:
        """Give a holding caller's situation: of two strangers on one line the same, so that people are judged once."""
        caller = holder.number if self._facts.directory.is_staff(holder.number) else ""
        found = self._situations.get((holder.line, caller))
        if found is None:
            arrival = arrival_of(replace(holder, number=caller), self._pbx, self._at)
            found = self._situations[holder.line, caller] = Situation(arrival, self._facts)
        return found


def anybody(team: str) -> Holder:
    """Give a caller of whom nothing is known but that they hold for a team."""
    return Holder(channel="", name="", team=team, since=datetime.min.replace(tzinfo=UTC))


def free_for(holder: Holder, situation: Situation, left_out: Collection[str]) -> dict[str, Choice]:
    """Give whoever can be rung for this caller now, by key: of the team and the owner, in this order.

    Whoever stands in for somebody absent is asked for in their place. ``left_out`` are keys of people who are not asked
    for. Who rings for another call already is about to be taken.
    """
    facts = situation.facts
    team = facts.directory.team(holder.team)
    members = team.members if team is not None and situation.closed(team) is None else ()
    keys = dict.fromkeys((*members, holder.owner))
    # Who talks is known at once, and nearly everybody talks while callers hold.
    lines = [situation.line_up(key) for key in keys if key and not _taken(key, facts)]
    people = [choices[-1] for choices in lines if choices]
    return {
        choice.person.key: choice
        for choice in people
        if choice.attempts and choice.person.key not in left_out and not _taken(choice.person.key, facts)
    }


def at_work(team: str, situation: Situation) -> int:
    """Count the people of a team who talk, or could."""
    told = [situation.choose(person.key) for person in situation.facts.directory.members(team)]
    return sum(bool(choice.attempts) or choice.why.key in _AT_WORK for choice in told if choice is not None)


def _taken(key: str, facts: Facts) -> bool:
    """Whether a device of this person talks, or rings for another call."""
    person = facts.directory.person(key)
    states = (facts.devices.get(device.address) for device in person.devices) if person else ()
    return any(state is not None and state.state in _TAKEN for state in states)


def match(holders: Collection[Holder], able: Mapping[str, Sequence[str]]) -> list[Match]:
    """Say who goes to whom; ``able`` names for each channel the people who can be rung for its caller now."""
    taken: dict[str, str] = {}
    by_channel = {one.channel: one for one in holders}
    owners = {one.owner for one in holders if one.owner in able.get(one.channel, ())}

    def wish(channel: str) -> list[str]:
        own = by_channel[channel].owner
        people = list(dict.fromkeys(able.get(channel, ())))
        return sorted(people, key=lambda person: 0 if person == own else 1 if person not in owners else 2)

    def seat(channel: str, asked: set[str]) -> bool:
        """Find this caller a person, if need be by finding another one for who has them."""
        for person in wish(channel):
            if person in asked:
                continue
            asked.add(person)
            if person not in taken or seat(taken[person], asked):
                taken[person] = channel
                return True
        return False

    served = [one.channel for one in in_order(holders) if seat(one.channel, set())]
    person_of = {channel: person for person, channel in taken.items()}
    return [Match(channel, person_of[channel]) for channel in served]


def came_free(holder: Holder, person: Person) -> Reason:
    """Say why a holding caller goes to this person."""
    if person.key == holder.owner:
        return because("came_free_owner", "{name}, the owner of this caller's lead, is free now", name=person.name)
    return because("came_free", "{name} is free now", name=person.name)
