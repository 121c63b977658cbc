"""`switchhook jobs`: what the job queue holds, and another try for what was given up."""

from __future__ import annotations

import json
from typing import Annotated, Literal

import typer

from service.cli.terminal import Json, many, refuse, run, settled, tell

State = Literal["waiting", "running", "given_up"]
_ID_MOST = 2**63 - 1


def jobs(
    queue: Annotated[list[str] | None, typer.Option(help="Only these queues.")] = None,
    state: Annotated[State | None, typer.Option(help="Only jobs that wait, run, or were given up.")] = None,
    most: Annotated[int, typer.Option(help="So many jobs at most.", min=1, max=10_000)] = 100,
    retry: Annotated[str | None, typer.Option(metavar="ID|all", help="Try again what was given up.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what the job queue holds, by queue: how much waits, runs and was given up, and which jobs these are.

    Exit 1 when any was given up. With --retry exit 0: they wait again; the worker's log tells why they were given up.
    """
    from service.commands.jobs import tell_jobs, try_jobs_again

    if retry is None:
        told = tell(tell_jobs(settled(), queue or [], [state] if state else [], most), as_json=as_json)
        raise typer.Exit(1 if any(one["given_up"] for one in told["queues"]) else 0)
    if state:
        refuse(f"--state: is not for --retry, got {state!r}")
    job = int(retry) if retry.isascii() and retry.isdigit() and int(retry) <= _ID_MOST else None
    if job is None and retry != "all":
        refuse(f"--retry: must be a job's id or all, got {retry!r}")
    again = run(try_jobs_again(settled(), queue or [], job))
    if as_json:
        typer.echo(json.dumps(again))
        return
    typer.echo(f"{many(len(again['retried']), 'job')} will run again")
    if again["waits_already"]:
        typer.echo(f"left as they are, the same work waits already: {again['waits_already']}", err=True)
