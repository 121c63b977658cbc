"""A part of a directory on its own: one section, or one entry of it, written as text and read into the whole.

Text and values of a form take one way: both become YAML nodes, which are read as a file's are, into the directory that
they shall stand in, and the whole is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import yaml

from directory.checks import Fault, Problem, check
from directory.file import DirectoryError, Written, compose, dump, plain_directory, read_section, reads
from directory.model import Directory
from directory.nodes import Reading

KEYS: Final = {
    "people": "key",
    "teams": "key",
    "lines": "number",
    "rules": "name",
    "blocked": "number",
    "allowed": "number",
    "vip": "number",
    "do_not_call": "number",
}
"""By what the entries of a list are told apart; `hours` are a mapping, and the other sections one entry each."""

_TEXT: Final = "text"


class SectionError(ValueError):
    """The text says something that cannot be; `faults` are in the order of the lines."""

    def __init__(self, faults: list[Fault]) -> None:
        """Keep the faults beside the words."""
        super().__init__("\n".join(f"line {fault.line}: {fault.path}: {fault.message}" for fault in faults))
        self.faults = faults


def content(directory: Directory, section: str) -> Any:
    """Give what a section holds, as values that JSON has too: a list, or a mapping; empty when nothing is told."""
    return plain_directory(directory).get(section, [] if section in KEYS else {})


def names(directory: Directory, section: str) -> tuple[str, ...]:
    """Give the names of a section's entries, in their order."""
    return tuple(getattr(entry, KEYS.get(section, "key")) for entry in getattr(directory, section))


def entry(directory: Directory, section: str, name: str) -> dict[str, Any] | None:
    """Give one entry as values that JSON has too; None when it is not there."""
    found = content(directory, section)
    if section not in KEYS:
        told: dict[str, Any] | None = found.get(name)
        return told
    return next((it for it in found if it[KEYS[section]] == name), None)


def write_section(directory: Directory, section: str) -> str:
    """Give a section as it stands in a file; what is by default is left out."""
    return dump({section: content(directory, section)})


def read_text(text: str, section: str, directory: Directory) -> Directory:
    """Read a section as it stands in a file, into this directory; raises SectionError with every fault."""
    root = _composed(text)
    reading = Reading()
    table = reading.mapping(root, "", (section,))
    return _whole(reading, section, table, directory)


def read_whole(text: str) -> Written:
    """Read a whole directory, with the doubts about it; raises SectionError with every fault."""
    try:
        return reads(text, _TEXT)
    except DirectoryError as error:
        raise SectionError(error.faults or [_told(line) for line in error.lines]) from None


def put(directory: Directory, section: str, name: str | None, told: dict[str, Any] | str | None) -> Directory:
    """Put an entry (values, or their YAML text) in the place of the one of that name, else behind the others.

    None takes the entry out. Raises SectionError; paths of its faults begin with `place_of`.
    """
    made = _composed(told) if isinstance(told, str) else None if told is None else node_of(told)
    section_node = node_of(content(directory, section))
    if section in KEYS:
        known = names(directory, section)
        entries = section_node.value
        at = known.index(name) if name in known else len(known)
        entries[at : at + 1] = [] if made is None else [made]
    else:
        pairs = [(key, value) for key, value in section_node.value if made is not None or key.value != name]
        found = next((at for at, (key, _) in enumerate(pairs) if key.value == name), len(pairs))
        if made is not None:
            pairs[found : found + 1] = [(node_of(name or ""), made)]
        section_node.value = pairs
    return _whole(Reading(), section, {section: section_node}, directory)


def replaced(directory: Directory, section: str, told: Any) -> Directory:
    """Put these values in the place of a whole section. Raises SectionError."""
    return _whole(Reading(), section, {section: node_of(told)}, directory)


def place_of(directory: Directory, section: str, name: str | None) -> str:
    """Give the path of an entry, or of the one that is put behind the others: `people[2]`, `hours.office`."""
    if section not in KEYS:
        return f"{section}.{name}"
    known = names(directory, section)
    return f"{section}[{known.index(name) if name in known else len(known)}]"


def node_of(told: Any) -> Any:
    """Give values as the nodes of a YAML text that they would be read from."""
    represent: Callable[[Any], yaml.Node] = yaml.representer.SafeRepresenter(sort_keys=False).represent_data
    return represent(told)


def _whole(reading: Reading, section: str, table: dict[str, yaml.Node], directory: Directory) -> Directory:
    value = read_section(reading, section, table, directory.company.region)
    changed = replace(directory, **{section: value})
    known = {problem.path for problem in reading.problems}
    problems = [*reading.problems, *(it for it in check(changed) if it.path not in known)]
    if problems:
        raise SectionError(sorted((_fault(reading, section, it) for it in problems), key=lambda fault: fault.line))
    return changed


def _composed(text: str) -> yaml.Node | None:
    try:
        return compose(text, _TEXT)
    except DirectoryError as error:
        raise SectionError([_told(error.lines[0])]) from None


def _told(line: str) -> Fault:
    """Take a line of a DirectoryError apart."""
    _, number, message = line.split(":", 2)
    return Fault(int(number), "", message.strip())


def _fault(reading: Reading, section: str, problem: Problem) -> Fault:
    inside = re.split(r"[.\[]", problem.path)[0] in {section, ""} or problem.path in reading.lines
    return Fault(reading.line_of(problem.path) if inside else 0, problem.path, problem.message)
