"""The CEL file of a real Asterisk, in each form that it can write and that we read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib.resources import files

from service.pbx import Pbx
from telephony.catch_up import told_calls
from telephony.cel_file import CelFile
from tests.fakes.office import until

JSON = """
[switchhook.json]
format = json
fields = eventtype,eventtime,name,num,exten,context,channame,appname,appdata,amaflags,uniqueid,linkedid,eventextra
"""
EXTENSIONS = "exten => 600,1,Answer()\n same => n,Wait(0.2)\n same => n,Hangup()\n"


async def told(file: CelFile) -> list[list[str]]:
    now = datetime.now(UTC)
    period = (now - timedelta(minutes=3), now + timedelta(minutes=3))
    return [sorted(map(repr, call.events)) async for some in told_calls("pbx", file, *period) for call in some]


async def test_json_tells_what_csv_tells() -> None:
    """Asterisk 22 writes both at once; a name with quotes and commas is one name in both."""
    shipped = (files("telephony") / "dialplan/cel_custom.conf").read_text()
    async with Pbx([], internal=EXTENSIONS, extra_files={"cel_custom.conf": shipped + JSON}) as pbx:
        path = pbx.cel_file.with_suffix(".json")
        await pbx.cli('channel originate Local/600@from-phones application Set CALLERID(name)=Щукин\\, \\"В\\"')
        await until(lambda: all(one.exists() and b"LINKEDID_END" in one.read_bytes() for one in (pbx.cel_file, path)))
        by_json, by_csv = await told(CelFile(path)), await told(CelFile(pbx.cel_file))
    assert by_json == by_csv
    assert len(by_json) == 1
