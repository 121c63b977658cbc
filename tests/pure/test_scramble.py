"""What is invented for numbers, names and addresses: the same for the same, of the same shape, and nothing true."""

import json
import random
import re
import secrets
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telephony.scramble import Scrambler
from telephony.tape import Spoken, content
from telephony.tape_fields import learn, scrambled

TAPES = sorted((Path(__file__).parents[1] / "tapes").glob("*.ami"))


def scramble(told: Sequence[Spoken]) -> list[Spoken]:
    scrambler = Scrambler(secrets.token_bytes(32))
    for one in told:
        learn(scrambler, one, extensions=False, devices=False)
    return [scrambled(scrambler, one) for one in told]


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


def test_secrets_and_what_looks_like_one_are_not_kept() -> None:
    """A secret leaves nothing; of a key of letters and digits in one no sign stays in its place by rule."""
    login: Spoken = {"Action": "Login", "Username": "anna", "Secret": "asterisk"}
    token: Spoken = {"Event": "VarSet", "Variable": "TOKEN", "Value": "a1b2c3d4e5f6a7b8c9d0"}
    told = scramble([login, token, token])
    assert told[0]["Secret"] == "x"
    assert told[1] == told[2]
    kept = sum(one == other for one, other in zip(str(told[1]["Value"]), token["Value"], strict=True))
    assert kept < 10


def test_keys_pressed_are_not_kept() -> None:
    """Digit by digit they may be a card's number."""
    (told,) = scramble([{"Event": "DTMFEnd", "Digit": "7"}])
    assert told == {"Event": "DTMFEnd", "Digit": "0"}


SPREAD = ("8-916-123-45-67", "+7 (916) 123-45-67", "8.916.123.45.67", "8%20916%20123%2D45%2d67", "916 123-4567")


@pytest.mark.parametrize("header", ["CallerIDNum", "Exten", "DialString", "Channel", "From", "Variable", "Value"])
@pytest.mark.parametrize("number", SPREAD)
def test_a_number_written_with_signs_between_is_the_same_number(header: str, number: str) -> None:
    """A PBX takes numbers as phones and clients write them; the signs stay, the digits go."""
    plain, told = scramble([{"CallerIDNum": "9161234567"}, {header: f"PJSIP/{number}@trunk"}])
    digits = "".join(filter(str.isdigit, re.sub("%2.", "", str(told[header]))))
    assert digits[-10:] == plain["CallerIDNum"] != "9161234567"
    spoken, written = (
        re.sub("[a-z]", "a", re.sub(r"\d", "0", one)) for one in (f"PJSIP/{number}@trunk", str(told[header]))
    )
    assert written == spoken


def test_what_others_say_in_events_of_their_own_is_private_whatever_they_call_it() -> None:
    """A UserEvent's headers, the words of CELGenUserEvent, and the names in an extra are no words of Asterisk's."""
    told = scramble(
        [
            {"Event": "UserEvent", "ChannelState": "6", "UserEvent": "Lead", "Reason": "Petrova", "Status": "123456"},
            {"eventtype": "USER_DEFINED", "eventextra": '{"extra":"Petrova","9161234567":"x"}'},
        ]
    )
    text = json.dumps(told)
    assert not [private for private in ("Petrova", "123456", "9161234567") if private in text]
    assert told[0]["ChannelState"] == "6"


@pytest.mark.parametrize("part", ["a/", "@a.", "1 ", "1.", "a:", "a::", "a1", "%20", "-0000000", "r("])
def test_a_long_value_takes_no_longer_than_many_short_ones(part: str) -> None:
    """Read by rules that went back again and again, half a megabyte of it would take hours: pytest's time ends that."""
    (told,) = scramble([{"Event": "Newexten", "Application": "MixMonitor", "AppData": part * (524_288 // len(part))}])
    assert told["AppData"]


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
@example({"Timestamp": "4957654321 79161234567"}, {})
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
