"""Reading YAML nodes so that every fault is kept with its line and its path, and reading goes on after it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

import yaml

from directory.checks import Problem
from directory.hours import read_week

Table = dict[str, yaml.Node]


@dataclass
class Reading:
    """One file being read: the line of each path seen, and the problems found so far."""

    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def fault(self, path: str, message: str) -> None:
        """Keep a problem; reading goes on."""
        self.problems.append(Problem(path, message))

    def line_of(self, path: str) -> int:
        """Give the line of a path, or of the nearest thing around it that stands in the file."""
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 1)

    def mapping(self, node: yaml.Node | None, path: str, known: Iterable[str] | None = None) -> Table:
        """Read keys and their nodes; unknown keys and doubles are faults, null and anything but a mapping is empty."""
        if node is None or _is_null(node):
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.fault(path, f"must be keys with values, got {_describe(node)}")
            return {}
        table: Table = {}
        names = None if known is None else sorted(known)
        for key_node, value in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else _describe(key_node)
            child = f"{path}.{key}" if path else key
            if key in table:
                self.lines[child] = _line(key_node)
                self.fault(child, "this key is given twice")
                continue
            self.lines[child] = _line(key_node)
            if names is not None and key not in names:
                self.fault(child, f"unknown key{suggestion(key, names)}")
                continue
            table[key] = value
        return table

    def entries(self, node: yaml.Node | None, path: str) -> list[tuple[str, yaml.Node]]:
        """Read a list as paths and nodes; null is empty, anything but a list is a fault."""
        if node is None or _is_null(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.fault(path, f"must be a list, got {_describe(node)}")
            return []
        found = [(f"{path}[{index}]", entry) for index, entry in enumerate(node.value)]
        self.lines.update((child, _line(entry)) for child, entry in found)
        return found

    def text(self, node: yaml.Node | None, path: str) -> str | None:
        """Read one value as it is written; null is None, an empty or unprintable value is a fault."""
        if node is None or _is_null(node):
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.fault(path, f"must be one value, got {_describe(node)}")
            return None
        value = str(node.value).strip()
        if not value or not value.isprintable():
            self.fault(path, f"must be printable text, got {node.value!r}")
            return None
        return value


def read_hours(reading: Reading, table: Table, path: str) -> dict[str, str]:
    """Read hours by days, as in {"mon-fri": "09:00-18:00"}, as they are written; what is refused is left out."""
    week: dict[str, str] = {}
    for days, node in table.items():
        child = f"{path}.{days}"
        text = reading.text(node, child)
        if text is None:
            reading.fault(child, "is missing; hours look like 09:00-18:00")
            continue
        try:
            read_week(week | {days: text})
        except ValueError as error:
            reading.fault(child, f"{error}")
        else:
            week[days] = text
    return week


@dataclass(frozen=True)
class Fields:
    """The keys of one mapping, read with the checks of each value; a refused value is its default."""

    reading: Reading
    path: str
    table: Table

    def text(self, key: str, check: Callable[[str], str] = str) -> str | None:
        """Read an optional value; ``check`` gives its stored form or raises ValueError with the reason."""
        path = f"{self.path}.{key}"
        value = self.reading.text(self.table.get(key), path)
        if value is None:
            return None
        try:
            return check(value)
        except ValueError as error:
            self.reading.fault(path, f"{error}")
            return None

    def needed(self, key: str, check: Callable[[str], str] = str) -> str:
        """Read a value that must be there; gives the empty string after a fault."""
        if key not in self.table or _is_null(self.table[key]):
            self.reading.fault(f"{self.path}.{key}", "is missing")
            return ""
        return self.text(key, check) or ""

    def whole(self, key: str, default: int, least: int, most: int) -> int:
        """Read a whole number between two bounds."""
        value = self.text(key)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or not least <= int(value[:9]) <= most:
            self.reading.fault(f"{self.path}.{key}", f"must be a whole number from {least} to {most}, got {value!r}")
            return default
        return int(value)

    def count(self, key: str, most: int, *, least: int = 0) -> int | None:
        """Read a whole number between two bounds that may be left out."""
        return self.whole(key, least, least, most) if key in self.table and not _is_null(self.table[key]) else None

    def flag(self, key: str) -> bool | None:
        """Read true or false; None when it is left out."""
        value = self.text(key)
        if value not in {None, "true", "false"}:
            self.reading.fault(f"{self.path}.{key}", f"must be true or false, got {value!r}")
            return None
        return None if value is None else value == "true"

    def some(self, key: str, check: Callable[[str], str] = str) -> tuple[str, ...]:
        """Read one value, or a list of them."""
        if isinstance(self.table.get(key), yaml.ScalarNode):
            value = self.text(key, check)
            return () if value is None else (value,)
        return self.texts(key, check)

    def texts(self, key: str, check: Callable[[str], str] = str) -> tuple[str, ...]:
        """Read a list of values; a refused one stays as an empty string, so that the others keep their places."""
        values: list[str] = []
        for path, node in self.reading.entries(self.table.get(key), f"{self.path}.{key}"):
            value = self.reading.text(node, path)
            try:
                values.append("" if value is None else check(value))
            except ValueError as error:
                self.reading.fault(path, f"{error}")
                values.append("")
        return tuple(values)


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give ", did you mean 'x'?" or the list of what there is."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    return f", did you mean {close[0]!r}?" if close else f" (there is: {', '.join(names)})"


def _line(node: yaml.Node) -> int:
    """Give the line of a node, counted from 1; 0 for one that stands in no text."""
    return node.start_mark.line + 1 if node.start_mark else 0


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _describe(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return repr(node.value)
    return "a list" if isinstance(node, yaml.SequenceNode) else "keys with values"
