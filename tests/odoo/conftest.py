"""A real Odoo 19, with what every test of this folder needs; `make test-odoo` runs it, `make test` does not."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from tests.odoo.private_odoo import House, RealOdoo, open_house

collect_ignore_glob = [] if os.environ.get("SWITCHHOOK_ODOO") else ["test_*.py"]


@pytest.fixture(scope="session")
async def house() -> AsyncIterator[House]:
    """A database with the CRM."""
    async with open_house() as made:
        yield made


@pytest.fixture(scope="session")
async def odoo(house: House) -> AsyncIterator[RealOdoo]:
    """A server as Debian installs it: without the library that reads telephone numbers."""
    async with house.serve(numbers=False) as served:
        yield served


@pytest.fixture(scope="session")
async def odoo_with_numbers(house: House) -> AsyncIterator[RealOdoo]:
    """A server with it, on the same database."""
    async with house.serve(numbers=True) as served:
        yield served
