"""The public holidays of countries and their regions, as the library `holidays` knows them."""

from collections.abc import Collection
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holidays import HolidayBase

# The library takes a quarter of a second to load, and each country and year some milliseconds: who names no country
# waits for neither, and routing has them at hand before the first caller (directory.hours.prepare).
_PLACES_MOST = 32


def day_off(place: str, day: date) -> bool:
    """Tell whether nothing opens on this date in a country (RU) or region (DE-BY), moved holidays too."""
    return day in _holidays(place)


@lru_cache(maxsize=1)
def _countries() -> dict[str, list[str]]:
    import holidays  # noqa: PLC0415

    return holidays.list_supported_countries(include_aliases=False)


def regions_of(country: str) -> Collection[str] | None:
    """Give the regions of a country that have holidays of their own; None for a country that is not known."""
    return _countries().get(country) if len(country) == len("RU") else None


@lru_cache(maxsize=_PLACES_MOST)
def _holidays(place: str) -> "HolidayBase":
    import holidays  # noqa: PLC0415

    country, _, region = place.partition("-")
    return holidays.country_holidays(country, region or None)
