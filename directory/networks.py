"""Addresses that users give, and where they may lead: public networks, and those inside the house that are named.

What is connected to is what was checked: a name that is asked again for the connection could answer otherwise.
"""

import asyncio
import re
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

Network = IPv4Network | IPv6Network

_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""What a NAT64 makes an IPv4 address of."""
_NO_HOSTS: Final = tuple(IPv6Network(it) for it in ("::/96", "64:ff9b:1::/48", "fec0::/10", "2002::/16", "2001::/32"))
"""Where a router may find an address inside of another one: IPv4-compatible, local NAT64, 6to4, Teredo; site-local."""
_NAME_SECONDS: Final = 3.0
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")


class RefusedError(OSError):
    """An address in a network that nobody named."""


def check_host(url: URL, networks: Sequence[Network]) -> None:
    """Check a host that is an address already, which no resolver is asked for. Raises RefusedError.

    One that ends in a number and is none (127.1, 0x7f.1) is refused: resolvers read addresses into such.
    """
    host = url.host or ""
    try:
        ip_address(host)
    except ValueError:
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            raise RefusedError from None
        return
    if not _may_be(host, networks):
        raise RefusedError


def _may_be(host: str, networks: Sequence[Network]) -> bool:
    address = ip_address(host.partition("%")[0])
    if isinstance(address, IPv6Address):
        inner = IPv4Address(address.packed[-4:]) if address in _TRANSLATED else address.ipv4_mapped
        address = address if inner is None else inner
    if any(address in network for network in networks if network.version == address.version):
        return True
    if isinstance(address, IPv6Address) and any(address in network for network in _NO_HOSTS):
        return False
    return address.is_global and not address.is_multicast


async def check_target(url: URL, networks: Sequence[Network]) -> None:
    """Refuse at once what `Guarded` and `check_host` refuse whoever sends there. Raises RefusedError.

    A name that nobody knows just now passes: what is connected to is checked each time.
    """
    check_host(url, networks)
    try:
        async with asyncio.timeout(_NAME_SECONDS):
            await Guarded(networks).resolve(url.host or "")
    except RefusedError:
        raise
    except OSError:
        return


async def is_inside(host: str, networks: Sequence[Network]) -> bool:
    """Whether a host leads into these networks alone."""
    try:
        found = await ThreadedResolver().resolve(host)
    except OSError:
        return False
    return bool(found) and all(any(ip_address(one["host"]) in network for network in networks) for one in found)


class Guarded(AbstractResolver):
    """Resolves names to addresses that may be connected to, and to no others."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Give the addresses of a name that may be connected to; raises when there is none."""
        found = await self._resolver.resolve(host, port, family)
        allowed = [one for one in found if _may_be(one["host"], self._networks)]
        if found and not allowed:
            raise RefusedError
        return allowed

    async def close(self) -> None:
        """Nothing is kept open."""
        await self._resolver.close()
