"""The words of the search, Russian and English."""

from typing import Final

SEARCH_WORDS: Final[dict[str, tuple[str, str]]] = {
    "search.title": ("Поиск", "Search"),
    "search.field": ("Имя, номер, слова", "Name, number, words"),
    "search.go": ("Найти", "Search"),
    "search.key": ("Клавиша / — к поиску", "/ goes to the search"),
    "search.hint": (
        "Имя — хоть с опечаткой, номер — в любой записи или его последние цифры, слова — в любой форме.",
        "A name, even misspelt; a number in any writing, or its last digits; words in any form.",
    ),
    "search.hint_talks": (
        "«Фраза в кавычках» ищется подряд, -слово исключается, or значит «или».",
        'A "quoted phrase" is found as it stands, -word is left out, or means either.',
    ),
    "search.none": ("Ничего не нашлось", "Nothing was found"),
    "search.none_more": (
        "Ищем среди клиентов, заявок, звонков, разговоров и заметок, которые вам доступны.",
        "Searched are the parties, leads, calls, talks and notes that you may see.",
    ),
    "search.stopped": ("Поиск остановлен", "The search was stopped"),
    "search.only_excluded": (
        "Запрос исключает слова, но не говорит, что искать. Добавьте слово, имя или номер.",
        "This says what to leave out, but not what to look for. Add a word, a name or a number.",
    ),
    "search.too_long": (
        "Он занял бы слишком много времени. Уточните запрос: добавьте слово, имя или цифры номера.",
        "It would have taken too long. Ask more precisely: add a word, a name or digits of a number.",
    ),
    "search.kinds": ("Что искать", "What to search"),
    "search.everything": ("Всё", "Everything"),
    "search.parties": ("Клиенты", "Parties"),
    "search.leads": ("Заявки", "Leads"),
    "search.calls": ("Звонки", "Calls"),
    "search.talks": ("Разговоры", "Talks"),
    "search.notes": ("Заметки", "Notes"),
    "search.all_of": ("Показать все", "Show all"),
    "search.narrow": (
        "Показаны лучшие {count}. Уточните запрос, чтобы увидеть остальные.",
        "The best {count} are shown. Ask more precisely to see others.",
    ),
    "search.nameless": ("Без имени", "No name"),
    "search.do_not_call": ("не звонить", "do not call"),
    "search.opened": ("открыта {day}", "opened {day}"),
    "search.more": ("и ещё {count} в этом разговоре", "and {count} more in this talk"),
}
