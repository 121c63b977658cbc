"""What an import makes of its rows: new, known, or the same as another row (pure).

Rules kept here:
1. A number belongs to one party. Rows that share one are about one party: the first tells who it is and which lead it
   has, the others add their numbers. Where they lead to two parties of the book, that is a problem.
2. What is there stays: a name, an owner, a field, a note of the same words. Only blanks are filled in.
3. Who has, or ever had, a lead gets no other by an import: whether a lost client comes back is a person's decision.

So the same file again changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from crm_sync.imports.rows import REASONED, ImportRow, Problem

What = Literal["new", "known", "duplicate"]

CHANGES: Final = ("name", "email", "numbers", "lead", "owner", "deadline", "note", "fields")
"""What an import may add to a known party; `lead`: they never had one."""


ANOTHER_LEAD: Final = "duplicate"
"""The reason that names another lead, which a file cannot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLead:
    """The lead of a known party: the open one, else the last."""

    id: int
    open: bool
    stage: str
    owner: str | None = None
    has_deadline: bool = False
    fields: Mapping[str, str] = field(default_factory=dict)
    notes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownParty:
    """Whom the book knows by a number of the file."""

    id: int
    name: str | None = None
    email: str | None = None
    lead: KnownLead | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of a row.

    `known` is whom it is about, by `number`; `changes` is of CHANGES, none where nothing changes. `of` is the row that
    a duplicate repeats.
    """

    row: ImportRow
    what: What
    number: str = ""
    known: KnownParty | None = None
    changes: tuple[str, ...] = ()
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of every row that can be read, and what is wrong with the others."""

    outcomes: tuple[Outcome, ...]
    problems: tuple[Problem, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many rows are new, known (of these `changed`), duplicates, and wrong."""
        told = {"new": 0, "known": 0, "changed": 0, "duplicate": 0}
        for outcome in self.outcomes:
            told[outcome.what] += 1
            told["changed"] += outcome.what == "known" and bool(outcome.changes)
        return told | {"error": len({problem.row for problem in self.problems})}

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to do: every row is known as it stands."""
        return not any(outcome.what == "new" or outcome.changes for outcome in self.outcomes)


def plan_import(rows: Sequence[ImportRow], problems: Sequence[Problem], known: Mapping[str, KnownParty]) -> Plan:
    """Say what becomes of every row. `known`: number -> its party, for the numbers of the rows that are somebody's."""
    outcomes, wrong = [], list(problems)
    for first, *others in _same(rows, known):
        numbers = tuple(dict.fromkeys(number for row in (first, *others) for number in row.numbers))
        parties = {known[number].id: number for number in reversed(numbers) if number in known}
        if len(parties) > 1:
            told = ", ".join(sorted(parties.values()))
            wrong += [Problem(row.row, "", told, "two_parties") for row in (first, *others)]
            continue
        outcome = _outcome(replace(first, numbers=numbers), next(iter(parties.values()), ""), known)
        if outcome.what == "new" or "lead" in outcome.changes:
            wrong += _not_a_beginning(first)
        outcomes.append(outcome)
        for row in others:
            shared = (number for number in row.numbers if number in first.numbers or number in known)
            outcomes.append(Outcome(row, "duplicate", next(shared, row.numbers[0]), of=first.row))
    return Plan(
        tuple(sorted(outcomes, key=lambda outcome: outcome.row.row)),
        tuple(sorted(wrong, key=lambda problem: problem.row)),
    )


def _outcome(row: ImportRow, number: str, known: Mapping[str, KnownParty]) -> Outcome:
    if not number:
        return Outcome(row, "new")
    return Outcome(row, "known", number, known[number], _changes(row, known[number], known))


def _not_a_beginning(row: ImportRow) -> Iterator[Problem]:
    """Why no lead can be opened as the row says."""
    if row.stage == "reviving":
        yield Problem(row.row, "", row.stage, "not_a_beginning")
    elif row.stage in REASONED and row.reason is None:
        yield Problem(row.row, "", row.stage or "", "no_reason")
    elif row.reason == ANOTHER_LEAD:
        yield Problem(row.row, "", row.reason, "another_lead")


def _same(rows: Sequence[ImportRow], known: Mapping[str, KnownParty]) -> list[list[ImportRow]]:
    """The rows, those about one party together: they share a number, or each has one of the same known party."""
    groups: list[list[ImportRow]] = []
    of: dict[str | int, int] = {}  # a number or a known party -> the group about it
    for row in rows:
        keys = _keys(row, known)
        met = sorted({of[key] for key in keys if key in of})
        if not met:
            groups.append([])
        into = met[0] if met else len(groups) - 1
        for other in met[1:]:
            for moved in groups[other]:
                of |= dict.fromkeys(_keys(moved, known), into)
            groups[into] += groups[other]
            groups[other] = []
        groups[into].append(row)
        of |= dict.fromkeys(keys, into)
    return [sorted(group, key=lambda row: row.row) for group in groups if group]


def _keys(row: ImportRow, known: Mapping[str, KnownParty]) -> list[str | int]:
    return [*row.numbers, *(known[number].id for number in row.numbers if number in known)]


def _changes(row: ImportRow, party: KnownParty, known: Mapping[str, KnownParty]) -> tuple[str, ...]:
    lead = party.lead
    changes = {
        "name": row.name is not None and party.name is None,
        "email": row.email is not None and party.email is None,
        "numbers": any(number not in known for number in row.numbers),
        "lead": lead is None,
    }
    if lead is not None and lead.open:
        changes |= {
            "owner": row.owner is not None and lead.owner is None,
            "deadline": row.deadline_at is not None and not lead.has_deadline,
            "note": row.note is not None and row.note not in lead.notes,
            "fields": not row.fields.keys() <= lead.fields.keys(),
        }
    return tuple(name for name in CHANGES if changes.get(name))
