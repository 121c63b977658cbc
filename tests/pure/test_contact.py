"""When a person may be told: their quiet is theirs, and what waits is told as soon as it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.contact import email, quiet, tell_at
from directory.model import Person
from tests.fakes.directories import OFFICE

ANNA, _, VERA = OFFICE.people


def at(text: str) -> datetime:
    """A moment of Moscow, 2026."""
    return datetime.fromisoformat(f"2026-{text}+03:00")


@pytest.mark.parametrize(
    "person, moment, told",
    [
        (replace(VERA, quiet="22:00-08:00"), "03-02T21:59", "03-02T21:59"),
        (replace(VERA, quiet="22:00-08:00"), "03-02T22:00", "03-03T08:00"),
        (replace(VERA, quiet="22:00-08:00"), "03-03T07:59", "03-03T08:00"),
        (replace(VERA, quiet="13:00-14:00"), "03-03T13:30", "03-03T14:00"),
        (replace(VERA, quiet="13:00-14:00"), "03-03T03:00", "03-03T03:00"),
        (replace(VERA, quiet="22:00-24:00"), "03-03T23:00", "03-04T00:00"),
        (replace(VERA, quiet="00:00-08:00", time_zone="Asia/Yekaterinburg"), "03-02T23:00", "03-03T06:00"),
        (ANNA, "03-06T18:00", "03-07T10:00"),
        (ANNA, "03-07T15:00", "03-09T09:00"),
        (ANNA, "03-06T12:00", "03-06T12:00"),
        (VERA, "03-08T03:00", "03-08T03:00"),
        (replace(ANNA, quiet="never"), "03-08T03:00", "03-08T03:00"),
    ],
)
def test_messages_wait_for_the_end_of_what_is_quiet(person: Person, moment: str, told: str) -> None:
    """Of a person's own quiet, else until their next working hours; without both nothing waits."""
    assert tell_at(OFFICE, person, at(moment)) == at(told)


minutes = st.integers(0, 1439)


@given(minutes, minutes, st.integers(0, 10_000))
def test_nothing_waits_longer_than_the_quiet_lasts(begins: int, ends: int, later: int) -> None:
    """Whatever is quiet, it is over in time, and at its end it is not quiet any more."""
    if begins == ends:
        return
    text = f"{begins // 60:02}:{begins % 60:02}-{ends // 60:02}:{ends % 60:02}"
    person = replace(VERA, quiet=quiet(text))
    moment = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=later)
    told = tell_at(OFFICE, person, moment)
    assert timedelta() <= told - moment <= timedelta(minutes=(ends - begins) % 1440)
    assert tell_at(OFFICE, person, told) == told


@pytest.mark.parametrize("text", ["anna@romashka.example", "a.b+c@x.org", "o'neil@x-y.org"])
def test_a_mailbox_is_taken_as_it_is(text: str) -> None:
    assert email(text) == text


@pytest.mark.parametrize(
    "text", ["anna", "a@", "@b", "a b@c", "a@b\r\nBcc: c@d", "a@b.", "a..b@c", "А@b", "a" * 65 + "@b"]
)
def test_what_could_be_more_than_one_mailbox_is_none(text: str) -> None:
    """Nothing of an address can break out of the line that a mail server reads."""
    with pytest.raises(ValueError, match="must be one e-mail address"):
        email(text)
