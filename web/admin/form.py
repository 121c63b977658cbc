"""An entry of the directory as a form, and a form as an entry (pure).

A shape is an entry as a form shows it: mappings with free keys are lists of rows, a week has its days one by one, and
a destination of a rule says its kind beside what it names. Values are what the file says, or texts that were typed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from directory.hours import read_week, write_week
from directory.model import DAYS, NOTIFY
from directory.rules import DESTINATIONS
from web.admin.asked import FREELY, NOTHING, Ask, asks_of

ROWS_MOST: Final = 200
SPARE_ROWS: Final = 2
"""Empty rows of a table where there is nothing yet, to be filled in; behind others stands one."""

_DESTINATION: Final = re.compile(rf"(then\[\d+\])(?:\.({'|'.join(DESTINATIONS)}))?")
_SPLIT: Final = re.compile(r"[,;\n]")

Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """A field as it is shown: `value` as text, `chosen` of checks, `rows` of a table, `fault` beside it."""

    ask: Ask
    id: str
    value: str
    fault: str
    chosen: tuple[str, ...] = ()
    rows: tuple[tuple[Shown, ...], ...] = field(default=())

    @property
    def has_fault(self) -> bool:
        """Whether something is wrong with it, or in it."""
        return bool(self.fault) or any(cell.fault for row in self.rows for cell in row)


def unfold(section: str, entry: Mapping[str, Any]) -> Shape:
    """Give the shape of an entry."""
    shape: Shape = deepcopy(dict(entry))
    if section == "people":
        shape.setdefault("notify", list(NOTIFY))
    if section == "hours":
        week = read_week({days: text for days, text in shape.items() if days not in {"holidays", "dates"}})
        days = {
            day: text for at, day in enumerate(DAYS) for text in write_week(it for it in week if it.day == at).values()
        }
        shape = {name: shape[name] for name in ("holidays", "dates") if name in shape} | days
    if section == "rules":
        shape["then"] = [_kind_first(told) for told in shape.get("then", ())]
    for ask in asks_of(section):
        if ask.control == "pairs" and (told := get(shape, ask.name)):
            first, second = (column.name for column in ask.columns)
            put(shape, ask.name, [{first: key, second: value} for key, value in told.items()])
    return shape


def fold(section: str, shape: Shape) -> tuple[dict[str, Any], dict[str, str]]:
    """Give (the entry of a shape, {field: what is wrong with it} where two rows of a mapping have one key)."""
    entry: dict[str, Any] = deepcopy(shape)
    twice: dict[str, str] = {}
    for ask in asks_of(section):
        if ask.control == "pairs" and (rows := get(entry, ask.name)):
            first, second = (column.name for column in ask.columns)
            keys = [str(row.get(first, "")) for row in rows]
            double = next((key for key in keys if keys.count(key) > 1), None)
            twice |= {} if double is None else {ask.name: f"{double!r} is given twice"}
            put(entry, ask.name, {key: row.get(second) for key, row in zip(keys, rows, strict=True)})
    if section == "rules":
        entry["then"] = [_kind_last(told) for told in entry.get("then", ())]
    if section == "lines" and get(entry, "callback.first") is None:
        put(entry, "callback", None)
    return entry, twice


def read(asks: Sequence[Ask], sent: Mapping[str, str], before: Shape) -> Shape:
    """Read what was sent over what was there before; fields that no form asks for stay."""
    shape: Shape = deepcopy(before)
    for ask in asks:
        put(shape, ask.name, _read(ask, ask.name, sent, get(before, ask.name)))
    return shape


def show(asks: Sequence[Ask], shape: Shape, faults: Mapping[str, str]) -> list[Shown]:
    """Give the fields as they are shown. `faults` are by their place in the entry (`devices[1].address`)."""
    return [_shown(ask, get(shape, ask.name), faults) for ask in asks]


def field_of(section: str, path: str) -> str:
    """Give the place in the shape of a place in the entry."""
    if section == "rules" and (found := _DESTINATION.fullmatch(path)):
        return f"{found[1]}.{'to' if found[2] in FREELY else 'kind'}"
    return path


def get(shape: Mapping[str, Any], name: str) -> Any:
    """Give the value at a path with dots; None where there is none."""
    found: Any = shape
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def put(shape: Shape, name: str, value: Any) -> None:
    """Put a value at a path with dots; None takes it away, and what is empty then goes too."""
    head, _, rest = name.partition(".")
    if rest:
        inner = shape.get(head)
        inside: Shape = dict(inner) if isinstance(inner, Mapping) else {}
        put(inside, rest, value)
        value = inside or None
    if value is None:
        shape.pop(head, None)
    else:
        shape[head] = value


def text_of(value: Any, ask: Ask) -> str:
    """Give a value as it stands in its input."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ("\n" if ask.control == "long" else ", ").join(map(str, value))
    return "" if value is None else str(value)


def _read(ask: Ask, name: str, sent: Mapping[str, str], before: Any) -> Any:
    text = sent.get(name, "").strip()
    match ask.control:
        case "words" | "long":
            told = _SPLIT.split(text) if ask.control == "words" else text.splitlines()
            return [part.strip() for part in told if part.strip()] or None
        case "checks":
            told = _checked(name, sent)
            return [value for value in told if value != NOTHING] if told else None
        case "ordered":
            return sorted(_checked(name, sent), key=lambda value: _place(sent.get(f"{name}:{value}:at", ""))) or None
        case "rows" | "pairs":
            return _read_rows(ask, sent) or None
        case "secret":
            return None if f"{name}:gone" in sent else text or before
    return text or None


def _read_rows(ask: Ask, sent: Mapping[str, str]) -> list[Shape]:
    found: list[tuple[float, Shape]] = []
    for number in range(ROWS_MOST):
        base = f"{ask.name}.{number}"
        if f"{base}.at" not in sent:
            break
        row: Shape = {}
        for column in ask.columns:
            put(row, column.name, _read(column, f"{base}.{column.name}", sent, None))
        if row and f"{base}.gone" not in sent:
            found.append((_place(sent[f"{base}.at"]), row))
    return [row for _, row in sorted(found, key=lambda it: it[0])]


def _checked(name: str, sent: Mapping[str, str]) -> list[str]:
    begin = f"{name}:"
    return [key.removeprefix(begin) for key in sent if key.startswith(begin) and not key.endswith(":at")]


def _place(text: str) -> float:
    told = text.strip()
    return float(told) if told.isascii() and told.isdecimal() and len(told) < 10 else float("inf")


def _shown(ask: Ask, value: Any, faults: Mapping[str, str]) -> Shown:
    if ask.control not in {"rows", "pairs"}:
        return _cell(ask, ask.name, ask.name, value, faults)
    rows = []
    told = value if isinstance(value, list) else []
    spare = 1 if told else SPARE_ROWS
    for number, row in enumerate([*told, *({} for _ in range(spare))]):
        cells = (
            _cell(it, f"{ask.name}.{number}.{it.name}", f"{ask.name}[{number}].{it.name}", row.get(it.name), faults)
            for it in ask.columns
        )
        rows.append(tuple(cells))
    own = next(iter(_own(ask, rows, faults)), "")
    return Shown(ask, ask.name, "", own, rows=tuple(rows))


def _own(ask: Ask, rows: Sequence[tuple[Shown, ...]], faults: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a table and stands in none of its cells."""
    in_cells = {cell.fault for row in rows for cell in row}
    return (text for path, text in faults.items() if _begins(path, ask.name) and text not in in_cells)


def _cell(ask: Ask, name: str, path: str, value: Any, faults: Mapping[str, str]) -> Shown:
    fault = next((text for place, text in faults.items() if _begins(place, path)), "")
    chosen = tuple(map(str, value)) if isinstance(value, list) else ()
    if ask.control == "checks" and value == []:
        chosen = (NOTHING,)
    return Shown(ask, name, "" if ask.control == "secret" else text_of(value, ask), fault, chosen)


def _begins(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}[", f"{name}."))


def _kind_first(told: Mapping[str, Any]) -> Shape:
    """Say what a destination is in one word (`team:sales`), but for what can be named freely: a queue, a number."""
    kind = next((name for name in DESTINATIONS if name in told), "")
    rest = {name: value for name, value in told.items() if name != kind}
    named = {"kind": kind, "to": told.get(kind)} if kind in FREELY else {"kind": f"{kind}:{told.get(kind)}"}
    return named | rest


def _kind_last(told: Shape) -> Shape:
    kind, _, chosen = str(told.pop("kind", "")).partition(":")
    to = told.pop("to", None)
    return {kind: chosen or to} | told if kind else told
