"""`switchhook recordings`: calls whose audio is not complete, and the tokens of PBXes that upload."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from service.cli.terminal import Json, many, moment, run, settled, tell

recordings_app = typer.Typer(no_args_is_help=True, help="What was recorded, and what was not.")


@recordings_app.command("gaps")
def recordings_gaps(
    since: Annotated[str | None, typer.Option(help="ISO 8601; seven days ago when left out.")] = None,
    line: Annotated[str, typer.Option(help="Only calls on this line.")] = "",
    as_json: Json = False,
) -> None:
    """List the calls whose audio is missing, short, silent, empty or unreadable, and why. Exit 1 when there are any."""
    from service.commands.recordings import list_gaps

    begins = moment("--since", since) if since else datetime.now(UTC) - timedelta(days=7)
    told = tell(list_gaps(settled(), begins, line), as_json=as_json)
    raise typer.Exit(1 if told else 0)


Name = Annotated[str, typer.Argument(help="The PBX's name in the settings.")]


@recordings_app.command("token")
def recordings_token(pbx: Name) -> None:
    """Make a token by which this PBX may send its recordings, and nothing else; it is shown once."""
    from service.commands.recordings import make_token

    typer.echo(run(make_token(settled(), pbx)))


@recordings_app.command("revoke")
def recordings_revoke(pbx: Name) -> None:
    """End every token by which this PBX sends its recordings."""
    from service.commands.recordings import revoke_tokens

    typer.echo(f"{many(run(revoke_tokens(settled(), pbx)), 'token')} revoked", err=True)
