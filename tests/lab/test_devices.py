"""The devices of a real Asterisk: asked for in full, with the rights that our manager.conf gives."""

from service.pbx import Pbx
from telephony.devices import Devices
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, working


async def test_every_phone_has_a_state_at_connect(pbx: Pbx) -> None:
    """A phone that nobody registered is unavailable from the first moment, not merely unknown."""
    async with AmiProxy(pbx.host, pbx.ami_port) as proxy, working(Office(pbx, proxy)) as link:
        states = {state.device: state for state in await Devices("main").ask(link)}
    phone = states["PJSIP/anna-desk"]
    assert (phone.state, phone.reachable) == ("unavailable", False)
    assert all("/" in device for device in states)
