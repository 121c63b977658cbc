"""The CEL file is read through rotation and half lines, in both its forms; failures are made with real files."""

import asyncio
import csv
import gzip
import io
import lzma
import os
import tempfile
import threading
import tracemalloc
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calls.events import ChannelHungUp, LinkedidEnded
from telephony.catch_up import told_calls
from telephony.cel import COLUMNS
from telephony.cel_file import CelFile, Row, _begin, newest, parse, read_period

START = datetime(2024, 1, 15, 9, 0, tzinfo=UTC)


def line(second: int, kind: str = "CHAN_END", *, number: str = "", extension: str = "") -> str:
    """One row as cel_custom writes it, `second` seconds after START."""
    cells = dict.fromkeys(COLUMNS, "")
    at = f"{START.timestamp() + second:.6f}"
    cells |= {
        "eventtype": kind,
        "eventtime": at,
        "uniqueid": f"1.{second}",
        "linkedid": "1.0",
        "cid_name": "Клиент, В.",
        "cid_num": number,
        "exten": extension,
    }
    text = io.StringIO()
    csv.DictWriter(text, COLUMNS, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(cells)
    return text.getvalue()


def append(path: Path, *numbers: int) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.writelines(line(number) for number in numbers)


def seconds(rows: Iterable[Row]) -> list[int]:
    return [int(row["uniqueid"].partition(".")[2]) for row in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "switchhook.csv"


def read(path: Path, since: int = 0, until: int = 3600) -> list[Row]:
    return list(read_period(path, START + timedelta(seconds=since), START + timedelta(seconds=until)))


def test_torn_lines_cost_only_themselves(path: Path) -> None:
    """Half rows, unclosed quotes and what hangs on them are left out, so is foreign text; the next rows are read."""
    path.write_text(
        line(1) + '"CHAN_END","17\n' + "hello\n\n" + '"' + line(2)[:40] + "\n" + line(3) + "hello\n", encoding="utf-8"
    )
    assert seconds(read(path)) == [1, 3]


def test_half_a_row_is_no_row_yet(path: Path) -> None:
    """A row cut in the middle of a letter is one row once it is whole."""
    whole = line(1).encode()
    cut = whole.index("К".encode()) + 1
    path.write_bytes(whole[:cut])
    assert read(path) == []
    with path.open("ab") as more:
        more.write(whole[cut:])
    (row,) = read(path)
    assert row["cid_name"] == "Клиент, В."


@given(st.text(st.sampled_from('\n\n",\r0aCHAN_END'), max_size=79), st.text(st.sampled_from('\n",x'), max_size=79))
@example("7\nCHAN_END,1790000000,,,,,,,,,,,,,u.5,u.5,,,,,\n", "")
@example('7\n"CHAN_END","1790000000"' + ',""' * 19 + "\n", "")
def test_a_value_with_line_breaks_stays_one_value(number: str, extension: str) -> None:
    """A caller's number writes no rows, whatever it holds, and the rows after it are read."""
    text = line(1, number=number, extension=extension)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "switchhook.csv"
        path.write_bytes((text + line(2) + text + line(3)).encode())
        assert seconds(read(path)) == [1, 2, 1, 3]


def test_a_value_without_end_is_given_up_and_the_next_row_is_read(path: Path) -> None:
    """An opening quote swallows no file: at most 16 KB are joined, and what follows is skipped to the next row."""
    path.write_text('"CHAN_START","' + "x\n" * 20000 + "CHAN_END" + "," * 20 + "\n" + line(1), encoding="utf-8")
    assert seconds(read(path)) == [1]


def test_a_line_of_another_shape_is_no_row() -> None:
    assert parse(b"") is None
    assert parse(b"\xff\xfe") is None
    assert parse(",".join(COLUMNS).encode()) is None
    assert parse(b"\0\0\0" + line(1).encode()) is not None


def json_line(second: int, **values: str) -> str:
    """One row as res_cdrel_custom writes it: quotes alone are escaped, and whole numbers are not quoted."""
    told = {"eventtype": "CHAN_END", "eventtime": f"{START.timestamp() + second:.6f}", "amaflags": 3}
    told |= {"uniqueid": f"1.{second}", "linkedid": "1.0", **values}
    escaped = {name: str(value).replace('"', '\\"') for name, value in told.items()}
    quoted = [f'"{name}":{v if isinstance(told[name], int) else chr(34) + v + chr(34)}' for name, v in escaped.items()]
    return "{" + ",".join(quoted) + "}\n"


def test_json_is_read_as_csv_is(path: Path) -> None:
    """Asterisk 22's other form; a change of form in the middle of the file is no trouble."""
    extra = '{"hangupcause":16}'
    path.write_text(json_line(1, num="79160000001", eventextra=extra) + line(2) + json_line(3), encoding="utf-8")
    rows = read(path)
    assert seconds(rows) == [1, 2, 3]
    assert (rows[0]["num"], rows[0]["eventextra"], rows[0]["amaflags"]) == ("79160000001", extra, "3")


@pytest.mark.parametrize(
    "name",
    [
        'x\\","uniqueid":"1.99","x":"',
        "x\nCHAN_END,1705309205.000000,,,,,,,,,,,,,1.99,1.0,,,,,\n",
        'x\n"CHAN_END","1705309205.000000"' + ',""' * 12 + ',"1.99","1.0"' + ',""' * 5 + "\n",
        'x\n{"eventtype":"CHAN_END","eventtime":"1705309205.0","uniqueid":"1.99","linkedid":"1.0"}\n',
    ],
)
def test_a_caller_writes_no_row_of_json(path: Path, name: str) -> None:
    """Asterisk escapes neither backslashes nor line breaks; what a name breaks is left out, alone."""
    path.write_text(json_line(1) + json_line(2, name=name) + json_line(3), encoding="utf-8")
    assert seconds(read(path)) == [1, 3]


def test_a_period_of_a_large_file_is_found_without_reading_the_rest(path: Path) -> None:
    """Half a million rows or ten: the place to begin is found by halving."""
    append(path, *range(30_000))
    with path.open("rb") as file:
        begin = _begin(file, START + timedelta(seconds=29_000))
        read_bytes = path.stat().st_size - begin
    assert 0 < read_bytes < path.stat().st_size / 15
    assert seconds(read(path, 29_000, 29_003)) == [29_000, 29_001, 29_002, 29_003]
    assert seconds(read(path, 0, 2)) == [0, 1, 2]
    assert seconds(read(path, 29_998, 40_000)) == [29_998, 29_999]


async def test_a_file_that_is_rotated_again_and_again_is_read_whole(path: Path) -> None:
    """Rotation between the look into the folder and the opening hides nothing."""
    append(path, *range(100))
    stop = threading.Event()

    def rotate() -> None:
        count = 0
        while not stop.is_set():
            count += 1
            path.rename(path.with_name(f"{path.name}.{count}"))
            path.with_name(f"{path.name}.{count}").rename(path)

    rotating = asyncio.create_task(asyncio.to_thread(rotate))
    try:
        for _ in range(50):
            assert seconds(await asyncio.to_thread(read, path)) == list(range(100))
    finally:
        stop.set()
        await rotating


async def test_rows_come_in_bounded_pieces(path: Path) -> None:
    """However long the period, little of it is in memory at once."""
    append(path, *range(1200))
    sizes = [len(rows) async for rows in CelFile(path).rows(START, START + timedelta(hours=1))]
    assert sum(sizes) == 1200
    assert max(sizes) <= 100


def test_the_newest_row_tells_how_old_the_file_is(path: Path) -> None:
    path.touch()
    assert newest(path) is None
    append(path, *range(1000))
    assert newest(path) == START + timedelta(seconds=999)


def generations(path: Path) -> None:
    """Nine rows over a packed, two rotated and the present file, as logrotate leaves them."""
    folder = path.parent
    for name, numbers in {"switchhook.csv.1": (40, 50), "switchhook.csv-20240115": (30,), path.name: (60, 70)}.items():
        append(folder / name, *numbers)
    with gzip.open(folder / "switchhook.csv.3.gz", "wt", encoding="utf-8") as packed:
        packed.writelines((line(10), line(20)))
    with lzma.open(folder / "switchhook.csv.2.xz", "wt", encoding="utf-8") as packed:
        packed.writelines((line(25),))
    append(folder / "switchhook.csvx", 45)
    append(folder / "other.csv", 46)


def test_a_period_is_read_over_all_generations(path: Path) -> None:
    """The present file, renamed and packed ones; the ends belong to the period; neighbours' files do not."""
    generations(path)
    assert sorted(seconds(read(path))) == [10, 20, 25, 30, 40, 50, 60, 70]
    assert sorted(seconds(read(path, 20, 60))) == [20, 25, 30, 40, 50, 60]


def test_files_last_written_before_the_period_are_not_opened(path: Path) -> None:
    """An old damaged archive does not stop the reading of today."""
    append(path, 5)
    old = path.with_name("switchhook.csv.9.gz")
    old.write_bytes(b"\x1f\x8bdamaged")
    os.utime(old, (START.timestamp() - 60, START.timestamp() - 60))
    assert seconds(read(path)) == [5]


def test_a_damaged_archive_of_the_period_is_an_error(path: Path) -> None:
    """A gap that cannot be read is told, not passed over."""
    whole = gzip.compress(line(1).encode() * 50)
    path.with_name("switchhook.csv.1.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match="damaged"):
        read(path)


def test_an_archive_that_cannot_be_unpacked_is_an_error_that_is_waited_out(path: Path) -> None:
    """Bytes that are no deflated data raise zlib's own error, which is no OSError."""
    archive = path.with_name("switchhook.csv.1.gz")
    packed = bytearray(gzip.compress(os.urandom(10_000)))
    packed[10:400] = b"\xff" * 390
    archive.write_bytes(packed)
    with pytest.raises(OSError, match=r"switchhook\.csv.*damaged"):
        read(path)


def test_a_line_longer_than_memory_fills_none(path: Path) -> None:
    """A disk that was full leaves zeros, and a small archive may hold a gigabyte of them in one line."""
    with gzip.open(path.with_name("switchhook.csv.1.gz"), "wb", compresslevel=1) as archive:
        archive.write(line(1).encode())
        for _ in range(64):
            archive.write(b"\0" * 1_048_576)
        archive.write(b"\n" + line(2).encode())
    tracemalloc.start()
    try:
        assert seconds(read(path)) == [1, 2]
        assert tracemalloc.get_traced_memory()[1] < 8_000_000
    finally:
        tracemalloc.stop()


def test_a_clock_that_was_ahead_for_a_while_hides_nothing(path: Path) -> None:
    """A PBX that wrote some rows before NTP set its clock back goes on in the same file."""
    path.write_text(line(1) + line(100_000_000) * 500 + line(2), encoding="utf-8")
    assert seconds(read(path)) == [1, 2]


def test_no_file_at_all_is_a_period_without_calls(path: Path) -> None:
    """Asterisk makes the file with the first call; a missing folder is an error."""
    assert read(path) == []
    with pytest.raises(FileNotFoundError):
        read(path / "not" / "there.csv")


async def test_rows_become_calls_that_are_told_whole(path: Path) -> None:
    """Rows are written a little out of order, and calls run into each other: each comes once, with all its events."""
    other = line(3).replace('"1.0"', '"1.3"')
    path.write_text(line(2, "LINKEDID_END") + other + line(1), encoding="utf-8")
    calls = [
        call async for some in told_calls("office", CelFile(path), START, START + timedelta(hours=1)) for call in some
    ]
    one, two = sorted(calls, key=lambda call: len(call.events), reverse=True)
    assert one.events == [
        LinkedidEnded(pbx="office", channel="1.2", at=START + timedelta(seconds=2), linkedid="1.0"),
        ChannelHungUp(pbx="office", channel="1.1", at=START + timedelta(seconds=1), linkedid="1.0"),
    ]
    assert [event.channel for event in two.events] == ["1.3"]
    assert (one.is_over, two.is_over) == (True, False)
