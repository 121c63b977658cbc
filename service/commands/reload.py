"""Asks the running processes of this data folder to read their settings again, and tells what became of it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from service.faults import UserFault
from service.reloading import Changed, folder_of, short
from service.settings import Settings

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answered:
    """What one process said; `error`: its settings are wrong, and it changed nothing."""

    process: str
    changed: list[Changed]
    error: str = ""


async def reload(settings: Settings) -> list[Answered]:
    """Ask each; UserFault when none runs."""
    folder = folder_of(settings)
    told = [one for path in sorted(folder.glob("*.socket")) if (one := await _asked(settings, path.name)) is not None]
    if not told:
        raise UserFault(f"no service of data_dir {str(settings.data_dir)!r} runs on this machine")
    return told


async def _asked(settings: Settings, name: str) -> Answered | None:
    """What it answers; None: it is gone, and left its socket behind."""
    process, folder = name.removesuffix(".socket"), folder_of(settings)
    try:
        with short(folder) as path:
            reader, writer = await asyncio.open_unix_connection(path / name)
    except (ConnectionRefusedError, FileNotFoundError):
        (folder / name).unlink(missing_ok=True)
        return None
    try:
        async with asyncio.timeout(_SECONDS):
            body = await reader.read()
    except TimeoutError:
        raise UserFault(f"{process}: does not answer within {_SECONDS:g} s") from None
    finally:
        writer.close()
    told = json.loads(body)
    return Answered(process, [Changed(**one) for one in told.get("changed", ())], told.get("error", ""))
