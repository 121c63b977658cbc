"""`switchhook follow-ups`: whom to call back."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.terminal import Json, run, settled, tell

follow_ups_app = typer.Typer(help="Whom to call back: the promises, and closing one by hand.")


@follow_ups_app.callback(invoke_without_command=True)
def follow_ups(
    context: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only those still to be kept, by urgency.")] = False,
    as_json: Json = False,
) -> None:
    """List the promises to call back with owner, deadline and history."""
    from service.commands.follow_ups import list_follow_ups

    if context.invoked_subcommand is not None:
        return
    tell(list_follow_ups(settled(), only_open=only_open), as_json=as_json)


@follow_ups_app.command("close")
def follow_ups_close(
    number: Annotated[int, typer.Argument(metavar="ID", help="The promise's number in the list.")],
    reason: Annotated[str, typer.Option(help="Why nobody needs to call back; kept in its history.")],
    login: Annotated[str, typer.Option("--by", help="The login of who decides so.")],
) -> None:
    """Close a promise without a talk, for a reason."""
    from service.commands.follow_ups import close_follow_up

    run(close_follow_up(settled(), number, login, reason))
    typer.echo(f"follow-up {number} is closed", err=True)
