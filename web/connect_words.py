"""The words of the pages on which an administrator connects a CRM; Russian and English."""

from typing import Final

CONNECT_WORDS: Final[dict[str, tuple[str, str]]] = {
    "error.403.crm.new": ("CRM подключают администраторы.", "Administrators connect CRMs."),
    "connect.title": ("Подключить CRM", "Connect a CRM"),
    "connect.lead": (
        "Дальше — по шагам: ключи, доступ, проверка, люди. Отправлять ничего не начнём, пока вы сами не скажете.",
        "Step by step: keys, access, a check, people. Nothing is sent until you say so yourself.",
    ),
    "connect.no_key": ("Сначала нужен ключ сервиса", "First the service needs a key"),
    "connect.no_key_why": (
        (
            "Ключи CRM хранятся только зашифрованными. Задайте сервису ключ шифрования — 32 байта в base64 — "
            "в окружении всех его процессов (serve и worker) и перезапустите их:"
        ),
        (
            "Keys of CRMs are kept only sealed. Give the service a key to seal them with, the base64 of 32 "
            "bytes, in the "
            "environment of each of its processes (serve and worker), and start them again:"
        ),
    ),
    "connect.no_key_keep": (
        "Сохраните его рядом с резервными копиями: без него каждой CRM понадобятся новые ключи.",
        "Keep it with your backups: without it every CRM needs new keys.",
    ),
    "connect.no_url": (
        (
            "Чтобы CRM могла вернуть сюда человека и сообщать о своих событиях, задайте адрес, по которому видны эти "
            "страницы, и перезапустите сервис:"
        ),
        (
            "For the CRM to send a person back here, and to tell what happens there, set the address at which "
            "others find "
            "these pages, and start the service again:"
        ),
    ),
    "connect.name": ("Имя подключения", "Connection's name"),
    "connect.name_help": (
        "Так оно называется в адресах и командах; потом не меняется.",
        "It is called so in addresses and commands; it stays.",
    ),
    "connect.rename": ("Другое имя", "Another name"),
    "connect.there": ("На той стороне: {title}", "On the other side: {title}"),
    "connect.ask": ("Ключи и настройки", "Keys and settings"),
    "connect.way": ("Как нас впустят", "How we are let in"),
    "connect.events": ("О чём рассказывать", "What to tell"),
    "connect.rare": ("Ещё настройки", "More settings"),
    "connect.link_days": ("Сколько дней открываются ссылки на записи", "For how many days links to recordings open"),
    "connect.as_in": ("Например: {example}", "As in {example}"),
    "connect.usual": ("Обычно {usual}", "{usual} unless told"),
    "connect.optional": ("можно не заполнять", "may be left out"),
    "connect.kept": (
        "Сохранён и здесь не показывается. Оставьте пустым, чтобы не менять.",
        "It is kept, and not shown here. Leave it empty to keep it.",
    ),
    "connect.again": (
        "Поправьте отмеченное. Ключи сюда не возвращаются — впишите их ещё раз.",
        "Correct what is marked. Keys are not sent back here: write them once more.",
    ),
    "connect.yes": ("да", "yes"),
    "connect.no": ("нет", "no"),
    "connect.save": ("Сохранить и продолжить", "Save and go on"),
    "connect.refused": (
        "CRM с этим не впустила, всё осталось как было: {why}",
        "The CRM did not let us in with that, so everything is as it was: {why}",
    ),
    "connect.copy": ("Скопировать", "Copy"),
    "connect.copied": ("Скопировано", "Copied"),
    "connect.leaving": ("Переходим в {title}", "Going to {title}"),
    "connect.leaving_more": (
        "Согласитесь там — и вернётесь сюда. Если переход не начался:",
        "Agree there, and you come back here. If nothing happens:",
    ),
    "connect.go_there": ("Открыть {title}", "Open {title}"),
    "connect.settings": ("Ключи и настройки: {name}", "Keys and settings: {name}"),
    # the steps
    "step.title": ("Подключение: шаги", "Connecting, step by step"),
    "step.keys": ("Ключи и настройки", "Keys and settings"),
    "step.keys_done": ("Сохранены зашифрованными", "Kept, sealed"),
    "step.keys_shut": (
        "Ключ сервиса сменился: впишите секреты заново",
        "The service's key is another one now: write the secrets again",
    ),
    "step.keys_change": ("Изменить настройки или ключ", "Change settings or a key"),
    "step.sign": ("Ключ подписи", "The key that signs"),
    "step.sign_more": (
        (
            "Им проверяют, что сообщения — от нас. Новый показывается один раз; прежний действует, пока не сделан "
            "следующий."
        ),
        "With it is verified that messages are ours. A new one is shown once; the last one signs too, until the next.",
    ),
    "step.sign_make": ("Сделать новый ключ", "Make a new key"),
    "step.shown_once": (
        "Показано один раз: скопируйте сейчас.",
        "Shown this once: copy it now.",
    ),
    "step.access": ("Доступ", "Access"),
    "step.access_why": (
        "Откроется страница {title}. Войдите там под тем, кто может дать доступ, и согласитесь — вернётесь сюда.",
        "The page of {title} opens. Log in there as who may give access, and agree: you come back here.",
    ),
    "step.access_back": (
        "Приложению в {title} должен быть известен этот адрес возврата:",
        "The application in {title} has to know this address to come back to:",
    ),
    "step.access_go": ("Открыть {title} и дать доступ", "Open {title} and give access"),
    "step.access_again": ("Дать доступ заново", "Give access again"),
    "step.access_done": ("Получен {at}", "Given {at}"),
    "step.access_none": ("Его ещё никто не дал", "Nobody has given it yet"),
    "step.check": ("Проверка", "Check"),
    "step.check_why": (
        "Спросим, всё ли можно, что нужно, и кто там работает. Дальше это проверяется каждый час.",
        "We ask whether all that is needed may be done, and who works there. From then on, once an hour.",
    ),
    "step.check_sign": (
        "Отправим подписанное проверочное сообщение (switchhook.ping): программа должна ответить 2xx.",
        "A signed message (switchhook.ping) is sent: the program has to answer 2xx.",
    ),
    "step.check_go": ("Проверить", "Check"),
    "step.check_again": ("Проверить ещё раз", "Check again"),
    "step.check_never": ("Ещё не спрашивали", "Not asked yet"),
    "step.check_fine": ("Всё на месте, {at}", "All is there, {at}"),
    "step.check_lacks": ("замечание|замечания|замечаний", "thing missing|things missing"),
    "step.check_failed": ("Не получилось, {at}", "It did not work, {at}"),
    "step.check_wait": ("Пока ждёт: снова можно спросить в {at}", "It waits: it may be asked again at {at}"),
    "step.key_ends": (
        "Ключ действует до {at}: замените его раньше.",
        "The key ends on {at}: give a new one before.",
    ),
    "step.people": ("Люди", "People"),
    "step.people_why": (
        (
            "Кого CRM как называет: чей звонок, чей лид, у кого звонить по щелчку. Знаем по внутреннему номеру и "
            "почте; "
            "остальных выберите сами."
        ),
        (
            "Who is who: whose a call and a lead is, whose phone a click rings. They are known by extension and "
            "mailbox; "
            "choose the others yourself."
        ),
    ),
    "step.people_none": (
        "CRM ещё не сказала, кто там работает: сначала проверка.",
        "The CRM has not said yet who works there: the check comes first.",
    ),
    "step.people_count": ("Сопоставлено {known} из {all}", "{known} of {all} are known here"),
    "step.people_there": ("В CRM", "In the CRM"),
    "step.people_here": ("Здесь", "Here"),
    "step.people_auto": ("по номеру и почте: {who}", "by extension and mailbox: {who}"),
    "step.people_nobody": ("никто", "nobody"),
    "step.people_left": ("Нет в CRM:", "Not known there:"),
    "step.people_save": ("Сохранить людей", "Save who is who"),
    "step.by.hand": ("выбран вручную", "chosen by hand"),
    "step.by.extension": ("по внутреннему номеру", "by extension"),
    "step.by.email": ("по почте", "by mailbox"),
    "step.door": ("События из CRM", "What happens there"),
    "step.door_why": (
        "Чтобы сразу знать о новых владельцах и звонках по щелчку.",
        "To know of new owners and of clicks to call at once.",
    ),
    "step.door_self": (
        "CRM рассказывает сама: при выдаче доступа она запомнила наш адрес.",
        "The CRM tells by itself: it learned our address when access was given.",
    ),
    "step.door_make": ("Сделать адрес", "Make the address"),
    "step.door_anew": ("Сделать новый адрес", "Make a new address"),
    "step.door_anew_more": (
        "Прежний сразу перестанет действовать.",
        "The one before ends at once.",
    ),
    "step.door_done": ("Адрес сделан", "The address is made"),
    "step.door_itself": ("CRM рассказывает сама", "The CRM tells by itself"),
    "step.door_later": ("Можно позже", "May come later"),
    "step.live": ("Запуск", "Start"),
    "step.live_never": ("Пока ничего не отправляется", "Nothing is sent so far"),
    "step.live_why": (
        "В тени всё планируется и видно в журнале, но ничего не отправляется: посмотрите день и включите.",
        "In shadow everything is planned and seen in the ledger, and nothing is sent: watch for a day, and start.",
    ),
    "step.live_go": ("Отправлять по-настоящему", "Send for real from now on"),
    "step.live_shadow": ("Начать в тени", "Begin in shadow"),
    "step.live_since": ("Рассказать и о прошлом: с какого времени", "Tell of the past too: since when"),
    "step.live_since_help": (
        "Пусто — только о том, что будет с этой минуты. Время — ваше, {zone}.",
        "Empty: only what happens from now on. The time is yours, {zone}.",
    ),
    "step.live_unchecked": (
        "Проверка не пройдена: отправленное может не дойти.",
        "The check has not passed: what is sent may not arrive.",
    ),
    "step.live_no_access": ("Сначала дайте доступ.", "Give access first."),
    "step.live_ledger": ("К журналу", "To the ledger"),
    "step.done": ("готово", "done"),
    "step.warn": ("нужно внимание", "needs a look"),
    # what a probe misses of any CRM
    "todo.extension": (
        "Внутренний номер {extension} указан у нескольких: оставьте его одному или выберите человека ниже.",
        "Several users have the extension {extension}: leave it to one, or choose the person below.",
    ),
    "todo.auth_dead": (
        "Проверьте ключи; если их отозвали, впишите новые или дайте доступ заново.",
        "Look at the keys; where they were revoked, write new ones or give access again.",
    ),
    "todo.auth_expired": ("Попробуйте через минуту.", "Try again in a minute."),
    "todo.banned": ("Обратитесь в поддержку CRM.", "Ask the CRM's support."),
    "todo.gone": ("Адрес больше не принимает: проверьте его.", "The address takes nothing more: look at it."),
    "todo.rate_limited": ("Попробуйте через несколько минут.", "Try again in some minutes."),
    "todo.transient": (
        "Проверьте адрес и работает ли там сервер; внутренние сети называет настройка crm.networks.",
        "Look at the address, and whether the server there runs; networks inside the house are named by crm.networks.",
    ),
    "todo.unknown": ("Ответа не было: проверьте ещё раз.", "There was no answer: check again."),
    "todo.fault": ("Это наша ошибка: подробности в журнале сервиса.", "This is our fault: the service's log has more."),
    "todo.permanent": (
        "Проверьте настройки: CRM так не принимает.",
        "Look at the settings: the CRM does not take that.",
    ),
}
