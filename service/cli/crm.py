"""`switchhook crm`: who is told of what happens, what each was told, and what none took."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.crm_adding import SINCE, KindsGroup
from service.cli.terminal import Json, many, moment, run, settled, tell

crm_app = typer.Typer(no_args_is_help=True, help="Connections to CRMs, and the ledger of what they are told.")
add_app = typer.Typer(cls=KindsGroup, no_args_is_help=True, help="Connect a CRM.")
crm_app.add_typer(add_app, name="add")

Key = Annotated[str, typer.Argument(help="The connection's name: a-z, 0-9, - and _.")]


@add_app.command("webhook")
def add_webhook(
    key: Key,
    url: Annotated[str, typer.Argument(help="Where events are sent.")],
    event: Annotated[list[str] | None, typer.Option(help="Only these; all but message when left out.")] = None,
    shadow: Annotated[bool, typer.Option("--shadow", help="Show what would be sent, and send nothing.")] = False,
    link_days: Annotated[int, typer.Option(help="For so long links to recordings open.")] = 30,
    since: Annotated[str | None, typer.Option(help=SINCE)] = None,
    probe: Annotated[bool, typer.Option("--probe/--no-probe", help="Send a ping first, which must be taken.")] = True,
) -> None:
    """Send signed webhooks to an address; prints the secret to verify them with, once."""
    from service.commands.crm import add_webhook as work

    given = event or []
    then = moment("--since", since) if since else None
    told = work(settled(), key, url, given, shadow=shadow, link_days=link_days, probe=probe and not shadow, since=then)
    typer.echo(run(told))
    typer.echo(f"{key} is told what happens from now on{', and since then' if since else ''}", err=True)


@crm_app.command("check")
def crm_check(key: Key) -> None:
    """Ask a connection how it is and who works there; tells what is missing."""
    from service.crm.setup import check

    run(check(settled(), key, typer.echo))


@crm_app.command("grant")
def crm_grant(key: Key) -> None:
    """Agree anew, on the CRM's page, that we come in; a connection that stopped for want of it goes on."""
    from service.crm.setup import grant

    run(grant(settled(), key, lambda line: typer.echo(line, err=True)))


@crm_app.command("users")
def crm_users(key: Key, as_json: Json = False) -> None:
    """Tell who works there and who that is here, and who here is nobody there."""
    from service.crm.setup import list_users

    tell(list_users(settled(), key), as_json=as_json)


@crm_app.command("pair")
def crm_pair(
    key: Key,
    user: Annotated[str, typer.Argument(help="What the CRM calls them.")],
    person: Annotated[
        str | None, typer.Argument(help="Who that is here; whoever has their extension when left out.")
    ] = None,
) -> None:
    """Say who a user of the CRM is."""
    from service.crm.setup import pair

    run(pair(settled(), key, user, person))
    typer.echo(f"{user} is {person or 'whoever has their extension'}", err=True)


@crm_app.command("secret")
def crm_secret(
    key: Key,
    url: Annotated[
        str | None, typer.Option(help="A webhook's new address; required after SWITCHHOOK_SECRET_KEY was lost.")
    ] = None,
    secrets_file: Annotated[str | None, typer.Option(help="A TOML file with the new secrets of another CRM.")] = None,
) -> None:
    """Make a webhook's new secret and print it; the last one signs too, until the next is made.

    Of another CRM take new secrets, as `add` does; those that are not told stay.
    """
    from crm_sync.kinds import KINDS
    from service.cli.crm_adding import secrets_of
    from service.commands.crm import new_secret
    from service.crm.setup import kind_of, renew

    kind = run(kind_of(settled(), key))
    if kind == "webhook":
        typer.echo(run(new_secret(settled(), key, url)))
        return
    run(renew(settled(), key, secrets_of(KINDS[kind], secrets_file), lambda line: typer.echo(line, err=True)))
    typer.echo(f"{key} has new secrets", err=True)


@crm_app.command("list")
def crm_list(as_json: Json = False) -> None:
    """Tell every connection: state, and how much was told, waits, or was given up."""
    from service.commands.crm import list_connections

    tell(list_connections(settled()), as_json=as_json)


@crm_app.command("effects")
def crm_effects(
    key: Key,
    state: Annotated[str | None, typer.Option(help="Only planned, sent, unknown, done, dead or shadow.")] = None,
    as_json: Json = False,
) -> None:
    """Tell what a connection was told, the newest first: state, attempts, and what it answered."""
    from service.commands.crm import list_effects

    tell(list_effects(settled(), key, state), as_json=as_json)


@crm_app.command("retry")
def crm_retry(
    key: Key,
    effect: Annotated[
        str | None, typer.Argument(help="One effect, also a done one; all dead ones when left out.")
    ] = None,
) -> None:
    """Send dead letters again, under the same id."""
    from service.commands.crm import retry

    typer.echo(f"{many(run(retry(settled(), key, effect)), 'effect')} on the way again", err=True)


@crm_app.command("discard")
def crm_discard(
    key: Key, effect: Annotated[str, typer.Argument(help="A dead letter's id, or all of them: all.")]
) -> None:
    """Give dead letters up for good: what they were to tell is forgotten."""
    from service.commands.crm import discard

    typer.echo(f"{many(run(discard(settled(), key, effect)), 'effect')} discarded", err=True)


@crm_app.command("remove")
def crm_remove(key: Key) -> None:
    """Forget a connection with all that it was told; the links to recordings that were made for it end."""
    from service.crm.setup import remove

    run(remove(settled(), key))
    typer.echo(f"{key} is removed", err=True)


@crm_app.command("stop")
def crm_stop(key: Key) -> None:
    """Send nothing more; what is planned stays planned, and what happens from now on is not."""
    from service.commands.crm import switch

    run(switch(settled(), key, "stopped"))
    typer.echo(f"{key} is stopped", err=True)


@crm_app.command("start")
def crm_start(
    key: Key,
    shadow: Annotated[bool, typer.Option("--shadow", help="Show what would be sent, and send nothing.")] = False,
) -> None:
    """Send again, first what is planned; also after the other side had ended it."""
    from service.commands.crm import switch

    count = run(switch(settled(), key, "shadow" if shadow else "active"))
    typer.echo(f"{key} is {'in shadow' if shadow else 'started'}, {many(count, 'effect')} on the way", err=True)
