"""`switchhook leads`: import and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from service.attention_cli import leads_attention
from service.terminal import Json, many, named, run, settled

leads_app = typer.Typer(no_args_is_help=True, help="Leads and their parties.")


@leads_app.command("import")
def leads_import(
    file: Annotated[Path, typer.Argument(help="A csv or xlsx table; its first row names the columns.")],
    columns: Annotated[
        list[str] | None, typer.Option("--map", help='What a column is, like "Tel. 2=phone"; - leaves it out.')
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would become of each row.")] = False,
    as_json: Json = False,
) -> None:
    """Import parties and leads, all or nothing. Exit 2 when a row is wrong: then nothing is written."""
    from service.leads import import_leads

    told, words, right = run(import_leads(settled(), file, columns or [], dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(words, err=not right)
    raise typer.Exit(0 if right else 2)


@leads_app.command("export")
def leads_export(
    form: Annotated[Literal["csv", "xlsx"], typer.Option("--format")] = "csv",
    stage: Annotated[str, typer.Option(help="Only leads at this stage.")] = "",
    owner: Annotated[str, typer.Option(help="Only leads of this person (a key).")] = "",
    field: Annotated[list[str] | None, typer.Option(help="Only leads with this field, like project=Park.")] = None,
    to: Annotated[Path | None, typer.Option(help="A new file to write; standard output when left out.")] = None,
) -> None:
    """Write leads with their parties as a table, which can be imported again."""
    from crm_sync.lead_export import Wanted
    from service.leads import export_leads

    wanted = Wanted(form=form, stage=stage, owner=owner, fields=named("--field", field))
    count = run(export_leads(settled(), wanted, to))
    typer.echo(f"{many(count, 'lead')} exported", err=True)


leads_app.command("attention")(leads_attention)
