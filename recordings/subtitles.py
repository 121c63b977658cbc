"""A transcript as subtitles, SubRip and WebVTT (pure). Source: W3C's WebVTT; SubRip has no standard but its players."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import wrap
from typing import Any, Final

LINES_MOST: Final = 2
LINE_CHARACTERS: Final = 42
CUE_SECONDS_MOST: Final = 7.0
_CUE_SECONDS_LEAST: Final = 0.7
_PAUSE_SECONDS: Final = 1.0
_HAIR: Final = 0.002
_ENDS: Final = (".", "!", "?", "…")
_NO_TAGS: Final = str.maketrans("<>", "‹›")
"""SubRip has no way to escape; what looks like a tag is not shown."""

_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class Cue:
    """What is shown from `start` to `end`, seconds: one or two lines of one side, without markup."""

    side: str
    start: float
    end: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """A word, or as much of one as a line holds."""

    text: str
    start: float
    end: float


def cues(words: Iterable[Mapping[str, Any]]) -> tuple[Cue, ...]:
    """The words of a transcript (`recordings.tables`) as cues by time; those of one side never overlap."""
    by_side: dict[str, list[_Part]] = {}
    for word in sorted(words, key=lambda word: (float(word["start"]), float(word["end"]))):
        start = max(float(word["start"]), 0.0)
        text = _line(str(word["text"]))
        parts = [_Part(part, start, max(float(word["end"]), start)) for part in wrap(text, LINE_CHARACTERS)]
        by_side.setdefault(str(word["side"]), []).extend(parts)
    found = [cue for side, parts in by_side.items() for cue in _timed(side, list(_groups(parts)))]
    return tuple(sorted(found, key=lambda cue: (cue.start, cue.end, cue.side)))


def to_srt(told: Iterable[Cue], names: Mapping[str, str]) -> str:
    """SubRip; each cue begins with the name of its side."""
    blocks = []
    for number, cue in enumerate(told, 1):
        lines = [f"{_line(names.get(cue.side, cue.side))}: {cue.lines[0]}", *cue.lines[1:]]
        lines = [line.translate(_NO_TAGS) for line in lines]
        blocks.append("\n".join([str(number), f"{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}", *lines, ""]))
    return "\n".join(blocks)


def to_vtt(told: Iterable[Cue], names: Mapping[str, str]) -> str:
    """WebVTT; the side's name is the voice of its cue."""
    blocks = ["WEBVTT\n"]
    for cue in told:
        said = "\n".join(_escaped(line) for line in cue.lines)
        voice = _escaped(_line(names.get(cue.side, cue.side)))
        blocks.append(f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n<v {voice}>{said}\n")
    return "\n".join(blocks)


def _groups(parts: Sequence[_Part]) -> Iterable[list[_Part]]:
    """Parts that are shown together: a sentence, as far as two lines and seven seconds hold it."""
    group: list[_Part] = []
    for part in parts:
        if group and not _fits(group, part):
            yield group
            group = []
        group.append(part)
    if group:
        yield group


def _fits(group: Sequence[_Part], part: _Part) -> bool:
    last = group[-1]
    together = " ".join(one.text for one in (*group, part))
    return (
        not last.text.endswith(_ENDS)
        and part.start - last.end < _PAUSE_SECONDS
        and part.end - group[0].start <= CUE_SECONDS_MOST
        and len(wrap(together, LINE_CHARACTERS)) <= LINES_MOST
    )


def _timed(side: str, groups: Sequence[Sequence[_Part]]) -> Iterable[Cue]:
    """Cues that begin with their first word and end with their last, or when the next one begins."""
    starts: list[float] = []
    for group in groups:
        # Two groups never begin at once: the one behind would hide the other.
        starts.append(max(group[0].start, starts[-1] + _HAIR if starts else 0.0))
    for group, (start, limit) in zip(groups, pairwise([*starts, float("inf")]), strict=True):
        wanted = max(*(one.end for one in group), start + _CUE_SECONDS_LEAST)
        end = min(wanted, start + CUE_SECONDS_MOST, limit)
        yield Cue(side, start, end, tuple(wrap(" ".join(one.text for one in group), LINE_CHARACTERS)))


def _clock(seconds: float, point: str) -> str:
    whole = round(seconds * 1000)
    minutes, rest = divmod(whole, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{point}{rest % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _line(text: str) -> str:
    return " ".join(_UNSEEN.sub(" ", text).split())
