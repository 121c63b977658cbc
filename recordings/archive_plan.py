"""What an archive is made of: which sound goes where on the call's line, and what of it nobody may hear (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from calls.call import Call
from recordings.names import SIDES
from recordings.parts import Placed, line_of

Span = tuple[float, float]
"""Seconds on the call's line: from, to."""

_HAIR: Final = 0.002


@dataclass(frozen=True, slots=True)
class Side:
    """One stored side: its name in the store and what it is."""

    channel: str
    side: str
    path: str
    sha256: str
    seconds: float


@dataclass(frozen=True, slots=True)
class ArchivedPart:
    """What was recorded on one channel, as it lies in the archive; `sides`: the SHA-256 of each as it was stored."""

    channel: str
    offset: float
    seconds: float
    sides: Mapping[str, str]

    @property
    def placed(self) -> Placed:
        """Where it is on the call's line."""
        return Placed(self.channel, self.offset, self.seconds)


@dataclass(frozen=True, slots=True)
class Made:
    """The archive as it is: its name, what is in it, what is silent in it; `original`: the name of the unmuted one."""

    path: str
    parts: Sequence[ArchivedPart]
    masked: Sequence[Span] = ()
    original: str | None = None

    def holds(self, channel: str, side: str, sha256: str | None) -> bool:
        """Tell whether that very sound is in it."""
        return any(part.channel == channel and part.sides.get(side) == sha256 for part in self.parts)


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound of one side that begins at `offset` of the line: a whole WAV, or so much of an archive from `begin` on."""

    path: str
    side: str
    offset: float
    begin: float = 0.0
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made. `whole`: no piece comes from sound that was muted already."""

    pieces: Sequence[Piece]
    parts: Sequence[ArchivedPart]
    muted: Sequence[Span]
    whole: bool

    def is_done(self, archives: Sequence[Made], *, keeps_original: bool) -> bool:
        """Tell whether the one archive is already so."""
        if len(archives) != 1 or any(piece.seconds is None for piece in self.pieces):
            return False
        made = archives[0]
        lacks_original = keeps_original and self.whole and bool(self.muted) and made.original is None
        keeps_too_much = made.original is not None and not keeps_original
        return list(self.muted) == list(made.masked) and not lacks_original and not keeps_too_much


def plan(
    call: Call, sides: Iterable[Side], archives: Sequence[Made], masked: Iterable[Span], *, late: bool = False
) -> Plan:
    """How the stored sides, and what archives hold already, become one file with `masked` seconds silent.

    There are several archives when calls that had one each turned out to be one.

    `late`: sound came since `masked` was told, so it is of an earlier line. Then what is silent in an archive stays so.
    """
    told = list(sides)
    new = [one for one in told if not any(made.holds(one.channel, one.side, one.sha256) for made in archives)]
    parts = [part for made in archives for part in made.parts]
    lengths = {part.channel: part.seconds for part in parts}
    for one in new:
        lengths[one.channel] = max(lengths.get(one.channel, 0.0), one.seconds)
    placed = line_of(call, lengths) if new or len(archives) != 1 else [part.placed for part in parts]
    offsets = {one.channel: one.offset for one in placed}
    kept = {(part.channel, side): sha256 for part in parts for side, sha256 in part.sides.items()}
    kept |= {(one.channel, one.side): one.sha256 for one in new}
    replaced = {(one.channel, one.side) for one in new}
    old = [piece for made in archives for piece in _old(made, offsets, replaced)]
    before = [span for made in archives if late or made.original is None for span in _moved(made, offsets)]
    return Plan(
        pieces=[*(Piece(one.path, one.side, offsets[one.channel]) for one in new), *old],
        parts=[
            ArchivedPart(
                one.channel,
                one.offset,
                one.seconds,
                {side: kept[one.channel, side] for side in SIDES if (one.channel, side) in kept},
            )
            for one in placed
        ],
        muted=merged([*(() if archives and late else masked), *before]),
        whole=all(made.original is not None or not made.masked for made in archives),
    )


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same seconds without overlaps, in order."""
    found: list[Span] = []
    for since, until in sorted((round(since, 3), round(until, 3)) for since, until in spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        elif until > since:
            found.append((since, until))
    return found


def _clusters(parts: Sequence[ArchivedPart]) -> list[list[ArchivedPart]]:
    """Parts that sound at the same time cannot be told apart any more: they move together."""
    found: list[list[ArchivedPart]] = []
    for part in sorted(parts, key=lambda one: one.offset):
        if found and part.offset < max(one.placed.end for one in found[-1]) - _HAIR:
            found[-1].append(part)
        else:
            found.append([part])
    return found


def _old(made: Made, offsets: Mapping[str, float], replaced: set[tuple[str, str]]) -> list[Piece]:
    """What is taken over from the archive: each side of each cluster, unless all of it was stored anew."""
    pieces = []
    for cluster in _clusters(made.parts):
        begin, end = cluster[0].offset, max(part.placed.end for part in cluster)
        for side in SIDES:
            if any(side in part.sides and (part.channel, side) not in replaced for part in cluster):
                name = made.original or made.path
                pieces.append(Piece(name, side, offsets[cluster[0].channel], begin, round(end - begin, 3)))
    return pieces


def _moved(made: Made, offsets: Mapping[str, float]) -> list[Span]:
    """What is silent in the archive, where it lies on the line now."""
    found = []
    for cluster in _clusters(made.parts):
        begin, end = cluster[0].offset, max(part.placed.end for part in cluster)
        by = offsets[cluster[0].channel] - begin
        found += [(max(one, begin) + by, min(two, end) + by) for one, two in made.masked if one < end and two > begin]
    return found
