"""Which numbers of a talk are a card's, a phone's, a passport's or a SNILS (pure).

What is found rests on the number itself (Luhn, a numbering plan, a checksum), on how it is grouped, and on cues said
before it by either side. In doubt a card is masked: its number in a transcript costs more than a masked order number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

import phonenumbers

from directory.masking import MaskKind
from recordings.cues import Cue, CueKind, cues
from recordings.number_groups import Piece
from recordings.spoken_numbers import Run, pieces, plain, readings, runs
from recordings.transcript import Word

CARD_LEAST: Final = 13
CARD_MOST: Final = 19
_CUED_LEAST: Final = 11
_CUED_MOST: Final = 32
_CUE_SECONDS: Final = 60.0
_CONTEXT_SECONDS: Final = 120.0
_SHORT_CUE_SECONDS: Final = 20.0
_BREAK_SECONDS: Final = 20.0
_BREAK_WORDS: Final = 3
_CUED_BREAK_WORDS: Final = 6
_ECHO_SECONDS: Final = 20.0
_CARD_SHAPES: Final = ((4, 4, 4, 4), (4, 6, 5), (2,) * 8)
_USUAL_FIRST: Final = "23456"
_PASSPORT_SHAPES: Final = ((4, 6), (2, 2, 6), (2, 2, 3, 3))


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


def find(sides: Sequence[Voice], region: str) -> list[Found]:
    """Every number that is somebody's; `region` is whose national phone numbers are meant. Nothing is found twice."""
    search = _Search(sides, region)
    found: list[Found] = []
    for finder in (search.cards, search.snils, search.phones, search.passports, search.codes):
        taken = {(one.side, piece) for one in found for piece in one.pieces}
        found += [one for one in finder(found) if not any((one.side, piece) in taken for piece in one.pieces)]
    return [*found, *search.repeated(found)]


def luhn(digits: str) -> bool:
    """Whether the check digit is right (ISO/IEC 7812-1)."""
    total = 0
    for at, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + at % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def snils(digits: str) -> bool:
    """Whether these are the eleven digits of a SNILS and their control number is right."""
    if len(digits) != 11:
        return False
    total = sum(int(digit) * (9 - at) for at, digit in enumerate(digits[:9]))
    return total % 101 % 100 == int(digits[9:])


class _Search:
    """The sides of one talk with their cues."""

    def __init__(self, sides: Sequence[Voice], region: str) -> None:
        self.sides = sides
        self.region = region
        self.cues = sorted(
            (cue for voice in sides for cue in cues(voice.side, voice.plain, [word.start for word in voice.words])),
            key=lambda cue: cue.at,
        )

    # --- cards ---

    def cards(self, _known: Sequence[Found]) -> Iterator[Found]:
        for voice in self.sides:
            done: set[Piece] = set()
            free = [run for run in voice.runs if not self._phone_runs(voice, run)]
            for taken in (*self._whole(voice, free), *self._broken(voice, free)):
                if done.isdisjoint(taken):
                    done.update(taken)
                    yield Found(voice.side, "card", taken)

    def _whole(self, voice: Voice, free: Iterable[Run]) -> Iterator[tuple[Piece, ...]]:
        for run in free:
            cue = self._card_cue(voice, run)
            cued = cue == "card" and _CUED_LEAST <= len(run.digits) <= _CUED_MOST
            if cued or self._is_card(run, cue):
                yield run.pieces
            elif cue != "account":
                yield from _inside(run)

    def _broken(self, voice: Voice, free: Sequence[Run]) -> Iterator[tuple[Piece, ...]]:
        """A card that other words stand in: "4276 3800, записали? 1234 5678"."""
        for first, run in enumerate(free):
            told, size, cued = run.pieces, len(run.digits), self._card_cue(voice, run) == "card"
            for before, after in pairwise(free[first:]):
                size += len(after.digits)
                if size > _CUED_MOST or not voice.near(before, after, _CUED_BREAK_WORDS if cued else _BREAK_WORDS):
                    break
                told += after.pieces
                digits = "".join(piece.digits for piece in told)
                if _is_usual(digits) and luhn(digits):
                    yield told
                    break
            if cued and told != run.pieces and sum(len(piece.digits) for piece in told) >= CARD_LEAST:
                yield told

    def _is_card(self, run: Run, cue: CueKind | None) -> bool:
        """By the check digit; or grouped as cards are, though a digit was heard wrong.

        What was just called an order or an account is a card only when it looks like most cards do.
        """
        if cue == "account":
            return _is_usual(run.digits) and luhn(run.digits)
        if run.shape in _CARD_SHAPES and run.digits[0] in _USUAL_FIRST:
            return True
        as_heard, *meant = readings(run.pieces)
        likely = CARD_LEAST <= len(as_heard) <= CARD_MOST and as_heard[0] != "0" and luhn(as_heard)
        return likely or any(_is_usual(digits) and luhn(digits) for digits in meant)

    def _card_cue(self, voice: Voice, run: Run) -> CueKind | None:
        cue = self._cue_before(voice.starts(run), ("card", "account", "snils", "phone"), _CUE_SECONDS)
        # A phone's number is a phone's; what is longer is asked for by the cue before.
        if cue is not None and cue.kind == "phone" and len(run.digits) > _CUED_LEAST:
            cue = self._cue_before(voice.starts(run), ("card", "account", "snils"), _CUE_SECONDS)
        return cue.kind if cue is not None else None

    def codes(self, known: Sequence[Found]) -> Iterator[Found]:
        """The code on the back or of a message, and until when a card is good; only where a card is spoken of."""
        spoken = [cue.at for cue in self.cues if cue.kind == "card"]
        spoken += [voice.starts(one.pieces[0]) for voice in self.sides for one in known if self._card_of(one, voice)]
        for cue in self.cues:
            if cue.kind not in {"cvc", "code", "expiry"}:
                continue
            if any(0 <= cue.at - at <= _CONTEXT_SECONDS for at in spoken):
                yield from self._short(cue)

    def _short(self, cue: Cue) -> Iterator[Found]:
        least, most = {"cvc": (3, 4), "code": (3, 6), "expiry": (1, 6)}[cue.kind]
        for voice in self.sides:
            after = [run for run in voice.runs if 0 <= voice.starts(run) - cue.at <= _SHORT_CUE_SECONDS]
            for run in after[: 2 if cue.kind == "expiry" else 1]:
                if least <= len(run.digits) <= most and (cue.kind == "expiry" or not run.pieces[-1].ends):
                    yield Found(voice.side, "card", run.pieces)

    @staticmethod
    def _card_of(found: Found, voice: Voice) -> bool:
        return found.kind == "card" and found.side == voice.side

    # --- phones ---

    def phones(self, _known: Sequence[Found]) -> Iterator[Found]:
        for voice in self.sides:
            for run in voice.runs:
                for part in self._phone_runs(voice, run) or self._cued_phone(voice, run):
                    yield Found(voice.side, "phone", part)

    def _phone_runs(self, voice: Voice, run: Run) -> list[tuple[Piece, ...]]:
        """The run cut into phone numbers; empty unless all of it is phone numbers."""
        cued = self._is_phone_cued(voice, run)

        def tiled(at: int) -> list[tuple[Piece, ...]] | None:
            if at == len(run.pieces):
                return []
            for end in range(at + 1, len(run.pieces) + 1):
                part = run.pieces[at:end]
                if self._is_phone(part, cued=cued) and (rest := tiled(end)) is not None:
                    return [part, *rest]
            return None

        return (tiled(0) if len(run.digits) <= _PHONE_RUN_MOST else None) or []

    def _cued_phone(self, voice: Voice, run: Run) -> list[tuple[Piece, ...]]:
        """A number after "my phone" that recognition heard a digit wrong of, or one of the town."""
        if not self._is_phone_cued(voice, run):
            return []
        near = 10 <= len(run.digits) <= 12 and run.digits[0] in "789+"
        return [run.pieces] if near or run.shape in {(3, 2, 2), (3, 4)} else []

    def _is_phone_cued(self, voice: Voice, run: Run) -> bool:
        kinds: tuple[CueKind, ...] = ("phone", "card", "account", "snils", "passport")
        cue = self._cue_before(voice.starts(run), kinds, _SHORT_CUE_SECONDS)
        return cue is not None and cue.kind == "phone"

    def _is_phone(self, part: Sequence[Piece], *, cued: bool) -> bool:
        digits = "".join(piece.digits for piece in part)
        if not _PHONE_LEAST <= len(digits) <= _PHONE_MOST:
            return False
        plus = part[0].plus
        if not (plus or cued) and not _written_as_phone(
            digits, tuple(len(piece.digits) for piece in part), self.region
        ):
            return False
        try:
            number = phonenumbers.parse(f"+{digits}" if plus else digits, self.region)
        except phonenumbers.NumberParseException:
            return False
        return phonenumbers.is_valid_number(number)

    # --- documents ---

    def snils(self, _known: Sequence[Found]) -> Iterator[Found]:
        for voice in self.sides:
            for run in voice.runs:
                cue = self._cue_before(voice.starts(run), ("snils", "phone", "card", "account"), _CUE_SECONDS)
                cued = cue is not None and cue.kind == "snils"
                checked = snils(run.digits) and not self._phone_runs(voice, run)
                if checked or (cued and 10 <= len(run.digits) <= 12):
                    yield Found(voice.side, "snils", run.pieces)

    def passports(self, _known: Sequence[Found]) -> Iterator[Found]:
        for voice in self.sides:
            for run in voice.runs:
                kinds: tuple[CueKind, ...] = ("passport", "phone", "card", "account", "snils", "code")
                cue = self._cue_before(voice.starts(run), kinds, _CUE_SECONDS)
                cued = cue is not None and cue.kind == "passport"
                grouped = run.shape in _PASSPORT_SHAPES and (cue is None or cue.kind != "account")
                if not run.pieces[-1].ends and (grouped or (cued and len(run.digits) in self._passport_sizes())):
                    yield Found(voice.side, "passport", run.pieces)

    def _passport_sizes(self) -> frozenset[int]:
        """Series, number, or both in Russia; the number elsewhere."""
        return frozenset({4, 6, 10}) if self.region == "RU" else frozenset(range(6, 11))

    # --- what was found, said again ---

    def repeated(self, found: Sequence[Found]) -> Iterator[Found]:
        """Parts of found numbers that are said again: a few digits right beside, longer parts anywhere in the talk."""
        at = {voice.side: voice for voice in self.sides}
        taken = {(one.side, piece) for one in found for piece in one.pieces}
        for voice in self.sides:
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

    def _cue_before(self, at: float, kinds: tuple[CueKind, ...], seconds: float) -> Cue | None:
        """The last cue of these kinds that was said not long before, by whichever side."""
        told = [cue for cue in self.cues if cue.kind in kinds and 0 <= at - cue.at <= seconds]
        return told[-1] if told else None


_PHONE_LEAST: Final = 7
_PHONE_MOST: Final = 15
_PHONE_RUN_MOST: Final = 48
_PART_LEAST: Final = 4


def _is_usual(digits: str) -> bool:
    """Sixteen digits as most cards have, or American Express's fifteen."""
    return (len(digits) == 16 and digits[0] in _USUAL_FIRST) or (len(digits) == 15 and digits[0] == "3")


def _inside(run: Run) -> Iterator[tuple[Piece, ...]]:
    """A card among more digits that were said in one go."""
    at = 0
    while at < len(run.pieces):
        parts = [Run(run.pieces[at:end]) for end in range(at + 1, len(run.pieces) + 1)]
        card = next((part.pieces for part in parts if _is_usual(part.digits) and luhn(part.digits)), None)
        if card:
            yield card
        at += len(card) if card else 1


def _written_as_phone(digits: str, shape: tuple[int, ...], region: str) -> bool:
    """Whether these digits are taken for a phone number without anybody saying so."""
    if region == "RU":
        with_prefix = len(digits) == 11 and digits[0] in "78"
        return with_prefix or (len(digits) == 10 and (digits[0] == "9" or (shape[0] == 3 and len(shape) > 2)))
    return digits[0] == "0" or shape in {(3, 3, 4), (1, 3, 3, 4)} or (len(digits) == 11 and digits[0] == "1")
