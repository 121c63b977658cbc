"""Where a secret may be sent (pure)."""

from typing import Final
from urllib.parse import urlsplit

_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def is_safe(address: str) -> bool:
    """Whether an address is of https, or of this machine."""
    told = urlsplit(address)
    return bool(told.hostname) and (told.scheme == "https" or (told.scheme == "http" and told.hostname in _HERE))
