"""A call in which numbers are said: what is kept of it, for whom, and what nobody gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from directory import store as directory_store
from directory.file import loads
from recordings import heard
from recordings.due import due
from recordings.heard import Heard, Side
from recordings.store import Store
from recordings.storing import StoringJobs
from recordings.transcribing import TranscribingJobs
from tests.fakes.recorded import LINE, pbx_recorded, settled_call
from tests.fakes.spoken import said

UID = "1795427050.1"
CALLER = (
    "номер карты сорок два семьдесят шесть 3800, двенадцать тридцать четыре 5679."
    " запишите ещё мой телефон 8 916 123 45 67"
)
STAFF = "записываю 4276 спасибо"
CARD = re.compile(r"(?<![0-9a-fx.-])(?:4276|5679)|семьдесят")
"""A digest, an id, or a fraction of a second may have such digits by chance."""
OFFICE = """
company: {{name: Ромашка, masking: {policy}}}
people: [{{key: anna, name: Анна, role: manager}}]
teams: [{{key: sales, name: Продажи, members: [anna]}}]
lines: [{{number: "{line}", name: Основная, team: sales, masking: {own}}}]
"""


class Scripted:
    """Hears a card's number read out and said back."""

    async def hear(self, talk: heard.Talk) -> Heard:
        """As told, whatever the sound."""
        words = {"caller": said(CALLER), "staff": said(STAFF, 10.0)}
        return Heard({key: Side(words[key[1]], "ru") for key in talk.tracks}, "ru", 20.0, 0.6, "whisper-base")


@dataclass
class Talk:
    """A call whose sides are stored; its text is not made yet."""

    engine: AsyncEngine
    call_id: UUID
    transcribing: TranscribingJobs

    async def transcribed(self, policy: str = "{}", own: str = "{}") -> None:
        """Make the text under these policies of company and line."""
        async with self.engine.begin() as connection:
            await directory_store.apply(connection, loads(OFFICE.format(policy=policy, own=own, line=LINE)))
        await self.transcribing.transcribe(self.call_id, 0)

    async def asked(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of a query."""
        async with self.engine.connect() as connection:
            return [tuple(row) for row in await connection.execute(text(sql))]


@pytest.fixture
async def talk(engine: AsyncEngine, tmp_path: Path) -> Talk:
    """Twenty seconds of sound; what is said is told by the test."""
    async with engine.begin() as connection:
        (change,) = await record(connection, settled_call(UID))
    pbx, store = tmp_path / "pbx", Store.in_folder(tmp_path / "store")
    pbx.mkdir()
    pbx_recorded(pbx, UID, bytes(320_000), bytes(320_000))
    storing = StoringJobs(engine=engine, owes=due, store=store, folders={"pbx": pbx})
    await storing.store_recording(change.call_id, 0)
    return Talk(engine, change.call_id, TranscribingJobs(engine=engine, owes=due, store=store, speech=Scripted()))


async def test_a_card_number_is_nowhere_in_the_database_and_cannot_be_searched(talk: Talk) -> None:
    """Words, segments, text, index, events and the call itself: by default, without a word of policy."""
    await talk.transcribed()
    tables = await talk.asked(
        "select table_name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    for (table,) in tables:
        rows = await talk.asked(f'select row_to_json(it)::text from "{table}" as it')
        assert not [row for (row,) in rows if CARD.search(row)], table
    found = "select count(*) from transcripts where search @@ websearch_to_tsquery('russian', '{}')"
    assert await talk.asked(found.format("семьдесят")) == [(0,)]
    assert await talk.asked(found.format("записываю")) == [(1,)]
    ((told,),) = await talk.asked("select text from transcripts")
    assert told.count("[card]") == 2
    assert "мой телефон 8 916 123 45 67" in told


async def test_the_seconds_to_mute_are_kept_with_the_transcript(talk: Talk) -> None:
    """Both sides' numbers, each with its side and kind."""
    await talk.transcribed("{kinds: [card, phone]}")
    ((masked,),) = await talk.asked("select masked from transcripts")
    assert {(one["side"], one["kind"]) for one in masked} == {
        ("caller", "card"),
        ("caller", "phone"),
        ("staff", "card"),
    }
    assert all(one["from"] < one["to"] for one in masked)


async def test_the_original_words_are_kept_only_by_policy_and_apart(talk: Talk) -> None:
    """The line may say otherwise than the company; a second transcription forgets what is kept no more."""
    await talk.transcribed("{keep_original: true}")
    ((words,),) = await talk.asked("select words from unmasked_transcripts")
    assert "5679." in [word["text"] for word in words]
    assert await talk.asked("select call_id from transcripts where text like '%5679%'") == []
    async with talk.engine.begin() as connection:
        await connection.execute(text("update recordings set stored_at = clock_timestamp()"))
    await talk.transcribed("{keep_original: true}", "{keep_original: false}")
    assert await talk.asked("select count(*) from unmasked_transcripts") == [(0,)]


async def test_nothing_is_masked_on_a_line_that_says_so(talk: Talk) -> None:
    await talk.transcribed("{kinds: [card]}", "{kinds: []}")
    ((told, masked),) = await talk.asked("select text, masked from transcripts")
    assert "4276" in told
    assert masked == []
