"""systemd's own tools, which judge the units and make the account: those on PATH, else Debian's package."""

from __future__ import annotations

import shutil

from setup.steps import apt_install

PART = "systemd"
TOOLS = ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles")


def ready() -> bool:
    """Whether all of them are on PATH."""
    return all(shutil.which(tool) for tool in TOOLS)


def make() -> None:
    """Install it where it is missing; nothing of it has to run."""
    if not ready():
        apt_install(PART, ("systemd",), "the units are judged by systemd's own tools")
