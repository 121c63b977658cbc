"""The section `leads:` of a directory alone: read as a file of its own with every fault and its line, and written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import yaml

from directory.checks import Problem, check
from directory.file import DirectoryError, compose, dump
from directory.lead_policy import LeadPolicy, plain
from directory.lead_policy_file import read_lead_policy
from directory.model import Directory
from directory.nodes import Reading

SECTION: Final = "leads"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a section: the line it is on, counted from 1, where in the section, and what is wrong."""

    line: int
    path: str
    message: str


class SectionError(ValueError):
    """The section says something that cannot be; `faults` are in the order of the lines."""

    def __init__(self, faults: list[Fault]) -> None:
        """Keep the faults beside the words."""
        super().__init__("\n".join(f"line {fault.line}: {fault.path}: {fault.message}" for fault in faults))
        self.faults = faults


def write_section(policy: LeadPolicy) -> str:
    """Give a policy as the section of a file; what is by default is left out."""
    return dump({SECTION: plain(policy)})


def read_section(text: str, directory: Directory) -> LeadPolicy:
    """Read a section that shall stand in this directory; raises SectionError with every fault."""
    reading = Reading()
    table = reading.mapping(_composed(text), "", (SECTION,))
    policy = read_lead_policy(reading, table, directory.company.region)
    known = {problem.path for problem in reading.problems}
    crossed = [it for it in check(replace(directory, leads=policy)) if it.path.startswith(SECTION)]
    problems = [*reading.problems, *(it for it in crossed if it.path not in known)]
    if problems:
        raise SectionError(sorted((_fault(reading, it) for it in problems), key=lambda fault: fault.line))
    return policy


def _composed(text: str) -> yaml.Node | None:
    try:
        return compose(text, SECTION)
    except DirectoryError as error:
        _, line, message = error.lines[0].split(":", 2)
        raise SectionError([Fault(int(line), "", message.strip())]) from None


def _fault(reading: Reading, problem: Problem) -> Fault:
    return Fault(reading.line_of(problem.path), problem.path, problem.message)
