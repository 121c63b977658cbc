"""Logs: one line a fact, structured, with personal data and secrets masked before anything is printed."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

PERSONAL = frozenset({"number", "caller_number", "caller_name", "name_of_caller", "text", "login"})
SECRET = frozenset({"secret", "password", "token", "authorization", "cookie", "database_url"})


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Personal fields keep their last two characters, secret ones nothing."""
    for key in event.keys() & SECRET:
        event[key] = "***"
    for key in event.keys() & PERSONAL:
        event[key] = f"…{str(event[key])[-2:]}" if event[key] else ""
    return event


def set_up(style: str) -> None:
    """Send log lines to stderr: as text for people (`console`), only warnings of it (`quiet`), or as JSON (`json`)."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mask,
    ]
    if style == "json":
        last: list[Any] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        # Tracebacks stay without local variables: those hold callers' numbers, names and secrets.
        plain = structlog.dev.plain_traceback
        last = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING if style == "quiet" else logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s", force=True)
