"""Speech of many recordings in shared windows, and each one's words back."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.heard import Talk, Track
from recordings.packing import (
    APART_SECONDS,
    SHARED_SECONDS,
    WINDOW_SECONDS,
    Block,
    Blocks,
    Stretch,
    apart,
    better,
    disbelieved,
    half_heard,
    pack,
    placed,
    unpack,
)
from recordings.transcript import Word
from recordings.turns import TOGETHER, TOGETHER_SECONDS, Turns

_GAPS_AND_LENGTHS = st.lists(
    st.lists(st.tuples(st.floats(0.0, 60.0), st.floats(0.1, WINDOW_SECONDS)), min_size=1, max_size=12),
    min_size=1,
    max_size=8,
)


def stretches(told: list[tuple[float, float]]) -> list[Stretch]:
    at, found = 0.0, []
    for gap, length in told:
        found.append(Stretch(at + gap, at + gap + length))
        at += gap + length
    return found


@given(_GAPS_AND_LENGTHS)
def test_every_stretch_lies_in_one_window_and_its_words_come_back_in_their_own_time(
    told: list[list[tuple[float, float]]],
) -> None:
    """No window is too long, no two stretches overlap, two recordings stand apart; a word is its own recording's."""
    blocks, wanted = Blocks(), {owner: stretches(one) for owner, one in enumerate(told)}
    for owner, mine in wanted.items():
        for one in mine:
            blocks.add(owner, one)
    windows = pack(blocks.take())
    found: dict[int, list[Word]] = {owner: [] for owner in wanted}
    for window in windows:
        shared = len({one.owner for one in window}) > 1
        assert window[-1].until <= (SHARED_SECONDS if shared else WINDOW_SECONDS) + 1e-6
        for before, after in pairwise(window):
            apart = APART_SECONDS if before.owner != after.owner else 0.0
            assert after.at >= before.until + apart - 1e-6
        spoken = [Word(f"{one.owner} {one.stretch.start}", one.at, one.until, 1.0) for one in window]
        for (owner, _), words in unpack(window, spoken).items():
            found[owner] += words
    for owner, mine in wanted.items():
        assert sorted(word.text for word in found[owner]) == sorted(f"{owner} {one.start}" for one in mine)
        for word in found[owner]:
            assert abs(word.start - float(word.text.split()[1])) <= 0.011


def test_short_calls_share_a_window() -> None:
    """Seven seconds each: two in a window, not one."""
    blocks = Blocks()
    for owner in range(6):
        blocks.add(owner, Stretch(1.0, 8.0))
    assert len(pack(blocks.take())) == 3


def test_a_word_between_two_recordings_goes_to_the_nearer() -> None:
    """And to a time within its stretch."""
    blocks = Blocks()
    for owner in "ab":
        blocks.add(owner, Stretch(10.0, 15.0))
    (window,) = pack(blocks.take())
    told = unpack(window, [Word("one", 4.9, 5.2, 0.9), Word("two", 5.3, 5.6, 0.9)])
    said = Stretch(10.0, 15.0)
    assert told == {("a", said): [Word("one", 14.9, 15.0, 0.9)], ("b", said): [Word("two", 10.0, 10.1, 0.9)]}


def test_what_is_said_in_one_talk_stands_in_a_window_as_it_was_said() -> None:
    """And not the equally long side by side, which may be the same words in many talks."""
    blocks = Blocks()
    for talk in range(3):
        blocks.add((talk, "caller"), Stretch(0.0, 1.0))
        blocks.add((talk, "staff"), Stretch(1.0, 4.0))
    (window,) = pack(blocks.take())
    assert [one.owner for one in window] == [(talk, side) for talk in range(3) for side in ("caller", "staff")]


SAID = Stretch(10.0, 15.0)
FEW = [Word("one", 10.4, 11.0, 0.9), Word("two", 11.0, 11.6, 0.9)]
ALL = [*FEW, Word("three", 12.0, 12.7, 0.9), Word("four", 13.0, 14.2, 0.9)]
MADE_UP = [Word("please try again", 12.0, 12.0, 0.2)] * 12


@pytest.mark.parametrize(
    "words, missed",
    [
        ([], True),
        (ALL, False),
        (FEW, True),
        (ALL[2:], True),
        ([*ALL[:2], ALL[3]], True),
        ([*FEW, Word("three", 11.6, 14.8, 0.9)], True),
        (MADE_UP, True),
    ],
    ids=["nothing", "all", "no end", "no begin", "no middle", "a word too long", "too many"],
)
def test_a_stretch_of_which_some_became_no_word_is_heard_again(words: list[Word], missed: bool) -> None:
    """Alone with what else of its owner was missed, then by itself; and what is heard again counts if it is more."""
    rest = Stretch(15.0, 20.0)
    said = {("a", SAID): words, ("a", rest): [replace(one, start=one.start + 5, end=one.end + 5) for one in ALL]}
    told = half_heard([Block("a", (SAID, rest))], said)
    assert told == ([Block("a", (SAID,))] if missed else [])
    assert better(words, ALL, SAID) is missed
    assert not better(ALL, MADE_UP, SAID)


@pytest.mark.parametrize("owners", ["ab", "aa"])
@pytest.mark.parametrize("text", ["try again", "{} of {} are {}"])
@pytest.mark.parametrize("until", [5.0, 10.5])
def test_where_whisper_goes_round_among_several_and_loses_some_none_is_believed(
    owners: str, text: str, until: float
) -> None:
    """Else what one says is told for another's; one talk alone may well say the same again and again."""
    window = placed([Block(owner, (Stretch(at, at + 5.0),)) for owner, at in zip(owners, (0.0, 5.0), strict=True)])
    words = [Word(text.format(at**3, at**5, at**7), at / 2, at / 2 + 0.5, 0.9) for at in range(int(until * 2))]
    wanted = (owners, text, until) == ("ab", "try again", 5.0)
    assert disbelieved(window, words, unpack(window, words)) is wanted


def test_what_was_missed_again_is_heard_by_itself() -> None:
    parts = (SAID, Stretch(15.0, 20.0))
    assert apart([Block("a", parts), Block("b", parts[:1])]) == [Block("a", (one,)) for one in parts]


def test_a_full_block_is_given_before_the_recording_ends() -> None:
    """So an hour is heard in pieces."""
    blocks = Blocks()
    for at in range(10):
        blocks.add("a", Stretch(at * 20.0, at * 20.0 + 20.0))
    assert blocks.take_full(20) == []
    assert len(blocks.take_full(8)) == 9
    assert len(blocks.take()) == 1


def talk(rank: float = 0.0, seconds: float = 5.0) -> Talk:
    return Talk({"caller": Track("a.wav")}, rank=rank, seconds=seconds)


def test_the_highest_rank_is_heard_first_and_so_many_together() -> None:
    """Of equal ranks the first to come; the rest wait for the next turn."""
    turns: Turns[int] = Turns()
    for rank in range(TOGETHER + 4):
        turns.add(talk(rank), rank)
    assert [turn.ticket for turn in turns.take()] == list(range(TOGETHER + 3, 3, -1))
    turns.add(talk(3), 99)
    assert [turn.ticket for turn in turns.take()] == [3, 99, 2, 1, 0]
    assert turns.take() == []


def test_long_recordings_are_not_heard_together() -> None:
    """Whoever comes next shall not wait for an hour; one alone may be as long as it is."""
    turns: Turns[str] = Turns()
    turns.add(talk(2, 3600.0), "hour")
    turns.add(talk(1, TOGETHER_SECONDS - 10), "long")
    turns.add(talk(0, 20.0), "short")
    assert [[turn.ticket for turn in turns.take()] for _ in range(3)] == [["hour"], ["long"], ["short"]]


def test_whoever_was_there_when_a_process_died_is_heard_alone() -> None:
    """At its own place in the order."""
    turns: Turns[int] = Turns()
    for ticket in range(3):
        turns.add(talk(), ticket)
    for turn in turns.take():
        turn.tries = 1
        turns.add_again(turn)
    turns.add(talk(1.0), 3)
    assert [[turn.ticket for turn in turns.take()] for _ in range(4)] == [[3], [0], [1], [2]]
