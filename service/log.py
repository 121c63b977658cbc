"""Logs: one line a fact, structured, with personal data and secrets masked before anything is printed."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final, TextIO, cast

import structlog

from service import tracebacks

PERSONAL = frozenset({"number", "caller_number", "caller_name", "name_of_caller", "text", "login"})
SECRET = frozenset({"secret", "password", "token", "authorization", "cookie", "database_url", "cel_url"})

HIDDEN: Final = "***"
"""Stands for what is not shown."""

# A text may be as long as a CRM likes: no expression here reads a part of it again and again. Each begins at what is
# rare or at the beginning of a word, and gives nothing back of what it took (`++`), or only a few signs.
_SECRETS: Final = tuple(
    re.compile(rf"({before}){secret}", re.IGNORECASE)
    for before, secret in (
        # Who asks a server, with their password, in which people leave even a slash and an at sign as they are.
        (r'://[^\s"<>/:@]*+:', r'(?:(?!://)[^\s"<>])*(?=@)'),
        ("://", r'[^\s"<>/]*(?=@)'),
        # As libpq's words, a query's, or of JSON and Python: quoted to the quote, else to the next space.
        (r"(?:password|passwd|secret|token|api_?key)\ {0,2}=\ {0,2}", r"""(?:'(?:[^'\\]|\\.)*+'?|(?:[^\s\\]|\\.)++)"""),
        (r"""(?:password|passwd|secret|token|api_?key|authorization|cookie)["']\ {0,2}:\ {0,2}""",
         r"""(?:"(?:[^"\\]|\\.)*+"?|'(?:[^'\\]|\\.)*+'?)"""),
        (r"(?:\bbearer|authorization:\ basic)\ ", r"[\w.~+/=-]{8,}+"),
        # A bot of Telegram, in an address and alone; an incoming webhook of Bitrix24.
        ("/bot", r'\d[^/\s"<>]*+'),
        (r"(?<!\w)\d{6,12}(?::|%3A)", r"[\w-]{30,}+"),
        (r"/rest/\d{1,9}/", r'[^/\s?#"<>]++'),
    )
)  # fmt: skip

_PERSONAL: Final = re.compile(
    r"""
    (?<![\w.+…-])[\w.+-]++(?=@[\w-]++\.\w)              # of a mailbox
    | (?P<kept>
        [0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}     # an id of ours
      | \d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d++)?  # a time
      | (?<![\d.])\d\d\.\d\d\.(?:19|20)\d\d(?!\.?\d)    # a day
      | \b1\d{9}\.\d++\b                                # a channel's uniqueid
      | -0[0-9a-f]{7}\b                                 # the end of a channel's name
      | (?<![\d.])\d{1,6}\.\d++(?!\.\d)                 # seconds
      | (?<![\d.])(?:(?:\d\d?|1\d\d|2[0-5]\d)\.){3}(?:\d\d?|1\d\d|2[0-5]\d)(?!\.?\d)  # an address
    )
    # A number, as people write them: with dots, brackets, and spaces and hyphens of all kinds.
    | \+?\(?\d(?:(?:\)?\.\(?|[\ \u00a0\u2009\u202f()\u2010-\u2015\u2212-]{1,3})?\d){6,}+
    """,
    re.VERBOSE,
)


def masked(text: str) -> str:
    """Free text, as an error's, with numbers and mailboxes cut to their last two characters, and without passwords."""
    for secret in _SECRETS:
        text = secret.sub(rf"\g<1>{HIDDEN}", text)
    return _PERSONAL.sub(_end, text)


def _end(found: re.Match[str]) -> str:
    return found[0] if found["kept"] else f"…{found[0][-2:]}"


def mask(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Personal fields keep their last two characters, secret ones nothing; in all others numbers are masked."""
    return _fields(event)


def _fields(told: Mapping[Any, Any]) -> dict[Any, Any]:
    return {_within(name): _field(name, value) for name, value in told.items()}


def _field(name: Any, value: Any) -> Any:
    known = name.casefold() if isinstance(name, str) else ""
    if known in SECRET:
        return HIDDEN
    if known in PERSONAL:
        return f"…{str(value)[-2:]}" if value else ""
    return _within(value)


def _within(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, Mapping):
        return _fields(value)
    return [_within(one) for one in value] if isinstance(value, list | tuple | set | frozenset) else value


class Formatter(tracebacks.Formatter):
    """For the standard library's loggers of other packages, which know nothing of what may not be said."""

    def format(self, record: logging.LogRecord) -> str:
        """The same, masked."""
        return masked(super().format(record))


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


class _Style:
    """How lines look now. Loggers keep what they were made with, so it is asked at each line."""

    def __init__(self) -> None:
        self._renderers: dict[str, Any] = {
            "json": structlog.processors.JSONRenderer(ensure_ascii=False),
            "console": structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        }
        self.name = "console"

    def drop(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Only warnings and worse are told in `quiet`."""
        if self.name == "quiet" and method == "info":
            raise structlog.DropEvent
        return event

    def render(self, logger: object, method: str, event: MutableMapping[str, Any]) -> Any:
        """The line."""
        return self._renderers["json" if self.name == "json" else "console"](logger, method, event)


_style = _Style()
_processors: list[Any] = []
"""One list for good: loggers keep the one that they were made with."""


def change_style(style: str) -> None:
    """Have every line look so from now on: `console`, `quiet` or `json`."""
    _style.name = style


def set_up(style: str) -> None:
    """Send log lines to stderr: as text for people (`console`), only warnings of it (`quiet`), or as JSON (`json`)."""
    global _style  # noqa: PLW0603 - whether stderr is a terminal is known now
    _style = _Style()
    change_style(style)
    _processors[:] = [
        _style.drop,
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        tracebacks.processor,
        mask,
        _style.render,
    ]
    stream = cast("TextIO", _Forgiving(sys.stderr))
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    others = logging.StreamHandler(stream)
    others.setFormatter(Formatter("%(asctime)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[others], force=True)
