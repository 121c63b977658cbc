"""`switchhook wallboard`: links at which a screen on a wall shows the wallboard without a login."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from service.cli.terminal import Json, run, settled, tell

wallboard_app = typer.Typer(no_args_is_help=True, help="Links of screens that show the wallboard.")


@wallboard_app.command("link")
def wallboard_link(
    label: Annotated[str, typer.Argument(help="Which screen it is for.")],
    team: Annotated[str | None, typer.Option(help="The team that it shows; the whole house when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Make a link; its address is shown once, and opens nothing but the wallboard."""
    from service.commands.wallboard import make_link

    told = run(make_link(settled(), label, team))
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else told["path"])


@wallboard_app.command("list")
def wallboard_list(as_json: Json = False) -> None:
    """Tell the links that open something, and when a screen came last."""
    from service.commands.wallboard import list_links

    tell(list_links(settled()), as_json=as_json)


@wallboard_app.command("revoke")
def wallboard_revoke(link: Annotated[int, typer.Argument(help="Its number.", min=1, max=2**63 - 1)]) -> None:
    """End a link; its screen shows nothing any more within seconds."""
    from service.commands.wallboard import revoke_link

    run(revoke_link(settled(), link))
    typer.echo(f"wallboard link {link} is revoked", err=True)
