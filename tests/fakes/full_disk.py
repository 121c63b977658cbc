"""A disk without room, made by the kernel."""

from __future__ import annotations

import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: the kernel refuses the write, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@dataclass(frozen=True)
class SmallDisk:
    """A real file system of its own with little room; only root may mount it."""

    folder: Path

    def fill(self, *, leave: float = 0.0) -> None:
        """Leave that share of it, or no room at all."""
        try:
            with (self.folder / "filler").open("wb", buffering=0) as file:
                while shutil.disk_usage(self.folder).free > leave * shutil.disk_usage(self.folder).total or not leave:
                    file.write(bytes(4096))
        except OSError:
            return

    def make_room(self) -> None:
        """Take away what fills it."""
        (self.folder / "filler").unlink()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """A disk of `size` bytes at `folder` for as long as the body runs."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
