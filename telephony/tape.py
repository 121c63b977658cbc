"""Reads a tape into events, told by its content: AMI as protocol text or JSON lines, CEL as CSV or JSON lines."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Literal, TextIO

from calls.events import Event
from telephony import ami, cel
from telephony.told import Headers, moment

Kind = Literal["ami", "ami-json", "cel-csv", "cel-json"]

Spoken = dict[str, str | list[str]]
"""One message or row: header or column -> value, or the list of values of a repeated header."""

_HEAD_BYTES = 65536
_BANNER = "Asterisk Call Manager/"
_HEADER_LINE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:( |$)")
_JSON_OBJECT = re.compile(r'\{\s*"[^"]+"\s*:')
_DELIMITERS = ",;\t|"


class TapeError(Exception):
    """A file that cannot be read as a tape; its str is one line: FILE: [line N:] what is wrong."""


@dataclass(frozen=True, slots=True)
class Tape:
    """What a tape tells. `skipped` counts events of unknown names and rows too torn to read."""

    kind: Kind
    events: list[Event]
    skipped: int


def read(path: Path, pbx: str = "pbx") -> Tape:
    """The events of the tape at `path`, in its order, as told by `pbx`; raises TapeError for what is no tape."""
    kind, told = content(path)
    return _of_messages(kind, told, pbx) if kind.startswith("ami") else _of_rows(kind, told, pbx)


def content(path: Path) -> tuple[Kind, list[Spoken]]:
    """The messages of an AMI tape, the rows of a CEL tape, as they are told; raises TapeError for what is no tape."""
    try:
        with path.open("rb") as file:
            _check(path, file.read(_HEAD_BYTES))
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as text:
            return _content(path, text)
    except OSError as error:
        raise TapeError(f"{path}: {error.strerror or error}") from error


def ami_text(spoken: Iterable[Headers]) -> str:
    """Messages as AMI writes them."""
    return "".join("".join(f"{name}: {one}\r\n" for name, one in _lines(message)) + "\r\n" for message in spoken)


def cel_csv(rows: Sequence[Headers]) -> str:
    """Rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _lines(message: Headers) -> Iterator[tuple[str, str]]:
    for name, value in message.items():
        yield from ((name, one) for one in ([value] if isinstance(value, str) else value))


def _check(path: Path, head: bytes) -> None:
    if not head.strip(b"\r\n\t \xef\xbb\xbf"):
        raise TapeError(f"{path}: the file is empty")
    if b"\0" in head or head.startswith(b"\x1f\x8b"):
        raise TapeError(f"{path}: not text but binary data; a tape is UTF-8 text (unpack or convert it first)")


def _content(path: Path, text: TextIO) -> tuple[Kind, list[Spoken]]:
    number, first = _telling_line(text)
    if not first:
        raise TapeError(f"{path}: the file is empty")
    text.seek(0)
    if first.startswith("{"):
        return _json_lines(path, text)
    if _HEADER_LINE.match(first) or first.startswith(_BANNER):
        return "ami", _ami_messages(path, text)
    return "cel-csv", _cel_rows(path, text, first, number)


def _telling_line(text: TextIO) -> tuple[int, str]:
    """The number and the words of the first line that tells what the tape is, else of the first that is not blank.

    A tape that was cut begins in the middle of a line.
    """
    first = (0, "")
    for number, line in enumerate(text, 1):
        told = line.strip()
        if _JSON_OBJECT.match(told) or told.startswith(("Event: ", "Response: ", _BANNER)) or _is_cel(told):
            return number, told
        first = first if first[1] else (number, told)
    return first


def _is_cel(line: str) -> bool:
    cells = _cells(line)
    return {"eventtype", "uniqueid"} <= {cel.spelling(cell) for cell in cells} or _is_bare_row(cells)


def _cells(line: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=max(_DELIMITERS, key=line.count)), [])
    except csv.Error:
        return []


def _is_bare_row(cells: list[str]) -> bool:
    """A row of the PBX's own file, which has no header."""
    return len(cells) == len(cel.COLUMNS) and bool(cel.event_type(cells[0])) and moment(cells[1]) is not None


def _ami_messages(path: Path, text: TextIO) -> list[Spoken]:
    spoken = list(messages(text))
    if not any(ami.event_name(message) or "Response" in message for message in spoken):
        raise TapeError(f"{path}: no AMI event in it (no line 'Event: …') and not CEL either")
    return spoken


def messages(lines: Iterable[str]) -> Iterator[Spoken]:
    """AMI messages from protocol lines (CRLF or LF): blocks of `Name: value` parted by blank lines, banner left out.

    Where a blank line is missing, as between two recordings put together, the next `Event` begins the next message. A
    channel's id at the very end, without the end of its line, may be half of one: it is left out.
    """
    block: Spoken = {}
    for raw in lines:
        line = raw.rstrip("\r\n")
        name, colon, value = line.partition(":")
        if block and (not line or (name == "Event" and name in block)):
            yield block
            block = {}
        if not colon or (raw == line and name.lower().endswith("id")):
            continue
        name, value = name.strip(), value.removeprefix(" ")
        known = block.get(name)
        if known is None:
            block[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            block[name] = [known, value]
    if block:
        yield block


def _of_messages(kind: Kind, spoken: Iterable[Headers], pbx: str) -> Tape:
    events: list[Event] = []
    skipped = 0
    for message in spoken:
        events += ami.translate(pbx, message)
        name = ami.event_name(message)
        skipped += bool(name) and not ami.knows(name)
    return Tape(kind, events, skipped)


def _json_lines(path: Path, text: TextIO) -> tuple[Kind, list[Spoken]]:
    told = list(_objects(path, text))
    if any(ami.event_name(one) for one in told):
        return "ami-json", told
    _check_columns(path, 1, {name for row in told for name in row})
    return "cel-json", told


def _objects(path: Path, text: TextIO) -> Iterator[Spoken]:
    """The objects of a tape of JSON lines. A recorder that is cut tears its first line, its last, or both."""
    torn: TapeError | None = None
    whole_count = 0
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line, parse_float=str, parse_int=str)  # as written: a uniqueid may look like a number
        except (ValueError, RecursionError) as error:
            refused = TapeError(f"{path}: line {number}: not JSON: {error}")
            if line.endswith("\n") and (whole_count or torn):
                raise refused from error
            torn = torn or refused
            continue
        if not isinstance(told, dict):
            raise TapeError(f"{path}: line {number}: one JSON object a line is wanted, got {type(told).__name__}")
        whole_count += 1
        yield {name: _as_told(value) for name, value in told.items()}
    if torn is not None and not whole_count:
        raise torn


def _as_told(value: Any) -> str | list[str]:
    """A JSON value as AMI or CEL would have written it; nested data (an eventextra as an object) stays JSON text."""
    match value:
        case str():
            return value
        case None:
            return ""
        case list():
            return [str(one) for one in value]
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _cel_rows(path: Path, text: TextIO, first: str, number: int) -> list[Spoken]:
    delimiter = max(_DELIMITERS, key=first.count)
    for _ in range(number - 1):
        text.readline()
    reader = csv.reader(text, delimiter=delimiter)
    try:
        header = next(reader)
        rest = [cells for cells in reader if cells]
    except csv.Error as error:
        raise TapeError(f"{path}: line {reader.line_num + number - 1}: not CSV: {error}") from error
    if _is_bare_row(header):
        rest, header = [header, *rest], list(cel.COLUMNS)
    else:
        _check_columns(path, number, header)
    if rest and len(rest[-1]) < len(header):
        rest[-1] = []  # cut by the end of the tape: its last cell may be half of one
    return [dict(zip(header, cells, strict=False)) for cells in rest]


def _check_columns(path: Path, number: int, columns: Iterable[str]) -> None:
    known = {cel.spelling(column) for column in columns} - {""}
    if not known & {"eventtype", "uniqueid"}:
        raise TapeError(f"{path}: line {number}: neither AMI (no 'Event: …') nor CEL (no column 'eventtype')")
    for wanted in ("eventtype", "uniqueid"):
        if wanted not in known:
            raise TapeError(f"{path}: line {number}: CEL without the column '{wanted}'")


def _of_rows(kind: Kind, told: Iterable[Headers], pbx: str) -> Tape:
    rows = [{cel.spelling(name): value for name, value in row.items() if isinstance(value, str)} for row in told]
    zone = clock_zone(rows)
    events: list[Event] = []
    skipped = 0
    for row in rows:
        events += cel.translate(pbx, row, zone)
        skipped += not (cel.event_type(row.get("eventtype", "")) and row.get("uniqueid"))
    return Tape(kind, events, skipped)


def clock_zone(rows: Iterable[Mapping[str, str]]) -> tzinfo:
    """The zone of dates written without one, as the rows themselves give it away; UTC where they do not.

    A channel's uniqueid begins with the epoch second of its creation, and its CHAN_START tells the same moment by the
    PBX's clock: the difference, to the quarter of an hour, is the zone.
    """
    votes: Counter[int] = Counter()
    for row in rows:
        if cel.event_type(row.get("eventtype", "")) == "CHAN_START":
            told = moment(row.get("eventtime", ""))
            born = moment(row.get("uniqueid", "").rpartition("-")[2].partition(".")[0])
            if told and born and born.year > 2000:
                votes[round((told - born) / timedelta(minutes=15))] += 1
    quarters = votes.most_common(1)[0][0] if votes else 0
    return timezone(timedelta(minutes=15 * quarters)) if abs(quarters) <= 14 * 4 else UTC
