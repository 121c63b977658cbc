"""`switchhook db`: the database's schema, and psql on it."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.terminal import run, settled

db_app = typer.Typer(no_args_is_help=True, help="The database's schema.")


@db_app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to this version's schema."""
    from service.wiring import open_database

    async def work() -> None:
        async with open_database(settled()):
            pass

    run(work())
    typer.echo("the database is up to date", err=True)


@db_app.command("status")
def db_status() -> None:
    """Tell the database's schema revision and the newest one."""
    from service.commands.one_shot import schema_status

    found, newest = run(schema_status(settled()))
    typer.echo(f"database {found or 'empty'}, newest {newest}")
    raise typer.Exit(0 if found == newest else 1)


@db_app.command("shell")
def db_shell(
    command: Annotated[str | None, typer.Option(help="SQL to run instead of asking for it.")] = None,
) -> None:
    """Open psql on the database, also the embedded one."""
    from service.commands.one_shot import database_shell

    raise typer.Exit(run(database_shell(settled(), command)))
