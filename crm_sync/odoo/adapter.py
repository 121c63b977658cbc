"""Odoo: calls are notes on leads and contacts, recordings their attachments, promises to call back activities.

Rules kept here:
1. Telling again writes the same record (`crm_sync.odoo.records`), so that after a doubt it is told again.
2. A lead is opened with its owner and its stage; afterwards only what a change names is written, so that what people
   do in Odoo stays; and one that people made there changes by what people decide here alone.
3. A call goes to its lead, else to the open lead or the contact with its number or another of the client, else to a
   contact that is made; a promise goes to its call's record, else as a call without a lead.
4. The user needs no more than the sales team's right to see all leads: no ir.model.data, no ir.model.

Seen on Odoo 19.0, and on 14.0; before 19 the same is asked by /jsonrpc, which 19 serves too.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct, field

from crm_sync.crm import (
    Candidate,
    Capability,
    CrmUser,
    Done,
    Effect,
    Heard,
    HeldCall,
    Inbound,
    Probed,
    Step,
)
from crm_sync.errors import PermanentError, TransientError, UnknownOutcomeError
from crm_sync.leads_there import lead_of_call
from crm_sync.odoo.guide import GUIDE
from crm_sync.odoo.leads import OdooLeads
from crm_sync.odoo.link import OdooLink
from crm_sync.odoo.records import ACTIVITY, CONTACT, FILE, LEAD, MODEL_IDS, NOTE, OdooRecords, Place
from crm_sync.odoo.words import (
    Language,
    call_note,
    closed_because,
    day,
    heard,
    id_of,
    moment,
    read_moment,
    sound_name,
    sound_note,
    task_note,
    task_summary,
    transcript_note,
)
from crm_sync.told import (
    CrmCall,
    CrmIncident,
    CrmLead,
    CrmRecording,
    CrmTask,
    CrmTranscript,
)
from crm_sync.workplace import Kind, Workplace
from directory.numbers import is_short

_NEEDED: Final = (LEAD, CONTACT, NOTE, ACTIVITY, FILE)
_HAS_ACCESS: Final = 18
"""The first version where a right is asked by `has_access`."""
_KEYS_END: Final = 18
"""The first version where a key has an end."""
_SOUND_BYTES: Final = 64 * 1024 * 1024
"""A body is 128 MiB at most there, and base64 makes of three bytes four."""
_LARGE_BYTES, _LARGE_SECONDS = 1024 * 1024, 120.0
"""An hour is 14 MB, which takes its time on the way and again in Odoo."""


class OdooSettings(Struct, frozen=True, kw_only=True):
    """Where and how. `stages`: name or id of a stage there by ours (`won`, or `in_work:demo` with the funnel's step).

    `login` is needed before version 19 alone. `namespace` is what external ids begin with: two installations that
    write to one database need two. `region`: whose numbers it tells without a country.
    """

    address: Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/\S*)?$")]
    database: str = ""
    login: str = ""
    language: Language = "ru"
    stages: Mapping[str, int | str] = field(default_factory=dict)
    region: Annotated[str, Meta(pattern=r"^[A-Z]{2}$")] = "RU"
    namespace: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")] = "switchhook"


class Odoo:
    """The adapter."""

    capabilities: frozenset[Capability] = frozenset({"readback", "parties", "inbound", "listing"})

    def __init__(self, place: Workplace) -> None:
        self._settings: OdooSettings = place.settings
        self._secret = str(place.secrets.get("inbound") or "")
        if not self._secret:
            self.capabilities -= {"inbound"}
        self._people = place.people
        self._sound = place.sound
        self._link = OdooLink(
            place.http,
            self._settings.address,
            place.secrets["key"],
            place.now,
            place.pace,
            database=self._settings.database,
            login=self._settings.login,
        )
        self._records = OdooRecords(self._link, place.people, self._settings.namespace, self._settings.language)
        self._leads = OdooLeads(self._link, place.people, self._records, self._settings.stages)

    async def probe(self) -> Probed:
        """Ask for each right that is needed, and when the keys of this user end; one without an end lasts."""
        await self._link.call("res.users", "context_get")
        missing = [f"{model}:create" for model in _NEEDED if not await self._may_create(model)]
        missing += await self._leads.missing()
        return Probed(tuple(missing), access_ends_at=await self._access_ends())

    async def read_back(self, step: Step, effect: Effect) -> Done | None:
        """A call's note is found by its message id. All else is told again, which writes the same record."""
        note = await self._records.note(f"call_{effect.key.hex}") if step == "call_finished" else None
        return Done(str(note)) if note else None

    async def call_started(self, effect: Effect, call: CrmCall) -> Done:
        """Nothing: Odoo shows no call that rings."""
        del effect, call
        return Done()

    async def call_answered(self, effect: Effect, call: CrmCall) -> Done:
        """Nothing, as `call_started`."""
        del effect, call
        return Done()

    async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
        """A note by whoever talked."""
        place = await self._place_of(call, effect.numbers)
        author = id_of((await self._user(await self._people.user_of(call.person))).get("partner_id"))
        told = {"body": call_note(self._settings.language, call), "date": moment(call.started_at or effect.at)}
        if author is not None:
            told["author_id/.id"] = str(author)
        return Done(str(await self._records.write_note(f"call_{effect.key.hex}", place, told)))

    async def attach_recording(self, effect: Effect, recording: CrmRecording) -> Done:
        """The file in the call's note; again: in its place. Where there is none to give, its address in a note."""
        call = await self._records.now(_told_before(effect))
        sound = await self._sound(recording.call)
        if sound is None or len(sound) > _SOUND_BYTES:
            told = {"body": sound_note(self._settings.language, recording), "date": moment(effect.at)}
            return Done(str(await self._records.write_note(f"sound_{effect.key.hex}", call, told)))
        row = {
            "name": sound_name(self._settings.language, recording),
            "description": str(recording.call),
            "datas": base64.b64encode(sound).decode(),
            "mimetype": "audio/mpeg",
            "res_model": call.model,
            "res_id": str(call.id),
        }
        patience = _LARGE_SECONDS if len(sound) > _LARGE_BYTES else None
        file = await self._records.load(FILE, f"recording_{effect.key.hex}", row, patience)
        if call.note is not None:
            await self._link.write(NOTE, call.note, {"attachment_ids": [[4, file]]})
        return Done(str(Place(FILE, file)))

    async def attach_transcript(self, effect: Effect, transcript: CrmTranscript) -> Done:
        """A note of its own beside the call's."""
        told = {"body": transcript_note(self._settings.language, transcript), "date": moment(effect.at)}
        call = await self._records.now(_told_before(effect))
        return Done(str(await self._records.write_note(f"transcript_{effect.key.hex}", call, told)))

    async def ensure_lead(self, effect: Effect, lead: CrmLead) -> Done:
        """Open it, or write what the change names."""
        del effect
        return Done(str(Place(LEAD, await self._leads.ensure(lead))))

    async def send_message(self, effect: Effect, lead: CrmLead) -> Done:
        """Refused: Odoo has no channel of its own to a client's telephone."""
        del effect, lead
        raise PermanentError("Odoo sends no messages to clients")

    async def tell_incident(self, effect: Effect, incident: CrmIncident) -> Done:
        """Refused: it is no matter of clients."""
        del effect, incident
        raise PermanentError("Odoo has no place for faults of the house")

    async def create_task(self, effect: Effect, task: CrmTask) -> Done:
        """An activity of the kind "call"; a promise that is closed marks it done, once."""
        ours = f"task_{task.id}"
        known = await self._records.known(ACTIVITY, ours)
        if task.change == "closed":
            return await self._close_task(known, task)
        user = await self._people.user_of(task.owner)
        zone = (await self._user(user)).get("tz") or "UTC"
        row = {
            "summary": task_summary(self._settings.language, task),
            "note": task_note(self._settings.language, task),
            "date_deadline": day(task.due_at or effect.at, zone).isoformat(),
        }
        if user is not None:
            row["user_id/.id"] = user
        if known is None:
            told = effect.remote.get("call_finished")
            told_on = await self._records.now(Place.read(told)) if told else None
            place = told_on or await self._records.place(task.number, None, None, effect.numbers)
            row |= {
                "res_model_id/id": MODEL_IDS[place.model],
                "res_id": str(place.id),
                "activity_type_id/id": "mail.mail_activity_data_call",
            }
        return Done(str(Place(ACTIVITY, await self._records.load(ACTIVITY, ours, row))))

    async def users(self) -> Sequence[CrmUser]:
        """Who works there; whose telephone in Odoo is an internal number has that extension."""
        rows = await self._link.search("res.users", [["share", "=", False]], ["name", "phone", "email"])
        return [CrmUser(str(row["id"]), row["name"], _extension(row["phone"]), row["email"] or None) for row in rows]

    async def find_party(self, number: str, deadline: float) -> Sequence[Candidate]:
        """Open leads first, for their owner works with the caller now; then contacts."""
        try:
            async with asyncio.timeout(deadline):
                found = await self._records.found(number)
                told = [(LEAD, row) for row in found.leads] + [(CONTACT, row) for row in found.contacts]
                owners = {owner for _, row in told if (owner := id_of(row["user_id"])) is not None}
                persons = {owner: await self._people.person_of(str(owner)) for owner in owners}
        except (TimeoutError, UnknownOutcomeError):  # a question changes nothing there
            raise TransientError("the caller was not found in time") from None
        return [_candidate(model, row, persons) for model, row in told]

    async def calls_told(self, since: datetime, until: datetime) -> Sequence[HeldCall]:
        """The notes of calls that began then, each by the key in its message id; how long it was only its text says."""
        return await self._records.calls(since, until)

    def parse_inbound(self, request: Inbound) -> Sequence[Heard]:
        """What an automation rule sends: a changed lead or contact. Nobody signs it: a secret is in the address.

        Whose the number is now is asked there, for a lead's owner goes before a contact's, and an open lead's before
        any other's.
        """
        given = request.query.get("secret", "")
        if not self._secret or not hmac.compare_digest(given.encode(), self._secret.encode()):
            raise PermanentError("the address lacks the secret")
        return heard(request.body, self._settings.region)

    async def close(self) -> None:
        """Close the connections."""
        await self._link.close()

    async def _may_create(self, model: str) -> bool:
        if await self._link.version() >= _HAS_ACCESS:
            return bool(await self._link.call(model, "has_access", {"operation": "create"}, []))
        asked = {"operation": "create", "raise_exception": False}
        return bool(await self._link.call(model, "check_access_rights", asked))

    async def _access_ends(self) -> datetime | None:
        """When the last key of this user ends; None: never, for one has no end or the server knows none."""
        if await self._link.version() < _KEYS_END:
            return None
        keys = await self._link.search("res.users.apikeys", [["scope", "in", ["rpc", False]]], ["expiration_date"])
        ends = [read_moment(key["expiration_date"]) for key in keys]
        known = [at for at in ends if at is not None]
        # Which of several is ours nobody tells: the last one may be.
        return max(known) if known and len(known) == len(ends) else None

    async def _place_of(self, call: CrmCall, others: tuple[str, ...]) -> Place:
        if call.lead is None or call.number is None:
            return await self._records.place(call.number, call.party, call.name, others)
        there, _ = await self._records.lead(call.lead)
        if there is None:
            there, _ = await self._records.open_lead(lead_of_call(call, call.lead, (call.number, *others)))
        return Place(LEAD, there)

    async def _user(self, user: str | None) -> Mapping[str, Any]:
        """The contact and the time zone of a user; nothing for nobody."""
        return (await self._link.read("res.users", int(user), ["partner_id", "tz"]) or {}) if user else {}

    async def _close_task(self, known: int | None, task: CrmTask) -> Done:
        if known is None:
            return Done()
        # One that is done is archived or gone; done again, it would say so twice.
        if await self._link.search(ACTIVITY, [["id", "=", known]], ["id"]):
            said = {"feedback": closed_because(self._settings.language, task)}
            await self._link.call(ACTIVITY, "action_feedback", said, [known])
        return Done(str(Place(ACTIVITY, known)))


def _extension(phone: object) -> str | None:
    return phone if isinstance(phone, str) and is_short(phone) else None


def _candidate(model: str, row: Mapping[str, Any], persons: Mapping[int, str | None]) -> Candidate:
    owner = id_of(row["user_id"])
    name = row.get("contact_name") or row["name"]
    return Candidate(f"{model},{row['id']}", name, persons.get(owner) if owner is not None else None)


def _told_before(effect: Effect) -> Place:
    """Where the effect's call was told. Raises PermanentError when it was not."""
    told = effect.remote.get("call_finished")
    if told is None:
        raise PermanentError("the call itself was not told")
    return Place.read(told)


KIND: Final = Kind(
    name="odoo",
    title="Odoo",
    settings=OdooSettings,
    places=("address", "database"),
    secrets=("key", "inbound"),
    required=("key",),
    steps=("call_finished", "recording", "transcript", "task", "lead"),
    open=Odoo,
    capabilities=Odoo.capabilities,
    guide=GUIDE,
    door="inbound",
)
