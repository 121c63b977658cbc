"""The devices of a real Asterisk: asked for in full, with the rights that our manager.conf gives."""

from service.demo_world import OutsideWorld
from service.pbx import Pbx, Phone
from telephony.devices import Devices, device_change, live_change
from tests.fakes.ami_proxy import AmiProxy
from tests.fakes.office import Office, until, working


class Quiet(Pbx):
    """A PBX whose people can be away, as FreePBX has it."""

    more_modules = (*Pbx.more_modules, "func_presencestate", "res_manager_presencestate")


async def test_every_phone_has_a_state_at_connect_and_with_every_change() -> None:
    """One that nobody registered is unavailable from the first moment; one that comes and goes is followed."""
    devices = Devices("main")
    async with Pbx([Phone("anna-desk", "101")]) as pbx, AmiProxy(pbx.host, pbx.ami_port) as proxy:
        office = Office(pbx, proxy)

        def state() -> str:
            for message in office.heard:
                change = device_change(message)
                if change is not None:
                    devices.note(change)
            office.heard.clear()
            known = devices.known["PJSIP/anna-desk"]
            return f"{known.state} {known.reachable}"

        async with working(office) as link:
            await devices.ask(link)
            assert state() == "unavailable False"
            assert all("/" in device for device in devices.known)
            async with OutsideWorld(pbx) as world:
                await until(lambda: state() == "not_inuse True")
                await world.phone("anna-desk").unplug()
                await until(lambda: state() == "unavailable False", 20)


async def test_do_not_disturb_of_the_pbx_is_known_at_connect_and_with_every_change() -> None:
    """As a device state or as a presence, whoever switched it, and also before we came."""
    async with Quiet([Phone("anna-desk", "101")]) as pbx, AmiProxy(pbx.host, pbx.ami_port) as proxy:
        office = Office(pbx, proxy)
        await pbx.cli("devstate change Custom:DND101 BUSY")
        await pbx.cli("presencestate change CustomPresence:102 dnd")
        devices = Devices("main")
        async with working(office) as link:
            await devices.ask(link)

            def state(switch: str) -> str:
                for message in office.heard:
                    if (change := live_change(message)) is not None:
                        devices.note(change)
                office.heard.clear()
                return devices.known[switch].state if switch in devices.known else ""

            assert (state("Custom:DND101"), state("CustomPresence:102")) == ("dnd", "dnd")
            await pbx.cli("devstate change Custom:DND101 NOT_INUSE")
            await until(lambda: state("Custom:DND101") == "not_inuse")
            await pbx.cli("presencestate change CustomPresence:102 available")
            await until(lambda: state("CustomPresence:102") == "not_inuse")
            await pbx.cli("presencestate change CustomPresence:103 dnd")
            await until(lambda: state("CustomPresence:103") == "dnd")


async def test_a_phone_that_no_longer_answers_is_known_to_be_gone() -> None:
    """Its network died, so it never said good-bye; the PBX's qualify notices, and so do we."""
    devices = Devices("main")
    async with Pbx([Phone("anna-desk", "101")]) as pbx, AmiProxy(pbx.host, pbx.ami_port) as proxy:
        office = Office(pbx, proxy)

        def state() -> str:
            for message in office.heard:
                if (change := live_change(message)) is not None:
                    devices.note(change)
            office.heard.clear()
            known = devices.known["PJSIP/anna-desk"]
            return f"{known.state} {known.reachable}"

        async with OutsideWorld(pbx) as world, working(office) as link:
            await devices.ask(link)
            assert state() == "not_inuse True"
            await world.kill()
            await until(lambda: state() == "unavailable False", 30)
