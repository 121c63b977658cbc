"""What was said: found by its words, measured, and taken away, by those who may."""

from __future__ import annotations

import io
import json
import shutil
import wave
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import webvtt
from aiohttp import ClientSession
from pydantic import SecretStr
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncEngine

from calls import events as e
from calls.tables import calls
from directory import store
from directory.script import Step, Topic
from directory.tables import company
from recordings import rows
from recordings.fact_rows import talk_facts_of
from recordings.measuring import measure_again
from recordings.rows import said
from recordings.spoken import stem
from recordings.tables import talk_facts, transcripts
from service.commands.talks import export_call
from service.faults import UserFault
from service.settings import load
from tests.fakes.site import Site, open_site
from tests.fakes.story import HOUSE, LINE, SUPPORT, Told
from web.tables import listens

API = "/api/v1"
SAID = [
    ("staff", "Компания Ромашка, добрый день!"),
    ("caller", "Здравствуйте, хочу посмотреть квартиру на Лесной. Сколько она стоит?"),
    ("staff", "Пять миллионов, на квартиры у нас скидка <до & после>, приезжайте."),
]
SCRIPT = (Step("Приветствие", ("Ромашка, добрый день",)), Step("Прощание", ("всего доброго",)))
WORDS = (
    "квартиру квартирами здравствуйте договорённости ещё ёлка перезвоните заказанных большая лучшие говорила "
    "ипотечного скидочный подскажите стоимость метров сначала людей детей идёт running happily dying studies news "
    "generously apartments wi fi 79161234567 12"
)
TOPICS = (Topic("Цена", ("стоит", "скидка")),)


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house, which has a script and a topic."""
    async with open_site(engine, tmp_path) as opened:
        ours = replace(HOUSE.company, topics=TOPICS)
        first = replace(HOUSE.lines[0], script=SCRIPT)
        async with engine.begin() as connection:
            await store.apply(connection, replace(HOUSE, company=ours, lines=(first, *HOUSE.lines[1:])))
        yield opened


async def talk(site: Site, said: list[tuple[str, str]] = SAID, device: str = "PJSIP/anna-desk", **how: Any) -> Told:
    """An answered call with its recording, its text and what that tells."""
    call = Told(site.engine, **how)
    await call.arrives()
    await call.rings(device)
    await call.answers(device)
    await call.hangs_up(after=10)
    await call.keeps(site.store, said)
    return call


async def told(client: ClientSession, path: str, status: int = 200) -> Any:
    """The JSON of an answer."""
    response = await client.get(API + path)
    assert response.status == status, await response.text()
    return await response.json(content_type=None)


async def found(client: ClientSession, query: str) -> list[tuple[str, list[str]]]:
    """What a search answers: calls with the words that were found."""
    page = await told(client, f"/search?q={quote(query)}")
    return [
        (item["call"]["id"], [word for moment in item["moments"] for word in moment["found"]]) for item in page["items"]
    ]


async def test_a_word_is_found_with_its_moments_in_any_form(site: Site) -> None:
    """By side and second; phrases stand together, excluded words leave a talk out, and nothing is guessed."""
    call = await talk(site)
    async with site.visitor("anna") as client:
        (item,) = (await told(client, "/search?q=квартира"))["items"]
        assert item["call"]["id"] == str(call.id)
        assert [(one["side"], one["found"]) for one in item["moments"]] == [
            ("caller", ["квартиру"]),
            ("staff", ["квартиры"]),
        ]
        async with site.engine.connect() as connection:
            words: Any = await connection.scalar(select(transcripts.c.words))
        starts = [word["start"] for word in words if word["text"].startswith("квартир")]
        assert [one["at"] for one in item["moments"]] == starts
        assert "хочу посмотреть квартиру на Лесной." in item["moments"][0]["text"]
        for query, words_found in (
            ("КВАРТИРАМ миллион", ["квартиру", "миллионов,", "квартиры"]),
            ('"посмотреть квартиры"', ["посмотреть квартиру"]),
            ("гараж or скидки", ["скидка"]),
        ):
            assert await found(client, query) == [(str(call.id), words_found)], query
        for query in ("гараж", '"квартиру посмотреть"', "квартира -миллион", "и", "%", "'&|!():*"):
            assert await found(client, query) == [], query


async def test_everybody_finds_what_they_may_hear_and_it_is_written_down(site: Site) -> None:
    """Rights are those of the calls; whose words were shown to whom is in the audit, and what was asked is not."""
    sales = await talk(site)
    support = await talk(site, device="PJSIP/gleb-desk", line=SUPPORT, number="79165550102")
    for login, expected in (
        ("anna", [sales]), ("boris", [sales]), ("gleb", [support]), ("vera", [support, sales]), ("olga", []),
    ):  # fmt: skip
        async with site.visitor(login) as client:
            assert [id_ for id_, _ in await found(client, "квартира")] == [str(call.id) for call in expected], login
            page = await (await client.get("/search?q=квартира")).text()
            assert page.count("<mark>") == 2 * len(expected)
    async with site.visitor(None) as client:
        assert (await client.get(f"{API}/search?q=x")).status == 401
        assert (await client.get("/search?q=x", allow_redirects=False)).status == 303
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(listens.c.login, listens.c.call_id, listens.c.what))).all()
    assert {(row.login, row.call_id) for row in rows} == {
        ("anna", sales.id), ("boris", sales.id), ("gleb", support.id), ("vera", sales.id), ("vera", support.id),
    }  # fmt: skip
    assert {row.what for row in rows} == {"search"}


@pytest.mark.parametrize("few", [rows.FEW, 0])
async def test_a_search_goes_page_by_page_through_all_talks(
    site: Site, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """The newest first, each once, of a rare word and of one that every talk holds; what is no cursor is refused."""
    monkeypatch.setattr(rows, "FEW", few)
    monkeypatch.setattr(rows, "LATELY", 2)
    stored = [await talk(site, number=f"7916555010{number}") for number in range(3)]
    async with site.engine.begin() as connection:
        began = update(transcripts).where(transcripts.c.call_id == calls.c.id)
        await connection.execute(began.values(made_at=calls.c.started_at))
    async with site.visitor("vera") as client:
        seen, cursor = [], ""
        while True:
            page = await told(client, f"/search?q=квартира&limit=2{cursor}")
            seen += [item["call"]["id"] for item in page["items"]]
            if page["next"] is None:
                break
            cursor = f"&cursor={page['next']}"
        assert seen == [str(call.id) for call in reversed(stored)]
        assert len((await told(client, f"/search?q=квартира&line={SUPPORT}"))["items"]) == 0
        for query in ("q=", "q=x&cursor=x", f"q={'x' * 201}", "cursor=x", "q=x&limit=51"):
            assert (await told(client, f"/search?{query}", 400))["detail"].startswith(("q", "cursor", "limit")), query
        assert (await client.get("/search?q=x&cursor=x")).status == 400
        assert (await client.get("/search")).status == 200


async def test_what_was_masked_is_found_nowhere(site: Site) -> None:
    """The index holds the text of the transcript and nothing else."""
    await talk(site, [("caller", "Номер карты [card] спасибо")])
    async with site.visitor("vera") as client:
        for query in ("4111", "четыре", "4111111111111111"):
            assert await found(client, query) == []


async def test_the_search_stems_as_the_index_does(engine: AsyncEngine) -> None:
    """What PostgreSQL finds has moments, for both make the same stems."""
    async with engine.connect() as connection:
        for word in WORDS.split():
            asked = text("select tsvector_to_array(to_tsvector('russian', :word))")
            lexemes = await connection.scalar(asked, {"word": word.replace("ё", "е")})
            assert lexemes in ([stem(word.replace("ё", "е"))], []), word


async def test_a_search_is_answered_by_the_index(engine: AsyncEngine) -> None:
    """The very condition of the search is one that the index of all words serves: no transcript is read in vain."""
    asked = select(transcripts.c.call_id).where(said("квартира -миллион"))
    told = asked.compile(dialect=engine.dialect, compile_kwargs={"literal_binds": True})
    async with engine.begin() as connection:
        await connection.execute(text("set local enable_seqscan = off"))
        plan = await connection.execute(text(f"explain {told}"))
    assert "ix_transcripts_search" in "\n".join(row[0] for row in plan)


async def test_the_api_tells_what_the_words_tell(site: Site) -> None:
    """Shares that make one, steps with their moments, topics; 404 without a text, 403 for other teams."""
    call = await talk(site)
    async with site.visitor("anna") as client:
        facts = await told(client, f"/calls/{call.id}/talk-facts")
        assert facts["caller"]["share"] + facts["staff"]["share"] == pytest.approx(1)
        assert (facts["caller"]["questions"], facts["staff"]["questions"]) == (1, 0)
        assert [(one["step"], one["said"]) for one in facts["steps"]] == [("Приветствие", True), ("Прощание", False)]
        assert facts["steps"][0]["at"] == pytest.approx(1.44, abs=1)
        (price,) = facts["topics"]
        assert [one["side"] for one in price["mentions"]] == ["caller", "staff"]
        assert not facts["low_confidence"]
        async with site.engine.begin() as connection:
            await connection.execute(delete(transcripts))
            assert await connection.scalar(select(func.count()).select_from(talk_facts)) == 0
        await told(client, f"/calls/{call.id}/talk-facts", 404)
    async with site.visitor("gleb") as client:
        await told(client, f"/calls/{call.id}/talk-facts", 403)


async def test_talks_are_measured_again_by_new_words(site: Site) -> None:
    """What lies in a hold or is masked counts for nobody; other periods stay as they were."""
    call = Told(site.engine)
    began = call.at
    await call.arrives()
    await call.rings("PJSIP/anna-desk")
    await call.answers("PJSIP/anna-desk")
    answered = call.at
    anna = call.base(call._uid("PJSIP/anna-desk"))
    await call.later(2).tell(e.Held(**{**anna, "at": call.at}))
    await call.later(3).tell(e.Resumed(**{**anna, "at": call.at}))
    await call.hangs_up(after=10)
    await call.keeps(site.store, SAID)
    assert call.id is not None
    masked = [{"side": "staff", "from": 9.0, "to": 10.0, "kind": "card"}]
    async with site.engine.begin() as connection:
        before = await talk_facts_of(connection, call.id)
        await connection.execute(update(transcripts).values(masked=masked))
        topics = [{"name": "Место", "words": ["Лесная"]}]
        await connection.execute(update(company).values(topics=topics))
    assert before is not None
    assert await measure_again(site.engine, began + timedelta(hours=1), began + timedelta(hours=2)) == 0
    assert await measure_again(site.engine, began - timedelta(hours=1), began + timedelta(hours=1)) == 1
    async with site.engine.connect() as connection:
        after = await talk_facts_of(connection, call.id)
    assert after is not None
    assert [one.topic for one in after.topics] == ["Место"]
    assert before.seconds - after.seconds == pytest.approx(4, abs=0.02)
    assert answered > began


async def test_a_call_is_taken_away_whole(site: Site) -> None:
    """One zip: the sound as it is heard, the text, subtitles that players read, and the facts; it is written down."""
    call = await talk(site)
    async with site.visitor("anna") as client:
        response = await client.get(f"{API}/calls/{call.id}/export")
        assert response.headers["Content-Type"] == "application/zip"
        name = response.headers["Content-Disposition"]
        assert str(call.id) in name
        assert call.number not in name
        body = await response.read()
        heard = await (await client.get(f"{API}/calls/{call.id}/recording")).read()
        facts = await told(client, f"/calls/{call.id}/talk-facts")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        files = {member.filename: archive.read(member) for member in archive.infolist()}
    assert files["recording.wav"] == heard
    with wave.open(io.BytesIO(heard)) as sound:
        assert sound.getnchannels() == 2
    assert json.loads(files["talk_facts.json"]) == facts
    assert json.loads(files["call.json"])["status"] == "answered"
    lines = files["transcript.txt"].decode().splitlines()
    assert lines[0] == "00:00.6  Мы: Компания Ромашка, добрый день!"
    for ending, read in (("srt", webvtt.from_srt), ("vtt", webvtt.read)):
        path = site.store / f"told.{ending}"
        path.write_bytes(files[f"transcript.{ending}"])
        assert "Сколько она стоит?" in " ".join(" ".join(cue.lines) for cue in read(str(path)).captions), ending
    async with site.engine.connect() as connection:
        rows = (await connection.execute(select(listens.c.login, listens.c.what).order_by(listens.c.id))).all()
    assert [tuple(row) for row in rows] == [("anna", "export"), ("anna", "both")]


async def test_nobody_takes_away_what_they_may_not_hear(site: Site) -> None:
    """401, 403 and 404 as for listening, and a refused one is not in the audit; a lost file is told before a byte."""
    call = await talk(site)
    silent = Told(site.engine, line=LINE)
    await silent.arrives()
    await silent.hangs_up(after=3)
    for login, status in ((None, 401), ("gleb", 403), ("olga", 403)):
        async with site.visitor(login) as client:
            for part in ("export", "transcript.srt", "transcript.vtt", "talk-facts"):
                await told(client, f"/calls/{call.id}/{part}", status)
    async with site.visitor("vera") as client:
        for part in ("export", "transcript.srt", "transcript.vtt", "talk-facts"):
            await told(client, f"/calls/{silent.id}/{part}", 404)
        async with site.engine.connect() as connection:
            assert await connection.scalar(select(func.count()).select_from(listens)) == 0
        for ending, media in (("srt", "application/x-subrip"), ("vtt", "text/vtt")):
            response = await client.get(f"{API}/calls/{call.id}/transcript.{ending}")
            assert response.headers["Content-Type"].startswith(media)
            assert "<до" not in (body := await response.text()) or ending == "srt"
            assert "Клиент" in body
        for file in site.store.rglob("*.wav"):
            file.unlink()
        await told(client, f"/calls/{call.id}/export", 404)


async def test_the_command_line_writes_the_same_zip(site: Site, tmp_path: Path, database_url: str) -> None:
    """Whole or not at all, for the operator's account alone, and in the audit under its own name."""
    call = await talk(site)
    settings = load(data_dir=tmp_path / "data", database_url=SecretStr(database_url), language="en")
    shutil.copytree(site.store, settings.recordings_store)
    folder = tmp_path / "out"
    with pytest.raises(UserFault, match="--to: there is no folder"):
        await export_call(settings, str(call.id), folder)
    folder.mkdir()
    path = await export_call(settings, call.uid, folder)
    assert list(folder.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(path) as archive:
        assert "recording.wav" in archive.namelist()
        assert b"Us: " in archive.read("transcript.txt")
    async with site.engine.connect() as connection:
        row = (await connection.execute(select(listens.c.login, listens.c.call_id, listens.c.what))).one()
    assert tuple(row) == ("command line", call.id, "export")
    for file in settings.recordings_store.rglob("*.wav"):
        file.unlink()
    path.unlink()
    with pytest.raises(UserFault, match="CALL: The recording's file is gone or broken"):
        await export_call(settings, call.uid, folder)
    assert list(folder.iterdir()) == []
