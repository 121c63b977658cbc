"""The directory in PostgreSQL: read whole, compared, and replaced all or nothing."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Table, delete, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from directory import difference as differences
from directory import masking, tables, versions
from directory.checks import check
from directory.hours import read_dates, read_spans, write_dates, write_week
from directory.lead_policy import plain as plain_leads
from directory.lead_policy import policy_from
from directory.model import (
    DAYS,
    EMPTY,
    Allowed,
    Blocked,
    Company,
    Consent,
    Device,
    Directory,
    DoNotCall,
    FollowUpPolicy,
    Hours,
    Line,
    Person,
    Span,
    Team,
    Vip,
)
from directory.nps import nps_from
from directory.nps import plain as plain_nps
from directory.numbers import Regions
from directory.outgoing import Callback, outgoing_from, plain
from directory.retention import plain as plain_retention
from directory.retention import retention_from
from directory.rules import Rule
from directory.script import script_from, script_json, topics_from, topics_json

COMMAND_LINE: Final = "command line"

CHANNEL: Final = "switchhook_directory"
"""NOTIFY channel; sent once in the transaction that changes the directory, without a payload."""

_LOCK: Final = text("select pg_advisory_xact_lock(hashtext('switchhook directory'))")
_NOTIFY: Final = text("select pg_notify(:channel, '')")

Values = dict[str, Any]

_PERSON: Final = (
    "key", "name", "role", "hours", "time_zone", "order", "ring", "calendar", "languages", "skills", "plan", "line",
    "leads_most", "email", "telegram", "notify", "quiet",
)  # fmt: skip
_TEAM: Final = ("key", "name", "strategy", "hours", "time_zone", "wrap_up_seconds", "line")
_LINE: Final = (
    "number", "name", "trunk", "team", "hours", "time_zone", "region", "language", "campaign", "ring_seconds",
    "mobile_shows", "wrap_up_seconds", "emergency", "shows",
    "ring_seconds_least",
)  # fmt: skip


class DirectoryRefused(ValueError):
    """A directory contradicts itself and was not stored; one line for each fault."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A set of rules, and when it was stored."""

    version: int
    at: datetime
    rules: tuple[Rule, ...]


async def read(connection: AsyncConnection) -> Directory:
    """Read the whole directory; ``EMPTY`` when none was ever applied."""
    company = (await connection.execute(select(tables.company))).one_or_none()
    if company is None:
        return EMPTY
    devices = _by("person", await _rows(connection, tables.devices))
    members = _by("team", await _rows(connection, tables.team_members))
    version, rules = await _rules(connection)
    return Directory(
        company=_company(company),
        hours=tuple(
            Hours(row.key, _spans(row.week), row.holidays, read_dates(row.dates))
            for row in await _rows(connection, tables.hours)
        ),
        people=tuple(_person(row, devices[row.key]) for row in await _rows(connection, tables.people)),
        teams=tuple(_team(row, members[row.key]) for row in await _rows(connection, tables.teams)),
        lines=tuple(_line(row) for row in await _rows(connection, tables.lines)),
        blocked=tuple(
            Blocked(number=row.number, note=row.note) for row in await _rows(connection, tables.blocked_numbers)
        ),
        allowed=tuple(
            Allowed(number=row.number, note=row.note) for row in await _rows(connection, tables.allowed_numbers)
        ),
        do_not_call=tuple(
            DoNotCall(number=row.number, note=row.note) for row in await _rows(connection, tables.do_not_call)
        ),
        outgoing=outgoing_from(company.outgoing),
        leads=policy_from(company.leads),
        nps=nps_from(company.nps),
        vip=tuple(Vip(number=row.number, note=row.note) for row in await _rows(connection, tables.vip_numbers)),
        rules=rules,
        rules_version=version,
        given_up={row.number: row.source for row in await connection.execute(text(versions.GIVEN_UP))},
    )


async def difference(connection: AsyncConnection, directory: Directory) -> list[str]:
    """Tell what ``apply`` would change, one line for each thing."""
    return differences.difference(await read(connection), directory)


async def hold(connection: AsyncConnection) -> None:
    """Let nobody else apply a directory until the caller's transaction ends."""
    await connection.execute(_LOCK)


async def apply(connection: AsyncConnection, directory: Directory, *, by: str = COMMAND_LINE) -> list[str]:
    """Make the stored directory equal to this one, in the caller's transaction, and tell what changed.

    `by` is whose name stands at it in the history. Rows are kept by their keys, so logins stay tied to their people;
    what is absent is removed. Two applies wait for each other. Raises DirectoryRefused when the directory contradicts
    itself, before anything is written.
    """
    problems = check(directory)
    if problems:
        raise DirectoryRefused("\n".join(f"{problem.path}: {problem.message}" for problem in problems))
    await hold(connection)
    before = await read(connection)
    changes = differences.difference(before, directory)
    if not changes:
        return changes
    await _write(connection, directory)
    await _write_rules(connection, directory.rules)
    await versions.keep(connection, before, directory, by)
    await connection.execute(_NOTIFY, {"channel": CHANNEL})
    return changes


async def rule_versions(connection: AsyncConnection) -> list[RuleVersion]:
    """Read every set of rules there ever was, oldest first."""
    rows = await connection.execute(select(tables.rule_versions).order_by(tables.rule_versions.c.version))
    return [RuleVersion(row.version, row.at, tuple(Rule.from_json(it) for it in row.rules)) for row in rows]


async def _rules(connection: AsyncConnection) -> tuple[int, tuple[Rule, ...]]:
    """Read the number of the set of rules in force, and its rules; 0 and none when there never were any."""
    versions = tables.rule_versions
    last = (await connection.execute(select(versions).order_by(versions.c.version.desc()).limit(1))).first()
    return (last.version, tuple(Rule.from_json(it) for it in last.rules)) if last is not None else (0, ())


async def _write_rules(connection: AsyncConnection, rules: tuple[Rule, ...]) -> None:
    """Add the next version when these are other rules than those in force."""
    version, known = await _rules(connection)
    if rules != known:
        told = {"version": version + 1, "rules": [rule.to_json() for rule in rules]}
        await connection.execute(insert(tables.rule_versions).values(told))


async def _write(connection: AsyncConnection, directory: Directory) -> None:
    """Insert or update from what is pointed to up to what points, then remove in the opposite order."""
    rows: list[tuple[Table, list[Values]]] = [
        (tables.company, [_company_values(directory)]),
        (tables.hours, [_hours(it) for it in directory.hours]),
        (tables.people, [_fields(it, *_PERSON) for it in directory.people]),
        (tables.devices, [_device(it, person) for person in directory.people for it in person.devices]),
        (tables.teams, [_fields(it, *_TEAM) for it in directory.teams]),
        (tables.team_members, [{"team": it.key, "person": key} for it in directory.teams for key in it.members]),
        (tables.lines, [_line_values(it) for it in directory.lines]),
        (tables.blocked_numbers, [_fields(it, "number", "note") for it in directory.blocked]),
        (tables.allowed_numbers, [_fields(it, "number", "note") for it in directory.allowed]),
        (tables.do_not_call, [_fields(it, "number", "note") for it in directory.do_not_call]),
        (tables.vip_numbers, [_fields(it, "number", "note") for it in directory.vip]),
    ]
    for table, values in rows:
        await _put(connection, table, values)
    for table, values in reversed(rows):
        key = tuple(table.primary_key.columns)
        kept = [tuple(entry[column.name] for column in key) for entry in values]
        await connection.execute(delete(table).where(tuple_(*key).not_in(kept)))


async def _put(connection: AsyncConnection, table: Table, values: Sequence[Values]) -> None:
    if not values:
        return
    if "position" in table.c:
        values = [{**entry, "position": position} for position, entry in enumerate(values)]
    statement = insert(table).values(values)
    changed = {name: statement.excluded[name] for name in values[0] if not table.c[name].primary_key}
    await connection.execute(statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changed))


async def _rows(connection: AsyncConnection, table: Table) -> Sequence[Row[Any]]:
    return (await connection.execute(select(table).order_by(table.c.position))).all()


def _fields(value: object, *names: str) -> Values:
    return {name: getattr(value, name) for name in names}


def _device(device: Device, person: Person) -> Values:
    return {**_fields(device, "address", "kind", "number", "trunk", "mobile_seconds"), "person": person.key}


def _company_values(directory: Directory) -> Values:
    own = _fields(directory.company, "name", "region", "time_zone", "language", "ring_seconds_least")
    policies = {
        "follow_up": _policy_values(directory.company.follow_up),
        "masking": masking.plain(directory.company.masking),
        "retention": plain_retention(directory.company.retention),
        "topics": topics_json(directory.company.topics),
    }
    house = {
        "outgoing": plain(directory.outgoing),
        "leads": plain_leads(directory.leads),
        "nps": plain_nps(directory.nps),
    }
    return {"id": 1, **own, **policies, **house}


async def read_regions(connection: AsyncConnection) -> Regions:
    """Read whose national numbers callers' numbers are, and nothing else of the directory."""
    company: str = (await connection.execute(select(tables.company.c.region))).scalar() or ""
    own = select(tables.lines.c.number, tables.lines.c.region).where(tables.lines.c.region.is_not(None))
    return Regions(company, {row.number: row.region for row in await connection.execute(own)})


def _line_values(line: Line) -> Values:
    callback = None if line.callback is None else plain(line.callback)
    return {
        **_fields(line, *_LINE),
        "fallback": list(line.fallback),
        "callback": callback,
        "consent": None if line.consent is None else asdict(line.consent),
        "follow_up": _policy_values(line.follow_up),
        "masking": masking.plain(line.masking),
        "retention": plain_retention(line.retention),
        "script": script_json(line.script),
    }


def _hours(hours: Hours) -> Values:
    dates = {it.date.isoformat(): text for it in hours.dates for text in write_dates([it]).values()}
    return {"key": hours.key, "week": _week(hours.spans), "holidays": hours.holidays, "dates": dates}


def _policy_values(policy: FollowUpPolicy) -> Values:
    told = {"owners": list(policy.owners), "minutes": policy.minutes, "person": policy.person}
    return {name: value for name, value in told.items() if value}


def _week(spans: Sequence[Span]) -> dict[str, str]:
    return {
        day: hours for at, day in enumerate(DAYS) for hours in write_week(it for it in spans if it.day == at).values()
    }


def _spans(week: Mapping[str, str]) -> tuple[Span, ...]:
    return tuple(span for day, name in enumerate(DAYS) if name in week for span in read_spans(day, week[name]))


def _company(row: Row[Any]) -> Company:
    return Company(
        name=row.name,
        region=row.region,
        time_zone=row.time_zone,
        language=row.language,
        ring_seconds_least=row.ring_seconds_least,
        follow_up=_policy(row.follow_up),
        masking=masking.masking_from(row.masking),
        retention=retention_from(row.retention),
        topics=topics_from(row.topics),
    )


def _policy(told: Mapping[str, Any]) -> FollowUpPolicy:
    return FollowUpPolicy(owners=tuple(told.get("owners", ())), minutes=told.get("minutes"), person=told.get("person"))


def _by(column: str, rows: Sequence[Row[Any]]) -> Mapping[str, list[Row[Any]]]:
    """The rows by one of their columns, each in their order; none for what none has."""
    found: defaultdict[str, list[Row[Any]]] = defaultdict(list)
    for row in rows:
        found[getattr(row, column)].append(row)
    return found


def _person(row: Row[Any], devices: Sequence[Row[Any]]) -> Person:
    own = tuple(
        Device(kind=it.kind, address=it.address, number=it.number, trunk=it.trunk, mobile_seconds=it.mobile_seconds)
        for it in devices
    )
    return Person(devices=own, **{name: _tuple(getattr(row, name)) for name in _PERSON})


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _team(row: Row[Any], members: Sequence[Row[Any]]) -> Team:
    return Team(members=tuple(it.person for it in members), **{name: getattr(row, name) for name in _TEAM})


def _line(row: Row[Any]) -> Line:
    callback = None if row.callback is None else Callback(**row.callback)
    told = {name: getattr(row, name) for name in _LINE}
    consent = None if row.consent is None else Consent(**row.consent)
    return Line(
        fallback=tuple(row.fallback),
        callback=callback,
        follow_up=_policy(row.follow_up),
        masking=masking.masking_from(row.masking),
        retention=retention_from(row.retention),
        consent=consent,
        script=script_from(row.script),
        **told,
    )
