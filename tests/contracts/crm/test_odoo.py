"""What is Odoo's own: whose a call is there, what people did there, and what its answers mean."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest
from aiohttp import ClientSession
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.crm import Candidate, CrmUser, Effect, Heard, Inbound
from crm_sync.errors import AuthDeadError, CrmError, PermanentError, TransientError
from crm_sync.odoo.adapter import Odoo
from crm_sync.pacing import SharedPace
from crm_sync.told import CrmTranscript
from tests.contracts.crm.test_every_crm import CALL, LEAD, NUMBER, RECORDING, SUBJECTS, TASK
from tests.fakes.odoo import ANNA, BORIS, WE, FakeOdoo
from tests.fakes.odoo_front import Answered, Asked, Fault, failed, open_front
from tests.fakes.odoo_rig import INBOUND, OdooRig, odoo_place, open_odoo, open_odoo_rig, sound_of
from tests.fakes.office import until
from tests.fakes.recorded import T0

OPENED = msgspec.structs.replace(LEAD, change="opened", stage="qualifying", before=None, after=None)


@pytest.fixture
async def rig() -> AsyncIterator[OdooRig]:
    async with open_odoo_rig() as opened:
        yield opened


def effect(**more: Any) -> Effect:
    return Effect(uuid4(), T0, **more)


def made(odoo: FakeOdoo, model: str, **vals: Any) -> dict[str, Any]:
    """What somebody made there by hand."""
    number: int = odoo.make(model, vals)
    return odoo.rows[model][number]


async def finished(rig: OdooRig, **more: Any) -> tuple[str, int]:
    """Tell of a call; gives the record that it was written to."""
    done = await rig.crm.call_finished(effect(), msgspec.structs.replace(CALL, **more))
    model, record, _ = str(done.remote_id).split(",")
    return model, int(record)


async def test_an_unknown_caller_becomes_one_contact_with_the_number_as_all_read_it(rig: OdooRig) -> None:
    """However often they call."""
    first = await finished(rig, id=uuid4(), lead=None)
    assert await finished(rig, id=uuid4(), lead=None) == first
    assert first[0] == "res.partner"
    contact = rig.odoo.rows["res.partner"][first[1]]
    assert (contact["name"], contact["phone"]) == ("Пётр", f"+{NUMBER}")
    assert len(rig.calls()) == 2


async def test_what_we_call_a_contact_there_tells_no_number(rig: OdooRig) -> None:
    """That stays when the contact is made nameless; and it is found by it again."""
    told = await finished(rig, id=uuid4(), lead=None, party=None)
    rig.odoo.rows["res.partner"][told[1]] |= {"phone": "", "phone_sanitized": ""}
    assert await finished(rig, id=uuid4(), lead=None, party=None) == told
    assert NUMBER not in str(rig.odoo.names)


async def test_another_number_of_a_client_is_a_contact_below_them_and_changes_none_of_their_leads(rig: OdooRig) -> None:
    """Odoo has one number for a contact and for all its leads."""
    other = msgspec.structs.replace(OPENED, id=2, numbers=("79161112233",))
    for lead in (OPENED, other, other):
        await rig.crm.ensure_lead(effect(), lead)
    phones = [lead["phone"] for lead in rig.odoo.rows["crm.lead"].values()]
    assert phones == [f"+{NUMBER}", "+79161112233"]
    first, second = (rig.odoo.rows["res.partner"][lead["partner_id"]] for lead in rig.odoo.rows["crm.lead"].values())
    assert (first["phone"], second["phone"], second["parent_id"]) == (*phones, first["id"])


@pytest.mark.parametrize("has_numbers, country", [(True, "RU"), (True, None), (False, None)])
@pytest.mark.parametrize(
    "spelled", ["8 (916) 123-45-67", "7 916 123 45 67", "+7 916 123-45-67 доб. 102", "+79161234567"]
)
async def test_a_contact_is_found_as_people_spelled_it(
    rig: OdooRig, spelled: str, has_numbers: bool, country: str | None
) -> None:
    """Whether the server reads telephone numbers or not, and knows in which country."""
    rig.odoo.has_numbers, rig.odoo.country = has_numbers, country
    contact = made(rig.odoo, "res.partner", name="Пётр Иванов", phone=spelled)
    assert await finished(rig, lead=None) == ("res.partner", contact["id"])


async def test_another_country_with_the_same_last_digits_is_somebody_else(rig: OdooRig) -> None:
    """Odoo compares the last ten digits where it cannot read numbers."""
    rig.odoo.has_numbers = False
    made(rig.odoo, "res.partner", name="Someone", phone="+1 916 123 45 67")
    assert await rig.crm.find_party(NUMBER, 1.0) == []


async def test_who_shows_no_number_is_written_to_one_contact_in_common(rig: OdooRig) -> None:
    """Every call is there, and nobody is searched for by nothing."""
    assert await finished(rig, id=uuid4(), number=None, lead=None, party=None) == await finished(
        rig, id=uuid4(), number="anonymous", lead=None, party=None
    )


async def test_whose_a_caller_is_the_open_lead_says_before_the_contact(rig: OdooRig) -> None:
    """Whoever works with them now."""
    contact = made(rig.odoo, "res.partner", name="Пётр Иванов", phone=f"+{NUMBER}", user_id=BORIS)
    lead = made(rig.odoo, "crm.lead", name="Kitchen", phone=f"+{NUMBER}", user_id=ANNA)
    made(rig.odoo, "crm.lead", name="Won", phone=f"+{NUMBER}", user_id=BORIS, stage_id=4)
    made(rig.odoo, "crm.lead", name="Lost", phone=f"+{NUMBER}", user_id=BORIS, active=False)
    assert await rig.crm.find_party(NUMBER, 1.0) == [
        Candidate(f"crm.lead,{lead['id']}", "Kitchen", "anna"),
        Candidate(f"res.partner,{contact['id']}", "Пётр Иванов", "boris"),
    ]


async def test_a_search_that_takes_too_long_ends_in_its_time(rig: OdooRig) -> None:
    """A caller waits for it."""
    with pytest.raises(TransientError):
        await rig.crm.find_party(NUMBER, 0.0)


async def test_a_call_that_is_told_before_its_lead_opens_it_and_the_lead_gets_its_owner(rig: OdooRig) -> None:
    """The owner is decided once, by us; and there is one lead."""
    model, record = await finished(rig)
    assert model == "crm.lead"
    lead = rig.odoo.rows["crm.lead"][record]
    assert lead["user_id"] is False
    await rig.crm.ensure_lead(effect(), OPENED)
    assert (lead["user_id"], lead["phone"], lead["type"]) == (ANNA, f"+{NUMBER}", "opportunity")
    assert len(rig.odoo.rows["crm.lead"]) == 1


async def test_a_lead_that_people_opened_there_is_taken_for_ours_and_stays_as_it_is(rig: OdooRig) -> None:
    """Its owner and stage are theirs; what we change afterwards changes it, also when it is open no more."""
    theirs = made(rig.odoo, "crm.lead", name="Kitchen", phone="+79160000001", user_id=BORIS, stage_id=3)
    # By another number of the same client, whichever is told first.
    await rig.crm.call_finished(effect(numbers=("79160000001",)), CALL)
    for _ in range(2):
        await rig.crm.ensure_lead(effect(), msgspec.structs.replace(OPENED, numbers=(NUMBER, "79160000001")))
    assert (theirs["user_id"], theirs["stage_id"], theirs["name"]) == (BORIS, 3, "Kitchen")
    await rig.crm.ensure_lead(effect(), msgspec.structs.replace(LEAD, stage="lost"))
    assert theirs["active"] is False
    await rig.crm.ensure_lead(effect(), msgspec.structs.replace(LEAD, stage="in_work"))
    assert (theirs["active"], theirs["stage_id"]) == (True, 3)
    assert list(rig.odoo.rows["crm.lead"]) == [theirs["id"]]


async def test_only_what_a_change_names_is_written(rig: OdooRig) -> None:
    """What people changed there since stays."""
    await rig.crm.ensure_lead(effect(), OPENED)
    (lead,) = rig.odoo.rows["crm.lead"].values()
    lead |= {"user_id": BORIS, "name": "Kitchen", "stage_id": 2}
    await rig.crm.ensure_lead(effect(), msgspec.structs.replace(LEAD, change="deadline"))
    assert (lead["user_id"], lead["name"], lead["stage_id"]) == (BORIS, "Kitchen", 2)
    await rig.crm.ensure_lead(effect(), msgspec.structs.replace(LEAD, change="owner", owner="anna"))
    await rig.crm.ensure_lead(effect(), msgspec.structs.replace(LEAD, stage="won"))
    assert (lead["user_id"], lead["name"], lead["stage_id"]) == (ANNA, "Kitchen", 4)


async def test_a_call_is_a_note_by_whoever_talked_with_its_sound_in_it(rig: OdooRig) -> None:
    """The file, told again, takes the place of what was there."""
    done = await rig.crm.call_finished(effect(), CALL)
    told = effect(remote={"call_finished": done.remote_id})
    for _ in range(2):
        await rig.crm.attach_recording(told, RECORDING)
    (note,) = rig.calls()
    assert note["author_id"] == rig.odoo.rows["res.users"][ANNA]["partner_id"]
    (file,) = note["attachment_ids"]
    assert rig.odoo.sound(file) == await sound_of(CALL.id)
    assert rig.odoo.rows["ir.attachment"][file]["res_id"] == note["res_id"]


async def test_what_comes_late_goes_where_people_moved_the_call(rig: OdooRig) -> None:
    """Into the lead that they merged its own with; where they removed it a person is told."""
    done = await rig.crm.call_finished(effect(), CALL)
    kitchen = made(rig.odoo, "crm.lead", name="Kitchen", phone=f"+{NUMBER}")
    (note,) = rig.calls()
    rig.odoo.remove("crm.lead", note["res_id"])
    rig.odoo.rows["mail.message"][note["id"]]["res_id"] = kitchen["id"]
    told = effect(remote={"call_finished": done.remote_id})
    await rig.crm.attach_recording(told, RECORDING)
    await rig.crm.attach_transcript(told, cast("CrmTranscript", SUBJECTS["transcript"]))
    *_, file, text = rig.records()
    assert [(one["res_model"] if "datas" in one else one["model"], one["res_id"]) for one in (file, text)] == [
        ("crm.lead", kitchen["id"])
    ] * 2
    rig.odoo.remove("mail.message", note["id"])
    with pytest.raises(PermanentError):
        await rig.crm.attach_recording(told, RECORDING)


async def test_sound_that_cannot_be_given_is_an_address(rig: OdooRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that opens the sound at our own door."""
    monkeypatch.setattr("crm_sync.odoo.adapter._SOUND_BYTES", 10)
    done = await rig.crm.call_finished(effect(), CALL)
    await rig.crm.attach_recording(effect(remote={"call_finished": done.remote_id}), RECORDING)
    assert "https://example.com/linked/1.x" in rig.records()[-1]["body"]


async def test_what_belongs_to_a_call_that_was_not_told_waits_for_a_person(rig: OdooRig) -> None:
    """There is no record to hang it on."""
    with pytest.raises(PermanentError):
        await rig.crm.attach_recording(effect(), RECORDING)
    with pytest.raises(PermanentError):
        await rig.crm.send_message(effect(), LEAD)


async def test_a_promise_is_an_activity_that_is_done_once(rig: OdooRig) -> None:
    """On the day of whoever keeps it; done again, Odoo would say so twice."""
    late = msgspec.structs.replace(TASK, due_at=datetime(2026, 11, 23, 22, 0, tzinfo=UTC))
    await rig.crm.create_task(effect(), late)
    await rig.crm.create_task(effect(), msgspec.structs.replace(late, change="given", owner="boris"))
    (task,) = rig.odoo.rows["mail.activity"].values()
    assert (task["user_id"], task["date_deadline"]) == (BORIS, "2026-11-24")
    for _ in range(2):
        await rig.crm.create_task(effect(), msgspec.structs.replace(late, change="closed", closed_by="talk"))
    assert (task["active"], task["feedback"]) == (False, "Поговорили")
    assert len([note for note in rig.odoo.rows["mail.message"].values() if note["body"] == "Поговорили"]) == 1
    await rig.crm.create_task(effect(), msgspec.structs.replace(late, id=2, change="closed"))
    assert len(rig.odoo.rows["mail.activity"]) == 1


@pytest.mark.parametrize("model", ["crm.lead", "res.partner"])
async def test_what_has_no_lead_goes_to_whoever_has_another_number_of_the_client(rig: OdooRig, model: str) -> None:
    """Their open lead before any contact; nobody is made beside them."""
    theirs = made(rig.odoo, model, name="Kitchen", phone="+79160000001")
    if model == "crm.lead":
        made(rig.odoo, "res.partner", name="Пётр Иванов", phone=f"+{NUMBER}")
    known = len(rig.odoo.rows["res.partner"])
    other = effect(numbers=("79160000002", "79160000001"))
    await rig.crm.create_task(other, TASK)
    told = await rig.crm.call_finished(other, msgspec.structs.replace(CALL, lead=None))
    (task,) = rig.odoo.rows["mail.activity"].values()
    assert task["res_id"] == theirs["id"]
    assert str(told.remote_id).startswith(f"{model},{theirs['id']},")
    assert len(rig.odoo.rows["res.partner"]) == known


async def test_it_is_told_what_we_may_not_do_and_when_the_key_ends(rig: OdooRig) -> None:
    """Before the day on which nothing is told any more."""
    rig.odoo.rights -= {"crm.lead"}
    probed = await rig.crm.probe()
    assert probed.missing == ("crm.lead:create",)
    assert probed.access_ends_at == datetime(2026, 12, 26, 11, 28, 30, tzinfo=UTC)
    rig.odoo.rows["res.users.apikeys"][2] = {"id": 2, "scope": "rpc", "user_id": WE, "expiration_date": False}
    assert (await rig.crm.probe()).access_ends_at is None


async def test_a_stage_may_be_told_by_its_name_and_one_that_is_not_there_is_missing(rig: OdooRig) -> None:
    """Odoo shows people no ids."""
    crm = open_odoo(rig.front.url, stages={"qualified": "Qualified", "in_work": "3", "won": "Paid"})
    assert (await crm.probe()).missing == ("stage Paid",)
    await crm.ensure_lead(effect(), OPENED)
    (lead,) = rig.odoo.rows["crm.lead"].values()
    for stage, there in (("qualified", 2), ("in_work", 3)):
        await crm.ensure_lead(effect(), msgspec.structs.replace(LEAD, stage=stage))
        assert lead["stage_id"] == there
    with pytest.raises(PermanentError):
        await crm.ensure_lead(effect(), msgspec.structs.replace(LEAD, stage="won"))
    await crm.close()


async def test_without_a_secret_nothing_is_heard(rig: OdooRig) -> None:
    """And nobody is told that it is."""
    crm = open_odoo(rig.front.url, inbound="")
    assert ("inbound" in crm.capabilities, "inbound" in rig.crm.capabilities) == (False, True)
    await crm.close()


async def test_whose_telephone_there_is_an_internal_number_has_that_extension(rig: OdooRig) -> None:
    """A number of the town is none."""
    rig.odoo.rows["res.users"][BORIS]["phone"] = "+7 495 123-45-67"
    assert await rig.crm.users() == [
        CrmUser(str(ANNA), "Anna", "101"), CrmUser(str(BORIS), "Boris"), CrmUser(str(WE), "Switchhook"),
    ]  # fmt: skip


@pytest.mark.parametrize("model, kind", [("crm.lead", "lead_changed"), ("res.partner", "contact_changed")])
def test_a_webhook_of_an_automation_rule_is_heard_with_its_secret(rig: OdooRig, model: str, kind: str) -> None:
    """The number as anybody wrote it; whose it is now is asked."""
    body = json.dumps({"_model": model, "_id": 4, "_action": "Tell(#9)", "phone": "8 (916) 123-45-67"}).encode()
    told = rig.crm.parse_inbound(Inbound({}, body, {"secret": INBOUND}))
    assert told == [Heard(kind, {"number": NUMBER})]  # type: ignore[arg-type]
    assert rig.crm.parse_inbound(Inbound({}, b'{"_model": "crm.lead", "phone": false}', {"secret": INBOUND})) == []
    for wrong in (
        Inbound({}, body, {"secret": "another"}),
        Inbound({}, body),
        Inbound({}, b"[]", {"secret": INBOUND}),
        Inbound({}, b"{", {"secret": INBOUND}),
        Inbound({}, b'{"_model": "res.users"}', {"secret": INBOUND}),
    ):
        with pytest.raises(PermanentError):
            rig.crm.parse_inbound(wrong)


@pytest.mark.parametrize("fault", ["concurrent", "serialization"])
async def test_who_wrote_at_the_same_moment_is_given_way_to(rig: OdooRig, fault: Fault) -> None:
    """A 200 that wrote nothing, and a 500 that passes."""
    rig.fail(fault)
    with pytest.raises(TransientError):
        await rig.crm.call_finished(effect(), CALL)
    await rig.crm.call_finished(effect(), CALL)
    assert len(rig.calls()) == 1


@pytest.mark.parametrize("fault", ["concurrent", "serialization"])
async def test_what_could_not_be_looked_for_just_now_is_not_missing(rig: OdooRig, fault: Fault) -> None:
    """A promise that was kept is done there, though somebody else wrote just when it was looked for."""
    await rig.crm.create_task(effect(), TASK)
    left = [fault]
    rig.front.looks_fail = lambda asked: left.pop() if left and asked.path.endswith("load") else None
    closed = msgspec.structs.replace(TASK, change="closed", closed_by="talk")
    with pytest.raises(TransientError):
        await rig.crm.create_task(effect(), closed)
    await rig.crm.create_task(effect(), closed)
    (task,) = rig.odoo.rows["mail.activity"].values()
    assert task["active"] is False


async def test_a_key_that_is_over_lets_nobody_in(rig: OdooRig) -> None:
    """Nothing is told until a person gives another."""
    rig.odoo.at = datetime(2026, 12, 26, 11, 28, 30)  # noqa: DTZ001 as Odoo keeps times
    with pytest.raises(AuthDeadError):
        await rig.crm.call_finished(effect(), CALL)


async def test_a_note_that_was_made_a_moment_earlier_is_written_again(
    rig: OdooRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whoever was taken for dead; Odoo refuses to move it."""
    one = effect()
    await rig.crm.call_finished(one, CALL)
    seen = rig.crm._records.note
    asked: list[str] = []

    async def first_not(ours: str) -> Any:
        asked.append(ours)
        return None if len(asked) == 1 else await seen(ours)

    monkeypatch.setattr(rig.crm._records, "note", first_not)
    await rig.crm.call_finished(one, CALL)
    assert len(asked) == 2
    assert len(rig.calls()) == 1


@pytest.mark.parametrize(
    "answer, error",
    [
        (failed(500, "builtins.ValueError", f"Invalid value +{NUMBER} 'Пётр'"), PermanentError),
        (failed(404, "odoo.exceptions.MissingError", "Record does not exist"), PermanentError),
        (failed(403, "odoo.exceptions.AccessError", "You are not allowed"), PermanentError),
        (failed(500, "psycopg2.errors.DeadlockDetected", "deadlock detected"), TransientError),
        (failed(500, "something.Else", "?"), TransientError),
        (Answered(404, b"<html>no database</html>", "text/html"), TransientError),
        (Answered(200, b'{"jsonrpc": "2.0"'), CrmError),
    ],
)
async def test_an_answer_is_told_apart_by_its_name_and_keeps_nothing_of_a_client(
    answer: Answered, error: type[CrmError]
) -> None:
    """Nor the traceback, which holds all that was sent."""
    rest = FakeOdoo()

    async def behind(asked: Any) -> Answered:
        return answer if asked.method == "POST" and asked.writes else await rest.answer(asked)

    async with open_front(behind) as front:
        crm = open_odoo(front.url)
        with pytest.raises(error) as refused:
            await crm.call_finished(effect(), CALL)
        await crm.close()
    told = f"{refused.value!r} {refused.value.answer}"
    assert not any(word in told for word in ("Traceback", NUMBER, "Пётр"))


@pytest.mark.parametrize("version", [14, 17, 18])
async def test_the_api_before_version_19_wants_a_login_too(version: int) -> None:
    """Where the address that tells the version may not be served; a wrong login ends it."""
    odoo = FakeOdoo(version=version, has_numbers=False)

    async def behind(asked: Any) -> Answered:
        if asked.path == "/web/version" and version < 16:
            return Answered(404, b"<html></html>", "text/html")
        return await odoo.answer(asked)

    async with open_front(behind) as front:
        rig = OdooRig(open_odoo(front.url, login="switchhook"), front, odoo)
        assert ((await rig.crm.probe()).access_ends_at is None) == (version < 18)
        contact = made(odoo, "res.partner", name="Пётр", mobile="8 (916) 123-45-67")
        assert await finished(rig, lead=None) == ("res.partner", contact["id"])
        await rig.crm.create_task(effect(), TASK)
        for _ in range(2):
            await rig.crm.create_task(effect(), msgspec.structs.replace(TASK, change="closed", closed_by="talk"))
        assert odoo.rows["mail.activity"] == {}
        await rig.crm.close()
        nobody = open_odoo(front.url, login="nobody")
        with pytest.raises(AuthDeadError):
            await nobody.call_finished(effect(), CALL)
        await nobody.close()
    assert {asked.path for asked in front.asked} == {"/web/version", "/jsonrpc"}
    assert len(rig.calls()) == 1


async def test_no_more_than_four_requests_are_on_their_way_however_many_adapters(engine: AsyncEngine) -> None:
    """A small Odoo has as many workers, and people work with them: what a process sends waits its turn."""
    waiting, goes_on = list[str](), asyncio.Event()

    async def behind(asked: Asked) -> Answered:
        if asked.path == "/web/version":
            return Answered(200, b'{"version_info": [19, 0, 0, "final", 0, ""], "version": "19.0"}')
        waiting.append(asked.path)
        await goes_on.wait()
        return Answered(200, b"[]")

    async with open_front(behind) as front:
        place = odoo_place(front.url, seconds=10.0)
        crms = [Odoo(replace(place, pace=SharedPace(engine, "odoo"))) for _ in range(3)]
        for crm in crms:
            await crm._link.version()
        asking = [asyncio.create_task(crm.users()) for crm in crms for _ in range(4)]
        await until(lambda: len(waiting) >= 4)
        async with ClientSession() as session:
            for _ in range(5):  # whoever else is on their way has come by now
                await (await session.get(f"{front.url}/web/version")).read()
        assert len(waiting) == 4
        goes_on.set()
        await asyncio.gather(*asking)
        assert len(waiting) == 12
        for crm in crms:
            await crm.close()
