"""Everybody whom notices go out to, on the loopback: a mail server, a Telegram-shaped one, a company's webhook."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from service.settings import MailSettings, NoticesSettings, TelegramSettings, WebhookSettings
from tests.fakes.listeners import SECRET, TOKEN, Listener, open_listener
from tests.fakes.mailbox import LOGIN, PASSWORD, SENDER, Mailbox, open_mailbox


@dataclass
class ToldWorld:
    """The three servers, and the settings that lead to them."""

    mail: Mailbox
    telegram: Listener
    webhook: Listener

    @property
    def settings(self) -> NoticesSettings:
        """What an operator would set."""
        return NoticesSettings(
            mail=MailSettings(
                host="localhost",
                port=self.mail.port,
                username=LOGIN,
                password=SecretStr(PASSWORD),
                sender=SENDER,
                ca_file=self.mail.ca_file,
            ),
            telegram=TelegramSettings(token=SecretStr(TOKEN), url=self.telegram.url),
            webhook=WebhookSettings(url=f"{self.webhook.url}/notices", secret=SecretStr(SECRET)),
        )

    @property
    def environment(self) -> dict[str, str]:
        """The same, as a program is told by its environment."""
        told = {}
        for name, part in self.settings.model_dump(mode="json", exclude_none=True).items():
            secrets = {"password", "token", "secret"}
            plain = {key: getattr(getattr(self.settings, name), key) for key in part.keys() & secrets}
            part |= {key: value.get_secret_value() for key, value in plain.items()}
            told[f"SWITCHHOOK_NOTICES__{name.upper()}"] = json.dumps(part)
        return told

    def forget(self) -> None:
        """As if nobody had been told anything yet."""
        for one in (self.mail, self.telegram, self.webhook):
            one.taken.clear()
            one.answers.clear()
            one.arrived.clear()
        self.mail.refused.clear()
        self.telegram.asked = self.webhook.asked = 0


@asynccontextmanager
async def open_told_world(folder: Path) -> AsyncIterator[ToldWorld]:
    """The three servers, each on a free port."""
    async with (
        open_mailbox(folder) as mail,
        open_listener("/{token}/{method}", "telegram") as telegram,
        open_listener("/notices", "webhook") as webhook,
    ):
        yield ToldWorld(mail, telegram, webhook)
