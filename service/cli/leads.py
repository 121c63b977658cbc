"""`switchhook leads`: import and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from service.cli.attention import leads_attention
from service.cli.terminal import Json, many, named, run, settled

if TYPE_CHECKING:
    from crm_sync.book.lead_list import Wanted

leads_app = typer.Typer(no_args_is_help=True, help="Leads and their parties.")


Stages = Annotated[list[str] | None, typer.Option("--stage", help="At this stage; may be repeated.")]
Step = Annotated[str, typer.Option(help="At this step of the funnel.")]
Owner = Annotated[str, typer.Option(help="Of this person (a key); - for nobody's.")]
Line = Annotated[str, typer.Option(help="That came by this line.")]
Reason = Annotated[str, typer.Option(help="Lost or disqualified for this reason.")]
Fields = Annotated[list[str] | None, typer.Option("--field", help="With this field, like project=Park.")]
Overdue = Annotated[bool, typer.Option("--overdue", help="Open and past their deadline.")]


def wanted_of(  # each is an option of the command line
    stages: list[str] | None,
    step: str,
    owner: str,
    line: str,
    reason: str,
    fields: list[str] | None,
    *,
    overdue: bool,
) -> Wanted:
    """Which leads these options mean."""
    from crm_sync.book.lead_list import Wanted

    told = named("--field", fields)
    return Wanted(
        stages=tuple(stages or ()), step=step, owner=owner, line=line, reason=reason, overdue=overdue, fields=told
    )


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
    from service.commands.leads import import_leads

    told, words, right = run(import_leads(settled(), file, columns or [], dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(words, err=not right)
    raise typer.Exit(0 if right else 2)


@leads_app.command("export")
def leads_export(  # noqa: PLR0913, PLR0917  # each is an option of the command line
    form: Annotated[Literal["csv", "xlsx"], typer.Option("--format")] = "csv",
    stage: Stages = None,
    step: Step = "",
    owner: Owner = "",
    line: Line = "",
    reason: Reason = "",
    field: Fields = None,
    overdue: Overdue = False,
    to: Annotated[Path | None, typer.Option(help="A new file to write; standard output when left out.")] = None,
) -> None:
    """Write leads with their parties as a table, which can be imported again."""
    from service.commands.leads import export_leads

    wanted = wanted_of(stage, step, owner, line, reason, field, overdue=overdue)
    count = run(export_leads(settled(), wanted, form, to))
    typer.echo(f"{many(count, 'lead')} exported", err=True)


leads_app.command("attention")(leads_attention)
