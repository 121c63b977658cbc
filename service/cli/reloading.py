"""`switchhook reload`."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from service.cli.terminal import Json, plain, run, settled


def reload(as_json: Json = False) -> None:
    """Have the running service read its settings again: what is in force at once, and what needs a restart.

    Exit 2 when they are wrong, and nothing changed.
    """
    from service.commands.reload import reload as work

    told = run(work(settled()))
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in told], ensure_ascii=False))
    for one in told if not as_json else ():
        lines = one.error.splitlines() or [str(changed) for changed in one.changed] or ["nothing changed"]
        for line in lines:
            typer.echo(plain(f"{one.process}: {line}"), err=bool(one.error))
    raise typer.Exit(2 if any(one.error for one in told) else 0)
