"""`switchhook parties`: who is behind a number, and what people write of them."""

from __future__ import annotations

from typing import Annotated

import typer

from service.cli.terminal import Json, run, settled, tell

parties_app = typer.Typer(no_args_is_help=True, help="People outside: their numbers, names, leads and merges.")

Who = Annotated[str, typer.Argument(metavar="PARTY", help="A party's id, or one of its numbers.")]
Id = Annotated[int, typer.Argument(metavar="ID", help="A party's id.", min=1)]
By = Annotated[str, typer.Option("--by", help="The key of the person who decides so.")]


@parties_app.command("show")
def show(party: Who, as_json: Json = False) -> None:
    """Tell a party's name, numbers, leads, and every merge it was part of."""
    from service.commands.parties import show_party

    tell(show_party(settled(), party), as_json=as_json)


@parties_app.command("merge")
def merge(
    kept: Id,
    gone: Annotated[int, typer.Option("--with", help="The id of the party that becomes part of it.", min=1)],
    by: By,
) -> None:
    """Make two parties one; what moves is written down and can be given back."""
    from service.commands.parties import merge_parties

    run(merge_parties(settled(), kept, gone, by))
    typer.echo(f"party {gone} is part of party {kept} now", err=True)


@parties_app.command("unmerge")
def unmerge(gone: Id, by: By) -> None:
    """Make a party that was merged one of its own again, with all that is still there of it."""
    from service.commands.parties import unmerge_party

    kept = run(unmerge_party(settled(), gone, by))
    typer.echo(f"party {gone} is no part of party {kept} any more", err=True)


@parties_app.command("add-number")
def add_number(party: Id, number: Annotated[str, typer.Argument(help="In any usual form.")]) -> None:
    """Note another number of a party."""
    from service.commands.parties import add_party_number

    typer.echo(run(add_party_number(settled(), party, number)))


@parties_app.command("rename")
def rename(party: Id, name: Annotated[str, typer.Argument(help="Empty: nobody knows it.")]) -> None:
    """Write a party's name."""
    from service.commands.parties import rename_party

    run(rename_party(settled(), party, name))
