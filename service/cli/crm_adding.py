"""`switchhook crm add KIND`: a command for each kind that can be connected, with the options that it needs."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from service.cli.terminal import moment, refuse, run, settled

if TYPE_CHECKING:
    from crm_sync.asking import Field
    from crm_sync.workplace import Kind

ENVIRONMENT: Final = "SWITCHHOOK_CRM_"
SINCE: Final = "Tell also what happened since then, ISO 8601; nothing before now when left out."
_BACK, _EVENTS = "https://YOUR-ADDRESS/crm/KEY/oauth", "https://YOUR-ADDRESS/crm/KEY/events"
_NO: Final = Parameter.empty


class KindsGroup(TyperGroup):
    """The commands that are written out, and one for every other kind."""

    def list_commands(self, ctx: Any) -> list[str]:
        """See click."""
        from crm_sync.kinds import KINDS

        return [*super().list_commands(ctx), *(name for name in KINDS if name not in self.commands)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """See click."""
        known = super().get_command(ctx, cmd_name)
        if known is not None:
            return known
        from crm_sync.kinds import KINDS

        kind = KINDS.get(cmd_name)
        return command_of(kind) if kind is not None else None


def command_of(kind: Kind) -> Any:
    """`switchhook crm add KIND KEY`: an option for each setting; secrets are never in the command."""
    parameters: dict[str, tuple[Any, Any]] = {
        "key": (Annotated[str, typer.Argument(help="The connection's name: a-z, 0-9, - and _.")], _NO)
    }
    for field in kind.fields:
        if field.control == "secret":
            continue
        of: Any = {"flag": bool | None, "pairs": list[str] | None, "list": list[str] | None}.get(field.control)
        told = typer.Option(help=_help(field), show_default=False)
        parameters[field.name] = (
            (Annotated[str, told], _NO) if field.required else (Annotated[of or str | None, told], None)
        )
    told = typer.Option(help="A TOML file with the secrets; else the environment, else they are asked for.")
    parameters["secrets_file"] = (Annotated[str | None, told], None)
    parameters["link_days"] = (Annotated[int, typer.Option(help="For so long links to recordings open.")], 30)
    parameters["since"] = (Annotated[str | None, typer.Option(help=SINCE)], None)
    told = typer.Option("--shadow", help="Show what would be sent, and send nothing.")
    parameters["shadow"] = (Annotated[bool, told], False)
    told = typer.Option("--probe/--no-probe", help="Ask it first whether it lets us in.")
    parameters["probe"] = (Annotated[bool, told], True)
    work: Any = partial(_add, kind)
    work.__signature__ = Signature(
        [Parameter(name, Parameter.KEYWORD_ONLY, default=one[1], annotation=one[0]) for name, one in parameters.items()]
    )
    work.__annotations__ = {name: one[0] for name, one in parameters.items()}
    work.__name__ = kind.name
    app = typer.Typer(add_completion=False)
    guide = [line.replace("{back}", _BACK).replace("{events}", _EVENTS) for _, line in kind.guide.lines]
    secrets = (f"Secret {field.name}: {_help(field)}" for field in kind.fields if field.control == "secret")
    text = "\n\n".join((f"Connect {kind.title}.", *guide, *filter(None, [kind.guide.hearing[1]]), *secrets))
    app.command(kind.name, help=text, no_args_is_help=True)(work)
    return typer.main.get_command(app)


def _help(field: Field) -> str:
    """What an option is, in a line."""
    ask = field.ask
    name = ask.label[1] if ask.label[1] != field.name else ""
    # Not in brackets: the terminal takes a word in them for a colour.
    usual = f"Default: {field.default}" if field.default else f"As in {ask.example}" if ask.example else ""
    shape = "NAME=VALUE" if field.control == "pairs" else ", ".join(field.choices)
    return ". ".join(part.rstrip(".") for part in (name, ask.help[1], shape, usual) if part)


def _add(kind: Kind, **given: Any) -> None:
    from service.crm.setup import Wanted, add

    key, shadow, since = given.pop("key"), given.pop("shadow"), given.pop("since")
    file, link_days, probe = given.pop("secrets_file"), given.pop("link_days"), given.pop("probe")
    wanted = Wanted(
        kind=kind.name,
        key=key,
        settings=given,
        secrets=secrets_of(kind, file),
        link_days=link_days,
        since=moment("--since", since) if since else None,
        shadow=shadow,
        probe=probe,
    )
    run(add(settled(), wanted, lambda line: typer.echo(line, err=True)))
    typer.echo(
        f"{key} is {'shown' if shadow else 'told'} what happens from now on{', and since then' if since else ''}",
        err=True,
    )


def secrets_of(kind: Kind, file: str | None) -> dict[str, str]:
    """What the kind calls secrets: from the file, else `SWITCHHOOK_CRM_NAME`, else asked for at the terminal."""
    written = _written(kind, file) if file is not None else {}
    told: dict[str, str] = {}
    for field in kind.fields:
        name = field.name
        if field.control != "secret":
            continue
        value = written.get(name, os.environ.get(f"{ENVIRONMENT}{name.upper()}"))
        if value is None and file is None and sys.stdin.isatty():
            value = typer.prompt(f"{name}: {_help(field)}", hide_input=True, default="", show_default=False)
        told[name] = value or ""
    return told


def _written(kind: Kind, file: str) -> Mapping[str, str]:
    try:
        told = tomllib.loads(Path(file).read_text())
    except OSError as error:
        refuse(f"--secrets-file: {error.strerror}: {file}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        refuse("--secrets-file: is no TOML")  # not what is wrong: the words may be a secret
    for name, value in told.items():
        if name not in kind.secrets:
            refuse(f"--secrets-file: must name {', '.join(kind.secrets)}, got {name!r}")
        if not isinstance(value, str):
            refuse(f"--secrets-file: {name} must be text")
    return told
