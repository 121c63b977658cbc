"""Room on disks, and whether recordings can be written, read and removed where they are kept."""

from __future__ import annotations

import shutil
from typing import Final, Literal

from recordings.disk import Level
from recordings.store import StoreError
from service.doctor.check import Check
from service.doctor.look import aside
from service.settings import Settings
from service.wiring import open_store, store_disk

_OF_LEVEL: Final[dict[Level, Literal["ok", "warn", "fail"]]] = {"room": "ok", "low": "warn", "full": "fail"}
_LOW_BYTES: Final = 2_000_000_000


async def room(settings: Settings) -> list[Check]:
    """The disks of the data folder and of the recordings."""
    return await aside(_room, settings)


def _room(settings: Settings) -> list[Check]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    told = f"{free / 1e9:.1f} GB free in {settings.data_dir}"
    checks = [
        Check("disk", "ok" if free > _LOW_BYTES else "warn", told, "the database and its log grow with the calls")
    ]
    disk = store_disk(settings)
    if disk is not None:
        disk.folder.mkdir(parents=True, exist_ok=True)
        left = disk.room()
        remedy = "make room: see docs/runbooks/store_disk_full.md"
        checks.append(Check("recordings disk", _OF_LEVEL[left.level], str(left), remedy))
    return checks


async def store(settings: Settings) -> list[Check]:
    """Write, read and remove where recordings are kept."""
    where = "bucket " + (settings.recordings.bucket or "") if settings.recordings.store == "s3" else "folder"
    try:
        await open_store(settings).probe()
    except (StoreError, OSError) as error:
        return [Check("recordings store", "fail", f"{where}: {error}", "see docs/operations/recordings.md")]
    return [Check("recordings store", "ok", f"{where}: written, read and removed")]
