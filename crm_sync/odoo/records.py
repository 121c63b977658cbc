"""The records of an Odoo that are ours or a client's: found again, found by number, made once.

Rules kept here:
1. All that is written has an external id or a message id made of ours. Odoo does not look at message ids itself: one is
   looked for before it is written (crm-apis.md, 3.6).
2. A client is found before one is made: open leads, then contacts, each looked at again here (crm-apis.md, 3.5).
3. An open lead that people made there is taken for ours by a note with a message id of our lead, and stays as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2s
from typing import Any, Final

from crm_sync.crm import HeldCall
from crm_sync.errors import PermanentError, TransientError
from crm_sync.odoo.link import OdooLink
from crm_sync.odoo.words import (
    SEARCHED,
    Language,
    exactly,
    has_number,
    id_of,
    is_searchable,
    key_of,
    lead_name,
    moment,
    not_loaded,
    read_moment,
    roughly,
    word,
)
from crm_sync.people import People
from crm_sync.told import CrmLead

LEAD, CONTACT, NOTE, ACTIVITY, FILE = "crm.lead", "res.partner", "mail.message", "mail.activity", "ir.attachment"
MODEL_IDS: Final[Mapping[str, str]] = {LEAD: "crm.model_crm_lead", CONTACT: "base.model_res_partner"}
"""External ids of the models that a record may hang on."""

_OPEN: Final = (["stage_id.is_won", "=", False], ["active", "=", True])
_WITH_NUMBERS: Final = ("name", "user_id", "phone", "mobile", "phone_sanitized", "contact_name")
_MOST: Final = 20
_CALLS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """A record, as the ledger keeps it: `crm.lead,7`, or with the note of a call on it `crm.lead,7,81`."""

    model: str
    id: int
    note: int | None = None

    def __str__(self) -> str:
        """See above."""
        return f"{self.model},{self.id}" + (f",{self.note}" if self.note is not None else "")

    @classmethod
    def read(cls, told: str) -> Place:
        """From what the ledger kept."""
        model, record, *note = told.split(",")
        return cls(model, int(record), int(note[0]) if note else None)


@dataclass(frozen=True, slots=True)
class Found:
    """Who has a number: open leads and contacts, the newest first."""

    leads: Sequence[Mapping[str, Any]] = ()
    contacts: Sequence[Mapping[str, Any]] = ()


class OdooRecords:
    """What is there; `namespace` is what our ids begin with. Every method raises CrmError."""

    def __init__(self, link: OdooLink, people: People, namespace: str, language: Language) -> None:
        self._link = link
        self._people = people
        self._namespace = namespace
        self._language = language
        self._fields: dict[str, frozenset[str]] = {}

    # --- Ours ---------------------------------------------------------------------------------------------------------

    async def load(self, model: str, ours: str, values: Mapping[str, Any], seconds: float | None = None) -> int:
        """Write the record that is called so by us, new or again."""
        return await self._link.load(model, f"{self._namespace}.{ours}", values, seconds)

    async def known(self, model: str, ours: str) -> int | None:
        """The record that is called so by us.

        Nobody but an administrator reads external ids; a row without values tells one, or fails, since the models that
        are asked make no record of nothing: of a note nobody may ask so. A failure that passes tells nothing.
        """
        name = f"{self._namespace}.{ours}"
        told = await self._link.call(model, "load", {"fields": ["id"], "data": [[name]]})
        ids = told.get("ids") if isinstance(told, dict) else None
        if ids:
            return int(ids[0])
        refusal = not_loaded((told or {}).get("messages") or (), [name])
        if isinstance(refusal, TransientError):
            raise refusal
        return None

    async def note(self, ours: str) -> Place | None:
        """The note that is called so by us, with the record that it is on."""
        domain = [["message_id", "=", self._message_id(ours)]]
        rows = await self._link.search(NOTE, domain, ["model", "res_id"], limit=1)
        return Place(rows[0]["model"], rows[0]["res_id"], rows[0]["id"]) if rows else None

    async def now(self, told: Place) -> Place:
        """Where a call's note is now, for with leads that people merge there their notes move.

        Raises PermanentError when the note is gone.
        """
        if told.note is None:
            return told
        row = await self._link.read(NOTE, told.note, ["model", "res_id"])
        if row is None or not row["res_id"]:
            raise PermanentError("the call was removed there")
        return Place(row["model"], row["res_id"], told.note)

    async def write_note(self, ours: str, on: Place, values: Mapping[str, Any]) -> Place:
        """Write a note, new or again; one that is there stays on its record, for Odoo moves none for such as we are."""
        there = await self.note(ours)
        if there is None:
            row = {
                "model": on.model,
                "res_id": str(on.id),
                "message_type": "comment",
                "subtype_id/id": "mail.mt_note",
                "message_id": self._message_id(ours),
            }
            try:
                return Place(on.model, on.id, await self.load(NOTE, ours, {**row, **values}))
            except PermanentError:
                # Whoever was a moment earlier made it: then it is refused, since it would be moved.
                there = await self.note(ours)
                if there is None:
                    raise
        await self.load(NOTE, ours, values)
        return there

    async def calls(self, since: datetime, until: datetime) -> list[HeldCall]:
        """The notes of calls that are dated then, with the user who is the author of each."""
        dated = [["date", ">=", moment(since)], ["date", "<", moment(until)]]
        domain = [["message_id", "=like", self._message_id("call_%")], *dated]
        rows = await self._link.search(NOTE, domain, ["message_id", "model", "res_id", "author_id", "date"], _CALLS)
        if len(rows) == _CALLS:
            raise PermanentError("more calls than are read at once")
        authors = sorted({author for row in rows if (author := id_of(row["author_id"])) is not None})
        users = await self._link.search("res.users", [["partner_id", "in", authors]], ["partner_id"]) if authors else []
        user_of = {id_of(user["partner_id"]): str(user["id"]) for user in users}
        return [
            HeldCall(
                str(Place(row["model"], row["res_id"], row["id"])),
                key=key,
                at=read_moment(row["date"]),
                owner=user_of.get(id_of(row["author_id"])),
            )
            for row in rows
            if (key := key_of(row["message_id"])) is not None
        ]

    def _message_id(self, ours: str) -> str:
        return f"<{ours}.{self._namespace}@switchhook>"

    # --- Clients ------------------------------------------------------------------------------------------------------

    async def found(self, number: str | None) -> Found:
        """Who has a number, as the server computed it, else as somebody wrote it."""
        if number is None or not is_searchable(number):
            return Found()
        for is_exact in (True, False):
            leads, contacts = await asyncio.gather(
                self._having(LEAD, number, *_OPEN, is_exact=is_exact), self._having(CONTACT, number, is_exact=is_exact)
            )
            if leads or contacts:
                return Found(leads, contacts)
        return Found()

    async def place(self, number: str | None, party: int | None, name: str | None, others: Sequence[str] = ()) -> Place:
        """Where something about a number goes, or about whoever has the `others` too.

        The newest open lead, else the oldest contact, of each the number's own first; else a contact that is made.
        """
        found = await self.found(number)
        if not found.leads:
            having = [found, *[await self.found(other) for other in others]]
            leads = next((one.leads for one in having if one.leads), ())
            found = Found(leads, next((one.contacts for one in having if one.contacts), ()))
        if found.leads:
            return Place(LEAD, found.leads[0]["id"])
        return Place(CONTACT, await self._contact(found, number, party, name))

    async def _having(self, model: str, number: str, *more: Any, is_exact: bool) -> list[dict[str, Any]]:
        domain = exactly(number) if is_exact else roughly(number, await self._known_fields(model))
        rows = await self._link.search(model, [*domain, *more], await self._fields_of(model), _MOST, "id desc")
        return [row for row in rows[:_MOST] if has_number(row, number)]

    async def _fields_of(self, model: str) -> list[str]:
        """What is asked of a record with a number; before version 19 it may have a mobile beside its phone."""
        return sorted(await self._known_fields(model) - {SEARCHED})

    async def _known_fields(self, model: str) -> frozenset[str]:
        if model not in self._fields:
            asked = {"allfields": [*_WITH_NUMBERS, SEARCHED], "attributes": ["type"]}
            self._fields[model] = frozenset(await self._link.call(model, "fields_get", asked))
        return self._fields[model]

    async def _contact(self, found: Found, number: str | None, party: int | None, name: str | None) -> int:
        """The contact with a number; who shows none has one in common."""
        if found.contacts:
            return int(found.contacts[-1]["id"])
        if number is None or not is_searchable(number):
            ours, row = "nobody", {"name": word(self._language, "nobody")}
        else:
            ours = f"party_{party}" if party is not None else f"number_{self._digest(number)}"
            row = {"name": name or f"+{number}", "phone": f"+{number}"}
        known = await self.known(CONTACT, ours)
        if known is None:
            return await self.load(CONTACT, ours, row)
        if number is None or not is_searchable(number) or await self._may_have(known, number):
            return known
        return await self.load(CONTACT, f"number_{self._digest(number)}", {**row, "parent_id/.id": str(known)})

    async def _may_have(self, contact: int, number: str) -> bool:
        """Whether a contact has this number, or none.

        Another number of theirs is a contact below it: Odoo writes a lead's number into its contact, and from there
        into all leads of the contact.
        """
        row = await self._link.read(CONTACT, contact, await self._fields_of(CONTACT)) or {}
        return has_number(row, number) or not any(row.get(name) for name in ("phone", "mobile"))

    def _digest(self, number: str) -> str:
        """What stands for a number in an external id: that stays when the contact is made nameless there."""
        return blake2s(f"{self._namespace} {number}".encode(), digest_size=16).hexdigest()

    # --- Leads --------------------------------------------------------------------------------------------------------

    async def lead(self, lead: int) -> tuple[int | None, bool]:
        """What a lead of ours is there, None for nothing yet, and whether we made it."""
        made = await self.known(LEAD, f"lead_{lead}")
        if made is not None:
            return made, True
        linked = await self.note(f"linked_{lead}")
        return (linked.id, False) if linked else (None, False)

    async def open_lead(self, lead: CrmLead) -> tuple[int, bool]:
        """The open lead that people made there for a number of the client, else a new one; and whether we made it."""
        number = next(iter(lead.numbers), None)
        found = await self.found(number)
        leads = list(found.leads)
        for other in lead.numbers[1:]:
            leads += () if leads else (await self.found(other)).leads
        if leads:
            place, told = Place(LEAD, leads[0]["id"]), word(self._language, "linked", id=lead.id)
            await self.write_note(f"linked_{lead.id}", place, {"body": f"<p>{told}</p>"})
            return place.id, False
        row = {
            "name": lead_name(self._language, lead.numbers, lead.name),
            "type": "opportunity",
            "partner_id/.id": str(await self._contact(found, number, lead.party, lead.name)),
            # Empty for nobody: left out, Odoo gives the lead to whoever we are there.
            "user_id/.id": await self._people.user_of(lead.owner) or "",
        }
        if number is not None:
            row["phone"] = f"+{number}"
        return await self.load(LEAD, f"lead_{lead.id}", row), True
