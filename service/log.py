"""Logs: one line a fact, structured, with personal data and secrets masked before anything is printed."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO, cast

import structlog

from service import tracebacks

PERSONAL = frozenset({"number", "caller_number", "caller_name", "name_of_caller", "text", "login"})
SECRET = frozenset({"secret", "password", "token", "authorization", "cookie", "database_url", "cel_url"})


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Personal fields keep their last two characters, secret ones nothing."""
    for key in event.keys() & SECRET:
        event[key] = "***"
    for key in event.keys() & PERSONAL:
        event[key] = f"…{str(event[key])[-2:]}" if event[key] else ""
    return event


class _Forgiving(io.TextIOBase):
    """A stream whose trouble (a full disk, a closed pipe) costs the line and never the work that it tells of."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or lose the text."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, or do not."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def set_up(style: str) -> None:
    """Send log lines to stderr: as text for people (`console`), only warnings of it (`quiet`), or as JSON (`json`)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
        tracebacks.processor,
    ]
    last: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if style != "json":
        last = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    stream = cast("TextIO", _Forgiving(sys.stderr))
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if style == "quiet" else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    others = logging.StreamHandler(stream)
    others.setFormatter(tracebacks.Formatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[others], force=True)
