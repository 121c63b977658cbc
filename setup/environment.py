"""The virtual environment: uv, every locked dependency checked by hash, and this checkout as the package switchhook."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys

from setup.steps import ROOT, VENV, SetupError, apt_install, fingerprint, run, say

PART = "python"
PYTHON = VENV / "bin" / "python"
UV = VENV / "bin" / "uv"
_STAMP = VENV / ".switchhook"
_REGISTRY = "Is the Python package registry reachable from here? Behind a proxy set HTTPS_PROXY; run it again then."


def ready() -> bool:
    """Whether the environment is the one that the lock files and pyproject.toml ask for."""
    return _STAMP.exists() and PYTHON.exists() and _STAMP.read_text() == _wanted()


def make() -> None:
    """Bring the environment up to date."""
    if ready():
        return
    _STAMP.unlink(missing_ok=True)
    if not _works():
        _create()
    run(
        PART,
        [str(PYTHON), "-m", "pip", "install", "-q", "--require-hashes", "-r", "requirements/bootstrap.txt"],
        help_text=_REGISTRY,
    )
    say(PART, "installing the locked dependencies (about 100 packages, once)")
    install = [str(UV), "pip", "install", f"--python={PYTHON}"]
    run(PART, [*install, "--require-hashes", "-r", "requirements/dev.txt"], help_text=_REGISTRY)
    run(PART, [*install, "-q", "--no-deps", "--no-build-isolation", "-e", "."], help_text="The lines above say why.")
    _STAMP.write_text(_wanted())
    say(PART, f"ready in {VENV}")


def _wanted() -> str:
    locks = [ROOT / "requirements" / name for name in ("bootstrap.txt", "dev.txt")]
    import tomllib  # not at the top: an older Python must reach the words that refuse it

    # Of pyproject.toml only what is installed: a changed lint rule needs no new environment.
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return fingerprint(*locks, json.dumps(project), str(ROOT))


def _works() -> bool:
    """A half-made environment, or one whose Python was upgraded away, does not."""
    if not PYTHON.exists():
        return False
    return subprocess.run([PYTHON, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def _create() -> None:
    if importlib.util.find_spec("ensurepip") is None:
        version = f"python3.{sys.version_info.minor}-venv"
        apt_install(PART, ("python3-venv", version), "Python's venv module is not complete here")
    say(PART, f"making a virtual environment with Python {sys.version.split()[0]}")
    if VENV.exists():
        shutil.rmtree(VENV)
    done = subprocess.run([sys.executable, "-m", "venv", VENV], capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"{PART}: the virtual environment cannot be made: {(done.stderr or done.stdout).strip()}"
        raise SetupError(message)
