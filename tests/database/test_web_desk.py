"""My desk beyond the card: notes, outcomes, the next step, the head's help, and controls that nobody else has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import pytest
from aiohttp import ClientSession
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls import help as help_asked
from crm_sync.book.owners import owners
from crm_sync.erasing import forget_cards
from crm_sync.jobs import CrmJobs
from routing.memory import Memory
from routing.tables import outgoing_calls
from service import controlling as doing
from service.listening import Listening
from service.wishers import Wishers
from telephony import controls, devices
from telephony.link import Link
from telephony.pbx import Fields, LinkDown, LinkSettings, Reply
from tests.fakes.site import Site, open_site
from tests.fakes.story import Told, know
from web import controlling
from web.api.operations import PREFIX as API
from web.wording import iso


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(engine, tmp_path) as running:
        yield running


async def talking(engine: AsyncEngine, number: str = "79161234567") -> tuple[Told, UUID]:
    """Анна talks with a caller."""
    story = Told(engine, number=number)
    await story.arrives()
    await story.rings("PJSIP/anna-desk")
    return story, await story.answers("PJSIP/anna-desk")


async def talked(engine: AsyncEngine, number: str = "79161234567", *, linked: bool = True) -> UUID:
    """Анна has talked with a caller, and the call is in the book, or not yet."""
    story, call = await talking(engine, number)
    await story.hangs_up()
    if linked:
        await link(engine, call)
    return call


async def link(engine: AsyncEngine, call: UUID) -> None:
    await CrmJobs(engine=engine, owes=lambda _change: []).link_call(call, 0)


async def ask(client: ClientSession, call: UUID, what: str, status: int = 200, **body: Any) -> dict[str, Any]:
    async with client.post(f"{API}/calls/{call}/{what}", json=body) as response:
        told: dict[str, Any] = await response.json()
        assert response.status == status, told
        return told


async def rows(engine: AsyncEngine, sql: str, **how: Any) -> list[Any]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql), how)]


async def book(engine: AsyncEngine) -> tuple[list[Any], list[Any], list[Any]]:
    """Where the leads are, the notes, the tasks."""
    leads = await rows(engine, "select stage, reason from leads order by id")
    notes = await rows(engine, "select text, by from notes order by id")
    return leads, notes, await rows(engine, "select text, assignee from tasks order by id")


async def test_what_is_told_goes_to_the_lead_once_whenever_there_is_one(site: Site) -> None:
    """Told before the call is in the book, and after it: the lead, the note and the task are the same."""
    due = datetime.now(UTC) + timedelta(hours=2)
    told: dict[str, Any] = {"outcome": "qualified", "next_step": "Выслать план", "next_at": due.isoformat()}
    async with site.visitor("anna") as anna:
        for number, early in (("79161234567", True), ("79165550102", False)):
            call = await talked(site.engine, number, linked=not early)
            await ask(anna, call, "note", text="Хочет угловую")
            answer = await ask(anna, call, "outcome", **told)
            assert [(card["outcome"], card["booked"]) for card in answer["cards"]] == [("qualified", not early)]
            assert await ask(anna, call, "outcome", **told) == answer
            await link(site.engine, call)
            page = await (await anna.get(f"/calls/{call}")).text()
            assert all(words in page for words in ("Качественный", "Хочет угловую", "Выслать план"))
    leads, notes, tasks = await book(site.engine)
    assert leads == [("qualified", None)] * 2
    assert notes == [("Хочет угловую", "anna")] * 2
    assert [task for task in tasks if task[0] == "Выслать план"] == [("Выслать план", "anna")] * 2


async def test_every_other_outcome_disqualifies_with_its_reason(site: Site) -> None:
    await know(site.engine, "79165550100", "Иван", "anna")
    (other,) = await rows(site.engine, "select max(id) from leads")
    outcomes: dict[str, dict[str, Any]] = {"existing_client": {}, "spam": {}, "shareholder": {}}
    async with site.visitor("anna") as anna:
        for number, (outcome, more) in enumerate((outcomes | {"duplicate": {"duplicate_of": other[0]}}).items(), 1):
            call = await talked(site.engine, f"7916555010{number}")
            await ask(anna, call, "outcome", outcome=outcome, **more)
    assert (await book(site.engine))[0][1:] == [
        ("disqualified", reason) for reason in ("existing_client", "spam", "shareholder", "duplicate")
    ]


async def test_what_cannot_be_told_is_refused_by_its_field_and_nothing_is_kept(site: Site) -> None:
    call = await talked(site.engine)
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    wrong = (
        ({"outcome": "duplicate"}, "duplicate_of", "wrong_duplicate_of"),
        ({"outcome": "duplicate", "duplicate_of": 987}, "duplicate_of", "wrong_duplicate_of"),
        ({"outcome": "call_again"}, "next_at", "wrong_when"),
        ({"next_step": "Выслать", "next_at": past}, "next_at", "wrong_past"),
        ({"next_at": past}, "next_step", "wrong_text"),
    )
    async with site.visitor("anna") as anna:
        for body, field, reason in wrong:
            told = await ask(anna, call, "outcome", 422, **body)
            assert (told["field"], told["reason"]) == (field, reason)
        assert (await ask(anna, call, "note", 422, text="a\x07b"))["field"] == "text"
    assert await rows(site.engine, "select count(*) from desk_cards") == [(0,)]


async def test_a_lead_of_another_team_is_written_to_and_not_moved(site: Site) -> None:
    """At once or when the call is linked; nor is one that nobody here may see named as the other of a duplicate."""
    number = "79165550107"
    await know(site.engine, number, "Иван", "gleb")
    (lead,) = await rows(site.engine, "select id, stage from leads")
    call = await talked(site.engine, number)
    async with site.visitor("anna") as anna:
        told = await ask(anna, call, "outcome", 422, outcome="spam")
        assert (told["field"], told["reason"]) == ("outcome", "wrong_other_team")
        await ask(anna, call, "note", text="Просил перезвонить")
        await ask(anna, call, "outcome", next_step="Передать Глебу")
        early = await talked(site.engine, number, linked=False)
        await ask(anna, early, "note", text="Согласен")
        for hour in (1, 2):  # said again, and another time
            at = (datetime.now(UTC) + timedelta(hours=hour)).isoformat()
            await ask(anna, early, "outcome", outcome="spam", next_step="Позвонить", next_at=at)
        await link(site.engine, early)
        other = await talked(site.engine, "79165550108")
        await know(site.engine, "79165550109", "Пётр", "gleb")
        (hidden,) = await rows(site.engine, "select max(id) from leads")
        told = await ask(anna, other, "outcome", 422, outcome="duplicate", duplicate_of=hidden[0])
        assert told["reason"] == "wrong_duplicate_of"
    stages, notes, tasks = await book(site.engine)
    assert stages[0] == (lead[1], None)
    assert notes == [("Просил перезвонить", "anna"), ("Согласен", "anna")]
    assert tasks == [("Передать Глебу", "anna"), ("Позвонить", "anna")]


async def test_a_dismissed_card_leaves_its_note_and_no_outcome(site: Site) -> None:
    """It goes from the desk of who talked, and stays away; the lead is where it was."""
    call = await talked(site.engine)
    async with site.visitor("anna") as anna:
        assert f'id="after-{call}"' in await (await anna.get("/")).text()
        await ask(anna, call, "note", text="Перезвонит сам")
        await ask(anna, call, "dismiss")
        assert f'id="after-{call}"' not in await (await anna.get("/")).text()
    assert (await book(site.engine))[:2] == ([("qualifying", None)], [("Перезвонит сам", "anna")])


async def test_the_form_of_the_card_says_when_to_call_again(site: Site) -> None:
    """By a button, or at a time on the wall of who talked; without one it says what is missing, and keeps nothing."""
    call = await talked(site.engine)
    async with site.visitor("anna", **{"HX-Request": "true"}) as anna:
        path = f"/calls/{call}/outcome"
        async with anna.post(path, data={"outcome": "call_again", "note": "Занят"}) as response:
            assert await response.text() == "Скажите, когда перезвонить."
        assert await rows(site.engine, "select count(*) from desk_cards") == [(0,)]
        async with anna.post(path, data={"again": "tomorrow", "note": "Занят"}) as response:
            assert (response.status, await response.text()) == (200, "")
    (again,) = await rows(
        site.engine,
        "select text, assignee, due_at at time zone 'Europe/Moscow', due_at from tasks order by id",
    )
    assert again[:2] == ("Перезвонить", "anna")
    assert (again[2].hour, again[2].minute) == (10, 0)
    assert timedelta() < again[3] - datetime.now(UTC) < timedelta(days=2)


async def test_only_who_talked_and_heads_write_tell_and_control(site: Site) -> None:
    """Not a colleague who may see the call, nor an operator; what a head does is the manager's card."""
    story, call = await talking(site.engine)
    for login in ("boris", "gleb", "olga"):
        async with site.visitor(login) as client:
            for what, body in (
                ("hold", {}),
                ("connect", {}),
                ("transfer", {"to": "boris"}),
                ("consult", {"to": "boris"}),
                ("note", {"text": "x"}),
                ("help", {}),
            ):
                await ask(client, call, what, 403, **body)
    await story.hangs_up()
    async with site.visitor("vera") as vera:
        told = await ask(vera, call, "outcome", outcome="spam")
    assert [(card["person"], card["told_by"]) for card in told["cards"]] == [("anna", "vera")]
    for table in ("call_controls", "help_requests"):
        assert await rows(site.engine, f"select count(*) from {table}") == [(0,)]


async def test_the_head_is_asked_once_sees_it_at_once_and_who_talks_sees_who_comes(site: Site) -> None:
    _, call = await talking(site.engine)
    async with site.visitor("anna") as anna, site.visitor("vera") as vera:
        for _ in range(2):
            assert (await ask(anna, call, "help"))["asked"]
        assert await rows(site.engine, "select kind, person from notices") == [("help_asked", "vera")]

        async def shown(client: ClientSession, words: str) -> None:
            async with asyncio.timeout(30):
                while words not in await (await client.get("/")).text():
                    await asyncio.sleep(0.02)

        await shown(vera, "Просит помощи: Анна Смирнова")
        await shown(anna, "Руководитель позван")
        async with site.engine.begin() as connection:
            assert await help_asked.take(connection, call, "vera") == 1
        await shown(anna, "Вера Павлова помогает")
        assert not (await ask(anna, call, "help/withdraw"))["asked"]
        await shown(anna, "Позвать руководителя")
    told = "select actor, action from audit order by id"
    assert await rows(site.engine, told) == [("anna", "help_asked"), ("anna", "help_withdrawn")]


@asynccontextmanager
async def attended(site: Site) -> AsyncIterator[list[tuple[str, str | None, str | None]]]:
    """Somebody attends the PBX; what was wanted of it."""
    wanted: list[tuple[str, str | None, str | None]] = []

    async def attend() -> None:
        while True:
            async with site.engine.begin() as connection:
                for control in await controls.unsettled(connection, "main"):
                    wanted.append((control.what, control.colleague, control.number))
                    await controls.settle(connection, control.id, "done")
            await asyncio.sleep(0.02)

    task = asyncio.create_task(attend())
    yield wanted
    task.cancel()


@pytest.mark.parametrize("do", ["transfer", "consult"])
async def test_a_call_goes_to_a_colleague_or_to_a_number_that_may_be_called(site: Site, do: str) -> None:
    """By key or extension; a number is judged like any call out, and forgotten when it is dialled."""
    _, call = await talking(site.engine)
    async with attended(site) as wanted, site.visitor("anna") as anna:
        for to in ("boris", "102", "+7 916 555-01-77"):
            assert (await ask(anna, call, do, to=to))["done"] == do
        assert (await ask(anna, call, do, 422, to="+99912345678"))["reason"] == "not_a_number"
        for to in ("anna", "199"):
            await ask(anna, call, do, 400, to=to)
    assert wanted == [(do, "boris", None), (do, "boris", None), (do, None, "79165550177")]
    assert await rows(site.engine, "select count(number) from call_controls") == [(0,)]
    told = "select action, subject, count(*) from audit group by 1, 2"
    assert await rows(site.engine, told) == [("call_controlled", f"call {call}", 3)]


async def desk_where(client: ClientSession, true: Callable[[str], bool]) -> str:
    """The desk as soon as it is so."""
    async with asyncio.timeout(10):
        while not true(page := await (await client.get("/")).text()):
            await asyncio.sleep(0.02)
    return page


async def test_a_consultation_is_on_both_cards_until_it_ends(site: Site) -> None:
    """Who consults connects or takes the client back, and the colleague does neither."""
    story, call = await talking(site.engine)
    async with attended(site) as wanted, site.visitor("anna") as anna, site.visitor("boris") as boris:
        await story.consults("PJSIP/anna-desk", "PJSIP/boris-soft")
        page = await desk_where(anna, lambda page: "Звоним: Борис Козлов. Клиент ждёт." in page)
        assert 'value="connect"' not in page
        await story.consulted("PJSIP/boris-soft")
        page = await desk_where(anna, lambda page: "Разговор с коллегой: Борис Козлов" in page)
        assert all(words in page for words in ('value="connect"', 'value="resume"'))
        page = await desk_where(boris, lambda page: "Анна Смирнова советуется с вами" in page)
        assert not any(words in page for words in ('value="hold"', 'value="transfer"', "На удержании"))
        assert (await ask(anna, call, "connect"))["done"] == "connect"
        await story.hands_over("PJSIP/anna-desk", "PJSIP/boris-soft")
        await desk_where(anna, lambda page: "Разговор с коллегой" not in page)
        await desk_where(boris, lambda page: "советуется" not in page and 'value="hold"' in page)
    assert wanted == [("connect", None, None)]


async def test_timers_go_by_our_clock_also_of_a_pbx_that_is_ahead(site: Site) -> None:
    """Of the card, and of the same call among the others of a head's desk."""
    async with site.engine.begin() as connection:
        await connection.execute(text("insert into pbx_clocks (pbx, ahead) values ('main', interval '1 hour')"))
    story, call = await talking(site.engine)
    ((began,),) = await rows(site.engine, "select answered_at from calls where id = :call", call=call)
    wanted = f'data-since="{iso(began - timedelta(hours=1))}"'
    async with site.visitor("anna") as anna, site.visitor("vera") as vera:
        assert wanted in await desk_where(anna, lambda page: f'id="card-{call}"' in page)
        assert wanted in await desk_where(vera, lambda page: f'id="other-{call}"' in page)
    await story.hangs_up()


async def test_one_thing_at_a_time_is_wanted_of_a_device_and_few_a_minute_by_one_login(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many ask at once, in one line only one waits; what is refused so is neither written nor in the audit."""
    monkeypatch.setattr(controlling, "DONE_SECONDS", 0.2)
    monkeypatch.setattr(controlling, "ASKED_PER_MINUTE_MOST", 3)
    _, call = await talking(site.engine)
    async with site.visitor("anna") as anna, site.visitor("vera") as vera:

        async def hold(client: ClientSession) -> tuple[int, str]:
            async with client.post(f"{API}/calls/{call}/hold", json={}) as response:
                return response.status, (await response.json())["reason"]

        told = await asyncio.gather(*(hold(client) for client in (anna, vera, anna, vera, anna)))
        assert sorted(told) == [(409, "pending")] * 4 + [(422, "not_yet")]
        assert await rows(site.engine, "select count(*) from call_controls") == [(1,)]
        async with anna.post(f"/calls/{call}/control", data={"do": "hold"}, headers={"HX-Request": "true"}) as response:
            assert await response.text() == "АТС ещё выполняет предыдущую просьбу. Попробуйте ещё раз."
        async with site.engine.begin() as connection:  # what nobody attended to is not waited for
            await connection.execute(text("update call_controls set asked_at = asked_at - interval '6 seconds'"))
        assert await hold(vera) == (422, "not_yet")
        async with attended(site):
            answers = []
            async with asyncio.timeout(20):
                while 429 not in answers:
                    async with anna.post(f"{API}/calls/{call}/resume", json={}) as response:
                        answers.append(response.status)
            assert (await ask(vera, call, "hold"))["done"] == "hold", "what others want is theirs"
    asked = await rows(site.engine, "select asked_by, count(*) from call_controls group by 1 order by 1")
    assert dict(asked)["anna"] == 3
    noted = "select actor, count(*) from audit where action = 'call_controlled' group by 1 order by 1"
    assert await rows(site.engine, noted) == asked


class Dropping(Link):
    """A link that drops at each action, when the PBX may have done it; `asked` is what it was asked."""

    def __init__(self) -> None:
        super().__init__(LinkSettings("main"), lambda _message: None)
        self.asked: list[Any] = []

    async def action(self, fields: Fields, seconds: float | None = None) -> Reply:
        self.asked.append(fields["Action"])
        raise LinkDown("it dropped")


@pytest.mark.parametrize("do, action", [("hold", "Getvar"), ("hang_up", "Hangup")])
async def test_a_pbx_that_does_not_answer_and_a_call_that_is_over_are_told(
    site: Site, monkeypatch: pytest.MonkeyPatch, do: str, action: str
) -> None:
    """What the PBX may have done already is not asked of it again when the link is back."""
    monkeypatch.setattr(controlling, "DONE_SECONDS", 0.2)
    story, call = await talking(site.engine)
    async with site.visitor("anna", **{"HX-Request": "true"}) as anna:
        async with anna.post(f"/calls/{call}/control", data={"do": do}) as response:
            assert (await response.text()).startswith("АТС пока не ответила")
        link, told = Dropping(), "select outcome, started_at is null from call_controls"
        memory = Memory(site.engine, devices=devices.read, owners=owners)
        await memory.load()
        attendant = doing.Controlling(link, memory, site.engine, Listening(site.engine), Wishers())
        for _ in range(3):
            with suppress(LinkDown):
                await attendant._do_wanted()
        assert link.asked == [action]
        assert await rows(site.engine, told) == [(None, False)]
        monkeypatch.setattr(doing, "FRESH_SECONDS", 0.0)
        await attendant._do_wanted()
        assert link.asked == [action]
        assert await rows(site.engine, told) == [("not_yet", False)]
        await story.hangs_up()
        assert (await ask(anna, call, "hangup", 422))["reason"] == "over"
        assert (await ask(anna, call, "help", 422))["reason"] == "over"


async def test_what_only_a_newer_page_knows_of_is_told_as_not_done(site: Site) -> None:
    """A web role may be newer than who attends the PBX."""
    story, call = await talking(site.engine)
    async with site.engine.begin() as connection:
        await controls.ask(connection, call, "hold", "anna", by="anna")
        (control,) = await controls.unsettled(connection, "main")
    link, memory = Dropping(), Memory(site.engine, devices=devices.read, owners=owners)
    await memory.load()
    assert memory.directory is not None
    attendant = doing.Controlling(link, memory, site.engine, Listening(site.engine), Wishers())
    newer = replace(control, what=cast("controls.What", "whisper"))
    assert (await attendant._do(newer, memory.directory), link.asked) == ("refused_by_pbx", [])
    await story.hangs_up()


async def test_who_was_in_a_call_is_forgotten_on_its_card_too(site: Site) -> None:
    call = await talked(site.engine)
    async with site.visitor("anna") as anna:
        await ask(anna, call, "note", text="Иван Петров, +7 916 123-45-67")
        await ask(anna, call, "outcome", outcome="spam")
    async with site.engine.begin() as connection:
        await forget_cards(connection, call)
    assert await rows(site.engine, "select note, outcome from desk_cards") == [("", "spam")]


async def test_who_calls_out_has_the_card_until_they_told_of_it(site: Site) -> None:
    """While it rings there, while they talk, and after it."""
    story = await called_out(site.engine)
    call = story.id
    assert call is not None
    async with site.visitor("anna") as anna:
        for state in ("calling", "talking", "done"):
            if state == "calling":
                await story.rings("PJSIP/trunk")
            elif state == "talking":
                await story.answers("PJSIP/trunk")
            else:
                await story.hangs_up()
            await card(anna, call, state)
        await ask(anna, call, "outcome", outcome="qualified")
        assert f'id="card-{call}"' not in await (await anna.get("/")).text()
        today = await (await anna.get("/desk/today")).text()
        assert f'href="/calls/{call}"' in today


async def test_who_hands_over_a_call_out_tells_of_it_while_others_talk_on(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their card is done, theirs who took over talks; what the head wants of the call is wanted of these."""
    monkeypatch.setattr(controlling, "DONE_SECONDS", 0.0)
    story = await called_out(site.engine)
    await story.rings("PJSIP/trunk")
    call = await story.answers("PJSIP/trunk")
    async with site.visitor("anna") as anna, site.visitor("boris") as boris, site.visitor("vera") as vera:
        await card(anna, call, "talking")
        assert (await ask(vera, call, "hangup", 422))["reason"] == "not_yet"
        await story.rings("PJSIP/boris-soft")
        theirs, mine = story.base(story._uid("PJSIP/boris-soft")), story.base()
        bridge = f"bridge-{story.uid}"
        entered = e.BridgeEntered(**theirs, bridge=bridge)
        left = e.BridgeLeft(**mine, bridge=bridge)
        await story.tell(e.ChannelUp(**theirs), entered, left, e.ChannelHungUp(**mine, cause=16))
        await card(boris, call, "talking")
        await card(anna, call, "done")
        assert (await ask(anna, call, "hangup", 422))["reason"] == "over"
        assert (await ask(vera, call, "hangup", 422))["reason"] == "not_yet"
        assert await rows(site.engine, "select person from call_controls order by asked_at") == [("anna",), ("boris",)]
        await ask(anna, call, "outcome", outcome="qualified")
        assert f'id="card-{call}"' not in await (await anna.get("/")).text()


async def test_answered_today_is_what_one_answered(site: Site) -> None:
    """A call out is none of it."""
    await talked(site.engine)
    story = await called_out(site.engine)
    await story.rings("PJSIP/trunk")
    await story.answers("PJSIP/trunk")
    await story.hangs_up()
    async with site.visitor("anna") as anna:
        assert "<dd>1</dd><dt>принято" in await (await anna.get("/desk/today")).text()


async def called_out(engine: AsyncEngine) -> Told:
    """Анна calls out, as a program asked for it."""
    story = Told(engine, number="101")
    phone = story.base() | {"name": "PJSIP/anna-desk-00000001"}
    judged = e.OutgoingJudged(**phone, purpose="click", person="anna", number="79165550177")
    await story.tell(e.ChannelCreated(**phone, number="101", dialed="79165550177", incoming=True), judged)
    row = {"pbx": "main", "channel": story.uid, "number": "79165550177", "person": "anna", "asked_by": "anna"}
    async with engine.begin() as connection:
        await connection.execute(insert(outgoing_calls).values(row | {"purpose": "click", "state": "connected"}))
    return story


async def card(client: ClientSession, call: UUID, state: str) -> None:
    """Wait until the desk has the card in this state, with the number outside."""
    async with asyncio.timeout(10):
        while True:
            page = await (await client.get("/")).text()
            if f'class="card card-{state}" id="card-{call}"' in page and "+7 916 555-01-77" in page:
                return
            await asyncio.sleep(0.02)
