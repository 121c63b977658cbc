"""The account of amoCRM in tests refuses what the real one refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.fakes.amocrm import ANNA, CLIENT, CLIENT_SECRET, REDIRECT, Amo, open_amo
from tests.fakes.amocrm_checks import bracketed
from tests.fakes.webhooks import Said

CALL = {"direction": "inbound", "phone": "+79161234567", "duration": 6, "source": "Switchhook", "uniq": "one"}


@pytest.fixture
async def amo() -> AsyncIterator[Amo]:
    async with open_amo() as opened:
        yield opened


async def ask(amo: Amo, method: str, path: str, body: Any = None, token: str | None = None, **more: Any) -> Any:
    """(status, JSON or text) of one request with a token that is good."""
    known = token or next(iter(amo.long_lived), None) or amo.give_long_lived()
    headers = {"Authorization": f"Bearer {known}", **more}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, amo.url + path, json=body, headers=headers) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if "json" in answer.content_type else text


async def token(amo: Amo, **asked: str) -> Any:
    ours = {"client_id": CLIENT, "client_secret": CLIENT_SECRET, "redirect_uri": REDIRECT}
    return await ask(amo, "POST", "/oauth2/access_token", ours | asked)


async def test_only_its_own_host_and_tokens_that_hold_are_let_in(amo: Amo) -> None:
    """Access ends by its time, a long-lived token does not."""
    access, _ = amo.grant()
    assert (await ask(amo, "GET", "/api/v4/account", token=access))[0] == 200
    amo.end_access()
    assert (await ask(amo, "GET", "/api/v4/account", token=access))[0] == 401
    assert (await ask(amo, "GET", "/api/v4/account", Host="www.amocrm.ru"))[0] == 401
    assert (await ask(amo, "GET", "/api/v4/account"))[0] == 200


async def test_a_refresh_token_works_once_and_its_second_use_loses_the_account(amo: Amo) -> None:
    """As does no other redirect, nor a code twice."""
    code = amo.give_code()
    _, first = await token(amo, grant_type="authorization_code", code=code)
    assert (await token(amo, grant_type="authorization_code", code=code))[0] == 400
    other = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
    assert (await token(amo, redirect_uri="https://elsewhere.example.com", **other))[0] == 400
    status, second = await token(amo, **other)
    assert (status, amo.refreshes) == (200, 1)
    assert (await token(amo, **other))[0] == 400
    newest = {"grant_type": "refresh_token", "refresh_token": second["refresh_token"]}
    assert (await token(amo, **newest))[0] == 400
    assert (await ask(amo, "GET", "/api/v4/account", token=second["access_token"]))[0] == 401


async def test_the_eighth_request_of_a_second_is_html_and_more_of_them_are_a_ban(amo: Amo) -> None:
    """By whichever token of the integration; of everything, tokens too, until somebody asks the vendor."""
    other = amo.give_long_lived(integration="another")
    ours = [amo.give_long_lived(), amo.grant()[0]]
    assert [(await ask(amo, "GET", "/api/v4/account", token=other))[0] for _ in range(7)] == [200] * 7
    said = [await ask(amo, "GET", "/api/v4/account", token=ours[one % 2]) for one in range(7 + amo.banned_after)]
    assert [status for status, _ in said] == [200] * 7 + [429] * amo.banned_after
    assert "<html>" in said[-1][1]
    assert (await ask(amo, "GET", "/api/v4/account"))[0] == 403
    banned, page = await token(amo, grant_type="authorization_code", code=amo.give_code())
    assert (banned, "<html>" in page) == (403, True)
    amo.forgive()
    amo._lately.clear()
    assert (await ask(amo, "GET", "/api/v4/account"))[0] == 200


@pytest.mark.parametrize(
    "body, path",
    [
        (CALL, None),
        ([CALL | {"link": None}], "link"),
        ([CALL | {"duration": "6"}], "duration"),
        ([CALL | {"colour": "red"}], "colour"),
        ([CALL | {"responsible_user_id": 99}], "responsible_user_id"),
        ([{"phone": "+79161234567"}], "direction"),
        ([CALL] * 251, None),
    ],
    ids=["no array", "null", "type", "unknown", "nobody", "missing", "many"],
)
async def test_bodies_that_are_wrong_are_refused_by_path(amo: Amo, body: Any, path: str | None) -> None:
    """Nothing is kept of them."""
    amo.add_contact("+7 916 123-45-67")
    status, said = await ask(amo, "POST", "/api/v4/calls", body)
    assert (status, amo.notes) == (400, {})
    if path is not None:
        assert path in [one["path"] for one in said["validation-errors"][0]["errors"]]


async def test_ids_of_nothing_are_refused_and_what_is_new_is_listed_later(amo: Amo) -> None:
    """A status is one of its pipeline's; by its id a lead is there at once."""
    amo.hidden_for = 60.0
    contact = {"first_name": "Пётр", "responsible_user_id": 99}
    for wrong, path in (
        ({"pipeline_id": 71, "status_id": 7201}, "status_id"), ({"pipeline_id": 7}, "pipeline_id"),
        ({"_embedded": {"contacts": [contact]}}, "_embedded.contacts.0.responsible_user_id"),
    ):  # fmt: skip
        _, said = await ask(amo, "POST", "/api/v4/leads/complex", [wrong])
        assert [one["path"] for one in said["validation-errors"][0]["errors"]] == [path]
    _, made = await ask(amo, "POST", "/api/v4/leads/complex", [{"_embedded": {"contacts": [{"first_name": "Пётр"}]}}])
    lead, card = made[0]["id"], made[0]["contact_id"]
    assert (await ask(amo, "GET", f"/api/v4/leads?filter[id][]={lead}"))[0] == 204
    assert (await ask(amo, "GET", f"/api/v4/contacts/{card}?with=leads"))[1]["_embedded"]["leads"] == []
    assert (await ask(amo, "GET", f"/api/v4/leads/{lead}"))[0] == 200


async def test_a_batch_that_is_too_much_for_it_ends_in_a_504(amo: Amo) -> None:
    """As a heavy request does there."""
    amo.add_contact("+7 916 123-45-67")
    amo.biggest_batch = 50
    assert (await ask(amo, "POST", "/api/v4/calls", [CALL] * 51))[0] == 504


async def test_calls_go_by_ten_digits_and_are_taken_twice(amo: Amo) -> None:
    """To the one active lead, else the one customer, else the contact; strangers are refused, told apart."""
    stranger = CALL | {"phone": "+74959876543", "request_id": "b"}
    status, said = await ask(amo, "POST", "/api/v4/calls", [stranger])
    assert (status, said["errors"][0]["status"], said["_embedded"]["calls"]) == (400, 263, [])
    contact = amo.add_contact("8 (916) 123-45-67")
    places = []
    for prepare in (lambda: None, lambda: amo.add_lead(contact), lambda: amo.add_customer(contact)):
        prepare()
        abroad = CALL | {"phone": "+19161234567"}
        status, said = await ask(amo, "POST", "/api/v4/calls", [abroad, stranger])
        assert (status, [one["request_id"] for one in said["errors"]]) == (200, ["b"])
        places.append(said["_embedded"]["calls"][0]["entity_type"])
    assert places == ["contact", "lead", "contact"]
    assert len(amo.calls_of("one")) == 3


async def test_what_is_unsorted_is_found_by_nobody_and_taken_once(amo: Amo) -> None:
    """Until a person accepts it."""
    metadata = {"from": "+79161234567", "phone": "+79161234567", "called_at": 1, "duration": 6, "uniq": "one"}
    contact = {"first_name": "Пётр", "custom_fields_values": [
        {"field_code": "PHONE", "values": [{"value": "+79161234567"}]}
    ]}  # fmt: skip
    item = {"source_uid": "s", "source_name": "S", "metadata": metadata, "_embedded": {"contacts": [contact]}}
    status, said = await ask(amo, "POST", "/api/v4/leads/unsorted/sip", [item])
    assert status == 200
    assert (await ask(amo, "POST", "/api/v4/leads/unsorted/sip", [item]))[0] == 400
    assert (await ask(amo, "GET", "/api/v4/contacts?query=9161234567"))[0] == 204
    assert (await ask(amo, "POST", "/api/v4/calls", [CALL]))[0] == 400
    uid = said["_embedded"]["unsorted"][0]["uid"]
    assert (await ask(amo, "GET", f"/api/v4/leads/unsorted/{uid}"))[1]["metadata"] == metadata
    amo.accept(uid)
    assert (await ask(amo, "GET", f"/api/v4/leads/unsorted/{uid}"))[0] == 204
    assert (await ask(amo, "GET", "/api/v4/contacts?query=9161234567"))[0] == 200


async def test_a_search_hits_seven_digits_and_other_fields_and_not_what_is_hidden(amo: Amo) -> None:
    """So whoever searches has to look."""
    amo.add_contact("+7 495 123-45-67", name="A")
    amo.add_contact("+7 916 000-00-00", name="Договор 9161234567")
    amo.add_contact("+7 916 123-45-67", name="hidden", not_for_us=True)
    _, said = await ask(amo, "GET", "/api/v4/contacts?query=9161234567")
    assert [one["name"] for one in said["_embedded"]["contacts"]] == ["A", "Договор 9161234567"]


async def test_each_event_is_one_popup_more(amo: Amo) -> None:
    """Whoever is unknown has a null element."""
    body = {"add": [{"type": "phone_call", "phone_number": "+79161234567", "users": [ANNA]}]}
    await ask(amo, "POST", "/api/v2/events/", body)
    status, said = await ask(amo, "POST", "/api/v2/events/", body)
    assert (status, said["_embedded"]["items"][0]["element_id"], len(amo.popups)) == (200, None, 2)
    assert (await ask(amo, "POST", "/api/v2/events/", body["add"]))[0] == 400


async def test_faults_come_before_and_after_the_work(amo: Amo) -> None:
    """As the script says."""
    amo.add_contact("+79161234567")
    script = [Said(status=500), Said(status=500, takes=True), Said(cut=True, takes=True)]
    amo.script = lambda count, _asked: script[count - 1]
    for _ in range(2):
        assert (await ask(amo, "POST", "/api/v4/calls", [CALL]))[0] == 500
    with pytest.raises(aiohttp.ClientError):
        await ask(amo, "POST", "/api/v4/calls", [CALL])
    assert len(amo.calls_of("one")) == 2


async def test_webhooks_are_bracketed_and_end_after_a_hundred_bad_answers(amo: Amo) -> None:
    """Within two hours, and the last one bad."""
    heard: list[str] = []
    status = 200

    async def take(request: web.Request) -> web.Response:
        heard.append(await request.text())
        return web.Response(status=status)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    told = {"leads": {"add": [{"id": 1, "name": "Заявка"}]}}
    assert await amo.tell(hook, told) == 200
    assert heard == [bracketed(told)]
    assert heard[0].startswith("leads%5Badd%5D%5B0%5D%5Bid%5D=1")
    status = 500
    for _ in range(101):
        await amo.tell(hook, told)
    with pytest.raises(AssertionError, match="switched off"):
        await amo.tell(hook, told)
    await runner.cleanup()
