"""`switchhook backup` and `switchhook restore`: copies of all that must be kept, and the way back."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from service.cli.terminal import Json, many, refuse, run, settled

Folder = Annotated[Path, typer.Argument(help="The folder of one backup.")]


def backup(
    to: Annotated[Path | None, typer.Option(help="Put it there; data_dir/backups when left out.")] = None,
    keep: Annotated[int | None, typer.Option(help="Then keep only so many there, the newest.", min=1)] = None,
    with_recordings: Annotated[
        bool, typer.Option("--with-recordings", help="Copy the sound too; else it is only listed, with its sums.")
    ] = False,
    verify: Annotated[
        Path | None, typer.Option(help="Make none: restore this one into an empty server of its own, and compare.")
    ] = None,
    by_other_means: Annotated[
        bool, typer.Option("--by-other-means", help="Make none: note that the server was copied by its own tools.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Back up the database, the directory and the list of recordings, while the service runs.

    Prints the folder. Exit 1: it is whole, but for recordings that could not be copied. The secret key is not in it.
    """
    from service.backups.folder import RECORDINGS
    from service.backups.making import back_up, note_other
    from service.backups.verifying import verify as try_out

    settings = settled()
    if by_other_means:
        run(note_other(settings))
        typer.echo("noted that a backup was made", err=True)
        return
    if verify is not None:
        manifest = run(try_out(verify))
        typer.echo(json.dumps(msgspec.to_builtins(manifest)) if as_json else str(verify))
        told = f"{many(len(manifest.rows), 'table')}, {many(sum(manifest.rows.values()), 'row')}"
        typer.echo(f"restored and compared: {told}{', every recording' if manifest.copied else ''}", err=True)
        return
    made = run(back_up(settings, to or settings.data_dir / "backups", keep=keep, recordings=with_recordings))
    told_whole: dict[str, Any] = msgspec.to_builtins(made.manifest)
    told_whole |= {"folder": str(made.folder), "missing": made.missing}
    typer.echo(json.dumps(told_whole) if as_json else str(made.folder))
    how = "copied" if made.manifest.copied else "listed, not copied"
    typer.echo(
        f"{many(made.manifest.objects, 'object')} of {RECORDINGS} {how}, {len(made.removed)} old removed", err=True
    )
    for path in made.missing:
        typer.echo(f"missing or damaged in the store: {path}", err=True)
    raise typer.Exit(1 if made.missing else 0)


def restore(
    backup: Folder,
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up what is in the database; without it only an empty one is taken.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring a backup back into the database of the settings, all or nothing, and recordings into the store.

    Exit 1: the database is restored, and recordings are missing, which are told.
    """
    from service.backups.restoring import restore as work

    if not backup.is_dir():
        refuse(f"{backup}: is no folder of a backup")
    done = run(work(settled(), backup, replace=replace))
    at = done.manifest.made_at.isoformat(timespec="seconds")
    if as_json:
        told = {"made_at": at, "brought": done.brought, "missing": done.missing, "doubted": done.doubted}
        typer.echo(json.dumps(told | msgspec.to_builtins(done.access)))
    else:
        typer.echo("".join(f"missing: {path}\n" for path in done.missing), nl=False)
    typer.echo(f"the database is as it was at {at}", err=True)
    typer.echo(f"{many(done.brought, 'object')} of recordings brought back, {len(done.missing)} missing", err=True)
    typer.echo(f"{many(done.doubted, 'effect')} will be asked back from CRMs before being told", err=True)
    typer.echo(f"{many(done.access.sessions_ended, 'session')} ended: everybody logs in anew", err=True)
    opens = f"{many(done.access.logins, 'login')} and {many(done.access.tokens, 'API token')}"
    typer.echo(f"{opens} are as they were then: look them through, page Admin, Users (switchhook user list)", err=True)
    typer.echo(
        f"once the service runs: switchhook catch-up --from {at} --to {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", err=True
    )
    raise typer.Exit(1 if done.missing else 0)
