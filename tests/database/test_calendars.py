"""Feeds of calendars: fetched, kept when they fail, never trusted, and what routing makes of them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.event import listen
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from directory import calendars, presence_store, store, tables
from directory.calendars import AHEAD, FeedState, refresh, states
from directory.feed import FAILURES, FeedError, Fetched, Limits, fetch
from directory.ics import IcsError
from directory.ics_process import read_apart
from directory.presence import CalendarCopy, presence_at
from tests.fakes.calendars import FeedServer, calendar, event, feed_server
from tests.fakes.directories import OFFICE

HERE = Limits(networks=(ip_network("127.0.0.0/8"),), bytes_most=100_000, seconds_most=2.0)
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR = timedelta(hours=1)
SOON = timedelta(0)


def ics(at: datetime) -> str:
    return f"{at:%Y%m%dT%H%M%SZ}"


def meeting(since: datetime, until: datetime, *lines: str) -> bytes:
    return calendar(event(f"DTSTART:{ics(since)}", f"DTEND:{ics(until)}", *lines))


@pytest.fixture
async def server() -> AsyncIterator[FeedServer]:
    async with feed_server(meeting(NOW - HOUR, NOW + HOUR)) as running:
        yield running


async def furnish(engine: AsyncEngine, **addresses: str) -> None:
    people = tuple(replace(person, calendar=addresses.get(person.key)) for person in OFFICE.people)
    async with engine.begin() as connection:
        await store.apply(connection, replace(OFFICE, people=people))


async def copies(engine: AsyncEngine) -> dict[str, CalendarCopy]:
    async with engine.connect() as connection:
        return dict((await presence_store.read(connection)).calendars)


async def state(engine: AsyncEngine, person: str = "anna") -> FeedState:
    async with engine.connect() as connection:
        return next(it for it in await states(connection) if it.person == person)


async def again(engine: AsyncEngine, limits: Limits = HERE) -> None:
    """Try every feed as if its time had come."""
    async with engine.begin() as connection:
        await connection.execute(update(tables.calendars).values(tried_at=NOW - HOUR))
    await refresh(engine, limits, 300)


async def test_a_meeting_of_the_feed_makes_its_person_busy_until_its_end(
    engine: AsyncEngine, server: FeedServer
) -> None:
    await furnish(engine, anna=server.address())
    assert await refresh(engine, HERE, 300) == 1
    async with engine.connect() as connection:
        book, directory = await presence_store.read(connection), await store.read(connection)
    anna = directory.person("anna")
    assert anna is not None
    assert presence_at(anna, directory, book, NOW).calendar_until == NOW + HOUR
    assert (await state(engine)).failure is None


async def test_a_feed_is_tried_once_in_its_time_by_whoever_comes_first(engine: AsyncEngine, server: FeedServer) -> None:
    await furnish(engine, anna=server.address())
    tried = await asyncio.gather(*(refresh(engine, HERE, 300) for _ in range(4)))
    assert sum(tried) == len(server.hits) == 1
    assert await refresh(engine, HERE, 300) == 0


async def test_an_unchanged_feed_is_not_sent_again_and_is_fresh_all_the_same(
    engine: AsyncEngine, server: FeedServer
) -> None:
    await furnish(engine, anna=server.address())
    await refresh(engine, HERE, 300)
    first = (await copies(engine))["anna"]
    await again(engine)
    second = (await copies(engine))["anna"]
    assert server.conditions == [None, '"1"']
    assert second.times == first.times
    assert second.fetched_at > first.fetched_at


@pytest.mark.parametrize(
    "path, status, failure",
    [
        ("/secret/basic.ics", 403, "forbidden"),
        ("/secret/basic.ics", 401, "forbidden"),
        ("/secret/basic.ics", 410, "gone"),
        ("/secret/basic.ics", 429, "later"),
        ("/secret/basic.ics", 503, "server_error"),
        ("/secret/basic.ics", 418, "refused"),
    ],
)
async def test_a_feed_that_fails_leaves_its_last_good_copy_and_says_why(
    engine: AsyncEngine, server: FeedServer, path: str, status: int, failure: str
) -> None:
    await furnish(engine, anna=server.address(path))
    await refresh(engine, HERE, 300)
    before = await copies(engine)
    server.status = status
    await again(engine)
    assert await copies(engine) == before
    assert (await state(engine)).failure == failure
    server.status, server.etag = 200, '"2"'
    await again(engine)
    assert (await state(engine)).failure is None


async def test_what_is_no_calendar_any_more_leaves_the_copy_too(engine: AsyncEngine, server: FeedServer) -> None:
    """As the page to log in that a feed turns into."""
    await furnish(engine, anna=server.address())
    await refresh(engine, HERE, 300)
    before = await copies(engine)
    server.body, server.etag = b"<!doctype html><title>Log in</title>", '"2"'
    await again(engine)
    assert (await copies(engine), (await state(engine)).failure) == (before, "not_a_calendar")


async def test_a_copy_that_nobody_can_renew_still_tells_of_its_series(engine: AsyncEngine, server: FeedServer) -> None:
    """The times that were worked out are used up; the copy's weekly meeting goes on."""
    server.body = meeting(NOW - HOUR, NOW + HOUR, "RRULE:FREQ=DAILY")
    await furnish(engine, anna=server.address())
    await refresh(engine, HERE, 300)
    async with engine.begin() as connection:
        await connection.execute(update(tables.calendars).values(blocks=[], blocks_until=NOW))
    server.status = 503
    await again(engine)
    assert len((await copies(engine))["anna"].times) >= AHEAD.days
    assert (await state(engine)).failure == "server_error"


async def test_another_address_forgets_the_copy_of_the_one_before(engine: AsyncEngine, server: FeedServer) -> None:
    await furnish(engine, anna=server.address())
    await refresh(engine, HERE, 300)
    await furnish(engine, anna=server.address("/nothing"))
    assert await copies(engine) == {}
    await refresh(engine, HERE, 300)
    assert (await copies(engine), (await state(engine)).failure) == ({}, "gone")
    await furnish(engine)
    await refresh(engine, HERE, 300)
    async with engine.connect() as connection:
        assert (await connection.execute(select(tables.calendars))).all() == []


async def test_one_broken_event_is_told_and_the_others_count(engine: AsyncEngine, server: FeedServer) -> None:
    good = event(f"DTSTART:{ics(NOW)}", f"DTEND:{ics(NOW + HOUR)}")
    server.body = calendar(event("DTSTART:yesterday", uid="bad"), good)
    await furnish(engine, anna=server.address())
    await refresh(engine, HERE, 300)
    await again(engine)
    assert (await state(engine)).failure == "partly_read"
    assert len((await copies(engine))["anna"].times) == 1


@pytest.mark.parametrize(
    "path, failure",
    [
        ("/compressed", "compressed"),
        ("/endless", "too_large"),
        ("/slow", "too_slow"),
        ("/round", "redirected"),
        ("/elsewhere?to=file:///etc/passwd", "redirected"),
        ("/elsewhere?to=http://", "redirected"),
        ("/elsewhere?to=http://10.0.0.1/", "address_refused"),
        ("/elsewhere?to=http://[::ffff:10.0.0.1]/", "address_refused"),
        ("/elsewhere?to=http://169.254.169.254/latest/meta-data/", "address_refused"),
        ("/nothing", "gone"),
    ],
)
async def test_a_hostile_server_costs_a_bounded_try_and_is_told_by_its_kind(
    server: FeedServer, path: str, failure: str
) -> None:
    with pytest.raises(FeedError, match=f"^{failure}$"):
        await fetch(server.address(path), HERE)
    assert failure in FAILURES


async def test_a_redirect_within_the_rules_is_followed(server: FeedServer) -> None:
    fetched = await fetch(server.address("/moved"), HERE)
    assert fetched.body == server.body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::1]", "0.0.0.0"])
async def test_no_address_inside_is_asked_unless_the_settings_name_its_network(server: FeedServer, host: str) -> None:
    """Whatever way the address is written, and whatever a name leads to."""
    with pytest.raises(FeedError, match=r"address_refused|unreachable"):
        await fetch(f"http://{host}:{server.port}/secret/basic.ics", Limits(seconds_most=2.0))
    assert server.hits == []


@pytest.mark.parametrize(
    "host",
    [
        "[fec0::1]",
        "[2002:7f00:1::1]",
        "[2001:0:7f00:1::1]",
        "[::127.0.0.1]",
        "[64:ff9b::10.0.0.1]",
        "[64:ff9b:1::8.8.8.8]",
        "127.1",
        "2130706433",
        "0x7f.1",
        "127.0.0.0x1.",
    ],
)
async def test_no_address_hidden_in_another_one_or_in_a_number_is_asked(host: str) -> None:
    """Such are told before any connection or resolver is tried."""
    with pytest.raises(FeedError, match="address_refused"):
        await fetch(f"http://{host}/secret/basic.ics", Limits(seconds_most=2.0))


async def test_what_nobody_foresaw_is_one_feeds_failure_and_not_the_others(
    engine: AsyncEngine, server: FeedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the libraries raise."""
    await furnish(engine, anna=server.address("/broken"), boris=server.address())

    async def broken(address: str, *rest: Any) -> Fetched:
        if address.endswith("/broken"):
            raise RuntimeError("of a library")
        return await fetch(address, *rest)

    monkeypatch.setattr(calendars, "fetch", broken)
    await refresh(engine, HERE, 300)
    async with engine.connect() as connection:
        told = {one.person: one.failure for one in await states(connection)}
    assert told == {"anna": "failed", "boris": None}
    assert "failed" in FAILURES


async def test_how_feeds_stand_is_told_without_reading_their_bodies(engine: AsyncEngine, server: FeedServer) -> None:
    """Each may be megabytes, and doctor and metrics ask for all of them."""
    await furnish(engine, anna=server.address())
    await refresh(engine, HERE, 300)
    asked: list[str] = []
    listen(engine.sync_engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    async with engine.connect() as connection:
        assert len(await states(connection)) == 1
    assert not any("calendars.body" in statement for statement in asked)


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with pytest.raises(FeedError, match="unreachable"):
        await fetch("http://127.0.0.1:1/secret/basic.ics", HERE)


async def test_a_name_and_a_password_in_the_address_go_to_its_server_alone(server: FeedServer) -> None:
    """And an address with them works, as those of a server of one's own often are."""
    address = server.address().replace("http://", "http://anna:pass@")
    assert (await fetch(address, HERE)).body == server.body


BOMBS = {
    "every second": event("DTSTART:20200101T000000Z", "RRULE:FREQ=SECONDLY"),
    "every second by parts": event(
        "DTSTART:20200101T000000Z",
        "DURATION:PT1S",
        "RRULE:FREQ=DAILY;BYHOUR={h};BYMINUTE={s};BYSECOND={s}".format(
            h=",".join(map(str, range(24))), s=",".join(map(str, range(60)))
        ),
    ),
    "never": event("DTSTART:20200101T000000Z", "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"),
}


@pytest.mark.parametrize("name", BOMBS)
async def test_a_rule_that_never_ends_costs_bounded_time_and_memory(name: str) -> None:
    """It is refused, or ended from outside; whoever is fetched beside it does not wait."""
    body = calendar(BOMBS[name], event(f"DTSTART:{ics(NOW)}", "DURATION:PT1H", uid="good"))
    try:
        found = await read_apart(body, "UTC", NOW - HOUR, NOW + HOUR, cpu_seconds=2)
    except IcsError as error:
        assert str(error) in {"too_many_times", "too_slow"}  # noqa: PT017  # either is right
    else:
        assert len(found.times) == 1


async def test_a_calendar_is_read_apart_as_it_is_read_here() -> None:
    body = meeting(NOW, NOW + HOUR, "X-MICROSOFT-CDO-BUSYSTATUS:OOF")
    (found,) = (await read_apart(body, "UTC", NOW - HOUR, NOW + HOUR)).times
    assert (found.starts_at, found.ends_at, found.away) == (NOW, NOW + HOUR, True)


async def test_the_address_is_in_no_log_line_no_difference_and_no_printed_person(
    engine: AsyncEngine, server: FeedServer
) -> None:
    """Nor in an error: whoever knows the address reads the calendar."""
    server.status = 403
    address = server.address("/secret/basic.ics")
    people = tuple(replace(person, calendar=address) for person in OFFICE.people[:1]) + OFFICE.people[1:]
    with capture_logs() as lines:
        async with engine.begin() as connection:
            told = await store.apply(connection, replace(OFFICE, people=people))
        await refresh(engine, HERE, 300)
    assert lines
    said = f"{lines} {told} {people}"
    assert "secret" not in said
    assert re.search(r"calendar 127\.0\.0\.1 \([0-9a-f]{8}\)", str(told))


async def test_who_is_told_of_a_change_hears_of_the_person(engine: AsyncEngine, server: FeedServer) -> None:
    await furnish(engine, anna=server.address())
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with engine.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.add_listener(presence_store.CHANNEL, lambda *told: heard.put_nowait(told[-1]))
        await refresh(engine, HERE, 300)
        async with asyncio.timeout(30):
            assert await heard.get() == "anna"
        await connection.execute(text("select 1"))
