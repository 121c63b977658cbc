"""What no Asterisk says; run, it is fed to the wire, and printed: bytes fed, bytes grown, events then heard."""

import asyncio
from pathlib import Path

from telephony.pbx import Message
from telephony.wire import Wire

END = b"\r\n\r\n"
EVENT = b"Event: UserEvent\r\nPrivilege: user,all\r\nTimestamp: 1.000000\r\nUserEvent: X\r\n"
KINDS = {
    "a header of ten megabytes": b"H: " + b"x" * 10_000_000 + END,
    "every byte there is": bytes(range(256)) * 20_000 + END,
    "halves of letters": ("Щ" * 500_000).encode()[1:-1] + END,
    "one header many times": EVENT + b"Same: header\r\n" * 200_000 + END,
    "many headers": EVENT + b"".join(b"N%d: v\r\n" % number for number in range(200_000)) + END,
    "no blank lines": EVENT * 20_000 + END,
    "many events": (EVENT + END) * 20_000,
}
ENOUGH = 120_000_000


class _Transport(asyncio.Transport):
    """Writes nowhere; the connection must not be given up."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        del data

    def abort(self) -> None:
        raise AssertionError("the connection was given up")


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


async def _main() -> None:
    heard: list[Message] = []
    wire = Wire(heard.append, lambda: None)
    wire.connection_made(_Transport())
    wire.data_received(b"Asterisk Call Manager/11.0.0\r\n")
    fed, before = 0, _resident()
    while fed < ENOUGH:
        for kind in KINDS.values():
            for place in range(0, len(kind), 65_536):
                wire.data_received(kind[place : place + 65_536])
                wire.receive_gathered()
                heard.clear()
            fed += len(kind)
    grown = _resident() - before
    wire.data_received(EVENT + END)
    wire.receive_gathered()
    print(fed, grown, len(heard))  # noqa: T201 - this is what the program is for


if __name__ == "__main__":
    asyncio.run(_main())
