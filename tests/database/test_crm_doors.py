"""Connections are made with a person's consent, and what CRMs tell us is verified, kept and acted on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from yarl import URL

from calls.forgetting import Person
from calls.record import record
from crm_sync import connections, kinds, people
from crm_sync import heard as heard_of
from crm_sync.connections import Connection
from crm_sync.crm import (
    Candidate,
    Crm,
    CrmUser,
    Done,
    Effect,
    Heard,
    Inbound,
)
from crm_sync.erasing import mask_mentions
from crm_sync.errors import CrmError, NoRoomError, RateLimitedError
from crm_sync.grants import Grant, keep_grant
from crm_sync.heard import HeardJobs, remote_of, store
from crm_sync.ledger.sending import SendingJobs
from crm_sync.secrets import Keeper
from recordings.audit import Actor
from routing import look_up
from routing.owner import Copy
from service.crm import ledger as crms
from service.crm import setup as crm_setup
from service.crm.connecting import Connecting
from service.crm.doors import Doors, acts
from service.crm.owners import ConnectionOwners, open_crm
from service.crm.setup import Wanted
from service.crm.workplaces import Adapters, workplace
from service.faults import UserFault
from service.settings import Settings
from service.wiring import House
from tests.fakes import pretended
from tests.fakes.ledger import OWES, SECRET_KEY
from tests.fakes.recorded import LINE, T0, outgoing_call, settled_call
from tests.fakes.site import Site, open_site

NUMBER = "79161234567"


@pytest.fixture(autouse=True)
def kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pretended CRM is one line of wiring."""
    monkeypatch.setitem(kinds.KINDS, "pretended", pretended.KIND)


@pytest.fixture
def settings(database_url: str) -> Settings:
    told: Any = {
        "database_url": database_url,
        "secret_key": SECRET_KEY,
        "web": {"public_url": "https://calls.example.com"},
        "crm": {"owner_from": "site", "budget_seconds": 1},
    }
    return Settings(**told)


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path, settings: Settings) -> AsyncIterator[Site]:
    doors = Doors(settings, engine)
    async with open_site(engine, tmp_path, crm=doors) as opened:
        yield opened
    await doors.close()


async def connect(engine: AsyncEngine, state: connections.State = "active") -> None:
    """The connection `site`, which was let in."""
    keeper = Keeper(SECRET_KEY)
    async with engine.begin() as connection:
        sealed = keeper.seal("site", {"client_secret": "s"})
        await connections.add(connection, "site", "pretended", {"portal": "crm.example.com"}, sealed, (), state)
        await keep_grant(connection, keeper, "site", Grant(pretended.CODE, "refresh"))


async def rows(engine: AsyncEngine, sql: str) -> list[tuple[Any, ...]]:
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text(sql))]


def wanted(**more: Any) -> Wanted:
    told = {"kind": "pretended", "key": "site", "settings": {"portal": "crm.example.com", "number": "7"}}
    return Wanted(**{**told, "secrets": {"client_secret": "a-secret-of-tests"}, **more})


async def test_a_crm_is_connected_when_a_person_agreed(settings: Settings, engine: AsyncEngine, site: Site) -> None:
    """The guide and the address are shown, the web role takes what comes back once, and what is missing is told."""
    said: list[str] = []
    shown = asyncio.Event()

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("https://crm.example.com/agree"):
            shown.set()

    adding = asyncio.create_task(crm_setup.add(settings, wanted(), say))
    async with asyncio.timeout(20), site.visitor() as stranger:
        await shown.wait()
        asked = URL(said[-1])
        assert asked.query["back"] == "https://calls.example.com/crm/site/oauth"
        for query in ({"code": pretended.CODE}, {"code": pretended.CODE, "state": "x"}):
            assert (await stranger.get("/crm/site/oauth", params=query)).status == 403
        back = {"code": pretended.CODE, "state": asked.query["state"]}
        twice = await asyncio.gather(*(stranger.get("/crm/site/oauth", params=back) for _ in range(2)))
        assert sorted(answer.status for answer in twice) == [200, 403]
        assert (await stranger.get("/crm/site/oauth", params=back)).status == 403
        await adding
    granted = "select actor, subject, details from audit where action = 'crm_granted'"
    assert await rows(engine, granted) == [("command line", "crm site", {"host": "crm.example.com"})]
    assert said[0] == "Make an application there, with https://calls.example.com/crm/site/oauth."
    assert said[-4:] == [
        "missing: the right to delete. Give it that right.",
        "2 users there, 1 of them known here",
        "not known there: boris, vera, gleb; `switchhook crm pair site USER PERSON` says who is who",
        "what happens there is heard at https://calls.example.com/crm/site/events",
    ]
    kept = {"portal": "crm.example.com", "number": 7, "stages": {}}
    assert await rows(engine, "select state, settings from crm_connections") == [("active", kept)]
    assert b"a-secret-of-tests" not in (await rows(engine, "select secrets from crm_connections"))[0][0]
    await crm_setup.pair(settings, "site", "7", "boris")
    told, words = await crm_setup.list_users(settings, "site")
    assert [(one["user"], one["person"]) for one in told] == [("1", "anna"), ("7", "boris")]
    assert words.splitlines()[-1] == "gleb: nobody there"
    async with engine.begin() as connection:
        await people.keep_users(connection, "site", [CrmUser("9", "a\x1b[2J\nb", None)])
    assert "\n9: a [2J b, no extension, " in "\n" + (await crm_setup.list_users(settings, "site"))[1]
    assert "a-secret-of-tests" not in repr(wanted())
    with pytest.raises(UserFault, match="PERSON"):
        await crm_setup.pair(settings, "site", "7", "nobody")


async def test_who_comes_back_to_the_page_goes_on_there(settings: Settings, engine: AsyncEngine, site: Site) -> None:
    """With why it did not work, or let in by whoever asked, and met at once; a return is good once, come what may."""
    connecting = Connecting(settings, engine)
    await connecting.add(wanted(), Actor(login="ilya"))
    async with site.visitor() as stranger:
        for code, error, granted in (("other", "auth_dead: invalid_grant", []), (pretended.CODE, None, [("ilya",)])):
            address = await connecting.ask_consent("site", Actor(login="ilya"), on_page=True)
            state = URL(address).query["state"]
            back = {"code": code, "state": state}
            answer = await stranger.get("/crm/site/oauth", params=back, allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (303, "/crm/site/setup#check")
            assert await rows(engine, "select probe_error from crm_connections") == [(error,)]
            assert await rows(engine, "select actor from audit where action = 'crm_granted'") == granted
            once_more = {"code": pretended.CODE, "state": state}
            assert (await stranger.get("/crm/site/oauth", params=once_more)).status == 403
        elsewhere = {"state": URL(await connecting.ask_consent("site", Actor(login="ilya"))).query["state"]}
        statuses = [(await stranger.get("/crm/site/oauth", params=elsewhere)).status for _ in range(2)]
        assert statuses == [502, 403]
    assert await rows(engine, "select missing from crm_connections") == [(["the right to delete"],)]


async def test_what_does_not_let_us_in_is_not_kept(
    settings: Settings, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what names a setting that is wrong; the message says which."""
    with pytest.raises(UserFault, match="--number: must be a number, got 'many'"):
        await crm_setup.add(settings, wanted(settings={"portal": "x", "number": "many"}), print)
    odoo = {"kind": "odoo", "settings": {"address": "https://odoo.example"}, "secrets": {"key": ""}}
    with pytest.raises(UserFault, match="key: is required"):
        await crm_setup.add(settings, wanted(**odoo, probe=False), print)
    monkeypatch.setattr(crm_setup, "CONSENT_SECONDS", 0.0)
    with pytest.raises(UserFault, match="nobody agreed"):
        await crm_setup.add(settings, wanted(), lambda _line: None)
    assert await rows(engine, "select key from crm_connections") == []
    with pytest.raises(UserFault, match=r"web\.public_url"):
        await crm_setup.add(settings.model_copy(update={"web": type(settings.web)()}), wanted(), lambda _line: None)
    await crm_setup.add(settings, wanted(probe=False, shadow=True), print)
    assert await rows(engine, "select state from crm_connections") == [("shadow",)]


async def tell(site: Site, *told: dict[str, Any], token: str = pretended.TOKEN, key: str = "site") -> int:
    async with site.visitor() as stranger:
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = await stranger.post(f"/crm/{key}/events", params={"token": token}, json=list(told), headers=headers)
        return answer.status


async def test_a_slash_that_is_no_slash_opens_no_door(site: Site) -> None:
    """`%2F` is routed to a page of admins, as is `new`: it asks for a login, and takes nothing from another site."""
    async with site.visitor() as stranger:
        page = URL(f"{site.url}/crm/site%2Foauth", encoded=True)
        assert (await stranger.get(page, allow_redirects=False)).status == 303
        for path in ("site%2Fevents", "new/events"):
            page = URL(f"{site.url}/crm/{path}", encoded=True)
            assert (await stranger.post(page, headers={"Sec-Fetch-Site": "cross-site"})).status == 403


CLICK = {"kind": "originate", "told": {"number": NUMBER, "user": "1", "remote_id": "externalCall.1"}}


async def test_only_what_is_theirs_is_heard(engine: AsyncEngine, site: Site) -> None:
    """A stranger, an unknown connection and a stopped one get an error, and nothing is stored."""
    assert await tell(site, CLICK) == 404
    await connect(engine)
    assert await tell(site, CLICK, token="x") == 403
    async with engine.begin() as connection:
        await connections.stop(connection, "site")
    assert await tell(site, CLICK) == 404
    assert await rows(engine, "select id from crm_heard") == []


async def test_a_click_there_calls_here_once(engine: AsyncEngine, site: Site, settings: Settings) -> None:
    """It is stored with its job when it is answered; twice within seconds is once; nothing of it stays but the call."""
    await connect(engine)
    assert [await tell(site, CLICK), await tell(site, CLICK)] == [200, 200]
    ((heard,),) = await rows(engine, "select id from crm_heard")
    assert await rows(engine, "select args->>'heard' from procrastinate_jobs where task_name = 'crm_sync.act_on_heard'")
    await crm_setup.check(settings, "site", lambda _line: None)
    jobs = HeardJobs(engine=engine, acts=acts(settings, engine))
    for attempt in range(2):
        await jobs.act_on_heard(heard, attempt)
    ((wish, person, number, asked_by),) = await rows(engine, "select id, person, number, asked_by from outgoing_calls")
    assert (person, number, asked_by) == ("anna", NUMBER, "crm site anna")
    assert await rows(engine, "select told, wish from crm_heard") == [(None, wish)]
    async with engine.connect() as connection:
        assert await remote_of(connection, "site", wish) == "externalCall.1"


async def test_a_click_that_comes_late_or_in_shadow_rings_nobody(
    engine: AsyncEngine, site: Site, settings: Settings
) -> None:
    """Who clicked minutes ago would not understand; a connection in shadow does nothing at all."""
    await connect(engine)
    await crm_setup.check(settings, "site", lambda _line: None)
    await tell(site, CLICK)
    async with engine.begin() as connection:
        await connection.execute(text("update crm_heard set heard_at = heard_at - interval '10 minutes'"))
        await connections.start(connection, "site", shadow=True)
    ((heard,),) = await rows(engine, "select id from crm_heard")
    await HeardJobs(engine=engine, acts=acts(settings, engine)).act_on_heard(heard, 0)
    assert await tell(site, CLICK) == 200
    assert await rows(engine, "select id from outgoing_calls") == []
    assert await rows(engine, "select told from crm_heard") == [(None,)]


async def test_a_new_owner_there_is_known_to_routing_at_once(
    engine: AsyncEngine, site: Site, settings: Settings
) -> None:
    """Told with the event, or asked for after it; a caller asks through the same connection.

    Of whoever never called nothing is written: nor does it bring back who was erased.
    """
    await connect(engine)
    await crm_setup.check(settings, "site", lambda _line: None)
    async with engine.begin() as connection:
        for number in (NUMBER, "79161234568"):
            await look_up.keep(connection, number, Copy(None, T0))
    await crm_setup.pair(settings, "site", "7", "boris")
    told = {"kind": "owner_changed", "told": {"number": NUMBER, "owner": "7"}}
    other = {"kind": "contact_changed", "told": {"number": "79161234568"}}
    others = [
        {"kind": "owner_changed", "told": {"number": "79161234560", "owner": "7"}},
        {"kind": "contact_changed", "told": {"number": "79161234561"}},
    ]
    assert await tell(site, told, other, *others, {"kind": "lead_changed", "told": {"remote_id": "5"}}) == 200
    jobs = HeardJobs(engine=engine, acts=acts(settings, engine))
    for (heard,) in await rows(engine, "select id from crm_heard"):
        await jobs.act_on_heard(heard, 0)
    async with engine.connect() as connection:
        copies = await look_up.read(connection)
    assert {number: copy.owner for number, copy in copies.items()} == {NUMBER: "boris", "79161234568": "anna"}
    async with open_crm(House(settings, "", engine)) as crm:
        assert crm is not None
        told_of = await crm.owner("79161234569", 5.0)
    assert (told_of.fault, told_of.copy and told_of.copy.owner, told_of.crm) == (None, "anna", "Pretended CRM")


@pytest.mark.parametrize(
    "error, may, told",
    [
        (RateLimitedError("slow down", retry_after=300), False, 300),
        (RateLimitedError("slow down"), False, 30),
        (RateLimitedError("that method", retry_after=300, scope="method"), True, None),
        (NoRoomError("as much was sent as may be", retry_after=300), True, None),
    ],
)
async def test_a_crm_that_is_asked_too_much_is_asked_nothing_for_as_long_as_it_says(
    engine: AsyncEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch, error: CrmError, may: bool, told: int
) -> None:
    """By no process and by no other connection to its account; what happens is told it all the same."""
    await connect(engine)
    async with engine.begin() as connection:
        place = {"portal": "https://crm.example.com/"}
        await connections.add(
            connection, "other", "pretended", place, Keeper(SECRET_KEY).seal("other", {}), (), "active"
        )
    asked: list[str] = []

    async def refuses(self: pretended.Pretended, number: str, deadline: float) -> Sequence[Candidate]:
        asked.append(number)
        raise error

    monkeypatch.setattr(pretended.Pretended, "find_party", refuses)
    owners, others = ConnectionOwners(settings, engine), Adapters(settings, engine)
    for _ in range(2):
        with pytest.raises(CrmError):
            await owners(NUMBER)
    assert len(asked) == (2 if may else 1)
    assert [await others.asked(key) is not None for key in ("site", "other")] == [may, may]
    until = "select round(extract(epoch from quiet_until - clock_timestamp()) / 10) * 10, state, paused_until"
    assert await rows(engine, f"{until} from crm_connections where key = 'site'") == [(told, "active", None)]
    await owners.close()
    await others.close()
    async with engine.begin() as connection:
        await connections.start(connection, "site")
        to = await connections.read(connection, "site")
    assert to is not None
    assert to.may_be_asked(datetime.now(UTC))


async def test_a_job_that_is_done_closes_nothing_that_another_asks_through(
    engine: AsyncEngine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several changes are looked up beside each other."""
    await connect(engine)
    closed: list[object] = []
    was_closed: list[bool] = []
    asked, goes_on = asyncio.Event(), asyncio.Event()

    class Slow(pretended.Pretended):
        """Answers about one number when it may."""

        async def find_party(self, number: str, deadline: float) -> Sequence[Candidate]:
            if number == NUMBER:
                asked.set()
                await goes_on.wait()
            was_closed.append(self in closed)
            return await super().find_party(number, deadline)

        async def close(self) -> None:
            closed.append(self)
            await super().close()

    monkeypatch.setitem(kinds.KINDS, "pretended", replace(pretended.KIND, open=Slow))
    other = "79161234568"
    async with engine.begin() as connection:
        for number in (NUMBER, other):
            await look_up.keep(connection, number, Copy(None, T0))
    looks = acts(settings, engine).look_again
    async with asyncio.timeout(20):
        slow = asyncio.ensure_future(looks("site", {"number": NUMBER}))
        await asked.wait()
        await looks("site", {"number": other})
        goes_on.set()
        await slow
    assert was_closed == [False, False]


async def test_a_call_that_was_asked_for_there_is_known_there_before_it_rings(
    engine: AsyncEngine, site: Site, settings: Settings
) -> None:
    """What is told of it names the call as the CRM does, which has registered it; of other calls it names none."""
    await connect(engine)
    await crm_setup.check(settings, "site", lambda _line: None)
    await tell(site, CLICK)
    ((heard,),) = await rows(engine, "select id from crm_heard")
    await HeardJobs(engine=engine, acts=acts(settings, engine)).act_on_heard(heard, 0)
    ((wish,),) = await rows(engine, "select id from outgoing_calls")
    seen: list[dict[str, str]] = []

    class Seeing(pretended.Pretended):
        async def _told(self, effect: Effect, _subject: object) -> Done:
            seen.append(dict(effect.remote))
            return Done("there")

        call_finished = _told

    def opened(to: Connection) -> Crm:
        return Seeing(workplace(settings, engine, to, {}))

    async with engine.begin() as connection:
        await connection.execute(text("update crm_connections set steps = '{call_finished}', since = '2020-01-01'"))
        changes = await record(connection, [*outgoing_call("1.1"), *settled_call("2.1")], OWES)
        asked = {"name": "1.1", "wish": wish}
        sql = "update outgoing_calls set pbx = 'pbx', channel = :name, state = 'connected' where id = :wish"
        await connection.execute(text(sql), asked)
    jobs = SendingJobs(engine=engine, rooms=crms.rooms(settings), open_crm=opened)
    for (key,) in await rows(engine, "select key from crm_effects order by number"):
        await jobs.send_effect(key, 0)
    await jobs.close()
    assert len(changes) == 2
    assert seen == [{"call_started": "externalCall.1"}, {}]


async def test_an_erased_person_is_not_in_what_crms_told_us(engine: AsyncEngine, site: Site) -> None:
    """Also what was not acted on yet: nobody is called then."""
    await connect(engine)
    await tell(site, CLICK)
    person = Person(frozenset({NUMBER[1:]}), frozenset(), "•••")
    async with engine.begin() as connection:
        await mask_mentions(connection, NUMBER[1:], person)
    assert NUMBER not in str(await rows(engine, "select told from crm_heard"))


async def test_a_form_that_asks_for_a_call_is_a_task_that_nobody_forgets(
    engine: AsyncEngine, site: Site, settings: Settings
) -> None:
    """Of the line's head while the client is nobody's, of the owner else, who is rung at once; told twice it is one."""
    await connect(engine)
    form = {"kind": "call_back", "told": {"number": NUMBER, "line": LINE, "text": "about a price"}}
    assert await tell(site, form) == 200
    jobs = HeardJobs(engine=engine, acts=acts(settings, engine))
    ((first,),) = await rows(engine, "select id from crm_heard")
    for attempt in range(2):
        await jobs.act_on_heard(first, attempt)
    told = f"Перезвонить {NUMBER}: попросили в форме CRM. about a price"
    assert await rows(engine, "select text, assignee, due_at > made_at from tasks") == [(told, "vera", True)]
    assert await rows(engine, "select stage, owner, source_line from leads") == [("new", None, LINE)]
    assert await rows(engine, "select id from outgoing_calls") == []
    async with engine.begin() as connection:
        await connection.execute(text("update leads set owner = 'anna'"))
    assert await tell(site, form) == 200
    ((second,),) = await rows(engine, "select id from crm_heard where told is not null")
    await jobs.act_on_heard(second, 0)
    assert await rows(engine, "select assignee from tasks order by id") == [("vera",), ("anna",)]
    assert await rows(engine, "select person, number from outgoing_calls") == [("anna", NUMBER)]
    colleague = {"kind": "call_back", "told": {"number": "79160000011"}}
    assert await tell(site, colleague) == 200
    ((third,),) = await rows(engine, "select id from crm_heard where told is not null")
    await jobs.act_on_heard(third, 0)
    assert await rows(engine, "select count(*) from tasks") == [(2,)]


async def test_a_flood_of_changes_holds_up_nothing_else(
    engine: AsyncEngine, site: Site, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is asked about once however often it is told, after all else; one request is cut; a click goes before.

    While very much waits no more is stored, of that kind.
    """
    await connect(engine)
    changes = [{"kind": "contact_changed", "told": {"number": f"7916{one:07}"}} for one in range(150)]
    assert [await tell(site, *changes * 8), await tell(site, *changes, CLICK)] == [200, 200]
    jobs = "select priority, count(*) from procrastinate_jobs where queue_name = 'crm' group by 1 order by 1"
    assert await rows(engine, jobs) == [(-1, 150), (1, 1)]
    assert await rows(engine, "select count(*) from crm_heard") == [(151,)]
    others = settings.model_copy(update={"crm": settings.crm.model_copy(update={"owner_from": "other"})})
    doors = Doors(others, engine)
    more = [{"kind": "contact_changed", "told": {"number": "79169999999"}}]
    await doors.heard("site", Inbound({}, json.dumps(more).encode(), {"token": pretended.TOKEN}))
    await doors.close()
    assert await rows(engine, "select count(*) from crm_heard") == [(151,)]
    monkeypatch.setattr(heard_of, "WAITING_MOST", 160)
    for batch in range(2):
        waiting = [{"kind": "contact_changed", "told": {"remote_id": f"{batch}-{one}"}} for one in range(100)]
        click = {**CLICK, "told": {**CLICK["told"], "remote_id": f"call {batch}"}}  # type: ignore[dict-item]
        assert await tell(site, *waiting, click) == 200
    assert await rows(engine, jobs) == [(-1, 160), (1, 3)]


async def test_a_pass_that_is_good_once_is_good_once(engine: AsyncEngine) -> None:
    """A click whose pass comes again is none, also after the seconds of a double click."""
    await connect(engine)
    click = Heard("originate", {"number": NUMBER, "user": "1", "remote_id": "one"}, is_once=True)
    async with engine.begin() as connection:
        assert await store(connection, "site", [click]) == 1
        await connection.execute(text("update crm_heard set told = null, heard_at = heard_at - interval '1 hour'"))
        assert await store(connection, "site", [click, replace(click, told={**click.told, "remote_id": "two"})]) == 1


async def test_a_copy_that_nobody_renewed_is_forgotten(engine: AsyncEngine) -> None:
    """After its days; a younger one stays."""
    now = datetime.now(UTC)
    async with engine.begin() as connection:
        for number, days in ((NUMBER, look_up.DAYS + 1), ("79161234568", look_up.DAYS - 1)):
            await look_up.keep(connection, number, Copy("anna", now - timedelta(days=days)))
        assert await look_up.forget(connection) == 1
        assert list(await look_up.read(connection)) == ["79161234568"]


@pytest.mark.parametrize("secret", ["1", "x" * 23])
async def test_a_door_is_not_opened_by_a_secret_that_can_be_guessed(settings: Settings, secret: str) -> None:
    """What an address has to hold is 24 characters at least, whenever it is told."""
    secrets = {"token": "t", "inbound": secret}
    given = wanted(kind="amocrm", settings={"account": "https://x.amocrm.ru"}, secrets=secrets)
    with pytest.raises(UserFault, match=f"inbound: must have at least 24 characters, got {len(secret)}"):
        await crm_setup.add(settings, given, print)
    await crm_setup.add(settings, replace(given, secrets={"token": "t"}, probe=False), print)
    with pytest.raises(UserFault, match="inbound"):
        await crm_setup.renew(settings, "site", secrets, print)


@pytest.mark.parametrize("name", ["portal", "webhook"])
async def test_nothing_is_told_in_clear_outside_the_house(settings: Settings, name: str) -> None:
    """An address without TLS, in a setting or a secret, is refused unless `crm.networks` names where it leads."""
    told = {"portal": "https://x.example.com", "webhook": "https://x.example.com/rest/1/x/"} | {
        name: "http://127.0.0.1/"
    }
    secrets = {"webhook": told["webhook"]}
    given = wanted(kind="bitrix24", settings={"portal": told["portal"], "user": "1"}, secrets=secrets, probe=False)
    with pytest.raises(UserFault, match=f"{name}: must begin with https://"):
        await crm_setup.add(settings, given, print)
    inside = settings.model_copy(update={"crm": type(settings.crm)(networks=["127.0.0.0/8"])})
    await crm_setup.add(inside, given, print)
    with pytest.raises(UserFault, match="webhook: must be http"):
        await crm_setup.renew(inside, "site", {"webhook": "HTTP://["}, print)
