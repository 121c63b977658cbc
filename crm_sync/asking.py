"""How a person is asked for what a connection needs, at the terminal and on the page, and what is wrong with it.

A kind's struct of settings says what may be told; its `Guide` says in which words it is asked for. One without words is
asked for by its name, so a new kind can be connected by its struct alone. Pure; texts are (Russian, English).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec
from msgspec import NODEFAULT, Struct, inspect
from msgspec.structs import FieldInfo
from msgspec.structs import fields as fields_of_struct

Words = tuple[str, str]
"""A text for people: in Russian, in English."""

Control = Literal["text", "number", "flag", "choice", "pairs", "list", "secret"]

NO_WORDS: Final[Words] = ("", "")
LANGUAGES: Final = ("ru", "en")

FAULTS: Final[Mapping[str, Words]] = {
    "required": ("нужно заполнить", "is required"),
    "way": ("нужно заполнить: {way}", "is required: {way}"),
    "number": ("нужно число", "must be a number, got {got}"),
    "choice": ("должно быть одно из: {choices}", "must be one of {choices}, got {got}"),
    "pairs": ("каждая строка — ИМЯ=ЗНАЧЕНИЕ", "must be NAME=VALUE, got {got}"),
    "fits_not": ("не подходит; например: {example}", "does not fit: {why}"),
    "key": ("от 1 до 40 знаков: a–z, 0–9, - и _", "must be 1 to 40 of a-z, 0-9, - and _, got {got}"),
    "kept": ("это имя занято страницами; возьмите другое", "is a name of our own pages, take another than {got}"),
    "taken": ("такое подключение уже есть", "there is a connection {got} already"),
    "short": ("не короче {least} знаков", "must have at least {least} characters, got {got}"),
    "address": (
        "нужен адрес http:// или https:// с именем узла, без логина и без #",
        "must be http:// or https:// with a host, without user or fragment",
    ),
    "plain": (
        "нужен адрес https://; по http:// можно только в сети, названные в настройке crm.networks",
        "must begin with https://, unless it leads into crm.networks",
    ),
    "inside": (
        "адрес ведёт во внутреннюю сеть, не названную в настройке crm.networks",
        "leads into a network that crm.networks does not name",
    ),
    "days": ("от 1 до {most}", "must be 1 to {most}, got {got}"),
    "time": ("нужны дата и время", "must be a time, got {got}"),
    "future": ("не позже, чем сейчас", "must not be later than now, got {got}"),
    "events": ("нужно хотя бы одно событие", "at least one event has to be named"),
    "event": ("нет такого события", "must be one of {choices}, got {got}"),
    "person": ("такого человека в справочнике нет", "there is nobody {got} in the directory"),
    "twice": ("один человек выбран у нескольких: {got}", "is chosen for several users: {got}"),
    "confirm": ("впишите имя подключения, как оно стоит в заголовке", "must repeat the connection's name"),
}
"""What can be wrong with what a person told, by key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """How a person is asked for one setting or secret. `example` is a value that would do.

    `rare`: most leave it as it is, so it stands apart. `choices`: what the values of a choice are called. `in_sight`: a
    secret that is read while it is written, as an address is.
    """

    label: Words
    help: Words = NO_WORDS
    example: str = ""
    rare: bool = False
    in_sight: bool = False
    choices: Mapping[str, Words] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of several ways to be let in: the settings and secrets it needs. `consents`: a person agrees there, too."""

    title: Words
    names: tuple[str, ...]
    consents: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """What a person who connects a CRM is told and asked.

    `about` says in a line what comes of it. `lines` are what to do on the other side; `{back}` and `{events}` in them
    are the addresses where a person is sent back to and where is heard what happens there. `hearing` says where the
    latter is told to the CRM, empty where that happens by itself. `asks`: by the name of the setting or secret. `ways`:
    when not all of them are needed. `todo`: what to do about what a probe misses, by the beginning of its name.
    """

    about: Words = NO_WORDS
    lines: tuple[Words, ...] = ()
    hearing: Words = NO_WORDS
    asks: Mapping[str, Ask] = field(default_factory=dict)
    ways: tuple[Way, ...] = ()
    todo: Mapping[str, Words] = field(default_factory=dict)

    def remedy(self, missing: str) -> Words | None:
        """What to do about something that a probe misses; the longest beginning that fits says it."""
        fits = [start for start in self.todo if missing.startswith(start)]
        return self.todo[max(fits, key=len)] if fits else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the form: `default` is what holds when it is left empty, as it would be written."""

    name: str
    ask: Ask
    control: Control
    required: bool = False
    default: str = ""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field: `why` is of `FAULTS`, `values` what it names. No secret is ever in it."""

    name: str
    why: str
    values: Mapping[str, str] = field(default_factory=dict)

    def said(self, language: str) -> str:
        """In words, without the name of the field."""
        return FAULTS[self.why][LANGUAGES.index(language)].format(**self.values)


class Faults(ValueError):
    """What a person told cannot be; nothing was changed. `told` are all that is wrong."""

    def __init__(self, *told: Fault) -> None:
        super().__init__("; ".join(f"{one.name}: {one.said('en')}" for one in told))
        self.told = told


def settings_asked(struct: type[Struct], guide: Guide, unasked: Iterable[str] = ()) -> list[Field]:
    """A field for each setting of a kind, in the struct's order."""
    return [_field(one, guide) for one in fields_of_struct(struct) if one.name not in set(unasked)]


def secrets_asked(names: Iterable[str], guide: Guide, required: Iterable[str] = ()) -> list[Field]:
    """A field for each secret of a kind."""
    needed = set(required)
    return [
        Field(name=name, ask=_ask(name, guide), control="secret", required=name in needed, default="") for name in names
    ]


def read_settings(struct: type[Struct], guide: Guide, told: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are kept, of what was told: texts, lists of texts, truth values; what is empty is left out.

    Raises Faults.
    """
    given: dict[str, Any] = {}
    faults: list[Fault] = []
    for one in fields_of_struct(struct):
        value = told.get(one.name)
        if value is None or value in ("", []):
            if one.required:
                faults.append(Fault(one.name, "required"))
            continue
        try:
            given[one.name] = _read(one, guide, value)
        except Faults as wrong:
            faults += wrong.told
    if faults:
        raise Faults(*faults)
    try:
        kept: dict[str, Any] = msgspec.to_builtins(msgspec.convert(given, struct))
    except msgspec.ValidationError as error:
        raise Faults(_own(struct, guide, str(error))) from None
    return kept


def missing_way(guide: Guide, given: Iterable[str]) -> Fault | None:
    """What the ways lack, at what the nearest of them lacks first; None: one is whole, or there are none."""
    have = set(given)
    lacks = [[name for name in way.names if name not in have] for way in guide.ways]
    if not lacks or not all(lacks):
        return None
    nearest = min(range(len(lacks)), key=lambda number: len(lacks[number]) / len(guide.ways[number].names))
    ways = " / ".join(", ".join(names) for names in [lacks[nearest], *lacks[:nearest], *lacks[nearest + 1 :]])
    return Fault(lacks[nearest][0], "way", {"way": ways})


def needs_consent(guide: Guide, given: Iterable[str]) -> bool:
    """Whether a person has to agree on the CRM's page: none of the ways that need nobody is whole."""
    have = set(given)
    return not any(not way.consents and have.issuperset(way.names) for way in guide.ways)


def written(control: Control, value: Any) -> str:
    """A setting as a person would write it into its field."""
    if value is None:
        return ""
    if control == "flag":
        return "true" if value else "false"
    if control == "pairs":
        return "\n".join(f"{name}={one}" for name, one in value.items())
    if control == "list":
        return "\n".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _field(one: FieldInfo, guide: Guide) -> Field:
    control, choices = _control(one)
    default = None if one.default is NODEFAULT else one.default
    return Field(
        name=one.name,
        ask=_ask(one.name, guide),
        control=control,
        required=one.required,
        default=written(control, default) if control not in {"pairs", "list"} else "",
        choices=choices,
    )


def _control(one: FieldInfo) -> tuple[Control, tuple[str, ...]]:
    kind = inspect.type_info(one.type)
    if isinstance(kind, inspect.UnionType):
        kind = next(it for it in kind.types if not isinstance(it, inspect.NoneType))
    if isinstance(kind, inspect.Metadata):
        kind = kind.type
    controls: tuple[tuple[type[inspect.Type], Control], ...] = (
        (inspect.BoolType, "flag"),
        (inspect.IntType, "number"),
        (inspect.FloatType, "number"),
        (inspect.DictType, "pairs"),
        (inspect.ListType, "list"),
        (inspect.VarTupleType, "list"),
    )
    if isinstance(kind, inspect.LiteralType):
        return "choice", tuple(map(str, kind.values))
    return next((control for of, control in controls if isinstance(kind, of)), "text"), ()


def _ask(name: str, guide: Guide) -> Ask:
    return guide.asks.get(name) or Ask(label=(name, name))


def _read(one: FieldInfo, guide: Guide, value: Any) -> Any:
    control, choices = _control(one)
    if control == "pairs" and not isinstance(value, Mapping):
        value = _pairs(one.name, value)
    try:
        return msgspec.to_builtins(msgspec.convert(value, one.type, strict=False))
    except msgspec.ValidationError as error:
        got = {"got": repr(value), "choices": ", ".join(choices)}
        if control in {"number", "choice"}:
            raise Faults(Fault(one.name, control, got)) from None
        why = f"{error}".partition(" - at `$")[0]
        raise Faults(Fault(one.name, "fits_not", {"why": why, "example": _ask(one.name, guide).example})) from None


def _pairs(name: str, told: str | Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for line in filter(str.strip, told.splitlines() if isinstance(told, str) else told):
        left, equals, right = (part.strip() for part in line.partition("="))
        if not equals or not left:
            raise Faults(Fault(name, "pairs", {"got": repr(line)}))
        pairs[left] = right
    return pairs


def _own(struct: type[Struct], guide: Guide, told: str) -> Fault:
    """What a struct's own check says: it begins with the name of the field."""
    name, colon, why = told.partition(": ")
    name = name if colon and any(one.name == name for one in fields_of_struct(struct)) else ""
    return Fault(name, "fits_not", {"why": why if name else told, "example": _ask(name, guide).example})
