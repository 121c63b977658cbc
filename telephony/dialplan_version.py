"""Which switchhook.conf a PBX runs: the file carries a digest of itself, as an extension that can be asked for."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files
from typing import Final

CONTEXT: Final = "switchhook-version"
_LINE: Final = re.compile(rf"^\[{CONTEXT}\]\nexten => (\w+),1,NoOp\(\)\n", re.MULTILINE)


def shipped() -> str:
    """The text of the file that this version ships."""
    return (files("telephony") / "dialplan" / "switchhook.conf").read_text(encoding="utf-8")


def version(text: str) -> str:
    """The version that the file carries; empty when it carries none."""
    found = _LINE.search(text)
    return found[1] if found else ""


def digest(text: str) -> str:
    """The version that it ought to carry: of what Asterisk does by it, not of what is said beside."""
    lines = (line.partition(" ;")[0].strip() for line in _LINE.sub("", text).splitlines())
    told = "\n".join(line for line in lines if line and not line.startswith(";"))
    return f"v{hashlib.sha256(told.encode()).hexdigest()[:10]}"
