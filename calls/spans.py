"""What is done about a call: who works on one says so, and then lines of the log and spans are told of that call.

A span is a stretch of time with a name, as OpenTelemetry has them; all spans of a call are one trace, whoever tells
them, for it is known by the call's id. Nobody listens unless `listen` was called, and then a span costs nothing.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from structlog.contextvars import bind_contextvars

Fact = str | int | float | bool
"""Never a number or a name of anybody."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a call; times are Unix seconds. `within` is another's `id`; None: the call itself."""

    call: UUID
    name: str
    began_at: float
    ended_at: float
    facts: Mapping[str, Fact] = field(default_factory=dict)
    failed: bool = False
    within: int | None = None
    id: int = field(default_factory=lambda: secrets.randbits(64) or 1)
    is_whole: bool = False
    """It is the call itself, which all others are within."""


Listener = Callable[[Span], None]

_call: ContextVar[UUID | None] = ContextVar("call", default=None)
_within: ContextVar[int | None] = ContextVar("within", default=None)
_listeners: list[Listener] = []


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Have every span of this process told while the block runs."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def is_heard() -> bool:
    """Whether anybody listens."""
    return bool(_listeners)


def tell(span: Span) -> None:
    """Tell of what is over."""
    for listener in _listeners:
        listener(span)


def about(call: UUID | None) -> None:
    """From here on this task, and those that it starts, work on that call, None: on none that is known."""
    _call.set(call)
    if call is not None:
        bind_contextvars(call=str(call))


class Later(Exception):
    """Raised by work that did not fail: it is to be done later."""


@contextmanager
def span(name: str, **facts: Fact) -> Iterator[dict[str, Fact]]:
    """Tell of the block as a span of the call in hand; more facts may be put into what is given. An error fails it."""
    if not _listeners:
        yield facts
        return
    mine, began_at, failed = secrets.randbits(64) or 1, time.time(), True
    within = _within.get()
    token = _within.set(mine)
    try:
        yield facts
        failed = False
    except Later:
        failed = False
        raise
    finally:
        _within.reset(token)
        call: Any = _call.get()
        if call is not None:
            tell(Span(call, name, began_at, time.time(), facts, failed, within, mine))
