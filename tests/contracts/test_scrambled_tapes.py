"""A scrambled tape tells the same calls of invented people: nothing true is left on it."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from calls.view import CallView, to_json
from service.commands.replay import replay
from telephony.scramble import Scrambler
from telephony.tape import Spoken, ami_text, cel_csv, content
from telephony.tape_fields import learn, scrambled

TAPES = sorted((Path(__file__).parents[1] / "tapes").glob("*.ami"))
NAMES = ("Клиент", "Менеджер", "Ivan", "Maria")
# The same each time: of invented letters four are a true name by chance, once in some hundred runs.
SECRET = bytes(range(32))


@dataclass(frozen=True)
class Told:
    """AMI and CEL of a tape, scrambled by one scrambler; `whole`: extensions and devices too."""

    tape: Path
    whole: bool
    spoken: list[Spoken]
    rows: list[Spoken]


@pytest.fixture(scope="module", params=product(TAPES, (False, True)), ids=lambda told: f"{told[0].stem}-{told[1]}")
def told(request: pytest.FixtureRequest) -> Told:
    """Each tape, scrambled once for all that is asked of it."""
    tape, whole = request.param
    (_, spoken), (_, rows) = content(tape), content(tape.with_suffix(".cel.csv"))
    scrambler = Scrambler(SECRET)
    for one in (*spoken, *rows):
        learn(scrambler, one, extensions=whole, devices=whole)
    return Told(tape, whole, [scrambled(scrambler, one) for one in spoken], [scrambled(scrambler, one) for one in rows])


@cache
def replayed(tapes: tuple[Path, ...]) -> tuple[list[CallView], int]:
    """What true tapes tell; it is asked for twice."""
    return replay(tapes)


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


def test_a_scrambled_tape_makes_the_same_record_but_for_names(told: Told, tmp_path: Path) -> None:
    """Either witness and both: the same times, outcomes and structure; one number is one number wherever it stands."""
    live, durable = tmp_path / "new.ami", tmp_path / "new.cel.csv"
    live.write_text(ami_text(told.spoken), encoding="utf-8", newline="")
    durable.write_text(cel_csv(told.rows), encoding="utf-8", newline="")
    true = (told.tape, told.tape.with_suffix(".cel.csv"))
    for paths, originals in (([live], true[:1]), ([durable], true[1:]), ([live, durable], true)):
        (records, skipped), (known, _) = replay(paths), replayed(originals)
        assert skipped == 0
        one, other = [to_json(record) for record in known], [to_json(record) for record in records]
        for record in (*one, *other):
            record["recordings"] = [len(record["recordings"])]  # told in the order of their names
        assert shape(other) == shape(one)
        same_where_same(one, other, {})


def test_nothing_true_is_left_on_a_scrambled_tape(told: Told) -> None:
    """No number, no name, no address; account codes go too, and with them extensions and devices when asked for."""
    text = ami_text(told.spoken) + cel_csv(told.rows)
    _, true = content(told.tape)
    for number in set(re.findall(r"(?<![\d.])79\d{9}(?!\d)", ami_text(true))):
        assert number not in text
        assert number[1:] not in text
    assert not [name for name in NAMES if name in text]
    assert not re.search(r"\bacc-m\d", text)
    if told.whole:
        kept = {"Cause", "ParkingDuration", "TechCause", "DurationMs"}
        for old, new in zip(true, told.spoken, strict=True):
            for header, value in old.items():
                assert header in kept or value not in ["101", "102", "103"] or new[header] != value
        assert not re.search(r"PJSIP/trunk\b", text)
