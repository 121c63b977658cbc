"""A scrambled tape tells the same calls of invented people: nothing true is left in it."""

import json
import random
import re
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.view import to_json
from service.replay import replay
from telephony.scramble import Scrambler
from telephony.tape import Kind, Spoken, ami_text, cel_csv, content
from telephony.tape_fields import learn, scrambled

TAPES = sorted((Path(__file__).parents[1] / "tapes").glob("*.ami"))
NAMES = ("Клиент", "Менеджер", "Ivan", "Maria")


def scramble(told: Sequence[Spoken], *, extensions: bool = False, devices: bool = False) -> list[Spoken]:
    scrambler = Scrambler(secrets.token_bytes(32))
    for one in told:
        learn(scrambler, one, extensions=extensions, devices=devices)
    return [scrambled(scrambler, one) for one in told]


def both(tape: Path) -> list[tuple[Kind, list[Spoken]]]:
    return [content(tape), content(tape.with_suffix(".cel.csv"))]


def together(tape: Path, **options: bool) -> tuple[list[Spoken], list[Spoken]]:
    """AMI and CEL of a tape, scrambled by one scrambler."""
    (_, spoken), (_, rows) = both(tape)
    told = scramble([*spoken, *rows], **options)
    return told[: len(spoken)], told[len(spoken) :]


def shape(value: Any) -> Any:
    """A record without its words and numbers: what is left must not change."""
    if isinstance(value, str):
        return re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "0", value))
    if isinstance(value, dict):
        return {key: one if key in STAY else shape(one) for key, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else value


STAY = {
    *("id", "linkedids", "direction", "started_at", "answered_at", "ended_at", "rang_at", "status", "missed_cause"),
    *("outcome", "kind", "completed", "at", "from", "until", "entered_at", "left_at"),
}


def same_where_same(one: Any, other: Any, known: dict[str, str]) -> None:
    """Every value of one record has always the same in the other's place."""
    if isinstance(one, str):
        assert known.setdefault(one, other) == other
    elif isinstance(one, dict):
        for key in one:
            same_where_same(one[key], other[key], known)
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            same_where_same(a, b, known)


@pytest.mark.parametrize("asked", [{}, {"extensions": True, "devices": True}], ids=["numbers", "all"])
@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_a_scrambled_tape_makes_the_same_record_but_for_names(
    tape: Path, asked: dict[str, bool], tmp_path: Path
) -> None:
    """Either witness and both: the same times, outcomes and structure; one number is one number wherever it stands."""
    spoken, rows = together(tape, **asked)
    live, durable = tmp_path / "new.ami", tmp_path / "new.cel.csv"
    live.write_text(ami_text(spoken), encoding="utf-8", newline="")
    durable.write_text(cel_csv(rows), encoding="utf-8", newline="")
    true = (tape, tape.with_suffix(".cel.csv"))
    for paths, originals in (([live], true[:1]), ([durable], true[1:]), ([live, durable], true)):
        (told, skipped), (known, _) = replay(paths), replay(originals)
        assert skipped == 0
        one, other = [to_json(record) for record in known], [to_json(record) for record in told]
        for record in (*one, *other):
            record["recordings"] = [len(record["recordings"])]  # told in the order of their names
        assert shape(other) == shape(one)
        same_where_same(one, other, {})


@pytest.mark.parametrize("tape", TAPES, ids=lambda tape: tape.stem)
def test_nothing_true_is_left_on_a_scrambled_tape(tape: Path) -> None:
    """No number, no name, no address; account codes go too, and with them extensions and devices when asked for."""
    spoken, rows = together(tape)
    text = ami_text(spoken) + cel_csv(rows)
    true = ami_text(content(tape)[1])
    for number in set(re.findall(r"(?<![\d.])79\d{9}(?!\d)", true)):
        assert number not in text
        assert number[1:] not in text
    assert not [name for name in NAMES if name in text]
    assert not re.search(r"\bacc-m\d", text)
    spoken, rows = together(tape, extensions=True, devices=True)
    text = ami_text(spoken) + cel_csv(rows)
    kept = {"Cause", "ParkingDuration", "TechCause", "DurationMs"}
    for old, new in zip(content(tape)[1], spoken, strict=True):
        for header, value in old.items():
            assert header in kept or value not in ["101", "102", "103"] or new[header] != value
    assert not re.search(r"PJSIP/trunk\b", text)


def test_numbers_keep_their_shape_and_their_spellings_stay_one_number() -> None:
    """Length, plus and prefix stay; 8…, +7… and the bare ten digits are still the same number."""
    scrambler = Scrambler(b"1" * 32)
    told = {text: scrambler.text(text) for text in ("79161234567", "+79161234567", "89161234567", "9161234567")}
    tails = {invented[-10:] for invented in told.values()}
    assert len(tails) == 1
    assert tails.pop().startswith("916")
    assert [invented[:-10] for invented in told.values()] == ["7", "+7", "8", ""]
    assert scrambler.text("74951234567").startswith("7495")
    assert scrambler.text("Local/79161234567@mobile-00000001;1")[6:17] == told["79161234567"]
    assert scrambler.text("101") == "101"


def test_what_the_pbx_made_up_itself_stays() -> None:
    """Uniqueids, bridges and the numbers that drivers give to channels are nobody's."""
    scrambler = Scrambler(b"1" * 32)
    bridge = "ffa769cf-260f-4011-ab4c-13eddb27dda0"
    for header, value in (
        ("Uniqueid", "1795426879.40806"),
        ("BridgeUniqueid", bridge),
        ("Channel", "PJSIP/m1-00000012"),
    ):
        learn(scrambler, {header: value}, extensions=False, devices=False)
    for value in ("1795426879.40806", bridge, "PJSIP/m1-00000012"):
        assert scrambler.text(value) == scrambler.text(f"x {value}")[2:] == value
    assert scrambler.text("PJSIP/m1-12345678") != "PJSIP/m1-12345678"


def test_two_runs_invent_different_things() -> None:
    """What is invented depends on a secret of the run: nobody can compare two tapes, or count through all numbers."""
    one, other = (Scrambler(secrets.token_bytes(32)) for _ in range(2))
    assert one.text("79161234567") != other.text("79161234567")
    assert one.name("Анна Петрова") != other.name("Анна Петрова")


def test_keys_pressed_are_not_kept() -> None:
    """Digit by digit they may be a card's number."""
    (told,) = scramble([{"Event": "DTMFEnd", "Digit": "7"}])
    assert told == {"Event": "DTMFEnd", "Digit": "0"}


SAFE = st.sampled_from(["PJSIP", "answer", "7", "", "monitor/", "sip:", "<", ">", "; x=", "@", "&", "/", ", "])
PRIVATE = st.sampled_from(["79161234567", "4957654321", "Анна", "Petrova", "203.0.113.77", "2001:db8::beef", "1234567"])
WRITTEN_BY_ASTERISK = {"Event", "EventName", "Privilege"}
HEADERS = sorted(
    {name for tape in TAPES[:6] for message in content(tape)[1] for name in message} - WRITTEN_BY_ASTERISK
    | {"X-Anything"}
)
COLUMNS = ["appdata", "eventextra", "peer", "userfield", "channame", "num", "exten", "accountcode", "name"]


def joined(parts: Iterable[str]) -> str:
    """Parts with something between, so that two numbers are not one."""
    return " ".join(parts)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(HEADERS), st.lists(SAFE | PRIVATE, max_size=6).map(joined), max_size=8),
    st.dictionaries(st.sampled_from(COLUMNS), st.lists(SAFE | PRIVATE, max_size=4).map(joined), max_size=4),
)
def test_whatever_header_holds_it_no_number_name_or_address_is_left(
    message: dict[str, str], row: dict[str, str]
) -> None:
    """A name is known from a caller's name; numbers and addresses are known anywhere."""
    caller: Spoken = {"Event": "Newchannel", "CallerIDName": "Анна Petrova"}
    nested = {"eventtype": "HANGUP", "eventextra": json.dumps({"hangupsource": joined(row.values()), "x": ["1234567"]})}
    told = scramble([caller, {**message}, {**row}, {**nested}])
    text = json.dumps(told, ensure_ascii=False).casefold()
    for private in ("79161234567", "9161234567", "4957654321", "1234567", "анна", "petrova", "203.0.113.77", "::beef"):
        assert private not in text
    assert [len(one) for one in told] == [2, len(message), len(row), 2]


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text(), max_size=3)))
def test_any_message_is_scrambled_without_an_error(message: dict[str, str | list[str]]) -> None:
    """A tape may hold anything; two messages that are the same stay the same."""
    one, other = scramble([message, message])
    assert one == other
    assert len(one) <= len(message)


def test_order_of_learning_does_not_matter() -> None:
    """A name that stands in a path before anybody is called so is scrambled there too."""
    told: list[Spoken] = [
        {"Event": "VarSet", "Variable": "MIXMONITOR_FILENAME", "Value": "/var/spool/asterisk/monitor/Petrova.wav"},
        {"Event": "Newexten", "Application": "Dial", "AppData": "PJSIP/petrova,20"},
        {"Event": "Newchannel", "CallerIDName": "Petrova"},
    ]
    first = scramble(told)
    assert "petrova" not in json.dumps(first).casefold()
    random.Random(1).shuffle(told)
    assert "petrova" not in json.dumps(scramble(told)).casefold()
