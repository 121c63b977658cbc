"""Audio files on a real disk: whole, checked, or not at all."""

from __future__ import annotations

import os
import time
import wave
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import pytest

from recordings.files import (
    QUIET_SECONDS,
    NotCompleteError,
    NotKeptError,
    NotThereError,
    PbxFolder,
    UnusableError,
    keep,
)
from recordings.names import SIDES
from recordings.store import Store
from tests.fakes.full_disk import room_for
from tests.fakes.recorded import T0, pbx_recorded, unclosed, write_wav

UID = "1795427050.1"
CALL = (UUID("0193573f-9d6c-7000-8000-000000000001"), T0)
SECOND = bytes(range(256)) * 62 + bytes(128)


def folders(tmp_path: Path) -> tuple[PbxFolder, Store]:
    (tmp_path / "pbx").mkdir()
    return PbxFolder(tmp_path / "pbx"), Store.in_folder(tmp_path / "store")


def kept(tmp_path: Path) -> list[Path]:
    """Every file in the store, whatever its name."""
    return [path for path in (tmp_path / "store").rglob("*") if path.is_file()]


def old(path: Path) -> None:
    os.utime(path, (time.time() - QUIET_SECONDS - 1,) * 2)


def test_a_closed_side_is_copied_whole(tmp_path: Path) -> None:
    """Same bytes, their checksum, their length; told twice is the same file."""
    folder, store = folders(tmp_path)
    pbx_recorded(folder.root, UID, SECOND, SECOND)
    told = keep(store, folder, UID, "caller", CALL, torn=False)
    original = (folder.root / f"{UID}-caller.wav").read_bytes()
    assert told.path == f"2026/11/23/{CALL[0]}/{UID}-caller.wav"
    assert (tmp_path / "store" / told.path).read_bytes() == original
    assert (tmp_path / "store" / told.path).stat().st_mode & 0o077 == 0
    assert (told.sha256, told.size_bytes, told.seconds) == (sha256(original).hexdigest(), len(original), 1.0)
    assert keep(store, folder, UID, "caller", CALL, torn=False) == told
    assert len(kept(tmp_path)) == 1


def test_a_side_still_being_written_is_left_alone(tmp_path: Path) -> None:
    """A header without lengths, or with others than the file's: come back later."""
    folder, store = folders(tmp_path)
    pbx_recorded(folder.root, UID, SECOND, b"", closed=False)
    for side in SIDES:
        with pytest.raises(NotCompleteError):
            keep(store, folder, UID, side, CALL, torn=True)
    pbx_recorded(folder.root, UID, SECOND, SECOND)
    with (folder.root / f"{UID}-caller.wav").open("ab") as file:
        file.write(b"more")
    with pytest.raises(NotCompleteError):
        keep(store, folder, UID, "caller", CALL, torn=False)
    with pytest.raises(NotThereError):
        keep(store, folder, "1795427050.9", "caller", CALL, torn=False)
    assert kept(tmp_path) == []


def test_a_recording_whose_pbx_died_is_saved_with_the_header_it_lacks(tmp_path: Path) -> None:
    """Asterisk was killed in mid-call: the sound is there, the header says nothing. It becomes a file that plays."""
    folder, store = folders(tmp_path)
    path = unclosed(write_wav(folder.root / f"{UID}-caller.wav", SECOND))
    old(path)
    with pytest.raises(NotCompleteError):
        keep(store, folder, UID, "caller", CALL, torn=False)
    told = keep(store, folder, UID, "caller", CALL, torn=True)
    with wave.open(str(tmp_path / "store" / told.path)) as saved:
        assert saved.readframes(saved.getnframes()) == SECOND
    assert told.sha256 == sha256((tmp_path / "store" / told.path).read_bytes()).hexdigest()


@pytest.mark.parametrize("content", [b"", b"no sound at all", None])
def test_a_closed_file_without_sound_is_unusable(tmp_path: Path, content: bytes | None) -> None:
    """Empty or foreign once it is quiet, and at once a closed header with nothing behind it."""
    folder, store = folders(tmp_path)
    path = write_wav(folder.root / f"{UID}-caller.wav", b"")
    if content is not None:
        path.write_bytes(content)
        with pytest.raises(NotCompleteError):
            keep(store, folder, UID, "caller", CALL, torn=False)
        old(path)
    with pytest.raises(UnusableError):
        keep(store, folder, UID, "caller", CALL, torn=False)


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    """The copy stops half-way: no half file, no temporary file, the original untouched, and room makes it work."""
    folder, store = folders(tmp_path)
    pbx_recorded(folder.root, UID, SECOND * 20, SECOND)
    with room_for(100_000), pytest.raises(NotKeptError, match="disk full"):
        keep(store, folder, UID, "caller", CALL, torn=False)
    assert kept(tmp_path) == []
    assert keep(store, folder, UID, "caller", CALL, torn=False).seconds == 20.0


@pytest.mark.parametrize("channel", ["../../etc/passwd", "..", "", ".hidden", "a/b", "a\0b", "x" * 200])
def test_no_name_reaches_outside_the_folder(tmp_path: Path, channel: str) -> None:
    """A channel's name becomes part of a path only when it is a uniqueid."""
    folder, store = folders(tmp_path)
    with pytest.raises(ValueError, match="uniqueid"):
        keep(store, folder, channel, "caller", CALL, torn=False)
    with pytest.raises(ValueError, match="uniqueid"):
        folder.forget(channel)


def test_a_link_in_the_pbx_s_folder_is_not_followed(tmp_path: Path) -> None:
    """The PBX's user could point it at any file of ours."""
    folder, store = folders(tmp_path)
    secret = write_wav(tmp_path / "secret.wav", SECOND)
    (folder.root / f"{UID}-caller.wav").symlink_to(secret)
    with pytest.raises(NotCompleteError):
        keep(store, folder, UID, "caller", CALL, torn=False)


def test_what_is_no_plain_file_holds_nobody_up(tmp_path: Path) -> None:
    """A pipe in the PBX's folder, which nobody writes into, is told and not waited for."""
    folder, store = folders(tmp_path)
    os.mkfifo(folder.root / f"{UID}-caller.wav")
    with pytest.raises(UnusableError, match="no plain file"):
        keep(store, folder, UID, "caller", CALL, torn=True)


def test_a_file_longer_than_its_header_can_say_is_unusable(tmp_path: Path) -> None:
    """Nothing of it is copied."""
    folder, store = folders(tmp_path)
    path = unclosed(write_wav(folder.root / f"{UID}-caller.wav", SECOND))
    os.truncate(path, 5 << 30)
    old(path)
    with pytest.raises(UnusableError, match="too long"):
        keep(store, folder, UID, "caller", CALL, torn=True)
    assert kept(tmp_path) == []


def test_forgetting_removes_both_sides(tmp_path: Path) -> None:
    """And nothing else."""
    folder, _ = folders(tmp_path)
    pbx_recorded(folder.root, UID, SECOND, SECOND)
    pbx_recorded(folder.root, "1795427050.10", SECOND, SECOND)
    folder.forget(UID)
    assert sorted(path.name for path in folder.root.iterdir()) == [
        "1795427050.10-caller.wav",
        "1795427050.10-staff.wav",
    ]
