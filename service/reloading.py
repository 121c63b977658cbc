"""Reads the settings again while the process runs: by SIGHUP, or by who asks at a socket under the data folder.

They are read and checked as a whole, and a wrong one changes nothing. What can be done by others at once is; of the
rest is told that it needs a restart, again at every reload until it had one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import structlog
from pydantic import BaseModel, SecretStr

from service.log import HIDDEN, change_style, masked
from service.settings import Settings, SettingsError, load
from service.shown import shown
from service.wiring import House

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LIVE: Final = frozenset({"log", "language", "oidc", "web", "notices", "transcription", "jobs", "calendars"})
"""What is asked for whenever it is used, or has workers begin anew; all else is opened once, and needs a restart."""
NEEDS_RESTART: Final = frozenset(Settings.model_fields.keys() - LIVE)
_OF_WEB: Final = ("host", "port", "public_url")


@dataclass(frozen=True, slots=True)
class Changed:
    """One setting that is another; secrets are hidden. `live`: it is in force already."""

    field: str
    old: str
    new: str
    live: bool

    def __str__(self) -> str:
        """One line."""
        return f"{self.field}: {self.old} -> {self.new}{'' if self.live else ' (needs a restart)'}"


def differences(old: Settings, new: Settings) -> list[Changed]:
    """What differs, setting by setting, in their order."""
    before, after = dict(_fields(old)), dict(_fields(new))
    return [
        Changed(field, _shown(before.get(field)), _shown(after.get(field)), _is_live(field))
        for field in dict.fromkeys((*before, *after))
        if before.get(field) != after.get(field)
    ]


def followed(old: Settings, new: Settings) -> Settings:
    """The settings in force when `new` are wanted while `old` are: what needs a restart stays.

    Raises SettingsError where what stays and what would be new contradict each other.
    """
    stays: dict[str, Any] = {name: getattr(old, name) for name in NEEDS_RESTART}
    web = new.web.model_copy(update={name: getattr(old.web, name) for name in _OF_WEB})
    now = new.model_copy(update=stays | {"web": web})
    try:
        now.check_agreement()
    except ValueError as error:
        waits = ", ".join(one.field for one in differences(old, new) if not one.live)
        raise SettingsError(f"{error}. Restart the service: without that these stay as they were: {waits}") from None
    return now


def _is_live(field: str) -> bool:
    of = field.partition(".")[0].partition("[")[0]
    return of not in NEEDS_RESTART and field not in {f"web.{name}" for name in _OF_WEB}


def _fields(part: BaseModel, within: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(part).model_fields:
        value, field = getattr(part, name), f"{within}{name}"
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{field}.")
        elif name == "pbx":
            for one in value:
                yield from _fields(one, f"{field}[{one.name}].")
        else:
            yield field, value


def _shown(value: Any) -> str:
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else "none"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    told = "none" if value is None else str(value)
    return shown(told) if "://" in told else masked(told)


def reload(house: House) -> list[Changed]:
    """Read the settings again and have everybody do by them; what differs. Raises SettingsError: nothing changed."""
    before = house.settings
    try:
        wanted = load()
        house.settings = followed(before, wanted)
    except SettingsError as error:
        log.error("the settings are wrong, nothing is changed", reason=str(error))  # noqa: TRY400 - a user's mistake
        raise
    changed = differences(before, wanted)
    change_style(house.settings.log)
    log.info(
        "settings read again",
        changed=[str(one) for one in changed if one.live],
        needs_restart=[str(one) for one in changed if not one.live],
    )
    if house.settings != before:
        for follow in house.followers:
            follow()
    return changed


def not_yet() -> None:
    """A process that is still starting reads its settings anyway: SIGHUP, which would end it, asks it for nothing."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@asynccontextmanager
async def open_reloading(house: House, role: str, *, kept: bool = False) -> AsyncIterator[None]:
    """SIGHUP and the socket are heard while the body runs; of a `kept` worker its service decides."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, _hung_up, None if kept else house)
    try:
        async with AsyncExitStack() as stack:
            if not kept:
                await _listen(house, role, stack)
            yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        not_yet()  # what ends need not read them again either


def _hung_up(house: House | None) -> None:
    if house is not None:
        with suppress(SettingsError):
            reload(house)


async def _listen(house: House, role: str, stack: AsyncExitStack) -> None:
    folder, name = folder_of(house.settings), f"{role}-{os.getpid()}.socket"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        await stack.enter_async_context(await _serve(house, folder, name))
    except OSError as error:
        log.warning("nobody can ask for a reload here, but by SIGHUP", reason=error.strerror)
        return
    stack.callback((folder / name).unlink, missing_ok=True)


async def _serve(house: House, folder: Path, name: str) -> asyncio.Server:
    async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        told: Mapping[str, Any]
        try:
            told = {"changed": [asdict(one) for one in reload(house)]}
        except SettingsError as error:
            told = {"error": str(error)}
        writer.write(json.dumps(told, ensure_ascii=False).encode())
        with suppress(OSError):
            await writer.drain()
        writer.close()

    with short(folder) as path:
        return await asyncio.start_unix_server(answer, path / name)


def folder_of(settings: Settings) -> Path:
    """Where the sockets of running processes are."""
    return settings.data_dir / "running"


@contextmanager
def short(folder: Path) -> Iterator[Path]:
    """A path to a folder that fits into a socket's address, which holds 107 bytes, however deep the folder is."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
