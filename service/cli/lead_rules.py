"""`switchhook leads rules`: the rules by which calls become leads, tried on past calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from service.cli.terminal import Json, moment, refuse, settled, tell


def lead_rules(
    again: Annotated[bool, typer.Option("--replay", help="Tell what they would make of past calls.")] = False,
    since: Annotated[str | None, typer.Option("--from", help="ISO 8601; 30 days ago when left out.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="ISO 8601; now when left out.")] = None,
    rules: Annotated[Path | None, typer.Option(help="By this directory file, not by the directory in force.")] = None,
    as_json: Json = False,
) -> None:
    """List the lead rules in the order they are asked, or try them on past calls; nothing is changed."""
    from service.commands.lead_rules import list_rules, replay_rules

    now = datetime.now(UTC)
    if again:
        began = moment("--from", since) if since else now - timedelta(days=30)
        work = replay_rules(settled(), began, moment("--to", until) if until else now, rules)
    elif since or until:
        refuse(f"--{'from' if since else 'to'}: only past calls have times, add --replay")
    else:
        work = list_rules(settled(), rules)
    tell(work, as_json=as_json)
