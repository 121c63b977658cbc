"""The pictures of a report that is sent, with their words: days, and whose missed calls or leads they were (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from directory.model import Directory
from reports.pictures import Bars, Days
from reports.report import By, Report, Row, day_measures
from web.reports import words
from web.wording import number, short_day
from web.words import say

_COMPARED: Final[tuple[tuple[By, str], ...]] = (("team", "missed"), ("person", "charged"), ("line", "missed"))
"""The first of these sections that there is with this measure is drawn: who missed how many."""


def drawn(report: Report, directory: Directory, language: str) -> Iterator[Days | Bars]:
    """What is drawn of a report, the days first; nothing of a report without calls."""
    if any(day.calls_in or day.missed for day in report.days):
        yield _days(report, directory, language)
    sections = {section.by: section for section in report.sections}
    for by, measure in _COMPARED:
        bars = _bars(sections[by].rows, by, measure, directory, language) if by in sections else None
        if bars is not None:
            yield bars
            return


def says(told: Days | Bars) -> str:
    """What a picture shows, for who does not see it."""
    if isinstance(told, Bars):
        named = zip(told.names, told.value_words, strict=True)
        return f"{told.title}: {', '.join(f'{name} {value}' for name, value in named)}"
    last = f"{told.labels[-1]}: {told.calls_words} {told.calls[-1]:g}, {told.missed_words} {told.missed[-1]:g}"
    return f"{told.title}. {last}"


def _days(report: Report, directory: Directory, language: str) -> Days:
    days = report.days
    measures = day_measures(report.audience)
    return Days(
        title=say(language, "mail.report.days"),
        labels=tuple(short_day(one.day, language) for one in days),
        calls=tuple(one.calls_in for one in days),
        missed=tuple(one.missed for one in days),
        usual=tuple(one.missed_usual for one in days),
        stacked=measures["calls_in"] == "answered",
        calls_words=words.measure_name(directory, language, measures["calls_in"]),
        missed_words=words.measure_name(directory, language, measures["missed"]),
        usual_words=say(language, "mail.report.usually"),
    )


def _bars(rows: tuple[Row, ...], by: By, measure: str, directory: Directory, language: str) -> Bars | None:
    found = [(row.key, one) for row in rows for one in row.figures if one.measure == measure and one.value]
    if len(rows) < 2 or not found:
        return None
    found.sort(key=lambda one: -(one[1].value or 0.0))
    return Bars(
        title=words.measure_name(directory, language, measure),
        names=tuple(words.key_name(directory, language, by, key) for key, _ in found),
        values=tuple(one.value or 0.0 for _, one in found),
        value_words=tuple(number(one.value or 0.0, language) for _, one in found),
        usual=tuple(one.usual for _, one in found),
        usual_words=say(language, "mail.report.usually"),
    )
