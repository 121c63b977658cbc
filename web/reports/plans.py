"""Plans as the page, the API and the command line share them: who plans for whom, what it is called, and files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from crm_sync.imports.cells import Row
from directory.model import Directory, Team
from recordings.audit import Actor
from reports.figures import CONVERSION
from reports.layout import FIGURES
from reports.measures import PREFIX_OF_CONVERSION, PREFIX_OF_STEP
from reports.plan_days import HOUSE, Whose, WhoseKind
from reports.plan_rows import Cells, changes, write_plans
from reports.plan_sheet import CellFault, Terms, read_sheet, write_sheet
from reports.plan_values import PlanValueError, checked, unit_of
from reports.plans import Plans
from reports.registry import MEASURES
from web.names import line_name, person_name
from web.reports.words import measure_name
from web.rights import scope_of, teams_led
from web.sessions import Viewer
from web.words import LANGUAGES, say

PLANNERS: Final = ("head", "admin")
USUAL: Final[Mapping[str, tuple[str, ...]]] = {
    "people": ("leads_in", "qualified", "qualified_share", "*", "won"),
    "lines": ("calls_in", "missed_share", "leads_in", "qualified", "qualified_share"),
}
"""The measures that plans are made of unless somebody plans others; * are the steps of the funnel."""
PEOPLE: Final[tuple[WhoseKind, ...]] = ("house", "team", "person")

_OF_STEPS: Final = (PREFIX_OF_STEP, PREFIX_OF_CONVERSION)

Meant = TypeVar("Meant", str, Whose)


class PlanRefused(Exception):
    """A plan that cannot be set; `field` says which value is wrong, `why` is of reports.plan_sheet.SHEET_FAULTS."""

    def __init__(self, why: str, field: str, value: object) -> None:
        """Keep what is told."""
        self.why, self.field, self.value = why, field, str(value)[:100]
        super().__init__(f"{field}: {why}, got {self.value!r}")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a table: its month, how many plans it set and removed, or every cell that is wrong."""

    month: date | None
    set_count: int
    removed_count: int
    faults: tuple[CellFault, ...]

    @property
    def changes_nothing(self) -> bool:
        """Whether all of it was so already."""
        return not self.set_count and not self.removed_count


def whose_of_house(directory: Directory) -> tuple[Whose, ...]:
    """All for whom plans are made: the house, teams with their people, lines, and what advertises them."""
    campaigns = dict.fromkeys(line.campaign for line in directory.lines if line.campaign)
    others = (person.key for person in directory.people)
    return (HOUSE, *_of_teams(directory, directory.teams, others), *(Whose("source", key) for key in campaigns))


def planned_by(viewer: Viewer, directory: Directory) -> tuple[Whose, ...]:
    """For whom a viewer makes plans: admins for all, heads for the teams that they lead, their people and lines."""
    if viewer.role not in PLANNERS:
        return ()
    if scope_of(viewer, directory).everything:
        return whose_of_house(directory)
    led = teams_led(viewer, directory)
    return _of_teams(directory, [team for team in directory.teams if team.key in led])


def measures_of(directory: Directory) -> tuple[str, ...]:
    """All that can be planned: every measure, and of each step of the funnel how many leads reach it, and which share.

    The share that reaches the next step is of a step: of all of them together it says nothing.
    """
    steps = [step.key for step in directory.leads.funnel]
    of_steps = (f"{prefix}{step}" for step in steps for prefix in _OF_STEPS)
    return (*(key for key in MEASURES if key != CONVERSION), *of_steps)


def is_counted(whose: Whose, measure: str) -> bool:
    """Whether there is such a figure of somebody: a missed call is nobody's, and so is what is divided by such."""
    return whose.kind != "person" or measure in FIGURES["person"] or measure.startswith(_OF_STEPS)


def columns(directory: Directory, by: str, planned: Iterable[str]) -> tuple[str, ...]:
    """The measures of a page of plans: the usual ones, and those that are planned."""
    steps = tuple(f"{PREFIX_OF_STEP}{step.key}" for step in directory.leads.funnel)
    usual = (one for key in USUAL[by] for one in (steps if key == "*" else (key,)))
    return tuple(dict.fromkeys((*usual, *(one for one in measures_of(directory) if one in set(planned)))))


def whose_name(directory: Directory, language: str, whose: Whose) -> str:
    """What the house, a team, a person, a line or a source is called."""
    if whose.kind == "house":
        return say(language, "plans.house")
    if whose.kind == "team":
        team = directory.team(whose.key)
        return team.name if team else whose.key
    if whose.kind == "person":
        return person_name(directory, whose.key) or whose.key
    return (line_name(directory, whose.key) or whose.key) if whose.kind == "line" else whose.key


def header(directory: Directory, language: str, measure: str) -> str:
    """What stands above a column: a measure's name with its unit, where it has one."""
    unit = unit_of(measure)
    name = measure_name(directory, language, measure)
    return say(language, f"plans.column.{unit}", name=name) if unit in {"share", "seconds"} else name


def terms_of(directory: Directory) -> Terms:
    """By which words tables are read: keys, and names in every language."""
    measures: list[tuple[str, str]] = []
    people: list[tuple[str, Whose]] = []
    for key in measures_of(directory):
        names = (name(directory, it, key) for it in LANGUAGES for name in (header, measure_name))
        measures += [(word, key) for word in (key, *names)]
    for whose in whose_of_house(directory):
        names = (whose_name(directory, it, whose) for it in LANGUAGES)
        people += [(word, whose) for word in (str(whose), *names)]
    return Terms(_meant(measures), _meant(people))


def table(
    directory: Directory, language: str, month: date, whose: Sequence[Whose], measures: Sequence[str], plans: Plans
) -> list[list[str | float | None]]:
    """The table of a month to fill in; who shares a name stands there as `person anna`."""
    terms = terms_of(directory)
    named = [(one, whose_name(directory, language, one)) for one in whose]
    tops = [(key, header(directory, language, key)) for key in measures]
    return write_sheet(
        month,
        [(key, name if terms.measures[name.casefold()] else key) for key, name in tops],
        [(one, name if terms.whose[name.casefold()] else str(one)) for one, name in named],
        plans,
    )


def check(directory: Directory, mine: Collection[Whose], whose: Whose, measure: str, value: float | None) -> None:
    """Raises PlanRefused for what is no plan of the house, or not of those that somebody makes."""
    if whose not in mine:
        raise PlanRefused("not_yours" if whose in whose_of_house(directory) else "whose", "key", whose)
    if measure not in measures_of(directory):
        raise PlanRefused("measure", "measure", measure)
    if value is not None and not is_counted(whose, measure):
        raise PlanRefused("not_counted", "measure", measure)
    try:
        checked(0.0 if value is None else value, measure)
    except PlanValueError as error:
        raise PlanRefused(error.why, "value", value) from None


async def import_plans(
    connection: AsyncConnection,
    directory: Directory,
    rows: Sequence[Row],
    mine: Collection[Whose],
    actor: Actor,
    *,
    dry_run: bool = False,
) -> Imported:
    """Set the plans of a table in the caller's transaction, all or none: none where a cell is wrong."""
    told = read_sheet(rows, terms_of(directory))
    foreign = [CellFault(told.places[cell], str(cell[0]), "not_yours") for cell in told.cells if cell[0] not in mine]
    nobodys = [
        CellFault(told.places[cell], cell[1], "not_counted")
        for cell, value in told.cells.items()
        if value is not None and not is_counted(*cell)
    ]
    faults = (*told.faults, *foreign, *nobodys)
    if faults or told.month is None:
        return Imported(told.month, 0, 0, faults)
    changed = await changes(connection, told.month, told.cells)
    removed = sum(value is None for value in changed.values())
    if not dry_run:
        await write_plans(connection, told.month, told.cells, actor, action="plans_imported")
    return Imported(told.month, len(changed) - removed, removed, ())


def copied(plans: Plans, since: date, month: date, mine: Collection[Whose]) -> Cells:
    """The plans of one month for another in which there are none yet."""
    found = {(whose, measure): value for (of, whose, measure), value in plans.values.items() if of == since}
    return {
        (whose, measure): value
        for (whose, measure), value in found.items()
        if whose in mine and (month, whose, measure) not in plans.values
    }


def imported_json(told: Imported, language: str, *, dry_run: bool) -> dict[str, Any]:
    """An import as programs read it."""
    return {
        "imported": not told.faults and not dry_run,
        "month": f"{told.month:%Y-%m}" if told.month else None,
        "set": told.set_count,
        "removed": told.removed_count,
        "problems": [
            {"cell": one.cell, "value": one.value, "reason": one.why, "detail": fault_words(language, one.why)}
            for one in told.faults
        ],
    }


def fault_words(language: str, why: str) -> str:
    """What is wrong with a cell or a field."""
    return say(language, f"plans.fault.{why}")


def _of_teams(directory: Directory, teams: Sequence[Team], others: Iterable[str] = ()) -> tuple[Whose, ...]:
    found: dict[Whose, None] = {}
    for team in teams:
        found[Whose("team", team.key)] = None
        found |= dict.fromkeys(Whose("person", key) for key in team.members if Whose("person", key) not in found)
    found |= dict.fromkeys(Whose("person", key) for key in others)
    keys = {team.key for team in teams}
    found |= dict.fromkeys(Whose("line", line.number) for line in directory.lines if line.team in keys)
    return tuple(found)


def _meant(words: Iterable[tuple[str, Meant]]) -> dict[str, Meant | None]:
    """What each word means, in lower case; None where it means several."""
    found: defaultdict[str, set[Meant]] = defaultdict(set)
    for word, meant in words:
        found[word.casefold()].add(meant)
    return {word: meant.pop() if len(meant) == 1 else None for word, meant in found.items()}
