"""The card of a call is on the screens of whom it rings, for as long as it does, and never late."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.record import record
from crm_sync import connections, kinds, people
from crm_sync.crm import Crm, CrmUser
from crm_sync.errors import RateLimitedError, TransientError
from crm_sync.grants import Grant, keep_grant
from crm_sync.secrets import Keeper
from crm_sync.workplace import Workplace
from service.crm.cards import CardShows
from service.settings import Settings
from tests.fakes import pretended
from tests.fakes.ledger import OWES, SECRET_KEY
from tests.fakes.office import until
from tests.fakes.story import HOUSE, LINE, furnish

REMOTE = "externalCall.1"
Happen = Callable[..., Any]


@pytest.fixture
async def cards(engine: AsyncEngine, database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[CardShows]:
    """Whoever shows cards, with the connection `site`, where Anna is 1 and Boris 2."""
    monkeypatch.setitem(kinds.KINDS, "pretended", pretended.KIND)
    monkeypatch.setattr(pretended.Pretended, "cards", [])
    await furnish(engine)
    keeper = Keeper(SECRET_KEY)
    async with engine.begin() as connection:
        sealed, settings = keeper.seal("site", {}), {"portal": "x"}
        await connections.add(connection, "site", "pretended", settings, sealed, ["call_started"], "active")
        await keep_grant(connection, keeper, "site", Grant(pretended.CODE))
        await people.keep_users(connection, "site", [CrmUser("1", "Анна", "101"), CrmUser("2", "Борис", "102")])
    told: Any = {"database_url": database_url, "secret_key": SECRET_KEY}
    shows = CardShows(Settings(**told), engine, lambda: HOUSE)
    yield shows
    await shows.aclose()


async def happen(
    engine: AsyncEngine, cards: CardShows, *told: tuple[type[e.Event], str, dict[str, Any]], at: datetime | None = None
) -> None:
    """Record these events of the call 1.1, and tell who shows cards."""
    now = at or datetime.now(UTC)
    events = [kind(pbx="pbx", channel=channel, linkedid="1.1", at=now, **more) for kind, channel, more in told]
    async with engine.begin() as connection:
        (change,) = await record(connection, events, OWES)
    cards.note(change)


def rings(channel: str, device: str) -> Sequence[tuple[type[e.Event], str, dict[str, Any]]]:
    """A device rings for the call."""
    name = f"{device}-{channel.replace('.', '')}"
    return (
        (e.ChannelCreated, channel, {"incoming": False, "name": name}),
        (e.Dialed, "1.1", {"target": channel, "target_name": name}),
        (e.ChannelRang, channel, {}),
    )


ARRIVES = (
    (e.ChannelCreated, "1.1", {"incoming": True, "name": "PJSIP/trunk-1", "number": "79161234567", "dialed": LINE}),
    (e.Arrived, "1.1", {"line": LINE, "number": "79161234567"}),
)


async def registered(engine: AsyncEngine) -> None:
    """The ledger has told the CRM of the call."""
    async with engine.begin() as connection:
        sql = "update crm_effects set state = 'done', ended_at = clock_timestamp(), remote_id = :remote"
        await connection.execute(text(sql), {"remote": REMOTE})


async def test_a_card_is_where_it_rings_and_goes_where_it_does_not(engine: AsyncEngine, cards: CardShows) -> None:
    """Both see it once the call is known there; who answers keeps it to the end, the other loses it."""
    shown = pretended.Pretended.cards
    await happen(engine, cards, *ARRIVES, *rings("1.2", "PJSIP/anna-desk"), *rings("1.3", "PJSIP/boris-soft"))
    await registered(engine)
    await until(lambda: shown)
    assert shown == [("show", REMOTE, ("1", "2"))]
    answered = [(e.BridgeEntered, channel, {"bridge": "b"}) for channel in ("1.1", "1.2")]
    await happen(engine, cards, *answered, (e.ChannelHungUp, "1.3", {"cause": 26}))
    await until(lambda: len(shown) == 2)
    assert shown[1] == ("hide", REMOTE, ("2",))
    await happen(engine, cards, *((e.ChannelHungUp, channel, {"cause": 16}) for channel in ("1.2", "1.1")))
    await until(lambda: len(shown) == 3)
    assert shown[2] == ("hide", REMOTE, ("1",))
    await until(lambda: not cards._desks)
    async with engine.connect() as connection:
        counted = await connection.execute(
            text("select operation, result, sum(request_count) from crm_requests group by 1, 2 order by 1")
        )
        assert [tuple(row) for row in counted] == [("card_hide", "done", 2), ("card_show", "done", 1)]


async def test_a_card_that_is_late_is_dropped(
    engine: AsyncEngine, cards: CardShows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Because the CRM does not know the call in time, or because we learn of the ring after it."""
    monkeypatch.setattr(cards, "_seconds", 0.0)
    await happen(engine, cards, *ARRIVES, *rings("1.2", "PJSIP/anna-desk"))
    await registered(engine)
    await happen(engine, cards, *((e.ChannelHungUp, channel, {"cause": 16}) for channel in ("1.2", "1.1")))
    await until(lambda: not cards._desks)
    async with engine.begin() as connection:
        await connection.execute(text("delete from calls"))
    long_ago = datetime.now(UTC) - timedelta(minutes=5)
    await happen(engine, cards, *ARRIVES, *rings("1.2", "PJSIP/anna-desk"), at=long_ago)
    assert cards._desks == {}
    assert pretended.Pretended.cards == []


async def test_a_crm_that_refuses_a_card_is_not_asked_again(
    engine: AsyncEngine, cards: CardShows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is counted, and the next call has its card."""

    async def refuse(_self: object, *_told: object) -> None:
        raise TransientError("busy")

    with monkeypatch.context() as patched:
        patched.setattr(pretended.Pretended, "card_show", refuse)
        await happen(engine, cards, *ARRIVES, *rings("1.2", "PJSIP/anna-desk"))
        await registered(engine)

        async def counts() -> list[tuple[Any, ...]]:
            async with engine.connect() as connection:
                asked = await connection.execute(text("select operation, result, request_count from crm_requests"))
                return [tuple(row) for row in asked]

        async with asyncio.timeout(10):
            while await counts() != [("card_show", "transient", 1)]:
                await asyncio.sleep(0.05)
    await happen(engine, cards, *rings("1.3", "PJSIP/boris-soft"))
    await until(lambda: pretended.Pretended.cards)
    assert pretended.Pretended.cards == [("show", REMOTE, ("2",))]


async def test_a_connection_that_cannot_be_opened_takes_no_card_from_another(
    engine: AsyncEngine, cards: CardShows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its secrets were sealed with a key that is lost; one of a kind that shows no cards is not opened at all."""
    lost, opened = Keeper(base64.b64encode(bytes(32)).decode()), list[str]()

    def never(at: Workplace) -> Crm:
        opened.append(at.key)
        raise KeyError(at.key)

    monkeypatch.setitem(kinds.KINDS, "odoo", replace(kinds.KINDS["odoo"], open=never))
    async with engine.begin() as connection:
        told: dict[str, Any] = {"address": "https://odoo.example"}
        await connections.add(connection, "none", "odoo", told, Keeper(SECRET_KEY).seal("none", {}), (), "active")
        told = {"account": "https://x.amocrm.ru"}
        await connections.add(connection, "lost", "amocrm", told, lost.seal("lost", {}), (), "active")
    await happen(engine, cards, *ARRIVES, *rings("1.2", "PJSIP/anna-desk"))
    await registered(engine)
    await until(lambda: pretended.Pretended.cards)
    assert opened == []


async def test_a_crm_that_is_asked_too_much_shows_no_card_for_a_while(
    engine: AsyncEngine, cards: CardShows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card that it refused is the last, also of another call; when it may be asked again the next is shown."""
    refused: list[str] = []

    async def refuse(_self: object, *told: object) -> None:
        refused.append("card")
        raise RateLimitedError("slow down", retry_after=300)

    with monkeypatch.context() as patched:
        patched.setattr(pretended.Pretended, "card_show", refuse)
        await happen(engine, cards, *ARRIVES, *rings("1.2", "PJSIP/anna-desk"))
        await registered(engine)
        await until(lambda: refused)
        async with asyncio.timeout(10):
            while not await is_quiet(engine):
                await asyncio.sleep(0.02)
    looks, look = list[object](), cards._asked

    async def seen(key: str) -> object:
        looks.append(await look(key))
        return looks[-1]

    monkeypatch.setattr(cards, "_asked", seen)
    await happen(engine, cards, *rings("1.3", "PJSIP/boris-soft"))
    await until(lambda: len(looks) == 2)
    assert (refused, pretended.Pretended.cards, looks) == (["card"], [], [None, None])
    async with engine.begin() as connection:
        await connection.execute(text("update crm_connections set quiet_until = null"))
    await until(lambda: pretended.Pretended.cards)
    assert pretended.Pretended.cards == [("show", REMOTE, ("2",))]


async def is_quiet(engine: AsyncEngine) -> bool:
    async with engine.connect() as connection:
        return bool(await connection.scalar(text("select quiet_until > now() from crm_connections")))
