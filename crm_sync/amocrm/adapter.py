"""Keeps amoCRM (Kommo) told of every call, through its API v4 (docs/how_to/connect_amocrm.md).

Rules kept here:
1. A call is a note on the card that has exactly its number: on their open lead, else on the contact or company. Notes
   can be read back by `params.uniq`; `POST /calls` goes by ten digits, and nothing of it can be read, changed or taken
   back. Neither knows a call again, so a call is sent once; after a doubt it is looked for among the notes first.
2. What was made may not be found at once. A doubt is not over before it is `visible_seconds` old; which card was made
   for a call, and who called a moment ago, is known from the ledger (`Effect.keep`, `Effect.lately`).
3. A stranger's call makes a contact with a lead, or an unsorted call (`unknown`), which is a lead when somebody takes
   it. Owners of what is there stay. A lead that we made has our tag, and what made it says so in what the ledger calls
   it (`Party.path`): the one where the answer to its making was lost, the other where people took the tag off.
4. A note cannot be given its sound later: it names a link that opens as soon as the sound is there.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from crm_sync.amocrm import words
from crm_sync.amocrm.cards import embedded, ids_of, is_made, numbers_of, place_of
from crm_sync.amocrm.guide import GUIDE
from crm_sync.amocrm.heard import FIELDS_MOST, clicked_by, heard, token_ends
from crm_sync.amocrm.link import CONSENT, Account, Settings
from crm_sync.amocrm.records import CALL_TYPES, CARDS, Book, made_id
from crm_sync.crm import (
    HEARD_MOST,
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
    PermanentError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.leads_there import may_change
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
from directory.numbers import normal

LATE: Final = timedelta(minutes=10)
_TEXT_MOST: Final = 15_000
_TASK_CHANGES: Final = frozenset({"text", "complete_till", "responsible_user_id"})
_NO_CALL: Final = "-"
"""What a call is called there that was not to be told."""
_NO_NUMBER: Final[Mapping[str, Any]] = {"not_told": "no_number"}
_UNSORTED: Final[Mapping[str, Any]] = {"not_told": "unsorted_calls_have_their_link_alone"}


class Amo:
    """The adapter of one account."""

    capabilities: frozenset[Capability] = frozenset(
        {"live_card", "readback", "parties", "inbound", "numbers", "listing"}
    )

    def __init__(self, workplace: Workplace) -> None:
        self._place = workplace
        self._is: Settings = workplace.settings
        self._account = Account(workplace)
        self._book = Book(workplace, self._account)

    async def probe(self) -> Probed:
        """Ask for the account, its users, whom only an administrator sees, and what the settings name.

        A long-lived token tells its end.
        """
        await self._account.get("/api/v4/account")
        try:
            users = {int(one.id) for one in await self.users()}
            missing = [f"user {self._is.responsible}"] if (self._is.responsible or 0) not in users | {0} else []
        except PermanentError:
            missing = ["users"]
        pipelines = [one async for one in self._account.each("/api/v4/leads/pipelines", "pipelines")]
        missing += words.not_there(pipelines, self._is.pipeline, {*self._is.stages.values(), self._is.status} - {None})
        return Probed(tuple(missing), access_ends_at=token_ends(str(self._place.secrets.get("token") or "")))

    async def read_back(self, step: Step, effect: Effect) -> Done | None:
        """Look for the note of a call or text by its key; leads and tasks are looked for before they are made."""
        found = None
        if step == "call_finished":
            before = effect.remote.get("call_finished", "")
            # Whoever accepts an unsorted call takes it out of the list; by its key it was a call of ours.
            found = before if "unsorted" in ids_of(before) else await self._book.call_told(effect)
        elif step in {"recording", "transcript"}:
            found = await self._book.text_told(effect)
        if found is not None:
            return Done(found)
        if effect.sent_at is not None:
            seconds = self._is.visible_seconds - (self._place.now() - effect.sent_at).total_seconds()
            if seconds > 0:
                raise TransientError("what was sent may not be seen there yet", retry_after=seconds)
        return None

    async def call_started(self, effect: Effect, call: CrmCall) -> Done:
        """Nothing: amoCRM hears of calls that are over; who is called sees a card (`card_show`)."""
        del effect, call
        return Done()

    async def call_answered(self, effect: Effect, call: CrmCall) -> Done:
        """Nothing, as above."""
        del effect, call
        return Done()

    async def call_finished(self, effect: Effect, call: CrmCall) -> Done:
        """A note on the card of the number, made for it where there is none."""
        before = effect.remote.get("call_finished", "")
        if before and await self._book.is_there(before):
            return Done(before)
        if call.number is None or not words.tellable(call.number):
            return Done(_NO_CALL, _NO_NUMBER)
        user = _user(await self._place.people.user_of(call.person))
        link = await self._place.link(call.id) if call.talk_seconds > 0 else None
        party = await self._book.party([call.number, *effect.numbers], effect, before)
        if party is None and self._is.unknown == "unsorted" and call.direction == "inbound":
            return await self._book.leave_unsorted(effect, call, user, link)
        if party is None:
            party = await self._book.make(effect, call.number, call.name, user)
            await effect.keep(party.path)
        kind, place = party.place
        late = self._place.now() - (call.ended_at or effect.at) > LATE
        note = words.call_note(effect.key.hex, place, call, user, link, late=late)
        made = await self._account.write("POST", f"/api/v4/{kind}/notes", note)
        return Done(f"{party.path}/notes/{made_id(made, 'notes')}")

    async def attach_recording(self, effect: Effect, recording: CrmRecording) -> Done:
        """The call's note names the link already; where it does not, as after a message left, a text does."""
        told_as = effect.remote.get("call_finished", "")
        at = ids_of(told_as)
        if "unsorted" in at:
            return Done(told_as, _UNSORTED)
        if "notes" in at:
            note = await self._account.get(f"/api/v4/{place_of(at)[0]}/notes/{at['notes']}")
            if note is not None and note.get("params", {}).get("link"):
                return Done(told_as)
        return await self._text(effect, f"{words.word('recording', self._is.language)}: {recording.url}")

    async def attach_transcript(self, effect: Effect, transcript: CrmTranscript) -> Done:
        """A text on the card where the call is; of an unsorted one on the lead that it became."""
        text = f"{words.word('transcript', self._is.language)}:\n{transcript.text[:_TEXT_MOST]}"
        return await self._text(effect, text if transcript.is_whole else f"{text} …")

    async def ensure_lead(self, effect: Effect, lead: CrmLead) -> Done:
        """The open lead of the party, made where there is none when ours is opened; one we made follows ours.

        What it was called before is the one, else where its call was told; it is searched for only when it is opened.
        A call that was left unsorted is its lead as soon as somebody accepts it, and until then nothing is told of it.
        """
        user = _user(await self._place.people.user_of(lead.owner))
        before = effect.remote.get("lead") or effect.remote.get("call_finished", "")
        told_as = before.partition("/notes/")[0] if ids_of(before).keys() & {"leads", "unsorted"} else None
        if told_as is None and lead.change == "opened":
            numbers = [number for number in lead.numbers if words.tellable(number)]
            party = await self._book.party(numbers, effect) if numbers else None
            if numbers and (party is None or party.lead is None):
                return await self._book.open(effect, lead, party, numbers[0], user)
            told_as = party.path if party else None
        if "unsorted" in ids_of(told_as):
            party = await self._book.accepted(told_as or "")
            if party is None:
                return Done(told_as, {"not_told": "nobody_took_it_yet"})
            told_as = party.path
        change = words.lead_change(lead, user, self._is.stages)
        target = ids_of(told_as).get("leads")
        if change and target and may_change(lead, is_made=is_made(told_as, target)):
            await self._account.write("PATCH", "/api/v4/leads", {"id": int(target), **change})
        return Done(told_as, {} if told_as else {"not_told": "lead_not_told"})

    async def send_message(self, effect: Effect, lead: CrmLead) -> Done:
        """Refused: there is nobody there who would send it on."""
        del effect, lead
        raise PermanentError("amoCRM takes no messages to clients from outside")

    async def tell_incident(self, effect: Effect, incident: CrmIncident) -> Done:
        """Refused: it is no matter of clients."""
        del effect, incident
        raise PermanentError("amoCRM has no place for faults of the house")

    async def create_task(self, effect: Effect, task: CrmTask) -> Done:
        """A task on the party's card, known by the key in its text; it follows the promise until that is closed."""
        user = _user(await self._place.people.user_of(task.owner))
        numbers = [number for number in (task.number, *effect.numbers) if words.tellable(number)]
        party = await self._book.party(numbers, effect) if numbers else None
        known = await self._book.task(effect, task, party)
        base = f"{party.path}/" if party else ""
        if task.change == "closed":
            if known is None:
                return Done(party.path if party else None)
            done = {"text": words.word("done", self._is.language)}
            await self._account.send(
                "PATCH", "/api/v4/tasks", json=[{"id": known, "is_completed": True, "result": done}]
            )
            return Done(f"{base}tasks/{known}")
        now, place = int(self._place.now().timestamp()), party.place if party else None
        body = words.task_body(task, place, user, now, self._is.language)
        if known is not None:
            changed = {name: told for name, told in body.items() if name in _TASK_CHANGES}
            await self._account.write("PATCH", "/api/v4/tasks", {"id": known} | changed)
            return Done(f"{base}tasks/{known}")
        made = await self._account.write("POST", "/api/v4/tasks", body)
        return Done(f"{base}tasks/{made_id(made, 'tasks')}")

    async def close(self) -> None:
        """Close the connections."""
        await self._place.http.close()

    async def users(self) -> Sequence[CrmUser]:
        """Who works there; amoCRM knows no extensions: a mailbox says who it is, or a person."""
        found = self._account.each("/api/v4/users", "users")
        return [
            CrmUser(str(one["id"]), str(one.get("name") or one["id"]), email=one.get("email") or None)
            async for one in found
        ]

    async def find_party(self, number: str, deadline: float) -> Sequence[Candidate]:
        """Every card with the whole number, the best first; its owner is the open lead's, else its own."""
        try:
            async with asyncio.timeout(deadline):
                found = await self._book.parties(number)
                whose = self._place.people.person_of
                owners = {one.owner for one in found}
                persons = {owner: await whose(str(owner) if owner else None) for owner in owners}
        except (TimeoutError, UnknownOutcomeError):  # a question changes nothing there
            raise TransientError("it took longer than there was time") from None
        return [Candidate(one.path, one.name, persons[one.owner]) for one in found]

    async def numbers_of(self, remote_id: str) -> Sequence[str]:
        """The numbers of a contact, a company, or the contacts of a lead."""
        at = ids_of(remote_id)
        cards = [(kind, at[kind]) for kind in ("contacts", "companies") if kind in at]
        if "leads" in at:
            lead = await self._account.get(f"/api/v4/leads/{at['leads']}", **{"with": "contacts"})
            cards += [("contacts", str(one["id"])) for one in embedded(lead, "contacts")]
        found: set[str] = set()
        for kind, number in cards:
            card = await self._account.get(f"/api/v4/{kind}/{number}")
            found |= numbers_of(card or {}, self._is.region)
        return sorted(found)

    async def calls_told(self, since: datetime, until: datetime) -> Sequence[HeldCall]:
        """The notes of calls that were written or changed then, by the key in `params.uniq`; none that are unsorted."""
        ends = {"from": since, "to": until}
        period = [(f"filter[updated_at][{end}]", str(int(at.timestamp()))) for end, at in ends.items()]
        types = [("filter[note_type][]", one) for one in CALL_TYPES]
        held = []
        for kind in CARDS:
            notes = self._account.each(f"/api/v4/{kind}/notes", "notes", [*types, *period])
            held += [one async for note in notes if (one := words.held_call(kind, note)) is not None]
        return held

    async def card_show(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        """One popup: each request is one more, so it is never sent again."""
        del effect
        ids = [int(one) for one in users if one.isdigit()]
        if ids and call.number is not None and words.tellable(call.number):
            popup = {"type": "phone_call", "phone_number": words.written(call.number), "users": ids}
            await self._account.send("POST", "/api/v2/events/", json={"add": [popup]}, low=True)

    async def card_hide(self, effect: Effect, call: CrmCall, users: Sequence[str]) -> None:
        """A popup of amoCRM goes by itself."""

    def parse_inbound(self, request: Inbound) -> Sequence[Heard]:
        """A webhook, which nobody signs: a secret is in its address; or a click, with the widget's token."""
        token = next((value for name, value in request.headers.items() if name.lower() == "x-auth-token"), None)
        if token is not None:
            return [self._clicked(token, request.body)]
        secret = str(self._place.secrets.get("inbound") or "")
        given = request.query.get("secret", "")
        if not secret or not hmac.compare_digest(given.encode(), secret.encode()):
            raise PermanentError("the address lacks the secret")
        return list(islice(heard(read_form(request.body, FIELDS_MOST), self._is.region), HEARD_MOST))

    def _clicked(self, token: str, body: bytes) -> Heard:
        """`{"phone": …}` of a widget, for the user whom its token names."""
        client_secret = str(self._place.secrets.get("client_secret") or "")
        claims = clicked_by(token, self._is.client_id, client_secret, self._place.now().timestamp())
        try:
            phone = json.loads(body)["phone"]
        except (ValueError, KeyError, TypeError, RecursionError):
            phone = None
        if not isinstance(phone, str | int):
            raise PermanentError("a click without a number")
        clicked = {"number": normal(str(phone), self._is.region), "user": str(claims.get("user_id", ""))}
        return Heard("originate", clicked | {"remote_id": claims["jti"]}, is_once=True)

    async def _text(self, effect: Effect, text: str) -> Done:
        """A text where the call of the effect is. Raises PermanentError when that was to be told, and was not."""
        told_as = effect.remote.get("call_finished", "")
        if told_as == _NO_CALL:
            return Done(answer=_NO_NUMBER)
        path = await self._book.place_told(told_as)
        if path is None and "unsorted" in ids_of(told_as):
            return Done(answer=_UNSORTED)
        if path is None:
            raise PermanentError("the call itself was not told")
        kind, place = place_of(ids_of(path))
        note = words.common_note(effect.key.hex, place, text)
        made = await self._account.write("POST", f"/api/v4/{kind}/notes", note)
        return Done(f"{path}/notes/{made_id(made, 'notes')}")


def _user(user: str | None) -> int | None:
    return int(user) if user is not None and user.isdigit() else None


KIND: Final = Kind(
    name="amocrm",
    title="amoCRM (Kommo)",
    settings=Settings,
    secrets=("token", "client_secret", "inbound"),
    steps=("call_finished", "recording", "transcript", "task", "lead"),
    open=Amo,
    capabilities=Amo.capabilities,
    consent=CONSENT,
    guide=GUIDE,
    door="inbound",
)
