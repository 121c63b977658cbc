"""Which days somebody works: what a day's figures are held against, and a month's plan is spread over (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from directory.hours import opens_on
from directory.model import Directory, Hours, Team
from reports.report import Audience


def works_on(directory: Directory, audience: Audience, day: date) -> bool:
    """Whether the house, a team or a person works on a day: some of their hours open on it, or they have none."""
    return any(hours is None or opens_on(hours, day) for hours, _ in hours_of(directory, audience))


def working_days(directory: Directory, audience: Audience, first: date, last: date) -> int:
    """On how many days from `first` to `last` they work, both counted."""
    return sum(works_on(directory, audience, day) for day in days(first, last))


def days(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both counted."""
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def hours_of(directory: Directory, audience: Audience) -> list[tuple[Hours | None, str]]:
    """Hours of which each may open, with their zones; None: always.

    Whoever has none of their own works whenever their teams do, and a team whenever its lines are open.
    """
    person = directory.person(audience.key) if audience.kind == "person" else None
    if person is not None and person.hours is not None:
        return [(directory.hours_of(person.hours), directory.zone_of(person))]
    found = [hours for team in teams_of(directory, audience) for hours in _hours_of_team(directory, team)]
    return found or [(None, directory.company.time_zone)]


def _hours_of_team(directory: Directory, team: Team) -> list[tuple[Hours | None, str]]:
    lines = [line for line in directory.lines if line.team == team.key]
    holders = [team] if team.hours is not None or not lines else lines
    return [(directory.hours_of(holder.hours), directory.zone_of(holder)) for holder in holders]


def teams_of(directory: Directory, audience: Audience) -> tuple[Team, ...]:
    """The teams that a report is about: the house's, one, or a person's."""
    if audience.kind == "house":
        return directory.teams
    if audience.kind == "team":
        return tuple(team for team in directory.teams if team.key == audience.key)
    return tuple(team for team in directory.teams if audience.key in team.members)
