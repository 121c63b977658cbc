"""`switchhook plans`: a table is looked at, set once, and listed; each wrong cell is named, with exit 2."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from service.commands.plans import import_plans, list_plans
from service.faults import UserFault
from service.settings import load
from tests.fakes.command import switchhook
from tests.fakes.sheets import csv_of, xlsx_of
from tests.fakes.story import furnish


async def test_plans_are_set_by_the_command_line(engine: AsyncEngine, database_dsn: str, tmp_path: Path) -> None:
    await furnish(engine)
    environment = {"DATABASE_URL": database_dsn, "SWITCHHOOK_DATA_DIR": str(tmp_path / "data")}
    settings = load(database_url=SecretStr(database_dsn), data_dir=tmp_path / "data")
    good, wrong = tmp_path / "plans.xlsx", tmp_path / "wrong.csv"
    good.write_bytes(xlsx_of([["2026-11", "leads_in", "qualified_share"], ["Анна Смирнова", 30, 45], ["house", 100]]))
    wrong.write_bytes(csv_of([["2026-11", "leads_in"], ["Анна Смирнова", "много"], ["Никто", "5"]]))

    done = switchhook("plans", "import", str(wrong), **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["A3", "B2", "nothing was changed"]
    told, words, right = await import_plans(settings, good, dry_run=True)
    assert (told["set"], told["imported"], right) == (3, False, True)
    assert words == "3 set, 0 removed\nnothing was changed"
    _, words, _ = await import_plans(settings, good, dry_run=False)
    assert words == "3 set, 0 removed\nimported"
    _, words, _ = await import_plans(settings, good, dry_run=False)
    assert words == "0 set, 0 removed\nnothing was changed"

    done = switchhook("plans", "list", "--month", "2026-11", "--json", **environment)
    items = json.loads(done.stdout)["items"]
    assert [(one["kind"], one["key"], one["measure"], one["value"]) for one in items] == [
        ("house", "", "leads_in", 100),
        ("person", "anna", "leads_in", 30),
        ("person", "anna", "qualified_share", 0.45),
    ]
    _, words = await list_plans(settings, "2026-11")
    assert "Анна Смирнова" in words
    _, words = await list_plans(settings, "")
    assert words
    with pytest.raises(UserFault, match="--month: must be like 2026-11, got 'november'"):
        await list_plans(settings, "november")
    good.write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(UserFault, match=r"plans\.xlsx: "):
        await import_plans(settings, good, dry_run=False)
