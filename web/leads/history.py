"""What happened to a lead, in words: its events and notes, the newest first (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from crm_sync.book.lifecycle import SERVICE
from directory.model import Directory
from web.leads.wording import place_name, reason_name, rule_words
from web.names import person_name
from web.wording import deadline
from web.words import has_words, say

_ICONS: Final = {
    "opened": "lead", "linked": "phone", "stage": "route", "owner": "user", "deadline": "clock", "fields": "text",
    "merged": "transfer", "revival": "clock", "message": "clock", "note": "text",
}  # fmt: skip
_TONES: Final = {"won": "talk", "lost": "bad", "disqualified": "bad"}


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of a lead's history; `text` is what a person wrote, `who` is empty where the service did it."""

    at: datetime
    icon: str
    tone: str
    told: str
    who: str
    text: str
    call: UUID | None


@dataclass(frozen=True, slots=True)
class Teller:
    """Puts events into words for one viewer."""

    directory: Directory
    language: str
    zone: ZoneInfo
    now: datetime

    def all(self, events: Iterable[Any], notes: Iterable[Any]) -> list[Happened]:
        """Events and notes together, the newest first."""
        told = [*(self.event(row) for row in events), *(self.note(row) for row in notes)]
        return sorted(told, key=lambda one: one.at)[::-1]

    def event(self, row: Any) -> Happened:
        """One row of `lead_events`."""
        tone = _TONES.get((row.after or "").partition("/")[0], "quiet") if row.kind == "stage" else "quiet"
        icon = _ICONS.get(row.kind, "dash")
        return Happened(row.at, icon, tone, self.words(row), self._who(row.by), self._written(row), row.call_id)

    def note(self, row: Any) -> Happened:
        """One row of `notes`."""
        return Happened(row.at, _ICONS["note"], "quiet", self._say("note"), self._who(row.by), row.text, row.call_id)

    def words(self, row: Any) -> str:
        """What one row of `lead_events` says."""
        match row.kind:
            case "stage":
                return self._moved(row)
            case "opened":
                return self._say("opened", place=self._place(row.after))
            case "owner":
                before, after = self._person(row.before), self._person(row.after)
                told = self._say("given", before=before, after=after) if row.before else self._say("taken", after=after)
                return told + self._rule(row)
            case "deadline":
                return self._say("deadline", at=self._moment(row.after)) if row.after else self._say("no_deadline")
            case "fields":
                return self._say("fields", names=row.after or "")
            case "message" if row.reason == "nps":
                return self._say("nps")
            case "revival" | "message":
                return self._say("revival", step=row.before or "", result=self._result(row.reason))
            case kind:
                return self._say(kind) if has_words(f"happened.{kind}") else kind

    def _moved(self, row: Any) -> str:
        told = self._say("moved", before=self._place(row.before), after=self._place(row.after))
        ended = (row.after or "").partition("/")[0] in {"lost", "disqualified"}
        if ended and row.reason:
            return f"{told}: {reason_name(self.directory.leads, self.language, row.reason)}"
        return told + self._rule(row)

    def _rule(self, row: Any) -> str:
        """The rule that decided, and by what of it the owner was chosen; nothing where a person did."""
        told = rule_words(self.directory.leads, self.language, row.reason) if row.reason else ""
        if not told and row.reason and row.by == SERVICE:
            told = self._say("rule", rule=row.reason)
        return f" ({told})" if told else ""

    def _written(self, row: Any) -> str:
        """What a person wrote: the message of a revival's step, or why they gave the lead away."""
        if row.kind in {"revival", "message"}:
            return row.after or ""
        is_own = row.kind == "owner" and row.by != SERVICE and row.reason is not None
        return row.reason if is_own and not rule_words(self.directory.leads, self.language, row.reason) else ""

    def _result(self, result: str | None) -> str:
        return say(self.language, f"revived.{result}") if has_words(f"revived.{result}") else result or ""

    def _place(self, told: str | None) -> str:
        return place_name(self.directory.leads, self.language, told)

    def _person(self, key: str | None) -> str:
        return person_name(self.directory, key) or say(self.language, "lead.nobody")

    def _who(self, key: str) -> str:
        return "" if key == SERVICE else person_name(self.directory, key)

    def _moment(self, told: str) -> str:
        try:
            return deadline(datetime.fromisoformat(told), self.now, self.zone, self.language)
        except ValueError:
            return told

    def _say(self, key: str, **values: object) -> str:
        return say(self.language, f"happened.{key}", **values)
