"""Leads in an Odoo: opened, given and moved as ours are (rule 2 of `crm_sync.odoo.adapter`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crm_sync.errors import PermanentError
from crm_sync.leads_there import may_change
from crm_sync.odoo.link import OdooLink
from crm_sync.odoo.records import LEAD, OdooRecords
from crm_sync.odoo.words import id_of, stage_key
from crm_sync.people import People
from crm_sync.told import CrmLead

_ENDED: Final = frozenset({"lost", "disqualified"})


class OdooLeads:
    """The leads of one server. `stages`: name or id of a stage there by ours."""

    def __init__(self, link: OdooLink, people: People, records: OdooRecords, stages: Mapping[str, int | str]) -> None:
        self._link = link
        self._people = people
        self._records = records
        self._wanted = stages
        self._known: dict[str, int | None] = {}

    async def missing(self) -> list[str]:
        """The stages of the settings that are not there, as of now."""
        self._known.clear()
        return [f"stage {told}" for told in self._wanted.values() if await self._stage(told) is None]

    async def ensure(self, lead: CrmLead) -> int:
        """Open it, or write what the change names; gives its id there."""
        there, is_ours = await self._records.lead(lead.id)
        is_new = there is None
        if there is None:
            there, is_ours = await self._records.open_lead(lead)
        if is_ours and (is_new or lead.change == "opened"):
            # A call that was told first opened it, without an owner; who has one by now keeps it.
            await self._to_owner(there, lead, anew=False)
        may = may_change(lead, is_made=is_ours)
        if may and lead.change == "owner":
            await self._to_owner(there, lead, anew=True)
        if (may and lead.change == "stage") or (is_ours and (is_new or lead.change == "opened")):
            await self._to_stage(there, lead)
        if may and lead.change == "fields" and lead.name:
            await self._link.write(LEAD, there, {"contact_name": lead.name})
        return there

    async def _to_owner(self, there: int, lead: CrmLead, *, anew: bool) -> None:
        """Give it to its owner; unless `anew`, only when nobody has it."""
        owner = await self._people.user_of(lead.owner)
        if not anew:
            now = await self._link.read(LEAD, there, ["user_id"])
            if owner is None or now is None or now["user_id"]:
                return
        await self._link.write(LEAD, there, {"user_id": int(owner) if owner else False})

    async def _to_stage(self, there: int, lead: CrmLead) -> None:
        """Move it where the settings say; what is lost is archived there, and what comes back is not."""
        now = await self._link.read(LEAD, there, ["active", "stage_id"])
        if now is None:
            raise PermanentError("the lead was removed there")
        is_lost = lead.stage in _ENDED
        if is_lost == now["active"]:
            await self._link.call(LEAD, "action_set_lost" if is_lost else "action_unarchive", ids=[there])
        told = self._wanted.get(stage_key(lead), self._wanted.get(lead.stage))
        stage = None if told is None else await self._stage(told)
        if told is not None and stage is None:
            raise PermanentError(f"there is no stage {told}")
        if stage is not None and stage != id_of(now["stage_id"]):
            await self._link.write(LEAD, there, {"stage_id": stage})
        elif stage is None and lead.stage == "won":
            await self._link.call(LEAD, "action_set_won", ids=[there])

    async def _stage(self, told: int | str) -> int | None:
        """The id of a stage, told by it or by its name as our user reads it there; None: there is none."""
        told = str(told)
        if told not in self._known:
            asked = ["id", "=", int(told)] if told.isdecimal() else ["name", "=", told]
            rows = await self._link.search("crm.stage", [asked], ["id"], 1)
            self._known[told] = rows[0]["id"] if rows else None
        return self._known[told]
