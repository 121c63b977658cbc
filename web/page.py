"""Answers a request with one of our pages."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from directory.model import Directory
from web.guard import VIEWER
from web.house import HOUSE
from web.names import line_name, person_name
from web.render import render
from web.rights import scope_of
from web.services import SERVICES
from web.theme import theme_of


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a template of ours made, to stand in another as it is: it was escaped when it was made."""

    html: str

    def __html__(self) -> str:
        """The name by which templates ask whether something is markup (markupsafe)."""
        return self.html


def language_of(request: web.Request) -> str:
    """The viewer's own language, else the service's."""
    chosen = request[VIEWER].language if VIEWER in request else request.query.get("lang")
    return chosen if chosen in {"ru", "en"} else request.app[SERVICES].language


def zone_of(request: web.Request, directory: Directory) -> str:
    """The time zone on whose wall the viewer reads times: their own, else the company's."""
    person = directory.person(request[VIEWER].person or "")
    return directory.zone_of(person) if person else directory.company.time_zone


async def fragment(request: web.Request, template: str, **context: Any) -> str:
    """Render a template for the viewer: in their language, on their time zone, with names from the directory."""
    directory = await request.app[HOUSE].read()
    return render(
        template,
        language_of(request),
        zone=zone_of(request, directory),
        theme=theme_of(request),
        viewer=request[VIEWER],
        whole_house=scope_of(request[VIEWER], directory).everything,
        viewer_name=person_name(directory, request[VIEWER].person) or request[VIEWER].login,
        path=request.path_qs,
        name_of=lambda key: person_name(directory, key),
        line_of=lambda number: line_name(directory, number),
        **context,
    )


async def page(request: web.Request, template: str, **context: Any) -> web.Response:
    """A whole page for the viewer."""
    return web.Response(text=await fragment(request, template, **context), content_type="text/html")


def today_of(request: web.Request, directory: Directory) -> datetime:
    """When the viewer's day began, in UTC."""
    here = datetime.now(ZoneInfo(zone_of(request, directory)))
    return here.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
