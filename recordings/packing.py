"""Packs what many recordings say into the windows that Whisper hears, and gives each its words back (pure).

Whisper's cost goes by windows of thirty seconds, full or not. Seconds are those of the recording (`start`, `end`) or of
the window (`at`); an owner is one side of one recording, by any key.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from recordings.transcript import Word

WINDOW_SECONDS: Final = 28.0
"""The most that one window holds; no stretch may be longer."""

SHARED_SECONDS: Final = 16.0
"""The most that several share: to hear twice as long a window costs more than twice, and no more words are right."""

APART_SECONDS: Final = 0.5
"""Silence between two owners in a window: two sentences for Whisper, and no word of one is given to the other."""

PADDING_SECONDS: Final = 0.4
"""Voice detection leaves so much silence at most on either side of a stretch."""

UNHEARD_SECONDS: Final = 0.65
"""Speech without a word for so long was not heard: of 136 stretches that were heard whole none had more than 0.48 s."""

_LETTER_SECONDS: Final = 0.15
_WORD_SECONDS: Final = 0.5
"""No word lasts longer than this and so much for each of its letters."""
_LETTERS_A_SECOND: Final = 30
_GOES_ROUND: Final = 2.4
"""Text that can be written so many times shorter says the same again and again: Whisper's own limit."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of speech in a recording."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Block:
    """Stretches of one owner that stay together, in the order of time."""

    owner: Any
    stretches: tuple[Stretch, ...]

    @property
    def seconds(self) -> float:
        """How long its speech lasts."""
        return sum(one.seconds for one in self.stretches)


@dataclass(frozen=True, slots=True)
class Placed:
    """A stretch in a window: it begins there at `at`."""

    owner: Any
    stretch: Stretch
    at: float

    @property
    def until(self) -> float:
        """Where it ends in the window."""
        return self.at + self.stretch.seconds


Window = tuple[Placed, ...]
Piece = tuple[Any, Stretch]
"""An owner's stretch."""
Said = Mapping[Piece, Sequence[Word]]
"""What was heard in each."""


class Blocks:
    """Takes stretches as they come, each owner's in the order of time, and gives them as blocks that fit a window."""

    def __init__(self) -> None:
        self._full: list[Block] = []
        self._held: dict[Any, list[Stretch]] = {}

    def add(self, owner: Any, stretch: Stretch) -> None:
        """Take one more stretch of this owner."""
        held = self._held.setdefault(owner, [])
        if held and sum(one.seconds for one in held) + stretch.seconds > WINDOW_SECONDS:
            self._full.append(Block(owner, tuple(held)))
            held.clear()
        held.append(stretch)

    def take_full(self, count: int) -> list[Block]:
        """Blocks that nothing more would fit in, once there are `count` of them; nothing before."""
        if len(self._full) < count:
            return []
        full, self._full = self._full, []
        return full

    def take(self) -> list[Block]:
        """All the blocks that there are, full or not."""
        rest = [Block(owner, tuple(held)) for owner, held in self._held.items() if held]
        full, self._full, self._held = self._full, [], {}
        return [*full, *rest]


def pack(told: Sequence[Block]) -> list[Window]:
    """Lay the blocks into as few windows as first-fit, longest first, finds; in each as they came.

    So both sides of a talk stand together as they were said: Whisper loses count of what is alike in a row, as what is
    equally long may be.
    """
    windows: list[list[int]] = []
    for index in sorted(range(len(told)), key=lambda one: told[one].seconds, reverse=True):
        fits = (one for one in windows if _seconds(told, one) + APART_SECONDS + told[index].seconds <= SHARED_SECONDS)
        window = next(fits, None)
        if window is None:
            windows.append([index])
        else:
            window.append(index)
    return [placed([told[index] for index in sorted(one)]) for one in windows]


def disbelieved(window: Window, words: Sequence[Word], said: Said) -> bool:
    """Whether Whisper went round where several talks share the window: then it may tell words of one for another's."""
    text = " ".join(word.text for word in words).encode()
    goes_round = len(text) > _GOES_ROUND * len(zlib.compress(text))
    return goes_round and len({one.owner for one in window}) > 1 and bool(half_heard(blocks_of(window), said))


def half_heard(told: Sequence[Block], said: Said) -> list[Block]:
    """What of these blocks became fewer words than so much speech holds, to be heard again.

    Whisper ends early, or leaves out a sentence, where many voices share a window or the same is said again and again.
    """
    found = (
        Block(one.owner, tuple(part for part in one.stretches if _is_missed(part, said.get((one.owner, part), ()))))
        for one in told
    )
    return [one for one in found if one.stretches]


def blocks_of(window: Window) -> list[Block]:
    """What lies in a window."""
    owners = dict.fromkeys(one.owner for one in window)
    return [Block(owner, tuple(one.stretch for one in window if one.owner == owner)) for owner in owners]


def apart(told: Iterable[Block]) -> list[Block]:
    """Each stretch by itself, of blocks that have several."""
    return [Block(one.owner, (part,)) for one in told if len(one.stretches) > 1 for part in one.stretches]


def better(before: Sequence[Word], after: Sequence[Word], stretch: Stretch) -> bool:
    """Whether what was heard again is more of the stretch, and no more than anybody says in it."""
    most = _LETTERS_A_SECOND * stretch.seconds
    return _letters(after) <= most and (_letters(after) > _letters(before) or _letters(before) > most)


def _letters(words: Iterable[Word]) -> int:
    return sum(sum(map(str.isalnum, word.text)) for word in words)


def _is_missed(stretch: Stretch, words: Sequence[Word]) -> bool:
    """Whether some of it became no word, or all of it more words than anybody says."""
    if not words:
        return stretch.seconds > 2 * PADDING_SECONDS
    until, longest = stretch.start + PADDING_SECONDS, 0.0
    for word in sorted(words, key=lambda one: one.start):
        longest = max(longest, word.start - until)
        until = max(until, min(word.end, word.start + _WORD_SECONDS + _LETTER_SECONDS * _letters([word])))
    longest = max(longest, stretch.end - PADDING_SECONDS - until)
    return longest > UNHEARD_SECONDS or _letters(words) > _LETTERS_A_SECOND * stretch.seconds


def unpack(window: Window, words: Iterable[Word]) -> dict[Piece, list[Word]]:
    """The words of each stretch with the times of its own recording; a word between two goes to the nearer."""
    told: dict[Piece, list[Word]] = {}
    for word in words:
        middle = (word.start + word.end) / 2
        placed = min(window, key=lambda one: max(one.at - middle, middle - one.until, 0.0))
        start, end = (
            round(placed.stretch.start + min(max(at, placed.at), placed.until) - placed.at, 2)
            for at in (word.start, word.end)
        )
        told.setdefault((placed.owner, placed.stretch), []).append(Word(word.text, start, end, word.confidence))
    return told


def _seconds(told: Sequence[Block], window: Sequence[int]) -> float:
    return sum(told[index].seconds for index in window) + APART_SECONDS * (len(window) - 1)


def placed(window: Sequence[Block]) -> Window:
    """The blocks one after another."""
    told: list[Placed] = []
    at = 0.0
    for block in window:
        for stretch in block.stretches:
            told.append(Placed(block.owner, stretch, at))
            at += stretch.seconds
        at += APART_SECONDS
    return tuple(told)
