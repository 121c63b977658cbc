"""What a person is told and asked who connects Odoo."""

from __future__ import annotations

from typing import Final

from crm_sync.asking import Ask, Guide

GUIDE: Final = Guide(
    about=(
        "Каждый звонок — заметка у заявки или контакта, со звуком и текстом; дела и заявки.",
        "Every call a note on its lead or contact, with sound and text; activities and leads.",
    ),
    lines=(
        (
            (
                "Администратором: Настройки → Пользователи → новый, с правом «Продажи: все документы» и без других; "
                "задайте ему пароль."
            ),
            (
                "As an administrator, under Settings, Users, make a user for Switchhook: Sales: User: All "
                "Documents, and no "
                "other right; give it a password."
            ),
        ),
        (
            (
                "Войдите под ним: Мои настройки → Безопасность → Добавить ключ API, срок — 3 месяца (Odoo "
                "предлагает день)."
            ),
            "Log in as that user: My Preferences, Security, Add API Key, for 3 Months (Odoo proposes one day).",
        ),
        (
            (
                "У сотрудников в поле «Телефон» укажите их внутренний номер; иначе их узнают по почте, или "
                "сопоставьте сами."
            ),
            (
                "Give each colleague's extension as their phone in Odoo; else they are known by e-mail, or pair "
                "them by hand."
            ),
        ),
    ),
    hearing=(
        (
            "В Odoo, приложение «Правила автоматизации» и режим разработчика: Настройки → Техническое → "
            "Правила автоматизации, "
            "одно для «Лид/Сделка» и одно для «Контакт»: при создании и изменении, «Отправить вебхук» на "
            "этот адрес с полем "
            "«Телефон»."
        ),
        (
            "In Odoo, with the app Automation Rules and the developer mode: Settings, Technical, Automation "
            "Rules, one for "
            "Lead/Opportunity and one for Contact: on create and edit, Send Webhook Notification to this "
            "address with the "
            "field Phone."
        ),
    ),
    asks={
        "address": Ask(
            label=("Адрес Odoo", "Odoo's address"),
            help=("Как в браузере, до /odoo.", "As the browser shows it, up to /odoo."),
            example="https://odoo.example.com",
        ),
        "database": Ask(
            label=("База данных", "Database"),
            help=("Нужна, если на сервере их несколько.", "Where the server has several."),
            example="company",
        ),
        "key": Ask(
            label=("Ключ API", "API key"),
            help=("Пользователя, заведённого для Switchhook.", "Of the user that was made for Switchhook."),
        ),
        "login": Ask(
            label=("Логин пользователя", "User's login"),
            help=("Нужен только серверам до версии 19.", "Only servers before version 19 need it."),
            example="switchhook@example.com",
            rare=True,
        ),
        "language": Ask(
            label=("Язык записей", "Language of what we write there"),
            choices={"ru": ("русский", "Russian"), "en": ("английский", "English")},
            rare=True,
        ),
        "stages": Ask(
            label=("Стадии", "Stages"),
            help=(
                "Наша стадия (или шаг, in_work:demo) = имя или номер стадии там, по одной на строке.",
                "Our stage (or step, in_work:demo) = name or id of a stage there, one a line.",
            ),
            example="qualified=2",
            rare=True,
        ),
        "region": Ask(
            label=("Страна номеров", "Country of numbers"),
            help=("Чьи номера пишут там без кода страны.", "Whose numbers people write there without a country."),
            example="RU",
            rare=True,
        ),
        "namespace": Ask(
            label=("Начало внешних имён", "What external ids begin with"),
            help=(
                "Две установки, пишущие в одну базу, должны различаться.",
                "Two installations that write to one database need two.",
            ),
            example="switchhook",
            rare=True,
        ),
        "inbound": Ask(
            label=("Секрет адреса вебхуков", "Secret of the webhooks' address"),
            help=("Не короче 24 знаков; пусто — не слушать.", "24 characters at least; empty: none are heard."),
        ),
    },
    todo={
        "stage ": (
            "Такой стадии в Odoo нет, или этот пользователь её не видит: поправьте «Стадии» в настройках.",
            "Odoo has no such stage, or this user does not see it: correct the stages in the settings.",
        ),
        "": (
            "У пользователя Switchhook в Odoo нет этого права: дайте ему «Продажи: пользователь, все документы».",
            "Switchhook's user in Odoo lacks this right: give them Sales: User: All Documents.",
        ),
    },
)
