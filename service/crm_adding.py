"""`switchhook crm add KIND`: a command for each kind that can be connected, with the options that it needs."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Mapping
from functools import partial
from inspect import Parameter, Signature, cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from typer.core import TyperGroup

from service.terminal import refuse, run, settled

if TYPE_CHECKING:
    from crm_sync.workplace import Kind

ENVIRONMENT: Final = "SWITCHHOOK_CRM_"
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
    from msgspec import NODEFAULT
    from msgspec.structs import fields

    parameters: dict[str, tuple[Any, Any]] = {
        "key": (Annotated[str, typer.Argument(help="The connection's name: a-z, 0-9, - and _.")], _NO)
    }
    for field in fields(kind.settings):
        required = field.default is NODEFAULT and field.default_factory is NODEFAULT
        paired = field.default_factory is dict
        listed = isinstance(field.default, tuple) or field.default_factory in {list, tuple, dict}
        of: Any = bool | None if isinstance(field.default, bool) else list[str] | None if listed else str | None
        # Not in brackets: the terminal takes a word in them for a colour.
        usual = "" if required or listed or field.default in {None, ""} else f"default: {field.default}"
        told = typer.Option(help="NAME=VALUE" if paired else usual, show_default=False)
        parameters[field.name] = (Annotated[str, told], _NO) if required else (Annotated[of, told], None)
    told = typer.Option(help="A TOML file with the secrets; else the environment, else they are asked for.")
    parameters["secrets_file"] = (Annotated[str | None, told], None)
    parameters["link_days"] = (Annotated[int, typer.Option(help="For so long links to recordings open.")], 30)
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
    secrets = (f"Secret {name}: {what}" for name, what in kind.secrets.items())
    about = cleandoc(kind.settings.__doc__ or "")
    text = "\n\n".join((f"Connect {kind.title}.", *kind.guide, about, *secrets))
    app.command(kind.name, help=text, no_args_is_help=True)(work)
    return typer.main.get_command(app)


def _add(kind: Kind, **given: Any) -> None:
    from service.crm_setup import Wanted, add

    key, shadow = given.pop("key"), given.pop("shadow")
    file, link_days, probe = given.pop("secrets_file"), given.pop("link_days"), given.pop("probe")
    wanted = Wanted(
        kind=kind.name,
        key=key,
        settings={name: _value(kind, name, value) for name, value in given.items() if value is not None},
        secrets=secrets_of(kind, file),
        link_days=link_days,
        shadow=shadow,
        probe=probe,
    )
    run(add(settled(), wanted, lambda line: typer.echo(line, err=True)))
    typer.echo(f"{key} is {'shown' if shadow else 'told'} what happens from now on", err=True)


def _value(kind: Kind, name: str, value: Any) -> Any:
    """What an option tells: of a mapping its pairs."""
    from msgspec.structs import fields

    field = next(one for one in fields(kind.settings) if one.name == name)
    if field.default_factory is not dict:
        return value
    pairs = [one.partition("=") for one in value]
    if wrong := next((one for one, is_pair, _ in pairs if not is_pair), None):
        refuse(f"--{name.replace('_', '-')}: must be NAME=VALUE, got {wrong!r}")
    return {one: told for one, _, told in pairs}


def secrets_of(kind: Kind, file: str | None) -> dict[str, str]:
    """What the kind calls secrets: from the file, else `SWITCHHOOK_CRM_NAME`, else asked for at the terminal."""
    written = _written(kind, file) if file is not None else {}
    told: dict[str, str] = {}
    for name, what in kind.secrets.items():
        value = written.get(name, os.environ.get(f"{ENVIRONMENT}{name.upper()}"))
        if value is None and file is None and sys.stdin.isatty():
            value = typer.prompt(f"{name}: {what}", hide_input=True, default="", show_default=False)
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
