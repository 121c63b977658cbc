"""Takes one fault out of Debian's Asterisk for our own private PBX: `python3 -m setup.debian_asterisk PROGRAM`.

Debian builds Asterisk with an addition for lost packets (its package's component "cs6"). It compares the sequence
numbers of RTP packets also where the stream is a new one. After a transfer the colleague's first packets count as old
ones, in half of all calls, and for up to eleven minutes nothing of them is translated, so nothing is recorded; or they
count as up to 32,768 lost ones, whose sound is made up while the channel stands still, for seconds and longer: nobody
on it is heard, and that they hung up is not seen. The Asterisk project's own releases do not have it. Found with a
debugger in 22.10.1+dfsg+~cs6.17 on x86-64: there one branch, always taken, is as if no packet were ever lost. The
program's version says that it was mended.
"""

from __future__ import annotations

import sys
from pathlib import Path

_FIRST_OF_A_STREAM = bytes.fromhex("8b978800000081faffff0000")
"""In ast_translate: whether there was a packet before this one (mov, cmp $0xffff)."""
_IF_NOT, _ALWAYS = b"\x77", b"\xeb"
"""What goes on with no packet lost (ja and jmp, with one byte of where to)."""
_VERSION, _MENDED = b"+dfsg+~cs6.", b"+dfsg+mnd2."
_HALF_MENDED = b"+dfsg+mend."
"""Mended by us before: no packet was old any more, and more counted as lost."""


def mend(program: Path) -> bool:
    """Mend the program where it stands, in one step; False when it is another build, which stays as it is."""
    code = program.read_bytes()
    branch = _FIRST_OF_A_STREAM + _IF_NOT
    if code.count(branch) != 1 or code.count(_VERSION) + code.count(_HALF_MENDED) != 1:
        return False
    code = code.replace(branch, _FIRST_OF_A_STREAM + _ALWAYS)
    mended = code.replace(_VERSION, _MENDED).replace(_HALF_MENDED, _MENDED)
    new = program.with_name(f".{program.name}.mended")
    new.write_bytes(mended)
    new.chmod(program.stat().st_mode & 0o7777)
    new.replace(program)
    return True


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(f"{name}: {'mended' if mend(Path(name)) else 'another build, left as it is'}")
