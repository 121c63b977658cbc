"""What is to be heard and what was: the shapes that pass between the service and its listening processes (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from recordings.transcript import Word


class SpeechError(Exception):
    """Sound could not be turned into words; the text is one line for the operator."""


class ModelMissingError(SpeechError):
    """The model cannot be loaded."""


class AudioError(SpeechError):
    """The file cannot be read as sound. Trying again will not help."""


class SpeechDiedError(SpeechError):
    """Whatever listened to it died (killed, out of memory), each time that it was tried."""


@dataclass(frozen=True, slots=True)
class Track:
    """One voice track of a file: its left (0) or right (1) channel, or all channels mixed (None)."""

    path: str
    channel: int | None = None


@dataclass(frozen=True, slots=True)
class Talk:
    """The tracks of one recording, by any keys. `language` None: heard on each; `hint` where nothing else tells.

    `seconds`: about how long it lasts, 0 when that is not known; `rank`: the highest is heard first.
    """

    tracks: Mapping[Any, Track]
    language: str | None = None
    hint: str | None = None
    seconds: float = 0.0
    rank: float = 0.0


@dataclass(frozen=True, slots=True)
class Side:
    """What one track says, in which language (None: it says nothing)."""

    words: tuple[Word, ...]
    language: str | None


@dataclass(frozen=True, slots=True)
class Heard:
    """What was said in one recording. `took_seconds` is its share of the work, without loading the model.

    `sides` by the keys that the tracks were asked with.
    """

    sides: Mapping[Any, Side]
    language: str
    audio_seconds: float
    took_seconds: float
    model: str
    device: str = "cpu"

    @property
    def words(self) -> dict[Any, tuple[Word, ...]]:
        """The words by side."""
        return {name: side.words for name, side in self.sides.items()}

    @property
    def realtime_factor(self) -> float:
        """Seconds of work a second of talk; below 1 is faster than people speak."""
        return self.took_seconds / self.audio_seconds if self.audio_seconds else 0.0


def on_one_line(heard: Heard, offsets: Mapping[str, float], seconds: float) -> Heard:
    """What was heard by (channel, side) as the two sides of a call of `seconds`: each channel begins at its offset."""
    sides: dict[str, Side] = {}
    for side in dict.fromkeys(side for _, side in heard.sides):
        told = {channel: one for (channel, name), one in heard.sides.items() if name == side}
        words = [
            replace(word, start=round(word.start + offsets[channel], 2), end=round(word.end + offsets[channel], 2))
            for channel, one in told.items()
            for word in one.words
        ]
        most = max(told.values(), key=lambda one: len(one.words))
        sides[side] = Side(tuple(sorted(words, key=lambda word: (word.start, word.end))), most.language)
    return replace(heard, sides=sides, audio_seconds=seconds)
