"""Chance as houses have it: how many call in an hour, how long they talk, when the next working day is (seeded)."""

from __future__ import annotations

import math
import random
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

_SATURDAY, _SUNDAY = 5, 6
_SHORT: Final = {_SATURDAY: (10, 16)}
"""By weekday, where they are others than the usual ones; Sunday has none."""
_USUAL: Final = (9, 19)


def busy_hours(day: date) -> tuple[int, int] | None:
    """From which hour to which people work and most clients call; None: nobody works."""
    return None if day.weekday() == _SUNDAY else _SHORT.get(day.weekday(), _USUAL)


class Dice(random.Random):
    """The house's luck, on its own clock."""

    def __init__(self, seed: int, zone: ZoneInfo) -> None:
        """The same seed throws the same."""
        super().__init__(seed)
        self.zone = zone

    def so_many(self, mean: float) -> int:
        """A number of things that happen independently of one another (Poisson; Knuth's way, for small means)."""
        floor, product, count = math.exp(-mean), self.random(), 0
        while product > floor:
            product *= self.random()
            count += 1
        return count

    def about(self, median: float, spread: float = 0.5) -> float:
        """A span as people's are: most near the median, a few far longer."""
        return self.lognormvariate(math.log(median), spread)

    def yes(self, chance: float) -> bool:
        """Whether it happens."""
        return self.random() < chance

    def uuid(self) -> UUID:
        """An id of a call."""
        return UUID(int=self.getrandbits(128), version=4)

    def moment(self, day: date, hour: int) -> datetime:
        """Some second of an hour of a day."""
        at = datetime.combine(day, time(hour), self.zone)
        return at + timedelta(seconds=self.randrange(3600))

    def working_day(self, since: date, least: int, most: int) -> datetime:
        """Some working moment so many days later, or on the next day that is open."""
        day = since + timedelta(days=self.randint(least, most))
        while (hours := busy_hours(day)) is None:
            day += timedelta(days=1)
        return self.moment(day, self.randrange(*hours))

    def soon(self, at: datetime, minutes: float) -> datetime:
        """So many minutes later where the house is open then, else as long after it opens."""
        later = at + timedelta(seconds=round(minutes * 60))
        hours = busy_hours(later.date())
        if hours is not None and hours[0] <= later.hour < hours[1]:
            return later
        day = later.date() if hours is not None and later.hour < hours[0] else later.date() + timedelta(days=1)
        while (hours := busy_hours(day)) is None:
            day += timedelta(days=1)
        opens = datetime.combine(day, time(hours[0]), self.zone)
        return opens + timedelta(seconds=round(minutes * 60) % 3600)
