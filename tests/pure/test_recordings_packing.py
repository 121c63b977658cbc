"""Speech of many recordings in shared windows, and each one's words back."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from recordings.heard import Talk, Track
from recordings.packing import APART_SECONDS, WINDOW_SECONDS, Blocks, Stretch, pack, unheard, unpack
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
        assert window[-1].until <= WINDOW_SECONDS + 1e-6
        for before, after in pairwise(window):
            apart = APART_SECONDS if before.owner != after.owner else 0.0
            assert after.at >= before.until + apart - 1e-6
        spoken = [Word(f"{one.owner} {one.stretch.start}", one.at, one.until, 1.0) for one in window]
        for owner, words in unpack(window, spoken).items():
            found[owner] += words
    for owner, mine in wanted.items():
        assert sorted(word.text for word in found[owner]) == sorted(f"{owner} {one.start}" for one in mine)
        for word in found[owner]:
            assert abs(word.start - float(word.text.split()[1])) <= 0.011


def test_short_calls_share_a_window() -> None:
    """Seven seconds each: three in a window, not one."""
    blocks = Blocks()
    for owner in range(6):
        blocks.add(owner, Stretch(1.0, 8.0))
    assert len(pack(blocks.take())) == 2


def test_a_word_between_two_recordings_goes_to_the_nearer() -> None:
    """And to a time within its stretch."""
    blocks = Blocks()
    for owner in "ab":
        blocks.add(owner, Stretch(10.0, 15.0))
    (window,) = pack(blocks.take())
    told = unpack(window, [Word("one", 4.9, 5.2, 0.9), Word("two", 5.3, 5.6, 0.9)])
    assert told == {"a": [Word("one", 14.9, 15.0, 0.9)], "b": [Word("two", 10.0, 10.1, 0.9)]}


def test_who_became_no_words_in_a_shared_window_is_told() -> None:
    """To be heard alone; silence in a window of one's own is an answer."""
    blocks = Blocks()
    for owner in "ab":
        blocks.add(owner, Stretch(0.0, 5.0))
    (window,) = pack(blocks.take())
    (missed,) = unheard(window, {"a": [Word("one", 0.0, 1.0, 0.9)]})
    assert (missed.owner, missed.seconds) == ("b", 5.0)
    blocks.add("c", Stretch(0.0, 5.0))
    (window,) = pack(blocks.take())
    assert unheard(window, {}) == []


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
