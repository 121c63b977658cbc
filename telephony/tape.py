"""Reads a tape into events, told by its content: AMI as protocol text or JSON lines, CEL as CSV or JSON lines."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any, Literal, TextIO

from calls.events import Event
from telephony import ami, cel
from telephony.told import Headers, moment

Kind = Literal["ami", "ami-json", "cel-csv", "cel-json"]

_HEAD_BYTES = 65536
_BANNER = "Asterisk Call Manager/"
_HEADER_LINE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*:( |$)")
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
    try:
        with path.open("rb") as file:
            _check(path, file.read(_HEAD_BYTES))
        with path.open(encoding="utf-8-sig", errors="replace", newline="\n") as text:
            return _read(path, text, pbx)
    except OSError as error:
        raise TapeError(f"{path}: {error.strerror or error}") from error


def _check(path: Path, head: bytes) -> None:
    if not head.strip(b"\r\n\t \xef\xbb\xbf"):
        raise TapeError(f"{path}: the file is empty")
    if b"\0" in head or head.startswith(b"\x1f\x8b"):
        raise TapeError(f"{path}: not text but binary data; a tape is UTF-8 text (unpack or convert it first)")


def _read(path: Path, text: TextIO, pbx: str) -> Tape:
    """Told by the first line that is not blank."""
    number, first = next(((number, line.strip()) for number, line in enumerate(text, 1) if line.strip()), (0, ""))
    if not first:
        raise TapeError(f"{path}: the file is empty")
    text.seek(0)
    if first.startswith("{"):
        return _json_lines(path, text, pbx)
    if first.startswith(_BANNER) or _HEADER_LINE.match(first):
        return _ami_text(path, text, pbx)
    return _cel_csv(path, text, pbx, first, number)


def _ami_text(path: Path, text: TextIO, pbx: str) -> Tape:
    spoken = list(messages(text))
    if not any(ami.event_name(message) or "Response" in message for message in spoken):
        raise TapeError(f"{path}: no AMI event in it (no line 'Event: …') and not CEL either")
    return _of_messages("ami", spoken, pbx)


def messages(lines: Iterable[str]) -> Iterator[dict[str, str | list[str]]]:
    """AMI messages from protocol lines (CRLF or LF): blocks of `Name: value` parted by blank lines, banner left out."""
    block: dict[str, str | list[str]] = {}
    for raw in lines:
        line = raw.rstrip("\r\n")
        if not line:
            if block:
                yield block
            block = {}
            continue
        name, colon, value = line.partition(":")
        if not colon or line.startswith(_BANNER):
            continue
        _add(block, name.strip(), value.removeprefix(" "))
    if block:
        yield block


def _add(block: dict[str, str | list[str]], name: str, value: str) -> None:
    known = block.get(name)
    if known is None:
        block[name] = value
    elif isinstance(known, list):
        known.append(value)
    else:
        block[name] = [known, value]


def _of_messages(kind: Kind, spoken: Iterable[Headers], pbx: str) -> Tape:
    events: list[Event] = []
    skipped = 0
    for message in spoken:
        events += ami.translate(pbx, message)
        name = ami.event_name(message)
        skipped += bool(name) and not ami.knows(name)
    return Tape(kind, events, skipped)


def _json_lines(path: Path, text: TextIO, pbx: str) -> Tape:
    told = list(_objects(path, text))
    if any(ami.event_name(one) for one in told):
        return _of_messages("ami-json", told, pbx)
    rows = [{name: value for name, value in one.items() if isinstance(value, str)} for one in told]
    _check_columns(path, 1, {name for row in rows for name in row})
    return _of_rows("cel-json", rows, pbx)


def _objects(path: Path, text: TextIO) -> Iterator[dict[str, str | list[str]]]:
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        try:
            told = json.loads(line)
        except (ValueError, RecursionError) as error:
            if number > 1 and not line.endswith("\n"):
                return  # the recorder was stopped while it wrote its last line
            raise TapeError(f"{path}: line {number}: not JSON: {error}") from error
        if not isinstance(told, dict):
            raise TapeError(f"{path}: line {number}: one JSON object a line is wanted, got {type(told).__name__}")
        yield {name: _as_told(value) for name, value in told.items()}


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


def _cel_csv(path: Path, text: TextIO, pbx: str, first: str, number: int) -> Tape:
    delimiter = max(_DELIMITERS, key=first.count)
    for _ in range(number - 1):
        text.readline()
    reader = csv.reader(text, delimiter=delimiter)
    try:
        header = next(reader)
        if cel.event_type(header[0]) and len(header) == len(cel.COLUMNS):  # the PBX's own file, which has no header
            rows = [dict(zip(cel.COLUMNS, cells, strict=False)) for cells in [header, *reader]]
        else:
            _check_columns(path, number, header)
            rows = [dict(zip(header, cells, strict=False)) for cells in reader if cells]
    except csv.Error as error:
        raise TapeError(f"{path}: line {reader.line_num + number - 1}: not CSV: {error}") from error
    return _of_rows("cel-csv", rows, pbx)


def _check_columns(path: Path, number: int, columns: Iterable[str]) -> None:
    known = {cel.spelling(column) for column in columns} - {""}
    if not known & {"eventtype", "uniqueid"}:
        raise TapeError(f"{path}: line {number}: neither AMI (no 'Event: …') nor CEL (no column 'eventtype')")
    for wanted in ("eventtype", "uniqueid"):
        if wanted not in known:
            raise TapeError(f"{path}: line {number}: CEL without the column '{wanted}'")


def _of_rows(kind: Kind, rows: Iterable[Mapping[str, str]], pbx: str) -> Tape:
    rows = [{cel.spelling(column): value for column, value in row.items()} for row in rows]
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
