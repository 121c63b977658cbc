"""`switchhook notify`: how a person is told what concerns them, and whether it arrives."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from service.cli.terminal import Json, run, settled


def notify(
    person: Annotated[str, typer.Argument(help="The person's key in the directory.")],
    test: Annotated[bool, typer.Option("--test", help="Send a test message now by every channel they want.")] = False,
    as_json: Json = False,
) -> None:
    """Tell by which channels a person is told what concerns them. Exit 1 when one that they want does not work."""
    from service.telling import tell_of

    tried, words = run(tell_of(settled(), person, test=test))
    typer.echo(json.dumps([asdict(one) for one in tried], ensure_ascii=False) if as_json else words)
    raise typer.Exit(1 if any(one.wanted and one.reason is not None for one in tried) else 0)
