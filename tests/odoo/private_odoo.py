"""A private Odoo 19 on the loopback, on a PostgreSQL of its own: what `setup/odoo.py` fetched, as an ordinary user.

Debian's Python runs from the unpacked tree by the loader beside it; nothing of the machine's own Python is used.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import re
import signal
import tempfile
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from service.installed import NotInstalledError, cache_folders
from service.ports import free_port
from service.postgres import Postgres

DATABASE: Final = "crm"
_ORDINARY_USER: Final = 65534
_READY_SECONDS: Final = 120.0
_MAKE_SECONDS: Final = 400.0
_QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# A user with the right that docs/how_to/connect_odoo.md asks for, two colleagues, and a key as an administrator makes.
_MAKE_USERS: Final = """
from datetime import datetime, timedelta
def user(name, right, **more):
    groups = [env.ref('base.group_user').id, env.ref('sales_team.' + right).id]
    return env['res.users'].create({'name': name, 'login': name.lower(), 'group_ids': [(6, 0, groups)], **more})
env.company.country_id = env.ref('base.ru')
we = user('Switchhook', 'group_sale_salesman_all_leads')
anna = user('Anna', 'group_sale_salesman', phone='101', tz='Europe/Moscow')
boris = user('Boris', 'group_sale_salesman', phone='102', tz='Asia/Vladivostok')
ends = datetime.now() + timedelta(days=30)
key = env['res.users.apikeys'].with_user(we)._generate('rpc', 'Switchhook', ends)
admin_key = env['res.users.apikeys'].with_user(env.ref('base.user_admin'))._generate('rpc', 'Tests', ends)
env.cr.commit()
print('MADE', key, admin_key, anna.id, boris.id)
"""


@dataclass(frozen=True, slots=True)
class RealOdoo:
    """A running server: `key` lets in our user, `users` are the ids of persons there."""

    url: str
    key: str
    users: Mapping[str, str]
    admin_key: str = ""

    def ask(self, model: str, method: str, **named: Any) -> Any:
        """Call a method by JSON-2, past any adapter."""
        request = urllib.request.Request(  # noqa: S310 - our own server on the loopback
            f"{self.url}/json/2/{model}/{method}",
            data=json.dumps(named).encode(),
            headers={"Authorization": f"bearer {self.key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return json.loads(answer.read())

    def file(self, attachment: int) -> bytes:
        """The bytes of an attachment."""
        (row,) = self.ask("ir.attachment", "read", ids=[attachment], fields=["datas"])
        return base64.b64decode(row["datas"])


@dataclass(frozen=True, slots=True)
class House:
    """A database with the CRM in it, to be served once or several times."""

    folder: Path
    key: str
    admin_key: str
    users: Mapping[str, str]

    @asynccontextmanager
    async def serve(self, *, numbers: bool) -> AsyncIterator[RealOdoo]:
        """A server; `numbers`: with the library that reads telephone numbers, which Odoo does not need."""
        port = free_port()
        with (self.folder / f"server-{port}.log").open("wb") as said:
            arguments = ("-d", DATABASE, "--db-filter", f"^{DATABASE}$", "--http-port", str(port))
            process = await _begin(self.folder, arguments, said, numbers=numbers)
            try:
                url = f"http://127.0.0.1:{port}"
                async with asyncio.timeout(_READY_SECONDS):
                    while not await asyncio.to_thread(_healthy, url):
                        assert process.returncode is None, said.name
                        await asyncio.sleep(0.1)
                yield RealOdoo(url, self.key, self.users, self.admin_key)
            finally:
                await _end(process)


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    """Make the database and its users, about half a minute on a quiet machine."""
    with tempfile.TemporaryDirectory(prefix="switchhook-odoo-") as temporary:
        folder = Path(temporary)
        folder.chmod(0o711)  # ordinary users run both servers
        async with Postgres(folder / "postgres", settings=_QUICK) as postgres:
            _lay_out(folder, postgres.dsn)
            with (folder / "made.log").open("wb") as said:
                made = await _begin(folder, ("-d", DATABASE, "-i", "crm,base_automation", "--stop-after-init"), said)
                assert await asyncio.wait_for(made.wait(), _MAKE_SECONDS) == 0, said.name
            with (folder / "users.log").open("wb") as said:
                process = await _begin(folder, ("shell", "-d", DATABASE, "--no-http"), said, told=_MAKE_USERS)
                assert await asyncio.wait_for(process.wait(), _MAKE_SECONDS) == 0
            found = re.search(r"MADE (\w+) (\w+) (\d+) (\d+)", (folder / "users.log").read_text())
            assert found, (folder / "users.log").read_text()[-2000:]
            key, admin_key, anna, boris = found.groups()
            yield House(folder, key, admin_key, {"anna": anna, "boris": boris})


def _tree(name: str) -> Path:
    for cache in cache_folders():
        if (tree := cache / "odoo" / name).is_dir():
            return tree
    message = "Odoo is missing. Run `python3 -m setup.odoo` in the checkout."
    raise NotInstalledError(message)


def _lay_out(folder: Path, dsn: str) -> None:
    found = re.fullmatch(r"postgresql://(\w+):([^@]+)@([\d.]+):(\d+)/\w+", dsn)
    assert found
    user, password, host, port = found.groups()
    settings = {
        "addons_path": _tree("server") / "usr/lib/python3/dist-packages/odoo/addons",
        "data_dir": folder / "data",
        "db_host": host,
        "db_port": port,
        "db_user": user,
        "db_password": password,
        "http_interface": "127.0.0.1",
        "list_db": False,
        "max_cron_threads": 0,
        "without_demo": True,
        "log_level": "warn",
    }
    (folder / "odoo.conf").write_text(
        "[options]\n" + "".join(f"{name} = {value}\n" for name, value in settings.items())
    )
    (folder / "data").mkdir()
    if os.geteuid() == 0:
        for path in (folder / "odoo.conf", folder / "data"):
            os.chown(path, _ORDINARY_USER, _ORDINARY_USER)
    (folder / "odoo.conf").chmod(0o600)


async def _begin(
    folder: Path, arguments: tuple[str, ...], said: Any, *, numbers: bool = False, told: str = ""
) -> asyncio.subprocess.Process:
    """Start Odoo with `arguments`, telling it `told`; it ends with us, however we end."""
    tree = _tree("server")
    loader = next(tree.glob("usr/lib64/ld-linux-*.so.*"), None) or next(tree.glob("usr/lib/*/ld-linux-*.so.*"))
    libraries = next(tree.glob("usr/lib/*-linux-gnu*/libc.so.6")).parent
    python = next(tree.glob("usr/bin/python3.[0-9][0-9]"))
    command, *rest = arguments if arguments[0] == "shell" else ("server", *arguments)
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder / "data"),
        "LC_ALL": "C.UTF-8",
        "PYTHONHOME": str(tree / "usr"),
        "PYTHONPYCACHEPREFIX": str(folder / "data/compiled"),
        "PYTZ_TZDATADIR": str(tree / "usr/share/zoneinfo"),
        "PYTHONTZPATH": str(tree / "usr/share/zoneinfo"),
    }
    if numbers:
        environment["PYTHONPATH"] = str(_tree("numbers") / "usr/lib/python3/dist-packages")
    who = [f"--reuid={_ORDINARY_USER}", f"--regid={_ORDINARY_USER}", "--clear-groups"] if os.geteuid() == 0 else []
    start = ("setpriv", *who, "--pdeathsig=KILL", "--", str(loader), "--library-path", str(libraries), str(python))
    process = await asyncio.create_subprocess_exec(
        *(*start, str(tree / "usr/bin/odoo"), command, "-c", str(folder / "odoo.conf"), *rest),
        cwd=folder / "data",
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=said,
        stderr=said,
        process_group=0,
    )
    assert process.stdin is not None
    process.stdin.write(told.encode())
    process.stdin.close()
    return process


async def _end(process: asyncio.subprocess.Process) -> None:
    for insistence in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            return
        process.send_signal(insistence)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 20)


def _healthy(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/web/health", timeout=5) as answer:  # noqa: S310 - our own on the loopback
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
