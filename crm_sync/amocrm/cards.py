"""What cards and leads of amoCRM (Kommo) say, and what the ledger calls them (pure).

Numbers are compared whole, in E.164: a search there hits other fields, and of numbers the last seven digits; its own
placement of calls goes by ten, which are the same in different countries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from directory.numbers import e164, significant

WON, LOST = 142, 143
"""The statuses that end a lead, the same in every pipeline."""

TAG: Final = "Switchhook"
"""What a lead that we made is tagged with: by it such a one is known where the answer to its making was lost."""

_TEN: Final = 10
_ALIKE: Final = 4
"""Numbers that end otherwise are not the same, however they are written."""
_PHONES_MOST: Final = 20
"""Of a card so many numbers are understood, which takes a tenth of a millisecond each."""
_EXTENSION: Final = re.compile(r"(доб|ext|x|,|;|#).*", re.IGNORECASE)


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


def embedded(answer: Any, name: str) -> list[dict[str, Any]]:
    """The items of a page; none of nothing."""
    found = answer.get("_embedded", {}).get(name) if isinstance(answer, dict) else None
    return [one for one in found or () if isinstance(one, dict)]


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


def is_tagged(lead: Mapping[str, Any]) -> bool:
    """Whether we made a lead, as its tag says."""
    return any(one.get("name") == TAG for one in lead.get("_embedded", {}).get("tags") or ())


def is_open(lead: Mapping[str, Any]) -> bool:
    """Whether somebody works on a lead."""
    return lead.get("status_id") not in (WON, LOST) and not lead.get("closed_at") and not lead.get("is_deleted")


def chosen(kind: str, cards: Sequence[Mapping[str, Any]], leads: Sequence[Mapping[str, Any]]) -> list[Party]:
    """The cards of one number, the best first: with an open lead (its newest), then with an owner, then the oldest."""
    found = []
    for card in cards:
        ids = leads_of(card)
        found.append(party_of(kind, card, [lead for lead in leads if int(lead["id"]) in ids]))
    return sorted(found, key=lambda one: (-(one.lead or 0), one.owner is None, int(one.card.partition("/")[2])))


def party_of(kind: str, card: Mapping[str, Any], leads: Sequence[Mapping[str, Any]]) -> Party:
    """A card with its newest open lead, of all of its leads."""
    lead = max((one for one in leads if is_open(one)), key=lambda one: int(one["id"]), default=None)
    number = int(lead["id"]) if lead else None
    owner = (lead or card).get("responsible_user_id")
    is_ours = lead is not None and is_tagged(lead)
    return Party(f"{kind}/{card['id']}", number, owner, card.get("name") or None, is_ours)


def unsorted_path(one: Mapping[str, Any]) -> str:
    """What an unsorted call is called in the ledger: unsorted/UID/contacts/1/leads/2, which it is when it is taken."""
    within = one.get("_embedded", {})
    ids = [(kind, within[kind][0]["id"]) for kind in ("contacts", "leads") if within.get(kind)]
    return "/".join(str(part) for pair in [("unsorted", one["uid"]), *ids] for part in pair)
