"""`switchhook erase`, `switchhook retention` and `switchhook hold`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from service.cli.terminal import Json, many, refuse, run, settled

hold_app = typer.Typer(no_args_is_help=True, help="What the law holds: nothing of it is removed.")

links_app = typer.Typer(no_args_is_help=True, help="Signed links to recordings.")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would go; change nothing.")]


def erase(
    numbers: Annotated[list[str], typer.Argument(metavar="NUMBER...", help="The person's numbers, as people write.")],
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Erase a person: their calls' sound and text, numbers, names, leads; calls stay as statistics. Cannot be undone.

    Exit 0 when all is done, 1 when something waits (a call that goes on): a worker, or the same command, does the rest.
    """
    from service.commands.privacy import erase as work

    report = run(work(settled(), numbers, dry_run=dry_run))
    told = report.to_json()
    typer.echo(json.dumps(told, ensure_ascii=False) if as_json else _report_words(told))
    raise typer.Exit(1 if report.state == "going_on" else 0)


def retention(dry_run: DryRun = False, as_json: Json = False) -> None:
    """Remove now what the directory's `retention` no longer keeps; workers do so every hour."""
    from service.commands.privacy import retention as work

    told = run(work(settled(), dry_run=dry_run))
    if as_json:
        typer.echo(json.dumps(told, ensure_ascii=False))
    elif dry_run:
        lines = [f"{it['ended_at']}  {it['call']}  {it['status']}  {', '.join(it['removes'])}" for it in told["calls"]]
        typer.echo("\n".join([*lines, f"{many(len(lines), 'call')} would lose something; nothing was changed"]))
    else:
        typer.echo(_counts(told["went"]) or "nothing is past its days")


@hold_app.command("add")
def hold_add(
    reason: Annotated[str, typer.Option(help="Why, as for the file: a case's number.")],
    call: Annotated[str | None, typer.Option(help="The call's id, or a PBX's uniqueid.")] = None,
    number: Annotated[str | None, typer.Option(help="Everything of whoever has this number.")] = None,
) -> None:
    """Hold a call, or everything of a number."""
    from service.commands.privacy import add_hold

    if (call is None) == (number is None):
        refuse("--call or --number: one of them is required")
    typer.echo(f"hold {run(add_hold(settled(), call, number, reason))}")


@hold_app.command("remove")
def hold_remove(hold: Annotated[int, typer.Argument(metavar="ID", help="The hold's number in the list.")]) -> None:
    """Lift a hold: the policy and erasures apply again."""
    from service.commands.privacy import lift_hold

    run(lift_hold(settled(), hold))
    typer.echo(f"hold {hold} is lifted", err=True)


@hold_app.command("list")
def hold_list(as_json: Json = False) -> None:
    """Tell everything that is held, by whom and why."""
    from service.commands.privacy import list_holds

    found = run(list_holds(settled()))
    if as_json:
        typer.echo(json.dumps([one.to_json() for one in found], ensure_ascii=False))
        return
    lines = [
        f"{one.id:>5}  {one.set_at:%Y-%m-%d}  {one.set_by}  {f'call {one.call_id}' if one.call_id else one.number}"
        f"  {one.reason}"
        for one in found
    ]
    typer.echo("\n".join(lines) or "nothing is held")


@links_app.command("revoke")
def links_revoke(link: Annotated[int, typer.Argument(metavar="ID", help="The link's number.")]) -> None:
    """End a link at once."""
    from service.commands.privacy import revoke_link

    run(revoke_link(settled(), link))
    typer.echo(f"link {link} is revoked", err=True)


@links_app.command("rotate")
def links_rotate(
    end_links: Annotated[bool, typer.Option("--end-links", help="End every link that older keys signed.")] = False,
) -> None:
    """Sign with a new key from now on."""
    from service.commands.privacy import rotate_link_key

    typer.echo(f"{many(run(rotate_link_key(settled(), end_links=end_links)), 'link')} ended", err=True)


def _report_words(told: dict[str, Any]) -> str:
    heads = {"dry_run": "would go", "going_on": "went so far", "finished": "went"}
    name = f"erasure {told['erasure']}, {told['state']}" if told["erasure"] else "nothing was changed"
    lines = [name, f"{heads[told['state']]}: {_counts(told['went']) or 'nothing'}"]
    lines += [f"  call {one}" for one in told["calls"]]
    for one in told["stayed"]:
        more = ", ".join(f"{key} {value}" for key, value in one.items() if key not in {"what", "why"})
        lines.append(f"stays: {one['what']}{f' ({more})' if more else ''}: {one['why'].replace('_', ' ')}")
    return "\n".join(lines)


def _counts(went: dict[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in went.items() if count)
