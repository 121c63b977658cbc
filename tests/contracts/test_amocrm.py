"""The adapter of amoCRM against a strict account: one record a call, on the right card, whatever the account does."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.amocrm import link as amocrm_link
from crm_sync.amocrm.adapter import KIND
from crm_sync.amocrm.cards import has_number
from crm_sync.amocrm.heard import token_ends
from crm_sync.amocrm.link import Settings
from crm_sync.book.lifecycle import SERVICE
from crm_sync.crm import Candidate, Effect, Heard, Inbound
from crm_sync.errors import (
    AuthDeadError,
    BannedError,
    CrmError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.pacing import SharedPace
from crm_sync.spans import MOST_SECONDS
from crm_sync.told import CrmCall, CrmLead, CrmRecording, CrmTask, CrmTranscript
from directory.numbers import e164
from tests.fakes.amocrm import (
    ADMIN,
    ANNA,
    BORIS,
    CLIENT,
    CLIENT_SECRET,
    FIRST_STATUS,
    PIPELINE,
    REDIRECT,
    Asked,
    open_amo,
)
from tests.fakes.amocrm_checks import bracketed
from tests.fakes.amocrm_place import INBOUND, Rig, open_rig, workplace_at
from tests.fakes.ledger import add_connection
from tests.fakes.webhooks import OK, Said
from tests.fakes.workplaces import link_of

NUMBER = "79161234567"
NOW = datetime.now(UTC)
CALL = CrmCall(
    id=UUID(int=1), pbx="pbx", direction="inbound", status="answered", line="74951234567", number=NUMBER, name="Пётр",
    started_at=NOW, answered_at=NOW, ended_at=NOW, wait_seconds=3.0, talk_seconds=6.0, person="anna", missed_cause=None,
    party=1, lead=1, recovered=False,
)  # fmt: skip
LEAD = CrmLead(
    id=1, change="opened", party=1, name="Пётр", numbers=(NUMBER,), stage="new", step=None, owner="anna",
    line="74951234567", before=None, after=None, reason=None, by="anna", call=CALL.id,
)  # fmt: skip
TASK = CrmTask(
    id=17, change="opened", call=CALL.id, number=NUMBER, line=None, origin="missed", cause="rang_out", owner="anna",
    due_at=NOW + timedelta(hours=1), attempt_count=0, closed_by=None,
)  # fmt: skip
CUT, TAKEN_AND_CUT = Said(cut=True), Said(cut=True, takes=True)
LOST, TAKEN_AND_LOST = Said(status=500), Said(status=504, takes=True)


def effect(**more: Any) -> Effect:
    return Effect(uuid4(), NOW, **more)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with open_rig() as opened:
        yield opened


def fail_once(rig: Rig, path: str, said: Said) -> None:
    """The first request whose path ends so goes wrong."""
    failed: list[Asked] = []

    def script(_count: int, asked: Asked) -> Said:
        if failed or not asked.path.endswith(path):
            return OK
        failed.append(asked)
        return said

    rig.account.script = script
    if said.hang:
        rig.hangs(path)


async def told(rig: Rig, one: Effect, call: CrmCall = CALL) -> str | None:
    """As the ledger tells it: a doubt is read back before it is sent again."""
    doubted = False
    for _ in range(4):
        try:
            known = await rig.crm.read_back("call_finished", one) if doubted else None
            return (known or await rig.crm.call_finished(one, call)).remote_id
        except UnknownOutcomeError:
            doubted = True
        except (TransientError, RateLimitedError):
            pass
    raise AssertionError("it was never taken")


# A call


async def test_a_call_goes_to_the_card_with_the_whole_number_and_its_open_lead(rig: Rig) -> None:
    """Not to the one with the same ten digits, nor to one that is closed; whose it is there stays."""
    rig.account.add_contact("+1 916 123-45-67", owner=BORIS)
    contact = rig.account.add_contact("8 (916) 123-45-67 доб. 12", owner=BORIS)
    rig.account.add_lead(contact, status=142)
    lead = rig.account.add_lead(contact, owner=BORIS)
    one = effect()
    done = await rig.crm.call_finished(one, CALL)
    (note,) = rig.account.calls_of(one.key.hex)
    assert done.remote_id == f"contacts/{contact}/leads/{lead}/notes/{note['id']}"
    assert (note["entity_type"], note["entity_id"], note["note_type"]) == ("leads", lead, "call_in")
    assert (note["responsible_user_id"], note["created_by"]) == (ANNA, ANNA)
    assert note["params"]["link"] == await link_of(CALL.id)
    assert (note["params"]["phone"], note["params"]["duration"], note["params"]["call_status"]) == (f"+{NUMBER}", 6, 4)
    assert (len(rig.account.leads), rig.account.leads[lead]["responsible_user_id"]) == (2, BORIS)
    assert rig.account.wrong == []


async def test_a_company_is_known_by_its_number_too(rig: Rig) -> None:
    """Without a lead the call is on the card itself; nobody talked, so there is nothing to hear and nobody's call."""
    company = rig.account.add_company("+7 (916) 123-45-67")
    missed = msgspec.structs.replace(CALL, status="missed", talk_seconds=0.0, person=None)
    done = await rig.crm.call_finished(effect(), missed)
    (note,) = rig.account.notes.values()
    assert done.remote_id == f"companies/{company}/notes/{note['id']}"
    assert {"link", "call_responsible"} & set(note["params"]) == set()
    assert (note["params"]["call_status"], "responsible_user_id" in note) == (6, False)


async def test_a_call_that_is_told_late_carries_its_own_time(rig: Rig) -> None:
    """As after an hour without amoCRM; others take the time at which they come."""
    rig.account.add_contact(NUMBER)
    began = NOW - timedelta(hours=1)
    late = msgspec.structs.replace(CALL, started_at=began, ended_at=began)
    for call in (late, CALL):
        await rig.crm.call_finished(effect(), call)
    first, second = rig.account.notes.values()
    assert first["created_at"] == int(began.timestamp())
    assert second["created_at"] >= int(NOW.timestamp())


@pytest.mark.parametrize("number", [None, "anonymous", "102", ""])
async def test_hidden_callers_and_colleagues_are_not_told(rig: Rig, number: str | None) -> None:
    """Neither a card nor a request comes of them."""
    call = msgspec.structs.replace(CALL, number=number)
    done = await rig.crm.call_finished(effect(), call)
    await rig.crm.card_show(effect(), call, [str(ANNA)])
    assert (done.answer, rig.account.requests) == ({"not_told": "no_number"}, [])


async def test_a_strangers_call_makes_one_contact_and_one_lead() -> None:
    """Of whoever talked, in the pipeline that was chosen; a second call goes there, also before a search finds it."""
    async with open_rig(pipeline=PIPELINE, status=FIRST_STATUS + 1) as rig:
        rig.account.hidden_for = 60.0
        first = await rig.crm.call_finished(effect(), CALL)
        second = await rig.crm.call_finished(effect(lately=first.remote_id), CALL)
        (contact,), (lead,) = rig.account.contacts.values(), rig.account.leads.values()
    assert (contact["responsible_user_id"], contact["name"]) == (ANNA, "Пётр")
    assert (lead["responsible_user_id"], lead["status_id"]) == (ANNA, FIRST_STATUS + 1)
    place = f"contacts/{contact['id']}/leads/{lead['id']}/made/{lead['id']}/notes/"
    assert all(str(one.remote_id).startswith(place) for one in (first, second))
    assert len(rig.account.notes) == 2


async def test_a_number_that_is_no_whole_one_and_another_of_theirs_are_one_card_too(rig: Rig) -> None:
    """As of a trunk that leaves the area out: told as it came, and known again by its digits."""
    local = msgspec.structs.replace(CALL, number="2123456")
    for _ in range(2):
        await rig.crm.call_finished(effect(), local)
    other = msgspec.structs.replace(CALL, number="79160000002")
    await rig.crm.call_finished(effect(numbers=("2123456",)), other)  # by another number of theirs
    (card,) = rig.account.contacts.values()
    assert card["custom_fields_values"][0]["values"][0]["value"] == "2123456"
    assert (len(rig.account.leads), len(rig.account.notes)) == (1, 3)


@pytest.mark.parametrize("path", ["/contacts", "/companies", "/complex", "/notes"])
async def test_whatever_fails_of_a_strangers_call_it_is_there_once(rig: Rig, path: str) -> None:
    """Each request lost before and after it was carried out: one contact, one lead, one record."""
    faults = (CUT, TAKEN_AND_CUT, LOST, TAKEN_AND_LOST, Said(status=429), Said(hang=True, takes=True))
    for count, said in enumerate(faults, 1):
        fail_once(rig, path, said)
        one = effect()
        remote = await told(rig, one, msgspec.structs.replace(CALL, number=f"7916123450{count}"))
        (note,) = rig.account.calls_of(one.key.hex)
        assert (len(rig.account.contacts), len(rig.account.leads)) == (count, count)
        lead = list(rig.account.leads)[-1]
        # Also where nobody heard that it was made: what we make says so.
        assert str(remote).endswith(f"/leads/{lead}/made/{lead}/notes/{note['id']}")


async def test_a_doubt_is_not_over_before_it_could_be_seen() -> None:
    """What is found ends it at once; what is not is waited for."""
    async with open_rig(visible_seconds=30.0) as rig:
        rig.account.add_contact(NUMBER)
        rig.account.hidden_for = 10.0
        fail_once(rig, "/notes", TAKEN_AND_CUT)
        sent_at = datetime.now(UTC)
        one = effect(sent_at=sent_at)
        with pytest.raises(UnknownOutcomeError):
            await rig.crm.call_finished(one, CALL)
        with pytest.raises(TransientError) as early:
            await rig.crm.read_back("call_finished", one)
        assert 25 < (early.value.retry_after or 0) <= 30
        rig.account.clock = lambda: time.time() + 11
        found = await rig.crm.read_back("call_finished", one)
        assert found is not None
        assert len(rig.account.calls_of(one.key.hex)) == 1
        never = effect(sent_at=sent_at)
        assert await rig.at(lambda: sent_at + timedelta(seconds=31)).read_back("call_finished", never) is None


async def test_the_card_that_was_made_for_a_call_is_kept_before_the_call_is_told(rig: Rig) -> None:
    """So the next attempt goes there, also where no search finds it."""
    rig.account.hidden_for = 60.0
    kept: list[str] = []

    async def keep(remote_id: str) -> None:
        kept.append(remote_id)

    fail_once(rig, "/notes", Said(status=429))
    with pytest.raises(RateLimitedError):
        await rig.crm.call_finished(effect(keep=keep), CALL)
    again = effect(remote={"call_finished": kept[0]})
    assert str((await rig.crm.call_finished(again, CALL)).remote_id).startswith(f"{kept[0]}/notes/")
    assert len(rig.account.leads) == 1


async def test_a_call_that_a_person_wants_told_again_is_told_only_where_it_is_gone(rig: Rig) -> None:
    """A record that is there is left alone."""
    rig.account.add_contact(NUMBER)
    one = effect()
    first = await rig.crm.call_finished(one, CALL)
    again = replace(one, remote={"call_finished": str(first.remote_id)})
    assert (await rig.crm.call_finished(again, CALL)).remote_id == first.remote_id
    rig.account.notes.clear()
    assert (await rig.crm.call_finished(again, CALL)).remote_id != first.remote_id
    assert len(rig.account.notes) == 1


async def test_it_is_read_back_over_all_pages_and_not_over_everything(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many notes of a kind are walked through, no more: then a person has to look."""
    monkeypatch.setattr(amocrm_link, "PAGE", 20)
    monkeypatch.setattr(amocrm_link, "_PAGES_MOST", 3)
    one = effect()
    params = {"uniq": one.key.hex, "duration": 6, "source": "s", "phone": NUMBER}

    def add(kind: str, count: int) -> None:
        for number in range(count):
            told_of = {"params": params | {"uniq": str(number)}}
            rig.account._note(kind, {"entity_id": 1, "note_type": "call_in"} | told_of)

    add("contacts", 50)
    rig.account._note("contacts", {"entity_id": 1, "note_type": "call_in", "params": params})
    add("leads", 60)
    assert await rig.crm.read_back("call_finished", one) is not None
    add("leads", 1)
    with pytest.raises(PermanentError, match="a person has to look"):
        await rig.crm.read_back("call_finished", one)


# Unsorted calls


async def test_a_strangers_call_is_left_unsorted_where_that_is_wished() -> None:
    """Once, whatever fails; a call out is none of it, and no text is told of what is nobody's yet."""
    async with open_rig(unknown="unsorted") as rig:
        for said in (TAKEN_AND_CUT, LOST):
            fail_once(rig, "/sip", said)
            one = effect()
            remote = await told(rig, one)
            (item,) = rig.account.calls_of(one.key.hex)
            assert str(remote).startswith(f"unsorted/{item['uid']}/contacts/")
            assert item["metadata"]["from"] == item["metadata"]["phone"] == f"+{NUMBER}"
            assert item["metadata"]["link"] == await link_of(CALL.id)
            known = effect(remote={"call_finished": str(remote)})
            text = CrmTranscript(call=CALL.id, language="ru", text="x", is_whole=True)
            assert (await rig.crm.ensure_lead(known, LEAD)).remote_id == remote
            assert (await rig.crm.attach_transcript(known, text)).remote_id is None
            rig.account.accept(item["uid"])
            # From now on it is a lead of ours as any other that we made.
            (lead,), lost = rig.account.leads.values(), replace(known, remote={"lead": str(remote)})
            await rig.crm.ensure_lead(lost, msgspec.structs.replace(LEAD, change="stage", stage="lost", by=SERVICE))
            await rig.crm.attach_transcript(known, text)
            (note,) = rig.account.notes.values()
            assert (lead["status_id"], note["entity_id"]) == (143, lead["id"])
            for kept in (rig.account.contacts, rig.account.leads, rig.account.notes):
                kept.clear()
        outbound = msgspec.structs.replace(CALL, direction="outbound", number="74950000000")
        assert str((await rig.crm.call_finished(effect(), outbound)).remote_id).startswith("contacts/")
        assert [one["note_type"] for one in rig.account.notes.values()] == ["call_out"]


async def test_an_unsorted_call_that_was_taken_before_is_known_by_its_refusal() -> None:
    """The same again is refused there."""
    async with open_rig(unknown="unsorted") as rig:
        one = effect()
        first = await rig.crm.call_finished(one, CALL)
        assert await rig.crm.call_finished(one, CALL) == first


# Sound and text


def recording(link: str = "https://calls.example.com/linked/9.x") -> CrmRecording:
    return CrmRecording(call=CALL.id, seconds=6.0, expires_at=NOW, link=9, url=link)


async def test_the_sound_of_a_call_is_the_link_that_its_record_names(rig: Rig) -> None:
    """Where it names none, as after a message left, the link is told as a text, once."""
    rig.account.add_contact(NUMBER)
    call = await rig.crm.call_finished(effect(), CALL)
    done = await rig.crm.attach_recording(effect(remote={"call_finished": str(call.remote_id)}), recording())
    assert (done.remote_id, len(rig.account.notes)) == (call.remote_id, 1)
    message = await rig.crm.call_finished(effect(), msgspec.structs.replace(CALL, talk_seconds=0.0))
    one = effect(remote={"call_finished": str(message.remote_id)})
    fail_once(rig, "/notes", TAKEN_AND_CUT)
    with pytest.raises(UnknownOutcomeError):
        await rig.crm.attach_recording(one, recording())
    known = await rig.crm.read_back("recording", one)
    texts = [note for note in rig.account.notes.values() if note["note_type"] == "common"]
    assert [note["params"]["text"] for note in texts] == [
        f"Запись разговора: https://calls.example.com/linked/9.x\n№ {one.key.hex}"
    ]
    assert known is not None
    assert str(known.remote_id).endswith(f"/notes/{texts[0]['id']}")
    text = CrmTranscript(call=CALL.id, language="ru", text="Алло", is_whole=True)
    for told_of in (rig.crm.attach_recording(effect(), recording()), rig.crm.attach_transcript(effect(), text)):
        with pytest.raises(PermanentError):
            await told_of
    hidden = await rig.crm.call_finished(effect(), msgspec.structs.replace(CALL, number=None))
    of_hidden = effect(remote={"call_finished": str(hidden.remote_id)})
    assert (await rig.crm.attach_transcript(of_hidden, text)).answer == {"not_told": "no_number"}


async def test_the_text_of_a_call_is_beside_it() -> None:
    """On the same lead, with its cut told; in English where that is spoken."""
    async with open_rig(language="en") as rig:
        contact = rig.account.add_contact(NUMBER)
        lead = rig.account.add_lead(contact)
        call = await rig.crm.call_finished(effect(), CALL)
        one = effect(remote={"call_finished": str(call.remote_id)})
        await rig.crm.attach_transcript(one, CrmTranscript(call=CALL.id, language="ru", text="Алло", is_whole=False))
        note = list(rig.account.notes.values())[-1]
    assert (note["entity_type"], note["entity_id"]) == ("leads", lead)
    assert note["params"]["text"] == f"Transcript:\nАлло …\n№ {one.key.hex}"


# Leads and promises


async def test_a_lead_of_ours_is_one_there_and_follows_ours() -> None:
    """Made for whoever has no open one; its owner and its stage follow, what has no place there changes nothing."""
    async with open_rig(stages={"qualified": 7105}) as rig:
        contact = rig.account.add_contact(NUMBER, owner=BORIS)
        fail_once(rig, "/leads", TAKEN_AND_CUT)
        with pytest.raises(UnknownOutcomeError):
            await rig.crm.ensure_lead(effect(), LEAD)
        opened = await rig.crm.ensure_lead(effect(), LEAD)
        (lead,) = rig.account.leads.values()
        assert opened.remote_id == f"contacts/{contact}/leads/{lead['id']}/made/{lead['id']}"
        assert lead["contacts"] == [contact]
        known = {"lead": str(opened.remote_id)}
        assert lead["responsible_user_id"] == ANNA
        for change, more in (
            ("owner", {"owner": "boris"}), ("stage", {"stage": "qualified"}), ("linked", {}),
            ("owner", {"owner": "vera"}),
        ):  # fmt: skip
            changed = msgspec.structs.replace(LEAD, change=change, by=SERVICE, **more)
            await rig.crm.ensure_lead(effect(remote=known), changed)
        assert (lead["responsible_user_id"], lead["status_id"]) == (BORIS, 7105)
        lost = msgspec.structs.replace(LEAD, change="stage", stage="lost")
        theirs = rig.account.add_lead(contact, owner=BORIS)
        for remote in (known, {}):
            await rig.crm.ensure_lead(effect(remote=remote), lost)
        assert rig.account.leads.pop(theirs)["status_id"] != 143
        assert (lead["status_id"], len(rig.account.leads)) == (143, 1)
        with pytest.raises(PermanentError):
            await rig.crm.send_message(effect(), LEAD)


async def test_a_lead_of_a_stranger_comes_with_a_card_once_for_all_that_is_told(rig: Rig) -> None:
    """Whichever is told first, the call or the lead."""
    opened = await rig.crm.ensure_lead(effect(), LEAD)
    call = await rig.crm.call_finished(effect(), CALL)
    assert str(call.remote_id).startswith(f"{opened.remote_id}/notes/")
    again = await rig.crm.ensure_lead(effect(), LEAD)
    assert str(opened.remote_id).startswith(str(again.remote_id))
    assert (len(rig.account.contacts), len(rig.account.leads)) == (1, 1)


async def test_a_promise_is_one_task_that_follows_it(rig: Rig) -> None:
    """Known by the key in its text also after a doubt; given to another and put off it is moved, closed it is done."""
    contact = rig.account.add_contact(NUMBER)
    lead = rig.account.add_lead(contact)
    fail_once(rig, "/tasks", OK)
    writes: list[Asked] = []

    def script(_count: int, asked: Asked) -> Said:
        if asked.path.endswith("/tasks") and asked.is_write:
            writes.append(asked)
            return TAKEN_AND_CUT if len(writes) == 1 else OK
        return OK

    rig.account.script = script
    with pytest.raises(UnknownOutcomeError):
        await rig.crm.create_task(effect(), TASK)
    first = await rig.crm.create_task(effect(), TASK)
    (task,) = rig.account.tasks.values()
    assert first.remote_id == f"contacts/{contact}/leads/{lead}/tasks/{task['id']}"
    assert (task["entity_type"], task["entity_id"], task["responsible_user_id"]) == ("leads", lead, ANNA)
    assert task["text"] == "Перезвонить +7 916 123-45-67 № 00000000-17"
    given = msgspec.structs.replace(TASK, change="given", owner="boris", due_at=NOW + timedelta(hours=2))
    await rig.crm.create_task(effect(remote={"task": str(first.remote_id)}), given)
    assert (task["responsible_user_id"], task["complete_till"]) == (BORIS, int((NOW + timedelta(hours=2)).timestamp()))
    rig.account.leads[lead]["status_id"] = 142
    closed = msgspec.structs.replace(TASK, change="closed", closed_by="boris")
    for _ in range(2):
        await rig.crm.create_task(effect(remote={"task": str(first.remote_id)}), closed)
    assert (task["is_completed"], task["result"], len(rig.account.tasks)) == (True, {"text": "Перезвонили"}, 1)
    for change, count in (("tried", 1), ("repeated", 2)):
        again = msgspec.structs.replace(TASK, change=change)
        await rig.crm.create_task(effect(remote={"task": str(first.remote_id)}), again)
        assert len(rig.account.tasks) == count


async def test_a_promise_to_nobody_known_is_a_task_of_its_own(rig: Rig) -> None:
    """As where the call was left unsorted."""
    for _ in range(2):
        await rig.crm.create_task(effect(), TASK)
    (task,) = rig.account.tasks.values()
    assert "entity_id" not in task


# Being asked, and cards


async def test_whose_a_number_is_goes_by_all_of_it(rig: Rig) -> None:
    """The card with an open lead before others, its owner before the card's; who is nobody here is nobody."""
    rig.account.add_contact("+1 916 123-45-67", owner=ANNA)
    first = rig.account.add_contact(NUMBER, owner=ADMIN, name="Пётр")
    second = rig.account.add_contact("8 916 123-45-67", owner=ADMIN, name="Иван")
    lead = rig.account.add_lead(second, owner=BORIS)
    assert await rig.crm.find_party(NUMBER, 5.0) == [
        Candidate(f"contacts/{second}/leads/{lead}", "Иван", "boris"),
        Candidate(f"contacts/{first}", "Пётр", None),
    ]
    assert await rig.crm.find_party("74950000000", 5.0) == []


def test_a_card_of_thousands_of_numbers_costs_little() -> None:
    """Those that end otherwise are not even read, of the others twenty: whoever handles calls must not stand still."""
    before = e164.cache_info().misses
    for others in ([f"8(916){number:07}" for number in range(3000)], [f"8(9{one:02})123-45-67" for one in range(99)]):
        values = [{"value": one} for one in (*others, NUMBER)]
        card = {"custom_fields_values": [{"field_code": "PHONE", "values": values}]}
        assert has_number(card, NUMBER, "RU")
    assert e164.cache_info().misses - before < 30


async def test_whoever_asks_waits_no_longer_than_told(rig: Rig) -> None:
    """A caller is waiting."""
    rig.account.script = lambda _count, _asked: Said(hang=True)
    began = asyncio.get_running_loop().time()
    with pytest.raises(TransientError):
        await rig.crm.find_party(NUMBER, 0.1)
    assert asyncio.get_running_loop().time() - began < 10


async def test_users_are_told_by_name_and_what_is_missing_by_probing(rig: Rig) -> None:
    """Users are an administrator's to see."""
    assert [(one.id, one.extension) for one in await rig.crm.users()] == [("3", None), ("1", None), ("2", None)]
    assert (await rig.crm.probe()).missing == ()
    rig.account.may_read_users = False
    assert (await rig.crm.probe()).missing == ("users",)
    rig.account.may_read_users = True
    stages = {"qualified": 7999, "won": 142}
    settings = Settings(account=rig.account.url, pipeline=9, status=FIRST_STATUS, responsible=99, stages=stages)
    other = rig.again(settings=settings)
    assert (await other.probe()).missing == ("user 99", "pipeline 9", "status 7999")


async def test_who_left_the_company_is_nobody_there(rig: Rig) -> None:
    """Their calls, their clients and promises are told all the same; only that a lead became theirs is refused."""
    del rig.account.people[ANNA]
    await rig.crm.call_finished(effect(), CALL)
    await rig.crm.create_task(effect(), TASK)
    (note,), (task,), (lead,) = rig.account.notes.values(), rig.account.tasks.values(), rig.account.leads.values()
    assert "responsible_user_id" not in note
    assert (task["responsible_user_id"], lead["responsible_user_id"]) == (ADMIN, ADMIN)
    known = {"lead": f"contacts/{lead['contacts'][0]}/leads/{lead['id']}/made/{lead['id']}"}
    with pytest.raises(PermanentError, match="responsible_user_id NotSupportedChoice"):
        await rig.crm.ensure_lead(effect(remote=known), msgspec.structs.replace(LEAD, change="owner"))


async def test_a_card_is_one_popup_and_never_tried_again(rig: Rig) -> None:
    """Also when nobody knows whether it was shown."""
    await rig.crm.card_show(effect(), CALL, [str(ANNA), str(BORIS), "nobody"])
    assert rig.account.popups == [{"type": "phone_call", "phone_number": f"+{NUMBER}", "users": [ANNA, BORIS]}]
    await rig.crm.card_hide(effect(), CALL, [str(ANNA)])
    fail_once(rig, "/events/", TAKEN_AND_CUT)
    with pytest.raises(UnknownOutcomeError):
        await rig.crm.card_show(effect(), CALL, [str(ANNA)])
    assert len(rig.account.popups) == 2


# Access, limits and errors


async def test_access_that_is_over_is_renewed_once_for_all(rig: Rig) -> None:
    """Ten calls at once, the old refresh token used a single time."""
    rig.account.add_contact(NUMBER)
    rig.account.end_access()
    await asyncio.gather(*(rig.crm.call_finished(effect(), CALL) for _ in range(10)))
    assert (rig.account.refreshes, rig.account.is_lost, len(rig.account.notes)) == (1, False, 10)
    soon = rig.at(lambda: datetime.now(UTC) + timedelta(hours=24))
    await soon.probe()
    assert rig.account.refreshes == 2  # before it is refused: the time is known


async def test_access_that_nobody_renews_is_a_persons_to_mend() -> None:
    """A refresh token that was used elsewhere, and a long-lived token that was revoked."""
    async with open_rig() as rig:
        rig.account.end_access()
        rig.account.grant()
        rig.account.end_access()
        with pytest.raises(AuthDeadError, match="connect it again"):
            await rig.crm.probe()
    async with open_amo() as account:
        token = account.give_long_lived()
        crm = rig.again(settings=Settings(account=account.url), secrets={"token": token}, http=rig.workplace.http)
        await crm.probe()
        account.long_lived.clear()
        with pytest.raises(AuthDeadError):
            await crm.probe()
        await crm.close()


PAGE = b"<html><body>nginx, +79161234567</body></html>"


REFUSALS: tuple[tuple[Said, type[CrmError]], ...] = (
    (Said(status=403, body=PAGE), BannedError),
    (Said(status=403, body=b'{"title": "Forbidden"}'), PermanentError),
    (Said(status=429, body=PAGE), RateLimitedError),
    (Said(status=402, body=b"{}"), AuthDeadError),
    (Said(status=503, body=PAGE), TransientError),
    (Said(status=500, body=PAGE), UnknownOutcomeError),
    (Said(status=504, body=PAGE), UnknownOutcomeError),
    (Said(status=307, headers={"Location": "http://127.0.0.1:9/"}), TransientError),
    (Said(status=422, body=b"{}"), PermanentError),
)


async def test_each_refusal_is_told_apart_and_tells_no_secret(rig: Rig) -> None:
    """Nor whom it was about."""
    rig.account.add_contact(NUMBER)
    access = next(iter(rig.account.access))
    for said, error in REFUSALS:
        fail_once(rig, "/notes", said)
        with pytest.raises(error) as refused:
            await rig.crm.call_finished(effect(), CALL)
        assert type(refused.value) is error
        told_of = f"{refused.value!r} {refused.value.answer}"
        assert not any(secret in told_of for secret in (access, rig.account.refresh, CLIENT_SECRET, NUMBER))
    assert rig.account.wrong == []


async def test_a_limit_names_its_time_where_it_has_one_and_faults_their_fields(rig: Rig) -> None:
    """`retry_after` of a body, and which fields were refused why."""
    rig.account.add_contact(NUMBER)
    fail_once(rig, "/notes", Said(status=429, body=b'{"retry_after": 300}'))
    with pytest.raises(RateLimitedError) as limited:
        await rig.crm.call_finished(effect(), CALL)
    assert limited.value.retry_after == 300
    fail_once(rig, "/notes", Said(status=429, body=b'{"retry_after": 1%s}' % (b"0" * 400)))
    with pytest.raises(RateLimitedError) as unlimited:
        await rig.crm.call_finished(effect(), CALL)
    assert unlimited.value.retry_after == MOST_SECONDS
    body = {"validation-errors": [{"request_id": "0", "errors": [{"code": "NotNullable", "path": "params.link"}]}]}
    fail_once(rig, "/notes", Said(status=400, body=json.dumps(body).encode()))
    with pytest.raises(PermanentError, match=r"params\.link NotNullable"):
        await rig.crm.call_finished(effect(), CALL)


async def test_no_second_sees_more_than_it_lets_in(engine: AsyncEngine) -> None:
    """Two processes together, at the real pace, against the real limit; a card waits for nobody."""
    async with open_amo() as account:
        await add_connection(engine, "https://example.com/hook", key="amo")
        places = [replace(workplace_at(account, long_lived=True), pace=SharedPace(engine, "amo")) for _ in range(2)]
        crms = [KIND.open(place) for place in places]
        await asyncio.gather(*(crms[number % 2].probe() for number in range(5)))
        assert (len(account.requests), account.violations) == (15, 0)
        with pytest.raises(RateLimitedError):
            await asyncio.gather(*(one.card_show(effect(), CALL, [str(ANNA)]) for one in crms))  # type: ignore[attr-defined]
        for crm in crms:
            await crm.close()


# Connecting it


@pytest.mark.parametrize(
    "account", ["https://www.amocrm.ru", "http://a.amocrm.ru", "a.amocrm.ru", "https://a.amocrm.ru/x"]
)
def test_the_address_of_an_account_is_its_own_and_safe(account: str) -> None:
    """Never the common host."""
    with pytest.raises(msgspec.ValidationError, match="account: must"):
        msgspec.convert({"account": account}, Settings)


async def test_a_person_lets_us_in_once(rig: Rig) -> None:
    """By the page of the account's own domain; the return of another account, or of none, is refused."""
    assert KIND.consent is not None
    place = replace(rig.workplace, settings=Settings(account="https://a.kommo.com", client_id=CLIENT))
    address = KIND.consent.address(place, REDIRECT, "state")
    assert address == f"https://www.kommo.com/oauth?client_id={CLIENT}&state=state"
    code = rig.account.give_code()
    ours = {"referer": rig.workplace.settings.account.partition("://")[2]}
    for other in ({"referer": "other.amocrm.ru"}, {}):
        with pytest.raises(PermanentError, match="another account"):
            await KIND.consent.exchange(rig.workplace, {"code": code, **other}, REDIRECT)
    grant = await KIND.consent.exchange(rig.workplace, {"code": code, "state": "state", **ours}, REDIRECT)
    assert grant.access in rig.account.access
    assert (grant.refresh, grant.told["redirect_uri"]) == (rig.account.refresh, REDIRECT)
    with pytest.raises(AuthDeadError):
        await KIND.consent.exchange(rig.workplace, {"code": code, **ours}, REDIRECT)
    said = b'{"access_token": "a", "refresh_token": "r", "expires_in": 1%s}' % (b"0" * 400)
    fail_once(rig, "/access_token", Said(takes=False, body=said))
    grant = await KIND.consent.exchange(rig.workplace, {"code": rig.account.give_code(), **ours}, REDIRECT)
    assert (grant.refresh, grant.expires_at and grant.expires_at - NOW < timedelta(days=2)) == ("r", True)


# What it tells us


def webhook(form: dict[str, Any], **query: str) -> Inbound:
    return Inbound(headers={}, body=bracketed(form).encode(), query={"secret": INBOUND} | query)


async def test_webhooks_tell_what_changed_for_whom(rig: Rig) -> None:
    """Bracketed forms: owners, leads, and cards with their numbers."""
    phone = {"id": 3, "code": "PHONE", "values": [{"value": "8 (916) 123-45-67", "enum": 1}]}
    card = {"id": 7, "type": "contact", "responsible_user_id": ANNA, "custom_fields": [phone]}
    form = {
        "leads": {"responsible": [{"id": 5, "responsible_user_id": BORIS}], "add": [{"id": 6}]},
        "contacts": {"update": [card, {"id": 8, "type": "company"}]},
        "account": {"id": 1, "subdomain": "test"},
    }
    assert list(rig.crm.parse_inbound(webhook(form))) == [
        Heard("owner_changed", {"remote_id": "leads/5", "what": "responsible"}),
        Heard("lead_changed", {"remote_id": "leads/6", "what": "add"}),
        Heard("contact_changed", {"remote_id": "contacts/7", "what": "update", "number": NUMBER}),
        Heard("contact_changed", {"remote_id": "companies/8", "what": "update"}),
    ]


async def test_nobody_else_is_believed(rig: Rig) -> None:
    """Without the secret of the address, or with a body that is no form."""
    for request in (
        webhook({}, secret=""), webhook({}, secret="x"), Inbound({}, b""),
        Inbound({}, b"\xff", {"secret": INBOUND}), Inbound({}, b"a=1&a[b]=2", {"secret": INBOUND}),
    ):  # fmt: skip
        with pytest.raises(PermanentError):
            rig.crm.parse_inbound(request)
    with pytest.raises(PermanentError):
        rig.again(secrets={}).parse_inbound(Inbound({}, b"", {"secret": ""}))


def click(claims: dict[str, Any], secret: str = CLIENT_SECRET, algorithm: str = "HS256") -> Inbound:
    """What a widget posts, with a token that amoCRM signed."""
    parts = [
        base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=")
        for one in ({"alg": algorithm, "typ": "JWT"}, claims)
    ]
    mac = hmac.new(secret.encode(), ".".join(parts).encode(), hashlib.sha256).digest()
    token = ".".join([*parts, base64.urlsafe_b64encode(mac).decode().rstrip("=")])
    return Inbound({"X-Auth-Token": token}, json.dumps({"phone": "+7 916 123-45-67"}).encode())


async def test_a_long_lived_token_tells_when_it_ends(rig: Rig) -> None:
    """So somebody gives a new one before; what tells nothing may last."""
    (token,) = click({"exp": 1_800_000_000}).headers.values()
    assert (await rig.crm.probe()).access_ends_at is None
    known = rig.account.give_long_lived(token)
    probed = await rig.again(secrets={"token": known}).probe()
    assert probed.access_ends_at == datetime(2027, 1, 15, 8, tzinfo=UTC)
    assert all(token_ends(one) is None for one in ("", "a.b", "a.b.c", "a.e30.c"))


async def test_a_click_in_a_widget_is_a_call_for_its_user(rig: Rig) -> None:
    """The token says who; one of another integration, over, unsigned, or signed by another is refused."""
    good = {"client_uuid": CLIENT, "user_id": ANNA, "exp": time.time() + 60, "nbf": time.time(), "jti": "one"}
    assert list(rig.crm.parse_inbound(click(good))) == [
        Heard("originate", {"number": NUMBER, "user": str(ANNA), "remote_id": "one"}, is_once=True)
    ]
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode().rstrip("=")
    for bad in (
        Inbound({"X-Auth-Token": f"{deep}.{deep}.AA"}, b"{}"), replace(click(good), body=b"[" * 100_000),
        click(good | {"client_uuid": "other"}), click(good | {"exp": 1}), click(good | {"exp": None}),
        click(good | {"jti": None}), click(good | {"jti": ""}), click(good | {"exp": time.time() + 8 * 86400}),
        click(good, secret="other"), click(good, algorithm="none"), click(good, secret=""),
        Inbound({"X-Auth-Token": "a.b"}, b"{}"), replace(click(good), body=b"[]"),
    ):  # fmt: skip
        with pytest.raises(PermanentError):
            rig.crm.parse_inbound(bad)
