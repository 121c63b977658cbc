"""The CEL file is read through rotation, truncation and half-written lines; every failure is made with real files."""

import asyncio
import csv
import gzip
import io
import lzma
import os
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calls.events import ChannelHungUp, LinkedidEnded
from telephony.catch_up import read_gap
from telephony.cel import COLUMNS
from telephony.cel_file import CelFile, Row, follow, parse, read_period

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


def test_new_rows_are_told_once(path: Path) -> None:
    """What was there before is left to the reading of a period; what comes is told as it comes."""
    append(path, 1)
    file = CelFile(path)
    assert file.new_rows() == []
    append(path, 2, 3)
    assert seconds(file.new_rows()) == [2, 3]
    assert file.new_rows() == []
    file.close()


def test_a_file_that_does_not_exist_yet_is_read_from_its_first_row(path: Path) -> None:
    file = CelFile(path)
    assert file.new_rows() == []
    append(path, 1)
    assert seconds(file.new_rows()) == [1]
    file.close()


def test_half_a_line_waits_for_its_other_half(path: Path) -> None:
    """A row cut in the middle of a letter is one row once it is whole."""
    whole = line(1).encode()
    cut = whole.index("К".encode()) + 1
    path.write_bytes(whole[:cut])
    file = CelFile(path, from_start=True)
    assert file.new_rows() == []
    with path.open("ab") as more:
        more.write(whole[cut:])
    (row,) = file.new_rows()
    assert row["cid_name"] == "Клиент, В."
    file.close()


def test_rotation_by_renaming_loses_nothing(path: Path) -> None:
    """Rows written to the old file after the last look, then rows of the new file, in this order."""
    append(path, 1)
    file = CelFile(path, from_start=True)
    assert seconds(file.new_rows()) == [1]
    append(path, 2)
    path.rename(path.with_name("switchhook.csv.1"))
    assert seconds(file.new_rows()) == [2]
    append(path, 3)
    assert seconds(file.new_rows()) == [3]
    file.close()


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(path: Path) -> None:
    append(path, 1)
    file = CelFile(path, from_start=True)
    file.new_rows()
    append(path, 2)
    path.rename(path.with_name("switchhook.csv.1"))
    append(path, 3)
    assert seconds(file.new_rows()) == [2, 3]
    file.close()


def test_truncation_in_place_starts_over(path: Path) -> None:
    """Logrotate's copytruncate leaves the same file, shorter."""
    append(path, 1, 2)
    file = CelFile(path, from_start=True)
    assert seconds(file.new_rows()) == [1, 2]
    os.truncate(path, 0)
    append(path, 3)
    assert seconds(file.new_rows()) == [3]
    file.close()


def test_torn_lines_are_counted_and_the_next_rows_are_read(path: Path) -> None:
    """Half rows, unclosed quotes and what hangs on them cost only themselves; so does foreign text."""
    path.write_text(
        line(1) + '"CHAN_END","17\n' + "hello\n\n" + '"' + line(2)[:40] + "\n" + line(3) + "hello\n", encoding="utf-8"
    )
    file = CelFile(path, from_start=True)
    assert seconds(file.new_rows()) == [1, 3]
    assert file.torn_count == 2
    file.close()


@given(st.text(st.sampled_from('\n\n",\r0aCHAN_END'), max_size=79), st.text(st.sampled_from('\n",x'), max_size=79))
@example("7\nCHAN_END,1790000000,,,,,,,,,,,,,u.5,u.5,,,,,\n", "")
@example('7\n"CHAN_END","1790000000"' + ',""' * 19 + "\n", "")
def test_a_value_with_line_breaks_stays_one_value(number: str, extension: str) -> None:
    """A caller's number writes no rows, whatever it holds, and the rows after it are read."""
    text = line(1, number=number, extension=extension)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "switchhook.csv"
        path.write_bytes((text + line(2) + text + line(3)).encode())
        file = CelFile(path, from_start=True)
        rows = file.new_rows()
        file.close()
        assert seconds(rows) == [1, 2, 1, 3]
        assert file.torn_count == 0
        assert seconds(read_period(path, START, START + timedelta(hours=1))) == [1, 1, 2, 3]


def test_a_value_without_end_is_given_up_and_the_next_row_is_read(path: Path) -> None:
    """An opening quote swallows no file: at most 16 KB are joined, and what follows is skipped to the next row."""
    path.write_text('"CHAN_START","' + "x\n" * 20000 + "CHAN_END" + "," * 20 + "\n" + line(1), encoding="utf-8")
    file = CelFile(path, from_start=True)
    assert seconds(file.new_rows()) == [1]
    assert file.torn_count == 1
    file.close()


def test_a_line_of_another_shape_is_no_row() -> None:
    assert parse(b"") is None
    assert parse(b"\xff\xfe") is None
    assert parse(",".join(COLUMNS).encode()) is None
    assert parse(b"\0\0\0" + line(1).encode()) is not None


async def test_following_hands_rows_on_and_names_what_cannot_be_read(path: Path) -> None:
    """A folder in the file's place is a problem that is named, and over once the file is there."""
    file = CelFile(path)
    path.mkdir()
    told: asyncio.Queue[list[Row]] = asyncio.Queue()
    following = asyncio.create_task(follow(file, told.put_nowait, every_seconds=0.01))
    async with asyncio.timeout(10):
        while not file.problem:
            await asyncio.sleep(0.01)
        assert "Is a directory" in file.problem
        path.rmdir()
        append(path, 1)
        assert seconds(await told.get()) == [1]
        assert not file.problem
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    file.close()


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
    assert seconds(read_period(path, START, START + timedelta(hours=1))) == [10, 20, 25, 30, 40, 50, 60, 70]
    assert seconds(read_period(path, START + timedelta(seconds=20), START + timedelta(seconds=60))) == [
        20,
        25,
        30,
        40,
        50,
        60,
    ]


def test_files_last_written_before_the_period_are_not_opened(path: Path) -> None:
    """An old damaged archive does not stop the reading of today."""
    append(path, 5)
    old = path.with_name("switchhook.csv.9.gz")
    old.write_bytes(b"\x1f\x8bdamaged")
    os.utime(old, (START.timestamp() - 60, START.timestamp() - 60))
    assert seconds(read_period(path, START, START + timedelta(hours=1))) == [5]


def test_a_damaged_archive_of_the_period_is_an_error(path: Path) -> None:
    """A gap that cannot be read is told, not passed over."""
    whole = gzip.compress(line(1).encode() * 50)
    path.with_name("switchhook.csv.1.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match="damaged"):
        read_period(path, START, START + timedelta(hours=1))


def test_no_file_at_all_is_a_period_without_calls(path: Path) -> None:
    """Asterisk makes the file with the first call; a missing folder is an error."""
    assert read_period(path, START, START + timedelta(hours=1)) == []
    with pytest.raises(FileNotFoundError):
        read_period(path / "not" / "there.csv", START, START + timedelta(hours=1))


def test_a_gap_becomes_events_in_the_order_of_time(path: Path) -> None:
    """Rows are written a little out of order; events come in the order of time, twice the same."""
    path.write_text(line(2, "LINKEDID_END") + line(1), encoding="utf-8")
    gap = ("office", path, START, START + timedelta(seconds=5))
    events = read_gap(*gap)
    assert events == [
        ChannelHungUp(pbx="office", channel="1.1", at=START + timedelta(seconds=1), linkedid="1.0"),
        LinkedidEnded(pbx="office", channel="1.2", at=START + timedelta(seconds=2), linkedid="1.0"),
    ]
    assert read_gap(*gap) == events
