"""Which port of this machine a service takes that may have any."""

from __future__ import annotations

import socket
from pathlib import Path

from service.ports import free_port


def test_a_free_port_is_none_that_a_connection_going_out_may_have() -> None:
    """Linux gives those of its own range to whoever connects, at any moment until we listen."""
    first, last = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    assert not {port for port in (free_port() for _ in range(200)) if first <= port <= last}


def test_the_wished_port_is_taken_unless_somebody_has_it() -> None:
    """Whoever wishes for one gets it when it is free, and another one that is free when it is not."""
    wished = free_port()
    assert free_port(wished) == wished
    with socket.create_server(("127.0.0.1", wished)):
        assert free_port(wished) != wished
