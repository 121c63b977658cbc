"""A call reads as before when a person in it is forgotten, but for who it was with."""

from pathlib import Path
from typing import Any

import pytest

from calls.forgetting import Person, forgotten, names_in
from calls.view import to_json, view
from service.commands.replay import fold
from telephony import tape

TAPES = Path(__file__).parents[1] / "tapes"
CLIENTS = frozenset({"9161234567"})
PSEUDONYM = "erased012345678901"


@pytest.mark.parametrize("path", sorted([*TAPES.glob("*.ami"), *TAPES.glob("*.csv")]), ids=lambda path: path.name)
def test_a_tape_without_the_client_makes_the_same_record_without_the_client(path: Path) -> None:
    """Every status, leg, talk, time and cause of every scenario; nothing of the client is left in it."""
    told = tape.read(path, "tape").events
    names = frozenset(names_in(told, Person(CLIENTS, frozenset(), PSEUDONYM)))
    person = Person(CLIENTS, names, PSEUDONYM)
    before = [to_json(view(call)) for call in fold(told)]
    after = [to_json(view(call)) for call in fold(forgotten(event, person) for event in told)]
    assert after == [_nameless(person.value(one)) for one in before]
    assert not any(sign in str(after) for sign in (*CLIENTS, *names))


def _nameless(record: dict[str, Any]) -> dict[str, Any]:
    record["caller"]["name"] = record["caller"]["name"].replace(PSEUDONYM, "")
    return record
