"""Puts a notice into words, with names and times as its reader knows them (pure but for the clock's day)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Final, get_args
from zoneinfo import ZoneInfo

from crm_sync.book.lifecycle import SERVICE
from directory.model import Directory
from notices.model import Told, Written
from reports.report import Audience, AudienceKind
from web.incident_text import title_of as title_of_incident
from web.names import line_name, person_name
from web.reports.asked import KINDS, Asked
from web.reports.words import audience_name
from web.wording import day, deadline, within
from web.words import has_words, say

_PATHS: Final = {"call": "/calls/{id}", "lead": "/leads/{id}", "follow_up": "/", "house": "/"}
_PATHS_OF_KINDS: Final = {
    "attention": "/leads/attention",
    "leads_given": "/leads?owner=me",
    "crm_access_ended": "/crm/{id}",
    "doctor_found": "/admin/incidents",
    "incident_opened": "/admin/incidents",
    "incident_closed": "/admin/incidents",
    "test": None,
}


class NoticeWords:
    """The words of notices for messages; `address` is where people open our pages, None: messages have no link."""

    def __init__(self, address: str | None) -> None:
        self._address = address.rstrip("/") if address else None

    def __call__(self, directory: Directory, told: Told) -> Written:
        """A notice in the language of its reader."""
        link = path_of(told)
        whole = f"{self._address}{link}" if self._address and link else None
        return Written(title_of(told), text_of(directory, told), whole)


def title_of(told: Told) -> str:
    """The one line that says it."""
    return say(told.language, f"notice.{told.kind}", id=told.subject_id)


def text_of(directory: Directory, told: Told) -> str:
    """What more there is to say."""
    person = directory.person(told.person)
    zone = ZoneInfo(directory.zone_of(person) if person else directory.company.time_zone)
    values = {name: _value(directory, told, name, value, zone) for name, value in told.values.items()}
    subject = told.subject_id
    if told.subject == "report":
        subject = within(day(report_told(told).day, datetime.now(zone).date(), told.language))
    return say(told.language, f"notice.{told.kind}.text", id=subject, **values)


def path_of(told: Told) -> str | None:
    """Where on our pages it is; None: nowhere in particular."""
    if told.subject == "report":
        return report_told(told).path
    path = _PATHS_OF_KINDS.get(told.kind, _PATHS[told.subject])
    return path.format(id=told.subject_id) if path else None


def _value(directory: Directory, told: Told, name: str, value: str | int, zone: ZoneInfo) -> str:
    text = str(value)
    if name.endswith("_at"):
        try:
            return deadline(datetime.fromisoformat(text), datetime.now(UTC), zone, told.language)
        except ValueError:
            return "—"
    if name == "by":
        return say(told.language, "notice.by_rule") if text == SERVICE else person_name(directory, text) or "—"
    if name == "fault":
        return title_of_incident(told.language, text, str(told.values["about"]))
    if name == "about" and told.subject == "report":
        return audience_name(directory, report_told(told).audience)
    if name in {"owner", "person"}:
        return person_name(directory, text) or say(told.language, "notice.nobody")
    if name == "line":
        return line_name(directory, text) or text or "—"
    if name == "deadline":
        return _place(directory, text, told.language)
    return text


def report_told(told: Told) -> Asked:
    """The report that a notice is about."""
    kind = next(one for one in KINDS if told.kind == f"report_{one}")
    audience = next(one for one in get_args(AudienceKind) if one == told.values["audience"])
    return Asked(kind, date.fromisoformat(told.subject_id), Audience(audience, str(told.values["about"])))


def _place(directory: Directory, text: str, language: str) -> str:
    """A stage, or the step of the funnel that a lead in work is at."""
    stage, _, step = text.partition("/")
    found = directory.leads.step(step) if step else None
    if found is not None:
        return found.name
    return say(language, f"stage.{stage}") if has_words(f"stage.{stage}") else text
