"""Phone numbers in what was said: by the numbering plan, by how they are grouped, and by cues (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import phonenumbers

from recordings.cues import CueKind
from recordings.number_groups import Piece
from recordings.spoken_numbers import Run
from recordings.voices import SHORT_CUE_SECONDS, Found, Voice, Voices

_LEAST: Final = 7
_MOST: Final = 15
_RUN_MOST: Final = 48


def find(talk: Voices) -> Iterator[Found]:
    """Every phone number."""
    for voice in talk.sides:
        for run in voice.runs:
            for part in whole(talk, voice, run) or _cued_phone(talk, voice, run):
                yield Found(voice.side, "phone", part)


def whole(talk: Voices, voice: Voice, run: Run) -> list[tuple[Piece, ...]]:
    """The run cut into phone numbers; empty unless all of it is phone numbers."""
    cued = _is_phone_cued(talk, voice, run)

    def tiled(at: int) -> list[tuple[Piece, ...]] | None:
        if at == len(run.pieces):
            return []
        for end in range(at + 1, len(run.pieces) + 1):
            part = run.pieces[at:end]
            if _is_phone(part, talk.region, cued=cued) and (rest := tiled(end)) is not None:
                return [part, *rest]
        return None

    return (tiled(0) if len(run.digits) <= _RUN_MOST else None) or []


def _cued_phone(talk: Voices, voice: Voice, run: Run) -> list[tuple[Piece, ...]]:
    """A number after "my phone" that recognition heard a digit wrong of, or one of the town."""
    if not _is_phone_cued(talk, voice, run):
        return []
    near = 10 <= len(run.digits) <= 12 and run.digits[0] in "789+"
    return [run.pieces] if near or run.shape in {(3, 2, 2), (3, 4)} else []


def _is_phone_cued(talk: Voices, voice: Voice, run: Run) -> bool:
    kinds: tuple[CueKind, ...] = ("phone", "card", "account", "snils", "passport")
    cue = talk.cue_before(voice.starts(run), kinds, SHORT_CUE_SECONDS)
    return cue is not None and cue.kind == "phone"


def _is_phone(part: Sequence[Piece], region: str, *, cued: bool) -> bool:
    digits = "".join(piece.digits for piece in part)
    if not _LEAST <= len(digits) <= _MOST:
        return False
    plus = part[0].plus
    if not (plus or cued) and not _written_as_phone(digits, tuple(len(piece.digits) for piece in part), region):
        return False
    try:
        number = phonenumbers.parse(f"+{digits}" if plus else digits, region)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


def _written_as_phone(digits: str, shape: tuple[int, ...], region: str) -> bool:
    """Whether these digits are taken for a phone number without anybody saying so."""
    if region == "RU":
        with_prefix = len(digits) == 11 and digits[0] in "78"
        return with_prefix or (len(digits) == 10 and (digits[0] == "9" or (shape[0] == 3 and len(shape) > 2)))
    return digits[0] == "0" or shape in {(3, 3, 4), (1, 3, 3, 4)} or (len(digits) == 11 and digits[0] == "1")
