"""Whatever is asked of the running API, it answers as its description says, and never that something broke."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from string import Template
from typing import Final

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from setup.fuzz import PROGRAM
from tests.fakes.site import Site, open_site
from tests.fakes.story import PASSWORD
from tests.fakes.things import things
from web import users
from web.api.routes import describe

CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
SEED: Final = "SWITCHHOOK_FUZZ_SEED"
EXAMPLES: Final = "SWITCHHOOK_FUZZ_EXAMPLES"


@pytest.fixture
async def site(engine: AsyncEngine, tmp_path: Path) -> AsyncIterator[Site]:
    """The web role with an admin, and a PBX that uploads."""
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    async with open_site(engine, tmp_path / "store", uploads={"main": inbox}) as opened:
        async with engine.begin() as connection:
            await users.add(connection, "ilya", "admin", person="vera", password=PASSWORD)
        yield opened


@pytest.mark.timeout(600)
async def test_whatever_is_asked_is_answered_as_described(site: Site, tmp_path: Path) -> None:
    """No 5xx, no status, type, header or body that is not described, nothing taken that does not fit.

    The same is asked each time, on each machine: the edges of all that is described, and one invented request an
    operation. SWITCHHOOK_FUZZ_SEED invents others, SWITCHHOOK_FUZZ_EXAMPLES more.
    """
    named = await things(site)
    async with site.engine.begin() as connection:
        token = await users.create_token(connection, "ilya", "fuzz")
    seed = os.environ.get(SEED, "1")
    upload, call = named["pbx"].partition(" ")[2], named["calls"]
    config, description = tmp_path / "schemathesis.toml", tmp_path / "openapi.json"
    config.write_text(Template(CONFIG.read_text()).substitute(TOKEN=token, UPLOAD_TOKEN=upload, CALL=call))
    description.write_text(json.dumps(describe()))
    process = await asyncio.create_subprocess_exec(
        str(PROGRAM), f"--config-file={config}", "run", str(description), f"--url={site.url}", f"--seed={seed}",
        f"--max-examples={os.environ.get(EXAMPLES, '1')}", "--request-timeout=10", "--no-color",
        "--suppress-health-check=all", "--generation-database=none",
        cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{SEED}={seed} asks the same again\n{said.decode()}"
