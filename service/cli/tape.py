"""`switchhook tape`: what a PBX says, recorded for us and for others to read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.terminal import run, settled

tape_app = typer.Typer(no_args_is_help=True, help="What a PBX says, recorded with invented numbers and names.")

Into = Annotated[Path, typer.Option(help="The folder to write into.")]
Extensions = Annotated[bool, typer.Option("--extensions", help="Also replace short numbers (2 to 6 digits).")]
Devices = Annotated[bool, typer.Option("--devices", help="Also replace the devices' names.")]


@tape_app.command("record")
def tape_record(
    name: Annotated[str, typer.Argument(help="Makes NAME.ami, and NAME.cel.csv where CEL is set.")],
    into: Into = Path(),
    pbx: Annotated[str | None, typer.Option(help="Which PBX of the settings; the first when left out.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Record so long, whatever happens.", min=0.1)] = None,
    extensions: Extensions = False,
    devices: Devices = False,
) -> None:
    """Record a PBX until a call has ended (or Ctrl-C, or --seconds), numbers, names and addresses replaced."""
    from service.commands.tape import Scrambling, record

    written = run(record(settled(), name, into, pbx, seconds, Scrambling(extensions, devices)))
    typer.echo("\n".join(map(str, written)))


@tape_app.command("scramble")
def tape_scramble(
    files: Annotated[list[Path], typer.Argument(help="Recorded streams of one PBX: AMI or CEL, any of their forms.")],
    into: Into,
    extensions: Extensions = False,
    devices: Devices = False,
) -> None:
    """Replace numbers, names and addresses of recorded streams, the same by the same in all of them."""
    from service.commands.tape import Scrambling, scramble

    typer.echo("\n".join(map(str, run(scramble(files, into, Scrambling(extensions, devices))))))
