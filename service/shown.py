"""What may be shown of a setting that is an address: where it leads, without what lets one in there (pure)."""

from __future__ import annotations

import re
from typing import Final

_ADDRESS: Final = re.compile(r"(?P<scheme>\w[\w+.-]*://)?(?P<user>.*@)?(?P<host>[^/?#]*)(?P<rest>.*)", re.DOTALL)


def shown(address: str) -> str:
    """Its scheme and host: keys stand in the path or the query of some, as in an incoming webhook's.

    `…` stands for what is left out, so that one sees that there is more.
    """
    told = _ADDRESS.fullmatch(address)
    if told is None:
        return "…"
    return (
        f"{told['scheme'] or ''}{'…@' if told['user'] else ''}{told['host']}{'/…' if told['rest'].strip('/') else ''}"
    )
