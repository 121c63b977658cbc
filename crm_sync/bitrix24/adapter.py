"""Tells a Bitrix24 portal of calls, leads and promises (docs/how_to/connect_bitrix24.md).

Facts are of the vendor's pages and, where those are silent, of the published source of its module `voximplant`; none of
it was tried on a portal of the vendor's. Rules kept here:
1. A call is registered once, by the user of the settings and never by who rings, with our id as EXTERNAL_CALL_ID: by
   those the portal knows it again for thirty minutes from its start. Its CALL_ID is kept before anything else.
2. A call whose CALL_ID nobody kept is looked for among finished ones before it is registered: one that began more than
   thirty minutes ago the portal would not know again. A live call that was lost so stays unfinished there and is seen
   by nobody: only finished ones are in its history.
3. `finish` can be done once. That the call is not found then means that it is done, which the history confirms, or
   where that shows only some of the calls, that sound may be attached to it. A CALL_ID that another call shares (two
   clicks on one number) is the first one's: the ledger does not tell it to the second, which is a call of its own.
4. It ends with who talked last. The portal gives them the lead that it made of the call, and no other.
5. A lead is looked for by our id, then by its numbers among open ones, and made only then. One that was there before is
   the portal's: it keeps its owner and stage unless a person changed them here.
6. Nobody can be found by no number: such a call is not told.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from crm_sync.bitrix24.calls import Calls
from crm_sync.bitrix24.consent import CONSENT
from crm_sync.bitrix24.guide import GUIDE
from crm_sync.bitrix24.link import UPLOAD_SECONDS, Rest, Settings
from crm_sync.bitrix24.records import WRITTEN, Book
from crm_sync.bitrix24.words import (
    TYPES,
    door_key,
    heard,
    held_call,
    is_told,
    messages,
    moment,
    numbers_of,
)
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
from crm_sync.errors import (
    AuthDeadError,
    PermanentError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.leads_there import lead_of_call
from crm_sync.php_form import read_form
from crm_sync.told import (
    CrmCall,
    CrmIncident,
    CrmLead,
    CrmRecording,
    CrmTask,
    CrmTranscript,
)
from crm_sync.workplace import Kind, Workplace

_OUR_ID: Final = "EXTERNAL_CALL_ID"
_NO_LEADS: Final = "2"
"""The mode of a CRM that keeps deals alone."""
_NO_CALL: Final = "-"
"""What a call is called there that is not told."""
_FOUND_MOST: Final = 20
_CARD_SECONDS: Final = 10.0
"""A card that comes later disturbs."""
_LONG_BYTES: Final = 1024 * 1024
"""Of so much sound the upload may take longer than other requests do."""
_UPLOAD_BYTES: Final = 8 * 1024 * 1024
"""Longer sound goes as a file and not within JSON."""
_FORM_FIELDS_MOST: Final = 200
_SCOPES: Final = ("telephony", "crm", "user")
_NOT_TOLD: Final[Mapping[str, Any]] = {"not_told": "no_number"}


class Bitrix24:
    """The adapter of one portal."""

    capabilities: frozenset[Capability] = frozenset(
        {"live_card", "readback", "parties", "inbound", "numbers", "listing"}
    )

    def __init__(self, work: Workplace) -> None:
        self._work = work
        self._settings: Settings = work.settings
        self._rest = Rest(work)
        self._book = Book(work, self._rest)
        self._calls = Calls(work, self._rest, self._book)

    async def probe(self) -> Probed:
        """Scopes, an application's access, the history of calls, leads, and the user of the settings."""
        if not self._work.secrets.get("webhook") and not (self._settings.portal and self._settings.client):
            raise AuthDeadError("portal and client are required, or the secret webhook")
        scopes = await self._rest.call("scope")
        missing = [f"scope {name}" for name in _SCOPES if name not in scopes]
        if not missing:
            asked: list[tuple[str, str, dict[str, Any]]] = [
                ("access of an application, not of a webhook", "telephony.externalLine.get", {}),
                ("right to see the history of calls", "voximplant.statistic.get", {"FILTER": {_OUR_ID: _NO_CALL}}),
            ]
            for name, method, params in asked:
                try:
                    if await self._rest.call(method, params) and "FILTER" in params:
                        missing.append("history that can be asked for a call by our id")
                except AuthDeadError as error:
                    if error.answer.get("error") not in {"WRONG_AUTH_TYPE", "ACCESS_DENIED"}:
                        raise
                    missing.append(name)
            if str(await self._rest.call("crm.settings.mode.get")) == _NO_LEADS:
                missing.append("leads, which simple CRM mode has none of")
            if not await self._rest.call("user.get", {"FILTER": {"ID": self._settings.user, "ACTIVE": True}}):
                missing.append(f"active user {self._settings.user}")
            wanted = {"SOURCE": {self._settings.source}, "STATUS": set(self._settings.stages.values())}
            for called, ids in wanted.items():
                there = await self._rest.rows("crm.status.list", {"filter": {"ENTITY_ID": called}})
                missing += [f"{called.lower()} {one}" for one in sorted(ids - {row["STATUS_ID"] for row in there})]
        return Probed(tuple(missing))

    async def read_back(self, step: Step, effect: Effect) -> Done | None:
        """A finished call is in the history; all else may be told again, for it is looked for first, or replaces."""
        call_id = effect.remote.get("call_finished")
        if step != "call_finished" or call_id is None:
            return None
        row = await self._calls.finished("CALL_ID", call_id) or await self._calls.unseen(call_id)
        return None if row is None else await self._with_lead(effect, row)

    async def call_started(self, effect: Effect, call: CrmCall) -> Done:
        """Register it, unless it is told so late that it could not be registered again."""
        if not is_told(call):
            return Done(answer=_NOT_TOLD)
        known = effect.remote.get("call_started")
        if known is None and not self._calls.is_known_again(call):
            return Done(answer={"not_told": "late"})
        return Done(known or await self._calls.register(effect, call))

    async def call_answered(self, effect: Effect, call: CrmCall) -> Done:
        """Nothing is said of it there; whose screens show what is the cards' matter."""
        del effect, call
        return Done()

    async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
        """Finish it, after it was registered where that was not."""
        if not is_told(call):
            return Done(_NO_CALL, _NOT_TOLD)
        call_id = effect.remote.get("call_finished") or effect.remote.get("call_started")
        if call_id is None:
            row = await self._calls.finished(_OUR_ID, str(call.id))
            if row is not None:
                return await self._with_lead(effect, row)
        await self._make_known(call, effect.numbers)
        if call_id is not None and "call_finished" not in effect.remote:
            await effect.keep(call_id)  # from now on it is this call's alone
        row = await self._calls.finish(call, call_id or await self._calls.register(effect, call))
        if row is None:
            row = await self._calls.finish(call, await self._calls.register(effect, call))
        if row is None:
            raise UnknownOutcomeError("the portal forgot the call that it had just registered")
        return await self._with_lead(effect, row)

    async def attach_recording(self, effect: Effect, recording: CrmRecording) -> Done:
        """Upload it; the one before is replaced."""
        call_id = _told_call(effect)
        if call_id == _NO_CALL:
            return Done(answer=_NOT_TOLD)
        sound = await self._work.sound(recording.call)
        if sound is None:
            raise TransientError("the sound of the call is not there")
        file = f"{recording.call}.mp3"
        told = {"CALL_ID": call_id, "FILENAME": file}
        if len(sound) > _UPLOAD_BYTES:
            place = await self._rest.call("telephony.externalCall.attachRecord", told)
            await self._rest.upload(place["uploadUrl"], place["fieldName"], file, sound)
            return Done(call_id)
        told |= {"FILE_CONTENT": base64.b64encode(sound).decode()}
        seconds = UPLOAD_SECONDS if len(sound) > _LONG_BYTES else None
        answer = await self._rest.call("telephony.externalCall.attachRecord", told, seconds=seconds)
        return Done(str(answer["FILE_ID"]))

    async def attach_transcript(self, effect: Effect, transcript: CrmTranscript) -> Done:
        """Who said what; the last one told is what the portal shows."""
        call_id = _told_call(effect)
        told = messages(transcript)
        if call_id == _NO_CALL or not told:
            return Done(answer=_NOT_TOLD if told else {"not_told": "no_words"})
        params = {"CALL_ID": call_id, "MESSAGES": told}
        answer = await self._rest.call("telephony.call.attachTranscription", params)
        return Done(str(answer["TRANSCRIPT_ID"]))

    async def ensure_lead(self, effect: Effect, lead: CrmLead) -> Done:
        """Find it by our id or its numbers, or make it, and write there what changed here."""
        if lead.change not in WRITTEN:
            return Done(answer={"not_told": lead.change})
        number = await self._book.ensure(lead)
        if lead.change == "opened" and effect.remote.get("call_finished", _NO_CALL) != _NO_CALL:
            row = await self._calls.finished("CALL_ID", effect.remote["call_finished"])
            await self._book.bind(row or {}, number)
        return Done(str(number))

    async def send_message(self, effect: Effect, lead: CrmLead) -> Done:
        """The portal sends nothing to clients for us."""
        del effect, lead
        raise PermanentError("Bitrix24 takes no messages for clients")

    async def tell_incident(self, effect: Effect, incident: CrmIncident) -> Done:
        """Refused: it is no matter of clients."""
        del effect, incident
        raise PermanentError("Bitrix24 has no place for faults of the house")

    async def create_task(self, effect: Effect, task: CrmTask) -> Done:
        """A todo of whoever has the number, found by its title; a lead is made to hold it where nobody has."""
        number = await self._book.task(task, effect.remote.get("task"), effect.numbers)
        return Done(number, {} if number else {"not_told": "never_opened"})

    async def close(self) -> None:
        """Close the connections."""
        await self._work.http.close()

    async def users(self) -> Sequence[CrmUser]:
        """Active users, with their internal numbers."""
        rows = await self._rest.rows("user.get", {"FILTER": {"ACTIVE": True}})
        return [
            CrmUser(
                str(row["ID"]),
                " ".join(str(row[part]) for part in ("NAME", "LAST_NAME") if row.get(part)),
                str(row["UF_PHONE_INNER"]) if row.get("UF_PHONE_INNER") else None,
                str(row["EMAIL"]) if row.get("EMAIL") else None,
            )
            for row in rows
        ]

    async def find_party(self, number: str, deadline: float) -> Sequence[Candidate]:
        """Contacts first, then leads, then companies, as the portal orders them."""
        try:
            async with asyncio.timeout(deadline):
                rows = (await self._book.search(number))[:_FOUND_MOST]
                owners = {str(row.get("ASSIGNED_BY_ID") or "") for row in rows}
                persons = {owner: await self._work.people.person_of(owner) for owner in owners}
        except (TimeoutError, UnknownOutcomeError):  # a question changes nothing there
            raise TransientError("nobody said in time whose the number is") from None
        return [
            Candidate(
                f"{row['CRM_ENTITY_TYPE']}:{row['CRM_ENTITY_ID']}",
                str(row.get("NAME") or "") or None,
                persons[str(row.get("ASSIGNED_BY_ID") or "")],
            )
            for row in rows
        ]

    async def numbers_of(self, remote_id: str) -> Sequence[str]:
        """The numbers of a lead, contact or company (`LEAD:7`)."""
        kind, _, number = remote_id.partition(":")
        if kind not in TYPES or not number.isdecimal():
            return ()
        asked = {"entityTypeId": TYPES[kind], "select": ["*"], "filter": {"id": int(number)}}
        rows = (await self._rest.call("crm.item.list", asked))["items"]
        return numbers_of(rows[0], self._settings.region) if rows else ()

    async def calls_told(self, since: datetime, until: datetime) -> Sequence[HeldCall]:
        """The calls of the history that began then; ours have our id as EXTERNAL_CALL_ID."""
        wanted = {">=CALL_START_DATE": moment(since), "<CALL_START_DATE": moment(until)}
        asked = {"FILTER": wanted, "SORT": "ID", "ORDER": "ASC"}
        return [held_call(row) for row in await self._rest.rows("voximplant.statistic.get", asked)]

    async def card_show(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        """Show the card of a registered call."""
        del call
        await self._card("telephony.externalCall.show", effect, users)

    async def card_hide(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        """Hide it; `finish` does so only for who finished."""
        del call
        await self._card("telephony.externalCall.hide", effect, users)

    def parse_inbound(self, request: Inbound) -> Sequence[Heard]:
        """An event, verified by its application token, or by the door that it came to."""
        secrets = self._work.secrets
        door = door_key(str(secrets.get("client_secret") or ""))
        token = str(secrets.get("application_token") or "")
        told = heard(read_form(request.body, _FORM_FIELDS_MOST), request.query, token, door, self._settings.region)
        return [told] if told is not None else []

    async def _with_lead(self, effect: Effect, row: Mapping[str, Any]) -> Done:
        if effect.remote.get("lead"):
            await self._book.bind(row, int(effect.remote["lead"]))
        return _done(row)

    async def _make_known(self, call: CrmCall, numbers: Sequence[str]) -> None:
        """Make the lead of the house first: the portal shows a call nowhere that is of nobody when it ends."""
        if not self._settings.creates_leads and call.lead is not None and call.number is not None:
            await self._book.make(lead_of_call(call, call.lead, (call.number, *numbers), call.person))

    async def _card(self, method: str, effect: Effect, users: Sequence[str]) -> None:
        call_id = effect.remote.get("call_started")
        late = (self._work.now() - effect.at).total_seconds() > _CARD_SECONDS
        if call_id is None or late or not users:
            return
        await self._rest.call(method, {"CALL_ID": call_id, "USER_ID": [int(one) for one in users]}, low=True)


def _told_call(effect: Effect) -> str:
    """The CALL_ID of a call that is finished there."""
    call_id = effect.remote.get("call_finished")
    if call_id is None:
        raise PermanentError("the end of the call is not told there")
    return call_id


def _done(row: Mapping[str, Any]) -> Done:
    told = {
        "activity": row.get("CRM_ACTIVITY_ID"),
        "entity": row.get("CRM_ENTITY_TYPE"),
        "user": row.get("PORTAL_USER_ID"),
    }
    return Done(str(row["CALL_ID"]), {name: str(value) for name, value in told.items() if value})


KIND: Final = Kind(
    name="bitrix24",
    title="Bitrix24",
    settings=Settings,
    places=("portal", "token_server"),
    secrets=("client_secret", "application_token", "webhook"),
    steps=("call_started", "call_finished", "recording", "transcript", "task", "lead"),
    open=Bitrix24,
    capabilities=Bitrix24.capabilities,
    consent=CONSENT,
    guide=GUIDE,
)
