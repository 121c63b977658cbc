"""What `switchhook report daily`, `weekly` and `monthly` do and print."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final, Literal
from zoneinfo import ZoneInfo

from directory.model import Directory
from directory.store import read
from reports.assembling import make_report
from reports.report import Audience, Kind, Report
from service.composing import document_of
from service.faults import UserFault
from service.reporting import send_now
from service.settings import Settings
from service.wiring import open_house
from web.reports.files import csv_of, xlsx_of
from web.reports.letter import letter_of
from web.reports.mail import text_of

Form = Literal["text", "html", "json", "csv", "xlsx"]

_EARLIEST: Final = date(2000, 1, 1)
_FILES: Final[dict[Form, Callable[[Report, Directory, str], bytes]]] = {"csv": csv_of, "xlsx": xlsx_of}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which report, in which form; "" is today's, of the house. `send`: it is told to those whose it is, too."""

    kind: Kind
    day: str = ""
    team: str = ""
    person: str = ""
    form: Form = "text"
    send: bool = False


async def report(settings: Settings, wanted: Wanted) -> tuple[str | bytes, tuple[str, ...] | None]:
    """(the report, keys of people who are told it, None: nobody was to be). Raises UserFault for what there is not."""
    now = datetime.now(UTC)
    async with open_house(settings, pool=2) as house:
        async with house.engine.connect() as connection:
            directory = await read(connection)
            audience = _audience(directory, wanted)
            day = _day(wanted.day, now.astimezone(ZoneInfo(directory.company.time_zone)).date())
        made = await make_report(house.engine, directory, wanted.kind, day, audience, now)
        told = await send_now(house.engine, wanted.kind, day, audience, now) if wanted.send else None
    return await _written(made, directory, wanted.form, settings), told


def _audience(directory: Directory, wanted: Wanted) -> Audience:
    if wanted.team and wanted.person:
        raise UserFault(f"--person: a report is of a team or of a person, got {wanted.person!r} beside a team")
    if wanted.team and directory.team(wanted.team) is None:
        raise UserFault(f"--team: there is no team {wanted.team!r} in the directory")
    if wanted.person and directory.person(wanted.person) is None:
        raise UserFault(f"--person: there is nobody {wanted.person!r} in the directory")
    if wanted.team:
        return Audience("team", wanted.team)
    return Audience("person", wanted.person) if wanted.person else Audience("house")


def _day(told: str, today: date) -> date:
    try:
        day = date.fromisoformat(told) if told else today
    except ValueError:
        raise UserFault(f"--date: must be a date like 2026-03-31, got {told!r}") from None
    if not _EARLIEST <= day <= today:
        raise UserFault(f"--date: must be from {_EARLIEST} to {today}, got {told!r}")
    return day


async def _written(made: Report, directory: Directory, form: Form, settings: Settings) -> str | bytes:
    language = settings.language
    if form == "json":
        return json.dumps(made.to_json(), ensure_ascii=False)
    if form == "html":
        return await document_of(made, directory, language, settings)
    if form == "text":
        return text_of(letter_of(made, directory, language, lambda _: "", lambda _: ""))
    return await asyncio.to_thread(_FILES[form], made, directory, language)
