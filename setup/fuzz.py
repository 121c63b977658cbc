"""Schemathesis, which asks the API whatever its description allows: in an environment of its own, locked by hash.

Its libraries are others than the service's and its tests', and none of them is needed by anything else.
"""

from __future__ import annotations

import shutil

from setup.environment import PYTHON, UV
from setup.steps import ROOT, fingerprint, run, say

PART = "fuzz"
FOLDER = ROOT / "var" / "fuzz"
PROGRAM = FOLDER / "bin" / "schemathesis"
_LOCK = ROOT / "requirements/fuzz.txt"
_STAMP = FOLDER / ".switchhook"
_REGISTRY = "Is the Python package registry reachable from here?"


def ready() -> bool:
    """Whether it is there as the lock file asks for."""
    return _STAMP.exists() and PROGRAM.exists() and _STAMP.read_text() == _wanted()


def make() -> None:
    """Make the environment anew when it is not."""
    if ready():
        return
    shutil.rmtree(FOLDER, ignore_errors=True)
    say(PART, "installing Schemathesis (30 packages, once)")
    run(PART, [str(UV), "venv", "-q", f"--python={PYTHON}", str(FOLDER)], help_text="The lines above say why.")
    install = [str(UV), "pip", "install", "-q", f"--python={FOLDER}/bin/python", "--require-hashes"]
    run(PART, [*install, "-r", str(_LOCK)], help_text=_REGISTRY)
    _STAMP.write_text(_wanted())


def _wanted() -> str:
    return fingerprint(_LOCK, str(ROOT))
