"""Who asks, by address, also through proxies that we trust (pure)."""

import ipaddress
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_ONE_HOUSE_BITS = 64
"""An IPv6 client has a whole network of so many bits to itself."""


def client_of(remote: str | None, forwarded: Iterable[str], trusted: Sequence[Network]) -> Address | None:
    """The client's address: whoever speaks with us, or whom the trusted proxies before us speak for.

    `forwarded` are the headers X-Forwarded-For in their order. Each proxy adds at the right whom it heard; the first
    from there that is no trusted proxy is the client, and what stands left of it is the client's own claim. None
    when the transport has no IP address, as a UNIX socket.
    """
    client = _read(remote or "")
    hops = [hop for header in forwarded for hop in header.split(",")]
    while client is not None and any(client in network for network in trusted) and hops:
        before = _read(hops.pop())
        if before is None:
            break
        client = before
    return client


def counted(client: Address | None) -> str:
    """What tries are counted by: an IPv4 address, or the network of an IPv6 one."""
    if isinstance(client, IPv6Address):
        return str(IPv6Network((client, _ONE_HOUSE_BITS), strict=False))
    return str(client or "")


def _read(text: str) -> Address | None:
    try:
        address = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
