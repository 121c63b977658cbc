"""Two sides become one conversation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from recordings.transcript import Segment, Word, segments, text, words_json


def said(start: float, *words: str, each: float = 0.4) -> list[Word]:
    return [Word(word, start + each * n, start + each * (n + 0.9), 0.9) for n, word in enumerate(words)]


def test_sides_take_turns_by_time() -> None:
    """Who spoke first stands first."""
    told = segments({"caller": said(2, "Сколько", "стоит?"), "staff": said(0, "Алло!") + said(5, "Сто", "рублей.")})
    assert [(one.side, one.text) for one in told] == [
        ("staff", "Алло!"),
        ("caller", "Сколько стоит?"),
        ("staff", "Сто рублей."),
    ]
    assert told[1] == Segment("caller", 2, 2.76, "Сколько стоит?")


def test_a_pause_begins_a_new_segment() -> None:
    """One side alone is still cut where it falls silent."""
    told = segments({"caller": said(0, "Да", "да") + said(4, "Слушаю")})
    assert [one.text for one in told] == ["Да да", "Слушаю"]


def test_a_monologue_is_cut_between_sentences() -> None:
    """A minute in one breath is still readable; a sentence is never cut for its length."""
    told = segments({"staff": said(0, *["слово", "слово", "конец."] * 20)})
    assert len(told) > 1
    assert all(one.text.endswith("конец.") for one in told)


def test_an_interruption_between_words_cuts_the_sentence() -> None:
    """A question in the other's breath stands where it was asked."""
    told = segments({"staff": [*said(0, "Минуту"), *said(1.2, "сейчас")], "caller": said(0.6, "Что?")})
    assert [one.text for one in told] == ["Минуту", "Что?", "сейчас"]


def test_nobody_spoke() -> None:
    """Silence is an empty text, not an error."""
    assert segments({"caller": [], "staff": []}) == ()
    assert text(()) == ""


_WORDS = st.lists(
    st.builds(
        lambda start, size: Word("слово", start, start + size, 0.5),
        st.floats(min_value=0, max_value=600),
        st.floats(min_value=0, max_value=3),
    ),
    max_size=30,
)


@given(_WORDS, _WORDS)
def test_no_word_is_lost_or_doubled(caller: list[Word], staff: list[Word]) -> None:
    """However the sides overlap, every word is in exactly one segment, and segments are in the order of time."""
    sides = {"caller": caller, "staff": staff}
    told = segments(sides)
    for side, words in sides.items():
        assert sum(len(one.text.split()) for one in told if one.side == side) == len(words)
    assert [one.start for one in told] == sorted(one.start for one in told)
    assert len(words_json(sides)) == len(caller) + len(staff)
