"""`switchhook report`: what happened in a period, counted and judged."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from service.cli.terminal import Json, moment, refuse, run, settled, tell

report_app = typer.Typer(no_args_is_help=True, help="What happened in a period, counted.")

Day = Annotated[str, typer.Option("--date", help="A day of the period, like 2026-11-27; today when left out.")]
Team = Annotated[str, typer.Option(help="The key of the team that it is of; the whole house when left out.")]
Person = Annotated[str, typer.Option(help="The key of the person that it is of.")]
Form = Annotated[
    Literal["text", "html", "json", "csv", "xlsx"], typer.Option("--format", help="How it is written to stdout.")
]
Send = Annotated[bool, typer.Option("--send", help="Also tell those whose report it is, as at the end of the day.")]


@report_app.command("daily")
def report_daily(day: Day = "", team: Team = "", person: Person = "", form: Form = "text", send: Send = False) -> None:
    """Tell of a day what was good or bad, how much, why, and what to do."""
    _report("daily", (day, team, person), form, send=send)


@report_app.command("weekly")
def report_weekly(day: Day = "", team: Team = "", person: Person = "", form: Form = "text", send: Send = False) -> None:
    """Tell the same of the week that holds a day."""
    _report("weekly", (day, team, person), form, send=send)


@report_app.command("monthly")
def report_monthly(
    day: Day = "", team: Team = "", person: Person = "", form: Form = "text", send: Send = False
) -> None:
    """Tell the same of the month that holds a day."""
    _report("monthly", (day, team, person), form, send=send)


def _report(
    kind: Literal["daily", "weekly", "monthly"],
    which: tuple[str, str, str],
    form: Literal["text", "html", "json", "csv", "xlsx"],
    *,
    send: bool,
) -> None:
    from service.commands.reports import Wanted, report

    if form == "xlsx" and sys.stdout.isatty():
        refuse("--format: xlsx is a file, send it to one: switchhook report daily --format xlsx > report.xlsx")
    day, team, person = which
    wanted = Wanted(kind=kind, day=day, team=team, person=person, form=form, send=send)
    written, told = run(report(settled(), wanted))
    typer.echo(written, nl=isinstance(written, str))
    if told is not None:
        typer.echo(f"told to {', '.join(told)}" if told else "told to nobody: everybody knows it already", err=True)


@report_app.command("missed")
def report_missed(
    since: Annotated[str | None, typer.Option("--from", help="ISO 8601; seven days ago when left out.")] = None,
    until: Annotated[str | None, typer.Option("--to", help="ISO 8601; now when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Count missed calls by cause, line, person and hour, how soon they were called back, and the trend."""
    from service.commands.follow_ups import missed_report

    began, ended = moment("--from", since) if since else None, moment("--to", until) if until else None
    tell(missed_report(settled(), began, ended), as_json=as_json)
