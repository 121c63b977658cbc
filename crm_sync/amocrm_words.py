"""What amoCRM (Kommo) is told in its own words, and what its cards say (pure).

Facts: amocrm.ru/developers and developers.kommo.com (API v4), and the vendor's client amocrm/amocrm-api-php for what a
note may hold. Numbers are compared whole, in E.164: a search there hits other fields, and of numbers the last seven
digits; its own placement of calls goes by ten, which are the same in different countries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

from crm_sync.crm import CrmCall, CrmLead, CrmTask, HeldCall
from directory.numbers import e164, is_anonymous, is_short, show, significant

Language = Literal["ru", "en"]

WON, LOST = 142, 143
"""The statuses that end a lead, the same in every pipeline."""

_TEN: Final = 10
_ALIKE: Final = 4
"""Numbers that end otherwise are not the same, however they are written."""
_PHONES_MOST: Final = 20
"""Of a card so many numbers are understood, which takes a tenth of a millisecond each."""

_KEY: Final = re.compile("[0-9a-f]{32}")
_SOURCE: Final = "Switchhook"
_EXTENSION: Final = re.compile(r"(доб|ext|x|,|;|#).*", re.IGNORECASE)
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


@dataclass(frozen=True, slots=True)
class Party:
    """Whose number it is there: `card` is contacts/ID or companies/ID, `lead` their open lead, `owner` its user.

    `is_ours`: we made the lead, as the ledger knows.
    """

    card: str
    lead: int | None = None
    owner: int | None = None
    name: str | None = None
    is_ours: bool = False

    @property
    def path(self) -> str:
        """What it is called in the ledger: contacts/1, contacts/1/leads/2, or contacts/1/leads/2/made/2 for ours."""
        if not self.lead:
            return self.card
        return f"{self.card}/leads/{self.lead}" + (f"/made/{self.lead}" if self.is_ours else "")

    @property
    def place(self) -> tuple[str, int]:
        """Where notes and tasks of it go: the lead, else the card."""
        kind, _, number = self.card.partition("/")
        return ("leads", self.lead) if self.lead else (kind, int(number))


def told(**values: Any) -> dict[str, Any]:
    """A body without what is not known: amoCRM refuses nulls."""
    return {key: value for key, value in values.items() if value is not None}


def ids_of(path: str | None) -> dict[str, str]:
    """{kind: id} of what the ledger calls something: contacts/1/leads/2/notes/3."""
    parts = (path or "").split("/")
    return dict(zip(parts[::2], parts[1::2], strict=False))


def is_made(path: str | None, lead: object) -> bool:
    """Whether the ledger calls that lead one that we made."""
    return ids_of(path).get("made") == str(lead)


def place_of(at: Mapping[str, str]) -> tuple[str, int]:
    """Where the notes of something are: its lead, else its card."""
    kind = next(one for one in ("leads", "contacts", "companies") if one in at)
    return kind, int(at[kind])


def tellable(number: str | None) -> bool:
    """Whether amoCRM may be told of a number: it refuses hidden callers, and colleagues are not its business."""
    return number is not None and number.isdigit() and not is_anonymous(number) and not is_short(number)


def written(number: str) -> str:
    """A number as amoCRM is told it: with a plus where it is a whole one."""
    return f"+{number}" if e164(f"+{number}", "ZZ") == number else number


def query_of(number: str, region: str) -> str:
    """What is searched for: the digits that every spelling of the number ends with, at most ten."""
    return significant(number, region)[-_TEN:]


def has_number(card: Mapping[str, Any], number: str, region: str) -> bool:
    """Whether a contact or company has exactly this number, however it is written there."""
    return number in _whole([one for one in phones(card) if number[-_ALIKE:] in _digits(one)], region)


def numbers_of(card: Mapping[str, Any], region: str) -> set[str]:
    """The numbers of a card, whole: E.164 digits where that can be told, else the digits that are there."""
    return _whole(phones(card), region)


def _whole(written: Sequence[str], region: str) -> set[str]:
    plain = (_EXTENSION.sub("", one) for one in written[:_PHONES_MOST])
    return {e164(one, region) or _digits(one) for one in plain} - {""}


def _digits(text: str) -> str:
    return "".join(sign for sign in text if sign.isdigit())


def phones(card: Mapping[str, Any]) -> list[str]:
    """The numbers of a card as somebody wrote them; a webhook calls the field's code `code`."""
    fields = card.get("custom_fields_values") or card.get("custom_fields") or ()
    return [
        str(value["value"])
        for one in fields
        if (one.get("field_code") or one.get("code")) == "PHONE"
        for value in one.get("values", ())
        if value.get("value")
    ]


def leads_of(card: Mapping[str, Any]) -> list[int]:
    """The leads of a card that was asked for with them."""
    return [int(one["id"]) for one in card.get("_embedded", {}).get("leads", ())]


def is_open(lead: Mapping[str, Any]) -> bool:
    """Whether somebody works on a lead."""
    return lead.get("status_id") not in (WON, LOST) and not lead.get("closed_at") and not lead.get("is_deleted")


def chosen(kind: str, cards: Sequence[Mapping[str, Any]], leads: Sequence[Mapping[str, Any]]) -> list[Party]:
    """The cards of one number, the best first: with an open lead (its newest), then with an owner, then the oldest."""
    opened = {int(lead["id"]): lead for lead in leads if is_open(lead)}
    found = []
    for card in cards:
        mine = max((one for one in leads_of(card) if one in opened), default=None)
        owner = (opened[mine] if mine else card).get("responsible_user_id")
        found.append(Party(f"{kind}/{card['id']}", mine, owner, card.get("name") or None))
    return sorted(found, key=lambda one: (-(one.lead or 0), one.owner is None, int(one.card.partition("/")[2])))


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


def lead_body(
    key: str, number: str, name: str | None, user: int | None, stage: tuple[int | None, int | None], words: Language
) -> dict[str, Any]:
    """A lead; `stage` is (pipeline, status), None for the account's first."""
    return told(
        name=f"{_WORDS[words]['lead']} {name or show(number)}",
        pipeline_id=stage[0],
        status_id=stage[1],
        responsible_user_id=user,
        request_id=key,
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
