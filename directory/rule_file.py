"""The rules section of a directory file: read with every fault named."""

from typing import Final, cast

import yaml

from directory import values
from directory.model import LANGUAGES
from directory.nodes import Fields, Reading, read_hours
from directory.rules import (
    DESTINATIONS,
    DESTINATIONS_MOST,
    LEAD_STAGES,
    PERSON_STATES,
    REJECTS,
    RELATIVE,
    STRATEGIES,
    Destination,
    DestinationKind,
    PersonState,
    Rule,
    TeamLoad,
    When,
    open_by_default,
)

SECONDS_MOST: Final = 3600
_COUNT_MOST: Final = 1000
_RULE: Final = ("name", "when", "then")
_WHEN: Final = (
    "line", "campaign", "language", "blocked", "vip", "known", "number", "stage", "open", "hours", "outside", "time",
    "owner", "owner_is", "last_talked", "team",
)  # fmt: skip
_LOAD: Final = ("key", "free_at_least", "free_at_most", "waiting_at_least", "waiting_at_most")
_TEAMS_OWN: Final = ("strategy", "skills", "languages")


def read_rules(reading: Reading, node: yaml.Node | None, region: str) -> tuple[Rule, ...]:
    """Read the list of rules; faults are kept in ``reading``."""
    return tuple(
        _rule(Fields(reading, path, reading.mapping(entry, path, _RULE)), region)
        for path, entry in reading.entries(node, "rules")
    )


def _rule(fields: Fields, region: str) -> Rule:
    reading, path = fields.reading, fields.path
    when = reading.mapping(fields.table.get("when"), f"{path}.when", _WHEN)
    entries = reading.entries(fields.table.get("then"), f"{path}.then")
    if not entries:
        reading.fault(f"{path}.then", "must name at least one destination, as in {ring: owner}")
    if len(entries) > DESTINATIONS_MOST:
        reading.fault(f"{path}.then", f"must have at most {DESTINATIONS_MOST} destinations, got {len(entries)}")
    found = (_destination(reading, child, node, region) for child, node in entries)
    return Rule(
        name=fields.needed("name", values.key),
        when=_when(Fields(reading, f"{path}.when", when), region),
        then=tuple(it for it in found if it is not None),
    )


def _when(fields: Fields, region: str) -> When:
    hours, outside, time = fields.some("hours"), fields.some("outside"), _time(fields)
    told = fields.text("open", values.one_of(("true", "false", "any")))
    opens = open_by_default(hours, outside, time) if told is None else {"true": True, "false": False}.get(told)
    return When(
        line=fields.some("line", values.line(region)),
        campaign=fields.some("campaign"),
        language=fields.some("language", values.one_of(LANGUAGES)),
        blocked=fields.flag("blocked") or False,
        vip=fields.flag("vip"),
        known=fields.flag("known"),
        number=fields.some("number", values.beginning),
        stage=fields.some("stage", values.one_of(LEAD_STAGES)),
        open=opens,
        hours=hours,
        outside=outside,
        time=time,
        owner=cast("PersonState | None", fields.text("owner", values.one_of(PERSON_STATES))),
        owner_is=fields.some("owner_is"),
        last_talked=cast("PersonState | None", fields.text("last_talked", values.one_of(PERSON_STATES))),
        team=_load(fields) if "team" in fields.table else None,
    )


def _time(fields: Fields) -> tuple[tuple[str, str], ...]:
    path, node = f"{fields.path}.time", fields.table.get("time")
    table = fields.reading.mapping(node, path)
    if node is not None and not table:
        fields.reading.fault(path, "must name days and hours, as in {mon-fri: 09:00-18:00}")
    return tuple(sorted(read_hours(fields.reading, table, path).items()))


def _load(fields: Fields) -> TeamLoad:
    path = f"{fields.path}.team"
    own = Fields(fields.reading, path, fields.reading.mapping(fields.table["team"], path, _LOAD))
    if not own.table.keys() - {"key"}:
        fields.reading.fault(path, f"must ask for at least one of {', '.join(_LOAD[1:])}")
    return TeamLoad(
        key=own.text("key") or "",
        free_at_least=own.whole("free_at_least", 0, 0, _COUNT_MOST),
        free_at_most=own.count("free_at_most", _COUNT_MOST),
        waiting_at_least=own.whole("waiting_at_least", 0, 0, _COUNT_MOST),
        waiting_at_most=own.count("waiting_at_most", _COUNT_MOST),
    )


def _destination(reading: Reading, path: str, node: yaml.Node, region: str) -> Destination | None:
    table = reading.mapping(node, path, (*DESTINATIONS, *_TEAMS_OWN, "seconds"))
    kinds = [name for name in DESTINATIONS if name in table]
    if len(kinds) != 1:
        reading.fault(path, f"must name exactly one of {', '.join(DESTINATIONS)}, got {', '.join(kinds) or 'none'}")
        return None
    fields = Fields(reading, path, table)
    kind: DestinationKind = kinds[0]
    to = fields.needed(kind, _check(kind, region))
    if kind != "team" and (kind, to) != ("ring", "team"):
        for name in _TEAMS_OWN:
            if name in table:
                reading.fault(f"{path}.{name}", f"is for a team, not for {kind} {to}")
    if kind in {"message", "reject", "ring", "person", "team"} and "seconds" in table:
        reading.fault(f"{path}.seconds", f"is for hold, queue, voicemail and number, not for {kind}")
    return Destination(
        kind=kind,
        to=to,
        strategy=fields.text("strategy", values.one_of(STRATEGIES)) or "",
        skills=fields.some("skills", values.key),
        languages=fields.some("languages", values.spoken),
        seconds=fields.count("seconds", SECONDS_MOST, least=1),
    )


def _check(kind: str, region: str) -> values.Check:
    """Give the check of what a destination of this kind names."""
    checks: dict[str, values.Check] = {
        "ring": values.one_of(RELATIVE),
        "queue": values.queue,
        "voicemail": values.voicemail,
        "number": values.mobile(region),
        "message": values.message,
        "reject": values.one_of(REJECTS),
    }
    return checks.get(kind, str)
