"""What a person is told and asked who connects Bitrix24."""

from __future__ import annotations

from typing import Final

from crm_sync.asking import Ask, Guide, Way

GUIDE: Final = Guide(
    about=(
        "Звонки, записи, тексты, дела и лиды — в карточках портала; звонок по щелчку и карточка при звонке.",
        "Calls, recordings, texts, todos and leads on the portal's cards; a click to call and a card while it rings.",
    ),
    lines=(
        (
            "На портале: Разработчикам → Другое → Локальное приложение, тип «Серверное».",
            "On the portal: Developer resources, Other, Local application, of type server.",
        ),
        (
            "Путь вашего обработчика и путь для первоначальной установки: {back}",
            "Its handler's address and its address for the first installation: {back}",
        ),
        (
            "Права: Телефония (telephony), CRM (crm), Пользователи (user).",
            "Give it the rights telephony (telephony), crm (CRM) and user (users).",
        ),
        (
            "Сохраните. Портал покажет код приложения (client_id) и ключ (client_secret) — впишите их здесь.",
            "Save it. The portal shows its code (client_id) and its key (client_secret): they are asked for here.",
        ),
        (
            "Доступ открывает тот, кто вправе видеть историю звонков всех сотрудников.",
            "Who agrees must have the right to see the history of calls, of everybody's.",
        ),
        (
            "Чтобы звонить по щелчку, каждый выбирает это приложение как номер для исходящих.",
            "Each colleague chooses the application as their number for calls out, to call by a click.",
        ),
    ),
    asks={
        "portal": Ask(
            label=("Портал", "Portal"),
            help=(
                "Адрес портала, как в браузере, без https://.",
                "Its host, as the browser shows it, without https://.",
            ),
            example="company.bitrix24.ru",
        ),
        "client": Ask(
            label=("Код приложения (client_id)", "Application's code (client_id)"),
            help=("Портал показывает его у локального приложения.", "The portal shows it with the local application."),
            example="local.6f1a2b3c4d5e6f.12345678",
        ),
        "client_secret": Ask(
            label=("Ключ приложения (client_secret)", "Application's key (client_secret)"),
            help=("Рядом с кодом.", "Beside the code."),
        ),
        "webhook": Ask(
            label=("Адрес входящего вебхука", "Address of an incoming webhook"),
            help=(
                "Целиком, с кодом в конце. Большинство порталов не дают так регистрировать звонки.",
                "Whole, with the code at its end. Most portals do not let one register calls so.",
            ),
            example="https://company.bitrix24.ru/rest/7/CODE/",
            in_sight=True,
        ),
        "user": Ask(
            label=("Номер служебного сотрудника", "Id of the user who stands for nobody"),
            help=(
                (
                    "Сотрудник портала, от чьего имени регистрируются звонки и чьи — пропущенные. Число из адреса "
                    "его страницы."
                ),
                (
                    "A user there by whom calls are registered, and whose missed ones are. The number in their "
                    "page's address."
                ),
            ),
            example="7",
        ),
        "creates_leads": Ask(
            label=("Лид неизвестному создаёт портал", "The portal makes a lead of a stranger"),
            help=(
                "Нет: лиды появляются по правилам заявок этого дома.",
                "No: leads come as the rules of the house decide.",
            ),
            rare=True,
        ),
        "chat": Ask(
            label=("Писать о звонках в чат портала", "Tell of calls in the portal's chat"),
            rare=True,
        ),
        "source": Ask(
            label=("Источник лидов", "Source of leads"),
            help=("STATUS_ID источника на портале.", "The STATUS_ID of the source there."),
            example="CALL",
            rare=True,
        ),
        "language": Ask(
            label=("Язык записей на портале", "Language of what we write there"),
            choices={"ru": ("русский", "Russian"), "en": ("английский", "English")},
            rare=True,
        ),
        "region": Ask(
            label=("Страна номеров", "Country of numbers"),
            help=(
                "Чьи номера пишут на портале без кода страны.",
                "Whose numbers people write there without a country.",
            ),
            example="RU",
            rare=True,
        ),
        "stages": Ask(
            label=("Стадии", "Stages"),
            help=(
                "Наша стадия = STATUS_ID на портале, по одной на строке; вместо обычных.",
                "Our stage = STATUS_ID there, one a line; instead of the usual ones.",
            ),
            example="new=NEW",
            rare=True,
        ),
        "burst": Ask(
            label=("Запросов сразу", "Requests at once"),
            help=("На тарифе «Энтерпрайз» — 250.", "An Enterprise plan has 250."),
            rare=True,
        ),
        "per_second": Ask(
            label=("Запросов в секунду", "Requests a second"),
            help=("На тарифе «Энтерпрайз» — 5.", "An Enterprise plan has 5."),
            rare=True,
        ),
        "operating_seconds": Ask(
            label=("Секунд работы метода за 10 минут", "Seconds of a method in ten minutes"),
            help=("Больше портал не даёт: метод блокируется.", "The portal blocks a method that takes more."),
            rare=True,
        ),
        "token_server": Ask(
            label=("Сервер ключей", "Token server"),
            help=("Меняют только для коробочной версии.", "Another one only on a server of your own."),
            rare=True,
        ),
        "application_token": Ask(
            label=("Ключ событий (application_token)", "Key of events (application_token)"),
            help=("Если знаете; можно не указывать.", "Where you know it; it may be left out."),
            rare=True,
        ),
    },
    ways=(
        Way(
            title=("Локальное приложение", "Local application"),
            names=("portal", "client", "client_secret"),
            consents=True,
        ),
        Way(title=("Входящий вебхук", "Incoming webhook"), names=("webhook",)),
    ),
    todo={
        "scope ": (
            "Добавьте приложению это право, сохраните его на портале и откройте доступ заново.",
            "Give the application this right, save it on the portal, and give access again.",
        ),
        "access of an application": (
            "Вебхуком этот портал звонки не принимает: подключите локальное приложение.",
            "This portal takes no calls by a webhook: use a local application.",
        ),
        "right to see the history": (
            "Доступ должен открыть тот, кто видит историю звонков всех: откройте его заново под другим сотрудником.",
            "Who agrees must see everybody's history of calls: give access again as somebody who does.",
        ),
        "history that can be asked": (
            (
                "Портал не умеет искать звонок по нашему номеру: после сбоя звонок может записаться дважды. Обновите "
                "портал."
            ),
            "The portal cannot look for a call by our id: after an outage one may be there twice. Update the portal.",
        ),
        "leads, which": (
            "Включите классический режим: CRM → Настройки → Режим работы.",
            "Turn the classic mode on: CRM, Settings, Mode.",
        ),
        "source ": (
            "Такого источника на портале нет: поправьте «Источник лидов» в настройках.",
            "The portal has no such source: correct the source of leads in the settings.",
        ),
        "status ": (
            "Такой стадии на портале нет: поправьте «Стадии» в настройках.",
            "The portal has no such status: correct the stages in the settings.",
        ),
        "active user": (
            "Такого сотрудника на портале нет или он уволен: впишите другой номер в ключах и настройках.",
            "There is no such user, or they left: write another id under keys and settings.",
        ),
    },
)
