"""Leads and promises in a Bitrix24 portal, each found before it is made (rule 5 of `crm_sync.bitrix24.adapter`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crm_sync.bitrix24.link import MethodError, Rest, Settings
from crm_sync.bitrix24.words import (
    ADOPTED,
    LEAD,
    ORIGINATOR,
    STAGES,
    TYPES,
    held_origin,
    is_free,
    is_open,
    lead_title,
    moment,
    new_lead,
    phone,
    task_mark,
    task_title,
)
from crm_sync.leads_there import may_change
from crm_sync.told import CrmLead, CrmTask
from crm_sync.workplace import Workplace

WRITTEN: Final = frozenset({"opened", "stage", "owner", "fields"})
"""What happens to a lead here and is written there; the rest is our book's alone."""
_ASKED_MOST: Final = 20
"""So many numbers may be asked for at once."""
_TOLD_MOST: Final = 20
"""Of so many leads of a number more may be there."""
_PINGS: Final = (0, 15)
"""Minutes before the deadline at which the portal reminds of a todo."""


class Book:
    """The leads and todos of one portal."""

    def __init__(self, work: Workplace, rest: Rest) -> None:
        self._key = work.key
        self._people = work.people
        self._now = work.now
        self._settings: Settings = work.settings
        self._rest = rest

    def _held(self, number: str) -> str:
        return held_origin(self._key, number)

    async def user(self, person: str | None) -> int | None:
        """The id there of a person here; None: nobody there."""
        user = await self._people.user_of(person)
        return int(user) if user is not None and user.isdecimal() else None

    async def search(self, number: str) -> list[Mapping[str, Any]]:
        """Whose a number is: contacts, leads and companies, in this order."""
        found: list[Mapping[str, Any]] = await self._rest.call(
            "telephony.externalCall.searchCrmEntities", {"PHONE_NUMBER": phone(number)}
        )
        return found

    async def ensure(self, lead: CrmLead) -> int:
        """Find the lead by our id or its numbers, or make it, and change there what changed here; gives its id."""
        row = await self._lead_of(lead)
        if row is None:
            return await self._add(lead)
        fields = await self._changes(lead, row)
        if fields:
            await self._rest.call("crm.item.update", {"entityTypeId": LEAD, "id": int(row["id"]), "fields": fields})
        return int(row["id"])

    async def make(self, lead: CrmLead) -> None:
        """Make the lead, unless it is there; one that is stays as it is."""
        if await self._lead_of(lead) is None:
            await self._add(lead)

    async def take(self, lead: int, number: str) -> None:
        """Mark a lead that the portal made of a call of ours: it is ours to fill in."""
        fields = {"originatorId": ORIGINATOR, "originId": self._held(number)}
        try:
            await self._rest.call("crm.item.update", {"entityTypeId": LEAD, "id": lead, "fields": fields})
        except MethodError as error:
            if error.code != "NOT_FOUND":  # somebody removed it already
                raise

    async def bind(self, row: Mapping[str, Any], lead: int) -> None:
        """Show a finished call with the lead too: the portal bound it to whom it knew when the call began."""
        is_there = row.get("CRM_ENTITY_TYPE") == "LEAD" and str(row.get("CRM_ENTITY_ID")) == str(lead)
        if is_there or not row.get("CRM_ACTIVITY_ID"):
            return
        told = {"activityId": int(row["CRM_ACTIVITY_ID"]), "entityTypeId": LEAD, "entityId": lead}
        try:
            await self._rest.call("crm.activity.binding.add", told)
        except MethodError as error:
            if error.code != "ACTIVITY_IS_ALREADY_BOUND":
                raise

    async def task(self, task: CrmTask, known: str | None, others: Sequence[str]) -> str | None:
        """The id of the promise's todo, found by its id or its title, made, changed or closed; None: it never was.

        `others` are more numbers of the client.
        """
        wanted = {"ID": known} if known else {"PROVIDER_ID": "CRM_TODO", "%SUBJECT": task_mark(task)}
        found = await self._rest.call("crm.activity.list", {"filter": wanted})
        if found:
            await self._change_task(found[0], task)
            return str(found[0]["ID"])
        if task.change == "closed":
            return None
        kind, holder = await self.holder([task.number, *others], task.owner)
        whose = {"ownerTypeId": kind, "ownerId": holder}
        made = await self._rest.call("crm.activity.todo.add", whose | await self._of_task(task))
        return str(made["id"])

    async def _lead_of(self, lead: CrmLead) -> Mapping[str, Any] | None:
        """The lead of ours, else one that holds calls of its numbers, else the newest open one of those."""
        rows = await self._ours([str(lead.id), *map(self._held, lead.numbers)])
        mine = [row for row in rows if row.get("originId") == str(lead.id)]
        if mine:
            return mine[0]
        ids = [] if any(map(is_open, rows)) else await self._open_leads(lead.numbers)
        rows += await self._leads({"@id": ids}) if ids else []
        free = [row for row in rows if is_open(row) and is_free(row)]
        return max(free, key=lambda row: int(row["id"])) if free else None

    async def _ours(self, origins: Sequence[str]) -> list[Mapping[str, Any]]:
        """Leads with one of these origins: found in the table of leads itself, and so at once."""
        return await self._leads({"@originatorId": [ORIGINATOR, ADOPTED], "@originId": list(origins)})

    async def _leads(self, wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        select = ["id", "originatorId", "originId", "stageId", "stageSemanticId", "assignedById"]
        params = {"entityTypeId": LEAD, "select": select, "filter": dict(wanted), "order": {"id": "ASC"}}
        return list((await self._rest.call("crm.item.list", params))["items"])

    async def _open_leads(self, numbers: Sequence[str]) -> list[int]:
        """Leads with these numbers, also closed ones; of as many as it tells at most, those that are open."""
        ids = await self._with_numbers("LEAD", numbers)
        if len(ids) < _TOLD_MOST:
            return ids
        found = [row for number in numbers for row in await self.search(number)]
        return [int(row["CRM_ENTITY_ID"]) for row in found if row["CRM_ENTITY_TYPE"] == "LEAD"]

    async def _with_numbers(self, kind: str, numbers: Sequence[str]) -> list[int]:
        """Ids of one kind: asked for several at once, many of one hide those of the next."""
        if not numbers:
            return []
        params = {"type": "PHONE", "values": [phone(one) for one in numbers[:_ASKED_MOST]], "entity_type": kind}
        found = await self._rest.call("crm.duplicate.findbycomm", params)
        return [int(one) for one in found.get(kind, ())] if isinstance(found, dict) else []

    async def _add(self, lead: CrmLead) -> int:
        contacts = await self._with_numbers("CONTACT", lead.numbers)
        fields = new_lead(
            lead,
            await self.user(lead.owner) or self._settings.user,
            language=self._settings.language,
            source=self._settings.source,
            contact=contacts[0] if contacts else None,
        )
        stage = self._stages().get(lead.stage)
        fields |= {"stageId": stage} if stage else {}
        made = await self._rest.call("crm.item.add", {"entityTypeId": LEAD, "fields": fields})
        return int(made["item"]["id"])

    async def _changes(self, lead: CrmLead, row: Mapping[str, Any]) -> dict[str, Any]:
        """What is written of a lead that is there; see rule 5."""
        fields: dict[str, Any] = {}
        is_ours = _originator(row) == ORIGINATOR
        is_new = is_ours and is_free(row)
        if is_new or not _originator(row):
            fields |= {"originatorId": ORIGINATOR if is_ours else ADOPTED, "originId": str(lead.id)}
        if not may_change(lead, is_made=is_ours):
            return fields
        if is_new or lead.change == "owner":
            owner = await self.user(lead.owner)
            fields |= {"assignedById": owner} if owner is not None else {}
        if is_new or lead.change == "stage":
            stage = self._stages().get(lead.stage)
            fields |= {"stageId": stage} if stage and stage != row.get("stageId") else {}
        if (is_new or lead.change == "fields") and lead.name:
            fields |= {"name": lead.name, "title": lead.name}
        return fields

    def _stages(self) -> Mapping[str, str]:
        return self._settings.stages or STAGES

    async def whose(self, numbers: Sequence[str]) -> tuple[str, int] | None:
        """Kind and id of whose the first of these numbers is that is anybody's: an open lead, a contact or company."""
        for number in numbers:
            rows = await self.search(number)
            for kind in ("LEAD", "CONTACT", "COMPANY"):
                for row in rows:
                    if row["CRM_ENTITY_TYPE"] == kind:
                        return kind, int(row["CRM_ENTITY_ID"])
        held = [row for row in await self._ours([self._held(number) for number in numbers]) if is_open(row)]
        return ("LEAD", int(held[-1]["id"])) if held else None

    async def holder(self, numbers: Sequence[str], owner: str | None) -> tuple[int, int]:
        """Type and id of whose the numbers of a client are, else of a lead that is made."""
        known = await self.whose(numbers)
        if known is not None:
            return TYPES[known[0]], known[1]
        number = phone(numbers[0])
        fields = {
            "title": lead_title(number, self._settings.language),
            "sourceId": self._settings.source,
            "originatorId": ORIGINATOR,
            "originId": self._held(numbers[0]),
            "fm": [{"typeId": "PHONE", "valueType": "WORK", "value": number}],
            "assignedById": await self.user(owner) or self._settings.user,
        }
        made = await self._rest.call("crm.item.add", {"entityTypeId": LEAD, "fields": fields})
        return LEAD, int(made["item"]["id"])

    async def _change_task(self, row: Mapping[str, Any], task: CrmTask) -> None:
        if task.change == "closed":
            closed = {"id": int(row["ID"]), "fields": {"COMPLETED": "Y"}}
            await self._rest.call("crm.activity.update", closed)
        elif str(row.get("COMPLETED")) != "Y":
            whose = {"ownerTypeId": int(row["OWNER_TYPE_ID"]), "ownerId": int(row["OWNER_ID"])}
            told = {"id": int(row["ID"]), **whose}
            await self._rest.call("crm.activity.todo.update", told | await self._of_task(task))

    async def _of_task(self, task: CrmTask) -> dict[str, Any]:
        at: datetime = task.due_at or self._now()
        owner = await self.user(task.owner) or self._settings.user
        title = task_title(task, self._settings.language)
        return {"title": title, "deadline": moment(at), "responsibleId": owner, "pingOffsets": list(_PINGS)}


def _originator(row: Mapping[str, Any]) -> str:
    return str(row.get("originatorId") or "")
