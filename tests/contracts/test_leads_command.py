"""`switchhook leads`: a file is looked at, imported once, and written out again; wrong rows are told and exit 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from crm_sync.book.lead_list import Wanted
from service.commands.leads import export_leads, import_leads
from service.faults import UserFault
from service.settings import load
from tests.fakes.command import switchhook
from tests.fakes.sheets import csv_of
from tests.fakes.story import furnish


async def test_leads_come_in_and_go_out_by_the_command_line(
    engine: AsyncEngine, database_dsn: str, tmp_path: Path
) -> None:
    """All or nothing, each wrong row with its column, value and reason; the export can be imported again."""
    await furnish(engine)
    environment = {"DATABASE_URL": database_dsn, "SWITCHHOOK_DATA_DIR": str(tmp_path / "data")}
    good, wrong, out = tmp_path / "good.csv", tmp_path / "wrong.csv", tmp_path / "out.xlsx"
    rows = [["Кто", "Тел. 2"], ["Иван", "8 916 500-00-01"], ["Иван", "79165000001"]]
    good.write_bytes(csv_of(rows, ";", "cp1251"))
    wrong.write_bytes(csv_of([*rows, ["Анна", "101"]], ";", "cp1251"))
    told = ["--map", "Кто=name"]

    done = switchhook("leads", "import", str(wrong), *told, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "row 4: Тел. 2: this is an extension, got '101'"
    assert done.stderr.splitlines()[-1] == "nothing was changed"
    dry = ["--dry-run", "--json"]
    done = switchhook("leads", "import", str(good), *told, *dry, **environment)
    assert json.loads(done.stdout)["counts"] == {"new": 1, "known": 0, "changed": 0, "duplicate": 1, "error": 0}
    done = switchhook("leads", "import", str(good), *told, **environment)
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        ["row 3: the same as row 2, by 79165000001", "1 new, 0 known (0 filled in), 1 duplicates, 0 wrong", "imported"],
    )
    done = switchhook("leads", "export", "--format", "xlsx", "--to", str(out), **environment)
    assert (done.returncode, done.stderr) == (0, "1 lead exported\n")
    settings = load(database_url=SecretStr(database_dsn), data_dir=tmp_path / "data")
    _, words, right = await import_leads(settings, out, [], dry_run=False)
    assert (words.splitlines()[-1], right) == ("nothing was changed", True)
    with pytest.raises(UserFault, match=r'--map: The file has no column "X"'):
        await import_leads(settings, good, ["X=phone"], dry_run=False)
    with pytest.raises(UserFault, match="--owner: nobody in the directory has the key 'nobody'"):
        await export_leads(settings, Wanted(owner="nobody"), "csv", None)
    with pytest.raises(FileExistsError):
        await export_leads(settings, Wanted(), "csv", out)
