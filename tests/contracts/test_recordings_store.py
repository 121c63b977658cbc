"""The store of recordings, in a folder and in a bucket: whole objects or none, names of ours alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr

from recordings.disk import Disk
from recordings.store import (
    Bucket,
    Kept,
    NotTrueError,
    Store,
    StoreError,
    StoreFullError,
    StoreRefusesError,
    archive_name,
    call_folder,
    side_name,
)
from service.doctor.check import Check
from service.doctor.examine import examine
from service.settings import RecordingsSettings, load
from tests.fakes.bucket import Way, serving
from tests.fakes.full_disk import room_for

CALL = UUID("0193573f-9d6c-7000-8000-000000000001")
AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SIDE = side_name(CALL, AT, "1795427050.1", "caller")
OTHER = side_name(CALL, AT, "1795427050.2", "staff")
SOUND = bytes(range(256)) * 500


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def here(folder: Path) -> Store:
    """A store in a folder."""
    return Store.in_folder(folder)


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A bucket of a real S3-compatible server."""
    with serving(tmp_path_factory.mktemp("s3")) as bucket:
        yield bucket


@pytest.fixture(params=["folder", "bucket"])
async def store(request: pytest.FixtureRequest, folder: Path) -> Store:
    """An empty store of either kind."""
    if request.param == "folder":
        return Store.in_folder(folder)
    store = Store.in_bucket(request.getfixturevalue("bucket"))
    for name in await listed(store):
        await store.remove(name)
    return store


def files(folder: Path) -> list[str]:
    """Every file, whatever its name."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


async def listed(store: Store, under: str = "") -> list[str]:
    return sorted([one.path async for one in store.walk(under)])


async def test_what_was_put_is_read_whole_and_in_parts(store: Store) -> None:
    """Sent at once or in parts by its size; putting it again changes nothing."""
    told = store.put(SIDE, [SOUND[:1000], SOUND[1000:]])
    assert told == Kept(SIDE, sha256(SOUND).hexdigest(), len(SOUND))
    async with store.fetch(SIDE) as path:
        assert path.read_bytes() == SOUND
    assert await store.read(SIDE, 37, 4001) == SOUND[37:4001]
    assert await store.size(SIDE) == len(SOUND)
    (before,) = [one async for one in store.walk()]
    assert store.put(SIDE, [SOUND]) == told
    assert [one async for one in store.walk()] == [before]
    large = [bytes([number]) * (1 << 20) for number in range(40)]
    assert store.put(OTHER, large) == Kept(OTHER, sha256(b"".join(large)).hexdigest(), 40 << 20)
    assert await store.read(OTHER, (33 << 20) - 2, (33 << 20) + 2) == bytes([32, 32, 33, 33])
    await store.probe()


def test_a_folder_is_for_our_own_account_alone(here: Store, folder: Path) -> None:
    """Whatever the umask says."""
    here.put(SIDE, [SOUND])
    assert (folder / SIDE).stat().st_mode & 0o077 == 0
    assert folder.stat().st_mode & 0o077 == 0


async def test_a_torn_object_under_the_name_is_replaced(store: Store) -> None:
    """A crash of the machine may leave one."""
    store.put(SIDE, [SOUND[:-1], b"x"])
    store.put(SIDE, [SOUND])
    assert await store.read(SIDE, 0, len(SOUND)) == SOUND


async def test_what_is_removed_leaves_nothing(store: Store) -> None:
    """Neither file nor folder, and removing again is no error."""
    store.put(SIDE, [SOUND])
    for _ in range(2):
        await store.remove(SIDE)
    assert await listed(store) == []
    assert store.folder is None or list(store.folder.iterdir()) == []
    with pytest.raises(FileNotFoundError):
        await store.read(SIDE, 0, 1)
    with pytest.raises(FileNotFoundError):
        async with store.fetch(SIDE):
            pass


async def test_all_of_a_call_is_found_in_its_folder(store: Store) -> None:
    """And strange files are not ours."""
    archive = archive_name(CALL, AT, sha256(SOUND).hexdigest())
    original = archive_name(CALL, AT, sha256(SOUND).hexdigest(), original=True)
    old = f"2026/11/23/{CALL}-1795427050.1-staff.wav"  # as earlier versions kept it
    for name in (SIDE, archive, original, old):
        store.put(name, [SOUND])
    if store.folder is not None:
        (store.folder / "notes.txt").write_text("x")
    assert await listed(store) == sorted([SIDE, archive, original, old])
    assert await listed(store, call_folder(CALL, AT)) == sorted([SIDE, archive])
    assert await listed(store, "originals/2026/11") == [original]
    assert await listed(store, "2025") == []


@pytest.mark.parametrize(
    "name", ["../x.wav", "/etc/passwd", f"2026/11/23/../{CALL}/a-caller.wav", "", "2026", "a-caller.wav"]
)
async def test_no_name_but_ours_is_touched(store: Store, name: str) -> None:
    """Whatever path comes from a row or a page."""
    for doing in (store.read(name, 0, 1), store.size(name), store.remove(name)):
        with pytest.raises(FileNotFoundError):
            await doing
    with pytest.raises(FileNotFoundError):
        store.put(name, [SOUND])


@pytest.mark.parametrize("under", ["../store", "/", "2026/11/23/..", "2026/1", "originals/x"])
async def test_no_folder_but_ours_is_listed(store: Store, under: str) -> None:
    with pytest.raises(ValueError, match="not a folder"):
        await listed(store, under)


def test_a_full_disk_leaves_the_store_as_it_was(here: Store, folder: Path) -> None:
    """In one piece or in many: no half object, and room makes it work."""
    for size in (1, 40):
        with room_for(100_000), pytest.raises(StoreFullError, match="disk full"):
            here.put(SIDE, (bytes(1 << 20) for _ in range(size)))
        assert files(folder) == []
    assert here.put(SIDE, [SOUND]).size_bytes == len(SOUND)


def test_a_writer_killed_midway_leaves_nothing_that_looks_stored(here: Store, folder: Path) -> None:
    """The name is not there, the next run makes it, and what the dead one left is swept away when it is old."""
    script = (
        "import os, signal, sys; from pathlib import Path; from recordings.store import Store\n"
        "def blocks():\n"
        "    for at in range(64):\n"
        "        if at == 50: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        yield bytes(1 << 20)\n"
        "Store.in_folder(Path(sys.argv[1])).put(sys.argv[2], blocks())\n"
    )
    told = [sys.executable, "-c", script, str(folder), SIDE]
    assert subprocess.run(told, check=False, cwd=Path.cwd()).returncode == -9
    (left,) = files(folder)
    assert left != SIDE
    here.put(SIDE, [SOUND])
    assert files(folder) == sorted([SIDE, left])


async def test_what_a_dead_writer_left_is_swept_away_when_it_is_old(here: Store, folder: Path) -> None:
    """A young one may still be written."""
    here.put(SIDE, [SOUND])
    for age, name in ((3600, "old"), (0, "young")):
        staged = folder / f"{SIDE.replace('1795427050.1', name)}#1"
        staged.write_bytes(b"x")
        os.utime(staged, (time.time() - age,) * 2)
    assert await here.tidy(datetime.now(UTC) - timedelta(minutes=30)) == 1
    assert len(files(folder)) == 2


async def test_a_store_that_does_not_keep_its_word_is_found_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read back differs: the object is not kept, and the writer knows."""
    monkeypatch.setattr(Store, "_digest", lambda *_: "0" * 64)
    with pytest.raises(NotTrueError, match="not to be trusted"):
        store.put(SIDE, [SOUND])
    assert await listed(store) == []


async def test_trouble_of_the_source_is_the_sources(store: Store) -> None:
    """An error while the blocks are read is raised as it is, and nothing is kept."""

    def broken(size: int) -> Iterator[bytes]:
        for _ in range(size):
            yield bytes(1 << 20)
        raise ValueError("the source broke")

    for size in (1, 40):
        with pytest.raises(ValueError, match="the source broke"):
            store.put(SIDE, broken(size))
        assert await listed(store) == []


WRONG = [
    ({"key": "nobody"}, "it knows no such key, check its keys"),
    ({"secret": "not-the-secret"}, "the secret is not the key's, check its keys"),
]


@pytest.mark.parametrize("wrong", [wrong for wrong, _ in WRONG])
async def test_a_bucket_that_refuses_us_says_so(bucket: Bucket, wrong: dict[str, str]) -> None:
    """Whoever has the wrong keys reads and writes nothing, and no secret is in what the operator is told."""
    store = Store.in_bucket(replace(bucket, **wrong))
    with pytest.raises(StoreRefusesError, match="check its keys") as told:
        await asyncio.to_thread(store.put, SIDE, [SOUND])
    assert bucket.secret not in str(told.value)
    with pytest.raises(StoreRefusesError):
        await store.read(SIDE, 0, 1)


@pytest.mark.parametrize(
    "wrong, why", [*WRONG, ({"region": "eu-west-1"}, "the bucket is not in the region that is set, but in us-east-1")]
)
async def test_the_doctor_says_in_one_line_what_is_set_wrong(
    bucket: Bucket, tmp_path: Path, wrong: dict[str, str], why: str
) -> None:
    """The key, its secret, or the region, of a server that looks at all of them; and nothing secret."""
    async with Way(int((bucket.endpoint or "").rpartition(":")[2]), region=bucket.region) as way:
        told = replace(bucket, endpoint=f"http://127.0.0.1:{way.port}")
        assert (await _store_check(told, tmp_path)).state == "ok"
        check = await _store_check(replace(told, **wrong), tmp_path)
    assert (check.state, why in check.why, "\n" in check.why) == ("fail", True, False), check.why
    assert bucket.secret not in check.why


async def _store_check(bucket: Bucket, folder: Path) -> Check:
    kept = {"bucket": bucket.name, "key": bucket.key, "secret": bucket.secret, "region": bucket.region}
    recordings = RecordingsSettings.model_validate({"store": "s3", "endpoint": bucket.endpoint, **kept})
    nowhere = SecretStr("postgresql+asyncpg://nobody@127.0.0.1:1/nothing")
    checks = await examine(load(data_dir=folder, database_url=nowhere, recordings=recordings), ("disk",))
    return next(check for check in checks if check.name == "recordings store")


async def test_a_bucket_that_is_not_there_says_so(bucket: Bucket) -> None:
    """No such bucket, and nobody at that address: one line each, soon."""
    for other, why in (({"name": "elsewhere"}, "no such bucket"), ({"endpoint": "http://127.0.0.1:1"}, "be reached")):
        store = Store.in_bucket(replace(bucket, **other))
        with pytest.raises(StoreError, match=why) as told:
            await asyncio.to_thread(store.put, SIDE, [SOUND])
        assert "\n" not in str(told.value)


async def test_an_upload_that_was_cut_leaves_nothing_that_looks_stored(bucket: Bucket) -> None:
    """The name is not there, and over a whole way it is put."""
    blocks = [bytes(1 << 20)] * 5
    async with Way(int((bucket.endpoint or "").rpartition(":")[2]), breaks_after=3 << 20) as way:
        store = Store.in_bucket(replace(bucket, endpoint=f"http://127.0.0.1:{way.port}"))
        whole = Store.in_bucket(bucket)
        await whole.remove(SIDE)  # the bucket is others' too
        before = await listed(whole)
        with pytest.raises(StoreError, match="cannot be"):
            await asyncio.to_thread(store.put, SIDE, blocks)
        way.breaks_after = None
        assert await listed(store) == before
        assert (await asyncio.to_thread(store.put, SIDE, blocks)).size_bytes == 5 << 20
        await store.remove(SIDE)


@pytest.mark.parametrize("low, full, level", [(100, 100, "room"), (0, 100, "low"), (0, 0, "full")])
def test_a_disk_has_two_marks(tmp_path: Path, low: float, full: float, level: str) -> None:
    """Only above the second nothing is compressed, and why is told in numbers."""
    disk = Disk(tmp_path, low, full)
    room = disk.room()
    told = shutil.disk_usage(tmp_path)
    assert room.level == level
    assert abs(room.free_bytes - told.free) < told.total / 100
    assert abs(room.used_percent - 100 * told.used / (told.used + told.free)) < 1
    assert bool(disk.no_room()) is (level == "full")
