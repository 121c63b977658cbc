"""What a query asks for, and how well names and numbers answer it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.search.asked import read
from web.search.likeness import cut, marked_name, marked_number, marked_words, name_score, number_score
from web.search.ranking import KINDS, in_order

NUMBER = "79161234567"


@pytest.mark.parametrize(
    "typed",
    [
        "+7 (916) 123-45-67",
        "8 916 123-45-67",
        "89161234567",
        "7 916 123 45 67",
        "8 (916) 123…",
        "8 916",
        "+7916",
        "916",
        "123-45",
        "4567",
        "45 67",
        "810 7 916 123",
        "00 7 916",
        "(916)123",
    ],
)
def test_a_piece_of_a_number_is_known_in_any_writing(typed: str) -> None:
    """Prefixes as they are dialled here, punctuation, the middle or the last digits."""
    asked = read(typed, "RU")
    assert asked.words == ()
    assert number_score(asked.pieces, NUMBER) > 0


@pytest.mark.parametrize("typed", ["+7 495", "8 495", "4568", "+1 916", "+916", "8 161", "5 67 8"])
def test_another_number_is_not_found(typed: str) -> None:
    """What is written with a country's or the national prefix begins there."""
    assert number_score(read(typed, "RU").pieces, NUMBER) == 0


def test_numbers_are_dialled_otherwise_elsewhere() -> None:
    """The company's region says what stands before a number at home."""
    assert number_score(read("0151 234", "DE").pieces, "49151234567") == 0.9
    assert number_score(read("0151 234", "RU").pieces, "49151234567") == 0
    assert number_score(read("8 916", "DE").pieces, NUMBER) == 0


def test_words_and_pieces_are_told_apart() -> None:
    """A short number is a word, and so is one inside a word; what is excluded is asked of nothing."""
    asked = read('Фёдор 4567 -спам кв. 12 or B2B -"не звонить" №1', "RU")
    assert asked.words == ("федор", "кв", "12", "b2b")
    assert [piece.anywhere for piece in asked.pieces] == ["4567"]


@pytest.mark.parametrize(
    "typed, name",
    [
        ("Иванов", "Иванов Пётр"),
        ("иванову петру", "Иванов Пётр"),
        ("Ивонов", "Иванов Пётр"),
        ("Еванов", "Иванов Пётр"),
        ("Иваонв", "Иванов Пётр"),
        ("Ива", "Иванов Пётр"),
        ("петр иванов", "Иванов Пётр"),
        ("Федор", "Фёдор"),
        ("Кузницова", "Кузнецов Олег"),
        ("Марии", "Мария Соколова"),
        ("smiht", "John Smith"),
        ("Ромашк", "ООО «Ромашка»"),
    ],
)
def test_a_name_answers_though_inflected_misspelt_or_begun(typed: str, name: str) -> None:
    """One letter wrong in four, two in eight, in any order of the words."""
    assert name_score(read(typed, "RU").words, name) > 0


@pytest.mark.parametrize(
    "typed, name",
    [
        ("Иванов", "Петров"),
        ("Иванов Олег", "Иванов Пётр"),
        ("Аня", "Яна"),
        ("квартира", "Кварцев Олег"),
        ("ов", "Иванов"),
    ],
)
def test_another_name_does_not_answer(typed: str, name: str) -> None:
    """Every word must be answered; short words are taken as they are."""
    assert name_score(read(typed, "RU").words, name) == 0


def test_what_was_typed_exactly_comes_first() -> None:
    """Then inflections, beginnings, and what was misspelt, the more the later."""
    names = ["Иванов", "Иванова", "Ивановский", "Ивонов", "Петров"]
    scores = [name_score(("иванов",), name) for name in names]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 1
    assert scores[-1] == 0
    assert [number_score(read(one, "RU").pieces, NUMBER) for one in (NUMBER, "8916", "4567", "1234")] == [
        1,
        0.9,
        0.9,
        0.75,
    ]


def test_what_answers_is_marked() -> None:
    """The beginning that was typed, or the whole word; of a number its digits, whatever stands between them."""
    assert marked_name(("ива", "петру"), "Иванов Пётр") == (("Ива", True), ("нов ", False), ("Пётр", True))
    pieces = read("8 (916) 12", "RU").pieces
    assert marked_number(pieces, NUMBER, "+7 916 123-45-67") == (("+", False), ("7 916 12", True), ("3-45-67", False))
    assert marked_number(read("4567", "RU").pieces, NUMBER, "hidden") == (("hidden", False),)
    told = marked_words('"хотели квартиру" -дом', "Хотела квартиры, дом")
    assert told == (("Хотела", True), (" ", False), ("квартиры", True), (", дом", False))


@given(st.text(max_size=40), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4))
def test_marks_lose_no_letter(text: str, spans: list[tuple[int, int]]) -> None:
    """Whatever is marked, however the marks lie over one another, the pieces are the text."""
    within = [(min(start, len(text)), min(end, len(text))) for start, end in spans if start <= end]
    assert "".join(piece for piece, _ in cut(text, within)) == text


@given(st.text(max_size=200), st.text(max_size=60))
def test_no_query_is_too_odd(query: str, name: str) -> None:
    """Reading, scoring and marking take any text, and nothing scores more than what is typed exactly."""
    asked = read(query, "RU")
    assert 0 <= name_score(asked.words, name) <= 1
    assert "".join(piece for piece, _ in marked_name(asked.words, name)) == name
    assert 0 <= number_score(asked.pieces, NUMBER) <= 1


def test_the_kind_that_answers_best_comes_first() -> None:
    """A name as it was typed is before what was said, a name that is only like it behind; none without answers."""
    found = {"parties": 1, "leads": 1, "calls": 2, "notes": 0, "talks": 1}
    assert in_order(found, best_party=1.0) == ("parties", "leads", "calls", "talks")
    assert in_order(found, best_party=0.6) == ("talks", "parties", "leads", "calls")
    assert in_order({"leads": 1, "notes": 2}, best_party=0.0) == ("leads", "notes")
    assert in_order({"calls": 1}, best_party=0.0) == ("calls",)
    assert set(in_order(dict.fromkeys(KINDS, 1), best_party=1.0)) == set(KINDS)
