"""Whose word counts for how long a call is kept."""

from dataclasses import replace

import pytest

from directory.file import loads
from directory.model import EMPTY, Directory
from directory.retention import Keep, retention_from

_LINES = """
company: {name: Ромашка, retention: {audio_days: 90, transcript_days: 365, missed: {party_days: 180}}}
people: [{key: anna, name: Анна, role: manager}]
teams: [{key: sales, name: Продажи, members: [anna]}]
lines:
  - {number: "74951234567", name: Основная, team: sales}
  - number: "74951234568"
    name: Склад
    team: sales
    retention: {audio_days: 7, missed: {party_days: forever}, voicemail: {audio_days: forever}}
"""


@pytest.fixture(scope="module")
def house() -> Directory:
    return loads(_LINES)


@pytest.mark.parametrize(
    "line, status, days",
    [
        ("74951234567", "answered", Keep(audio_days=90, transcript_days=365)),
        ("74951234567", "missed", Keep(audio_days=90, transcript_days=365, party_days=180)),
        ("74951234568", "answered", Keep(audio_days=7, transcript_days=365)),
        ("+7 495 123-45-68", "missed", Keep(audio_days=7, transcript_days=365)),
        ("74951234568", "voicemail", Keep(transcript_days=365)),
        ("nobody's", "failed", Keep(audio_days=90, transcript_days=365)),
    ],
)
def test_a_line_says_before_the_company_and_a_status_before_every_call(
    house: Directory, line: str, status: str, days: Keep
) -> None:
    """Kind by kind; what nobody says, or somebody keeps for ever, has no days."""
    assert house.retention_of(line, status) == days


def test_a_house_without_a_policy_keeps_everything() -> None:
    """Nothing is removed that nobody asked to remove."""
    assert EMPTY.retention_of("74951234567", "answered") == Keep()


def test_a_change_of_the_policy_is_shown_before_it_is_made(house: Directory) -> None:
    """What is about to be removed after fewer days is read in the difference."""
    from directory.difference import difference

    shorter = replace(house, company=replace(house.company, retention=retention_from({"audio_days": 30})))
    assert difference(house, shorter) == [
        "~ company: retention audio_days: 90, transcript_days: 365, missed: {party_days: 180} -> audio_days: 30"
    ]
