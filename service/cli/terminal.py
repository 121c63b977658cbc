"""What every command of the command line shares: settings, running, refusing, and reading times."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from service import log
from service.settings import Settings, SettingsError, load

T = TypeVar("T")
Told = TypeVar("Told")

Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]


def refuse(message: object) -> NoReturn:
    """End with the user's mistake named on stderr: exit 2, nothing changed."""
    typer.echo(str(message), err=True)
    raise typer.Exit(2)


def settled(**told: Any) -> Settings:
    """The settings, with logging set up by them; a wrong setting ends the command."""
    try:
        settings = load(**told)
    except SettingsError as error:
        refuse(error)
    log.set_up(settings.log)
    return settings


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine; what a user can have caused ends it with one line."""
    from service.faults import USER_FAULTS, leaves, sentence

    try:
        return asyncio.run(work)
    except USER_FAULTS as error:
        refuse(sentence(error))
    except BaseExceptionGroup as group:
        faults, others = group.split(USER_FAULTS)
        if faults is None or others is not None:
            raise
        refuse("\n".join(sentence(error) for error in leaves(faults)))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def tell(work: Coroutine[Any, Any, tuple[Told, str]], *, as_json: bool) -> Told:
    """Run a command that finds something, print it as JSON or in its words, and give it."""
    told, words = run(work)
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else words.rstrip("\n"))
    return told


def many(count: int, noun: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def plain(line: str) -> str:
    """A line with texts of others in it, that moves no cursor and begins no other line."""
    return "".join(letter if letter.isprintable() else " " for letter in line)


def moment(option: str, text: str) -> datetime:
    """The value of `option` as a time: ISO 8601 with its zone."""
    told: datetime | None = None
    with suppress(ValueError):
        told = datetime.fromisoformat(text)
    if told is None or told.tzinfo is None:
        refuse(f"{option}: must be ISO 8601 with a zone, like 2026-11-23T10:00:00+03:00, got {text!r}")
    return told.astimezone(UTC)


def named(option: str, told: Sequence[str] | None) -> dict[str, str]:
    """The values of a repeated option like `project=Park`, by their names."""
    found: dict[str, str] = {}
    for text in told or ():
        name, equals, value = text.partition("=")
        if not name.strip() or not equals:
            refuse(f"{option}: must look like name=value, got {text!r}")
        found[name.strip()] = value.strip()
    return found
