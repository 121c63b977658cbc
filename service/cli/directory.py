"""`switchhook directory`: people, teams, devices, lines and hours as one file, and the versions of its rules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.cli.terminal import Json, many, run, settled, tell

directory_app = typer.Typer(no_args_is_help=True, help="People, teams, devices, lines and hours.")


@directory_app.command("apply")
def directory_apply(
    file: Annotated[Path, typer.Argument(help="A YAML file.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the difference.")] = False,
) -> None:
    """Make the directory what the file says, all or nothing; shows the difference first."""
    from service.commands.one_shot import apply_directory

    lines, doubts = run(apply_directory(settled(), file, dry_run=dry_run))
    for doubt in doubts:
        typer.echo(f"warning: {doubt}", err=True)
    typer.echo("\n".join(lines) or "no difference")
    typer.echo("nothing was changed" if dry_run or not lines else f"{many(len(lines), 'change')} applied", err=True)


@directory_app.command("export")
def directory_export() -> None:
    """Print the directory as YAML."""
    from service.commands.one_shot import export_directory

    typer.echo(run(export_directory(settled())), nl=False)


@directory_app.command("rules")
def directory_rules(
    version: Annotated[int | None, typer.Option(help="Print this version as YAML.")] = None, as_json: Json = False
) -> None:
    """List every version of the routing rules, oldest first; the last one is in force."""
    from service.commands.one_shot import rule_versions

    tell(rule_versions(settled(), version), as_json=as_json)
