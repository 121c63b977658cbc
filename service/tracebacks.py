"""Tracebacks that tell where and what, and never whom: no local variables, no values that a database repeats."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from types import TracebackType
from typing import Any

_DRIVERS = ("asyncpg", "psycopg", "sqlalchemy", "procrastinate")
"""Their messages repeat rows: `DETAIL: Key (number)=(7916…) already exists`."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def tell(error: BaseException) -> str:
    """The whole chain of `error`, the first cause first, as Python prints it but for what drivers say."""
    return "\nwhich led to\n".join(_one(link) for link in reversed(list(_chain(error))))


def place_of(error: BaseException) -> str:
    """Where it was raised: the file, the line and the function, without any value."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else ""


def processor(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For structlog: `exc_info` becomes the text `exception`."""
    told = event.pop("exc_info", None)
    if told is True:
        told = sys.exc_info()[1]
    elif isinstance(told, tuple):
        told = told[1]
    if isinstance(told, BaseException):
        event["exception"] = tell(told)
    return event


class Formatter(logging.Formatter):
    """For the standard library's loggers of other packages."""

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 - the name is logging's
        """The same for them."""
        return tell(ei[1]) if ei[1] is not None else ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _one(error: BaseException) -> str:
    frames = "".join(traceback.format_tb(error.__traceback__))
    lines = f"{frames}{type(error).__module__}.{type(error).__qualname__}: {_message(error)}"
    if isinstance(error, BaseExceptionGroup):
        return "\n".join([lines, *(tell(inner) for inner in error.exceptions)])
    return lines


def _message(error: BaseException) -> str:
    if not type(error).__module__.startswith(_DRIVERS):
        return str(error)
    state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
    return f"SQLSTATE {state}" if state else "(message left out: it may repeat rows)"
