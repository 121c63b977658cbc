"""Calls in a Bitrix24 portal: registered once, finished once, found again in its history (rules 1-4 of the adapter)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec

from crm_sync.bitrix24.link import MethodError, Rest, Settings
from crm_sync.bitrix24.records import Book
from crm_sync.bitrix24.words import ending, is_of, registration
from crm_sync.crm import Effect
from crm_sync.errors import AuthDeadError, PermanentError
from crm_sync.told import CrmCall
from crm_sync.workplace import Workplace

_REGISTERED_AGAIN: Final = timedelta(minutes=25)
"""The portal knows a registered call again for thirty minutes from its start, by its own clock."""


class Calls:
    """The calls of one portal."""

    def __init__(self, work: Workplace, rest: Rest, book: Book) -> None:
        self._work = work
        self._settings: Settings = work.settings
        self._rest = rest
        self._book = book

    async def register(self, effect: Effect, call: CrmCall) -> str:
        """The CALL_ID of a call, which is kept before anything else."""
        settings = self._settings
        # The lead that the portal makes is marked as ours before the call is kept: until then the same is asked again.
        creates_lead = settings.creates_leads and self.is_known_again(call)
        if settings.creates_leads and not creates_lead and call.direction == "inbound":
            await self._book.holder([call.number or "", *effect.numbers], call.person)
        # The portal knows its clients by the number that calls alone; of one with others it is told which it is.
        known = await self._book.whose([call.number or "", *effect.numbers]) if effect.numbers else None
        params = registration(
            call, settings.user, creates_lead=creates_lead, chat=settings.chat, source=settings.source, known=known
        )
        try:
            told = await self._rest.call("telephony.externalCall.register", params)
        except MethodError as error:
            if is_no_user(error):
                raise AuthDeadError(f"user {settings.user} of the settings does not work there any more") from None
            raise
        call_id = str(told["CALL_ID"])
        if told.get("CRM_CREATED_LEAD"):
            await self._book.take(int(told["CRM_CREATED_LEAD"]), call.number or "")
        await effect.keep(call_id)
        return call_id

    def is_known_again(self, call: CrmCall) -> bool:
        """Whether the portal would know it again that was registered a moment ago."""
        return call.started_at is not None and self._work.now() - call.started_at <= _REGISTERED_AGAIN

    async def finish(self, call: CrmCall, call_id: str) -> Mapping[str, Any] | None:
        """The row of the history; None: another call has finished it, or nobody knows it any more."""
        talked = await self._book.user(call.person)
        params = ending(call, call_id, talked or self._settings.user, chat=self._settings.chat)
        try:
            row: Mapping[str, Any] = await self._rest.call("telephony.externalCall.finish", params)
        except MethodError as error:
            if error.told.startswith("Call is not found"):
                known = await self.finished("CALL_ID", call_id) or await self.unseen(call_id)
                return known if known is not None and is_of(known, call) else None
            if not is_no_user(error):
                raise
            if talked is None or talked == self._settings.user:
                raise AuthDeadError(
                    f"user {self._settings.user} of the settings does not work there any more"
                ) from None
            return await self.finish(msgspec.structs.replace(call, person=None), call_id)
        return row

    async def finished(self, field: str, wanted: str) -> Mapping[str, Any] | None:
        """The call in the history. A portal drops a field that its history lacks from a filter, without a word."""
        rows: list[Mapping[str, Any]] = await self._rest.call("voximplant.statistic.get", {"FILTER": {field: wanted}})
        found = next((row for row in rows if str(row.get(field)) == wanted), None)
        if rows and found is None:
            raise PermanentError(f"the history of calls cannot be asked for one by {field}")
        return found

    async def unseen(self, call_id: str) -> Mapping[str, Any] | None:
        """A finished call that the history does not show: whoever agreed may see only some of the calls.

        Sound may be attached to every finished one, and to no other; none is attached here.
        """
        asked = {"CALL_ID": call_id, "FILENAME": f"{call_id}.mp3"}
        try:
            await self._rest.call("telephony.externalCall.attachRecord", asked)
        except MethodError as error:
            if error.told.startswith("Call is not found"):
                return None
            raise
        return {"CALL_ID": call_id}


def is_no_user(error: MethodError) -> bool:
    """Whether it was refused for a user who does not work there any more."""
    return error.told.startswith("User is not found")
