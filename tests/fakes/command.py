"""`switchhook` as it is called at a terminal: each command in a process of its own, its words, status and output real.

The processes are forked from one that has read the program already; to read it takes longer than most commands.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path

from service.children import die_with_parent

_OWN = ("SWITCHHOOK_", "DATABASE_URL")
_READ = ("cli.main", "commands.one_shot", "doctor.examine", "serve", "worker_role")
PROGRAM = multiprocessing.get_context("forkserver")
PROGRAM.set_forkserver_preload([f"service.{name}" for name in _READ])


def switchhook(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call it and wait until it ends; `environment` is added to ours, without our own settings.

    Raises subprocess.TimeoutExpired after a minute.
    """
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "stdout"), Path(folder, "stderr")
        process = PROGRAM.Process(target=_call, args=(words, _with_ours(environment), out, err))
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(words, 60)
        return subprocess.CompletedProcess(words, process.exitcode, out.read_text(), err.read_text())


class Running:
    """It as it goes on, until it ends or gets a signal."""

    def __init__(self, process: BaseProcess) -> None:
        """Use `begin`."""
        self._process = process

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended, -9 for SIGKILL and so on; None while it goes on."""
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    async def wait(self) -> int:
        """Wait until it has ended; how."""
        await asyncio.to_thread(self._process.join)
        assert self._process.exitcode is not None
        return self._process.exitcode


async def begin(*words: str, said: Path, room: int | None = None, **environment: str) -> Running:
    """Call it and let it go on; what it says goes to `said`; no file that it writes grows beyond `room` bytes.

    A worker may have processes of its own, and so is not ended with ours: the test ends it.
    """
    arguments = (words, _with_ours(environment), said, said, room)
    process = PROGRAM.Process(target=_call, args=arguments, daemon=words[0] != "worker")
    await asyncio.to_thread(process.start)
    return Running(process)


def _with_ours(environment: Mapping[str, str]) -> dict[str, str]:
    ours = {key: value for key, value in os.environ.items() if not key.startswith(_OWN) or key == "SWITCHHOOK_CACHE"}
    return {**ours, **environment}


def _call(
    words: tuple[str, ...], environment: Mapping[str, str], out: Path, err: Path, room: int | None = None
) -> None:
    from service.cli.main import main

    die_with_parent()
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    if room is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    sys.argv = ["switchhook", *words]
    main()
