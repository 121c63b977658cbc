"""Logs tell where something failed and never whose number was in it."""

from __future__ import annotations

import logging
from typing import Any

import asyncpg

from service.tracebacks import Formatter, processor, tell


def failed() -> Exception:
    """A driver's error that repeats a row, behind one of ours."""
    try:
        try:
            number = "79161234567"
            raise asyncpg.UniqueViolationError(f"Key (number)=({number}) already exists")
        except asyncpg.UniqueViolationError as error:
            raise RuntimeError("the book could not be written") from error
    except RuntimeError as error:
        return error


def test_what_a_driver_says_of_rows_is_left_out_and_the_place_is_told() -> None:
    """The frames and the SQLSTATE stay, the number goes."""
    told = tell(failed())
    assert "79161234567" not in told
    assert "SQLSTATE 23505" in told
    assert "the book could not be written" in told
    assert "test_tracebacks.py" in told


def test_groups_are_told_whole() -> None:
    """A task group's errors come with their own frames."""
    told = tell(ExceptionGroup("two", [failed(), ValueError("plain")]))
    assert "79161234567" not in told
    assert "plain" in told


def test_structlog_and_the_standard_loggers_tell_alike() -> None:
    """Neither way out prints the number."""
    error = failed()
    event: dict[str, Any] = {"event": "x", "exc_info": error}
    assert "79161234567" not in str(processor(None, "error", event))
    record = logging.LogRecord("p", logging.ERROR, "f", 1, "m", (), (type(error), error, error.__traceback__))
    assert "79161234567" not in Formatter("%(message)s").format(record)
