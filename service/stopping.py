"""How a process learns that it should end: the first signal asks for it, a later one does not wait."""

from __future__ import annotations

import asyncio
import signal
import time

_ONE_WISH_SECONDS = 1.0
"""What ends a whole group of processes, as a terminal or systemd, tells a child that its parent tells too."""


def stopping() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set; the next of them ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    asked_at = 0.0

    def asked(number: signal.Signals) -> None:
        nonlocal asked_at
        if not stop.is_set():
            asked_at = time.monotonic()
            stop.set()
        elif time.monotonic() - asked_at > _ONE_WISH_SECONDS:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked, number)
    return stop
