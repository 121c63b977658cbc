"""The words of the pages about connected CRMs; Russian and English."""

from typing import Final

CRM_WORDS: Final[dict[str, tuple[str, str]]] = {
    "card.copy": ("по копии {crm} от {at}, ей {age}", "from {crm}'s copy of {at}, {age} old"),
    "card.no_copy": ("{crm}: ответа нет, копии тоже", "{crm} did not answer, and there is no copy"),
    "frame.crm": ("CRM", "CRMs"),
    "error.403.crm": ("Подключённые CRM — для руководителей.", "Connected CRMs are for heads."),
    "error.404.crm": ("Такого подключения нет.", "There is no such connection."),
    "crm.title": ("Подключённые CRM", "Connected CRMs"),
    "crm.none": ("Ни одна CRM не подключена", "No CRM is connected"),
    "crm.how": (
        (
            "Подключает администратор: здесь или командой switchhook crm add. Без CRM заявки ведутся здесь же, в "
            "разделе "
            "«Заявки»."
        ),
        (
            "An administrator connects one: here, or by switchhook crm add. Without one, leads are kept right "
            "here, under "
            "Leads."
        ),
    ),
    "crm.connect": ("Подключить CRM", "Connect a CRM"),
    "crm.setup": ("Шаги подключения", "Steps of connecting"),
    "crm.setup_go": ("Продолжить подключение", "Go on connecting"),
    "crm.state.new": ("Подключается", "Being connected"),
    "crm.stopped.new": (
        "Ещё не запущена: ничего не отправляется.",
        "Not started yet: nothing is sent.",
    ),
    "crm.since": ("Отправляется с", "Sent since"),
    "crm.since_shadow": ("Показывается с", "Shown since"),
    "crm.key_ends": ("Ключ действует до", "The key ends"),
    "crm.missing": ("Не хватает", "Missing"),
    "crm.missing_at": ("Проверено {at}", "Checked {at}"),
    "crm.not_probed": ("Проверка {at} не прошла:", "The check {at} did not pass:"),
    "crm.remove": ("Удалить подключение…", "Remove the connection…"),
    "crm.remove_why": (
        (
            "Журнал и всё, что ещё не отправлено, исчезнут, ссылки на записи перестанут открываться. Уже "
            "записанное в CRM "
            "останется там."
        ),
        (
            "Its ledger and all that was not sent yet go, and links to recordings end. What the CRM holds "
            "already stays "
            "there."
        ),
    ),
    "crm.remove_confirm": ("Чтобы удалить, впишите имя: {name}", "To remove it, write its name: {name}"),
    "crm.remove_go": ("Удалить", "Remove"),
    "crm.state.active": ("Работает", "Working"),
    "crm.state.shadow": ("В тени: ничего не отправляется", "In shadow: nothing is sent"),
    "crm.state.stopped": ("Остановлена", "Stopped"),
    "crm.state.paused": ("Ждёт", "Waiting"),
    "crm.state.late": ("Отстаёт", "Behind"),
    "crm.paused_until": ("Снова попробует в {at}", "It is tried again at {at}"),
    "crm.quiet_until": (
        "Просит меньше запросов: до {at} её не спрашивают и карточек не показывают, о звонках сообщают",
        "It wants fewer requests: until {at} it is asked nothing and shows no cards; calls are told it",
    ),
    "crm.stopped.hand": (
        "Остановлена человеком: новое не записывается в долг.",
        "A person stopped it: nothing new is owed to it.",
    ),
    "crm.stopped.auth_dead": (
        "Доступ больше не действует. Дайте его заново в шагах подключения: долг ждёт и тогда уйдёт.",
        "The access is no good any more. Give it again in the steps of connecting: what is owed waits for it.",
    ),
    "crm.stopped.gone": (
        "Та сторона больше ничего не принимает (410).",
        "The other side wants nothing more (410).",
    ),
    "crm.owes": ("Долг", "Owed"),
    "crm.owes_since": ("самому старому {age}", "the oldest for {age}"),
    "crm.owes_nothing": ("нет", "nothing"),
    "crm.dead": ("Не принято", "Not taken"),
    "crm.done": ("Последнее принято", "Last taken"),
    "crm.took_nothing": ("ещё ничего", "nothing yet"),
    "crm.compared": ("Отличий за сутки", "Differences of a day"),
    "crm.compared_at": ("сверено {at}", "compared {at}"),
    "crm.not_compared": ("сверить не удалось", "could not be compared"),
    "crm.last_error": ("Последний отказ", "The last refusal"),
    "crm.ledger": ("Журнал", "Ledger"),
    "crm.all": ("Всё", "All"),
    "crm.effect.planned": ("В очереди", "Waiting"),
    "crm.effect.sent": ("Отправлено, ждёт ответа", "Sent, not answered yet"),
    "crm.effect.unknown": ("Ответа не было, будет проверено", "Not answered, to be looked up"),
    "crm.effect.done": ("Принято", "Taken"),
    "crm.effect.dead": ("Не принято", "Not taken"),
    "crm.effect.shadow": ("Было бы отправлено", "Would be sent"),
    "crm.step.call_started": ("Звонок начался", "A call rings"),
    "crm.step.call_answered": ("На звонок ответили", "A call is answered"),
    "crm.step.call_finished": ("Звонок закончился", "A call is over"),
    "crm.step.recording": ("Запись звонка", "A recording"),
    "crm.step.transcript": ("Текст звонка", "A transcript"),
    "crm.step.task": ("Обещание перезвонить", "A promise to call back"),
    "crm.step.lead": ("Заявка", "A lead"),
    "crm.step.message": ("Сообщение клиенту", "A message to a client"),
    "crm.error.auth_expired": ("доступ истёк и пока не обновлён", "the access is over and not renewed yet"),
    "crm.error.auth_dead": ("нас больше не впускают", "we are not let in any more"),
    "crm.error.gone": ("та сторона прекратила приём", "the other side ended it"),
    "crm.error.banned": ("поставщик закрыл нам доступ", "the vendor shut us out"),
    "crm.error.rate_limited": ("слишком много запросов", "too many requests"),
    "crm.error.transient": ("никто не отвечает или ошибка, которая пройдёт", "nobody answers, or an error that passes"),
    "crm.error.unknown": ("ответа не было, исход неизвестен", "no answer, so nobody knows"),
    "crm.error.fault": ("ошибка в нашем адаптере", "a fault in our adapter"),
    "crm.error.permanent": ("отказано окончательно", "refused for good"),
    "crm.tried": ("попытка|попытки|попыток", "attempt|attempts"),
    "crm.next": ("следующая {at}", "the next at {at}"),
    "crm.not_told": ("не отправлялось: {why}", "not told: {why}"),
    "crm.there": ("там это", "there it is"),
    "crm.of_call": ("Звонок", "The call"),
    "crm.details": ("Что сказано и что ответили", "What was told and answered"),
    "crm.request": ("Сказано", "Told"),
    "crm.answer": ("Ответ", "Answer"),
    "crm.nothing_kept": ("Хранится только исход.", "Only what became of it is kept."),
    "crm.empty": ("Здесь пусто", "Nothing here"),
    "crm.more": ("Ранее", "Earlier"),
    "crm.retry": ("Отправить снова", "Send again"),
    "crm.retry_all": ("Отправить снова всё непринятое", "Send all that was not taken again"),
    "crm.discard": ("Не отправлять", "Give up"),
    "crm.stop": ("Остановить", "Stop"),
    "crm.start": ("Запустить", "Start"),
    "crm.shadow": ("В тень", "Into shadow"),
}
