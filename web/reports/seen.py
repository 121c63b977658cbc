"""Whose reports a viewer may see: managers their own, heads those of the teams they lead, who sees everything all."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from directory.model import Directory
from reports.report import Audience
from web.guard import VIEWER
from web.rights import scope_of, teams_led
from web.sessions import Viewer

HOUSE: Final = Audience("house")


def reports_seen(viewer: Viewer, directory: Directory) -> tuple[Audience, ...]:
    """All of them, first the one that a viewer is shown when they name none; none for who is no person here."""
    led = teams_led(viewer, directory)
    teams = [team for team in directory.teams if team.key in led]
    people = dict.fromkeys(key for team in teams for key in team.members)
    if viewer.person and directory.person(viewer.person):
        people.setdefault(viewer.person)
    if scope_of(viewer, directory).everything:
        people |= dict.fromkeys(person.key for person in directory.people)
    return (
        *((HOUSE,) if scope_of(viewer, directory).everything else ()),
        *(Audience("team", team.key) for team in teams),
        *(Audience("person", key) for key in people),
    )


def audience_asked(request: web.Request, directory: Directory, team: str, person: str) -> Audience:
    """Whose report is asked for, "" where none is named. Raises 400 for one that there is not, 403 for another's."""
    if team and person:
        raise web.HTTPBadRequest(text=f"person: a report is of a team or of a person, got {person!r} beside a team")
    if team and directory.team(team) is None:
        raise web.HTTPBadRequest(text=f"team: there is no team {team!r}")
    if person and directory.person(person) is None:
        raise web.HTTPBadRequest(text=f"person: there is nobody {person!r}")
    seen = reports_seen(request[VIEWER], directory)
    wanted = Audience("team", team) if team else Audience("person", person) if person else next(iter(seen), HOUSE)
    if wanted not in seen:
        raise web.HTTPForbidden(text="This report is of somebody else.")
    return wanted
