"""`switchhook leads`: look at leads, and decide about one as a person would on its page."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.leads import Fields, Line, Overdue, Owner, Reason, Stages, Step, leads_app, wanted_of
from service.cli.terminal import Json, moment, named, run, settled, tell

__all__ = ["leads_app"]

Lead = Annotated[int, typer.Argument(metavar="ID", help="The lead's number in the list.")]
Login = Annotated[str, typer.Option("--by", help="The login of who decides so.")]


@leads_app.command("list")
def leads_list(  # noqa: PLR0913, PLR0917  # each is an option of the command line
    stage: Stages = None,
    step: Step = "",
    owner: Owner = "",
    line: Line = "",
    reason: Reason = "",
    field: Fields = None,
    overdue: Overdue = False,
    only_count: Annotated[bool, typer.Option("--count", help="Only how many, by stage.")] = False,
    as_json: Json = False,
) -> None:
    """List leads, the newest first, at most a thousand: a segment by stage, reason and fields."""
    from service.commands.lead import list_leads

    wanted = wanted_of(stage, step, owner, line, reason, field, overdue=overdue)
    tell(list_leads(settled(), wanted, only_count=only_count), as_json=as_json)


@leads_app.command("show")
def leads_show(lead: Lead, as_json: Json = False) -> None:
    """Tell one lead whole: client, fields, history, notes, tasks."""
    from service.commands.lead import show_lead

    tell(show_lead(settled(), lead), as_json=as_json)


@leads_app.command("move")
def leads_move(  # each is an option of the command line
    lead: Lead,
    stage: Annotated[str, typer.Argument(help="qualifying, qualified, in_work, won, lost, disqualified, reviving.")],
    login: Login,
    step: Annotated[str | None, typer.Option(help="The step of the funnel, in work.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why it is lost or disqualified.")] = None,
    duplicate_of: Annotated[int | None, typer.Option(help="The other lead, with --reason duplicate.")] = None,
    block: Annotated[bool, typer.Option("--block", help="With --reason spam: block the client's numbers.")] = False,
) -> None:
    """Move a lead to another stage or step."""
    from crm_sync.book.lifecycle import Move
    from service.commands.lead import move_lead

    move = Move(stage=stage, step=step, reason=reason, duplicate_of=duplicate_of)
    blocked = run(move_lead(settled(), lead, move, login, block=block))
    typer.echo(f"lead {lead} is {stage}", err=True)
    if blocked:
        typer.echo(f"blocked: {', '.join(blocked)}", err=True)


@leads_app.command("return")
def leads_return(lead: Lead, login: Login) -> None:
    """Return a lost lead to work: to its step, and to its owner while they work here."""
    from service.commands.lead import return_lead

    run(return_lead(settled(), lead, login))
    typer.echo(f"lead {lead} is in work again", err=True)


@leads_app.command("give")
def leads_give(
    lead: Lead, person: Annotated[str, typer.Argument(help="The key of a person; - for nobody.")], login: Login
) -> None:
    """Give a lead to a person."""
    from service.commands.lead import give_lead

    run(give_lead(settled(), lead, None if person == "-" else person, login))
    typer.echo(f"lead {lead} is {'nobody' if person == '-' else person}'s", err=True)


@leads_app.command("note")
def leads_note(lead: Lead, text: Annotated[str, typer.Argument()], login: Login) -> None:
    """Write a note about a lead."""
    from service.commands.lead import note_lead

    typer.echo(f"note {run(note_lead(settled(), lead, text, login))}")


@leads_app.command("task")
def leads_task(
    lead: Lead,
    text: Annotated[str, typer.Argument(help="What is to be done.")],
    login: Login,
    assignee: Annotated[str | None, typer.Option(help="Who does it; nobody in particular when left out.")] = None,
    due: Annotated[str | None, typer.Option(help="By when; ISO 8601.")] = None,
) -> None:
    """Give somebody a task for a lead."""
    from service.commands.lead import add_task

    at = moment("--due", due) if due else None
    typer.echo(f"task {run(add_task(settled(), lead, text, assignee, at, login))}")


@leads_app.command("tasks")
def leads_tasks(
    assignee: Annotated[str, typer.Option(help="Only of this person (a key); - for nobody's.")] = "",
    as_json: Json = False,
) -> None:
    """List what is still to be done, what is due first, at most a thousand."""
    from service.commands.lead import list_tasks

    tell(list_tasks(settled(), assignee), as_json=as_json)


@leads_app.command("done")
def leads_done(task: Annotated[int, typer.Argument(metavar="TASK", help="The task's number.")], login: Login) -> None:
    """Note that a task is done."""
    from service.commands.lead import finish_task

    run(finish_task(settled(), task, login))
    typer.echo(f"task {task} is done", err=True)


@leads_app.command("deadline")
def leads_deadline(
    lead: Lead, at: Annotated[str, typer.Argument(help="ISO 8601; - for no deadline.")], login: Login
) -> None:
    """Set by when a lead must go on."""
    from service.commands.lead import set_deadline

    run(set_deadline(settled(), lead, None if at == "-" else moment("AT", at), login))
    typer.echo(f"lead {lead} has {'no deadline' if at == '-' else f'its deadline at {at}'}", err=True)


@leads_app.command("fields")
def leads_fields(
    lead: Lead,
    fields: Annotated[list[str], typer.Argument(help="name=value; nothing after = takes the field away.")],
    login: Login,
) -> None:
    """Write the house's own fields of a lead; the others stay."""
    from service.commands.lead import set_fields

    run(set_fields(settled(), lead, named("FIELDS", fields), login))
    typer.echo(f"the fields of lead {lead} are written", err=True)
