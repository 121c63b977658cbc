#!/usr/bin/env python3
"""Send the recordings of this PBX to Switchhook, and remove each one when Switchhook has it whole.

Asterisk runs it when a recording is closed (SWITCHHOOK_UPLOAD in switchhook.conf); it goes into the background at once.
A timer runs it too, for what a broken network or a restart left behind. However it is run, and whatever files it is
told of, it sends everything in the spool folder that is closed; a second one that starts meanwhile leaves it to the
first. It needs Python 3.8 or newer, and nothing besides.

/etc/switchhook-upload.conf, readable by Asterisk's user alone:

    [switchhook]
    url = https://switchhook.example          the service's address
    pbx = main                                this PBX's name in the service's settings
    token_file = /etc/switchhook-upload.token what `switchhook recordings token main` printed
    spool = /var/spool/asterisk/switchhook    SWITCHHOOK_RECORDINGS
    ca_file = /etc/switchhook-ca.pem          only when the certificate is your own
    bytes_per_second = 1000000                at most, so that voices keep their share of the line; 0: no limit

Exit status: 0 sent or begun, 1 something was left for later (with --wait), 2 the configuration cannot be used.
"""

from __future__ import annotations

import argparse
import configparser
import fcntl
import hashlib
import http.client
import json
import os
import re
import ssl
import stat
import sys
import syslog
import time
from dataclasses import dataclass
from typing import IO, Iterator, NoReturn
from urllib.parse import quote, urlencode, urlsplit

CONFIG = "/etc/switchhook-upload.conf"
PIECE_BYTES = 512 * 1024  # many proxies take a megabyte at most
ANSWER_SECONDS = 30.0
PATIENCE_SECONDS = 600.0  # then the next call, or the timer, goes on
LONGEST_WAIT_SECONDS = 60.0
MESSAGE_SECONDS = 60.0  # a second message of the same call is added to the first
TORN_SECONDS = 12 * 3600.0  # longer than any call: Asterisk died before it closed this file
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}-(?:caller|staff)\.wav")
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


class ConfigError(Exception):
    """The configuration cannot be used."""


class LaterError(Exception):
    """It may work in a while: the network, the service or its disk."""


class RefusedError(Exception):
    """The service takes nothing from us as we are set up."""


class FileRefusedError(Exception):
    """The service does not take this file now; it stays here, the others go on, and the next run tries it again."""


@dataclass(frozen=True)
class Config:
    """What the configuration file says."""

    url: str
    pbx: str
    token: str
    spool: str
    ca_file: str | None
    bytes_per_second: int


def read_config(path: str) -> Config:
    """Read the configuration. Raises ConfigError."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        with open(path, encoding="utf-8") as file:
            parser.read_file(file)
        section = parser["switchhook"]
        with open(section["token_file"], encoding="utf-8") as file:
            token = file.read().strip()
        config = Config(
            url=section["url"].rstrip("/"),
            pbx=section["pbx"],
            token=token,
            spool=section["spool"],
            ca_file=section.get("ca_file"),
            bytes_per_second=section.getint("bytes_per_second", 1_000_000),
        )
    except KeyError as error:
        raise ConfigError(f"{path}: {error.args[0]!r} is missing") from None
    except (OSError, configparser.Error, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from None
    parts = urlsplit(config.url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ConfigError(f"{path}: url: must begin with https://, got {config.url!r}")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ConfigError(f"{path}: url: what was said and the token need https://, got {config.url!r}")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ConfigError(f"{path}: token_file: must hold one token")
    if not os.path.isdir(config.spool):
        raise ConfigError(f"{path}: spool: there is no folder {config.spool!r}")
    return config


class Service:
    """The service's side: where it stands with a file, and the next piece of it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        parts = urlsplit(config.url)
        self._path = parts.path
        self._host = parts.hostname or ""
        self._port = parts.port
        self._tls = ssl.create_default_context(cafile=config.ca_file) if parts.scheme == "https" else None
        self._connection: http.client.HTTPConnection | None = None

    def offset(self, name: str, sha256: str, size: int) -> int:
        """How many bytes of the file it has; all of them: it is safe there."""
        return self._ask("GET", name, {"sha256": sha256, "size": size}, None)

    def send(self, name: str, sha256: str, size: int, offset: int, piece: bytes) -> int:
        """Send a piece; how many bytes it has now."""
        return self._ask("PUT", name, {"sha256": sha256, "size": size, "offset": offset}, piece)

    def close(self) -> None:
        """Let the connection go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(self, method: str, name: str, query: dict[str, object], body: bytes | None) -> int:
        path = f"{self._path}/api/v1/uploads/{quote(self._config.pbx, safe='')}/{quote(name, safe='')}"
        headers = {"Authorization": f"Bearer {self._config.token}"}
        if body is not None:
            headers["Content-Type"] = "application/octet-stream"
        try:
            if self._connection is None:
                self._connection = self._connect()
            self._connection.request(method, f"{path}?{urlencode(query)}", body, headers)
            answer = self._connection.getresponse()
            told = answer.read(64 * 1024)
            if answer.will_close:
                self.close()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise LaterError(f"{type(error).__name__}: {error}") from error
        return _offset(answer.status, told, int(str(query["size"])))

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=ANSWER_SECONDS)
        return http.client.HTTPSConnection(self._host, self._port, timeout=ANSWER_SECONDS, context=self._tls)


def _offset(status: int, told: bytes, size: int) -> int:
    """Read an answer. Raises LaterError, RefusedError, FileRefusedError."""
    try:
        answer = json.loads(told)
    except ValueError:
        answer = None
    said = f"{status} {answer.get('detail', '') if isinstance(answer, dict) else ''}".strip()
    if status in {200, 201, 202} and isinstance(answer, dict):
        offset = answer.get("offset")
        if isinstance(offset, int) and 0 <= offset <= size:
            return offset
    if status in {401, 403, 404}:
        raise RefusedError(said)
    if status in {400, 409, 413, 422}:
        raise FileRefusedError(said)
    raise LaterError(said)


def ready(spool: str, now: float) -> tuple[list[str], float | None]:
    """The names of the files to send, oldest first, and in how many seconds another one will be (None: none waits)."""
    found: list[tuple[float, str]] = []
    waits: list[float] = []
    for name in os.listdir(spool):
        if not NAME.fullmatch(name):
            continue
        try:
            handle = os.open(os.path.join(spool, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            continue
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode) or not status.st_size:
                continue
            head = file.read(8)
        quiet = now - status.st_mtime
        # Asterisk writes the length into the header when it closes the file, not before.
        closed = head[:4] == b"RIFF" and status.st_size - 8 - int.from_bytes(head[4:8], "little") in {0, 1}
        wanted = TORN_SECONDS if not closed else MESSAGE_SECONDS if name.endswith("-message-caller.wav") else 0.0
        if quiet >= wanted:
            found.append((status.st_mtime, name))
        elif closed:
            waits.append(wanted - quiet)
    return [name for _, name in sorted(found)], min(waits, default=None)


def send(config: Config, service: Service, name: str) -> None:
    """Send one file and remove it. Raises LaterError, RefusedError, FileRefusedError, OSError."""
    path = os.path.join(config.spool, name)
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(handle, "rb") as file:
        before = os.fstat(handle)
        sha256 = _digest(file)
        offset = service.offset(name, sha256, before.st_size)
        while offset < before.st_size:
            file.seek(offset)
            piece = file.read(PIECE_BYTES)
            if not piece:
                raise LaterError("the file became shorter")
            offset = service.send(name, sha256, before.st_size, offset, piece)
            if config.bytes_per_second > 0:
                time.sleep(len(piece) / config.bytes_per_second)
        after = os.stat(path, follow_symlinks=False)
    if (after.st_ino, after.st_size, after.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
        raise LaterError("the file changed while it was sent")
    os.unlink(path)


def _digest(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()


def waits() -> Iterator[float]:
    """Seconds between tries: 1, 2, 4 … a minute."""
    seconds = 1.0
    while True:
        yield seconds
        seconds = min(seconds * 2, LONGEST_WAIT_SECONDS)


def work(config: Config, until: float) -> bool:
    """Send all there is; True when nothing that could be sent is left."""
    refused: set[str] = set()
    service, pauses = Service(config), waits()
    try:
        while True:
            names, next_in = ready(config.spool, time.time())
            names = [name for name in names if name not in refused]
            if not names and next_in is None:
                return not refused
            if not names and next_in is not None:
                if time.monotonic() + next_in > until:
                    return False
                time.sleep(next_in)
                continue
            for name in names:
                try:
                    send(config, service, name)
                    pauses = waits()
                except FileNotFoundError:
                    continue
                except (FileRefusedError, OSError) as error:
                    refused.add(name)
                    log(f"{name} is not taken and stays here: {error}")
                except LaterError as error:
                    pause = next(pauses)
                    log(f"{name} cannot be sent now: {error}")
                    if time.monotonic() + pause > until:
                        return False
                    time.sleep(pause)
                    break
    except RefusedError as error:
        log(f"refused, nothing is sent: {error}; look at url, pbx and token_file")
        return False
    finally:
        service.close()


def alone(config: Config) -> bool:
    """Work, unless another one does; it looks once more when it is done, so nothing that came meanwhile is left."""
    mark = os.path.join(config.spool, ".switchhook-upload.again")
    until = time.monotonic() + PATIENCE_SECONDS
    with open(mark, "wb"):
        pass
    well = True
    while os.path.exists(mark):
        with open(os.path.join(config.spool, ".switchhook-upload.lock"), "wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            try:
                os.unlink(mark)
            except FileNotFoundError:
                pass
            well = work(config, until)
    return well


def log(line: str) -> None:
    """Tell the system's log, and whoever waits at a terminal."""
    syslog.syslog(syslog.LOG_WARNING, line)
    print(f"switchhook-upload: {line}", file=sys.stderr)


def into_background() -> None:
    """Return in a process of its own, which Asterisk does not wait for; the one that Asterisk started ends here."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    os.closerange(3, 4096)
    os.nice(10)


def main() -> NoReturn:
    """Read the configuration and send."""
    parser = argparse.ArgumentParser(prog="switchhook-upload", description="Send this PBX's recordings to Switchhook.")
    parser.add_argument("--config", default=CONFIG, help=f"default {CONFIG}")
    parser.add_argument("--wait", action="store_true", help="stay in the foreground and tell how it went")
    parser.add_argument("files", nargs="*", help="what Asterisk has just closed; everything closed is sent anyway")
    told = parser.parse_args()
    syslog.openlog("switchhook-upload")
    try:
        config = read_config(told.config)
    except ConfigError as error:
        log(str(error))
        sys.exit(2)
    if not told.wait:
        into_background()
    try:
        well = alone(config)
    except OSError as error:
        log(f"the spool folder cannot be used: {error}")
        well = False
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
