"""Cards, leads, calls and tasks in an account of amoCRM: found by number or by our key, else made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from crm_sync.amocrm import words
from crm_sync.amocrm.cards import (
    Party,
    chosen,
    embedded,
    has_number,
    ids_of,
    is_made,
    is_tagged,
    leads_of,
    party_of,
    place_of,
    query_of,
    unsorted_path,
)
from crm_sync.amocrm.link import Account, Settings
from crm_sync.crm import Done, Effect
from crm_sync.errors import PermanentError, UnknownOutcomeError
from crm_sync.told import CrmCall, CrmLead, CrmTask
from crm_sync.workplace import Workplace

CALL_TYPES: Final = ("call_in", "call_out")
CARDS: Final = ("leads", "contacts", "companies")

_SLACK: Final = timedelta(minutes=10)
_FOUND_MOST: Final = 50
_LEADS_MOST: Final = 100
"""Of the leads of one number so many are looked at, the newest: their ids are all in one address."""


class Book:
    """What one account holds of clients."""

    def __init__(self, workplace: Workplace, account: Account) -> None:
        self._is: Settings = workplace.settings
        self._account = account

    # What is there already

    async def party(self, numbers: Sequence[str], effect: Effect, made: str = "") -> Party | None:
        """The card that was made for the effect, else the best that a search finds, else the one of a moment ago."""
        if known := await self.known(numbers, made):
            return known
        lately = effect.lately or ""
        for number in numbers:
            for party in await self.parties(number):
                # Of a card that is found the lead may be new, and not found yet.
                is_new = party.lead is None and "leads" in ids_of(lately) and lately.startswith(f"{party.card}/")
                return (await self.known(numbers, lately) if is_new else None) or party
        return await self.known(numbers, lately)

    async def known(self, numbers: Sequence[str], told_as: str) -> Party | None:
        """The card that the ledger calls so, while it has one of the numbers; its lead also where none finds it."""
        at = ids_of(told_as)
        kind = "contacts" if "contacts" in at else "companies"
        card = await self._account.get(f"/api/v4/{kind}/{at[kind]}", **{"with": "leads"}) if kind in at else None
        if card is None or not any(has_number(card, number, self._is.region) for number in numbers):
            return None
        leads = await self._leads([card])
        if "leads" in at and not any(str(one["id"]) == at["leads"] for one in leads):
            new = await self._account.get(f"/api/v4/leads/{at['leads']}")
            leads += [new] if new is not None else []
        party = party_of(kind, card, leads)
        return replace(party, is_ours=party.is_ours or is_made(told_as, party.lead))

    async def parties(self, number: str) -> list[Party]:
        """Every contact with the whole number, else every company, the best first."""
        asked = {"query": query_of(number, self._is.region), "with": "leads", "limit": str(_FOUND_MOST)}
        for kind in ("contacts", "companies"):
            found = embedded(await self._account.get(f"/api/v4/{kind}", **asked), kind)[:_FOUND_MOST]
            cards = [card for card in found if has_number(card, number, self._is.region)]
            if cards:
                return chosen(kind, cards, await self._leads(cards))
        return []

    async def _leads(self, cards: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        ids = sorted({lead for card in cards for lead in leads_of(card)})[-_LEADS_MOST:]
        if not ids:
            return []
        query = [("filter[id][]", str(one)) for one in ids]
        return embedded(
            await self._account.send("GET", "/api/v4/leads", query=[*query, ("limit", str(_LEADS_MOST))]), "leads"
        )

    async def call_told(self, effect: Effect) -> str | None:
        """What a call is called there, by its key; None: it is not there, or not to be seen."""
        since = str(int((effect.at - _SLACK).timestamp()))
        query = [("filter[note_type][]", one) for one in CALL_TYPES] + [("filter[updated_at][from]", since)]
        for kind in CARDS:
            async for note in self._account.each(f"/api/v4/{kind}/notes", "notes", query):
                if note.get("params", {}).get("uniq") == effect.key.hex:
                    made = effect.remote.get("call_finished")
                    return f"{await self._whole(kind, note['entity_id'], made)}/notes/{note['id']}"
        return await self._unsorted_told(effect) if self._is.unknown == "unsorted" else None

    async def _whole(self, kind: str, entity: int, made: str | None) -> str:
        """What a card or lead is called in the ledger; a lead with its contact, and whether we made it."""
        lead = await self._account.get(f"/api/v4/leads/{entity}", **{"with": "contacts"}) if kind == "leads" else None
        contacts = embedded(lead, "contacts")
        if lead is None or not contacts:
            return f"{kind}/{entity}"
        is_ours = is_tagged(lead) or is_made(made, entity)
        return Party(f"contacts/{contacts[0]['id']}", entity, is_ours=is_ours).path

    async def accepted(self, told_as: str) -> Party | None:
        """What an unsorted call became when somebody took it; None: nobody did yet, or it was thrown away."""
        at = ids_of(told_as)
        if "leads" not in at or await self._account.get(f"/api/v4/leads/unsorted/{at['unsorted']}") is not None:
            return None
        lead = await self._account.get(f"/api/v4/leads/{at['leads']}", **{"with": "contacts"})
        cards = embedded(lead, "contacts")
        if not cards:
            return None
        return Party(f"contacts/{cards[0]['id']}", int(at["leads"]), lead.get("responsible_user_id"), is_ours=True)

    async def text_told(self, effect: Effect) -> str | None:
        """What a text is called there, by the key in its last line."""
        path = await self.place_told(effect.remote.get("call_finished", ""))
        if path is None:
            return None
        kind, place = place_of(ids_of(path))
        query = [("filter[note_type][]", "common")]
        async for note in self._account.each(f"/api/v4/{kind}/{place}/notes", "notes", query):
            if str(note.get("params", {}).get("text")).endswith(effect.key.hex):
                return f"{path}/notes/{note['id']}"
        return None

    async def place_told(self, told_as: str) -> str | None:
        """What the card or lead is called where a call was told; None: nowhere, or nobody took it yet."""
        if "unsorted" in ids_of(told_as):
            party = await self.accepted(told_as)
            return party.path if party else None
        return told_as.rpartition("/notes/")[0] or None

    async def _unsorted_told(self, effect: Effect) -> str | None:
        """The unsorted call with the key of the effect, of those that were made since."""
        since = (effect.at - _SLACK).timestamp()
        query = [("filter[category][]", "sip"), ("order[created_at]", "desc")]
        async for one in self._account.each("/api/v4/leads/unsorted", "unsorted", query):
            if one.get("metadata", {}).get("uniq") == effect.key.hex:
                return unsorted_path(one)
            if int(one.get("created_at") or since) < since:
                break
        return None

    async def is_there(self, told_as: str) -> bool:
        """Whether a call is still there as it was told: a person may want it told again because it is not."""
        at = ids_of(told_as)
        if "notes" not in at:
            return "unsorted" in at
        return await self._account.get(f"/api/v4/{place_of(at)[0]}/notes/{at['notes']}") is not None

    async def task(self, effect: Effect, task: CrmTask, party: Party | None) -> int | None:
        """The task of a promise: what it was called before, else the open one with its key on the party's cards.

        What somebody there has done stays done, until the client calls in vain again.
        """
        key, before = words.task_key(task), ids_of(effect.remote.get("task")).get("tasks")
        known = await self._account.get(f"/api/v4/tasks/{before}") if before else None
        is_over = known is not None and known.get("is_completed") and task.change in {"opened", "repeated"}
        if known is not None and not is_over and key in str(known.get("text")):
            return int(known["id"])
        since = str(int((effect.at - _SLACK).timestamp()))
        where = [[("filter[updated_at][from]", since)]]
        if party is not None:
            places = {party.place, place_of(ids_of(party.card))}
            where = [[("filter[entity_type]", kind), ("filter[entity_id][]", str(at))] for kind, at in sorted(places)]
        for query in where:
            async for one in self._account.each("/api/v4/tasks", "tasks", [("filter[is_completed]", "0"), *query]):
                if key in str(one.get("text")):
                    return int(one["id"])
        return None

    # What is made

    async def make(self, effect: Effect, number: str, name: str | None, user: int | None) -> Party:
        """A contact with a lead, for a stranger."""
        owner = user or self._is.responsible
        stage = (self._is.pipeline, self._is.status)
        within = {"contacts": [words.contact_body(number, name, owner)]}
        body = words.lead_body(effect.key.hex, number, name, owner, stage, self._is.language, within)
        made = await self._account.write("POST", "/api/v4/leads/complex", body)
        try:
            return Party(f"contacts/{int(made[0]['contact_id'])}", int(made[0]["id"]), owner, name, is_ours=True)
        except (LookupError, TypeError, ValueError):
            raise UnknownOutcomeError("it did not say what it made") from None

    async def open(self, effect: Effect, lead: CrmLead, party: Party | None, number: str, user: int | None) -> Done:
        """A lead for a card that has no open one, or with a card of its own."""
        if party is None:
            return Done((await self.make(effect, number, lead.name, user)).path)
        kind, place = party.place
        stage = (self._is.pipeline, self._is.status)
        owner = user or party.owner or self._is.responsible
        name, within = lead.name or party.name, {kind: [{"id": place}]}
        body = words.lead_body(effect.key.hex, number, name, owner, stage, self._is.language, within)
        made = await self._account.write("POST", "/api/v4/leads", body)
        return Done(Party(party.card, int(made_id(made, "leads")), is_ours=True).path)

    async def leave_unsorted(self, effect: Effect, call: CrmCall, user: int | None, link: str | None) -> Done:
        """An unsorted call. The same again is refused there: then it was taken."""
        body = words.unsorted_body(effect.key.hex, call, user, link, self._is.pipeline, self._is.language)
        try:
            made = await self._account.write("POST", "/api/v4/leads/unsorted/sip", body)
        except PermanentError:
            known = await self._unsorted_told(effect)
            if known is None:
                raise
            return Done(known)
        made_id(made, "unsorted", "uid")
        return Done(unsorted_path(embedded(made, "unsorted")[0]))


def made_id(answer: Any, name: str, key: str = "id") -> str:
    """The id of the one thing that was made. Raises UnknownOutcomeError when that was not said."""
    found = embedded(answer, name)
    if not found or key not in found[0]:
        raise UnknownOutcomeError("it did not say what it made")
    return str(found[0][key])
