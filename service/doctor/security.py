"""What would let others in: files that anybody reads, secrets that anybody guesses, ports that anybody reaches."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import struct
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Final

from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from calls.database import plain
from service import secret_files
from service.doctor.check import Check
from service.doctor.look import Known, aside
from service.doctor.people import named
from service.settings import Settings, file_in_use
from web import users

OTHERS_READ: Final = 0o004
OTHERS_WRITE: Final = 0o002
OTHERS: Final = OTHERS_READ | OTHERS_WRITE
"""Of a file's mode: anybody on the machine may read or write it."""

_SECRET_LEAST: Final = 12
_GUESSED: Final = frozenset(
    {
        *("@SECRET@", "secret", "mysecret", "password", "changeme", "switchhook", "asterisk", "admin", "administrator"),
        *(
            "amp111",
            "freepbx",
            "postgres",
            "12345678",
            "123456789",
            "1234567890",
            "qwertyuiop",
            "passw0rd",
            "qwerty123",
        ),
    }
)
"""What manuals, examples and FreePBX set, and people who are in a hurry."""

_OF_LOGINS: Final = ("password", "12345678", "switchhook")
_LOGINS_MOST: Final = 10
_ADMINS = text(
    "select login, password_hash from users where role = 'admin' and disabled_at is null and password_hash is not null"
    " order by id limit :most"
)
_LISTENS: Final = "0A"
_LOCAL: Final = re.compile(r"(\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")

Address = IPv4Address | IPv6Address


async def files(settings: Settings) -> list[Check]:
    """Whether others on this machine may read the settings' secrets, the database or the recordings."""
    return [await aside(_files, settings)]


def _files(settings: Settings) -> Check:
    told, handed = file_in_use(), secret_files.folder()
    secret = [path for path in (told, *secret_files.files()) if path is not None and is_open(path)]
    # Its list of names tells nothing; who may put a file there tells us settings.
    if handed is not None and is_open(handed, OTHERS_WRITE):
        secret.append(handed)
    folders = [settings.data_dir, settings.recordings_store, *map(settings.recordings_of, settings.pbx)]
    open_ones = [*secret, *(path for path in dict.fromkeys(folders) if path is not None and is_open(path))]
    if open_ones:
        listed = [str(path) for path in open_ones]
        why = f"anybody on this machine may read or write {named(listed)}"
        return Check("files", "fail" if secret else "warn", why, f"chmod o-rwx {' '.join(listed)}")
    return Check("files", "ok", "closed to other users of this machine")


def is_open(path: Path, rights: int = OTHERS) -> bool:
    """Whether others have these rights there: every folder above lets them through, and it lets them in.

    A file that is mounted by itself is in a container, where nobody else is: who mounted it keeps it.
    """
    if not path.exists() or (path.is_file() and os.path.ismount(path)):
        return False
    whole = path.resolve()
    return bool(whole.stat().st_mode & rights) and all(above.stat().st_mode & 0o001 for above in whole.parents)


async def secrets(settings: Settings) -> list[Check]:
    """Whether a secret of the settings is one that is tried first."""
    told = {f"secret of pbx {pbx.name}": (pbx.secret.get_secret_value(), pbx.username) for pbx in settings.pbx}
    if settings.database_url is not None:
        parts = conninfo_to_dict(plain(settings.database_url.get_secret_value()))
        if parts.get("password") and not is_loopback(str(parts.get("host") or "localhost")):
            told["password of database_url"] = (str(parts["password"]), str(parts.get("user")))
    weak = [name for name, (secret, user) in told.items() if is_guessed(secret, user)]
    if weak:
        remedy = "openssl rand -hex 24, in the settings and on the other side"
        return [Check("secrets", "fail", f"easily guessed: {', '.join(weak)}", remedy)]
    return [Check("secrets", "ok", f"{len(told)} looked at, none easily guessed")]


def is_guessed(secret: str, user: str) -> bool:
    """Whether it is short, usual, or the name of who has it."""
    return len(secret) < _SECRET_LEAST or secret.casefold() in _GUESSED or secret.casefold() == user.casefold()


async def passwords(known: Known) -> list[Check]:
    """Whether an admin has a password that is tried first; each try takes a moment of a processor, so few are made.

    How many have one is told, and not who: a check is stored and told to operators, and whoever reads it could come in.
    """
    async with known.engine.connect() as connection:
        admins = (await connection.execute(_ADMINS, {"most": _LOGINS_MOST})).all()
    weak = 0
    for login, hashed in admins:
        for tried in dict.fromkeys((login, f"{login}{login}", *_OF_LOGINS)):
            if len(tried) >= users.PASSWORD_LEAST and await users.password_fits(tried, hashed):
                weak += 1
                break
    if weak:
        remedy = "a new one for each admin of `switchhook user list`: switchhook user passwd LOGIN"
        return [Check("passwords", "fail", f"of {len(admins)} admins {weak} with one that is tried first", remedy)]
    return [Check("passwords", "ok", f"{len(admins)} admins, none with one that is tried first")]


async def ports(settings: Settings) -> list[Check]:
    """Whether more than this machine reaches what is to be behind a proxy, or is nobody's business."""
    return [await aside(_ports, settings)]


def _ports(settings: Settings) -> Check:
    own = own_addresses()
    open_ones = []
    if not settings.web.secure and not is_loopback(settings.web.host):
        open_ones.append(f"the pages at {settings.web.host}:{settings.web.port}, without TLS")
    if is_outside(settings.metrics.host, own):
        open_ones.append(f"the metrics at {settings.metrics.host}:{settings.metrics.port}")
    listened = list(listening())
    for pbx in settings.pbx:
        wide = {str(at) for at, port in listened if port == pbx.port and not at.is_loopback}
        if is_loopback(pbx.host) and not pbx.tls and wide:
            open_ones.append(f"the manager interface of pbx {pbx.name} at {', '.join(sorted(wide))}:{pbx.port}")
    if open_ones:
        remedy = "web.host, metrics.host, bindaddr of manager.conf: 127.0.0.1; or a TLS proxy and web.secure"
        return Check("ports", "warn", f"open to more than this machine: {'; '.join(open_ones)}", remedy)
    return Check("ports", "ok", "pages, metrics and the manager interface are closed to the outside")


def is_loopback(host: str) -> bool:
    """Whether this machine alone reaches it."""
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_outside(host: str, own: list[Address]) -> bool:
    """Whether what listens on `host` is reachable from the internet, by the addresses that this machine has."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(one.is_global for one in own) if address.is_unspecified else address.is_global


def own_addresses() -> list[Address]:
    """This machine's addresses, as Linux lists them; none where it does not."""
    found: list[Address] = []
    older, newer = Path("/proc/net/fib_trie"), Path("/proc/net/if_inet6")
    if older.exists():
        found += map(IPv4Address, set(_LOCAL.findall(older.read_text())))
    if newer.exists():
        lines = newer.read_text().splitlines()
        found += [IPv6Address(bytes.fromhex(line.split()[0])) for line in lines]
    return found


def listening() -> Iterator[tuple[Address, int]]:
    """(address, port) of every TCP port that something listens on, as Linux lists them."""
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == _LISTENS:
                at, _, port = local.partition(":")
                yield _address(at), int(port, 16)


def _address(told: str) -> Address:
    """An address as Linux writes it: words of 32 bits, each in the machine's order of bytes."""
    words = [int(told[at : at + 8], 16) for at in range(0, len(told), 8)]
    packed = struct.pack(f"={len(words)}I", *words)
    text = socket.inet_ntop(socket.AF_INET if len(words) == 1 else socket.AF_INET6, packed)
    return ipaddress.ip_address(text)
