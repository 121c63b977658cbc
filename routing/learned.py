"""Which device a person answers on, by the hour of their week: learned from rings, old ones fading (pure).

A ring weighs twice as much as one HALF_LIFE before it. The weights grow with time instead of shrinking, so a stored sum
needs no upkeep: adding a ring is adding a number, and a share is the same at whatever moment it is asked for.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from directory.model import DAYS, Device
from routing.plan import Reason, because

HALF_LIFE: Final = timedelta(weeks=4)
REMEMBERED: Final = timedelta(weeks=26)
"""A ring so much older than the last of its hour is forgotten: it would weigh a hundredth."""

ENOUGH: Final = 5.0
"""So many rings, as they weigh now, tell something."""

_EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DOUBLINGS: Final = 900.0
_DAY_HOURS: Final = 24
_KINDS: Final = {"desk": "desk phone", "soft": "softphone", "mobile": "mobile"}


@dataclass(frozen=True, slots=True)
class Ring:
    """A device rang at a moment, and its person answered there or not."""

    at: datetime
    answered: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Rings and answers, each by the weight of its time; ``weight`` of a moment makes them numbers of that moment."""

    rang: float = 0.0
    answered: float = 0.0

    @property
    def share(self) -> float:
        """Of the rings, how many were answered: 0 to 1, and 0 without rings."""
        return self.answered / self.rang if self.rang else 0.0


@dataclass(frozen=True, slots=True)
class Answers:
    """What is known of one device: by hour of the week (0 is Monday, midnight to one), by hour of any day, in all."""

    week: Mapping[int, Tally]
    day: Mapping[int, Tally]
    ever: Tally

    @classmethod
    def of(cls, week: Mapping[int, Tally]) -> "Answers":
        """Sum the hours of the week up."""
        by_day = {hour % _DAY_HOURS for hour in week}
        day = {
            hour: _sum(tally for other, tally in week.items() if other % _DAY_HOURS == hour) for hour in sorted(by_day)
        }
        return cls(week, day, _sum(week.values()))


def weight(at: datetime) -> float:
    """Give the weight of a ring at an aware moment; a clock that is centuries off gets the weight of some decades."""
    return float(2.0 ** max(-_DOUBLINGS, min(_DOUBLINGS, (at - _EPOCH) / HALF_LIFE)))


def hour_of_week(at: datetime, zone: str) -> int:
    """Give the hour of a person's week, 0 to 167."""
    local = at.astimezone(ZoneInfo(zone))
    return local.weekday() * _DAY_HOURS + local.hour


def tally(rings: Iterable[Ring]) -> Tally:
    """Count the rings of one device in one hour of the week, in whatever order they come."""
    told = list(rings)
    last = max((ring.at for ring in told), default=_EPOCH)
    fresh = [ring for ring in told if last - ring.at < REMEMBERED]
    rang = math.fsum(weight(ring.at) for ring in fresh)
    # Summed on its own, an answer to each ring could come out a hair above the rings.
    return Tally(rang, min(rang, math.fsum(weight(ring.at) for ring in fresh if ring.answered)))


def order(
    name: str, devices: Sequence[Device], answers: Mapping[str, Answers], at: datetime, zone: str
) -> tuple[tuple[Device, ...], Reason]:
    """Put the devices of the person called ``name`` in the order in which they answer on them, and say why.

    The nearest of these decides that has ENOUGH rings of two of the devices: this hour of the week, this hour of any
    day, all hours. The others follow in the order written; without enough rings that order stands for all.
    """
    hour, now = hour_of_week(at, zone), weight(at)
    answers = {device.address: answers[device.address] for device in devices if device.address in answers}
    for key, text, tallies in _windows(answers, hour):
        known = {
            one.address: told for one in devices if (told := tallies.get(one.address)) and told.rang >= ENOUGH * now
        }
        if len(known) > 1:
            # Sorting is stable: devices that answer alike, and those not known, keep the order written.
            ordered = sorted(devices, key=lambda it: -known[it.address].share if it.address in known else 1.0)
            best = known[ordered[0].address]
            why = because(
                key,
                text,
                name=name,
                device=_KINDS[ordered[0].kind],
                answered=str(round(best.share * round(best.rang / now))),
                rang=str(round(best.rang / now)),
                day=DAYS[hour // _DAY_HOURS],
                since=f"{hour % _DAY_HOURS:02}:00",
                until=f"{(hour + 1) % _DAY_HOURS:02}:00",
            )
            return tuple(ordered), why
    return tuple(devices), because(
        "learned_few", "{name}: too few rings yet to learn from, the order written", name=name
    )


def _windows(answers: Mapping[str, Answers], hour: int) -> Iterable[tuple[str, str, Mapping[str, Tally]]]:
    first = "{name}, {device} first: {answered} of {rang} answered"
    none = Tally()
    yield (
        "learned_weekday",
        f"{first} on {{day}} from {{since}} to {{until}}",
        {device: told.week.get(hour, none) for device, told in answers.items()},
    )
    yield (
        "learned_hour",
        f"{first} from {{since}} to {{until}}",
        {device: told.day.get(hour % _DAY_HOURS, none) for device, told in answers.items()},
    )
    yield "learned_ever", first, {device: told.ever for device, told in answers.items()}


def _sum(tallies: Iterable[Tally]) -> Tally:
    told = list(tallies)
    return Tally(math.fsum(one.rang for one in told), math.fsum(one.answered for one in told))
