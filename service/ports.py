"""TCP ports of this machine that nobody has."""

from __future__ import annotations

import secrets
import socket
from typing import Final

_FIRST: Final = 11_000
_BEHIND: Final = 32_768
_TRIED_MOST: Final = 200


def free_port(wished: int = 0) -> int:
    """`wished`, or when somebody has it (or none is wished) a port that nobody listens on at this moment.

    It is below those that Linux gives to connections going out (`ip_local_port_range`), or one of them could have it
    before whoever asked listens. Raises OSError when none of many is free.
    """
    for port in (wished, *(_FIRST + secrets.randbelow(_BEHIND - _FIRST) for _ in range(_TRIED_MOST))):
        if port and _is_free(port):
            return port
    raise OSError(f"no port of 127.0.0.1 between {_FIRST} and {_BEHIND - 1} is free")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port whose listener is gone is free, though connections to it have not yet been forgotten.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
