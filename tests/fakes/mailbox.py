"""A mail server of the loopback: it wants encryption and a login before it takes anything, and keeps what it takes."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

LOGIN, PASSWORD = "switchhook", "a-password-of-tests"
SENDER = "switchhook@romashka.example"


@dataclass
class Mailbox:
    """`taken` are the messages, as they arrived; `answers` are said in place of taking, one a message, first first.

    The answer `hang up` takes the message and closes the connection without a word, `wait` takes it and never answers.
    """

    ca_file: Path
    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    encrypts: bool = True
    logins: list[bytes] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_RCPT(  # noqa: N802  # the name and the arguments are aiosmtpd's
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take a recipient, or refuse them as `refused` says."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        """Take a message."""
        assert session.ssl is not None
        assert session.authenticated
        assert (envelope.mail_from, len(envelope.rcpt_tos)) == (SENDER, 1)
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250") or answer in {"hang up", "wait"}:
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.taken.append(message)
            self.arrived.set()
        if answer == "wait":
            await asyncio.get_running_loop().create_future()
        if answer == "hang up":
            assert server.transport is not None
            server.transport.close()
        return answer

    def authenticate(self, _server: Any, _session: Any, _envelope: Any, mechanism: str, told: Any) -> AuthResult:
        """Let nobody in but us."""
        self.logins.append(told.login)
        good = isinstance(told, LoginPassword) and (told.login, told.password) == (LOGIN.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=good)


@asynccontextmanager
async def open_mailbox(folder: Path) -> AsyncIterator[Mailbox]:
    """A mail server for localhost on a free port, with a certificate that only `ca_file` vouches for."""
    key, certificate = folder / "mail-key.pem", folder / "mail-cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *names], check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    box = Mailbox(certificate)

    served: list[SMTP] = []

    def serve() -> SMTP:
        protocol = SMTP(
            box,
            hostname="localhost",
            tls_context=context if box.encrypts else None,
            require_starttls=box.encrypts,
            auth_required=box.encrypts,
            authenticator=box.authenticate,
            # aiosmtpd's LOGIN asks in words that Alertmanager does not know.
            auth_exclude_mechanism=["CRAM-MD5", "LOGIN"],
        )
        served.append(protocol)
        return protocol

    server = await asyncio.get_running_loop().create_server(serve, "localhost", 0)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
        for protocol in served:
            if protocol.transport is not None:
                protocol.transport.close()
