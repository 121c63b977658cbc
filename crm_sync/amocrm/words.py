"""What amoCRM (Kommo) is told, in its own words (pure).

Facts: amocrm.ru/developers and developers.kommo.com (API v4), and the vendor's client amocrm/amocrm-api-php for what a
note may hold.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

from crm_sync.amocrm.cards import LOST, TAG, WON, embedded
from crm_sync.crm import HeldCall
from crm_sync.told import CrmCall, CrmLead, CrmTask
from directory.numbers import e164, is_anonymous, is_short, show

Language = Literal["ru", "en"]

USERS: Final = frozenset({"responsible_user_id", "created_by"})
"""Fields that name a user; one who does not work there any more is refused."""

_KEY: Final = re.compile("[0-9a-f]{32}")
_SOURCE: Final = "Switchhook"
_TALKED, _NO_ANSWER = 4, 6
_TYPES: Final[Mapping[str, str]] = {"inbound": "call_in", "outbound": "call_out"}
_STATUSES: Final[Mapping[str, int]] = {"won": WON, "lost": LOST, "disqualified": LOST}
_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "ru": {
        "lead": "Звонок",
        "task": "Перезвонить",
        "recording": "Запись разговора",
        "transcript": "Текст разговора",
        "done": "Перезвонили",
        "source": "Звонки",
    },
    "en": {
        "lead": "Call",
        "task": "Call back",
        "recording": "Recording",
        "transcript": "Transcript",
        "done": "Called back",
        "source": "Calls",
    },
}


def without_users(item: Mapping[str, Any]) -> dict[str, Any]:
    """The same body, nobody's."""
    return {key: _nobodys(value) for key, value in item.items() if key not in USERS}


def _nobodys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_users(value)
    return [_nobodys(one) for one in value] if isinstance(value, list) else value


def told(**values: Any) -> dict[str, Any]:
    """A body without what is not known: amoCRM refuses nulls."""
    return {key: value for key, value in values.items() if value is not None}


def tellable(number: str | None) -> bool:
    """Whether amoCRM may be told of a number: it refuses hidden callers, and colleagues are not its business."""
    return number is not None and number.isdigit() and not is_anonymous(number) and not is_short(number)


def written(number: str) -> str:
    """A number as amoCRM is told it: with a plus where it is a whole one."""
    return f"+{number}" if e164(f"+{number}", "ZZ") == number else number


def not_there(
    pipelines: Sequence[Mapping[str, Any]], pipeline: int | None, statuses: Collection[int | None]
) -> list[str]:
    """What settings name and the account has not: a pipeline, and statuses of any."""
    known = {int(one["id"]): {int(status["id"]) for status in embedded(one, "statuses")} for one in pipelines}
    lacks = [f"pipeline {pipeline}"] if pipeline is not None and pipeline not in known else []
    there = {None, WON, LOST}.union(*known.values())
    return lacks + [f"status {status}" for status in statuses if status not in there]


def call_note(key: str, place: int, call: CrmCall, user: int | None, link: str | None, *, late: bool) -> dict[str, Any]:
    """A call as a note. `late`: it is told long after it was, so it carries its own time.

    A note may hold what `POST /calls` holds (the vendor's client, CallNote.php), goes exactly where it is put, and can
    be read back; that endpoint goes by ten digits and nothing of it can be read, changed or taken back.
    """
    params = told(
        uniq=key,
        duration=round(call.talk_seconds),
        source=call.line or _SOURCE,
        link=link,
        phone=written(call.number or ""),
        call_status=_TALKED if call.status == "answered" else _NO_ANSWER,
        call_responsible=user,
    )
    at = call.started_at or call.ended_at
    return told(
        entity_id=place,
        note_type=_TYPES.get(call.direction, "call_in"),
        responsible_user_id=user,
        created_by=user,
        created_at=int(at.timestamp()) if late and at else None,
        params=params,
        request_id=key,
    )


def held_call(kind: str, note: Mapping[str, Any]) -> HeldCall | None:
    """A call that a note of a kind of card tells; None: another telephone system's.

    `call_note` gives each a key in 32 hexadecimal signs and a line, or our name, as its source.
    """
    params = note.get("params") or {}
    uniq, source = str(params.get("uniq", "")), str(params.get("source", ""))
    if not _KEY.fullmatch(uniq) or not (source.isdigit() or source == _SOURCE):
        return None
    talked = params.get("call_responsible")
    return HeldCall(
        f"{kind}/{note['entity_id']}/notes/{note['id']}",
        key=UUID(uniq),
        at=datetime.fromtimestamp(note["created_at"], UTC),
        seconds=float(params["duration"]) if "duration" in params else None,
        owner=str(talked) if talked else None,
    )


def common_note(key: str, place: int, text: str) -> dict[str, Any]:
    """A text; its last line is what it is found again by."""
    return {"entity_id": place, "note_type": "common", "params": {"text": f"{text}\n№ {key}"}, "request_id": key}


def lead_body(  # all that a lead begins with
    key: str,
    number: str,
    name: str | None,
    user: int | None,
    stage: tuple[int | None, int | None],
    words: Language,
    within: Mapping[str, Any],
) -> dict[str, Any]:
    """A lead; `stage` is (pipeline, status), None for the account's first. `within`: its contact, or its card."""
    return told(
        name=f"{_WORDS[words]['lead']} {name or show(number)}",
        pipeline_id=stage[0],
        status_id=stage[1],
        responsible_user_id=user,
        request_id=key,
        _embedded={**within, "tags": [{"name": TAG}]},
    )


def contact_body(number: str, name: str | None, user: int | None) -> dict[str, Any]:
    """A contact with one number."""
    values = [{"value": written(number), "enum_code": "WORK"}]
    phone = [{"field_code": "PHONE", "values": values}]
    return told(first_name=name or show(number), responsible_user_id=user, custom_fields_values=phone)


def unsorted_body(
    key: str, call: CrmCall, user: int | None, link: str | None, pipeline: int | None, words: Language
) -> dict[str, Any]:
    """An inbound call of a stranger, for a person to sort. The number is in `from` and in `phone`: pages disagree."""
    number, at = call.number or "", call.started_at or call.ended_at
    metadata = {"from": written(number)} | told(
        phone=written(number),
        uniq=key,
        duration=round(call.talk_seconds),
        called_at=int(at.timestamp()) if at else 0,
        link=link,
        service_code="switchhook",
        is_call_event_needed=False,
        call_responsible=user,
    )
    name = f"{_WORDS[words]['lead']} {call.name or show(number)}"
    within = {"leads": [{"name": name}], "contacts": [contact_body(number, call.name, None)]}
    return told(
        source_uid=f"switchhook-{call.pbx}",
        source_name=call.line or _WORDS[words]["source"],
        pipeline_id=pipeline,
        metadata=metadata,
        request_id=key,
        _embedded=within,
    )


def lead_change(lead: CrmLead, user: int | None, stages: Mapping[str, int]) -> dict[str, Any]:
    """What a change of ours means for a lead there; nothing: it has no such thing."""
    if lead.change == "owner":
        return told(responsible_user_id=user)
    if lead.change == "stage":
        return told(status_id=stages.get(lead.step or "") or stages.get(lead.stage) or _STATUSES.get(lead.stage))
    return {}


def task_key(task: CrmTask) -> str:
    """What a promise is found again by: the same through all that happens to it."""
    return f"№ {task.call.hex[:8]}-{task.id}"


def task_body(
    task: CrmTask, place: tuple[str, int] | None, user: int | None, now: int, words: Language
) -> dict[str, Any]:
    """A promise as a task; without a place it is nobody's yet."""
    text = f"{_WORDS[words]['task']} {show(task.number)}"
    counted = f" ({task.attempt_count})" if task.attempt_count else ""
    return told(
        text=f"{text}{counted} {task_key(task)}",
        complete_till=int(task.due_at.timestamp()) if task.due_at else now,
        entity_type=place[0] if place else None,
        entity_id=place[1] if place else None,
        task_type_id=1,
        responsible_user_id=user,
    )


def word(key: str, words: Language) -> str:
    """A word that people read there."""
    return _WORDS[words][key]
