"""A tape cut anywhere, shuffled, told twice or by two witnesses in turn still tells its call, and never fails."""

import csv
import io
import json
import random
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path

import pytest

from calls.call import Call
from calls.events import Event
from calls.record import state_call, state_json
from calls.view import CallView, view
from service.commands.replay import PBX, fold, replay
from telephony.tape import TapeError, messages, read

TAPES = sorted((Path(__file__).parents[1] / "tapes").glob("*.ami")) + sorted(
    (Path(__file__).parents[1] / "tapes").glob("*.cel.csv")
)
CUTS = 2
"""How many places each form of each tape is cut at, each in three ways; sixty thousand such cuts were tried once."""

Form = Callable[[bytes], bytes]


def as_written(tape: bytes) -> bytes:
    return tape


def as_json_lines(tape: bytes) -> bytes:
    """The same tape as JSON, one message or row a line."""
    text = tape.decode()
    told: Iterable[object]
    told = csv.DictReader(io.StringIO(text)) if text.startswith("eventtype") else messages(text.splitlines(True))
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told).encode()


def pieces(tape: bytes) -> tuple[bytes, list[bytes]]:
    """(what must stay in front, the messages or rows): joined they are the tape."""
    if tape.startswith(b"eventtype"):
        head, *rows = tape.splitlines(keepends=True)
        return head, rows
    end = b"\n" if tape.startswith(b"{") else b"\r\n\r\n"
    return b"", [piece + end for piece in tape.split(end) if piece.strip()]


def written(folder: Path, tape: bytes) -> Path:
    path = folder / "tape"
    path.write_bytes(tape)
    return path


def events_of(folder: Path, tape: bytes, *, is_text: bool) -> list[Event]:
    """What a tape tells; nothing, maybe with a word, where the cut left no whole message to know it by."""
    if b"\nEvent: " in tape if is_text else tape.count(b"\n") > 1:
        return read(written(folder, tape)).events
    with suppress(TapeError):
        return read(written(folder, tape)).events
    return []


@pytest.mark.parametrize("form", [as_written, as_json_lines])
@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
def test_a_cut_tape_tells_the_truth_as_far_as_it_goes(tape: Path, form: Form, tmp_path: Path) -> None:
    """Whatever is cut off at start or end, in mid-line and mid-letter: nothing fails and nothing is invented."""
    whole = form(tape.read_bytes())
    told = set(read(written(tmp_path, whole)).events)
    known = {name for event in told for name in (event.channel, event.linkedid)}
    places = random.Random(tape.name).sample(range(1, len(whole)), CUTS)
    for place in places:
        for cut in (whole[:place], whole[place:], whole[place : place + len(whole) // 3]):
            heard = events_of(tmp_path, cut, is_text=whole.startswith(b"Event: "))
            torn = [event for event in heard if event not in told]
            assert len({(event.channel, event.at) for event in torn}) <= 1, "only the message that was cut is torn"
            assert {name for event in heard for name in (event.channel, event.linkedid)} <= known | {None}


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
def test_a_tape_shuffled_or_told_twice_makes_the_very_same_record(tape: Path, tmp_path: Path) -> None:
    """Messages or rows in any order, and the whole tape twice: as they are read, and as what they tell."""
    events = read(tape, PBX).events
    told = records_of(events)
    assert told
    for seed in range(2):
        assert records_of(random.Random(seed).sample(events, len(events))) == told
    assert records_of(events + events) == told
    for form in (as_written, as_json_lines):
        whole = form(tape.read_bytes())
        assert read(written(tmp_path, whole), PBX).events == events
        head, parts = pieces(whole)
        random.Random(2).shuffle(parts)
        assert replay([written(tmp_path, head + b"".join(parts))])[0] == told
        assert replay([written(tmp_path, whole + head + b"".join(parts))])[0] == told


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
def test_two_recordings_put_together_lose_nothing(tape: Path, tmp_path: Path) -> None:
    """`cat` of a tape cut in the middle of a message, and of the whole one: the whole record."""
    whole = tape.read_bytes()
    told, _ = replay([written(tmp_path, whole)])
    for place in random.Random(tape.name).sample(range(len(whole) // 4, len(whole)), 2):
        cut = whole[:place].rpartition(b"\n")[0] + b"\n"
        assert replay([written(tmp_path, cut + whole)])[0] == told


def records_of(events: Iterable[Event]) -> list[CallView]:
    return [seen for call in fold(events) if (seen := view(call)).caller_channel]


def calls_of(*told: Iterable[Event]) -> list[Call]:
    return fold([event for events in told for event in events])


def in_turn(one: Sequence[Event], other: Sequence[Event]) -> list[Event]:
    """Both in turn, event by event."""
    return [event for pair in zip_longest(one, other) for event in pair if event is not None]


@pytest.mark.parametrize("tape", [tape for tape in TAPES if tape.suffix == ".ami"], ids=lambda tape: tape.stem)
def test_witnesses_may_speak_together_in_turn_or_backwards(tape: Path) -> None:
    """AMI and CEL of one call, one after the other, alternately, and with time running backwards: one and the same."""
    live, durable = read(tape, PBX).events, read(tape.with_suffix(".cel.csv"), PBX).events
    together = calls_of(live, durable)
    assert calls_of(in_turn(live, durable)) == together
    assert calls_of(in_turn(durable, live)) == together
    assert calls_of(reversed(durable), reversed(live)) == together
    assert [view(call) for call in together] == replay([tape.with_suffix(".cel.csv"), tape])[0]


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.name)
def test_a_calls_state_survives_the_database(tape: Path) -> None:
    """What is stored of a call and read again is that call, at any moment of it."""
    events = read(tape).events
    for count in (1, len(events) // 2, len(events)):
        for call in fold(events[:count]):
            assert state_call(json.loads(json.dumps(state_json(call)))) == call
