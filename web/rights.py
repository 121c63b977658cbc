"""What a viewer may see: a manager and a head their teams' calls, an admin all, an operator all that go on."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnCollection, ColumnElement, Select, and_, false, func, literal, or_, select, text, true

from calls.nps import OF_NOBODY
from calls.tables import calls, follow_ups, legs
from crm_sync.book.merging import same_party
from crm_sync.tables import leads, tasks
from directory.model import Directory
from web.sessions import Viewer

LOST_AFTER: Final = text("interval '7 hours'")
"""A call without an end for so long lost its end: an hour more than pages that are live wait, for a PBX's clock."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The calls of `people` and on `lines` (as trunks spell them), or `everything`; `live`: all that go on now."""

    everything: bool
    live: bool
    people: frozenset[str]
    lines: frozenset[str]

    def covers(self, people: Iterable[str | None], line: str | None, *, ended: bool) -> bool:
        """Whether a call that reached these people on this line may be seen."""
        if self.everything or (self.live and not ended):
            return True
        return line in self.lines or not self.people.isdisjoint(filter(None, people))

    def works_on(self, owner: str | None, line: str | None) -> bool:
        """Whether a lead may be changed: one's own and the team's, and nobody's that came by one of the lines."""
        return self.everything or (owner in self.people if owner else line in self.lines)

    def rows(self) -> ColumnElement[bool]:
        """The same as `covers`, as a condition on the table of calls; no list has a call of nobody's."""
        return and_(calls.c.direction.not_in(OF_NOBODY), self._covered())

    def _covered(self) -> ColumnElement[bool]:
        if self.everything:
            return true()
        # Without an end for so long it does not go on any more; and few of all calls are looked at.
        now = and_(calls.c.ended_at.is_(None), calls.c.started_at > func.now() - LOST_AFTER)
        if self.live and not (self.people or self.lines):
            return now
        theirs = select(literal(1)).where(legs.c.call_id == calls.c.id, legs.c.person.in_(self.people))
        reached = _asked_of_each(theirs)
        own = or_(calls.c.person.in_(self.people), calls.c.line.in_(self.lines), reached)
        return or_(own, now) if self.live else own


def scope_of(viewer: Viewer, directory: Directory) -> Scope:
    """What `viewer` may see as the directory stands now."""
    led = teams_led(viewer, directory)
    mine = [team for team in directory.teams if viewer.person in team.members or team.key in led]
    people = {key for team in mine for key in team.members} | ({viewer.person} if viewer.person else set())
    teams = {team.key for team in mine}
    numbers = [line.number for line in directory.lines if line.team in teams]
    return Scope(
        everything=viewer.role == "admin" or (viewer.role == "head" and len(led) == len(directory.teams)),
        live=viewer.role == "operator",
        people=frozenset(people),
        lines=frozenset(form for number in numbers for form in (number, f"+{number}")),
    )


def speaks_for(viewer: Viewer, directory: Directory, person: str | None) -> bool:
    """Whether a viewer acts for a person: for themselves, a head for their teams' people, an admin for everybody."""
    if person is not None and person == viewer.person:
        return True
    scope = scope_of(viewer, directory)
    return scope.everything or (viewer.role == "head" and person in scope.people)


def parties_seen(scope: Scope, party: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether a party (by its id) may be seen: one of its calls may be, or one of its leads is worked on."""
    if scope.everything:
        return true()
    owned = select(leads.c.id).where(leads.c.party_id == party, leads_worked(scope))
    # A party has few leads and many calls.
    return or_(_asked_of_each(owned.correlate_except(leads)), _called(scope, party))


def leads_seen(scope: Scope, lead: ColumnCollection[str, Any] = leads.c) -> ColumnElement[bool]:
    """The leads that may be seen: those that are worked on, and those of parties one of whose calls may be seen."""
    return true() if scope.everything else or_(leads_worked(scope, lead), _called(scope, lead.party_id))


def leads_worked(scope: Scope, lead: ColumnCollection[str, Any] = leads.c) -> ColumnElement[bool]:
    """The same as `Scope.works_on`, as a condition on the table of leads, or on others with such columns."""
    if scope.everything:
        return true()
    nobodys = and_(lead.owner.is_(None), lead.source_line.in_(scope.lines))
    return or_(lead.owner.in_(scope.people), nobodys)


def tasks_worked(viewer: Viewer, scope: Scope) -> ColumnElement[bool]:
    """The tasks that may be read and done: one's own, those of leads worked on, those of no lead of parties seen."""
    if scope.everything:
        return true()
    own = tasks.c.assignee == viewer.person if viewer.person else false()
    worked = select(leads.c.id).where(leads.c.id == tasks.c.lead_id, leads_worked(scope))
    of_no_lead = and_(tasks.c.lead_id.is_(None), parties_seen(scope, tasks.c.party_id))
    return or_(own, _asked_of_each(worked.correlate_except(leads)), of_no_lead)


def _called(scope: Scope, party: ColumnElement[int]) -> ColumnElement[bool]:
    seen = select(calls.c.id).where(
        calls.c.party_id.in_(same_party(party)), calls.c.joined_into.is_(None), scope.rows()
    )
    return _asked_of_each(seen.correlate_except(calls))


def _asked_of_each(found: Select[Any]) -> ColumnElement[bool]:
    """Whether there is such a row. Lists are short and end soon; of EXISTS, PostgreSQL may first read all there are."""
    return found.limit(1).scalar_subquery().is_not(None)


def own_follow_ups(viewer: Viewer, scope: Scope) -> ColumnElement[bool]:
    """The promises that a viewer may see: all, their teams' as a head, or their own; and nobody's on their lines."""
    if scope.everything:
        return true()
    nobodys = and_(follow_ups.c.owner.is_(None), follow_ups.c.line.in_(scope.lines))
    if viewer.role == "head":
        return or_(nobodys, follow_ups.c.owner.in_(scope.people))
    return or_(nobodys, follow_ups.c.owner == viewer.person) if viewer.person else nobodys


def teams_led(viewer: Viewer, directory: Directory) -> frozenset[str]:
    """The keys of the teams whose head a viewer is: of an admin all; of a head their own, and those without a head."""
    if viewer.role not in {"head", "admin"}:
        return frozenset()
    return frozenset(
        team.key
        for team in directory.teams
        if viewer.role == "admin"
        or viewer.person in team.members
        or not any(member.role == "head" for member in directory.members(team.key))
    )


def may_overhear(viewer: Viewer, directory: Directory, people: Iterable[str | None], line: str | None) -> bool:
    """Whether a viewer may overhear a call of these people on this line: its line, or one of them, is of theirs."""
    led = teams_led(viewer, directory)
    found = directory.line(line) if line else None
    mine = {key for team in directory.teams if team.key in led for key in team.members}
    return (found is not None and found.team in led) or not mine.isdisjoint(filter(None, people))
