"""The file's `leads:`, read from YAML nodes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, cast

import yaml

from directory import values
from directory.lead_policy import (
    CALL_TYPES,
    DAYS_MOST,
    DISQUALIFIED,
    DOES,
    FIRST_STAGES,
    LEADS_MOST,
    LOST,
    MAKES,
    MINUTES_MOST,
    NO_POLICY,
    OWNER_RULES,
    CallType,
    Do,
    FunnelStep,
    LeadPolicy,
    LeadRule,
    Make,
    OwnerRule,
    OwnReason,
    RevivalChain,
    RevivalStep,
    TaskWish,
)
from directory.nodes import Fields, Reading, Table

_POLICY: Final = (
    "rules", "funnel", "disqualified", "lost", "minutes", "remind_minutes", "forgotten_days", "leads_most", "lost_days",
    "revival", "return_owner",
)  # fmt: skip
_RULE: Final = ("name", "lines", "types", "known", "make", "stage", "owner", "reassign", "minutes", "task")
_TASK: Final = ("text", "minutes")
_STEP: Final = ("key", "name", "minutes")
_REASON: Final = ("key", "name")
_CHAIN: Final = ("name", "steps", "reasons", "fields")
_REVIVAL: Final = ("days", "do", "text")
TARGETS: Final = ("new", "qualifying", "qualified", "in_work")
TEXT_MOST: Final = 1000
ENTRIES_MOST: Final = 100
_PLACE: Final = re.compile(r"\{[^{}]*\}")


def read_lead_policy(reading: Reading, table: Table, region: str) -> LeadPolicy:
    """Read what the house says of leads; nothing told: the default of everything."""
    fields = _inside(reading, "leads", table.get("leads"), _POLICY)
    return LeadPolicy(
        rules=tuple(_rule(entry, region) for entry in _each(fields, "rules", _RULE)),
        funnel=tuple(_step(entry) for entry in _each(fields, "funnel", _STEP)),
        disqualified=_reasons(fields, "disqualified", DISQUALIFIED),
        lost=_reasons(fields, "lost", LOST),
        minutes=_minutes(fields),
        remind_minutes=fields.whole("remind_minutes", NO_POLICY.remind_minutes, 1, MINUTES_MOST),
        forgotten_days=fields.whole("forgotten_days", NO_POLICY.forgotten_days, 1, DAYS_MOST),
        leads_most=fields.count("leads_most", LEADS_MOST, least=1),
        lost_days=fields.whole("lost_days", NO_POLICY.lost_days, 0, DAYS_MOST),
        revival=tuple(_chain(entry) for entry in _each(fields, "revival", _CHAIN)),
        return_owner=_owners(fields, "return_owner"),
    )


def _inside(reading: Reading, path: str, node: yaml.Node | None, known: tuple[str, ...] | None = None) -> Fields:
    return Fields(reading, path, reading.mapping(node, path, known))


def _each(fields: Fields, key: str, known: tuple[str, ...]) -> list[Fields]:
    path = f"{fields.path}.{key}"
    entries = fields.reading.entries(fields.table.get(key), path)
    if len(entries) > ENTRIES_MOST:
        fields.reading.fault(path, f"must have at most {ENTRIES_MOST} entries, got {len(entries)}")
    return [_inside(fields.reading, child, node, known) for child, node in entries]


def _rule(fields: Fields, region: str) -> LeadRule:
    task = fields.table.get("task")
    minutes = fields.count("minutes", MINUTES_MOST, least=1)
    return LeadRule(
        name=fields.needed("name", values.key),
        lines=fields.some("lines", values.line(region)),
        types=cast("tuple[CallType, ...]", fields.some("types", values.one_of(CALL_TYPES))),
        known=fields.flag("known"),
        make=cast("Make", fields.text("make", values.one_of(MAKES)) or "lead"),
        stage=fields.text("stage", values.one_of(FIRST_STAGES)) or "",
        owner=_owners(fields, "owner"),
        reassign=fields.flag("reassign") or False,
        minutes=minutes,
        task=_task(_inside(fields.reading, f"{fields.path}.task", task, _TASK)) if task is not None else None,
    )


def _task(fields: Fields) -> TaskWish:
    return TaskWish(text=fields.needed("text", _short), minutes=fields.whole("minutes", 60, 1, MINUTES_MOST))


def _step(fields: Fields) -> FunnelStep:
    minutes = fields.count("minutes", MINUTES_MOST, least=1)
    return FunnelStep(key=fields.needed("key", values.key), name=fields.needed("name", _short), minutes=minutes)


def _reasons(fields: Fields, key: str, taken: tuple[str, ...]) -> tuple[OwnReason, ...]:
    def free(value: str) -> str:
        if value in taken:
            raise ValueError(f"{value!r} is a reason that there is without a word of it")
        return values.key(value)

    return tuple(
        OwnReason(key=entry.needed("key", free), name=entry.needed("name", _short))
        for entry in _each(fields, key, _REASON)
    )


def _minutes(fields: Fields) -> dict[str, int]:
    told = _inside(fields.reading, f"{fields.path}.minutes", fields.table.get("minutes"), TARGETS)
    found = {stage: told.count(stage, MINUTES_MOST, least=1) for stage in TARGETS}
    return {stage: minutes for stage, minutes in found.items() if minutes is not None}


def _chain(fields: Fields) -> RevivalChain:
    path = f"{fields.path}.fields"
    asked = _inside(fields.reading, path, fields.table.get("fields"))
    steps = tuple(_revival(entry) for entry in _each(fields, "steps", _REVIVAL))
    if not steps:
        fields.reading.fault(f"{fields.path}.steps", "must have at least one step")
    if [step.days for step in steps] != sorted(step.days for step in steps):
        fields.reading.fault(f"{fields.path}.steps", "must go by days, the earliest first")
    return RevivalChain(
        name=fields.needed("name", values.key),
        steps=steps,
        reasons=fields.some("reasons"),
        fields={name: asked.some(name, _short) for name in asked.table},
    )


def _revival(fields: Fields) -> RevivalStep:
    return RevivalStep(
        days=int(fields.needed("days", _days) or 0),
        do=cast("Do", fields.needed("do", values.one_of(DOES)) or "task"),
        text=fields.needed("text", _revived),
    )


def _days(value: str) -> str:
    if not value.isascii() or not value.isdigit() or not 0 <= int(value[:9]) <= DAYS_MOST:
        raise ValueError(f"must be a whole number from 0 to {DAYS_MOST}, got {value!r}")
    return value


def _owners(fields: Fields, key: str) -> tuple[OwnerRule, ...]:
    check: Callable[[str], str] = values.one_of(OWNER_RULES)
    return cast("tuple[OwnerRule, ...]", fields.some(key, check))


def _revived(value: str) -> str:
    """Check the words of a step: they stand without the name of a client who has told none."""
    unknown = next((found for found in _PLACE.findall(value) if found != "{name}"), None)
    if unknown is not None:
        raise ValueError(f"knows no {unknown!r}, only {{name}}")
    if not value.replace("{name}", "").strip(" ,\t\r\n"):
        raise ValueError(f"must say something beside {{name}}: some clients have none, got {value!r}")
    return _short(value)


def _short(value: str) -> str:
    if len(value) > TEXT_MOST:
        raise ValueError(f"must be at most {TEXT_MOST} characters, got {len(value)}")
    return value
