"""Chromium, which the browser tests drive: the one on PATH, else Debian's package."""

from __future__ import annotations

import shutil

from setup.steps import apt_install

PART = "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome")


def ready() -> bool:
    """Whether a browser of the family is on PATH."""
    return any(shutil.which(name) for name in NAMES)


def make() -> None:
    """Install it when there is none. The fonts show Cyrillic and Latin alike on a machine without a desktop."""
    if not ready():
        apt_install(PART, ("chromium", "fonts-dejavu-core"), "the browser tests need Chromium")
