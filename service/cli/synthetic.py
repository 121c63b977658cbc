"""`switchhook synthetic`: a call that the service makes to itself, step by step."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from service.cli.terminal import Json, run, settled


def synthetic(
    line: Annotated[str | None, typer.Option(help="The number that is called; synthetic.line when left out.")] = None,
    last: Annotated[int, typer.Option(help="Make none; tell of so many of the last.", min=0, max=1000)] = 0,
    as_json: Json = False,
) -> None:
    """Call a line of ours now and follow it to the CRM, in shadow. Exit 0 when every step was done, else 1."""
    from service.commands.synthetic import list_last, make_one

    told, words, whole = run(list_last(settled(), last) if last else make_one(settled(), line))
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else words)
    raise typer.Exit(0 if whole else 1)
