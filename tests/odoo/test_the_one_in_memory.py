"""The server in memory answers as the real one does, where the adapter or its tests rely on it."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.fakes.odoo import KEY, FakeOdoo
from tests.fakes.odoo_front import Asked
from tests.odoo.private_odoo import RealOdoo

pytestmark = pytest.mark.timeout(600)

NOTE = ["id", "model", "res_id", "body", "message_type", "subtype_id/id"]
REQUESTS: dict[str, tuple[str, Any]] = {
    "a model that is not there": ("no.model/search_read", {"domain": [], "fields": ["id"]}),
    "a method that is not there": ("res.partner/no_method", {}),
    "a private method": ("res.partner/_search", {}),
    "a path that is none": ("res.partner", {}),
    "an argument of a method with any": ("res.partner/search_read", {"domain": [], "fields": ["id"], "nothing": 1}),
    "records for a method of a model": ("res.partner/search_read", {"ids": [1], "domain": [], "fields": ["id"]}),
    "an argument of a method": ("res.partner/read", {"ids": [1], "fields": ["id"], "nothing": 1}),
    "a field to search by": ("res.partner/search_read", {"domain": [["nothing", "=", 1]], "fields": ["id"]}),
    "a field to read": ("crm.lead/search_read", {"domain": [], "fields": ["nothing"]}),
    "a field to write": ("crm.lead/write", {"ids": [0], "vals": {"nothing": 1}}),
    "too few digits": (
        "res.partner/search_read",
        {"domain": [["phone_mobile_search", "like", "12"]], "fields": ["id"]},
    ),
    "reading what is not there": ("res.partner/read", {"ids": [999999], "fields": ["name"]}),
    "writing what is not there": ("crm.lead/write", {"ids": [999999], "vals": {"name": "Kitchen"}}),
    "an owner who is not there": (
        "crm.lead/load",
        {"fields": ["id", "name", "user_id/.id"], "data": [["{id}", "a", "99999"]]},
    ),
    "a lead without a name": ("crm.lead/load", {"fields": ["id"], "data": [["{id}"]]}),
    "a contact without a name": ("res.partner/load", {"fields": ["id"], "data": [["{id}"]]}),
    "an activity of nothing": ("mail.activity/load", {"fields": ["id"], "data": [["{id}"]]}),
    "a file without a name": ("ir.attachment/load", {"fields": ["id"], "data": [["{id}"]]}),
    "a note on nothing": (
        "mail.message/load",
        {"fields": NOTE, "data": [["{id}", "crm.lead", "999999", "<p>a</p>", "comment", "mail.mt_note"]]},
    ),
}  # fmt: skip


def asked(path: str, named: Any, key: str, **more: str) -> Asked:
    headers = {"Authorization": f"bearer {key}", "Content-Type": "application/json"} | more
    return Asked("POST", f"/json/2/{path}", headers, json.dumps(named).encode(), named)


async def real(odoo: RealOdoo, request: Asked) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as client,
        client.request(request.method, odoo.url + request.path, data=request.raw, headers=request.headers) as answer,
    ):
        return answer.status, gist(await answer.read())


async def fake(odoo: FakeOdoo, request: Asked) -> tuple[int, Any]:
    answer = await odoo.answer(request)
    return answer.status, gist(answer.body)


def gist(body: bytes) -> Any:
    """What the adapter looks at: an error's name, whether a row was taken; of anything else that it is JSON."""
    try:
        told = json.loads(body)
    except ValueError:
        return "no JSON"
    if isinstance(told, dict) and "name" in told:
        return told["name"] if told["name"].startswith(("odoo.", "builtins.")) else "werkzeug"
    if isinstance(told, dict) and "ids" in told:
        return "taken" if told["ids"] else [type(one.get("message")) for one in told["messages"]]
    return told


@pytest.mark.parametrize("what", sorted(REQUESTS))
async def test_what_is_asked_wrongly_is_refused_in_the_same_way(odoo: RealOdoo, what: str) -> None:
    """By status and name, which is all that tells what follows."""
    path, named = REQUESTS[what]
    named = json.loads(json.dumps(named).replace("{id}", f"t.{uuid4().hex}"))
    theirs = await real(odoo, asked(path, named, odoo.key))
    assert await fake(FakeOdoo(), asked(path, named, KEY)) == theirs


@pytest.mark.parametrize("more", [{"Authorization": "bearer nothing"}, {"X-Odoo-Database": "another"}])
async def test_who_is_not_let_in_is_told_so_in_the_same_way(odoo: RealOdoo, more: dict[str, str]) -> None:
    """A wrong key, and a database that is not there."""
    path, named = "res.users/context_get", dict[str, Any]()
    theirs = await real(odoo, asked(path, named, odoo.key, **more))
    assert await fake(FakeOdoo(), asked(path, named, KEY, **more)) == theirs


async def test_one_who_writes_a_note_again_may_not_move_it(odoo: RealOdoo) -> None:
    """What tells the adapter that somebody was a moment earlier."""
    lead = {"fields": ["id", "name"], "data": [[f"t.{uuid4().hex}", "Kitchen"]]}
    row = [f"t.{uuid4().hex}", "crm.lead", "", "<p>a</p>", "comment", "mail.mt_note"]
    row[2] = str(odoo.ask("crm.lead", "load", **lead)["ids"][0])
    theirs = [await real(odoo, asked("mail.message/load", {"fields": NOTE, "data": [row]}, odoo.key)) for _ in range(2)]
    in_memory = FakeOdoo()
    row[2] = str(in_memory.make("crm.lead", {"name": "Kitchen"}))
    ours = [await fake(in_memory, asked("mail.message/load", {"fields": NOTE, "data": [row]}, KEY)) for _ in range(2)]
    assert ours == theirs == [(200, "taken"), (200, [str])]


async def test_of_those_who_write_one_record_at_the_same_moment_one_does(odoo: RealOdoo) -> None:
    """The others are told in a 200 that nothing was written, and there is one record; so is who only looks for it."""
    in_memory, name = FakeOdoo(), f"t.{uuid4().hex}"
    new = {"fields": ["id", "name"], "data": [[name, "Kitchen"]]}
    looks = {"fields": ["id"], "data": [[name]]}
    for named in (new, new, looks):
        theirs = await asyncio.gather(*(real(odoo, asked("crm.lead/load", named, odoo.key)) for _ in range(6)))
        ours = await asyncio.gather(*(fake(in_memory, asked("crm.lead/load", named, KEY)) for _ in range(6)))
        assert sorted(ours, key=str) == [(200, "taken"), *[(200, [str])] * 5]
        assert (200, "taken") in theirs
        assert [one for one in theirs if one not in ours] == []
    (lead,) = in_memory.rows["crm.lead"]
    writes = {"ids": [lead], "vals": {"name": "Kitchen"}}
    ours = await asyncio.gather(
        *(fake(in_memory, asked(f"crm.lead/{method}", of, KEY)) for method, of in (("write", writes), ("load", looks)))
    )
    assert ours == [(200, True), (200, [str])]
    (row,) = odoo.ask("crm.lead", "load", **looks)["ids"]
    writes["ids"] = [row]
    theirs = await asyncio.gather(*(real(odoo, asked("crm.lead/write", writes, odoo.key)) for _ in range(6)))
    assert theirs == [(200, True)] * 6
