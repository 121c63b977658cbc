"""A report as the caption of a picture in a chat: no longer than a caption may be (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from web.reports.letter import Letter
from web.words import say

MOST: Final = 1024
"""What Telegram takes as a caption, in units of UTF-16 as it is read (https://core.telegram.org/bots/api#sendphoto)."""

_LINE_MOST: Final = 300


def caption_of(letter: Letter) -> str:
    """The subject, what was found and what to do, and the figures, as far as they fit; the link always does.

    Where a link leads does not count.
    """
    opened = say(letter.language, "mail.report.open") if letter.link else ""
    head = _cut(letter.subject)
    taken, left = [f"<b>{escape(head)}</b>"], MOST - _units(head) - _units(opened) - 2
    for line, link in _lines(letter):
        left -= _units(line) + 1
        if left < 0:
            break
        taken.append(_linked(line, link))
    if letter.link:
        taken.append(_linked(opened, letter.link))
    return "\n".join(taken)


def _lines(letter: Letter) -> Iterator[tuple[str, str]]:
    """Each line, and where it leads, "" for nowhere."""
    yield f"{letter.title}, {letter.period}", ""
    if letter.lacks:
        yield _cut(" ".join(letter.lacks)), ""
    for finding in letter.findings:
        why = " ".join(filter(None, (finding.why, finding.driver)))
        yield _cut(f"{'+' if finding.good else '!'} {finding.title}. {why}"), ""
        yield from ((f"→ {_cut(action.words)}", action.link) for action in finding.actions)
    if not letter.findings:
        yield letter.nothing[0], ""
    for one in letter.figures:
        beside = ", ".join(filter(None, (one.verdict_words, one.usual, one.plan, one.outlook)))
        yield _cut(f"{one.name}: {one.value} ({beside})" if beside else f"{one.name}: {one.value}"), ""


def _linked(line: str, link: str) -> str:
    return f'<a href="{escape(link)}">{escape(line)}</a>' if link else escape(line)


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_MOST else f"{line[: _LINE_MOST - 1]}…"


def _units(line: str) -> int:
    return len(line.encode("utf-16-le")) // 2
