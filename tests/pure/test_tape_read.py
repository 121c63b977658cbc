"""A tape is read by its content; what is no tape is one clear line."""

import csv
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telephony import cel
from telephony.tape import TapeError, messages, read

TAPES = Path(__file__).parents[1] / "tapes"
NAMES = sorted(tape.stem for tape in TAPES.glob("*.ami"))


def ami_messages(name: str) -> list[dict[str, str | list[str]]]:
    with (TAPES / f"{name}.ami").open(encoding="utf-8", newline="\n") as file:
        return list(messages(file))


def cel_rows(name: str) -> list[dict[str, str]]:
    with (TAPES / f"{name}.cel.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def written(folder: Path, text: str) -> Path:
    tape = folder / "tape"
    tape.write_text(text, encoding="utf-8", newline="")
    return tape


def json_lines(told: Iterable[Mapping[str, object]]) -> str:
    return "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in told)


def csv_text(rows: Iterable[Mapping[str, str]], columns: Iterable[str], delimiter: str = ",") -> str:
    columns = list(columns)
    cells = [[row[column].replace('"', '""') for column in columns] for row in rows]
    lines = [delimiter.join(f'"{cell}"' for cell in line) for line in cells]
    return "\r\n".join([delimiter.join(columns), *lines]) + "\r\n"


@pytest.mark.parametrize("name", NAMES)
def test_every_form_of_a_tape_tells_the_same_events(tmp_path: Path, name: str) -> None:
    """AMI as text with CRLF, LF or a banner, or as JSON lines; CEL as CSV in any order of columns, or as JSON lines."""
    ami = read(TAPES / f"{name}.ami")
    text = (TAPES / f"{name}.ami").read_bytes().decode()
    banner = "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nMessage: Authentication accepted\r\n\r\n"
    for form in (text.replace("\r\n", "\n"), banner + text, "\ufeff" + text, "\n\n" + text, text.rstrip()):
        assert read(written(tmp_path, form)) == ami
    as_json = read(written(tmp_path, json_lines(ami_messages(name))))
    assert (as_json.kind, as_json.events) == ("ami-json", ami.events)

    told = read(TAPES / f"{name}.cel.csv")
    rows = cel_rows(name)
    assert told.kind == "cel-csv"
    assert read(written(tmp_path, csv_text(rows, reversed(rows[0])))) == told
    assert read(written(tmp_path, csv_text(rows, rows[0], ";"))) == told
    as_json = read(written(tmp_path, json_lines(rows)))
    assert (as_json.kind, as_json.events) == ("cel-json", told.events)


def test_the_file_that_the_pbx_writes_needs_no_header(tmp_path: Path) -> None:
    """cel_custom writes rows alone, in the order of our configuration."""
    columns = list(cel_rows("answered")[0])
    assert len(columns) == len(cel.COLUMNS)
    headless = csv_text(cel_rows("answered"), columns).partition("\r\n")[2]
    assert read(written(tmp_path, headless)) == read(TAPES / "answered.cel.csv")


def test_json_keeps_numbers_and_nested_data(tmp_path: Path) -> None:
    """A JSON writer may tell numbers as numbers and eventextra as an object."""
    told = read(TAPES / "answered.cel.csv")
    rows: list[dict[str, object]] = [
        {**row, "eventextra": json.loads(row["eventextra"]) if row["eventextra"] else None, "amaflags": 3}
        for row in cel_rows("answered")
    ]
    assert read(written(tmp_path, json_lines(rows))).events == told.events


def test_a_repeated_header_is_a_list(tmp_path: Path) -> None:
    """AMI may say a header twice; both are kept, the first is taken."""
    (spoken,) = messages(
        ["Event: UserEvent\r\n", "Uniqueid: 1.1\r\n", "Uniqueid: 1.2\r\n", "Uniqueid: 1.3\r\n", "\r\n"]
    )
    assert spoken["Uniqueid"] == ["1.1", "1.2", "1.3"]


def test_unknown_events_are_counted_and_never_fail(tmp_path: Path) -> None:
    """Events of unknown names, rows of unknown types and rows without a channel are skipped; responses are not."""
    text = (TAPES / "answered.ami").read_bytes().decode()
    more = read(written(tmp_path, text + "Event: FutureEvent\r\nUniqueid: 1.1\r\n\r\nResponse: Goodbye\r\n\r\n"))
    assert (more.events, more.skipped) == (read(TAPES / "answered.ami").events, 1)
    torn = "eventtype,uniqueid\nFUTURE,1.1\nHANGUP\nHANGUP,1.1\n"
    assert read(written(tmp_path, torn)).skipped == 2


def test_a_recorder_stopped_in_mid_line_loses_only_that_line(tmp_path: Path) -> None:
    """The last JSON line of a tape may be half written."""
    whole = json_lines(cel_rows("answered"))
    assert read(written(tmp_path, whole + '{"eventtype": "HANG')).events == read(TAPES / "answered.cel.csv").events


def test_dates_without_zone_are_read_by_the_pbxs_own_clock(tmp_path: Path) -> None:
    """Uniqueids begin with the epoch second of their creation, so the rows give the PBX's zone away."""
    rows = cel_rows("answered")
    local = [{**row, "eventtime": _moscow(row["eventtime"])} for row in rows]
    assert read(written(tmp_path, csv_text(local, rows[0]))) == read(TAPES / "answered.cel.csv")


def _moscow(epoch: str) -> str:
    return f"{datetime.fromtimestamp(int(epoch[:10]), UTC) + timedelta(hours=3):%Y-%m-%d %H:%M:%S}{epoch[10:]}"


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "the file is empty"),
        (b"\r\n \n", "the file is empty"),
        (b"\x7fELF\x00\x00\x01", "not text but binary data"),
        (b"\x1f\x8b\x08rest", "not text but binary data"),
        ("Event: Hangup\r\n".encode("utf-16"), "not text but binary data"),
        (b"Dear reader, nothing was recorded\n", "line 1: neither AMI (no 'Event: "),
        (b"\n\nnothing\n", "line 3: neither AMI (no 'Event: "),
        (b"Subject: hello\nFrom: me\n\nhi\n", "no AMI event in it"),
        (b"eventtype,eventtime\nHANGUP,1\n", "line 1: CEL without the column 'uniqueid'"),
        (b"\nuniqueid,linkedid\n1.1,1.1\n", "line 2: CEL without the column 'eventtype'"),
        (b'{"eventtype": "HANGUP"}\n', "CEL without the column 'uniqueid'"),
        (b'{"a": 1}\n', "neither AMI"),
        (b'{"Event": "Hangup"}\n{oops}\n', "line 2: not JSON: "),
        (b'{"Event": "Hangup"}\n[]\n', "line 2: one JSON object a line is wanted, got list"),
        (b'eventtype,uniqueid\nHANGUP,"' + b"1" * 200_000 + b'"\n', "not CSV: "),
    ],
)
def test_what_is_no_tape_is_one_clear_line(tmp_path: Path, content: bytes, says: str) -> None:
    """The line names the file, the place and the problem."""
    tape = tmp_path / "tape"
    tape.write_bytes(content)
    with pytest.raises(TapeError) as refused:
        read(tape)
    assert str(refused.value).startswith(f"{tape}: ")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["missing", "folder"])
def test_a_tape_that_cannot_be_opened_is_one_clear_line(tmp_path: Path, make: Callable[[Path], None]) -> None:
    tape = tmp_path / "tape"
    make(tape)
    with pytest.raises(TapeError, match=f"^{tape}: (No such file|Is a directory)"):
        read(tape)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(st.sampled_from(["Event: Hangup", "a,b", "{}", "", "x: y"])).map(lambda lines: "\n".join(lines).encode())
)
def test_any_file_is_a_tape_or_a_clear_line(tmp_path: Path, content: bytes) -> None:
    """Nothing but TapeError ever leaves the reader."""
    tape = tmp_path / "tape"
    tape.write_bytes(content)
    with suppress(TapeError):
        assert isinstance(read(tape).events, list)
