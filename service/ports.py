"""TCP ports: whether one is free, before anything is started that would need it."""

from __future__ import annotations

import socket

from service.faults import UserFault


def free_port(wished: int = 0) -> int:
    """`wished`, or when somebody has it (or none is wished) a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        # A port whose listener is gone is free, though connections to it have not yet been forgotten.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wished))
        except OSError:
            return free_port()
        port: int = probe.getsockname()[1]
        return port


def refuse_taken(setting: str, host: str, port: int) -> None:
    """Raise UserFault when nobody could listen on `port` of `host`; what started already would have to be ended."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise UserFault(f"{setting}: cannot listen on {host}:{port} ({error.strerror or error})") from None
