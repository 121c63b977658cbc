"""A report as the caption of a picture in a chat: no longer than a caption may be (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import Final

from web.reports.letter import Letter
from web.words import say

MOST: Final = 1024
"""What Telegram takes as a caption, in units of UTF-16 as it is read (https://core.telegram.org/bots/api#sendphoto)."""

_LINE_MOST: Final = 300

Line = tuple[str, str]
"""What it says, and where it leads, "" for nowhere."""


def caption_of(letter: Letter) -> str:
    """The subject, what was found and what to do, the figures, and the days before, as far as they fit.

    These days have at most half of the room that what was found leaves. The link always fits. Where a link leads does
    not count.
    """
    opened = say(letter.language, "mail.report.open") if letter.link else ""
    head, found = _cut(letter.subject), list(_found(letter))
    room = MOST - _size([(head, ""), (opened, "")])
    days = _untold(letter, (room - _size(found)) // 2)
    told = _fitting((*found, *_figures(letter)), room - _size(days))
    taken = [f"<b>{escape(head)}</b>", *(_linked(line, link) for line, link in (*told, *days))]
    if letter.link:
        taken.append(_linked(opened, letter.link))
    return "\n".join(taken)


def _fitting(lines: Iterable[Line], room: int) -> list[Line]:
    """The first of them, each with the break before it."""
    taken = []
    for line, link in lines:
        room -= _units(line) + 1
        if room < 0:
            break
        taken.append((line, link))
    return taken


def _found(letter: Letter) -> Iterator[Line]:
    yield f"{letter.title}, {letter.period}", ""
    if letter.lacks:
        yield _cut(" ".join(letter.lacks)), ""
    for finding in letter.findings:
        why = " ".join(filter(None, (finding.why, finding.driver)))
        yield _cut(f"{'+' if finding.good else '!'} {finding.title}. {why}"), ""
        yield from ((f"→ {_cut(action.words)}", action.link) for action in finding.actions)
    if not letter.findings:
        yield letter.nothing[0], ""


def _untold(letter: Letter, room: int) -> list[Line]:
    """A line a day, the first with what they are, and how many had no room; nothing where not one has any."""
    if letter.untold is None:
        return []
    head, rows = letter.untold.name, letter.untold.rows
    first, *more = (f"{row.name}: {'; '.join(f'{one.name} {one.value}' for one in row.figures)}" for row in rows)
    lines = list(zip((f"{head}. {first}", *more), (row.link for row in rows), strict=True))
    for count in range(len(lines), 0, -1):
        rest = say(letter.language, "mail.report.left_out", count=len(lines) - count)
        told = [*lines[:count], (rest, "")] if count < len(lines) else lines
        if _size(told) <= room:
            return told
    return []


def _figures(letter: Letter) -> Iterator[Line]:
    for one in letter.figures:
        beside = ", ".join(filter(None, (one.verdict_words, one.usual, one.plan, one.outlook)))
        yield _cut(f"{one.name}: {one.value} ({beside})" if beside else f"{one.name}: {one.value}"), ""


def _linked(line: str, link: str) -> str:
    return f'<a href="{escape(link)}">{escape(line)}</a>' if link else escape(line)


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_MOST else f"{line[: _LINE_MOST - 1]}…"


def _size(lines: Iterable[Line]) -> int:
    """How much room they take, each with its break."""
    return sum(_units(line) + 1 for line, _ in lines)


def _units(line: str) -> int:
    return len(line.encode("utf-16-le")) // 2
