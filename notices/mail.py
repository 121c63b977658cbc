"""Notices by e-mail: SMTP with STARTTLS or TLS (the one importer of aiosmtplib).

A message that is sent again has the same Message-ID, by which mailboxes know it again.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as LINES_OF_SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Final, Literal

import aiosmtplib

from notices.channel import MEND_SECONDS, AddressDead, Message, Refused, Rich, TryLater

Security = Literal["starttls", "tls", "none"]

_NO_SUCH_MAILBOX: Final = frozenset({550, 551, 553})


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed in, as whom, and from which address; `ca_file` vouches for the server, else the system."""

    host: str
    port: int
    security: Security
    sender: str
    username: str | None = None
    password: str | None = None
    ca_file: Path | None = None
    seconds: float = 20.0


class Mail:
    """The channel `email`; a connection a message, for notices are rare."""

    repeats: bool = True

    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def send(self, address: str, message: Message) -> None:
        """Hand one message in. Raises NotDelivered."""
        async with self._connected() as smtp:
            try:
                await smtp.send_message(self._composed(address, message))
            except aiosmtplib.SMTPRecipientsRefused as error:
                code = error.recipients[0].code
                if code in _NO_SUCH_MAILBOX:
                    raise AddressDead("mailbox_refused") from None
                raise Refused("mailbox_refused") if code >= 500 else TryLater("mailbox_refused") from None
            except aiosmtplib.SMTPSenderRefused:
                raise TryLater("login_refused", MEND_SECONDS) from None
            except aiosmtplib.SMTPResponseException as error:
                raise Refused("message_refused") if error.code >= 500 else TryLater("server_error") from None

    async def probe(self) -> str:
        """Log in and say nothing. Raises NotDelivered."""
        async with self._connected() as smtp:
            await smtp.noop()
        return f"{self._server.host} takes our login" if self._server.username else f"{self._server.host} answers"

    async def close(self) -> None:
        """Nothing stays open between messages."""

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiosmtplib.SMTP]:
        """Yield a connection that is encrypted and logged in; what breaks it is said as TryLater."""
        told = self._server
        smtp = aiosmtplib.SMTP(
            hostname=told.host,
            port=told.port,
            username=told.username,
            password=told.password,
            timeout=told.seconds,
            use_tls=told.security == "tls",
            start_tls=told.security == "starttls",
            tls_context=None if told.security == "none" else ssl.create_default_context(cafile=told.ca_file),
        )
        try:
            async with smtp:
                yield smtp
        except aiosmtplib.SMTPAuthenticationError:
            raise TryLater("login_refused", MEND_SECONDS) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            # Of the base class itself is only what the server does not offer: STARTTLS, or a login.
            missing = type(error) is aiosmtplib.SMTPException
            raise TryLater("no_tls", MEND_SECONDS) if missing else TryLater("unreachable") from None

    def _composed(self, address: str, message: Message) -> EmailMessage:
        written, told = message.written, EmailMessage(policy=LINES_OF_SMTP)
        told["Subject"] = written.title
        told["From"] = f"Switchhook <{self._server.sender}>"
        told["To"] = address
        told["Date"] = format_datetime(message.told.made_at)
        told["Message-ID"] = f"<{message.id}@{self._server.sender.rpartition('@')[2]}>"
        told["Auto-Submitted"] = "auto-generated"
        told.set_content("\n\n".join(filter(None, (written.title, written.text, written.link))) + "\n")
        if message.rich is not None:
            _add(told, message.rich)
        return told


def _add(told: EmailMessage, rich: Rich) -> None:
    """Put the rich form beside the plain text; its pictures travel with it, and none is fetched from anywhere."""
    told.add_alternative(rich.html, subtype="html")
    html = told.get_body(("html",)) or told
    for picture in rich.pictures:
        html.add_related(picture.png, "image", "png", cid=f"<{picture.id}>", disposition="inline")
