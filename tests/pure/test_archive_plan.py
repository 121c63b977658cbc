"""What an archive is made of."""

from __future__ import annotations

from datetime import timedelta

from calls import events as e
from calls.call import Call, apply
from recordings.archive_plan import ArchivedPart, Made, Piece, Side, merged, plan
from tests.fakes.recorded import T0


def call_of(**begins: float) -> Call:
    """A call whose channels came into a bridge at these seconds."""
    call = Call(pbx="pbx")
    for channel, at in begins.items():
        moment = T0 + timedelta(seconds=at)
        call = apply(call, e.BridgeEntered(pbx="pbx", channel=channel, linkedid="a", at=moment, bridge="b"))
    return call


def both(channel: str, seconds: float) -> list[Side]:
    return [Side(channel, side, f"{channel}-{side}", f"{channel} {side}", seconds) for side in ("caller", "staff")]


def part(channel: str, offset: float, seconds: float) -> ArchivedPart:
    return ArchivedPart(channel, offset, seconds, {side: f"{channel} {side}" for side in ("caller", "staff")})


def test_all_sides_of_all_channels_become_one_file() -> None:
    """Each where it lies on the line; what is masked is muted, once."""
    told = plan(call_of(a=0, b=100), [*both("b", 5), *both("a", 10)], (), [(1, 3), (2, 4), (12, 13)])
    assert sorted((piece.path, piece.offset) for piece in told.pieces) == [
        ("a-caller", 0.0), ("a-staff", 0.0), ("b-caller", 10.0), ("b-staff", 10.0),
    ]  # fmt: skip
    assert told.parts == [part("a", 0.0, 10), part("b", 10.0, 5)]
    assert told.muted == [(1, 4), (12, 13)]
    assert told.whole


def test_what_is_archived_is_done() -> None:
    """Unless more is to be muted, or the policy wants the original and it can still be had."""
    call, sides = call_of(a=0), both("a", 10)
    made = Made("x.ogg", [part("a", 0.0, 10)], [(1.0, 2.0)])
    assert plan(call, sides, [made], [(1, 2)]).is_done([made], keeps_original=False)
    assert plan(call, sides, [made], []).is_done([made], keeps_original=False)
    assert not plan(call, sides, [made], [(1, 3)]).is_done([made], keeps_original=False)
    assert not plan(call, sides, (), []).is_done((), keeps_original=False)
    assert plan(call, sides, [made], [(1, 2)]).is_done([made], keeps_original=True)  # what is muted cannot be had back
    clear = Made("x.ogg", [part("a", 0.0, 10)])
    assert not plan(call, sides, [clear], [(1, 2)]).is_done([clear], keeps_original=True)


def test_a_side_that_comes_late_is_joined_to_the_archive() -> None:
    """The archive's parts move to their new places with what is silent in them; the rest comes from the store."""
    call = call_of(a=0, b=100, c=50)
    made = Made("x.ogg", [part("a", 0.0, 10), part("b", 10.0, 5)], [(1.0, 2.0), (9.5, 11.0)])
    told = plan(call, [*both("a", 10), *both("b", 5), *both("c", 3)], [made], [])
    assert [one.placed for one in told.parts] == [
        part(*it).placed for it in (("a", 0.0, 10), ("c", 10.0, 3), ("b", 13.0, 5))
    ]
    assert {piece for piece in told.pieces if piece.side == "caller"} == {
        Piece("c-caller", "caller", 10.0),
        Piece("x.ogg", "caller", 0.0, 0.0, 10),
        Piece("x.ogg", "caller", 13.0, 10.0, 5),
    }
    assert told.muted == [(1.0, 2.0), (9.5, 10.0), (13.0, 14.0)]
    assert not told.whole


def test_parts_that_sound_together_move_together() -> None:
    """They cannot be told apart in one file."""
    call = call_of(a=0, b=4, c=-50)
    made = Made("x.ogg", [part("a", 0.0, 10), part("b", 4.0, 8)])
    told = plan(call, both("c", 3), [made], [])
    assert [piece for piece in told.pieces if piece.side == "staff"] == [
        Piece("c-staff", "staff", 0.0),
        Piece("x.ogg", "staff", 3.0, 0.0, 12.0),
    ]


def test_a_side_that_was_stored_anew_replaces_the_old() -> None:
    """And the other side stays."""
    made = Made("x.ogg", [part("a", 0.0, 10)])
    anew = Side("a", "caller", "new", "new sound", 12.0)
    told = plan(call_of(a=0), [anew, both("a", 10)[1]], [made], [])
    assert told.pieces == [Piece("new", "caller", 0.0), Piece("x.ogg", "staff", 0.0, 0.0, 10)]
    assert told.parts == [ArchivedPart("a", 0.0, 12.0, {"caller": "new sound", "staff": "a staff"})]


def test_the_original_is_what_another_archive_is_made_of() -> None:
    """So what is no longer masked can be heard again."""
    made = Made("x.ogg", [part("a", 0.0, 10)], [(1.0, 2.0)], original="whole.ogg")
    told = plan(call_of(a=0), both("a", 10), [made], [(4, 5)])
    assert {piece.path for piece in told.pieces} == {"whole.ogg"}
    assert (told.muted, told.whole) == ([(4, 5)], True)


def test_what_is_silent_stays_so_while_a_late_side_has_no_text_yet() -> None:
    """The original beside it changes nothing: the masks of the earlier line move with its parts."""
    made = Made("x.ogg", [part("a", 0.0, 10)], [(2.0, 4.0)], original="whole.ogg")
    told = plan(call_of(a=0, c=-50), [*both("a", 10), *both("c", 3)], [made], [(2.0, 4.0)], late=True)
    assert told.muted == [(5.0, 7.0)]
    assert told.whole
    assert {piece.path for piece in told.pieces} == {"c-caller", "c-staff", "whole.ogg"}


def test_spans_are_merged() -> None:
    assert merged([(5, 6), (1, 2), (1.5, 3), (3, 3.5), (9, 9)]) == [(1, 3.5), (5, 6)]
