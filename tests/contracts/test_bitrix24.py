"""What is peculiar to Bitrix24: a call is finished once, known again for half an hour, and nobody may be told twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from yarl import URL

from crm_sync.bitrix24.adapter import KIND
from crm_sync.bitrix24.link import Rest, moved_to
from crm_sync.crm import Effect, HeldCall, Inbound
from crm_sync.errors import (
    AuthDeadError,
    BannedError,
    CrmError,
    PermanentError,
    RateLimitedError,
    TransientError,
    UnknownOutcomeError,
)
from crm_sync.http import Answer
from crm_sync.spans import MOST_SECONDS
from crm_sync.told import (
    CrmCall,
    CrmLead,
    CrmRecording,
    CrmSegment,
    CrmTask,
    CrmTranscript,
)
from tests.fakes.bitrix24 import CLIENT, Fault
from tests.fakes.bitrix24_rig import NOBODY, Told, open_told
from tests.fakes.recorded import LINE

NUMBER = "79161234567"
FINISH = "telephony.externalCall.finish"
REGISTER = "telephony.externalCall.register"
NOW = datetime.now(UTC)


def call_of(number: str | None = NUMBER, **more: Any) -> CrmCall:
    """An answered call of a minute ago."""
    began = NOW - timedelta(minutes=1)
    call = CrmCall(
        id=uuid4(), pbx="pbx", direction="inbound", status="answered", line=LINE, number=number, name=None,
        started_at=began, answered_at=began, ended_at=began, wait_seconds=3.0, talk_seconds=6.4, person="anna",
        missed_cause=None, party=1, lead=None, recovered=False,
    )  # fmt: skip
    return msgspec.structs.replace(call, **more)


def lead_of(call: UUID | None = None, **more: Any) -> CrmLead:
    lead = CrmLead(
        id=17, change="opened", party=1, name=None, numbers=(NUMBER,), stage="new", step=None, owner="anna", line=LINE,
        before=None, after="new", reason=None, by="switchhook", call=call,
    )  # fmt: skip
    return msgspec.structs.replace(lead, **more)


def task_of(call: UUID, **more: Any) -> CrmTask:
    task = CrmTask(
        id=3, change="opened", call=call, number=NUMBER, line=LINE, origin="missed", cause="rang_out", owner="boris",
        due_at=NOW + timedelta(hours=1), attempt_count=1, closed_by=None,
    )  # fmt: skip
    return msgspec.structs.replace(task, **more)


@pytest.fixture
async def told() -> AsyncIterator[Told]:
    async with open_told() as opened:
        yield opened
        assert opened.server.portal.ignored == []
        assert opened.server.leaked == []


async def test_a_call_is_told_from_its_ring_to_its_text(told: Told) -> None:
    """Registered by nobody's user with our id, finished with who talked, with sound and turns; one record."""
    call = call_of()
    await told.tell("call_started", msgspec.structs.replace(call, status="ringing", person=None))
    assert await told.tell("call_answered", call) is not None
    await told.tell("call_finished", call)
    await told.tell("recording", CrmRecording(call=call.id, seconds=6.0, expires_at=None, link=1, url="https://x"))
    said = (
        CrmSegment(side="staff", begins=0.2, ends=0.4, text="Добрый"),
        CrmSegment(side="caller", begins=3.0, ends=4.6, text="Да"),
    )
    await told.tell("transcript", CrmTranscript(call=call.id, language="ru", text="…", is_whole=True, segments=said))
    portal = told.server.portal
    (row,) = portal.statistics
    assert (row["EXTERNAL_CALL_ID"], row["PORTAL_USER_ID"], row["CALL_DURATION"]) == (str(call.id), 5, 6)
    assert (row["PHONE_NUMBER"], row["PORTAL_NUMBER"], row["CALL_FAILED_CODE"]) == (f"+{NUMBER}", f"+{LINE}", "200")
    assert portal.records == {row["CALL_ID"]: b"ID3" + call.id.bytes}
    assert [one["SIDE"] for one in portal.transcripts[row["CALL_ID"]]] == ["User", "Client"]
    (lead,) = portal.entities["LEAD"].values()
    assert (lead["assignedById"], lead["phones"]) == (5, [f"+{NUMBER}"])
    assert all("ADD_TO_CHAT" in params for params in told.asked("register", "finish"))
    assert told.asked("register")[0]["USER_ID"] == NOBODY
    assert portal.live == {}


@pytest.mark.parametrize(
    "status, direction, code, is_missed",
    [
        ("missed", "inbound", "304", True), ("voicemail", "inbound", "304", True),
        ("failed", "outbound", "603-S", False), ("answered", "outbound", "200", False),
    ],
)  # fmt: skip
async def test_only_a_call_in_that_nobody_answered_is_missed(
    told: Told, status: str, direction: str, code: str, is_missed: bool
) -> None:
    """By 304 and the type of the call, and of nobody's user; a call out makes no lead."""
    person = "anna" if status == "answered" else None
    await told.tell("call_finished", call_of(status=status, direction=direction, person=person, talk_seconds=0.2))
    (row,) = told.server.portal.statistics
    assert (row["CALL_FAILED_CODE"], bool(told.server.portal.missed)) == (code, is_missed)
    assert row["CALL_STATUS"] == int(status == "answered")
    assert row["PORTAL_USER_ID"] == (5 if person else NOBODY)
    assert len(told.server.portal.entities["LEAD"]) == int(direction == "inbound")


@pytest.mark.parametrize("number", [None, "anonymous"])
async def test_who_hides_their_number_is_never_told(told: Told, number: str | None) -> None:
    """No call, no lead, and no dead letter for the sound."""
    call = call_of(number)
    for step in ("call_started", "call_finished"):
        await told.tell(step, call)
    await told.tell("recording", CrmRecording(call=call.id, seconds=6.0, expires_at=None, link=1))
    assert told.server.requests == []


async def test_two_calls_of_one_number_within_minutes_are_two(told: Told) -> None:
    """Each has its own CALL_ID by our id, and each is finished."""
    calls = [call_of(), call_of()]
    for call in calls:
        await told.tell("call_started", call)
    for call in calls:
        await told.tell("call_finished", call)
    assert [row["EXTERNAL_CALL_ID"] for row in told.server.portal.statistics] == [str(call.id) for call in calls]
    assert len(told.server.portal.entities["LEAD"]) == 1


@pytest.mark.parametrize("method", [REGISTER, FINISH])
@pytest.mark.parametrize("how", ["cut", "hang", "500", "502_html", "cut_body"])
@pytest.mark.parametrize("commits", [False, True])
async def test_what_nobody_heard_of_is_one_record_in_the_end(told: Told, method: str, how: Any, commits: bool) -> None:
    """Register and finish lost before or after they were done, told at once and an hour late."""
    for began in (NOW - timedelta(minutes=1), NOW - timedelta(hours=1)):
        call = call_of(started_at=began)
        told.fails(method, Fault(how, commits))
        with pytest.raises(UnknownOutcomeError):
            await told.tell("call_finished", call)
        await told.tell_till_done("call_finished", call)
        assert [row["EXTERNAL_CALL_ID"] for row in told.server.portal.statistics].count(str(call.id)) == 1
        # Only a call whose CALL_ID nobody heard of stays behind, unseen, where the portal does not know it again.
        lost = method == REGISTER and commits and began < NOW - timedelta(minutes=30)
        assert len(told.server.portal.live) == int(lost)
    assert len(told.server.portal.entities["LEAD"]) == 1


async def test_a_connection_that_was_made_anew_tells_no_call_again(told: Told) -> None:
    """What it left there before is found by our id, and its sound goes to it."""
    call = call_of()
    await told.tell("call_finished", call)
    told.remote.clear()
    await told.tell("call_finished", call)
    (row,) = told.server.portal.statistics
    assert told.remote[call.id] == {"call_finished": row["CALL_ID"]}


@pytest.mark.parametrize("commits", [False, True])
async def test_a_call_that_one_may_not_see_there_is_told_once(told: Told, commits: bool) -> None:
    """Whoever agreed sees their own calls alone, and nobody says so: whether it is finished, its sound tells."""
    told.server.portal.sees_calls_of = frozenset({NOBODY})
    told.fails(FINISH, Fault("cut", commits))
    with pytest.raises(UnknownOutcomeError):
        await told.tell("call_finished", call := call_of())
    told.fails(FINISH, Fault("limit"))  # the doubt is over, and it is asked once more
    done = await told.tell_till_done("call_finished", call)
    (row,) = told.server.portal.statistics
    assert done.remote_id == row["CALL_ID"]
    began = call.started_at or NOW
    assert await told.crm.calls_told(began - timedelta(hours=1), began + timedelta(hours=1)) == []
    held = Effect(uuid4(), NOW, {"call_finished": row["CALL_ID"]})
    assert (await told.crm.read_back("call_finished", held)) is not None
    assert told.server.portal.records == {}


@pytest.mark.parametrize("how", ["limit", "503_html", "hang"])
async def test_a_lead_that_the_portal_made_is_ours_whatever_happens_when_it_is_marked(told: Told, how: Any) -> None:
    """At the ring, and of a call that is told too late to be known again."""
    for number, began in ((NUMBER, NOW), ("79160000001", NOW - timedelta(hours=1))):
        call = call_of(number, started_at=began)
        told.fails("crm.item.update", Fault(how))
        await told.tell_till_done("call_started", call)
        await told.tell_till_done("call_finished", call)
    assert [row["originatorId"] for row in told.server.portal.entities["LEAD"].values()] == ["switchhook"] * 2
    assert (len(told.server.portal.statistics), told.server.portal.live) == (2, {})


async def test_another_call_is_not_taken_for_ours_where_the_history_cannot_be_asked_for_it() -> None:
    """A portal whose history lacks our id answers with anybody's calls: a person is told, before and then."""
    async with open_told() as told:
        portal = told.server.portal
        await told.tell("call_finished", call_of())
        portal.history_fields -= {"EXTERNAL_CALL_ID"}
        assert (await told.crm.probe()).missing == ("history that can be asked for a call by our id",)
        with pytest.raises(PermanentError, match="EXTERNAL_CALL_ID"):
            await told.tell("call_finished", call_of())
        assert len(portal.statistics) == 1


async def test_a_start_that_is_told_too_late_is_left_to_the_end(told: Told) -> None:
    """The portal would not know it again."""
    call = call_of(started_at=NOW - timedelta(minutes=26))
    assert (await told.tell("call_started", call)).answer == {"not_told": "late"}
    await told.tell("call_finished", call)
    assert len(told.server.portal.statistics) == 1


async def test_a_click_that_two_calls_share_leaves_two_records(told: Told) -> None:
    """The portal gives both clicks one CALL_ID; it is the first one's, and the second is registered as its own."""
    first, second = (call_of(direction="outbound", status="failed", person="anna") for _ in range(2))
    assert told.server.click(5, f"+{NUMBER}") == told.server.click(5, f"+{NUMBER}")
    ids = list(told.server.portal.live)
    for call in (first, second):
        told.remote[call.id] = {"call_started": ids[0]}
        await told.tell("call_finished", call)
    assert len(told.server.portal.statistics) == 2
    assert told.server.portal.statistics[0]["CALL_ID"] == ids[0]
    told.fails(FINISH, Fault("cut", commits=True))
    third, fourth = (call_of(direction="outbound", status="failed", person="boris") for _ in range(2))
    told.server.click(6, f"+{NUMBER}")
    shared = next(iter(told.server.portal.live))
    told.remote |= {third.id: {"call_started": shared}, fourth.id: {"call_started": shared}}
    with pytest.raises(UnknownOutcomeError):
        await told.tell("call_finished", third)
    told.fails(FINISH, Fault("cut"))
    with pytest.raises(UnknownOutcomeError):
        await told.tell("call_finished", fourth)
    for call in (third, fourth):
        await told.tell("call_finished", call)
    assert [row["EXTERNAL_CALL_ID"] for row in told.server.portal.statistics] == [
        None, str(second.id), None, str(fourth.id),
    ]  # fmt: skip
    assert told.remote[third.id]["call_finished"] == shared


@pytest.mark.parametrize("began", [NOW, NOW - timedelta(hours=1)])
async def test_a_client_with_two_numbers_has_one_lead(told: Told, began: datetime) -> None:
    """The portal knows only the number that calls, and does not find at once what it made of the other."""
    told.server.portal.hidden_for = 3600.0
    for number, other in ((NUMBER, "79160000001"), ("79160000001", NUMBER)):
        await told.tell("call_finished", call_of(number, started_at=began), others=(other,))
    (lead,) = told.server.portal.entities["LEAD"].values()
    assert [row["CRM_ENTITY_ID"] for row in told.server.portal.statistics] == [lead["id"]] * 2


async def test_who_left_the_company_ends_no_call_and_nobody_stops_all(told: Told) -> None:
    """A talker whose user is not active there: nobody's user; that one gone: a person must mend the settings."""
    told.server.portal.users[5].active = False
    await told.tell("call_finished", call_of())
    assert told.server.portal.statistics[0]["PORTAL_USER_ID"] == NOBODY
    told.server.portal.users[NOBODY].active = False
    with pytest.raises(AuthDeadError, match="user 1 of the settings"):
        await told.tell("call_finished", call_of())


async def test_a_lead_is_made_once_and_filled_in_where_the_portal_made_it(told: Told) -> None:
    """Of a caller whom nobody knew: the portal's lead becomes ours, with the owner and stage that the house decided."""
    call = call_of()
    await told.tell("call_finished", call)
    told_lead = await told.tell("lead", lead_of(call.id, owner="boris", stage="in_work"))
    (lead,) = told.server.portal.entities["LEAD"].values()
    assert told_lead.remote_id == str(lead["id"])
    assert (lead["originatorId"], lead["originId"], lead["assignedById"]) == ("switchhook", "17", 6)
    assert lead["stageId"] == "IN_PROCESS"
    await told.tell("lead", lead_of(call.id, change="stage", stage="disqualified", by="boris"))
    await told.tell("lead", lead_of(call.id, change="owner", owner="anna"))
    (lead,) = told.server.portal.entities["LEAD"].values()
    assert (lead["stageId"], lead["assignedById"]) == ("JUNK", 5)
    await told.tell("lead", lead_of(uuid4(), id=18))
    assert sorted(row["originId"] for row in told.server.portal.entities["LEAD"].values()) == ["17", "18"]


async def test_a_lead_that_was_there_keeps_its_owner(told: Told) -> None:
    """Nothing that the house decides by rule changes it; what a person decides here does."""
    portal = told.server.portal
    for _ in range(20):  # the portal tells of no more at once
        portal.add_entity("LEAD", f"+{NUMBER}", 6, stageId="JUNK")
    there = portal.add_entity("LEAD", "8 (916) 123-45-67", 6)
    call = call_of()
    await told.tell("call_finished", call)
    await told.tell("lead", lead_of(call.id))
    await told.tell("lead", lead_of(call.id, change="owner", owner="anna"))
    lead = portal.entities["LEAD"][there]
    assert (lead["assignedById"], lead["originatorId"], lead["originId"]) == (6, "switchhook.adopted", "17")
    await told.tell("lead", lead_of(call.id, change="owner", owner="anna", by="boris"))
    assert (lead["assignedById"], len(portal.entities["LEAD"])) == (5, 21)


@pytest.mark.parametrize("commits", [False, True])
async def test_a_lead_of_which_nobody_heard_is_not_made_twice(told: Told, commits: bool) -> None:
    """It is looked for by our id first."""
    told.fails("crm.item.add", Fault("hang", commits))
    with pytest.raises(UnknownOutcomeError):
        await told.tell("lead", lead_of())
    await told.tell("lead", lead_of())
    (lead,) = told.server.portal.entities["LEAD"].values()
    assert (lead["originId"], lead["title"], lead["phones"]) == ("17", f"Звонок +{NUMBER}", [f"+{NUMBER}"])


async def test_where_leads_come_as_the_house_decides_a_call_has_its_lead_before_it_ends() -> None:
    """Nothing is made at the ring; the end makes the lead of the house first, and both share it."""
    async with open_told(creates_leads=False) as told:
        call = call_of(lead=17)
        await told.tell("call_started", call)
        assert told.server.portal.entities["LEAD"] == {}
        await told.tell("call_finished", call)
        await told.tell("lead", lead_of(call.id))
        (lead,) = told.server.portal.entities["LEAD"].values()
        (row,) = told.server.portal.statistics
        assert told.server.portal.activities[row["CRM_ACTIVITY_ID"]]["BINDINGS"] == [("LEAD", lead["id"])]
        await told.tell("call_finished", call_of("79160000001"))
        assert len(told.server.portal.entities["LEAD"]) == 1


async def test_a_call_of_a_known_client_is_shown_with_the_lead_that_is_opened_later(told: Told) -> None:
    """The portal knew the contact alone when the call began; many leads that are over do not hide it."""
    for _ in range(20):
        told.server.portal.add_entity("LEAD", f"+{NUMBER}", 6, stageId="JUNK")
    contact = told.server.portal.add_entity("CONTACT", f"+{NUMBER}", 6)
    call = call_of()
    await told.tell("call_finished", call)
    number = int((await told.tell("lead", lead_of(call.id))).remote_id or 0)
    (row,) = told.server.portal.statistics
    bindings = told.server.portal.activities[row["CRM_ACTIVITY_ID"]]["BINDINGS"]
    assert bindings == [("CONTACT", contact), ("LEAD", number)]
    assert told.server.portal.entities["LEAD"][number]["contactId"] == contact


async def test_a_promise_is_one_todo_from_its_opening_to_its_end(told: Told) -> None:
    """Lost after it was made, given to somebody else, closed; of a caller whom nobody knows a lead holds it.

    Also before a search finds that one.
    """
    call = uuid4()
    told.server.portal.hidden_for = 3600.0
    told.fails("crm.activity.todo.add", Fault("cut", commits=True))
    with pytest.raises(UnknownOutcomeError):
        await told.tell("task", task_of(call))
    await told.tell("task", task_of(call))
    await told.tell("task", task_of(call, change="given", owner="anna"))
    (todo,) = told.server.portal.activities.values()
    assert (todo["RESPONSIBLE_ID"], todo["COMPLETED"], todo["SUBJECT"]) == (5, "N", f"Перезвонить +{NUMBER} [SH-3]")
    await told.tell("task", task_of(call, change="closed", closed_by="anna"))
    assert todo["COMPLETED"] == "Y"
    await told.tell("task", task_of(uuid4(), id=5))
    (holder,) = told.server.portal.entities["LEAD"].values()
    assert NUMBER not in holder["originId"]  # which stays when the lead is made nameless there
    await told.tell("lead", lead_of())
    assert len(told.server.portal.entities["LEAD"]) == 1
    assert (await told.tell("task", task_of(uuid4(), id=4, change="closed"))).answer == {"not_told": "never_opened"}


async def test_access_that_is_over_is_renewed_once_and_only_then(told: Told) -> None:
    """The hour ends in the middle; what was asked is asked again, and the new refresh token is the one that is kept."""
    await told.crm.probe()
    assert told.server.token_requests == []
    told.server.expire()
    await told.tell("call_finished", call_of())
    assert len(told.server.token_requests) == 1
    assert told.grants.grant.access in told.server.grants
    assert (told.grants.grant.refresh_expires_at or NOW) > NOW + timedelta(days=179)
    told.server.revoke()
    with pytest.raises(AuthDeadError):
        await told.tell("call_finished", call_of())
    told.server.grants[told.grants.grant.access] = told.server.grant()
    told.server.expire()
    told.server.paid = False
    told.server.grants[told.grants.grant.access].until = 0
    with pytest.raises(AuthDeadError, match="payment_required"):
        await told.tell("call_finished", call_of())


async def test_a_renamed_portal_is_followed_with_the_body_and_kept(told: Told) -> None:
    """Once; and never to where the connection would be less safe, or to another method."""
    told.server.renamed = True
    await told.tell("call_finished", call_of())
    assert told.grants.grant.told["client_endpoint"] == f"{told.server.renamed_url}/rest/"
    assert len(told.server.portal.statistics) == 1
    told.server.renamed_url = f"{told.server.renamed_url}/elsewhere"
    told.grants.grant = told.grants.grant.__class__(
        told.grants.grant.access, told={"client_endpoint": f"{told.server.url}/rest/"}
    )
    with pytest.raises(TransientError, match="leads elsewhere"):
        await told.tell("call_finished", call_of())


@pytest.mark.parametrize(
    "how, error, scope",
    [
        ("limit", RateLimitedError, "connection"), ("operating", RateLimitedError, "method"),
        ("overload", BannedError, None), ("503_html", TransientError, None), ("500", UnknownOutcomeError, None),
        ("401", AuthDeadError, None), ("401_html", TransientError, None), ("403_html", TransientError, None),
    ],
)  # fmt: skip
async def test_each_refusal_is_told_apart(told: Told, how: Any, error: type[CrmError], scope: str | None) -> None:
    """And none of it tells the access or the number."""
    told.fails(REGISTER, Fault(how))
    with pytest.raises(error) as refused:
        await told.tell("call_finished", call_of())
    said = f"{refused.value!r} {refused.value.answer}"
    assert not any(secret in said for secret in (told.grants.grant.access, told.grants.grant.refresh, NUMBER))
    if isinstance(refused.value, RateLimitedError):
        assert refused.value.scope == scope
        assert ("requests" in told.pace.uses) == (scope == "connection")
    if how == "operating":
        assert isinstance(refused.value, RateLimitedError)
        assert (refused.value.retry_after or 0) >= 60


async def test_limits_are_kept_to_and_what_the_portal_says_of_them_is_kept(told: Told) -> None:
    """Every request takes its place; each method's seconds are known; a method near its end is not asked."""
    await told.tell("call_finished", call_of())
    assert told.pace.taken == [("requests", False)] * len(told.server.requests)
    assert told.pace.uses[f"operating {FINISH}"] == (0.05, 480.0)
    told.server.costs[FINISH] = 470.0
    told.fails(FINISH, Fault("400", commits=True))
    with pytest.raises(PermanentError):
        await told.tell("call_finished", call_of())
    assert told.pace.uses[f"operating {FINISH}"] == (470.05, 480.0)  # what fails is charged too
    told.pace.full.add(f"operating {REGISTER}")
    with pytest.raises(RateLimitedError):
        await told.tell("call_finished", call_of())


async def test_a_portal_that_tells_nonsense_of_times_is_heeded_for_hours_at_most(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer is lost by it, least of all a new access."""
    nonsense: Any
    for nonsense in (10**400, "soon", float("nan"), -1, [], 1e308):
        block = {"operating": nonsense, "operating_reset_at": nonsense}
        monkeypatch.setattr(told.server, "_time", lambda _method, block=block: block)
        told.server.lasts = nonsense
        told.server.expire()
        before = told.grants.grant
        await told.tell("call_finished", call_of())
        end = told.grants.grant.expires_at
        assert told.grants.grant.refresh != before.refresh
        assert end is not None
        assert end - told.work.now() <= timedelta(seconds=MOST_SECONDS)


async def test_cards_are_shown_in_time_or_not_at_all(told: Told) -> None:
    """With low claims to the limits; of a call that is over there is none."""
    call = call_of()
    started = await told.tell("call_started", call)
    (live,) = told.server.portal.live.values()
    effect = Effect(uuid4(), told.work.now(), {"call_started": started.remote_id or ""})
    await told.crm.card_show(effect, call, ["5", "6"])
    assert live.shown == {5, 6}
    await told.crm.card_hide(effect, call, ["6"])
    assert (live.shown, told.pace.taken[-1]) == ({5}, ("requests", True))
    await told.crm.card_show(Effect(uuid4(), NOW - timedelta(minutes=1), effect.remote), call, ["6"])
    assert live.shown == {5}


async def test_parties_and_users_are_told(told: Told) -> None:
    """Whose a number is, with our person; users page by page; and the question has its end."""
    told.server.portal.users |= {number: type(told.server.portal.users[5])(number) for number in range(100, 160)}
    assert len(await told.crm.users()) == 63
    assert (await told.crm.users())[1].extension == "101"
    contact = told.server.portal.add_entity("CONTACT", f"+{NUMBER}", 6, name="Пётр")
    (found,) = await told.crm.find_party(NUMBER, 1.0)
    assert (found.remote_id, found.name, found.owner) == (f"CONTACT:{contact}", "Пётр", "boris")
    told.fails("telephony.externalCall.searchCrmEntities", Fault("hang"))
    with pytest.raises(TransientError):
        await told.crm.find_party(NUMBER, 0.05)
    lead = told.server.portal.add_entity("LEAD", "8 (916) 765-43-21", 6)
    assert await told.crm.numbers_of(f"LEAD:{lead}") == ["79167654321"]
    assert await told.crm.numbers_of(found.remote_id) == [NUMBER]
    assert [*await told.crm.numbers_of("LEAD:999"), *await told.crm.numbers_of("anything")] == []


async def test_what_is_missing_is_told_at_the_set_up(told: Told) -> None:
    """Scopes, the history of calls, the user; a webhook cannot register, and it is said so."""
    assert (await told.crm.probe()).missing == ()
    told.server.portal.may_see_statistics = False
    told.server.portal.users[NOBODY].active = False
    told.server.portal.has_leads = False
    told.server.portal.statuses["SOURCE"].remove("CALL")
    no_history, no_leads = "right to see the history of calls", "leads, which simple CRM mode has none of"
    lacks = (no_history, no_leads, "active user 1", "source CALL")
    assert (await told.crm.probe()).missing == lacks
    told.server.portal.scopes = ("telephony",)
    assert (await told.crm.probe()).missing == ("scope crm", "scope user")
    async with open_told(hook=True) as hooked:
        assert (await hooked.crm.probe()).missing == ("access of an application, not of a webhook",)
        with pytest.raises(AuthDeadError, match="WRONG_AUTH_TYPE"):
            await hooked.tell("call_finished", call_of())
        hooked.server.webhook_may = True
        await hooked.tell("call_finished", call_of())
        assert len(hooked.server.portal.statistics) == 1


async def test_a_long_sound_goes_as_a_file(told: Told) -> None:
    """By the address that the portal gives for it."""
    call = call_of()
    await told.tell("call_finished", call)
    sound = b"ID3" + bytes(9 * 1024 * 1024)

    async def long(_call: UUID) -> bytes:
        return sound

    object.__setattr__(told.work, "sound", long)
    await told.tell("recording", CrmRecording(call=call.id, seconds=6.0, expires_at=None, link=1))
    assert list(told.server.portal.records.values()) == [sound]


@pytest.mark.parametrize("field", ["file", 'f"\r\n\r\nmore', "", "f" * 65])
async def test_a_sound_goes_nowhere_but_to_the_portal(told: Told, field: str) -> None:
    """Not to another host or port, nor in clear; nor does the portal write the form."""
    rest, url = Rest(told.work), told.server.url
    away = [
        url.replace("127.0.0.1", "localhost"),
        told.server.renamed_url,
        "https://example.com",
        "file:///x",
        "",
        "//",
    ]
    for there in away if field == "file" else [url]:
        with pytest.raises(PermanentError, match="not to the portal"):
            await rest.upload(f"{there}/upload/1" if there else "", field, "a.mp3", b"ID3")
    assert told.server.requests == []


@pytest.mark.parametrize(
    "before, now, is_followed",
    [
        ("old.bitrix24.ru", "new.bitrix24.ru", True), ("10.0.0.1", "10.0.0.1", True),
        ("old.bitrix24.ru", "example.com", False), ("old.bitrix24.ru", "bitrix24.ru", False),
        ("old.bitrix24.ru", "a.new.bitrix24.ru", False), ("example.com", "other.com", False),
        ("10.0.0.1", "11.0.0.1", False),
    ],
)  # fmt: skip
def test_a_portal_is_followed_within_its_domain(before: str, now: str, is_followed: bool) -> None:
    """As the cloud renames it; what it is told goes to no other house."""
    asked = URL(f"https://{before}/rest/profile")
    answer = Answer(302, {"location": f"https://{now}:8443/rest/profile"}, b"")
    assert (moved_to(asked, answer) is not None) == is_followed


async def test_only_the_portal_is_listened_to(told: Told) -> None:
    """A click and a form, by the application token; without it, or with another, nothing at all."""
    click = told.server.click(5, f"+{NUMBER}", f"+{LINE}")
    (heard,) = told.crm.parse_inbound(Inbound({}, click))
    (live,) = told.server.portal.live
    assert heard.kind == "originate"
    assert heard.told == {"number": NUMBER, "user": "5", "line": LINE, "remote_id": live}
    form = told.server.event(
        "ONEXTERNALCALLBACKSTART", {"PHONE_NUMBER": f"+{NUMBER}", "TEXT": "Жду"}, with_access=False
    )
    (heard,) = told.crm.parse_inbound(Inbound({}, form))
    assert (heard.kind, dict(heard.told)) == ("call_back", {"number": NUMBER, "text": "Жду"})
    (heard,) = told.crm.parse_inbound(Inbound({}, told.server.event("ONCRMLEADUPDATE", {"FIELDS": {"ID": 7}})))
    assert (heard.kind, heard.told["remote_id"]) == ("lead_changed", "LEAD:7")
    assert told.crm.parse_inbound(Inbound({}, told.server.event("ONSOMETHING", {}))) == []
    for body in (
        click.replace(b"51856", b"00000"),
        b"event=ONEXTERNALCALLSTART",
        b"\xff",
        b"auth=x&auth[application_token]=y",
    ):
        with pytest.raises(PermanentError):
            told.crm.parse_inbound(Inbound({}, body))


async def test_a_person_lets_us_in_and_the_events_are_bound(told: Told) -> None:
    """The code is good for thirty seconds; a second consent finds the events bound already."""
    consent = KIND.consent
    assert consent is not None
    back = "https://calls.example.com/crm/b24/oauth"
    address = consent.address(told.work, back, "state")
    assert address == f"{told.server.url}/oauth/authorize/?client_id={CLIENT}&state=state"
    for _ in range(2):
        grant = await consent.exchange(told.work, {"code": told.server.code(), "state": "state"}, back)
        assert grant.access in told.server.grants
    (handler,) = {URL(handler) for _, handler in told.server.portal.bound}
    assert (len(told.server.portal.bound), str(handler.with_query(None))) == (4, back.replace("oauth", "events"))
    event = told.server.event("ONCRMLEADUPDATE", {"FIELDS": {"ID": 7}})
    object.__setattr__(told.work, "secrets", {**told.work.secrets, "application_token": ""})
    assert len(told.crm.parse_inbound(Inbound({}, event, dict(handler.query)))) == 1
    with pytest.raises(PermanentError):
        told.crm.parse_inbound(Inbound({}, event, {"door": ""}))
    with pytest.raises(AuthDeadError, match="invalid_grant"):
        await consent.exchange(told.work, {"code": "old"}, back)


async def test_a_day_of_many_calls_is_listed_whole_and_clicks_without_an_id_of_ours(told: Told) -> None:
    """Page by page; a call that the portal registered itself is known by what the portal calls it."""
    done = await told.tell("call_finished", call := call_of())
    (row,) = told.server.portal.statistics
    for number in range(120):
        told.server.portal.statistics.append({**row, "CALL_ID": f"click.{number}", "EXTERNAL_CALL_ID": None})
    began = call.started_at or NOW
    held = await told.crm.calls_told(began - timedelta(hours=1), began + timedelta(hours=1))
    assert len(held) == 121
    ours = HeldCall(str(done.remote_id), call=call.id, at=held[0].at, seconds=6.0, owner="5")
    assert [one for one in held if one.call is not None] == [ours]
    assert await told.crm.calls_told(began + timedelta(hours=1), began + timedelta(hours=2)) == []
