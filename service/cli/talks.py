"""`switchhook export` and `switchhook talk-facts`: a call to take away, and what the words of talks tell."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.terminal import many, moment, run, settled


def export(
    call: Annotated[str, typer.Argument(help="The call's id, or a PBX's uniqueid.")],
    folder: Annotated[Path, typer.Option("--to", help="The folder for the file.")] = Path(),
) -> None:
    """Write a call's sound, record, text, subtitles and talk facts into one zip; it is noted as a listening."""
    from service.commands.talks import export_call

    typer.echo(str(run(export_call(settled(), call, folder))))


def talk_facts(
    since: Annotated[str, typer.Option("--from", help="ISO 8601.")],
    until: Annotated[str, typer.Option("--to", help="ISO 8601.")],
) -> None:
    """Measure the talks of a period again, by the scripts and topics of now, from the texts that are stored."""
    from service.commands.talks import measure_period

    count = run(measure_period(settled(), moment("--from", since), moment("--to", until)))
    typer.echo(f"{many(count, 'talk')} measured")
