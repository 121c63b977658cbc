"""A person is found, and forgotten, in whatever spelling they stand."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from calls.events import AppStarted, Arrived, ChannelCreated, Dialed, Routed
from calls.forgetting import Person, forgotten, names_in, pattern

PERSON = Person(frozenset({"9161234567"}), frozenset({"Мария Ивановна"}), "erased000111222333")
AT = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "spelling",
    [
        "79161234567",
        "+79161234567",
        "89161234567",
        "9161234567",
        "8 (916) 123-45-67",
        "+7 916 123 45 67",
        "8-916-123-45-67",
        "81079161234567",
        "9,89161234567",
        "+7\u00a0916\u00a0123\u201345\u201367",
    ],
)
def test_a_number_is_found_however_it_is_written(spelling: str) -> None:
    """Nothing of it stays: not the code before it, not the signs within."""
    assert PERSON.text(spelling) == PERSON.pseudonym
    assert PERSON.text(f"PJSIP/{spelling}@trunk") == f"PJSIP/{PERSON.pseudonym}@trunk"


@pytest.mark.parametrize(
    "told", ["79161234568", "791612345670", "91612345", "916123456", "1795426879.40806", "erased481516234208", ""]
)
def test_nobody_else_is_forgotten(told: str) -> None:
    """A longer number is another one, and so is the name of a channel."""
    assert PERSON.text(told) == told


@given(st.text())
@settings(max_examples=40)
def test_a_text_without_the_person_stays_as_it_is(told: str) -> None:
    """Forgetting touches nothing else, and never fails."""
    if not told.startswith(("{", "[")):
        assert PERSON.text(told) == told


def test_names_of_channels_stay_and_join_the_call_as_before() -> None:
    """Even one that by chance looks like the number: it names nobody."""
    event = Dialed(
        pbx="main",
        channel="9161234567.1",
        linkedid="9161234567.1",
        target="9161234567.2",
        target_name="Local/89161234567@out-0001;1",
        dial_string="PJSIP/89161234567@trunk",
    )
    gone = forgotten(event, PERSON)
    assert isinstance(gone, Dialed)
    assert (gone.channel, gone.linkedid, gone.target) == (event.channel, event.linkedid, event.target)
    assert gone.target_name == f"Local/{PERSON.pseudonym}@out-0001;1"
    assert gone.dial_string == f"PJSIP/{PERSON.pseudonym}@trunk"


def test_what_is_json_within_a_text_stays_json() -> None:
    """A plan with the caller among its reasons, in letters that JSON escapes."""
    plan = json.dumps({"reasons": [{"text": "Мария Ивановна, 8 916 123-45-67"}], "channel": "1.1", "steps": [1, None]})
    told = forgotten(Routed(pbx="main", channel="1.1", at=AT, plan=plan), PERSON)
    assert isinstance(told, Routed)
    assert json.loads(told.plan) == {
        "reasons": [{"text": f"{PERSON.pseudonym}, {PERSON.pseudonym}"}],
        "channel": "1.1",
        "steps": [1, None],
    }
    assert forgotten(told, PERSON) == told


def test_a_name_goes_with_its_number_and_wherever_else_it_stands() -> None:
    """Whole where it came with the number, and as a word elsewhere; a part of another word is none."""
    arrived = Arrived(pbx="main", channel="1.1", line="74951234567", number="+79161234567", caller_name="Маша")
    created = ChannelCreated(pbx="main", channel="1.2", number="101", caller_name="Маша Петрова", dialed="s")
    app = AppStarted(pbx="main", channel="1.1", app="Dial", data="Машаров; МАША")
    names = frozenset(names_in([arrived, created, app], PERSON))
    assert names == {"Маша"}
    person = Person(PERSON.numbers, names, PERSON.pseudonym)
    assert forgotten(arrived, person) == replace(arrived, number=PERSON.pseudonym, caller_name="")
    assert forgotten(created, person) == replace(created, caller_name=f"{PERSON.pseudonym} Петрова")
    assert forgotten(app, person) == replace(app, data=f"Машаров; {PERSON.pseudonym}")


def test_too_few_digits_are_no_number() -> None:
    """Whoever asks for an extension would lose half the house."""
    for told in ("101", "123456", "", "+7916", "916a234567"):
        with pytest.raises(ValueError, match="at least 7 digits"):
            pattern(told)
