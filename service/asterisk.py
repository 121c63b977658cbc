"""A private Asterisk for the demo, the lab tests and the bench: own folder, own free ports, nothing left behind.

Facts (seen on Asterisk 22.10): started as root, Asterisk's own -U drops the right to write other users' files, so
`setpriv` changes the user before; it also makes the kernel end Asterisk when this process dies, however it dies.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from service.installed import Installation, locate

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

# Debian's `nobody`: owns nothing, and every system has it.
ORDINARY_USER = 65534
BOOT_SECONDS = 20.0
VERSION = "core show version"
STOP_SECONDS = 10.0
FIRST_PORT, PORTS_EACH, BLOCKS = 10000, 700, 32
SIP, AMI, TRUNK, FIRST_RTP = 0, 1, 2, 100

# What calls, transfers, queues, parking, recording and CEL need, of some 350 modules.
MODULES = """
pbx_config res_timing_timerfd res_pjproject res_sorcery_config res_sorcery_memory res_sorcery_astdb
res_pjsip res_pjsip_session res_pjsip_sdp_rtp res_pjsip_registrar res_pjsip_authenticator_digest
res_pjsip_outbound_authenticator_digest res_pjsip_outbound_registration
res_pjsip_endpoint_identifier_ip res_pjsip_endpoint_identifier_user res_pjsip_caller_id
res_pjsip_nat res_pjsip_rfc3326 res_pjsip_dtmf_info res_pjsip_pubsub res_pjsip_refer
res_pjsip_header_funcs res_pjsip_diversion res_pjsip_acl chan_pjsip res_rtp_asterisk bridge_simple
bridge_holding bridge_native_rtp bridge_softmix bridge_builtin_features
bridge_builtin_interval_features codec_ulaw codec_alaw codec_a_mu codec_resample codec_gsm
format_pcm format_sln format_wav format_wav_gsm app_dial app_exec app_stack app_mixmonitor
app_userevent app_celgenuserevent app_playback app_playtones app_read app_queue app_verbose app_system app_originate
app_directed_pickup app_chanspy app_waitforcond app_echo app_senddtmf app_record app_transfer func_callerid
func_channel func_strings func_logic func_global func_timeout func_hangupcause func_devstate func_db
func_cut func_math func_uri func_env func_dialplan func_cdr func_pjsip_endpoint func_pjsip_aor
func_pjsip_contact func_export func_module res_musiconhold res_parking res_manager_devicestate res_clioriginate
res_pjsip_logger
"""

# Without tones for ringing and busy, an answered channel that waits would hear nothing.
INDICATIONS = """
[general]
country = ru
[ru]
description = Russia
ringcadence = 1000,4000
dial = 425
busy = 425/350,0/350
ring = 425/1000,0/4000
congestion = 425/175,0/175
"""


class AsteriskError(Exception):
    """The private Asterisk did not start, or does not answer; the text holds what it said last."""


@dataclass(frozen=True)
class Ports:
    """A block of ports on 127.0.0.1 that no other private Asterisk of this machine uses while `lock` is open."""

    first: int
    lock: socket.socket

    @classmethod
    def reserve(cls) -> Self:
        """Take a free block. Raises AsteriskError when all are taken."""
        for block in random.sample(range(BLOCKS), BLOCKS):
            first = FIRST_PORT + block * PORTS_EACH
            lock = socket.socket(socket.AF_UNIX)
            try:
                # A name without a file: the kernel frees it with the process, so a crash leaves no stale lock.
                lock.bind(f"\0switchhook-ports-{first}")
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    for port in (first + SIP, first + AMI, first + TRUNK):
                        with socket.socket(socket.AF_INET, kind) as trial:
                            # As Asterisk listens: connections that are over, but not forgotten, are in nobody's way.
                            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, kind == socket.SOCK_STREAM)
                            trial.bind(("127.0.0.1", port))
            except OSError:
                lock.close()
            else:
                return cls(first, lock)
        message = f"no free block of ports between {FIRST_PORT} and {FIRST_PORT + BLOCKS * PORTS_EACH} on 127.0.0.1"
        raise AsteriskError(message)


class PrivateAsterisk(ABC):
    """One Asterisk in a folder of its own; `async with` starts it and stops it cleanly."""

    host = "127.0.0.1"
    more_modules: tuple[str, ...] = ()
    options = ""
    """Lines of asterisk.conf's [options]."""
    environment: Mapping[str, str] = {}
    """What its process is told besides the usual, as TZ."""
    traces_sip = False
    """Whether every SIP message is kept in `sip_trace`."""

    def __init__(self, name: str, *, folder: Path | None = None, installation: Installation | None = None) -> None:
        """Nothing is started yet. `folder` is made when missing and then kept; without one it is a temporary folder."""
        self.installation = installation or locate()
        self.name = name
        self._temporary = folder is None
        # Below the system's temporary folder, for another user must reach it and the control socket's path is short.
        self.folder = folder or Path(tempfile.mkdtemp(prefix=f"switchhook-{name}-"))
        self.ports = Ports.reserve()
        self.process: asyncio.subprocess.Process | None = None

    @abstractmethod
    def configuration(self) -> dict[str, str]:
        """Text of each file in etc/ by its name, beyond asterisk.conf, modules.conf, logger.conf and rtp.conf."""

    @property
    def sip_port(self) -> int:
        """UDP port that takes SIP."""
        return self.ports.first + SIP

    @property
    def ami_port(self) -> int:
        """TCP port of the manager interface."""
        return self.ports.first + AMI

    @property
    def log_file(self) -> Path:
        """What Asterisk reports: notices, warnings, errors."""
        return self.folder / "log/messages.log"

    @property
    def sip_trace(self) -> Path:
        """Its SIP messages as a capture that Wireshark opens; whole once `pjsip set logger off` was said."""
        return self.folder / "log/sip.pcap"

    @property
    def recordings(self) -> Path:
        """Folder of the recordings."""
        return self.folder / "spool/monitor"

    @property
    def cel_file(self) -> Path:
        """CEL rows as CSV without a header, where our cel_custom.conf is among the files; columns as it says."""
        return self.folder / "log/cel-custom/switchhook.csv"

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.returncode is None

    async def __aenter__(self) -> Self:
        """Start; returns when Asterisk is fully booted."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, give the ports back, remove a temporary folder."""
        await self.stop()
        self.ports.lock.close()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    async def start(self) -> None:
        """Write the configuration and start; returns when fully booted. Raises AsteriskError with the last words."""
        user = self._ordinary_user()
        self._lay_out(user)
        change_user = [f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        command = ["setpriv", *change_user, "--pdeathsig=KILL", "--", *self.installation.program]
        with (self.folder / "log/console.txt").open("ab") as console:
            self.process = await asyncio.create_subprocess_exec(
                *(*command, "-f", "-C", str(self.folder / "etc/asterisk.conf")),
                cwd=self.folder,
                env={
                    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
                    "HOME": str(self.folder),
                    "LC_ALL": "C.UTF-8",
                    **self.environment,
                },
                stdin=asyncio.subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                # A Ctrl-C at the terminal is for us; Asterisk is stopped when its callers are done.
                process_group=0,
            )
        try:
            async with asyncio.timeout(BOOT_SECONDS):
                await self._booted()
                if self.traces_sip:
                    for setting in ("verbose off", f"pcap {self.sip_trace}", "on"):
                        await self.cli(f"pjsip set logger {setting}")
        except TimeoutError:
            await self.kill()
            raise AsteriskError(self._last_words("not fully booted in time")) from None

    async def _booted(self) -> None:
        while self.running:
            with contextlib.suppress(OSError):
                # Asterisk registers some of its own commands a moment after it says that it is fully booted.
                if "fully booted" in await self.cli("core waitfullybooted") and "Asterisk" in await self.cli(VERSION):
                    return
            await asyncio.sleep(0.01)
        raise AsteriskError(self._last_words("ended while starting"))

    def _last_words(self, what: str) -> str:
        said = [
            path.read_text(errors="replace").strip().splitlines()[-8:]
            for path in (self.log_file, self.folder / "log/console.txt")
            if path.exists()
        ]
        return f"the private Asterisk '{self.name}' in {self.folder}: {what}\n" + "\n".join(
            line for lines in said for line in lines
        )

    async def cli(self, command: str) -> str:
        """Answer to a console command, as `asterisk -rx` gives it. Raises OSError when nobody listens."""
        reader, writer = await asyncio.open_unix_connection(str(self.folder / "run/asterisk.ctl"))
        try:
            await reader.readuntil(b"\n")  # host/process/version
            writer.write(f"cli quit after {command}\0".encode())
            answer = await reader.read()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        return answer.decode(errors="replace").replace("\0", "")

    async def stop(self) -> None:
        """End it in order: calls are hung up, recordings closed; by force when it does not obey."""
        if self.process is None or not self.running:
            return
        self.resume()
        self.process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        await self.kill()

    async def kill(self) -> None:
        """End it at once (SIGKILL), with everything that it started."""
        if self.process is not None:
            self._signal(signal.SIGKILL)
            await self.process.wait()

    def suspend(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen one go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def _ordinary_user(self) -> int:
        """The user to change to; 0 where there is no need, or where that user could not read the unpacked packages."""
        if os.geteuid() != 0:
            return 0
        program = Path(self.installation.program[0])
        open_to_all = all(parent.stat().st_mode & 0o001 for parent in (*program.parents, *self.folder.parents))
        return ORDINARY_USER if open_to_all else 0

    def _lay_out(self, user: int) -> None:
        for part in ("etc", "lib", "run", "spool/monitor", "log/cel-custom", "cache", "data/sounds"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        links = {self.folder / "data/sounds" / language: voice for language, voice in self.installation.sounds.items()}
        links |= {
            self.folder / "data" / path.name: path for path in self.installation.data.iterdir() if path.name != "sounds"
        }
        for link, target in links.items():
            if not link.is_symlink():
                link.symlink_to(target)
        for name, text in (self._basics() | self.configuration()).items():
            path = self.folder / "etc" / name
            path.write_text(text)
            path.chmod(0o600)
        (self.folder / "run/asterisk.ctl").unlink(missing_ok=True)
        if user:
            for path in [self.folder, *self.folder.rglob("*")]:
                os.chown(path, user, user, follow_symlinks=False)

    def _basics(self) -> dict[str, str]:
        own = {
            "astetcdir": "etc", "astvarlibdir": "lib", "astdbdir": "lib", "astkeydir": "lib", "astspooldir": "spool",
            "astrundir": "run", "astlogdir": "log", "astcachedir": "cache", "astagidir": "lib", "astdatadir": "data",
        }  # fmt: skip
        places = "".join(f"{name} => {self.folder / part}\n" for name, part in own.items())
        first_rtp, last_rtp = self.ports.first + FIRST_RTP, self.ports.first + PORTS_EACH - 1
        modules = "".join(f"load = {module}.so\n" for module in (*MODULES.split(), *self.more_modules))
        return {
            "asterisk.conf": "\n".join(
                ("[directories]", f"astmoddir => {self.installation.modules}", places, "[options]", self.options, "")
            ),
            "modules.conf": f"[modules]\nautoload = no\n{modules}",
            "logger.conf": "[general]\n[logfiles]\nmessages.log => notice,warning,error\n",
            "rtp.conf": f"[general]\nrtpstart = {first_rtp}\nrtpend = {last_rtp}\n",
            "cdr.conf": "[general]\nenable = no\n",
            **dict.fromkeys(("ccss.conf", "pjproject.conf", "queuerules.conf", "udptl.conf"), "[general]\n"),
            "indications.conf": INDICATIONS,
        }
