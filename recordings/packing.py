"""Packs what many recordings say into the windows that Whisper hears, and gives each its words back (pure).

Whisper's cost goes by windows of thirty seconds, full or not. Seconds are those of the recording (`start`, `end`) or of
the window (`at`); an owner is one side of one recording, by any key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from recordings.transcript import Word

WINDOW_SECONDS: Final = 28.0
"""The most that one window holds; no stretch may be longer."""

APART_SECONDS: Final = 0.5
"""Silence between two owners in a window: two sentences for Whisper, and no word of one is given to the other."""


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
    """Lay the blocks into as few windows as first-fit, longest first, finds."""
    windows: list[list[Block]] = []
    for block in sorted(told, key=lambda one: one.seconds, reverse=True):
        room = next((one for one in windows if _seconds(one) + APART_SECONDS + block.seconds <= WINDOW_SECONDS), None)
        if room is None:
            windows.append([block])
        else:
            room.append(block)
    return [placed(one) for one in windows]


def unheard(window: Window, said: Mapping[Any, Sequence[Word]]) -> list[Block]:
    """Whose speech lies in a shared window and became no word: Whisper ends early where the same is said many times."""
    owners = dict.fromkeys(one.owner for one in window)
    return [
        Block(owner, tuple(one.stretch for one in window if one.owner == owner))
        for owner in owners
        if len(owners) > 1 and not said.get(owner)
    ]


def unpack(window: Window, words: Iterable[Word]) -> Mapping[Any, list[Word]]:
    """The words of each owner with the times of its own recording; a word between two owners goes to the nearer."""
    told: dict[Any, list[Word]] = {}
    for word in words:
        middle = (word.start + word.end) / 2
        placed = min(window, key=lambda one: max(one.at - middle, middle - one.until, 0.0))
        start, end = (
            round(placed.stretch.start + min(max(at, placed.at), placed.until) - placed.at, 2)
            for at in (word.start, word.end)
        )
        told.setdefault(placed.owner, []).append(Word(word.text, start, end, word.confidence))
    return told


def _seconds(window: Sequence[Block]) -> float:
    return sum(one.seconds for one in window) + APART_SECONDS * (len(window) - 1)


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
