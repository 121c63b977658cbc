"""The command line: `switchhook COMMAND`. Facts go to stdout, words about them to stderr; wrong input is exit 2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from service.cli.backups import backup, restore
from service.cli.crm import crm_app
from service.cli.db import db_app
from service.cli.directory import directory_app
from service.cli.follow_ups import follow_ups_app
from service.cli.incidents import incidents
from service.cli.jobs import jobs
from service.cli.lead import leads_app
from service.cli.lead_rules import lead_rules
from service.cli.notices import notify
from service.cli.parties import parties_app
from service.cli.person import person_app
from service.cli.plans import plans_app
from service.cli.privacy import erase, hold_app, links_app, retention
from service.cli.recordings import recordings_app
from service.cli.reloading import reload
from service.cli.reports import report_app
from service.cli.synthetic import synthetic
from service.cli.talks import export, talk_facts
from service.cli.tape import tape_app
from service.cli.terminal import Json, many, moment, plain, refuse, run, settled, tell
from service.cli.user import user_app
from service.cli.wallboard import wallboard_app

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(directory_app, name="directory")
app.add_typer(person_app, name="person")
app.add_typer(user_app, name="user")
app.add_typer(db_app, name="db")
app.add_typer(tape_app, name="tape")
app.add_typer(follow_ups_app, name="follow-ups")
leads_app.command("rules")(lead_rules)
app.add_typer(leads_app, name="leads")
app.add_typer(parties_app, name="parties")
app.add_typer(plans_app, name="plans")
app.add_typer(report_app, name="report")
app.add_typer(recordings_app, name="recordings")
app.command("export")(export)
app.command("talk-facts")(talk_facts)
app.add_typer(hold_app, name="hold")
app.add_typer(crm_app, name="crm")
app.add_typer(links_app, name="links")
app.add_typer(wallboard_app, name="wallboard")
app.command()(backup)
app.command()(restore)
app.command()(notify)
app.command()(erase)
app.command()(jobs)
app.command()(incidents)
app.command()(retention)
app.command()(reload)
app.command()(synthetic)


def main() -> None:
    """Entry point of the console script."""
    app()


@app.command()
def serve(
    role: Annotated[Literal["all", "telephony", "web"], typer.Option(help="Which roles run here.")] = "all",
) -> None:
    """Run the service until it is told to stop."""
    from service.serve import serve as work

    run(work(settled(), role))


@app.command()
def worker(
    queue: Annotated[
        list[str] | None,
        typer.Option(
            help="Only some: recordings, transcription, crm, routing, follow_ups, notices, calendars, retention, …"
        ),
    ] = None,
    kept: Annotated[bool, typer.Option(hidden=True, help="By a service, which has it reload.")] = False,
) -> None:
    """Run job workers: recordings, transcription, leads, follow-ups."""
    from service.worker_role import worker as work

    run(work(settled(), queue or [], kept=kept))


@app.command()
def demo(
    seconds: Annotated[float | None, typer.Option(help="End by itself after so long.")] = None,
    port: Annotated[int, typer.Option(help="The page's port; 0, or a taken one: any free.", min=0, max=65535)] = 8080,
) -> None:
    """Show the main job alive: a private Asterisk, phones, callers, the service; ends cleanly."""
    from service.demo import demo as work

    run(work(seconds, port))


@app.command()
def doctor(
    topic: Annotated[list[str] | None, typer.Option(help="Only what is about: disk, work, pbx, people, …")] = None,
    last: Annotated[bool, typer.Option("--last", help="What was found when it looked by itself last.")] = False,
    as_json: Json = False,
) -> None:
    """Check everything an operator can get wrong. Exit 0 ok, 1 warnings, 2 failures."""
    from service.doctor.check import Check
    from service.doctor.daily import last_look
    from service.doctor.examine import examine, render
    from service.doctor.looks import TOPICS

    unknown = next((name for name in topic or () if name not in TOPICS), None)
    if unknown is not None:
        refuse(f"--topic: must be one of {', '.join(TOPICS)}, got {unknown!r}")
    if last:
        found = run(last_look(settled()))
        if not found:
            refuse("--last: the doctor has not looked by itself yet; a worker does so every day")
        checks = [Check(one.name, one.state, one.why, one.remedy) for one in found]
        told = [one.to_json() for one in found]
        typer.echo(f"looked at {found[0].examined_at:%Y-%m-%dT%H:%M:%SZ}", err=True)
    else:
        checks = run(examine(settled(), topic or ()))
        told = [check.to_json() for check in checks]
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    else:
        typer.echo(render(checks))
    raise typer.Exit(max((check.level for check in checks), default=0))


@app.command()
def route(  # noqa: PLR0913, PLR0917  # each is an option of the command line
    number: Annotated[str | None, typer.Option("--from", help="The caller's number.")] = None,
    line: Annotated[str | None, typer.Option(help="The number dialled.")] = None,
    at: Annotated[str | None, typer.Option(help="ISO 8601; now when left out.")] = None,
    again: Annotated[bool, typer.Option("--replay", help="Decide past calls anew instead.")] = False,
    since: Annotated[str | None, typer.Option("--from-time", help="ISO 8601; 30 days ago when left out.")] = None,
    until: Annotated[str | None, typer.Option("--to-time", help="ISO 8601; now when left out.")] = None,
    rules: Annotated[Path | None, typer.Option(help="By this directory file, not by the directory in force.")] = None,
    version: Annotated[int | None, typer.Option(help="By this version of the rules.")] = None,
    as_json: Json = False,
) -> None:
    """Tell where such a call would go, and why; or what rules would change of past calls. Nobody is rung."""
    from service.commands.one_shot import dry_route, replay_routes

    now = datetime.now(UTC)
    if again:
        _without("--replay", {"--from": number, "--line": line, "--at": at})
        began_at = moment("--from-time", since) if since else now - timedelta(days=30)
        ended_at = moment("--to-time", until) if until else now
        work = replay_routes(settled(), began_at, ended_at, rules=rules, version=version)
    else:
        given = {"--from-time": since, "--to-time": until, "--rules": rules, "--version": version}
        _without("a single call (it is for --replay)", given)
        if number is None or line is None:
            refuse(f"{'--line' if number else '--from'}: is required without --replay")
        work = dry_route(settled(), number, line, moment("--at", at) if at else now)
    tell(work, as_json=as_json)


def _without(what: str, given: Mapping[str, object]) -> None:
    """Refuse options that say nothing beside this one."""
    for option, value in given.items():
        if value is not None:
            refuse(f"{option}: is not for {what}, got {str(value)!r}")


@app.command()
def call(
    person: Annotated[str, typer.Option(help="The key of who calls; their device rings first.")],
    to: Annotated[str, typer.Option(help="The number to call, in any usual spelling.")],
    as_json: Json = False,
) -> None:
    """Call a number for a person: their device rings, then the number. Exit 1 when nobody answered there."""
    from service.commands.one_shot import call_out
    from web.refused import why_refused

    settings = settled()
    told = run(call_out(settings, person, to))
    words = (
        f"{told['device']} answered" if told["state"] == "connected" else why_refused(settings.language, told["reason"])
    )
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else words)
    raise typer.Exit(0 if told["state"] == "connected" else 1)


@app.command("do-not-call")
def do_not_call(
    number: Annotated[str, typer.Argument(help="A number of the party, in any usual spelling.")],
    lift: Annotated[bool, typer.Option("--lift", help="They may be called again.")] = False,
) -> None:
    """Note that a party does not want to be called: nobody and nothing calls any of its numbers."""
    from service.commands.one_shot import do_not_call as work

    run(work(settled(), number, lift=lift))
    typer.echo(f"{number} {'may be called again' if lift else 'is not called any more'}", err=True)


@app.command()
def explain(
    call: Annotated[str, typer.Argument(help="The call's id, or a PBX's uniqueid.")], as_json: Json = False
) -> None:
    """Tell one call whole: timeline, decision, cause if missed, recording, lead."""
    from service.commands.one_shot import explain as work

    tell(work(settled(), call), as_json=as_json)


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Tapes: AMI or CEL, any of their forms.")],
    form: Annotated[Literal["json", "table"], typer.Option("--format", help="json: one object a line.")] = "table",
) -> None:
    """Fold tapes into call records, without any server."""
    from calls.view import to_json
    from service.commands.replay import replay as work
    from service.commands.replay import table
    from telephony.tape import TapeError

    try:
        records, skipped = work(files)
    except TapeError as error:
        refuse(error)
    if form == "json":
        for record in records:
            typer.echo(json.dumps(to_json(record), ensure_ascii=False))
    else:
        typer.echo(table(records))
    typer.echo(f"{many(skipped, 'event')} skipped", err=True)


@app.command("catch-up")
def catch_up(
    since: Annotated[str, typer.Option("--from", help="ISO 8601.")],
    until: Annotated[str, typer.Option("--to", help="ISO 8601.")],
) -> None:
    """Read CEL for a period again; what is known already changes nothing."""
    from service.commands.one_shot import catch_up as work

    count = run(work(settled(), moment("--from", since), moment("--to", until)))
    typer.echo(f"{many(count, 'call')} recovered")


@app.command()
def reconcile(
    since: Annotated[str, typer.Option("--from", help="ISO 8601.")],
    until: Annotated[str, typer.Option("--to", help="ISO 8601.")],
    crm: Annotated[str | None, typer.Option(help="Only this connection with the store, without the PBX.")] = None,
    mend: Annotated[
        bool, typer.Option("--repair", help="Record what the store lacks, tell CRMs what they lack.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Compare the calls of a period: PBX, store, CRMs. Exit 0 no difference, 1 differences."""
    from service.commands.one_shot import reconcile as work
    from service.crm.reconcile import reconcile_crms

    period = moment("--from", since), moment("--to", until)
    told: dict[str, Any] = {"from": period[0].isoformat(), "to": period[1].isoformat()}
    words: list[str] = []
    left = 0
    if crm is None:
        told, words, left = run(work(settled(), *period, mend=mend))
        words.append(f"{many(told['calls'], 'call')}, {told['repaired']} repaired, {many(left, 'difference')}")
    outcomes = run(reconcile_crms(settled(), *period, crm, mend=mend))
    left += sum(one.report.left for one in outcomes)
    told |= {"crms": [one.to_json() for one in outcomes]}
    words += [plain(line) for one in outcomes for line in one.lines()]
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else "\n".join(words))
    raise typer.Exit(1 if left else 0)


@app.command()
def rebuild() -> None:
    """Fold every call anew from its events; changes nothing on a healthy store."""
    from service.commands.one_shot import rebuild as work

    typer.echo(f"{many(run(work(settled())), 'call')} changed")


@app.command()
def mask(
    since: Annotated[str, typer.Option("--from", help="ISO 8601.")],
    until: Annotated[str, typer.Option("--to", help="ISO 8601.")],
) -> None:
    """Mask texts and sound of a period's calls, and what clients wrote, by the directory of now.

    What is masked already stays so.
    """
    from service.commands.one_shot import mask as work

    calls, answers = run(work(settled(), moment("--from", since), moment("--to", until)))
    typer.echo(f"{many(calls, 'call')} and {many(answers, 'answer')} masked anew")


@app.command()
def transcribe(file: Annotated[Path, typer.Argument(help="A recording.")], as_json: Json = False) -> None:
    """Turn a recording into text with the service's own engine."""
    from service.commands.one_shot import transcribe as work

    tell(work(settled(), file), as_json=as_json)


if __name__ == "__main__":
    main()
