"""The words of notices, and of why a message of one did not arrive; Russian and English."""

from typing import Final

NOTICE_WORDS: Final[dict[str, tuple[str, str]]] = {
    "notice.title": ("Уведомления", "Notices"),
    "notice.none": ("Новых уведомлений нет", "Nothing new"),
    "notice.read": ("Прочитано", "Read"),
    "notice.read_all": ("Прочитать все", "Mark all as read"),
    "notice.lead": ("Заявка № {id}", "Lead no. {id}"),
    # what is told, by kind: one line that says it, and what more there is to say
    "notice.test": ("Проверка уведомлений", "A test of your notices"),
    "notice.test.text": ("Если вы это читаете, канал работает.", "If you can read this, the channel works."),
    "notice.deadline_near": ("Срок по заявке № {id} скоро истечёт", "The deadline of lead no. {id} is near"),
    "notice.deadline_near.text": (
        "Этап «{deadline}», срок {due_at}. Ответственный: {owner}.",
        'Stage "{deadline}", due {due_at}. Owner: {owner}.',
    ),
    "notice.deadline_passed": ("Срок по заявке № {id} истёк", "The deadline of lead no. {id} has passed"),
    "notice.deadline_passed.text": (
        "Этап «{deadline}», срок был {due_at}. Ответственный: {owner}.",
        'Stage "{deadline}", was due {due_at}. Owner: {owner}.',
    ),
    "notice.colleague_answered": ("Вашему клиенту ответил коллега", "A colleague answered your client"),
    "notice.colleague_answered.text": ("Ответил: {person}.", "Answered by: {person}."),
    "notice.device_without_person": (
        "Звонок принят на телефоне, который ни за кем не записан",
        "A call was answered on a phone that is nobody's",
    ),
    "notice.device_without_person.text": (
        "Телефон {device}, линия {line}. Запишите его за сотрудником в справочнике.",
        "Phone {device}, line {line}. Give it to a person in the directory.",
    ),
    "notice.follow_up_overdue": ("Клиенту не перезвонили в срок", "A client was not called back in time"),
    "notice.follow_up_overdue.text": (
        "Линия {line}, срок был {due_at}. Ответственный: {owner}.",
        "Line {line}, was due {due_at}. Owner: {owner}.",
    ),
    "notice.revival_without_channel": (
        "Сообщение клиентам не отправлено: нет канала",
        "A message to clients was not sent: there is no channel",
    ),
    "notice.revival_without_channel.text": (
        "Шаг {step} возврата заявок. Текст — в истории каждой заявки. Подключите вебхук, которому сообщают о заявках.",
        "Step {step} of reviving leads. Its words are in each lead's history. Connect a webhook that is told of leads.",
    ),
    "notice.crm_access_ended": ("CRM {id} больше нас не впускает", "The CRM {id} lets us in no more"),
    "notice.crm_access_ended.text": (
        "Дайте доступ заново на её странице, в шагах подключения: то, что ей не сообщено, ждёт и тогда уйдёт.",
        "Give access again on its page, in the steps of connecting: what it was not told waits for it.",
    ),
    "notice.attention": ("Заявки, которым нужно внимание", "Leads that need attention"),
    "notice.attention.text": (
        "Просрочено: {overdue}. Забыто: {forgotten}. Долго на этапе: {long}. Перегружено сотрудников: {overloaded}.",
        "Overdue: {overdue}. Forgotten: {forgotten}. Long at a stage: {long}. Overloaded people: {overloaded}.",
    ),
    "notice.task_given": ("Вам поставили задачу", "You were given a task"),
    "notice.task_given.text": ("Поставил: {by}. Срок: {due_at}.", "Given by: {by}. Due: {due_at}."),
    "notice.lead_given": ("Вам передали заявку № {id}", "You were given lead no. {id}"),
    "notice.lead_given.text": ("Передал: {by}.", "Given by: {by}."),
    "notice.by_rule": ("правило", "a rule"),
    "notice.nobody": ("никто", "nobody"),
    # channels
    "channel.email": ("Почта", "E-mail"),
    "channel.telegram": ("Telegram", "Telegram"),
    "channel.webhook": ("Вебхук", "Webhook"),
    "channel.dead": (
        "{channel}: сообщения не доходят ({reason}). Скажите администратору новый адрес.",
        "{channel}: messages do not reach you ({reason}). Tell your admin another address.",
    ),
    # why a message is not with its person
    "undelivered.unreachable": ("сервер недоступен", "the server cannot be reached"),
    "undelivered.login_refused": (
        "сервер не принимает нас: логин, ключ или адрес",
        "the server does not accept us: login, key or address",
    ),
    "undelivered.no_tls": ("сервер не умеет шифровать", "the server offers no encryption"),
    "undelivered.rate_limited": ("сервер просит писать реже", "the server asks us to write less often"),
    "undelivered.server_error": ("сервер ответил ошибкой", "the server answered with an error"),
    "undelivered.message_refused": ("сообщение не принято", "the message was refused"),
    "undelivered.mailbox_refused": ("почтовый ящик не принимает писем", "the mailbox takes no mail"),
    "undelivered.blocked": ("бот заблокирован в чате", "the bot is blocked in the chat"),
    "undelivered.no_such_chat": ("такого чата нет", "there is no such chat"),
    "undelivered.answer_lost": ("ответ потерян, дошло ли, неизвестно", "the answer was lost, it may have arrived"),
    "undelivered.not_set_up": ("канал не настроен", "the channel is not set up"),
    "undelivered.no_address": ("адрес не указан", "there is no address"),
    "undelivered.too_late": ("не дошло за сутки", "it could not be delivered within a day"),
}
