"""`switchhook recordings`: calls whose audio is not complete."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from service.terminal import Json, moment, run, settled

recordings_app = typer.Typer(no_args_is_help=True, help="What was recorded, and what was not.")


@recordings_app.command("gaps")
def recordings_gaps(
    since: Annotated[str | None, typer.Option(help="ISO 8601; seven days ago when left out.")] = None,
    line: Annotated[str, typer.Option(help="Only calls on this line.")] = "",
    as_json: Json = False,
) -> None:
    """List the calls whose audio is missing, short, silent, empty or unreadable, and why. Exit 1 when there are any."""
    from service.recordings import list_gaps

    begins = moment("--since", since) if since else datetime.now(UTC) - timedelta(days=7)
    told, words = run(list_gaps(settled(), begins, line))
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else words)
    raise typer.Exit(1 if told else 0)
