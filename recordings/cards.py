"""Numbers of payment cards in what was said, with their terms and codes (pure). In doubt it is a card's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from recordings import phones
from recordings.cues import Cue, CueKind
from recordings.number_groups import Piece
from recordings.spoken_numbers import Run, readings
from recordings.voices import CUE_SECONDS, SHORT_CUE_SECONDS, Found, Voice, Voices

_LEAST: Final = 13
_MOST: Final = 19
_CUED_LEAST: Final = 11
_CUED_MOST: Final = 32
_CONTEXT_SECONDS: Final = 120.0
_BREAK_WORDS: Final = 3
_CUED_BREAK_WORDS: Final = 6
_SHAPES: Final = ((4, 4, 4, 4), (4, 6, 5), (2,) * 8)
_USUAL: Final = 16
_USUAL_FIRST: Final = "23456"


def luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1)."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def find(talk: Voices) -> Iterator[Found]:
    """Every card's number."""
    for voice in talk.sides:
        done: set[Piece] = set()
        free = [run for run in voice.runs if not phones.whole(talk, voice, run)]
        for taken in (*_whole(talk, voice, free), *_broken(talk, voice, free)):
            if done.isdisjoint(taken):
                done.update(taken)
                yield Found(voice.side, "card", taken)


def _whole(talk: Voices, voice: Voice, free: Iterable[Run]) -> Iterator[tuple[Piece, ...]]:
    for run in free:
        cue = _card_cue(talk, voice, run)
        cued = cue == "card" and _CUED_LEAST <= len(run.digits) <= _CUED_MOST
        if cued or _is_card(run, cue):
            yield run.pieces
        elif cue != "account":
            yield from _inside(run)


def _broken(talk: Voices, voice: Voice, free: Sequence[Run]) -> Iterator[tuple[Piece, ...]]:
    """A card that other words stand in: "4276 3800, записали? 1234 5678"."""
    for first, run in enumerate(free):
        told, size, cued = run.pieces, len(run.digits), _card_cue(talk, voice, run) == "card"
        for before, after in pairwise(free[first:]):
            size += len(after.digits)
            if size > _CUED_MOST or not voice.near(before, after, _CUED_BREAK_WORDS if cued else _BREAK_WORDS):
                break
            told += after.pieces
            digits = "".join(piece.digits for piece in told)
            if _is_usual(digits) and luhn(digits):
                yield told
                break
        if cued and told != run.pieces and sum(len(piece.digits) for piece in told) >= _LEAST:
            yield told


def _is_card(run: Run, cue: CueKind | None) -> bool:
    """By the check digit; or grouped as cards are, though a digit was heard wrong.

    What was just called an order or an account is a card only when it looks like most cards do.
    """
    if cue == "account":
        return _is_usual(run.digits) and luhn(run.digits)
    if run.shape in _SHAPES and run.digits[0] in _USUAL_FIRST:
        return True
    if len(run.digits) > _CUED_MOST:
        return False
    as_heard, *meant = readings(run.pieces)
    likely = _LEAST <= len(as_heard) <= _MOST and as_heard[0] != "0" and luhn(as_heard)
    return likely or any(_is_usual(digits) and luhn(digits) for digits in meant)


def _card_cue(talk: Voices, voice: Voice, run: Run) -> CueKind | None:
    cue = talk.cue_before(voice.starts(run), ("card", "account", "snils", "phone"), CUE_SECONDS)
    # A phone's number is a phone's; what is longer is asked for by the cue before.
    if cue is not None and cue.kind == "phone" and len(run.digits) > _CUED_LEAST:
        cue = talk.cue_before(voice.starts(run), ("card", "account", "snils"), CUE_SECONDS)
    return cue.kind if cue is not None else None


def codes(talk: Voices, known: Sequence[Found]) -> Iterator[Found]:
    """The code on the back or of a message, and until when a card is good; only where a card is spoken of."""
    spoken = [cue.at for cue in talk.cues if cue.kind == "card"]
    spoken += [voice.starts(one.pieces[0]) for voice in talk.sides for one in known if _card_of(one, voice)]
    for cue in talk.cues:
        if cue.kind not in {"cvc", "code", "expiry"}:
            continue
        if any(0 <= cue.at - at <= _CONTEXT_SECONDS for at in spoken):
            yield from _short(talk, cue)


def _short(talk: Voices, cue: Cue) -> Iterator[Found]:
    least, most = {"cvc": (3, 4), "code": (3, 6), "expiry": (1, 6)}[cue.kind]
    for voice in talk.sides:
        after = [run for run in voice.runs if 0 <= voice.starts(run) - cue.at <= SHORT_CUE_SECONDS]
        for run in after[: 2 if cue.kind == "expiry" else 1]:
            if least <= len(run.digits) <= most and (cue.kind == "expiry" or not run.pieces[-1].ends):
                yield Found(voice.side, "card", run.pieces)


def _card_of(found: Found, voice: Voice) -> bool:
    return found.kind == "card" and found.side == voice.side


def _is_usual(digits: str) -> bool:
    """Sixteen digits as most cards have, or American Express's fifteen."""
    return (len(digits) == _USUAL and digits[0] in _USUAL_FIRST) or (len(digits) == 15 and digits[0] == "3")


def _inside(run: Run) -> Iterator[tuple[Piece, ...]]:
    """A card among more digits that were said in one go."""
    at = 0
    while at < len(run.pieces):
        end, digits = at, ""
        while end < len(run.pieces) and len(digits) < _USUAL:
            digits += run.pieces[end].digits
            end += 1
            if _is_usual(digits) and luhn(digits):
                yield run.pieces[at:end]
                at = end - 1
                break
        at += 1
