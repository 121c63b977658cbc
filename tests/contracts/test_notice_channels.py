"""Each channel of notices against a real server of the loopback: what it takes, what it refuses, what it may have."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from notices.channel import AddressDead, AnswerLost, Message, NotDelivered, Picture, Refused, Rich, TryLater
from notices.model import Told
from service.doctor.notices import examine_channels
from service.settings import MailSettings, WebhookSettings
from service.telling import channels_of, open_channels
from tests.fakes.directories import OFFICE
from tests.fakes.listeners import CHAT, hang_up, says, telegram_error
from tests.fakes.mailbox import SENDER
from tests.fakes.told_world import ToldWorld, open_told_world
from web.notice_text import NoticeWords

HOUSE = replace(OFFICE, people=(replace(OFFICE.people[0], name="Анна <b> & Ко"), *OFFICE.people[1:]))
ADDRESSES = {"email": "vera@romashka.example", "telegram": CHAT, "webhook": "vera"}
VALUES: dict[str, str | int] = {"deadline": "qualifying", "due_at": "2026-03-02T09:00:00+00:00", "owner": "anna"}
PNG = b"\x89PNG\r\n\x1a\nof no use"
LINK = "https://calls.romashka.example/leads/7"
TITLE, TEXT = "Срок по заявке № 7 истёк", "Этап «Квалификация», срок был 2 марта, 12:00. Ответственный: Анна <b> & Ко."


def message(language: str = "ru") -> Message:
    """What Vera is told: the deadline of a lead of Anna's passed."""
    at = datetime(2026, 3, 2, 9, tzinfo=UTC)
    told = Told("vera", "deadline_passed", "lead", "7", VALUES, at, language)
    return Message(uuid4(), told, NoticeWords("https://calls.romashka.example/")(HOUSE, told))


async def send(world: ToldWorld, channel: str, *messages: Message, **mail: Any) -> None:
    """Have a channel send these, one after another; `mail`: other settings of the mail server."""
    settings = world.settings.model_copy(update={"mail": world.settings.mail.model_copy(update=mail)})
    async with open_channels(settings) as channels:
        for one in messages:
            await channels[channel].send(ADDRESSES[channel], one)


async def test_a_mail_says_in_plain_words_what_there_is_to_say(world: ToldWorld) -> None:
    """Encrypted and logged in, marked as made by a program, with an id by which it is known again."""
    told = message()
    await send(world, "email", told)
    (mail,) = world.mail.taken
    assert (mail["Subject"], mail["To"], mail["From"]) == (TITLE, ADDRESSES["email"], f"Switchhook <{SENDER}>")
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == (f"<{told.id}@romashka.example>", "auto-generated")
    assert mail.get_content().split("\r\n\r\n") == [TITLE, TEXT, f"{LINK}\r\n"]


async def test_a_chat_gets_the_same_and_no_name_breaks_out_of_it(world: ToldWorld) -> None:
    await send(world, "telegram", message(), message("en"))
    russian, english = (one["text"] for one in world.telegram.taken)
    assert russian == f"{TITLE}\n{TEXT}\n{LINK}"
    assert english.startswith(
        'The deadline of lead no. 7 has passed\nStage "In qualification", was due 2 March, 12:00.'
    )


def rich(message: Message) -> Message:
    """The same with a picture, an HTML document and a caption that is as long as it may be."""
    pictures = (Picture("days@switchhook", PNG), Picture("people@switchhook", PNG))
    caption = f"<b>&lt;b&gt; &amp; Ко</b>\n{'я' * 1014}"
    html = '<p>Плохо</p><img src="cid:days@switchhook"><img src="cid:people@switchhook">'
    return replace(message, rich=Rich(html=html, caption=caption, pictures=pictures))


async def test_a_rich_mail_has_the_plain_words_and_beside_them_a_document_with_its_pictures(world: ToldWorld) -> None:
    await send(world, "email", rich(message()))
    (mail,) = world.mail.taken
    assert mail.get_content_type() == "multipart/alternative"
    plain, related = mail.iter_parts()
    assert plain.get_content().startswith(TITLE)
    document, *pictures = related.iter_parts()
    assert document.get_content().startswith("<p>Плохо</p>")
    assert [(one["Content-ID"], one["Content-Disposition"], one.get_content()) for one in pictures] == [
        ("<days@switchhook>", "inline", PNG), ("<people@switchhook>", "inline", PNG),
    ]  # fmt: skip


async def test_a_chat_gets_the_first_picture_with_the_caption_in_one_message(world: ToldWorld) -> None:
    """What may not be told twice is one message; without a picture it is a text."""
    told = rich(message())
    assert told.rich is not None
    await send(world, "telegram", told, replace(told, rich=replace(told.rich, pictures=())))
    assert world.telegram.taken == [
        {"chat": 77, "text": f"<b> & Ко\n{'я' * 1014}", "photo": PNG},
        {"chat": 77, "text": f"<b> & Ко\n{'я' * 1014}"},
    ]


async def test_a_webhook_gets_what_programs_need_signed(world: ToldWorld) -> None:
    told = message()
    await send(world, "webhook", told)
    (hook,) = world.webhook.taken
    assert (hook["id"], hook["type"], hook["timestamp"]) == (
        f"msg_{told.id}", "notice.deadline_passed", "2026-03-02T09:00:00.000Z",
    )  # fmt: skip
    assert hook["data"] == {
        "person": "vera", "kind": "deadline_passed", "subject": "lead", "subject_id": "7", "values": VALUES,
        "title": TITLE, "text": TEXT, "link": LINK,
    }  # fmt: skip


async def test_what_is_sent_again_is_known_again(world: ToldWorld) -> None:
    told = message()
    for channel in ("email", "webhook"):
        await send(world, channel, told, told)
    assert len({mail["Message-ID"] for mail in world.mail.taken}) == 1 < len(world.mail.taken)
    assert len({hook["id"] for hook in world.webhook.taken}) == 1 < len(world.webhook.taken)


@pytest.mark.parametrize(
    "channel, answer, kind, reason, seconds",
    [
        ("telegram", telegram_error(403, "Forbidden: bot was blocked by the user"), AddressDead, "blocked", None),
        ("telegram", telegram_error(400, "Bad Request: chat not found"), AddressDead, "no_such_chat", None),
        ("telegram", telegram_error(400, "Bad Request: message is too long"), Refused, "message_refused", None),
        ("telegram", telegram_error(429, "Too Many Requests", retry_after=31), TryLater, "rate_limited", 31.0),
        ("telegram", telegram_error(401, "Unauthorized"), TryLater, "login_refused", 300.0),
        ("telegram", says(502), TryLater, "server_error", None),
        ("telegram", hang_up, AnswerLost, "answer_lost", None),
        ("webhook", says(429, headers={"Retry-After": "12"}), TryLater, "rate_limited", 12.0),
        ("webhook", says(503, headers={"Retry-After": "Wed, 21 Oct 2026"}), TryLater, "server_error", None),
        ("webhook", says(302, headers={"Location": "http://127.0.0.1:9/"}), TryLater, "server_error", None),
        ("webhook", says(400), Refused, "message_refused", None),
        ("webhook", says(425), TryLater, "server_error", None),
        ("webhook", says(401), TryLater, "login_refused", None),
        ("webhook", hang_up, AnswerLost, "answer_lost", None),
        ("email", "RCPT 550 5.1.1 no such user", AddressDead, "mailbox_refused", None),
        ("email", "RCPT 554 5.7.1 relay denied", Refused, "mailbox_refused", None),
        ("email", "RCPT 452 4.2.2 full", TryLater, "mailbox_refused", None),
        ("email", "554 5.6.0 we do not like it", Refused, "message_refused", None),
        ("email", "451 4.3.0 try again", TryLater, "server_error", None),
        ("email", "hang up", TryLater, "unreachable", None),
    ],
)
async def test_every_way_not_to_take_a_message_is_told_apart(
    world: ToldWorld, channel: str, answer: Any, kind: type[NotDelivered], reason: str, seconds: float | None
) -> None:
    """For good, for now, for this address, or nobody knows; and how long the other side asks us to wait."""
    if channel != "email":
        getattr(world, channel).answers = [answer]
    elif answer.startswith("RCPT "):
        world.mail.refused[ADDRESSES["email"]] = answer.removeprefix("RCPT ")
    else:
        world.mail.answers = [answer]
    with pytest.raises(NotDelivered) as why:
        await send(world, channel, message())
    assert (type(why.value), why.value.reason, getattr(why.value, "seconds", None)) == (kind, reason, seconds)


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"password": SecretStr("another")}, "login_refused"),
        ({"security": "none", "username": None, "password": None}, "login_refused"),
        ({"ca_file": None}, "unreachable"),
        ({"host": "127.0.0.1"}, "unreachable"),
        ({"security": "tls"}, "unreachable"),
        ({"port": 9}, "unreachable"),
    ],
)
async def test_a_mail_server_that_is_set_up_wrong_gets_no_message(
    world: ToldWorld, changed: dict[str, Any], reason: str
) -> None:
    """Nor a password, where its certificate is not vouched for, or names another server."""
    with pytest.raises(TryLater, match=reason):
        await send(world, "email", message(), **changed)
    assert world.mail.taken == []


async def test_a_mail_server_without_encryption_gets_no_password(world: ToldWorld, tmp_path: Path) -> None:
    async with open_told_world(tmp_path) as other:
        other.mail.encrypts = False
        with pytest.raises(TryLater, match="no_tls"):
            await send(other, "email", message())
        assert other.mail.logins == []


async def test_probes_tell_whether_we_are_let_in_and_write_to_nobody(world: ToldWorld) -> None:
    """What the doctor asks."""
    async with open_channels(world.settings) as channels:
        assert await channels["email"].probe() == "localhost takes our login"
        assert await channels["telegram"].probe() == "@romashka_bot"
        assert await channels["webhook"].probe() == "takes what we sign"
    assert (world.mail.taken, world.telegram.taken, [one["type"] for one in world.webhook.taken]) == ([], [], ["probe"])


def test_without_settings_no_channel_is_there(world: ToldWorld) -> None:
    settings = world.settings
    assert sorted(channels_of(settings)) == ["email", "telegram", "webhook"]
    assert channels_of(type(settings)()) == {}


async def test_the_doctor_says_which_channel_does_not_let_us_in(world: ToldWorld) -> None:
    mail = world.settings.mail.model_copy(update={"password": SecretStr("another")})
    checks = await examine_channels(world.settings.model_copy(update={"mail": mail}))
    assert {check.name.removeprefix("notices by "): check.state for check in checks} == {
        "email": "fail", "telegram": "ok", "webhook": "ok",
    }  # fmt: skip
    assert "another" not in str(checks)


def test_settings_that_would_give_a_secret_away_are_refused() -> None:
    """A password without encryption, a server without a sender, and a webhook that nobody could check."""
    login = {"host": "mail", "sender": SENDER, "username": "a", "password": SecretStr("secret-b")}
    for wrong, why in (
        (login | {"security": "none"}, "without encryption"),
        (login | {"password": None}, "go together"),
        ({"host": "mail"}, "sender is required"),
        ({"host": "mail", "sender": "a b@c"}, "must be one e-mail address"),
    ):
        with pytest.raises(ValueError, match=why):
            MailSettings.model_validate(wrong)
    with pytest.raises(ValueError, match="must be whsec_"):
        WebhookSettings(url="https://example.org/hook", secret=SecretStr("short"))
