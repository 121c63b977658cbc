"""`switchhook plans`: what is to be reached in a month."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from service.cli.terminal import Json, run, settled, tell

plans_app = typer.Typer(no_args_is_help=True, help="What is to be reached in a month, by whom.")


@plans_app.command("import")
def plans_import(
    file: Annotated[Path, typer.Argument(help="An xlsx or csv table as the page of plans gives it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would change.")] = False,
    as_json: Json = False,
) -> None:
    """Set the plans of a table, all or none. Exit 2 when a cell is wrong: then nothing is changed."""
    from service.commands.plans import import_plans

    told, words, right = run(import_plans(settled(), file, dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(words, err=not right)
    raise typer.Exit(0 if right else 2)


@plans_app.command("list")
def plans_list(
    month: Annotated[str, typer.Option(help="Like 2026-11; this one when left out.")] = "",
    as_json: Json = False,
) -> None:
    """List the plans of a month, each with what was reached so far."""
    from service.commands.plans import list_plans

    tell(list_plans(settled(), month), as_json=as_json)
