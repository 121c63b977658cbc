"""What is written into Odoo and what its answers mean: names, rows, texts and errors (pure)."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from html import escape
from typing import Any, Final, Literal
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from crm_sync.crm import Heard
from crm_sync.errors import AuthDeadError, CrmError, PermanentError, TransientError
from crm_sync.told import CrmCall, CrmLead, CrmRecording, CrmTask, CrmTranscript
from directory.numbers import e164, is_anonymous, normal, origin, show

Language = Literal["ru", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("ru", "en")

_EXTENSION: Final = re.compile(r"\s*(?:доб|ext|x|;ext=|,|;|#).*$", re.IGNORECASE)
"""What follows the number of a house: of the person there."""
_CALL_NOTE: Final = re.compile(r"<call_([0-9a-f]{32})\.")
_CHANGED: Final[Mapping[str, Literal["lead_changed", "contact_changed"]]] = {
    "crm.lead": "lead_changed",
    "res.partner": "contact_changed",
}
_LEAST_DIGITS: Final = 5
_SAME_DIGITS: Final = 10

SEARCHED: Final = "phone_mobile_search"
"""By it numbers are searched as their digits; it is nothing that can be read."""

# Seen in Odoo's own source and on Odoo 19: whatever the database says of two who did the same at once passes.
_PASSES: Final = re.compile(
    r"serializ|сериализ|concurrent|deadlock|взаимоблокир|duplicate key|повторяющееся|transaction is aborted|lock",
    re.IGNORECASE,
)
_NEVER: Final = re.compile(r"builtins\.|odoo\.exceptions\.|odoo\.addons\.|psycopg2\.errors\.Invalid")
_NAME: Final = re.compile(r"[\w.]{1,100}", re.ASCII)
_DENIED: Final = "odoo.exceptions.AccessDenied"

_WORDS: Final[Mapping[Language, Mapping[str, str]]] = {
    "ru": {
        "inbound": "Входящий звонок", "outbound": "Исходящий звонок", "missed": "Пропущенный звонок",
        "unanswered": "Исходящий без ответа", "line": "линия", "talk": "разговор", "wait": "ожидание",
        "recovered": "записан после сбоя связи", "joined": "переведённые части звонка",
        "nobody": "Номер не определился", "caller": "Клиент", "staff": "Сотрудник",
        "lead": "Звонок {number}", "sound": "Запись разговора", "minutes": "{minutes} мин {seconds} с",
        "seconds": "{seconds} с", "cut": "начало", "call back": "Перезвонить {number}",
        "missed_task": "Пропущенный звонок", "voicemail_task": "Оставлено голосовое сообщение",
        "requested_task": "Клиент просил перезвонить", "attempts": "попыток дозвониться к нам",
        "closed": "Закрыто", "talk_closed": "Поговорили", "answered_after_all_closed": "Ответили в том же звонке",
        "linked": "Лид Switchhook №{id}",
    },
    "en": {
        "inbound": "Incoming call", "outbound": "Outgoing call", "missed": "Missed call",
        "unanswered": "Outgoing call, no answer", "line": "line", "talk": "talk", "wait": "wait",
        "recovered": "recorded after an outage", "joined": "parts that were transferred",
        "nobody": "No number given", "caller": "Client", "staff": "Colleague",
        "lead": "Call {number}", "sound": "Recording", "minutes": "{minutes} min {seconds} s", "seconds": "{seconds} s",
        "cut": "beginning", "call back": "Call back {number}",
        "missed_task": "A missed call", "voicemail_task": "A voice message was left",
        "requested_task": "The client asked to be called back", "attempts": "attempts to reach us",
        "closed": "Closed", "talk_closed": "They talked", "answered_after_all_closed": "Answered in the same call",
        "linked": "Switchhook lead {id}",
    },
}  # fmt: skip


def word(language: Language, key: str, **values: object) -> str:
    """A text of ours in that language."""
    return _WORDS[language][key].format(**values)


# --- Numbers ----------------------------------------------------------------------------------------------------------


def is_searchable(number: str | None) -> bool:
    """Whether a number can be somebody's: not hidden, not an internal one (shorter than 3 Odoo answers 422)."""
    return number is not None and not is_anonymous(number) and number.isdecimal() and len(number) >= _LEAST_DIGITS


def exactly(number: str) -> list[Any]:
    """The domain that finds a number where the server has `phonenumbers`: its E.164 form, which it computes."""
    return [["phone_sanitized", "=", f"+{number}"]]


def roughly(number: str, fields: Collection[str]) -> list[Any]:
    """The domain that finds it in other spellings too, and others' numbers with the same end (crm-apis.md, 3.5).

    `fields` are those of the model: contacts of version 14 cannot be searched by `SEARCHED`.
    """
    digits = number[-_SAME_DIGITS:]
    if SEARCHED in fields:
        return [[SEARCHED, "like", digits]]
    spelled = [[name, "=like", f"%{'%'.join(digits)}%"] for name in ("phone", "mobile") if name in fields]
    return ["|"] * (len(spelled) - 1) + spelled


def has_number(record: Mapping[str, Any], number: str) -> bool:
    """Whether a record that Odoo found really has this number (E.164 digits), as people spell it in its country."""
    region = origin(number)[0]
    told = [record.get(name) for name in ("phone_sanitized", "phone", "mobile")]
    return any(normal(_EXTENSION.sub("", one), region) == number for one in told if isinstance(one, str))


def heard(body: bytes, region: str) -> Sequence[Heard]:
    """What a webhook of an automation rule tells: `{"_model": …, "_id": …, "phone": …}`. Raises PermanentError."""
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if not isinstance(told, dict) or told.get("_model") not in _CHANGED:
        raise PermanentError("not what an automation rule of a lead or a contact sends")
    numbers = {
        number
        for name in ("phone_sanitized", "phone", "mobile")
        if isinstance(one := told.get(name), str) and (number := e164(_EXTENSION.sub("", one), region))
    }
    return [Heard(_CHANGED[told["_model"]], {"number": number}) for number in sorted(numbers)]


# --- Texts ------------------------------------------------------------------------------------------------------------


def call_note(language: Language, call: CrmCall) -> str:
    """A call as HTML, which Odoo cleans and shows among the record's notes."""
    unanswered = call.status == "missed" or call.answered_at is None
    if call.direction == "inbound":
        title = word(language, "missed" if unanswered else "inbound")
    else:
        title = word(language, "unanswered" if unanswered else "outbound")
    who = show(call.number) if call.number else word(language, "nobody")
    told = [f"{word(language, 'line')} {show(call.line)}"] if call.line else []
    if not unanswered:
        told.append(f"{word(language, 'talk')} {_clock(call.talk_seconds)}")
    told.append(f"{word(language, 'wait')} {_clock(call.wait_seconds)}")
    if call.recovered:
        told.append(word(language, "recovered"))
    if call.joined:
        told.append(f"{word(language, 'joined')}: {len(call.joined)}")
    name = f" · {escape(call.name)}" if call.name else ""
    return f"<p><b>{title}</b> {escape(who)}{name}<br>{escape(', '.join(told))}</p>"


def sound_name(language: Language, recording: CrmRecording) -> str:
    """What the file is called: people see it in the note, and where they save it."""
    minutes, seconds = divmod(round(recording.seconds), 60)
    length = word(language, "minutes", minutes=minutes, seconds=seconds) if minutes else ""
    return f"{word(language, 'sound')}, {length or word(language, 'seconds', seconds=seconds)}.mp3"


def sound_note(language: Language, recording: CrmRecording) -> str:
    """Where a recording is heard that Odoo does not take."""
    title = f"{word(language, 'sound')}, {_clock(recording.seconds)}"
    return f'<p><a href="{escape(recording.url)}">{title}</a></p>'


def transcript_note(language: Language, transcript: CrmTranscript) -> str:
    """What was said, a line a turn."""
    cut = "" if transcript.is_whole else f" ({word(language, 'cut')})"
    said = [f"<b>{word(language, part.side)}:</b> {escape(part.text)}" for part in transcript.segments]
    return f"<p>{'<br>'.join(said or escape(transcript.text).splitlines())}{cut}</p>"


def task_summary(language: Language, task: CrmTask) -> str:
    """What is to be done, in a line."""
    return word(language, "call back", number=show(task.number))


def task_note(language: Language, task: CrmTask) -> str:
    """Why, and how often they tried."""
    told = [word(language, f"{task.origin}_task")]
    if task.attempt_count > 1:
        told.append(f"{word(language, 'attempts')}: {task.attempt_count}")
    return f"<p>{escape(', '.join(told))}</p>"


def closed_because(language: Language, task: CrmTask) -> str:
    """How a promise was kept, or that a person closed it."""
    key = f"{task.closed_by}_closed"
    return word(language, key if key in _WORDS[language] else "closed")


def lead_name(language: Language, numbers: Sequence[str], name: str | None) -> str:
    """What a lead is called that a call opened; people rename it there, and it stays so."""
    return name or word(language, "lead", number=show(numbers[0]) if numbers else "").strip()


def stage_key(lead: CrmLead) -> str:
    """How the settings name where a lead is: its stage, in work with the step of the house's funnel."""
    return f"{lead.stage}:{lead.step}" if lead.step else lead.stage


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02}"


# --- Values -----------------------------------------------------------------------------------------------------------


def moment(at: datetime) -> str:
    """A time as Odoo keeps it: UTC without a zone."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def day(at: datetime, zone: str) -> date:
    """The day of a deadline for somebody who lives in `zone`; an unknown one is UTC."""
    try:
        return at.astimezone(ZoneInfo(zone)).date()
    except (ZoneInfoNotFoundError, ValueError):
        return at.astimezone(UTC).date()


def read_moment(told: object) -> datetime | None:
    """A time that Odoo told; None for none (it says false)."""
    try:
        return datetime.strptime(told, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) if isinstance(told, str) else None
    except ValueError:
        return None


def key_of(message_id: object) -> UUID | None:
    """The key of the effect that a call's note was told by, from its message id; None: it is none of ours."""
    found = _CALL_NOTE.match(message_id) if isinstance(message_id, str) else None
    return UUID(found[1]) if found else None


def id_of(told: object) -> int | None:
    """The id of another record, which Odoo tells as [id, name], a bare id, or false."""
    first = told[0] if isinstance(told, list) and told else told
    return first if isinstance(first, int) and not isinstance(first, bool) else None


# --- Errors -----------------------------------------------------------------------------------------------------------


def name_of(told: object) -> str:
    """The full name of the server's exception, as an error tells it; empty for what is no name."""
    name = told.get("name") if isinstance(told, Mapping) else None
    return name if isinstance(name, str) and _NAME.fullmatch(name) else ""


def of_name(name: str, message: str, sent: Iterable[str], status: int) -> CrmError | None:
    """What an exception of the server means, by its full name; None: by its name nobody can tell.

    Odoo answers what will never work with 500 as well (crm-apis.md, 3.2), so the status does not say it.
    """
    answer = {"status": status, "name": name, "text": hidden(message, sent)}
    if name == _DENIED:
        return AuthDeadError("nobody is let in with this key", answer)
    if _NEVER.match(name):
        return PermanentError(f"refused: {name.rpartition('.')[2]}", answer)
    if name.startswith("psycopg2."):
        return TransientError(f"the database could not do it now: {name.rpartition('.')[2]}", answer)
    return None


def not_loaded(messages: Sequence[Mapping[str, Any]], sent: Iterable[str]) -> CrmError:
    """Why `load` took a row and wrote nothing, which it answers with 200."""
    text = " ".join(str(one.get("message", "")) for one in messages)
    answer = {"status": 200, "text": hidden(text, sent)}
    if _PASSES.search(text):
        return TransientError("somebody else wrote the same record", answer)
    return PermanentError("refused by load", answer)


def hidden(message: str, sent: Iterable[str]) -> str:
    """The server's words without what we sent it, which may be a client's: for a person who mends it."""
    for value in sorted({one for one in sent if len(one) > 1}, key=len, reverse=True):
        message = message.replace(value, "…")
    return re.sub(r"[0-9]{5,}", "…", message)[:300]


def texts_of(values: object) -> list[str]:
    """Every text among values that are sent."""
    if isinstance(values, str):
        return [values]
    if isinstance(values, Mapping):
        values = list(values.values())
    return [text for one in values for text in texts_of(one)] if isinstance(values, list | tuple) else []
