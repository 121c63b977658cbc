"""A PBX that the service does not see the disk of: its Asterisk runs our program, and the recording is in the store."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from calls.record import record
from recordings.due import due
from recordings.store import Store
from recordings.storing import StoringJobs
from service.demo_world import OutsideWorld, answer
from service.pbx import Pbx
from tests.fakes.recorded import settled_call
from tests.fakes.site import open_site
from tests.lab.stand_in import StandIn
from web import upload_tokens

PROGRAM = Path(__file__).parents[2] / "telephony" / "uploader" / "switchhook_upload.py"
# Asterisk's user may not enter the folder of the Python that runs the tests.
PYTHON = next(one for one in ("/usr/bin/python3", "/usr/local/bin/python3", sys.executable) if Path(one).exists())


async def test_a_recording_goes_from_mixmonitor_through_the_network_into_the_store(
    pbx: Pbx, outside: OutsideWorld, service: StandIn, line: str, engine: AsyncEngine, tmp_path: Path
) -> None:
    """Recorded, closed, sent by the post-process command, acknowledged and removed there, stored with its sound."""
    inbox = tmp_path / "uploads" / "pbx"
    async with open_site(engine, tmp_path / "store", uploads={"pbx": inbox}) as site:
        async with engine.begin() as connection:
            token = await upload_tokens.create(connection, "pbx")
        program, config, secret = (pbx.folder / f"upload.{end}" for end in ("py", "conf", "token"))
        shutil.copy(PROGRAM, program)
        secret.write_text(token)
        told = {"url": site.url, "pbx": "pbx", "token_file": secret, "spool": pbx.recordings}
        config.write_text("[switchhook]\n" + "\n".join(f"{name} = {value}" for name, value in told.items()))
        for path in (program, config, secret):
            path.chmod(0o644)
        await service.set_global("SWITCHHOOK_UPLOAD", f"{PYTHON} {program} --config {config}")
        service.plan = [("ring", "PJSIP/anna-desk", 10)]
        await outside.phone("anna-desk").behave(answer(0.1, speak=("ru/hello",), hangup_after=2.0))
        call = await outside.call("79161234567", "Клиент", line, speak=("ru/queue-youarenext",), stay=True)
        await call.ended()
        uid = (await service.seen(UserEvent="SwitchhookArrival", Line=line))["Uniqueid"]
        names = [f"{uid}-caller.wav", f"{uid}-staff.wav"]
        async with asyncio.timeout(20):
            while not all((inbox / name).exists() for name in names) or any(
                (pbx.recordings / name).exists() for name in names
            ):
                await asyncio.sleep(0.05)
        await service.set_global("SWITCHHOOK_UPLOAD", "")
    async with engine.begin() as connection:
        (change,) = await record(connection, settled_call(uid))
    store = Store.in_folder(tmp_path / "store")
    jobs = StoringJobs(engine=engine, owes=due, store=store, folders={"pbx": inbox})
    await jobs.store_recording(change.call_id, 0)
    async with engine.connect() as connection:
        sides = (
            await connection.execute(text("select side, seconds, loud_seconds from recordings order by side"))
        ).all()
    assert [row.side for row in sides] == ["caller", "staff"]
    assert all(row.seconds > 1.5 and row.loud_seconds > 0.3 for row in sides)
