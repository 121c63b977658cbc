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
    """The subject, what was found and what to do, and the figures, as far as they fit; the link always does."""
    opened = say(letter.language, "mail.report.open") if letter.link else ""
    head = _cut(letter.subject)
    taken, left = [f"<b>{escape(head)}</b>"], MOST - _units(head) - _units(opened) - 2
    for line in _lines(letter):
        left -= _units(line) + 1
        if left < 0:
            break
        taken.append(escape(line))
    if letter.link:
        taken.append(f'<a href="{escape(letter.link)}">{escape(opened)}</a>')
    return "\n".join(taken)


def _lines(letter: Letter) -> Iterator[str]:
    yield f"{letter.title}, {letter.period}"
    for finding in letter.findings:
        yield _cut(f"{'+' if finding.good else '!'} {finding.title}. {finding.why}")
        yield from (f"→ {_cut(action.words)}" for action in finding.actions)
    if not letter.findings:
        yield say(letter.language, "report.nothing_to_do")
    for one in letter.figures:
        beside = ", ".join(filter(None, (one.verdict_words, one.usual, one.plan)))
        yield _cut(f"{one.name}: {one.value} ({beside})")


def _cut(line: str) -> str:
    return line if len(line) <= _LINE_MOST else f"{line[: _LINE_MOST - 1]}…"


def _units(line: str) -> int:
    return len(line.encode("utf-16-le")) // 2
