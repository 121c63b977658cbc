"""Numbers are read as people say them and as recognition writes them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.spoken_numbers import pieces, runs
from tests.fakes.spoken import FILLERS, STYLES, spoken


def digits(text: str) -> list[str]:
    return [piece.digits for piece in pieces(text.split())]


@pytest.mark.parametrize(
    "text, told",
    [
        ("сорок два семьдесят шесть", ["42", "76"]),
        ("четыре тысячи двести семьдесят шесть, три тысячи восемьсот тысяча двести", ["4276", "3800", "1200"]),
        ("шесть тысяча двести", ["6", "1200"]),
        ("четырёх тысяч двухсот семидесяти шести", ["4276"]),
        ("двести двадцать", ["220"]),
        ("двадцать двести", ["20", "200"]),
        ("ноль пять нуль семь", ["0", "5", "0", "7"]),
        ("два нуля, трижды семь, две семёрки, пятёрка", ["00", "777", "77", "5"]),
        ("сорок два-семьдесят-шесть", ["42", "76"]),
        ("forty two seventy six", ["42", "76"]),
        ("forty-two seventy-six", ["42", "76"]),
        ("double four oh triple nine two zeros", ["44", "0", "999", "00"]),
        ("twelve hundred thirty eight hundred", ["1200", "3800"]),
        ("nine hundred seventy nine hundred", ["970", "900"]),
        ("four thousand two hundred and seventy six", ["4276"]),
        ("4 тысячи 276", ["4276"]),
        ("4.2.7.6 42-76 4276,", ["4", "2", "7", "6", "42", "76", "4276"]),
        ("4,276 3.800", ["4276", "3800"]),
        ("8(916)123-45-67", ["8", "916", "123", "45", "67"]),
        ("пятого числа, 5-го, 5th", []),
    ],
)
def test_a_number_is_read_however_it_is_said(text: str, told: list[str]) -> None:
    assert digits(text) == told


def test_words_of_a_number_are_known_by_their_places() -> None:
    """What is masked is words."""
    (piece,) = pieces(["да", "это", "двести", "двадцать", "два", "рубля"])
    assert (piece.digits, piece.first, piece.last, piece.ends) == ("222", 2, 4, True)


def test_a_plus_belongs_to_the_number_behind_it() -> None:
    assert [piece.plus for piece in pieces(["+7", "916", "плюс", "семь"])] == [True, False, True]


@pytest.mark.parametrize("text", ["12:30 42", "12.05.2026 42", "$15 42", "10% 42", "1500 рублей 42", "5 мая 42"])
def test_amounts_times_and_dates_are_joined_to_nothing(text: str) -> None:
    words = text.split()
    assert runs(pieces(words), words)[-1].digits == "42"


@given(st.integers(0, 10**12), st.sampled_from(["ru", "en"]), st.sampled_from(STYLES), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_every_number_said_with_fillers_is_one_run_of_all_its_words(
    value: int, language: str, style: str, seed: int
) -> None:
    words = spoken(str(value), language, style, Random(seed))
    told = runs(pieces(words), words)
    assert len(told) == 1
    inside = {at for piece in told[0].pieces for at in range(piece.first, piece.last + 1)}
    assert all(at in inside or word in FILLERS[language] for at, word in enumerate(words))


@given(st.lists(st.text(max_size=12), max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_words_are_read_without_fail_and_in_order(words: list[str]) -> None:
    found = pieces(words)
    assert all(piece.digits.isdigit() and 0 <= piece.first <= piece.last < len(words) for piece in found)
    assert [piece.first for piece in found] == sorted(piece.first for piece in found)
