"""Who hears what of a call in which numbers were said: everybody the muted, one role the rest, all written down."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.forgetting import Person, pattern
from directory import store as directory_store
from directory.masking import Masking
from recordings import opus
from recordings.archive_plan import ArchivedPart
from recordings.archive_rows import Archive, write_archive
from recordings.audit import Actor
from recordings.erasing import forget_mentions, mentioned_in
from recordings.masking import muted_from
from recordings.remasking import remask
from recordings.rows import recordings_of
from recordings.store import Store, archive_name
from recordings.tables import transcripts
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, Told
from web import links
from web.tables import listens

API = "/api/v1"
SAID = (("staff", "Слушаю вас"), ("caller", "номер карты 4276 3800 1234 5679 записали"), ("staff", "Да, спасибо"))
READER = "vera"
"""A head, and the policy here lets heads have the unmasked."""


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """A house where cards are masked, originals are kept and heads may have them."""
    async with open_site(engine, tmp_path) as site:
        await policy(site, keep_original=True)
        yield site


async def policy(site: Site, **how: Any) -> None:
    masking = Masking(kinds=("card",), readers="head", **how)
    async with site.engine.begin() as connection:
        await directory_store.apply(connection, replace(HOUSE, company=replace(HOUSE.company, masking=masking)))
    await site.knows_anew()


async def talk(site: Site) -> Told:
    """A call whose sides and text are stored, as they were before anything was masked."""
    call = Told(site.engine)
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    await call.hangs_up(after=10)
    await call.keeps(site.store, SAID)
    return call


async def mask(site: Site, call: Told) -> list[tuple[float, float]]:
    """Mask its text; gives the seconds to mute."""
    assert await remask(site.engine, call.at - timedelta(hours=1), call.at) == 1
    async with site.engine.connect() as connection:
        told = (
            await connection.execute(select(transcripts.c.masked).where(transcripts.c.call_id == call.id))
        ).scalar_one()
    return [(one.start, one.end) for one in muted_from(told)]


async def archive(site: Site, call: Told, muted: list[tuple[float, float]], *, original: bool = True) -> None:
    """Make the one file of it, as the job does."""
    assert call.id is not None
    store = Store.in_folder(site.store)
    async with site.engine.begin() as connection:
        sides = await recordings_of(connection, call.id)
        sources = [opus.Source(str(site.store / (one.path or "")), one.side, 0.0) for one in sides]
        made, whole = (opus.encode(sources, spans, 24_000) for spans in (muted, []))
        kept = await store.put_bytes(archive_name(call.id, call.at, made.sha256), made.sound)
        clear = await store.put_bytes(archive_name(call.id, call.at, whole.sha256, original=True), whole.sound)
        parts = (ArchivedPart(call.uid, 0.0, made.seconds, {one.side: one.sha256 or "" for one in sides}),)
        told = Archive(kept.path, kept.size_bytes, kept.sha256, made.seconds, tuple(muted), parts, made.outline)
        if original:
            told = replace(told, original_path=clear.path, original_sha256=clear.sha256)
        await write_archive(connection, call.id, told)


async def answers(client: ClientSession, path: str) -> tuple[int, bytes]:
    response = await client.get(path)
    return response.status, await response.read()


async def heard(site: Site) -> list[tuple[str, str]]:
    async with site.engine.connect() as connection:
        return [(row.login, row.what) for row in await connection.execute(select(listens).order_by(listens.c.id))]


def loudness(sound: bytes, since: float, until: float) -> float:
    samples = np.concatenate(list(opus.decode(io.BytesIO(sound))), axis=1)
    part = samples[:, round(since * opus.RATE) : round(until * opus.RATE)].astype(float)
    return float(np.sqrt((part**2).mean()))


async def test_until_it_is_muted_a_recording_is_only_for_the_one_role(site: Site) -> None:
    """By page, API, outline, export and both sides apart; the role's listening is told apart."""
    call = await talk(site)
    paths = [f"{API}/calls/{call.id}/recording{end}" for end in ("", "?side=caller", "?side=staff", "/outline")]
    async with site.visitor("anna") as client:
        for path in paths:
            status, told = await answers(client, path)
            assert (status, b"being prepared" in told) == (404, True), path
        _, page = await answers(client, f"/calls/{call.id}")
        assert 'id="player"' not in page.decode()
        assert "ещё не заглушены" in page.decode()
    assert {what for _, what in await heard(site)} == {"transcript"}
    async with site.visitor(READER) as client:
        assert [(await answers(client, path))[0] for path in paths] == [200] * 4
        _, page = await answers(client, f"/calls/{call.id}")
        assert 'id="player"' in page.decode()
        assert "Её слышит только ваша роль" in page.decode()
    assert [told for told in await heard(site) if told[1] != "transcript"] == [(READER, "original")] * 3


async def test_everybody_hears_the_muted_and_one_role_the_original(site: Site) -> None:
    """The number's seconds are silent, those around are not; others learn nothing of an original."""
    call = await talk(site)
    ((since, until),) = await mask(site, call)
    await archive(site, call, [(since, until)])
    path = f"{API}/calls/{call.id}/recording"
    async with site.visitor("anna") as client:
        status, muted = await answers(client, path)
        assert status == 200
        assert loudness(muted, since + 0.1, until - 0.1) < 5
        assert loudness(muted, 0.6, 1.0) > 100
        assert (await answers(client, f"{path}?original=true"))[0] == 403
        assert (await answers(client, f"{API}/calls/{call.id}/transcript?original=true"))[0] == 403
        _, page = await answers(client, f"/calls/{call.id}")
        assert "original" not in page.decode()
        assert ">карта</span>" in page.decode()
    async with site.visitor(READER) as client:
        status, clear = await answers(client, f"{path}?original=true")
        assert status == 200
        assert loudness(clear, since + 0.1, until - 0.1) > 100
        _, told = await answers(client, f"{API}/calls/{call.id}/transcript?original=true")
        assert "4276" in told.decode()
        _, page = await answers(client, f"/calls/{call.id}")
        assert "recording?original=true" in page.decode()
    told_apart = [one for one in await heard(site) if one[1] != "transcript"]
    assert told_apart == [("anna", "both"), (READER, "original"), (READER, "original")]
    async with site.engine.connect() as connection:
        asked = "select actor, action, details->>'what' from audit order by at"
        audited = [tuple(row) for row in await connection.execute(text(asked))]
    assert audited == [
        ("command line", "masked_anew", None),
        (READER, "original_heard", "both"),
        (READER, "original_heard", "transcript"),
    ]


async def test_an_original_that_is_not_kept_is_for_nobody(site: Site) -> None:
    call = await talk(site)
    await policy(site, keep_original=False)
    await archive(site, call, await mask(site, call), original=False)
    async with site.visitor(READER) as client:
        assert (await answers(client, f"{API}/calls/{call.id}/recording?original=true"))[0] == 404
        assert (await answers(client, f"{API}/calls/{call.id}/transcript?original=true"))[0] == 404
        assert (await answers(client, f"{API}/calls/{call.id}/recording"))[0] == 200


async def test_an_archive_that_misses_what_must_be_muted_is_not_for_everybody(site: Site) -> None:
    """The text was masked anew, and the sound is not yet; and sound came that is not in the text."""
    call = await talk(site)
    await archive(site, call, [])
    muted = await mask(site, call)
    async with site.visitor("anna") as client:
        path = f"{API}/calls/{call.id}/recording"
        assert (await answers(client, path))[0] == 404
        await archive(site, call, muted)
        assert (await answers(client, path))[0] == 200
        async with site.engine.begin() as connection:
            await connection.execute(text("update recordings set stored_at = clock_timestamp() where side = 'staff'"))
        assert (await answers(client, path))[0] == 404


async def test_a_signed_link_opens_only_what_everybody_may_hear(site: Site) -> None:
    """Made in time, used too soon: an archive that is not muted as it must be is not there yet."""
    call = await talk(site)
    assert call.id is not None
    await archive(site, call, [])
    muted = await mask(site, call)
    async with site.engine.begin() as connection:
        link = await links.make(connection, Actor(login="anna"), call.id)
    async with site.visitor() as client:
        assert (await answers(client, link.path))[0] == 404
        await archive(site, call, muted)
        status, sound = await answers(client, link.path)
    assert status == 200
    assert loudness(sound, muted[0][0] + 0.1, muted[0][1] - 0.1) < 5


async def test_who_is_erased_is_in_no_original_either(site: Site) -> None:
    """A number that somebody named is masked in the text and stands in the kept words."""
    call = await talk(site)
    assert call.id is not None
    await mask(site, call)
    async with site.engine.begin() as connection:
        assert await mentioned_in(connection, pattern("4276380012")) == []
        assert await mentioned_in(connection, pattern("4276380012345679")) == [call.id]
        await forget_mentions(connection, call.id, Person(frozenset({"4276380012345679"}), frozenset(), "x"))
        assert await connection.scalar(text("select count(*) from unmasked_transcripts")) == 0


async def test_what_nobody_could_turn_into_text_stays_for_the_one_role(site: Site) -> None:
    """It is said on the page and by the API."""
    call = await talk(site)
    async with site.engine.begin() as connection:
        await connection.execute(transcripts.delete())
    await call.tell(e.TranscriptionGivenUp(**call.base(), reason="unreadable"))
    async with site.visitor("anna") as client:
        status, told = await answers(client, f"{API}/calls/{call.id}/recording")
        assert (status, b"could not be masked" in told) == (403, True)
        _, page = await answers(client, f"/calls/{call.id}")
        assert "номера в ней не заглушить" in page.decode()
    async with site.visitor(READER) as client:
        assert (await answers(client, f"{API}/calls/{call.id}/recording"))[0] == 200


async def test_a_policy_that_is_lifted_gives_back_nothing_that_was_masked(site: Site) -> None:
    """What was masked stays silent for everybody, whatever the policy says now."""
    call = await talk(site)
    muted = await mask(site, call)
    async with site.engine.begin() as connection:
        await directory_store.apply(connection, HOUSE)
    await site.knows_anew()
    async with site.visitor("anna") as client:
        path = f"{API}/calls/{call.id}/recording"
        assert (await answers(client, path))[0] == 404
        await archive(site, call, muted)
        assert (await answers(client, path))[0] == 200
        async with site.engine.begin() as connection:
            await connection.execute(update(transcripts).values(masked=[]))
        assert (await answers(client, path))[0] == 200
