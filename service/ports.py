"""Free TCP ports on the loopback address."""

from __future__ import annotations

import socket


def free_port(wished: int = 0) -> int:
    """`wished`, or when somebody has it (or none is wished) a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", wished))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port
