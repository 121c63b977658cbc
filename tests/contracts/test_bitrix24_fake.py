"""The Bitrix24 that adapters are tried against refuses what the real one refuses, and forgets what it forgets."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest

from tests.fakes.bitrix24 import CLIENT, CLIENT_SECRET, HOOK_CODE, Bitrix24, Fault, open_bitrix24
from tests.fakes.bitrix24_portal import User

REGISTER = "telephony.externalCall.register"
FINISH = "telephony.externalCall.finish"
CALL = {"USER_ID": 1, "PHONE_NUMBER": "+79161234567", "TYPE": 2, "EXTERNAL_CALL_ID": "one", "SHOW": 0}


@dataclass
class Caller:
    """Asks the portal as an app whose hour never ends, unless the test's clock says so; `at` is that clock."""

    server: Bitrix24
    session: aiohttp.ClientSession
    at: float = 1_800_000_000.0
    access: str = ""
    said: list[int] = field(default_factory=list)
    times: list[Any] = field(default_factory=list)

    async def ask(self, method: str, params: Mapping[str, Any] | None = None) -> Any:
        """The result, or (error, text)."""
        return await self.post(f"{self.server.url}/rest/{method}", {**(params or {}), "auth": self.access})

    async def post(self, url: str, params: Mapping[str, Any]) -> Any:
        async with self.session.post(url, json=dict(params), allow_redirects=False) as answer:
            self.said.append(answer.status)
            told = await answer.json(content_type=None)
        self.times.append(told["time"])  # errors have it too
        return told["result"] if "result" in told else (told["error"], told["error_description"])

    async def token(self, **query: str) -> Any:
        who = {"client_id": CLIENT, "client_secret": CLIENT_SECRET}
        async with self.session.get(f"{self.server.token_url}/oauth/token/", params={**who, **query}) as answer:
            return await answer.json()


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with open_bitrix24() as server, aiohttp.ClientSession() as session:
        told = Caller(server, session)
        server.clock = lambda: told.at
        told.access = server.grant().access
        server.portal.users[5] = User(5, "101", "Анна")
        yield told


async def test_a_call_is_known_again_for_thirty_minutes_from_its_start_and_no_more_once_finished(
    caller: Caller,
) -> None:
    """By user, number, type, line and our id; one that began longer ago is another call each time."""
    first = (await caller.ask(REGISTER, CALL))["CALL_ID"]
    assert (await caller.ask(REGISTER, CALL))["CALL_ID"] == first
    assert (await caller.ask(REGISTER, {k: v for k, v in CALL.items() if k != "EXTERNAL_CALL_ID"}))["CALL_ID"] == first
    for other in ({"USER_ID": 5}, {"TYPE": 1}, {"EXTERNAL_CALL_ID": "two"}, {"LINE_NUMBER": "+74951234567"}):
        assert (await caller.ask(REGISTER, CALL | other))["CALL_ID"] != first
    long_ago = {"CALL_START_DATE": (datetime.fromtimestamp(caller.at, UTC) - timedelta(minutes=31)).isoformat()}
    back_filled = CALL | {"EXTERNAL_CALL_ID": "old"} | long_ago
    assert (await caller.ask(REGISTER, back_filled))["CALL_ID"] != (await caller.ask(REGISTER, back_filled))["CALL_ID"]
    row = await caller.ask(FINISH, {"CALL_ID": first, "USER_ID": 5, "DURATION": 0, "STATUS_CODE": "304"})
    assert (row["CALL_START_DATE"], row["INCOMING"], row["CALL_STATUS"]) == ({}, "2", 0)
    assert caller.server.portal.missed == [row["ID"]]
    told = await caller.ask(FINISH, {"CALL_ID": first, "USER_ID": 5})
    assert told == ("ERROR_CORE", "Call is not found (call should be registered prior to finishing)")
    assert (await caller.ask(REGISTER, CALL))["CALL_ID"] != first


async def test_registering_is_checked_in_its_order(caller: Caller) -> None:
    """User, type, date, number, and whether the user works there."""
    for change, text in (
        ({"USER_ID": None, "TYPE": 9}, "USER_ID or USER_PHONE_INNER should be set"),
        ({"USER_ID": None, "USER_PHONE_INNER": "999"}, "USER_ID or USER_PHONE_INNER should be set"),
        ({"TYPE": 9, "CALL_START_DATE": "today"}, "Unknown TYPE"),
        ({"CALL_START_DATE": "2026-11-23 10:00:00"}, "CALL_START_DATE should be in the ISO-8601 format"),
        ({"PHONE_NUMBER": "anonymous", "USER_ID": 7}, "Unsupported phone number format"),
        ({"USER_ID": 7}, "User is not found or is not active"),
    ):  # fmt: skip
        assert await caller.ask(REGISTER, CALL | change) == ("ERROR_CORE", text)
    made = await caller.ask(REGISTER, CALL | {"CRM_CREATE": 1, "NOVELTY": 1})
    assert made["CRM_CREATED_LEAD"] == made["CRM_ENTITY_ID"]
    assert caller.server.portal.ignored == [f"{REGISTER} NOVELTY"]
    again = await caller.ask(REGISTER, CALL | {"CRM_CREATE": 1, "EXTERNAL_CALL_ID": "two"})
    assert (again["CRM_CREATED_LEAD"], again["CRM_ENTITY_ID"]) == (None, made["CRM_ENTITY_ID"])
    await caller.ask(FINISH, {"CALL_ID": made["CALL_ID"], "USER_ID": 5, "DURATION": 6})
    assert caller.server.portal.entities["LEAD"][made["CRM_ENTITY_ID"]]["assignedById"] == 5
    caller.server.portal.makes_leads = False
    refused = await caller.ask(REGISTER, CALL | {"CRM_CREATE": 1, "PHONE_NUMBER": "+79160000001"})
    assert "LEAD_CREATION_ERROR" in refused


async def test_a_lead_has_the_stages_and_sources_of_the_portal_and_is_found_when_it_is_indexed(caller: Caller) -> None:
    """By its number later than by its origin."""
    portal = caller.server.portal
    portal.hidden_for = 60.0
    phone = {"fm": [{"typeId": "PHONE", "valueType": "WORK", "value": "+79161234567"}]}
    for wrong in ({"stageId": "NOVELTY"}, {"sourceId": "MOON"}):
        told = await caller.ask("crm.item.add", {"entityTypeId": 1, "fields": wrong})
        assert told[0] == "CRM_FIELD_ERROR_VALUE_NOT_VALID"
    ours = {"originatorId": "we", "originId": "7", "stageId": "NEW", "sourceId": "CALL"}
    lead = (await caller.ask("crm.item.add", {"entityTypeId": 1, "fields": phone | ours}))["item"]["id"]
    search = "telephony.externalCall.searchCrmEntities"
    assert await caller.ask(search, {"PHONE_NUMBER": "+79161234567"}) == []
    found = await caller.ask("crm.item.list", {"entityTypeId": 1, "filter": {"originId": "7"}})
    assert [one["id"] for one in found["items"]] == [lead]
    caller.at += 61
    assert [one["CRM_ENTITY_ID"] for one in await caller.ask(search, {"PHONE_NUMBER": "+79161234567"})] == [lead]


async def test_records_and_cards_are_of_calls_of_their_time(caller: Caller) -> None:
    """A record before the end is refused, a card after it is not shown, and neither is an error of the transport."""
    call = (await caller.ask(REGISTER, CALL))["CALL_ID"]
    record = {"CALL_ID": call, "FILENAME": "a.mp3", "FILE_CONTENT": "AAAA"}
    attach = "telephony.externalCall.attachRecord"
    assert (await caller.ask(attach, record))[1].startswith("Call is not found in the statistic table")
    show = "telephony.externalCall.show"
    assert await caller.ask(show, {"CALL_ID": call, "USER_ID": [1, 5]}) is True
    await caller.ask(FINISH, {"CALL_ID": call, "USER_ID": 5, "DURATION": 1})
    assert await caller.ask(show, {"CALL_ID": call, "USER_ID": 5}) is False
    for change, text in (
        ({"FILENAME": ""}, "File name is empty"),
        ({"FILENAME": "a.MP3"}, "Wrong file extension. Only wav and mp3 are allowed"),
        ({"FILE_CONTENT": ""}, "File content is empty."),
        ({"FILE_CONTENT": "?"}, "Can not decode file content. Base64 encoding is expected."),
        ({"RECORD_URL": f"{caller.server.url}/nothing"}, "Server returns HTTP error code 404"),
    ):
        assert (await caller.ask(attach, record | change))[1] == text
    assert "FILE_ID" in await caller.ask(attach, record)
    messages = [{"SIDE": "Agent", "START_TIME": 0, "STOP_TIME": 1, "MESSAGE": "x"}]
    told = await caller.ask("telephony.call.attachTranscription", {"CALL_ID": call, "MESSAGES": messages})
    assert told[1] == "MESSAGES[0][SIDE] should be either Client or User"


async def test_access_ends_and_is_renewed_once_a_token(caller: Caller) -> None:
    """A code is good for thirty seconds and once, so is a refresh token; a webhook may not register."""
    code = caller.server.code()
    first = await caller.token(grant_type="authorization_code", code=code)
    assert (await caller.token(grant_type="authorization_code", code=code))["error"] == "invalid_grant"
    late = caller.server.code()
    caller.at += 31
    assert (await caller.token(grant_type="authorization_code", code=late))["error"] == "invalid_grant"
    assert "access_token" in await caller.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    told = await caller.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert told["error"] == "invalid_grant"
    caller.at += 3600
    assert (await caller.ask("scope"))[0] == "expired_token"
    caller.access = "nobody's"
    assert (await caller.ask("scope"))[0] == "NO_AUTH_FOUND"
    hook = f"{caller.server.url}/rest/1/{HOOK_CODE}"
    assert "telephony" in await caller.post(f"{hook}/scope", {})
    assert (await caller.post(f"{hook}/{REGISTER}", CALL))[0] == "WRONG_AUTH_TYPE"
    caller.server.webhook_may = True
    assert "CALL_ID" in await caller.post(f"{hook}/{REGISTER}", CALL)


async def test_limits_bite(caller: Caller) -> None:
    """Fifty requests at once and two a second; a method's seconds in ten minutes: who crosses the line is the last."""
    for _ in range(50):
        await caller.ask("scope")
    assert (await caller.ask("scope"))[0] == "QUERY_LIMIT_EXCEEDED"
    caller.at += 1
    assert "telephony" in await caller.ask("scope")
    caller.server.costs["user.get"] = 300.0
    caller.at += 60
    batch = {"cmd": {"a": "user.get", "b": "user.get", "c": "user.get"}}
    told = await caller.ask("batch", batch)  # each within is charged for itself
    assert (list(told["result"]), told["result_error"]["c"]["error"]) == (["a", "b"], "OPERATION_TIME_LIMIT")
    assert (await caller.ask("user.get"))[0] == "OPERATION_TIME_LIMIT"
    assert caller.times[-1]["operating"] == 600.0
    caller.at += 600
    assert isinstance(await caller.ask("user.get"), list)


async def test_empty_maps_are_lists_and_a_renamed_portal_leads_elsewhere(caller: Caller) -> None:
    """As PHP writes them; and 302, after which a browser would lose the body."""
    params = {"type": "PHONE", "values": ["+79161234567"]}
    assert await caller.ask("crm.duplicate.findbycomm", params) == []
    for _ in range(20):
        caller.server.portal.add_entity("LEAD", "+79161234567", stageId="JUNK")
    contact = caller.server.portal.add_entity("CONTACT", "+79161234567")
    # So many of one kind hide the next.
    assert list(await caller.ask("crm.duplicate.findbycomm", params)) == ["LEAD"]
    told = await caller.ask("crm.duplicate.findbycomm", params | {"entity_type": "CONTACT"})
    assert told == {"CONTACT": [contact]}
    batch = await caller.ask("batch", {"cmd": {"a": "scope", "b": "batch?cmd=x"}})
    assert batch["result_total"] == []
    assert batch["result_error"]["b"]["error"] == "ERROR_BATCH_METHOD_NOT_ALLOWED"
    caller.server.script = lambda _count, _method: Fault("cut")
    with pytest.raises(aiohttp.ClientError):
        await caller.ask("scope")
    caller.server.script = lambda _count, _method: None
    caller.server.renamed = True
    async with caller.session.post(f"{caller.server.url}/rest/scope", json={"auth": caller.access}) as followed:
        assert (followed.status, str(followed.url.origin())) == (401, caller.server.renamed_url)
