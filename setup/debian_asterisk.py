"""Takes one fault out of Debian's Asterisk for our own private PBX: `python3 -m setup.debian_asterisk PROGRAM`.

Debian builds Asterisk with an addition for lost packets (its package's component "cs6"). It compares the sequence
numbers of RTP packets also where the stream is a new one: after a transfer the colleague's first packets count as old
ones, in half of all calls, and for up to eleven minutes nothing of them is translated, so nothing is recorded. The
Asterisk project's own releases do not have it. Found with a debugger in 22.10.1+dfsg+~cs6.17 on x86-64: there one
branch is enough. The program's version says that it was mended.
"""

from __future__ import annotations

import sys
from pathlib import Path

_AGE = bytes.fromhex("4129d44183ec014489e03d00800000")
"""How far behind the last packet this one is, in ast_translate: sub, sub 1, mov, cmp $0x8000."""
_LEAVE = bytes.fromhex("0f87")
"""Give up this packet (ja, with four bytes of where to)."""
_VERSION, _MENDED = b"+dfsg+~cs6.", b"+dfsg+mend."


def mend(program: Path) -> bool:
    """Mend the program where it stands, in one step; False when it is another build, which stays as it is."""
    code = program.read_bytes()
    if code.count(_AGE + _LEAVE) != 1 or code.count(_VERSION) != 1:
        return False
    at = code.index(_AGE + _LEAVE) + len(_AGE)
    mended = (code[:at] + b"\x90" * 6 + code[at + 6 :]).replace(_VERSION, _MENDED)
    new = program.with_name(f".{program.name}.mended")
    new.write_bytes(mended)
    new.chmod(program.stat().st_mode & 0o7777)
    new.replace(program)
    return True


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {'mended' if mend(Path(name)) else 'another build, left as it is'}")
