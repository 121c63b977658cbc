"""`switchhook incidents`: what is wrong and what was, with the calls that it cost."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.terminal import Json, moment, settled, tell


def incidents(
    since: Annotated[str | None, typer.Option("--from", help="ISO 8601; seven days ago when left out.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="ISO 8601; now when left out.")] = None,
    only_open: Annotated[bool, typer.Option("--open", help="Only what is wrong now.")] = False,
    as_json: Json = False,
) -> None:
    """List the faults of telephony and of what it works with: from when to when, and the calls lost and saved."""
    from service.commands.incidents import tell_incidents

    began, ended = moment("--from", since) if since else None, moment("--to", until) if until else None
    tell(tell_incidents(settled(), began, ended, only_open=only_open), as_json=as_json)
