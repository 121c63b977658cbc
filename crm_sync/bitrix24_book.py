"""Leads and promises in a Bitrix24 portal, each found before it is made (rule 5 of `crm_sync.bitrix24`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crm_sync.bitrix24_rest import MethodError, Rest, Settings
from crm_sync.bitrix24_words import (
    ADOPTED,
    LEAD,
    ORIGINATOR,
    STAGES,
    TYPES,
    lead_title,
    moment,
    new_lead,
    phone,
    task_mark,
    task_title,
)
from crm_sync.crm import CrmLead, CrmTask
from crm_sync.leads_there import may_change
from crm_sync.workplace import Workplace

WRITTEN: Final = frozenset({"opened", "stage", "owner", "fields"})
"""What happens to a lead here and is written there; the rest is our book's alone."""
_PINGS: Final = (0, 15)
"""Minutes before the deadline at which the portal reminds of a todo."""


class Book:
    """The leads and todos of one portal."""

    def __init__(self, work: Workplace, rest: Rest) -> None:
        self._people = work.people
        self._now = work.now
        self._settings: Settings = work.settings
        self._rest = rest

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

    async def take(self, lead: int) -> None:
        """Mark a lead that the portal made of a call of ours: it is ours to fill in."""
        fields = {"originatorId": ORIGINATOR}
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

    async def task(self, task: CrmTask, known: str | None) -> str | None:
        """The id of the promise's todo, found by its id or its title, made, changed or closed; None: it never was."""
        wanted = {"ID": known} if known else {"PROVIDER_ID": "CRM_TODO", "%SUBJECT": task_mark(task)}
        found = await self._rest.call("crm.activity.list", {"filter": wanted})
        if found:
            await self._change_task(found[0], task)
            return str(found[0]["ID"])
        if task.change == "closed":
            return None
        kind, holder = await self.holder(task.number, task.owner)
        whose = {"ownerTypeId": kind, "ownerId": holder}
        made = await self._rest.call("crm.activity.todo.add", whose | await self._of_task(task))
        return str(made["id"])

    async def _lead_of(self, lead: CrmLead) -> Mapping[str, Any] | None:
        ours = {"@originatorId": [ORIGINATOR, ADOPTED], "originId": str(lead.id)}
        found = await self._leads(ours)
        if found or not lead.numbers:
            return found[0] if found else None
        ids = (await self._with_numbers(lead.numbers)).get("LEAD", [])
        if not ids:
            return None
        rows = [row for row in await self._leads({"@id": ids}) if row.get("stageSemanticId", "P") == "P"]
        # One of another lead of ours is that one's.
        free = [row for row in rows if not (_originator(row) in {ORIGINATOR, ADOPTED} and row.get("originId"))]
        return max(free, key=lambda row: int(row["id"])) if free else None

    async def _leads(self, wanted: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        select = ["id", "originatorId", "originId", "stageId", "stageSemanticId", "assignedById"]
        params = {"entityTypeId": LEAD, "select": select, "filter": dict(wanted), "order": {"id": "ASC"}}
        return list((await self._rest.call("crm.item.list", params))["items"])

    async def _with_numbers(self, numbers: Sequence[str]) -> Mapping[str, list[int]]:
        params = {"type": "PHONE", "values": [phone(one) for one in numbers[:20]]}
        found = await self._rest.call("crm.duplicate.findbycomm", params)
        return found if isinstance(found, dict) else {}

    async def _add(self, lead: CrmLead) -> int:
        contacts = (await self._with_numbers(lead.numbers)).get("CONTACT", []) if lead.numbers else []
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
        is_new = is_ours and not row.get("originId")
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

    async def holder(self, told: str, owner: str | None) -> tuple[int, int]:
        """Type and id of whose a number is: its open lead, else its contact or company, else a lead that is made."""
        rows = await self.search(told)
        for kind in ("LEAD", "CONTACT", "COMPANY"):
            for row in rows:
                if row["CRM_ENTITY_TYPE"] == kind:
                    return TYPES[kind], int(row["CRM_ENTITY_ID"])
        number = phone(told)
        fields = {
            "title": lead_title(number, self._settings.language),
            "sourceId": self._settings.source,
            "originatorId": ORIGINATOR,
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
