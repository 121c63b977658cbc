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
            "В Odoo заведите пользователя для Switchhook с правом «Продажи: пользователь, все документы» и без других.",
            "In Odoo make a user for Switchhook with the right Sales: User: All Documents, and no other.",
        ),
        (
            (
                "Под ним: Настройки профиля → Безопасность → Новый ключ API. Ключ на долгий срок может выдать "
                "администратор."
            ),
            "As that user, in Preferences, Account Security, make an API key; an administrator makes one that lasts.",
        ),
        (
            "У сотрудников в поле «Телефон» укажите их внутренний номер — или сопоставьте людей здесь.",
            "Give each colleague's extension as their phone in Odoo, or pair them by hand.",
        ),
    ),
    hearing=(
        (
            "В Odoo, приложение «Правила автоматизации»: одно правило для лидов и одно для контактов, при создании и "
            "изменении, действие «Отправить вебхук» на этот адрес с полем «Телефон»."
        ),
        (
            "In Odoo, with the app Automation Rules: one rule for leads and one for contacts, on creation and "
            "update, that "
            "sends a webhook to this address with the field phone."
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
        "": (
            "У пользователя Switchhook в Odoo нет этого права: дайте ему «Продажи: пользователь, все документы».",
            "Switchhook's user in Odoo lacks this right: give them Sales: User: All Documents.",
        ),
    },
)
