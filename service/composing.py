"""Makes what is sent of reports: the letter, its document and its pictures, which a process of its own draws."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final
from uuid import uuid4

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from directory.model import Directory
from notices.channel import Compose, Picture, Rich
from notices.model import Told, Written
from recordings.processes import Processes
from reports.assembling import make_report
from reports.due import KINDS
from reports.pictures import Bars, Days, draw_bars, draw_days, prepare
from reports.report import Report
from service.settings import Settings
from service.tracebacks import place_of
from service.wiring import House
from web.notice_text import report_told
from web.reports import mail
from web.reports.asked import Asked
from web.reports.chat import caption_of
from web.reports.drawn import drawn, says
from web.reports.letter import Letter, letter_of

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_DRAWN_SECONDS: Final = 60.0
"""A picture that takes longer is never done."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes what a notice about a report says; `address` is where people open our pages, None: there are no links."""

    engine: AsyncEngine
    processes: Processes
    address: str | None

    async def __call__(self, directory: Directory, told: Told) -> tuple[Written, Rich]:
        """The report of the notice's period as it is now, in the language of its reader."""
        asked = report_told(told)
        report = await make_report(self.engine, directory, asked.kind, asked.day, asked.audience, datetime.now(UTC))
        letter = _letter(report, directory, told.language, self.address)
        drawn = await _pictures(self.processes, report, directory, told.language)
        pictures = tuple(Picture(f"{uuid4().hex}@switchhook", png) for png, _ in drawn)
        shown = [mail.Shown(f"cid:{one.id}", words) for one, (_, words) in zip(pictures, drawn, strict=True)]
        rich = Rich(html=mail.html_of(letter, shown), caption=caption_of(letter), pictures=pictures)
        return Written(letter.subject, mail.text_of(letter), letter.link or None), rich


async def document_of(report: Report, directory: Directory, language: str, settings: Settings) -> str:
    """A report as a document by itself, as it is mailed: its pictures are in it."""
    async with _open_drawing(settings) as processes:
        pictures = await _pictures(processes, report, directory, language)
    shown = [mail.Shown(f"data:image/png;base64,{b64encode(png).decode()}", words) for png, words in pictures]
    return mail.html_of(_letter(report, directory, language, settings.web.public_url), shown)


@asynccontextmanager
async def open_composing(house: House) -> AsyncIterator[Mapping[str, Compose]]:
    """How notices about reports are made, by their kinds; the process that draws ends with the body."""
    async with _open_drawing(house.settings) as processes:
        compose = Composer(house.engine, processes, house.settings.web.public_url)
        yield {f"report_{kind}": compose for kind in KINDS}


@asynccontextmanager
async def _open_drawing(settings: Settings) -> AsyncIterator[Processes]:
    processes = Processes(1, prepare, settings.data_dir / "matplotlib", most_seconds=_DRAWN_SECONDS)
    try:
        yield processes
    finally:
        await processes.close()


def _letter(report: Report, directory: Directory, language: str, address: str | None) -> Letter:
    def path_of(day: date) -> str:
        return Asked(report.kind, day, report.audience).path

    return letter_of(report, directory, language, _whole(address), path_of)


def _whole(address: str | None) -> Callable[[str], str]:
    """Makes a path of our pages an address, where one is known."""
    return lambda path: f"{address.rstrip('/')}{path}" if address and path else ""


async def _pictures(
    processes: Processes, report: Report, directory: Directory, language: str
) -> list[tuple[bytes, str]]:
    """The pictures, each with what it shows; a report goes out without those that could not be drawn."""
    found = []
    for one in drawn(report, directory, language):
        try:
            found.append((await _draw(processes, one), says(one)))
        except Exception as error:  # noqa: BLE001  # whatever drawing does to it
            told = {"error": type(error).__name__, "at": place_of(error)}
            log.error("a picture of a report could not be drawn", **told)  # noqa: TRY400  # no words of rows
    return found


async def _draw(processes: Processes, one: Days | Bars) -> bytes:
    if isinstance(one, Days):
        return await processes.run(draw_days, one)
    return await processes.run(draw_bars, one)
