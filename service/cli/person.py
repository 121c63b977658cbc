"""`switchhook person`: who is away, who stands in, and what people say of themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from service.cli.terminal import Json, many, moment, run, settled, tell

person_app = typer.Typer(no_args_is_help=True, help="Who is there: absences, substitutes and statuses.")

Key = Annotated[str, typer.Argument(help="The person's key in the directory.")]
Status = Literal["available", "away", "do_not_disturb", "wrap_up"]


@person_app.command("list")
def person_list(as_json: Json = False) -> None:
    """Tell of everybody whether they may be rung now, and why not; and who will be away."""
    from service.commands.person import listed

    tell(listed(settled()), as_json=as_json)


@person_app.command("away")
def person_away(
    key: Key,
    until: Annotated[str, typer.Option("--to", help="ISO 8601.")],
    since: Annotated[str | None, typer.Option("--from", help="ISO 8601; now when left out.")] = None,
    substitute: Annotated[str | None, typer.Option(help="The person who is rung meanwhile.")] = None,
    reason: Annotated[str, typer.Option(help="A word for colleagues; no caller and no call's record has it.")] = "",
) -> None:
    """Send a person away for a time; meanwhile the substitute is rung in their place."""
    from service.commands.person import send_away

    begins = moment("--from", since) if since else datetime.now(UTC)
    number = run(send_away(settled(), key, begins, moment("--to", until), substitute, reason))
    typer.echo(f"absence {number}")


@person_app.command("back")
def person_back(
    key: Key,
    absence: Annotated[int | None, typer.Option(help="Cancel this one, going on or to come.")] = None,
) -> None:
    """End the absence that goes on now."""
    from service.commands.person import come_back

    typer.echo(f"{many(len(run(come_back(settled(), key, absence))), 'absence')} ended", err=True)


@person_app.command("status")
def person_status(
    key: Key,
    status: Annotated[Status, typer.Argument()],
    until: Annotated[str | None, typer.Option(help="ISO 8601; available again from then on.")] = None,
) -> None:
    """Set what a person says of themselves."""
    from service.commands.person import set_status

    run(set_status(settled(), key, status, moment("--until", until) if until else None))
    typer.echo(f"{key} is {status}", err=True)
