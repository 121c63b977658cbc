"""What a person is told and asked who connects amoCRM or Kommo."""

from __future__ import annotations

from typing import Final

from crm_sync.asking import Ask, Guide, Way

GUIDE: Final = Guide(
    about=(
        "Каждый звонок — на карточке контакта или сделки, со звуком и текстом; задачи и сделки.",
        "Every call on the card of its contact or lead, with sound and text; tasks and leads.",
    ),
    lines=(
        (
            "Под администратором: amoМаркет → ⋯ → Создать интеграцию → Внешняя интеграция, доступ ко всем данным.",
            "As an administrator there: amoMarket, …, Create an integration, External integration; access to all data.",
        ),
        ("Ссылка для перенаправления: {back}", "Its redirect address is {back}"),
        (
            (
                "Вкладка «Ключи и доступы»: долгосрочный токен — или ID интеграции и секретный ключ, и тогда доступ "
                "открывает человек."
            ),
            (
                "Keys and scopes: a long-lived token; or the integration's id (client_id) and secret key, and then "
                "consent."
            ),
        ),
        (
            "У сотрудников там нет внутренних номеров: их узнают по почте, остальных сопоставляют вручную.",
            "Users have no extensions there: they are known by their e-mail, or you say who is who.",
        ),
    ),
    asks={
        "account": Ask(
            label=("Адрес аккаунта", "Account's address"),
            help=("Как в браузере, с https://.", "As the browser shows it, with https://."),
            example="https://romashka.amocrm.ru",
        ),
        "token": Ask(
            label=("Долгосрочный токен", "Long-lived token"),
            help=(
                "Из вкладки «Ключи и доступы». Действует до дня, выбранного при создании.",
                "Of Keys and scopes. It ends on the day that it was made for.",
            ),
        ),
        "client_id": Ask(
            label=("ID интеграции", "Integration's id"),
            help=("Из вкладки «Ключи и доступы».", "Of Keys and scopes."),
            example="8f1c2f60-2b7c-4a4e-9d5a-6d2b7e1f0c33",
        ),
        "client_secret": Ask(
            label=("Секретный ключ интеграции", "Integration's secret key"),
            help=("Рядом с ID.", "Beside the id."),
        ),
        "unknown": Ask(
            label=("Звонок незнакомого", "A stranger's call"),
            help=("Что он создаёт в amoCRM.", "What it makes in amoCRM."),
            choices={
                "lead": ("контакт и сделку", "a contact and a lead"),
                "unsorted": ("«Неразобранное»", "an unsorted call"),
            },
            rare=True,
        ),
        "pipeline": Ask(
            label=("Воронка новых сделок", "Pipeline of new leads"),
            help=("Её номер; обычно — первая.", "Its id; the first one unless told."),
            example="7123456",
            rare=True,
        ),
        "status": Ask(
            label=("Этап новых сделок", "Status of new leads"),
            help=("Его номер; обычно — первый.", "Its id; the first one unless told."),
            example="61234567",
            rare=True,
        ),
        "responsible": Ask(
            label=("Ответственный за новые сделки", "Responsible of new leads"),
            help=("Номер сотрудника; обычно — кто говорил.", "The id of a user; whoever talked unless told."),
            example="1234567",
            rare=True,
        ),
        "stages": Ask(
            label=("Этапы", "Stages"),
            help=(
                "Наша стадия (или шаг, in_work:demo) = номер этапа там, по одной на строке.",
                "Our stage (or step, in_work:demo) = id of a status there, one a line.",
            ),
            example="in_work=61234568",
            rare=True,
        ),
        "region": Ask(
            label=("Страна номеров", "Country of numbers"),
            help=("Чьи номера пишут там без кода страны.", "Whose numbers people write there without a country."),
            example="RU",
            rare=True,
        ),
        "language": Ask(
            label=("Язык записей", "Language of what we write there"),
            choices={"ru": ("русский", "Russian"), "en": ("английский", "English")},
            rare=True,
        ),
        "visible_seconds": Ask(
            label=("Задержка поиска, секунд", "Seconds that a search lags"),
            help=(
                "Столько времени поиск там может не видеть только что созданного.",
                "For so long a search there may not find what was made.",
            ),
            rare=True,
        ),
        "inbound": Ask(
            label=("Секрет адреса вебхуков", "Secret of the webhooks' address"),
            help=("Не короче 24 знаков; пусто — не слушать.", "24 characters at least; empty: none are heard."),
        ),
    },
    hearing=(
        (
            "В amoCRM: Настройки → Вебхуки → вставьте адрес и отметьте сделки, контакты и компании: добавлены, "
            "изменены, "
            "сменился ответственный."
        ),
        (
            "In amoCRM: Settings, Webhooks: paste the address, for leads, contacts and companies: added, changed, "
            "responsible changed."
        ),
    ),
    ways=(
        Way(title=("Долгосрочный токен", "Long-lived token"), names=("token",)),
        Way(
            title=("Вход через amoCRM (OAuth)", "Consent (OAuth)"), names=("client_id", "client_secret"), consents=True
        ),
    ),
    todo={
        "user ": (
            "Такого сотрудника в amoCRM нет: поправьте «Ответственный за новые сделки» в настройках.",
            "amoCRM has no such user: correct the responsible of new leads in the settings.",
        ),
        "pipeline ": (
            "Такой воронки в amoCRM нет: поправьте «Воронка новых сделок» в настройках.",
            "amoCRM has no such pipeline: correct it in the settings.",
        ),
        "status ": (
            "Такого этапа в amoCRM нет: поправьте «Этап новых сделок» и «Этапы» в настройках.",
            "amoCRM has no such status: correct the status of new leads, and the stages, in the settings.",
        ),
        "users": (
            "Сотрудников видит только администратор: токен или доступ должен дать он.",
            "Only an administrator sees users: the token or the access has to be theirs.",
        ),
    },
)
