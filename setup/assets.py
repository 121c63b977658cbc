"""The front-end's files, fetched by the same code that packs them into a wheel: `hatch_build.py`."""

from __future__ import annotations

import tempfile
from pathlib import Path

from setup.environment import PYTHON, UV
from setup.steps import ROOT, fingerprint, run, say

PART = "assets"
_VENDOR = ROOT / "web/static/vendor"
_STAMP = _VENDOR / ".setup"
_REGISTRY = "Are the Python and npm package registries reachable from here? Run it again then."


def ready() -> bool:
    """Whether the files are those that the lock file asks for."""
    return _STAMP.exists() and _STAMP.read_text() == _wanted()


def make() -> None:
    """Fetch the files. npm comes in a wheel for the moment it is needed; nothing of Node stays."""
    if ready():
        return
    say(PART, "fetching htmx, wavesurfer, the font Inter, and axe for tests (with npm from a 60 MB wheel, once)")
    with tempfile.TemporaryDirectory(dir=ROOT / "var", prefix="assets-") as temporary:
        python = Path(temporary, "bin/python")
        run(PART, [str(UV), "venv", "-q", f"--python={PYTHON}", temporary], help_text=_REGISTRY)
        install = [str(UV), "pip", "install", "-q", f"--python={python}", "--require-hashes"]
        run(PART, [*install, "-r", "requirements/build.txt"], help_text=_REGISTRY)
        run(PART, [str(python), "hatch_build.py"], help_text=_REGISTRY)
    _STAMP.write_text(_wanted())
    say(PART, f"ready in {_VENDOR.relative_to(ROOT)}")


def _wanted() -> str:
    made_from = ("hatch_build.py", "web/assets/package.json", "web/assets/package-lock.json", "requirements/build.txt")
    return fingerprint(*(ROOT / name for name in made_from))
