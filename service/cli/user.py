"""`switchhook user`: logins, their passwords and their API tokens."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from service.cli.terminal import Json, many, run, settled, tell

user_app = typer.Typer(no_args_is_help=True, help="Logins and API tokens.")

Role = Literal["manager", "head", "operator", "admin"]


@user_app.command("add")
def user_add(
    login: Annotated[str, typer.Argument()],
    role: Annotated[Role, typer.Option()] = "manager",
    person: Annotated[str | None, typer.Option(help="The person of the directory who logs in so.")] = None,
) -> None:
    """Add a login; asks for the password (or reads a line from stdin)."""
    from service.commands.one_shot import add_user

    run(add_user(settled(), login, role, person, _password()))
    typer.echo(f"{login} may log in", err=True)


@user_app.command("passwd")
def user_passwd(login: Annotated[str, typer.Argument()]) -> None:
    """Set a new password."""
    from service.commands.one_shot import set_password

    run(set_password(settled(), login, _password()))
    typer.echo(f"the password of {login} is changed", err=True)


@user_app.command("list")
def user_list(as_json: Json = False) -> None:
    """Tell every login: role, person, whether it is disabled, open sessions, living tokens."""
    from service.commands.one_shot import list_users

    tell(list_users(settled()), as_json=as_json)


@user_app.command("disable")
def user_disable(login: Annotated[str, typer.Argument()]) -> None:
    """Shut a login out: its sessions and streams end, its tokens are revoked."""
    from service.commands.one_shot import disable_user

    run(disable_user(settled(), login))
    typer.echo(f"{login} is disabled", err=True)


@user_app.command("enable")
def user_enable(login: Annotated[str, typer.Argument()]) -> None:
    """Let a login in again, with its old password and without its old tokens."""
    from service.commands.one_shot import enable_user

    run(enable_user(settled(), login))
    typer.echo(f"{login} may log in", err=True)


@user_app.command("token")
def user_token(
    login: Annotated[str, typer.Argument()],
    name: Annotated[str, typer.Option()] = "api",
    days: Annotated[int | None, typer.Option(help="It ends after so many days; never when left out.")] = None,
    scope: Annotated[Literal["all", "read"], typer.Option(help="All that the login may do, or reading alone.")] = "all",
) -> None:
    """Make an API token that acts as this login; it is shown once."""
    from service.commands.one_shot import make_token

    typer.echo(run(make_token(settled(), login, name, days, scope)))


@user_app.command("revoke")
def user_revoke(login: Annotated[str, typer.Argument()], name: Annotated[str, typer.Argument()]) -> None:
    """End the API tokens of that name."""
    from service.commands.one_shot import revoke_token

    typer.echo(f"{many(run(revoke_token(settled(), login, name)), 'token')} revoked", err=True)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")
