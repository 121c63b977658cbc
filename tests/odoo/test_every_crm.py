"""What every adapter promises the ledger, against a real Odoo: by JSON-2, and by the API of the versions before it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.contracts.crm import test_every_crm as promises
from tests.odoo.private_odoo import RealOdoo
from tests.odoo.real_rig import RealRig, open_real_rig

pytestmark = pytest.mark.timeout(600)

# The same tests, of this module, so that `rig` is the fixture below.
globals().update({name: told for name, told in vars(promises).items() if name.startswith("test_")})


@pytest.fixture(params=["json2", "jsonrpc"])
async def rig(request: pytest.FixtureRequest, odoo: RealOdoo) -> AsyncIterator[RealRig]:
    async with open_real_rig(odoo, by_rpc=request.param == "jsonrpc") as opened:
        yield opened


async def test_whoever_can_be_asked_knows_its_users_and_whose_a_number_is(rig: RealRig) -> None:
    """As there, but the users have the numbers that Odoo gave them."""
    extensions = {one.extension: one.id for one in await rig.crm.users()}
    assert {"101": rig.odoo.users["anna"], "102": rig.odoo.users["boris"]}.items() <= extensions.items()
    number, name = rig.party
    (found,) = await rig.crm.find_party(number, 5.0)
    assert (found.name, found.owner) == (name, "anna")
    assert await rig.crm.find_party("74950000000", 5.0) == []


async def test_whoever_lists_tells_each_finished_call_of_a_time_once(rig: RealRig) -> None:
    """As there, but the users have the numbers that Odoo gave them."""
    one, hour = promises.effect(), timedelta(hours=1)
    done = await rig.crm.call_finished(one, promises.CALL)
    (held,) = await rig.crm.calls_told(one.at - hour, one.at + hour)
    assert (held.remote_id, held.key, held.at, held.owner) == (done.remote_id, one.key, one.at, rig.odoo.users["anna"])
    assert await rig.crm.calls_told(one.at - 30 * 24 * hour, one.at - 29 * 24 * hour) == []
