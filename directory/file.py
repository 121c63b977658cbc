"""The directory as a YAML file: read with every fault named by file, line and key, and written back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any, Final, cast

import yaml

from directory import contact, masking, values
from directory.checks import Fault, Problem, check
from directory.hours import read_dates, read_week, write_dates, write_week
from directory.lead_policy import LEADS_MOST
from directory.lead_policy import plain as plain_leads
from directory.lead_policy_file import read_lead_policy
from directory.lead_rule_checks import lead_doubts
from directory.masking import Masking
from directory.masking_file import read_masking
from directory.model import (
    CHANNELS,
    FAIR_RING_SECONDS,
    FOLLOW_UP_MINUTES_MOST,
    FOLLOW_UP_OWNERS,
    KINDS,
    LANGUAGES,
    MOBILE_SECONDS,
    MOBILE_SECONDS_MOST,
    NOTIFY,
    ORDERS,
    RING_SECONDS,
    RING_SECONDS_LEAST,
    RING_SECONDS_MOST,
    RINGS,
    ROLES,
    SHOWS,
    WEIGHT_MOST,
    WRAP_UP_SECONDS_MOST,
    Allowed,
    Blocked,
    Channel,
    Company,
    Consent,
    Device,
    Directory,
    FollowUpOwner,
    FollowUpPolicy,
    Hours,
    Kind,
    Line,
    Order,
    Person,
    Ring,
    Role,
    Shows,
    SpecialDay,
    Team,
    Vip,
)
from directory.nodes import Fields, Reading, Table, read_hours
from directory.nps import plain as plain_nps
from directory.nps_file import read_nps
from directory.outgoing import Callback
from directory.outgoing import plain as plain_outgoing
from directory.outgoing_file import read_callback, read_do_not_call, read_outgoing
from directory.retention import Retention
from directory.retention import plain as plain_retention
from directory.retention_file import read_retention
from directory.rule_checks import doubts
from directory.rule_file import read_rules
from directory.rules import STRATEGIES, Rule, Strategy
from directory.script import Step, Topic, script_json
from directory.script_file import read_script, read_topics

SECTIONS: Final = (
    "company", "hours", "people", "teams", "lines", "blocked", "allowed", "vip", "rules", "do_not_call", "outgoing",
    "leads", "nps",
)  # fmt: skip
_COMPANY: Final = (
    "name", "region", "time_zone", "language", "ring_seconds_least", "follow_up", "masking", "retention",
    "topics",
)  # fmt: skip
_PERSON: Final = (
    "key", "name", "role", "hours", "time_zone", "order", "ring", "calendar", "languages", "skills", "plan", "line",
    "leads_most", "email", "telegram", "notify", "quiet", "devices",
)  # fmt: skip
_DEVICE: Final = ("kind", "address", "number", "trunk", "mobile_seconds")
_TEAM: Final = ("key", "name", "strategy", "members", "hours", "time_zone", "wrap_up_seconds", "line")
_LINE: Final = (
    "number", "name", "trunk", "team", "hours", "time_zone", "region", "language", "campaign", "ring_seconds",
    "mobile_shows", "wrap_up_seconds", "fallback", "emergency", "shows", "callback",
    "ring_seconds_least", "follow_up", "masking", "retention", "consent", "script",
)  # fmt: skip
_CONSENT: Final = ("prompt", "refuse")
_FOLLOW_UP: Final = ("owners", "minutes", "person")
_LISTED: Final = ("number", "note")
_LISTS: Final = {"blocked": Blocked, "allowed": Allowed, "vip": Vip}
_POLICIES: Final[dict[str, Callable[[Reading, Table, str], Any]]] = {
    "do_not_call": read_do_not_call,
    "outgoing": read_outgoing,
    "leads": read_lead_policy,
    "nps": read_nps,
}


class DirectoryError(ValueError):
    """The directory file says something that cannot be; one line for each fault, "FILE:LINE: path: what is wrong"."""

    def __init__(self, lines: list[str], faults: list[Fault] | None = None) -> None:
        """Keep the lines, in the order of the file, and what they tell where it was read as a directory."""
        super().__init__("\n".join(lines))
        self.lines = lines
        self.faults = faults or []


def load(path: Path) -> Directory:
    """Read a directory file; raises DirectoryError with every fault in it."""
    return read(path).directory


@dataclass(frozen=True, slots=True)
class Written:
    """What a file says, and the doubts about it: lines "FILE:LINE: path: …" about what is allowed and hardly meant."""

    directory: Directory
    warnings: tuple[str, ...]


def read(path: Path) -> Written:
    """Read a directory file with the doubts about it; raises DirectoryError with every fault in it."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DirectoryError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise DirectoryError([f"{path}: must be UTF-8 text, byte {error.start} is not"]) from error
    return reads(text, str(path))


def loads(text: str, name: str = "directory.yaml") -> Directory:
    """Read a directory from text; ``name`` stands for the file in what DirectoryError says."""
    return reads(text, name).directory


def reads(text: str, name: str = "directory.yaml") -> Written:
    """Read a directory from text with the doubts about it."""
    reading = Reading()
    directory = _directory(reading, compose(text, name))
    crossed = [problem for problem in check(directory) if problem.path not in {it.path for it in reading.problems}]
    problems = sorted((*reading.problems, *crossed), key=lambda problem: reading.line_of(problem.path))
    if problems:
        faults = [Fault(reading.line_of(problem.path), problem.path, problem.message) for problem in problems]
        raise DirectoryError([_said(name, fault.line, fault) for fault in faults], faults)
    found = (*doubts(directory), *lead_doubts(directory.leads))
    told = tuple(_said(name, reading.line_of(warning.path), warning) for warning in found)
    return Written(directory, told)


def dumps(directory: Directory) -> str:
    """Write a directory as a file that reads back to the same; what is by default is left out."""
    return dump(plain_directory(directory))


def plain_directory(directory: Directory) -> dict[str, Any]:
    """Give a directory as its file holds it, as values that JSON has too; what is by default is left out."""
    whole: dict[str, Any] = {
        "company": {key: told for key in _COMPANY if (told := _plain_value(getattr(directory.company, key)))},
        "hours": {entry.key: _plain_hours(entry) for entry in directory.hours},
        "people": [
            _person_plain(person) | {"devices": [_plain(device, _DEVICE) for device in person.devices]}
            for person in directory.people
        ],
        "teams": [_plain(team, _TEAM) for team in directory.teams],
        "lines": [_plain(line, _LINE) for line in directory.lines],
        "blocked": [_plain(entry, _LISTED) for entry in directory.blocked],
        "allowed": [_plain(entry, _LISTED) for entry in directory.allowed],
        "vip": [_plain(entry, _LISTED) for entry in directory.vip],
        "rules": [rule.to_json() for rule in directory.rules],
        "do_not_call": [_plain(entry, _LISTED) for entry in directory.do_not_call],
        "outgoing": plain_outgoing(directory.outgoing),
        "leads": plain_leads(directory.leads),
        "nps": plain_nps(directory.nps),
    }
    return {section: content for section, content in whole.items() if content}


def dump_rules(rules: Sequence[Rule]) -> str:
    """Write rules as the section of a file."""
    return dump({"rules": [rule.to_json() for rule in rules]})


def dump(told: dict[str, object]) -> str:
    """Write sections as they stand in a file."""
    return str(yaml.safe_dump(told, allow_unicode=True, sort_keys=False, width=120))


def compose(text: str, name: str) -> yaml.Node | None:
    """Read YAML as nodes; raises DirectoryError with the line of what is no YAML."""
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise DirectoryError([f"{name}:{line}: this is not YAML: {error.problem or error.context}"]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        character = chr(int(error.character))
        said = f"{name}:{line}: this is not YAML: the character {character!r} may not stand in it"
        raise DirectoryError([said]) from error
    except RecursionError as error:
        raise DirectoryError([f"{name}:1: this is not a directory: brackets nest too deep"]) from error


def _said(name: str, line: int, problem: Problem | Fault) -> str:
    where = f"{problem.path}: " if problem.path else ""
    return f"{name}:{line}: {where}{problem.message}"


def _directory(reading: Reading, root: yaml.Node | None) -> Directory:
    table = reading.mapping(root, "", SECTIONS)
    company = _company(reading, table)
    told = {section: read_section(reading, section, table, company.region) for section in SECTIONS[1:]}
    return Directory(company=company, **told)


def read_section(reading: Reading, section: str, table: Table, region: str) -> Any:
    """Read what `table`, the file's sections, says in one of them: the value of that field of a Directory."""
    match section:
        case "company":
            return _company(reading, table)
        case "hours":
            return tuple(_hours(reading, *it) for it in reading.mapping(table.get("hours"), "hours").items())
        case "people":
            return tuple(_person(fields, region) for fields in _each(reading, table, section, _PERSON))
        case "teams":
            return tuple(_team(fields, region) for fields in _each(reading, table, section, _TEAM))
        case "lines":
            return tuple(_line(fields, region) for fields in _each(reading, table, section, _LINE))
        case "rules":
            return read_rules(reading, table.get("rules"), region)
        case "do_not_call" | "outgoing" | "leads" | "nps":
            return _POLICIES[section](reading, table, region)
    return tuple(_LISTS[section](**_listed(it, region)) for it in _each(reading, table, section, _LISTED))


def _each(reading: Reading, table: Table, section: str, known: tuple[str, ...]) -> list[Fields]:
    return [
        Fields(reading, path, reading.mapping(node, path, known))
        for path, node in reading.entries(table.get(section), section)
    ]


def _company(reading: Reading, table: Table) -> Company:
    if "company" not in table:
        reading.fault("company", "is missing")
        return Company(name="")
    fields = Fields(reading, "company", reading.mapping(table["company"], "company", _COMPANY))
    default = Company(name="")
    return Company(
        name=fields.needed("name"),
        region=fields.text("region", values.region) or default.region,
        time_zone=fields.text("time_zone", values.time_zone) or default.time_zone,
        language=fields.text("language", values.one_of(LANGUAGES)) or default.language,
        ring_seconds_least=fields.whole("ring_seconds_least", FAIR_RING_SECONDS, 1, RING_SECONDS_MOST),
        follow_up=_follow_up(fields),
        masking=read_masking(fields),
        retention=read_retention(fields),
        topics=read_topics(fields),
    )


def _follow_up(fields: Fields) -> FollowUpPolicy:
    path = f"{fields.path}.follow_up"
    told = Fields(fields.reading, path, fields.reading.mapping(fields.table.get("follow_up"), path, _FOLLOW_UP))
    return FollowUpPolicy(
        owners=cast("tuple[FollowUpOwner, ...]", told.texts("owners", values.one_of(FOLLOW_UP_OWNERS))),
        minutes=told.whole("minutes", 0, 1, FOLLOW_UP_MINUTES_MOST) or None,
        person=told.text("person"),
    )


def _hours(reading: Reading, name: str, node: yaml.Node) -> Hours:
    path = f"hours.{name}"
    table = reading.mapping(node, path)
    fields = Fields(reading, path, {"holidays": table.pop("holidays")} if "holidays" in table else {})
    dates = _dates(reading, table.pop("dates", None), f"{path}.dates")
    try:
        values.key(name)
    except ValueError as error:
        reading.fault(path, f"{error}")
    spans = read_week(read_hours(reading, table, path))
    return Hours(name, spans, fields.text("holidays", values.holidays), dates)


def _dates(reading: Reading, node: yaml.Node | None, path: str) -> tuple[SpecialDay, ...]:
    told: dict[str, str] = {}
    days: tuple[SpecialDay, ...] = ()
    for date, value in reading.mapping(node, path).items():
        child = f"{path}.{date}"
        text = reading.text(value, child)
        try:
            days = read_dates(told | {date: text or ""})
        except ValueError as error:
            reading.fault(child, f"{error}")
        else:
            told[date] = text or ""
    return days


def _person(fields: Fields, region: str) -> Person:
    reading, path = fields.reading, f"{fields.path}.devices"
    devices = tuple(
        _device(Fields(reading, child, reading.mapping(node, child, _DEVICE)), region)
        for child, node in reading.entries(fields.table.get("devices"), path)
    )
    return Person(
        key=fields.needed("key", values.key),
        name=fields.needed("name"),
        role=cast("Role", fields.needed("role", values.one_of(ROLES))),
        devices=devices,
        hours=fields.text("hours"),
        time_zone=fields.text("time_zone", values.time_zone),
        calendar=fields.text("calendar", values.calendar),
        order=cast("Order", fields.text("order", values.one_of(ORDERS)) or ORDERS[0]),
        ring=cast("Ring", fields.text("ring", values.one_of(RINGS)) or RINGS[0]),
        line=fields.text("line", values.line(region)),
        languages=fields.texts("languages", values.spoken),
        skills=fields.texts("skills", values.key),
        plan=fields.whole("plan", 1, 1, WEIGHT_MOST),
        leads_most=fields.count("leads_most", LEADS_MOST, least=1),
        email=fields.text("email", contact.email),
        telegram=fields.text("telegram", contact.chat),
        notify=_notify(fields),
        quiet=fields.text("quiet", contact.quiet),
    )


def _notify(fields: Fields) -> tuple[Channel, ...]:
    told = cast("tuple[Channel, ...]", fields.texts("notify", values.one_of(CHANNELS)))
    if "notify" in fields.table and not told:
        fields.reading.fault(f"{fields.path}.notify", f"must name at least one of {', '.join(CHANNELS)}")
    return told or NOTIFY


def _device(fields: Fields, region: str) -> Device:
    kind = fields.needed("kind", values.one_of(KINDS))
    mobile = kind == "mobile"
    if kind in {"desk", "soft"} and fields.text("mobile_seconds"):
        fields.reading.fault(f"{fields.path}.mobile_seconds", f"is for a mobile only, and this is a {kind}")
    return Device(
        kind=cast("Kind", kind),
        address=fields.needed("address", values.mobile(region) if mobile else values.address),
        number=fields.text("number", values.extension),
        trunk=fields.needed("trunk", values.trunk) if mobile else fields.text("trunk", values.trunk),
        mobile_seconds=_mobile_seconds(fields) if mobile else None,
    )


def _mobile_seconds(fields: Fields) -> int | None:
    """Read how long a mobile rings; the usual time is None, whether it is written or not."""
    seconds = fields.whole("mobile_seconds", MOBILE_SECONDS, RING_SECONDS_LEAST, MOBILE_SECONDS_MOST)
    return None if seconds == MOBILE_SECONDS else seconds


def _team(fields: Fields, region: str) -> Team:
    members = fields.texts("members")
    if not members:
        fields.reading.fault(f"{fields.path}.members", "must name at least one person")
    return Team(
        key=fields.needed("key", values.key),
        name=fields.needed("name"),
        strategy=cast("Strategy", fields.text("strategy", values.one_of(STRATEGIES)) or "ring_all"),
        members=members,
        hours=fields.text("hours"),
        time_zone=fields.text("time_zone", values.time_zone),
        wrap_up_seconds=_optional(fields, "wrap_up_seconds", WRAP_UP_SECONDS_MOST),
        line=fields.text("line", values.line(region)),
    )


def _line(fields: Fields, region: str) -> Line:
    return Line(
        number=fields.needed("number", values.line(region)),
        name=fields.needed("name"),
        team=fields.needed("team"),
        trunk=fields.text("trunk", values.trunk),
        hours=fields.text("hours"),
        time_zone=fields.text("time_zone", values.time_zone),
        language=fields.text("language", values.one_of(LANGUAGES)),
        ring_seconds=fields.whole("ring_seconds", RING_SECONDS, RING_SECONDS_LEAST, RING_SECONDS_MOST),
        mobile_shows=cast("Shows", fields.text("mobile_shows", values.one_of(SHOWS)) or SHOWS[0]),
        fallback=fields.texts("fallback", values.address),
        wrap_up_seconds=_optional(fields, "wrap_up_seconds", WRAP_UP_SECONDS_MOST),
        emergency=fields.text("emergency", values.mobile(region)),
        shows=fields.text("shows", values.mobile(region)),
        callback=read_callback(fields),
        ring_seconds_least=fields.whole("ring_seconds_least", 0, 1, RING_SECONDS_MOST) or None,
        follow_up=_follow_up(fields),
        campaign=fields.text("campaign"),
        region=fields.text("region", values.region),
        masking=read_masking(fields),
        retention=read_retention(fields),
        consent=_consent(fields),
        script=read_script(fields),
    )


def _consent(line: Fields) -> Consent | None:
    """Read what callers of a line hear before they are recorded; None, nothing, without it."""
    if "consent" not in line.table:
        return None
    path = f"{line.path}.consent"
    fields = Fields(line.reading, path, line.reading.mapping(line.table["consent"], path, _CONSENT))
    return Consent(prompt=fields.needed("prompt", values.message), refuse=fields.text("refuse", values.refusal_key))


def _optional(fields: Fields, key: str, most: int) -> int | None:
    return fields.whole(key, 0, 0, most) if fields.text(key) is not None else None


def _listed(fields: Fields, region: str) -> dict[str, str]:
    return {"number": fields.needed("number", values.line(region)), "note": fields.text("note") or ""}


def _person_plain(person: Person) -> dict[str, object]:
    told = _plain(person, _PERSON)
    return told if person.plan != 1 else {name: value for name, value in told.items() if name != "plan"}


def _plain_hours(hours: Hours) -> dict[str, object]:
    dates = {"dates": write_dates(hours.dates)} if hours.dates else {}
    return {**write_week(hours.spans), **({"holidays": hours.holidays} if hours.holidays else {}), **dates}


def _plain(value: object, keys: tuple[str, ...]) -> dict[str, object]:
    found: Mapping[str, object] = {key: getattr(value, key) for key in keys if key != "devices"}
    usual = {field.name: field.default for field in fields_of(value)}  # type: ignore[arg-type]  # a model class
    told = {key: _plain_value(content) for key, content in found.items() if content not in (None, usual[key])}
    return {key: content for key, content in told.items() if content not in ("", [], {})}


def _plain_value(content: object) -> object:
    if isinstance(content, FollowUpPolicy):
        return _plain(content, _FOLLOW_UP)
    if isinstance(content, Masking):
        return masking.plain(content)
    if isinstance(content, Retention):
        return plain_retention(content)
    if isinstance(content, Callback):
        return {"first": content.first} | plain_outgoing(content)
    if isinstance(content, Consent):
        return _plain(content, _CONSENT)
    if isinstance(content, tuple):
        return _plain_list(content)
    return content


def _plain_list(content: tuple[object, ...]) -> object:
    steps = [entry for entry in content if isinstance(entry, Step)]
    topics = [entry for entry in content if isinstance(entry, Topic)]
    if topics:
        return {topic.name: list(topic.words) for topic in topics}
    return script_json(steps) if steps else list(content)
