"""Which numbers of a talk are a card's, a phone's, a passport's or a SNILS (pure).

What is found rests on the number itself (Luhn, a numbering plan, a checksum), on how it is grouped, and on cues said
before it by either side. In doubt a card is masked: its number in a transcript costs more than a masked order number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from recordings import cards, phones
from recordings.cues import CueKind
from recordings.voices import CUE_SECONDS, Found, Voice, Voices

_ECHO_SECONDS: Final = 20.0
_PART_LEAST: Final = 4
_PASSPORT_SHAPES: Final = ((4, 6), (2, 2, 6), (2, 2, 3, 3))


def find(sides: Sequence[Voice], region: str) -> list[Found]:
    """Every number that is somebody's; `region` is whose national phone numbers are meant. Nothing is found twice."""
    talk = Voices(sides, region)
    found: list[Found] = []
    for finder in (cards.find, _snils, phones.find, _passports):
        found += _free(finder(talk), found)
    found += _free(cards.codes(talk, found), found)
    return [*found, *_repeated(talk, found)]


def _free(told: Iterable[Found], found: Sequence[Found]) -> list[Found]:
    """Those of whose pieces none is in what was found before."""
    taken = {(one.side, piece) for one in found for piece in one.pieces}
    return [one for one in told if not any((one.side, piece) in taken for piece in one.pieces)]


def snils(digits: str) -> bool:
    """Whether these are the eleven digits of a SNILS and their control number is right."""
    if len(digits) != 11:
        return False
    total = sum(int(digit) * (9 - at) for at, digit in enumerate(digits[:9]))
    return total % 101 % 100 == int(digits[9:])


def _snils(talk: Voices) -> Iterator[Found]:
    for voice in talk.sides:
        for run in voice.runs:
            cue = talk.cue_before(voice.starts(run), ("snils", "phone", "card", "account"), CUE_SECONDS)
            cued = cue is not None and cue.kind == "snils"
            checked = snils(run.digits) and not phones.whole(talk, voice, run)
            if checked or (cued and 10 <= len(run.digits) <= 12):
                yield Found(voice.side, "snils", run.pieces)


def _passports(talk: Voices) -> Iterator[Found]:
    for voice in talk.sides:
        for run in voice.runs:
            kinds: tuple[CueKind, ...] = ("passport", "phone", "card", "account", "snils", "code")
            cue = talk.cue_before(voice.starts(run), kinds, CUE_SECONDS)
            cued = cue is not None and cue.kind == "passport"
            grouped = run.shape in _PASSPORT_SHAPES and (cue is None or cue.kind != "account")
            if not run.pieces[-1].ends and (grouped or (cued and len(run.digits) in _passport_sizes(talk.region))):
                yield Found(voice.side, "passport", run.pieces)


def _passport_sizes(region: str) -> frozenset[int]:
    """Series, number, or both in Russia; the number elsewhere."""
    return frozenset({4, 6, 10}) if region == "RU" else frozenset(range(6, 11))


def _repeated(talk: Voices, found: Sequence[Found]) -> Iterator[Found]:
    """Parts of found numbers that are said again: a few digits right beside, longer parts anywhere in the talk."""
    at = {voice.side: voice for voice in talk.sides}
    taken = {(one.side, piece) for one in found for piece in one.pieces}
    for voice in talk.sides:
        for run in voice.runs:
            if any((voice.side, piece) in taken for piece in run.pieces):
                continue
            told = run.digits
            for one in found:
                beside = at[one.side]
                near = (
                    beside.starts(one.pieces[0]) - _ECHO_SECONDS
                    <= voice.starts(run)
                    <= beside.ends(one.pieces[-1]) + _ECHO_SECONDS
                )
                if told in one.digits and len(told) >= (2 if near and not run.pieces[-1].ends else _PART_LEAST):
                    yield Found(voice.side, one.kind, run.pieces)
                    break
