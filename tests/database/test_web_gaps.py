"""Where an incomplete recording is seen: pages, API, command line, figures; and by whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from metrics.gauges import DatabaseGauges
from recordings.rows import write_call_audio
from recordings.tables import recordings
from service.commands.explain import tell
from service.commands.recordings import list_gaps
from service.doctor.examine import examine
from service.settings import load
from tests.fakes.site import Site, open_site
from tests.fakes.story import LINE, SUPPORT, Told

API = "/api/v1"
SHORT = {"state": "short", "seconds": 3.0, "reason": "3.0 s of sound for 60.0 s of talk"}
SILENT = {"state": "silent", "seconds": 60.0, "loudest_dbfs": -61.5, "reason": "nothing louder than -62 dBFS"}
LOST = {"state": "missing", "reason": "the PBX left no file for the staff's side"}
WELL = {"state": "stored", "seconds": 60.0, "loud_seconds": 31.0, "loudest_dbfs": -19.5}


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with its house."""
    async with open_site(engine, tmp_path) as opened:
        yield opened


async def judged(site: Site, caller: dict[str, Any], staff: dict[str, Any], **how: Any) -> UUID:
    """A talk of a minute whose sides were judged so."""
    state, transfer = how.pop("state"), how.pop("transfer", "none")
    call = Told(site.engine, **how)
    await call.arrives()
    device = "PJSIP/gleb-desk" if how.get("line") == SUPPORT else "PJSIP/anna-desk"
    await call.rings(device)
    await call.answers(device)
    call_id = await call.hangs_up(after=60)
    kept = {"path": "2026/p.wav", "bytes": 1, "sha256": "0", "talk_seconds": 60.0}
    async with site.engine.begin() as connection:
        for side, told in (("caller", caller), ("staff", staff)):
            row = {"call_id": call_id, "channel": call.uid, "side": side, "talk_seconds": 60.0} | told
            await connection.execute(insert(recordings).values(row | (kept if "seconds" in told else {})))
        await write_call_audio(connection, call_id, state, transfer, "PJSIP/trunk")
    return call_id


async def test_gaps_are_listed_for_those_who_may_see_the_call(site: Site) -> None:
    """With what a side lacks in numbers; a complete recording is none."""
    await judged(site, WELL, WELL, state="stored")
    lost = await judged(site, WELL, LOST, state="missing", transfer="attended")
    silent = await judged(site, SILENT, SHORT, state="silent", line=SUPPORT)
    for login, seen in (("anna", [lost]), ("gleb", [silent]), ("vera", [silent, lost])):
        async with site.visitor(login) as client:
            told = await (await client.get(f"{API}/recordings/gaps")).json()
            assert [one["call_id"] for one in told["items"]] == [str(call) for call in seen], login
    async with site.visitor() as client:
        assert (await client.get(f"{API}/recordings/gaps")).status == 401
    async with site.visitor("vera") as client:
        told = await (await client.get(f"{API}/recordings/gaps?state=missing&line={LINE}")).json()
        (one,) = told["items"]
        place = {"line": LINE, "person": "anna", "trunk": "PJSIP/trunk", "transfer": "attended", "state": "missing"}
        assert place.items() <= one.items()
        assert one["sides"] == [
            {"channel": one["sides"][0]["channel"], "side": "staff", "state": "missing", "seconds": None,
             "talk_seconds": 60.0, "loud_seconds": None, "loudest_dbfs": None, "reason": LOST["reason"]}
        ]  # fmt: skip
        assert (await client.get(f"{API}/recordings/gaps?state=stored")).status == 400


async def test_the_list_of_calls_is_filtered_by_the_audio(site: Site) -> None:
    """By one state, by any gap; the page and the API alike, and a word that is none is refused."""
    well = await judged(site, WELL, WELL, state="stored")
    short = await judged(site, SHORT, WELL, state="short")
    async with site.visitor("anna") as client:
        for wanted, calls in (("gap", [short]), ("short", [short]), ("silent", []), ("stored", [well])):
            told = await (await client.get(f"{API}/calls?audio={wanted}")).json()
            assert [(one["id"], one["audio"]) for one in told["items"]] == [
                (str(call), "stored" if call == well else "short") for call in calls
            ]
            page = await (await client.get(f"/calls?audio={wanted}")).text()
            assert [call for call in (well, short) if f"/calls/{call}" in page] == calls
        assert (await client.get("/calls?audio=loud")).status == 400
        assert (await client.get(f"{API}/calls?audio=loud")).status == 400


async def test_a_call_tells_what_its_recording_lacks(site: Site) -> None:
    """On its page, in its timeline and by `explain`, in the reader's language."""
    call = await judged(site, SILENT, SHORT, state="silent")
    async with site.visitor("anna") as client:
        page = await (await client.get(f"/calls/{call}")).text()
        assert "Запись неполная" in page
        assert "Клиент: без звука: за 60,0 с разговора ничего громче -61,5 дБ" in page
        assert "Мы: 3,0 с записи на 60,0 с разговора" in page
        timeline = await (await client.get(f"{API}/calls/{call}/timeline")).json()
        (told,) = [one["text"] for one in timeline["items"] if one["kind"] == "audio_gap"]
        assert told.startswith("Запись неполная. Клиент: без звука")
    async with site.engine.connect() as connection:
        told, words = await tell(connection, call, "en")
    assert "Recording, Us: 3.0 s recorded of 60.0 s of talk" in words
    assert {one["state"] for one in told["recordings"]} == {"short", "silent"}
    lost = await judged(site, WELL, LOST, state="missing")
    async with site.visitor("anna") as client:
        page = await (await client.get(f"/calls/{lost}")).text()
        assert "Мы: записи нет" in page
        assert str(LOST["reason"])[:20] not in page
    async with site.engine.connect() as connection:
        _, words = await tell(connection, lost, "en")
    assert f"Recording, Us: no recording ({LOST['reason']})" in words


async def test_the_command_line_lists_gaps_since_a_time(site: Site, database_url: str, tmp_path: Path) -> None:
    """As JSON and as lines; of the last days alone, and of one line."""
    old = datetime.now(UTC) - timedelta(days=9)
    call = await judged(site, WELL, LOST, state="missing")
    await judged(site, WELL, LOST, state="missing", at=old)
    settings = load(database_url=SecretStr(database_url), data_dir=tmp_path / "data", log="quiet")
    told, words = await list_gaps(settings, datetime.now(UTC) - timedelta(days=7), "")
    assert [one["call_id"] for one in told] == [str(call)]
    assert f"{call}  missing  (line {LINE}, trunk PJSIP/trunk, transfer none)" in words
    assert "staff: missing, the PBX left no file for the staff's side" in words
    assert await list_gaps(settings, old - timedelta(days=1), SUPPORT) == ([], "every recording is complete")
    checks = {check.name: check for check in await examine(settings, ("recordings",))}
    assert (checks["recordings"].state, checks["recordings"].why) == ("warn", "7 days: 2 missing")


async def test_figures_tell_gaps_by_line_trunk_and_kind_of_transfer(site: Site) -> None:
    """A line or a trunk that is in no directory is told as other: nobody outside makes series."""
    await judged(site, WELL, WELL, state="stored")
    for _ in range(2):
        await judged(site, WELL, LOST, state="missing", transfer="blind")
    stray = await judged(site, WELL, LOST, state="missing", line="79990001122")
    async with site.engine.begin() as connection:
        await write_call_audio(connection, stray, "missing", "none", "SIP/somewhere")
    families = await DatabaseGauges(site.engine).read()
    samples = [sample for family in families for sample in family.samples]
    told = {(one.name.removeprefix("switchhook_"), *one.labels.values()): one.value for one in samples}
    assert told["recordings_gaps", "missing", LINE, "PJSIP/trunk", "blind"] == 2
    assert told["recordings_gaps", "missing", "other", "other", "none"] == 1
    assert told["recordings_judged", "missing"] == 3
    assert told["recordings_judged", "stored"] == 1
    assert told["recordings_judged", "silent"] == 0
