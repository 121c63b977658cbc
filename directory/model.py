"""The nouns of the directory, as frozen values; a whole Directory is checked before anyone sees it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Final, Literal

from directory import masking
from directory.lead_policy import NO_POLICY, LeadPolicy
from directory.masking import UNTOLD, Masking
from directory.nps import NO_NPS, NpsPolicy
from directory.numbers import Regions, normal
from directory.outgoing import BY_DEFAULT, Callback, Outgoing
from directory.retention import NO_RETENTION, Keep, Retention, kept
from directory.rules import BUILT_IN, Rule, Strategy
from directory.script import Step, Topic

Role = Literal["manager", "head", "operator", "admin"]
Kind = Literal["desk", "soft", "mobile"]
Order = Literal["fixed", "learned"]
Ring = Literal["in_turn", "together", "mobile_apart"]
Shows = Literal["line", "caller"]
Channel = Literal["page", "email", "telegram", "webhook"]
FollowUpOwner = Literal["crm_owner", "last_rung", "line_person", "round_robin"]

ROLES: Final[tuple[Role, ...]] = ("manager", "head", "operator", "admin")
KINDS: Final[tuple[Kind, ...]] = ("desk", "soft", "mobile")
ORDERS: Final[tuple[Order, ...]] = ("fixed", "learned")
RINGS: Final[tuple[Ring, ...]] = ("mobile_apart", "in_turn", "together")
SHOWS: Final[tuple[Shows, ...]] = ("line", "caller")
CHANNELS: Final[tuple[Channel, ...]] = ("page", "email", "telegram", "webhook")
"""Where a notice appears: on our pages, in a mailbox, in a chat with our bot, at the company's webhook."""
NOTIFY: Final[tuple[Channel, ...]] = ("page",)
LANGUAGES: Final = ("ru", "en")
DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 24 * 60
RING_SECONDS: Final = 20
RING_SECONDS_LEAST: Final = 5
RING_SECONDS_MOST: Final = 300
WEIGHT_MOST: Final = 1000
WRAP_UP_SECONDS_MOST: Final = 3600
MOBILE_SECONDS: Final = 18
"""A carrier's mailbox takes a call after 20 to 30 seconds; a mobile that rings shorter never reaches it."""
MOBILE_SECONDS_MOST: Final = 60
FAIR_RING_SECONDS: Final = 10
FOLLOW_UP_OWNERS: Final[tuple[FollowUpOwner, ...]] = ("crm_owner", "last_rung", "line_person", "round_robin")
FOLLOW_UP_MINUTES: Final = 60
FOLLOW_UP_MINUTES_MOST: Final = 7 * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpPolicy:
    """Who calls back whom nobody talked with, and within how many minutes of working time; nothing told: the default.

    ``owners`` are asked in order: the owner of the caller's lead, who was rung last, ``person`` (a key), or the next
    of the line's team.
    """

    owners: tuple[FollowUpOwner, ...] = ()
    minutes: int | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """The house itself: what numbers, times and words mean where nothing nearer says otherwise.

    ``ring_seconds_least``: a phone that rang for less gave its person no fair chance to answer. ``topics`` are what
    talks are looked through for.
    """

    name: str
    region: str = "RU"
    time_zone: str = "Europe/Moscow"
    language: str = "ru"
    ring_seconds_least: int = FAIR_RING_SECONDS
    follow_up: FollowUpPolicy = FollowUpPolicy()
    masking: Masking = UNTOLD
    retention: Retention = NO_RETENTION
    topics: tuple[Topic, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Open from ``opens`` to ``closes``, minutes of ``day`` (0 is Monday).

    ``opens`` is 0..1439, ``closes`` is 1..1440; when it is not after ``opens`` the span runs over midnight into the
    next day.
    """

    day: int
    opens: int
    closes: int


@dataclass(frozen=True, slots=True, order=True)
class SpecialDay:
    """A date with hours of its own: its ``spans`` (none: closed) stand for those of its weekday, holiday or not."""

    date: date
    spans: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Hours:
    """A named week of working hours; the spans are sorted and those that start on one day do not overlap.

    ``holidays`` is the country, or country and region (RU, DE-BY), on whose public holidays nothing opens; ``dates``
    are sorted and come before both.
    """

    key: str
    spans: tuple[Span, ...]
    holidays: str | None = None
    dates: tuple[SpecialDay, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What can ring for a person: ``address`` is TECH/name as in Asterisk, or the E.164 digits of a mobile.

    ``mobile_seconds`` is how long a mobile rings at most, None for the usual MOBILE_SECONDS.
    """

    kind: Kind
    address: str
    number: str | None = None
    trunk: str | None = None
    mobile_seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Someone who works here; ``devices`` stand in the person's own order, no ``hours``: whenever a line is open.

    ``calendar`` is the address of an ICS feed whose events make them busy. Whoever knows it reads the calendar: it is
    a secret, and never part of what a person prints as. ``line`` is the number of the line that they call out as.

    ``order`` says whether the devices ring in that order, or in one learned from what the person answers on. ``ring``
    says which of them ring at once: all (together), none (in_turn), or all neighbours but mobiles (mobile_apart).

    ``plan`` is their share of new work beside that of others, for teams whose calls go out by weight. More than
    ``leads_most`` open leads are too many for them; None: as the policy of leads says for everybody.
    ``plan`` is their share of new work beside that of others, for teams whose calls go out by weight.

    ``notify`` are the channels by which they are told what concerns them, at their ``email`` and in their ``telegram``
    chat; ``quiet`` is when not: a time of each day, "never", or None for all time outside their hours.
    """

    key: str
    name: str
    role: Role
    devices: tuple[Device, ...] = ()
    hours: str | None = None
    time_zone: str | None = None
    calendar: str | None = field(default=None, repr=False)
    order: Order = "fixed"
    ring: Ring = "mobile_apart"
    line: str | None = None
    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    plan: int = 1
    leads_most: int | None = None
    email: str | None = None
    telegram: str | None = None
    notify: tuple[Channel, ...] = NOTIFY
    quiet: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """People who share lines; ``members`` are keys of people, in the order a hunt rings them.

    No ``hours``: whenever a line is open. No ``wrap_up_seconds``: a member can be rung again right after a talk.
    ``line`` is the number of the line that they call out as.
    """

    key: str
    name: str
    strategy: Strategy
    members: tuple[str, ...]
    hours: str | None = None
    time_zone: str | None = None
    wrap_up_seconds: int | None = None
    line: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What callers, and whoever is called, hear before anything is recorded, and the key that refuses, if any.

    ``prompt``: sounds, an & between them.
    """

    prompt: str
    refuse: str | None = None

    def __str__(self) -> str:
        """The way the difference of two directories tells it."""
        return self.prompt + (f", {self.refuse} refuses" if self.refuse else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A number that callers dial; no ``hours`` means open around the clock, no ``wrap_up_seconds``: the team's.

    ``emergency`` is a number outside, in E.164 digits, that is rung when nothing else is left. ``mobile_shows`` says
    whose number a mobile shows when the line's callers ring it: the line's, or the caller's. ``campaign`` is what
    advertises the number. ``region`` is whose national numbers its callers' numbers are; none: the company's.

    Calls to the outside show ``shows``, or the number itself. ``callback``: missed callers are called back by itself.
    No ``consent``: callers, and whoever is called for the line, are recorded without a word.

    ``script`` is what staff say in the line's talks, step by step.
    """

    number: str
    name: str
    team: str
    trunk: str | None = None
    hours: str | None = None
    time_zone: str | None = None
    language: str | None = None
    ring_seconds: int = RING_SECONDS
    mobile_shows: Shows = "line"
    fallback: tuple[str, ...] = ()
    wrap_up_seconds: int | None = None
    emergency: str | None = None
    shows: str | None = None
    callback: Callback | None = None
    ring_seconds_least: int | None = None
    follow_up: FollowUpPolicy = FollowUpPolicy()
    campaign: str | None = None
    region: str | None = None
    masking: Masking = UNTOLD
    retention: Retention = NO_RETENTION
    consent: Consent | None = None
    script: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DoNotCall:
    """A number that nobody calls, by hand or by itself."""

    number: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """A caller who is not put through."""

    number: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """A caller who is never blocked, whatever else the list of the blocked says."""

    number: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vip:
    """A caller whom rules may put first."""

    number: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Directory:
    """Everything a call can reach, with look-ups that never raise: what is not there is None or empty.

    ``rules_version`` counts the sets of rules that were ever stored; it is 0 for a directory that was not.
    ``given_up`` has the numbers of lines that it had, each with its source: the campaign, else the name.
    """

    company: Company
    hours: tuple[Hours, ...] = ()
    people: tuple[Person, ...] = ()
    teams: tuple[Team, ...] = ()
    lines: tuple[Line, ...] = ()
    blocked: tuple[Blocked, ...] = ()
    vip: tuple[Vip, ...] = ()
    rules: tuple[Rule, ...] = ()
    rules_version: int = field(default=0, compare=False)
    do_not_call: tuple[DoNotCall, ...] = ()
    outgoing: Outgoing = BY_DEFAULT
    leads: LeadPolicy = NO_POLICY
    nps: NpsPolicy = NO_NPS
    allowed: tuple[Allowed, ...] = ()
    given_up: Mapping[str, str] = field(default_factory=dict, compare=False)

    def person(self, key: str) -> Person | None:
        """Find a person by key."""
        return self._people.get(key)

    def team(self, key: str) -> Team | None:
        """Find a team by key."""
        return self._teams.get(key)

    def members(self, team: str) -> tuple[Person, ...]:
        """Give a team's people in its order."""
        found = self._teams.get(team)
        return tuple(self._people[key] for key in found.members if key in self._people) if found else ()

    def line(self, number: str) -> Line | None:
        """Find a line by the number dialled, in whatever form the trunk sends it."""
        return self._lines.get(number) or self._lines.get(self.normal(number))

    def hours_of(self, key: str | None) -> Hours | None:
        """Find working hours by key."""
        return self._hours.get(key) if key is not None else None

    def zone_of(self, holder: Person | Team | Line) -> str:
        """Give the time zone a person, a team or a line lives by."""
        return holder.time_zone or self.company.time_zone

    def person_of_device(self, address: str) -> Person | None:
        """Find whose device this is, by its address (TECH/name, or a mobile's number in any form)."""
        key = self._devices.get(address) or self._devices.get(self.normal(address))
        return self._people.get(key) if key else None

    def person_of_number(self, number: str) -> Person | None:
        """Find whose extension or mobile this number is."""
        key = self._staff.get(number) or self._staff.get(self.normal(number))
        return self._people.get(key) if key else None

    def ring_seconds_least(self, line: str) -> int:
        """Give how long a phone must ring before its person had a fair chance, on a line or where none is known."""
        found = self.line(line)
        least = found.ring_seconds_least if found else None
        return self.company.ring_seconds_least if least is None else least

    def follow_up_of(self, line: str) -> FollowUpPolicy:
        """Give who calls back on a line and within how many minutes, every blank filled in."""
        found = self.line(line)
        own, house = found.follow_up if found else FollowUpPolicy(), self.company.follow_up
        return FollowUpPolicy(
            owners=own.owners or house.owners or FOLLOW_UP_OWNERS,
            minutes=own.minutes or house.minutes or FOLLOW_UP_MINUTES,
            person=own.person or house.person,
        )

    def masking_of(self, line: str | None) -> Masking:
        """Give what is masked of talks on a line, or where none is known; every blank filled in."""
        found = self.line(line) if line else None
        own = found.masking if found else UNTOLD
        return own.over(self.company.masking).over(masking.BY_DEFAULT)

    def retention_of(self, line: str, status: str) -> Keep:
        """Give how many days a call on a line that ended so is kept, the line's word before the company's."""
        found = self.line(line)
        return kept(((found.retention,) if found else ()) + (self.company.retention,), status)

    def is_staff(self, number: str) -> bool:
        """Tell whether a number is one of ours: an extension, a mobile of staff, or a line; such are never leads."""
        return self.person_of_number(number) is not None or self.line(number) is not None

    def is_blocked(self, number: str) -> bool:
        """Tell whether this caller is not to be put through; who is allowed is."""
        forms = {number, self.normal(number)}
        return not forms.isdisjoint(self._blocked) and forms.isdisjoint(self._allowed)

    def must_not_be_called(self, number: str) -> bool:
        """Tell whether a number (E.164 digits) is on the list of those whom nobody calls."""
        return number in self._not_called

    def outgoing_line(self, person: Person | None) -> Line | None:
        """Give the line that a person calls out as: their own, a team's, the company's, one of their teams', any."""
        mine = [team for team in self.teams if person and person.key in team.members]
        named = [person.line if person else None, *(team.line for team in mine), self.outgoing.line]
        teams = {team.key for team in mine}
        ours = [line.number for line in self.lines if line.team in teams]
        found = (self._lines.get(number) for number in (*named, *ours) if number)
        return next((line for line in found if line), self.lines[0] if self.lines else None)

    def is_vip(self, number: str) -> bool:
        """Tell whether this caller is on the list of those whom rules may put first."""
        return number in self._vip or self.normal(number) in self._vip

    def rules_of(self, line: Line | None) -> tuple[tuple[Rule, str], ...]:
        """Give the rules in the order they are asked, those of the directory before the built-in ones.

        Beside each stands the condition (line, campaign, language) by which it is not for this line, or nothing; None
        is a line that the directory does not know.
        """
        return self._rules[line.number if line is not None else None]

    def language_of(self, line: Line | None) -> str:
        """Give what callers of a line hear."""
        return (line.language if line is not None else None) or self.company.language

    def normal(self, number: str, line: str = "") -> str:
        """Give the form in which the company stores a number; ``line`` is the line whose caller has it, if one has."""
        return normal(number, self.regions.of(line) if line else self.company.region)

    @cached_property
    def regions(self) -> Regions:
        """Whose national numbers callers' numbers are, line by line."""
        return Regions(self.company.region, {line.number: line.region for line in self.lines if line.region})

    @cached_property
    def _people(self) -> dict[str, Person]:
        return {person.key: person for person in self.people}

    @cached_property
    def _teams(self) -> dict[str, Team]:
        return {team.key: team for team in self.teams}

    @cached_property
    def _lines(self) -> dict[str, Line]:
        return {line.number: line for line in self.lines}

    @cached_property
    def _hours(self) -> dict[str, Hours]:
        return {hours.key: hours for hours in self.hours}

    @cached_property
    def _devices(self) -> dict[str, str]:
        return {device.address: person.key for person in self.people for device in person.devices}

    @cached_property
    def _staff(self) -> dict[str, str]:
        mobiles = (
            (device.address, person.key)
            for person in self.people
            for device in person.devices
            if device.kind == "mobile"
        )
        extensions = (
            (device.number, person.key) for person in self.people for device in person.devices if device.number
        )
        return dict((*mobiles, *extensions))

    @cached_property
    def _not_called(self) -> frozenset[str]:
        return frozenset(entry.number for entry in self.do_not_call)

    @cached_property
    def _blocked(self) -> frozenset[str]:
        return frozenset(entry.number for entry in self.blocked)

    @cached_property
    def _allowed(self) -> frozenset[str]:
        return frozenset(entry.number for entry in self.allowed)

    @cached_property
    def _vip(self) -> frozenset[str]:
        return frozenset(entry.number for entry in self.vip)

    @cached_property
    def _rules(self) -> dict[str | None, tuple[tuple[Rule, str], ...]]:
        rules = (*self.rules, *BUILT_IN)
        told: dict[str | None, tuple[tuple[Rule, str], ...]] = {
            line.number: tuple((rule, self._not_for(rule, line)) for rule in rules) for line in self.lines
        }
        return told | {None: tuple((rule, self._not_for(rule, None)) for rule in rules)}

    def _not_for(self, rule: Rule, line: Line | None) -> str:
        asked = (
            ("line", rule.when.line, line.number if line is not None else ""),
            ("campaign", rule.when.campaign, (line.campaign if line is not None else None) or ""),
            ("language", rule.when.language, self.language_of(line)),
        )
        return next((name for name, wanted, told in asked if wanted and told not in wanted), "")


EMPTY: Final = Directory(company=Company(name=""))
"""What a new database holds."""
