"""The sides of a talk as they are searched for numbers, and what is found of them (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from directory.masking import MaskKind
from recordings.cues import Cue, CueKind, cues
from recordings.number_groups import Piece
from recordings.spoken_numbers import Run, pieces, plain, runs
from recordings.transcript import Word

CUE_SECONDS: Final = 60.0
"""For so long a cue asks for the number that comes next."""

SHORT_CUE_SECONDS: Final = 20.0
_BREAK_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Voice:
    """One side's words as they are searched."""

    side: str
    words: Sequence[Word]

    @cached_property
    def plain(self) -> list[str]:
        """The words as they are looked up; what is masked already, or is a sound as [music], is none."""
        return ["[]" if word.text.lstrip().startswith("[") else plain(word.text) for word in self.words]

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """Every group of digits."""
        return pieces([word.text for word in self.words])

    @cached_property
    def runs(self) -> tuple[Run, ...]:
        """The groups that belong together; a long pause parts them."""
        found = runs(self.pieces, [word.text for word in self.words])
        return tuple(part for run in found for part in self._unbroken(run))

    def starts(self, run: Run | Piece) -> float:
        """When its first word begins."""
        return self.words[run.first].start

    def ends(self, run: Run | Piece) -> float:
        """When its last word ends."""
        return self.words[run.last].end

    def near(self, before: Run | Piece, after: Run | Piece, words_most: int) -> bool:
        """Whether so little was said, in so little time, that both may be one number."""
        pause = self.starts(after) - self.ends(before)
        return after.first - before.last - 1 <= words_most and pause <= _BREAK_SECONDS

    def _unbroken(self, run: Run) -> Iterator[Run]:
        at = 0
        for place, (before, after) in enumerate(pairwise(run.pieces), 1):
            if self.starts(after) - self.ends(before) > _BREAK_SECONDS:
                yield Run(run.pieces[at:place])
                at = place
        yield Run(run.pieces[at:])


@dataclass(frozen=True, slots=True)
class Found:
    """A number of some kind, said by a side in these pieces."""

    side: str
    kind: MaskKind
    pieces: tuple[Piece, ...]

    @property
    def digits(self) -> str:
        """Its digits as heard."""
        return "".join(piece.digits for piece in self.pieces)


class Voices:
    """The sides of one talk with their cues; `region` is whose national phone numbers are meant."""

    def __init__(self, sides: Sequence[Voice], region: str) -> None:
        self.sides = sides
        self.region = region
        self.cues = sorted(
            (cue for voice in sides for cue in cues(voice.side, voice.plain, [word.start for word in voice.words])),
            key=lambda cue: cue.at,
        )

    def cue_before(self, at: float, kinds: tuple[CueKind, ...], seconds: float) -> Cue | None:
        """The last cue of these kinds that was said not long before, by whichever side."""
        told = [cue for cue in self.cues if cue.kind in kinds and 0 <= at - cue.at <= seconds]
        return told[-1] if told else None
