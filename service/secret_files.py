"""Secrets in files, as containers and systemd hand them to a service; each is named like its variable."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic_settings import EnvSettingsSource

FOLDER = "SWITCHHOOK_SECRETS"


class SecretFiles(EnvSettingsSource):
    """Settings of the files of $SWITCHHOOK_SECRETS, or of the folder of credentials that systemd gives a unit."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {path.name.lower(): read(path) for path in files() if path.name.startswith("SWITCHHOOK_")}


def named(name: str) -> str | None:
    """What the file of that name there holds; None: there is none."""
    return next((read(path) for path in files() if path.name == name), None)


def place(path: Path) -> Path:
    """Where that file is: a path that does not begin at the root begins at the folder of secrets, if there is one."""
    return (folder() or Path()) / path


def read(path: Path) -> str:
    """What a file of a secret holds; its last line break is the editor's. Raises ValueError."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read: {path}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None


def folder() -> Path | None:
    """Where files of secrets are handed to this process; None: nowhere."""
    told = os.environ.get(FOLDER) or os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(told) if told else None


def files() -> list[Path]:
    """Every file there. Raises ValueError when there is no such folder."""
    told = folder()
    if told is None:
        return []
    if not told.is_dir():
        raise ValueError(f"there is no folder {str(told)!r}")
    return [path for path in sorted(told.iterdir()) if path.is_file()]
