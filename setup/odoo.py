"""Fetch Odoo 19 Community for `make test-odoo` into the cache; nothing is installed: `python3 -m setup.odoo`.

Debian's unstable suite carries Odoo as a package for every architecture, which wants a Python between 3.10 and 3.13:
Python and all that Odoo imports come from Debian 13, unpacked beside it, so the machine's own Python does not matter.
As Asterisk is fetched (`setup/asterisk.py`): apt verifies every package, and the tree is there whole or not at all.
`phonenumbers`, which Odoo uses where it is installed, is in a tree of its own, so that both can be tried.
`tests/odoo/private_odoo.py` starts what this file put there.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Final

from setup.asterisk import SHARED, PrivateApt, SetupError, cache_folder, keep, only_one, whole

STABLE: Final = "trixie"
UNSTABLE: Final = "unstable"
# tzdata: Odoo's users have time zones, and a slim image of Debian knows none.
ODOO: Final = ("odoo-19", "tzdata")
NUMBERS: Final = ("python3-phonenumbers",)


def odoo_folder() -> Path:
    """Where it is kept; as Asterisk's, in /var/cache when root fetches it, for an ordinary user runs it."""
    if os.geteuid() == 0 and "SWITCHHOOK_CACHE" not in os.environ and "XDG_CACHE_HOME" not in os.environ:
        return SHARED.parent / "odoo"
    return cache_folder() / "odoo"


def fetch() -> None:
    """Bring the cache up to what the tests need; does nothing when it is there and whole."""
    home = odoo_folder()
    with only_one(cache_folder()):
        if not (whole(home / "server", ODOO) and whole(home / "numbers", NUMBERS)):
            with tempfile.TemporaryDirectory(dir=cache_folder(), prefix=".apt-") as temporary:
                apt = PrivateApt(Path(temporary), (STABLE, UNSTABLE))
                apt.update()
                print("odoo: downloading Odoo 19 and the Python that it runs on (about 215 MB, once)", flush=True)
                keep(apt.download(ODOO, closure=True), ODOO, home / "server")
                keep(apt.download(NUMBERS, closure=False), NUMBERS, home / "numbers")
        print(f"odoo: ready in {home}", flush=True)


if __name__ == "__main__":
    try:
        fetch()
    except SetupError as problem:
        sys.exit(f"odoo: {problem}")
