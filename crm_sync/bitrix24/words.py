"""What our calls, leads and promises are called in Bitrix24, and what its events say (pure).

Facts are of the vendor's pages and of the published source of its module `voximplant`.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2s
from typing import Any, Final
from uuid import UUID

from crm_sync.crm import Heard, HeldCall
from crm_sync.errors import PermanentError
from crm_sync.told import CrmCall, CrmLead, CrmTask, CrmTranscript
from directory.numbers import e164, normal

ORIGINATOR: Final = "switchhook"
"""The originator of leads that were made for us; such are ours to fill in."""
ADOPTED: Final = "switchhook.adopted"
"""Of leads that were there before: only what a person decided here is changed in them."""

_HELD: Final = "tel:"

LEAD: Final = 1
TYPES: Final[Mapping[str, int]] = {"LEAD": LEAD, "CONTACT": 3, "COMPANY": 4}
STAGES: Final[Mapping[str, str]] = {
    "new": "NEW",
    "qualifying": "IN_PROCESS",
    "in_work": "IN_PROCESS",
    "qualified": "PROCESSED",
    "lost": "JUNK",
    "disqualified": "JUNK",
}
"""Statuses of leads that every portal has, by our stages. A won lead is converted there, by a person."""

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "ru": {"lead": "Звонок {number}", "task": "Перезвонить {number}"},
    "en": {"lead": "Call {number}", "task": "Call back {number}"},
}
EVENTS: Final = ("ONEXTERNALCALLSTART", "ONEXTERNALCALLBACKSTART", "ONCRMLEADUPDATE", "ONCRMCONTACTUPDATE")
"""What the application binds itself to."""

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What `registration` tells as EXTERNAL_CALL_ID."""
_PHONES_MOST: Final = 20
_OUTGOING: Final = 1
_INCOMING: Final = 2
_CALLED_DIGITS: Final = 7
"""A number with so many digits is E.164 without its plus; a shorter one is told as it is dialled."""


def phone(number: str) -> str:
    """A number as the portal keeps it."""
    return f"+{number}" if len(number) >= _CALLED_DIGITS else number


def numbers_of(item: Mapping[str, Any], region: str) -> list[str]:
    """The numbers (E.164 digits) of a lead, contact or company, however people wrote them there."""
    phones = [one for one in item.get("fm") or () if isinstance(one, dict) and one.get("typeId") == "PHONE"]
    found = (e164(str(one.get("value", "")), region) for one in phones[:_PHONES_MOST])
    return sorted({number for number in found if number is not None})


def held_origin(key: str, number: str) -> str:
    """The origin of a lead that holds calls or promises of a number, and is none of ours yet.

    Searches by number may not find at once what was made; by its origin a lead is found in the table of leads itself.
    It tells no number, for it stays when the lead is made nameless there.
    """
    return _HELD + blake2s(f"{key} {number}".encode(), digest_size=16).hexdigest()


def is_free(item: Mapping[str, Any]) -> bool:
    """Whether a lead there may become the one of ours: no other of ours has it."""
    origin = str(item.get("originId") or "")
    return str(item.get("originatorId") or "") not in {ORIGINATOR, ADOPTED} or not origin or origin.startswith(_HELD)


def is_open(item: Mapping[str, Any]) -> bool:
    """Whether somebody works on a lead there (a process of it is neither success nor failure)."""
    return bool(item.get("stageSemanticId", "P") == "P")


def is_told(call: CrmCall) -> bool:
    """Whether the portal can know of a call: somebody with a number was outside."""
    return call.number is not None and call.number.isdecimal()


def registration(
    call: CrmCall, user: int, *, creates_lead: bool, chat: bool, source: str, known: tuple[str, int] | None
) -> dict[str, Any]:
    """What `register` is told: by number, user, type and our id the portal knows the call again.

    `known`: kind and id of the client, where the number does not tell it.
    """
    told: dict[str, Any] = {
        "USER_ID": user,
        "PHONE_NUMBER": phone(call.number or ""),
        "TYPE": _OUTGOING if call.direction == "outbound" else _INCOMING,
        "CRM_CREATE": int(creates_lead and call.direction == "inbound"),
        "CRM_SOURCE": source,
        "SHOW": 0,
        "ADD_TO_CHAT": int(chat),
        "EXTERNAL_CALL_ID": str(call.id),
    }
    if call.started_at is not None:
        told["CALL_START_DATE"] = call.started_at.astimezone(UTC).isoformat(timespec="seconds")
    if call.line:
        told["LINE_NUMBER"] = phone(call.line)
    if known is not None:
        told |= {"CRM_ENTITY_TYPE": known[0], "CRM_ENTITY_ID": known[1]}
    return told


def ending(call: CrmCall, call_id: str, user: int, *, chat: bool) -> dict[str, Any]:
    """What `finish` is told. A call in that nobody answered is missed only by 304; ADD_TO_CHAT is off when left out."""
    answered = call.status == "answered"
    told = {
        "CALL_ID": call_id,
        "USER_ID": user,
        "DURATION": max(round(call.talk_seconds), 1) if answered else 0,
        "STATUS_CODE": "200" if answered else "304" if call.direction == "inbound" else "603-S",
        "ADD_TO_CHAT": int(chat),
    }
    if not answered and call.missed_cause:
        told["FAILED_REASON"] = call.missed_cause
    return told


def is_of(row: Mapping[str, Any], call: CrmCall) -> bool:
    """Whether a finished call is this one. A call that the portal registered itself (a click) has no id of ours."""
    external = row.get("EXTERNAL_CALL_ID")
    return not external or external in {str(one) for one in (call.id, *call.joined)}


def held_call(row: Mapping[str, Any]) -> HeldCall:
    """A finished call of the history. One that the portal registered itself, as at a click, has no id of ours."""
    external, began = str(row.get("EXTERNAL_CALL_ID") or ""), row.get("CALL_START_DATE")
    return HeldCall(
        str(row["CALL_ID"]),
        call=UUID(external) if _ID.fullmatch(external) else None,
        at=datetime.fromisoformat(began) if isinstance(began, str) else None,
        seconds=float(row.get("CALL_DURATION") or 0),
        owner=str(row["PORTAL_USER_ID"]) if row.get("PORTAL_USER_ID") else None,
    )


def messages(transcript: CrmTranscript) -> list[dict[str, Any]]:
    """What `attachTranscription` is told: who said what, with whole seconds."""
    return [
        {
            "SIDE": "User" if part.side == "staff" else "Client",
            "START_TIME": int(part.begins),
            "STOP_TIME": max(round(part.ends), int(part.begins), 1),
            "MESSAGE": part.text,
        }
        for part in transcript.segments
        if part.text
    ]


def new_lead(lead: CrmLead, owner: int | None, *, language: str, source: str, contact: int | None) -> dict[str, Any]:
    """The fields of a lead that is made for us."""
    number = phone(lead.numbers[0]) if lead.numbers else ""
    told: dict[str, Any] = {
        "title": lead.name or lead_title(number, language),
        "sourceId": source,
        "originatorId": ORIGINATOR,
        "originId": str(lead.id),
        "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": phone(one)} for one in lead.numbers],
    }
    if lead.name:
        told["name"] = lead.name
    if owner is not None:
        told["assignedById"] = owner
    if contact is not None:
        told["contactId"] = contact
    return told


def lead_title(number: str, language: str) -> str:
    """The title of a lead of whom nobody knows the name."""
    return WORDS[language]["lead"].format(number=number).strip()


def task_mark(task: CrmTask) -> str:
    """What a promise is found by again: a todo there has no place for an id of ours but its title."""
    return f"[SH-{task.id}]"


def task_title(task: CrmTask, language: str) -> str:
    """The title of a promise."""
    return f"{WORDS[language]['task'].format(number=phone(task.number))} {task_mark(task)}"


def moment(at: datetime) -> str:
    """A time as the portal takes it."""
    return at.astimezone(UTC).isoformat(timespec="seconds")


def door_key(client_secret: str) -> str:
    """What the address at which we hear events ends with: nobody else can write it."""
    return hmac.new(client_secret.encode(), b"events", "sha256").hexdigest()[:40] if client_secret else ""


def heard(
    told: Mapping[str, Any], query: Mapping[str, str], application_token: str, door: str, region: str
) -> Heard | None:
    """What an event tells; None: nothing that we act on. Raises PermanentError for what is not the portal's.

    Its application token says who sent it, where we know that; else the key of the door that it was given. The domain
    in it is anybody's to write, and tokens of access may be missing.
    """
    auth = told.get("auth")
    inner = auth.get("application_token") if isinstance(auth, dict) else None
    inner = inner if isinstance(inner, str) else ""
    given, known = (inner, application_token) if application_token else (query.get("door", ""), door)
    if not known or not hmac.compare_digest(given.encode(), known.encode()):
        raise PermanentError("the event is not of our application")
    data = told.get("data")
    return _event(str(told.get("event", "")).upper(), data if isinstance(data, dict) else {}, region)


def _event(name: str, data: Mapping[str, Any], region: str) -> Heard | None:
    number = normal(str(data.get("PHONE_NUMBER_INTERNATIONAL") or data.get("PHONE_NUMBER") or ""), region)
    number = number if number.isascii() and number.isdecimal() else ""
    entity = f"{data.get('CRM_ENTITY_TYPE', '')}:{data.get('CRM_ENTITY_ID', '')}".strip(":")
    line = normal(str(data.get("LINE_NUMBER", "")), region)
    fields = data.get("FIELDS")
    changed = str(fields.get("ID", "")) if isinstance(fields, dict) else ""
    match name:
        case "ONEXTERNALCALLSTART" if number:
            user, call = str(data.get("USER_ID", "")), str(data.get("CALL_ID", ""))
            told = {"number": number, "user": user, "line": line, "entity": entity, "remote_id": call}
            return Heard("originate", {key: value for key, value in told.items() if value})
        case "ONEXTERNALCALLBACKSTART" if number:
            told = {"number": number, "line": line, "entity": entity, "text": str(data.get("TEXT", ""))}
            return Heard("call_back", {key: value for key, value in told.items() if value})
        case "ONCRMLEADUPDATE" if changed:
            return Heard("lead_changed", {"remote_id": f"LEAD:{changed}"})
        case "ONCRMCONTACTUPDATE" if changed:
            return Heard("contact_changed", {"remote_id": f"CONTACT:{changed}"})
    return None
