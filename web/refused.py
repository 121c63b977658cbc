"""Why a call to the outside was refused or failed, in words, by its stable key."""

from typing import Final

REFUSED: Final[dict[str, tuple[str, str]]] = {
    "not_a_number": ("Это не телефонный номер.", "This is no telephone number."),
    "internal": ("Это внутренний номер: наберите его на телефоне.", "This is an extension: dial it on your phone."),
    "do_not_call": ("Этот клиент просил ему не звонить.", "This number is on the do-not-call list."),
    "destination_denied": ("Звонки в этом направлении запрещены.", "Calls to this destination are denied."),
    "premium_rate": ("Это платный номер, звонки на него запрещены.", "This is a premium-rate number."),
    "international": ("Звонки за границу не разрешены.", "Calls to other countries are not allowed."),
    "person_per_minute": (
        "Слишком много ваших звонков за минуту.",
        "Too many calls by this person within a minute.",
    ),
    "person_per_hour": ("Слишком много ваших звонков за час.", "Too many calls by this person within an hour."),
    "company_per_minute": (
        "Слишком много звонков компании за минуту.",
        "Too many calls by the company within a minute.",
    ),
    "company_per_hour": ("Слишком много звонков компании за час.", "Too many calls by the company within an hour."),
    "person_day_budget": (
        "Ваш дневной лимит на звонки исчерпан.",
        "This person's budget of the day for calls is used up.",
    ),
    "company_day_budget": (
        "Дневной лимит компании на звонки исчерпан.",
        "The company's budget of the day for calls is used up.",
    ),
    "too_late": ("АТС долго не отвечала, звонок не начат.", "The PBX was away for too long; nobody was called."),
    "no_device": ("У сотрудника нет телефона.", "This person has no device."),
    "no_line": ("У линии не указан транк.", "The line to call out as has no trunk."),
    "pbx_refused": ("АТС не приняла звонок.", "The PBX did not take the call."),
    "interrupted": ("Служба прервалась, звонок не начат.", "The service was interrupted; nobody was called."),
    "no_answer": ("На телефоне сотрудника никто не ответил.", "The person's phone was not answered."),
    "rejected": ("Звонок на телефоне сотрудника сброшен.", "The call was declined on the person's phone."),
    "busy": ("Сотрудник говорит по телефону.", "This person is talking."),
    "unreachable": ("Телефоны сотрудника не в сети.", "No device of this person can be reached."),
    "do_not_disturb": ("Стоит «не беспокоить».", "Do not disturb is set."),
    "off_shift": ("Сотрудник не на смене.", "This person is not on shift."),
    "absent": ("Сотрудник отсутствует.", "This person is absent."),
    "away": ("Сотрудник отошёл.", "This person is away."),
    "wrap_up": ("Сотрудник заканчивает прошлый звонок.", "This person is finishing the last call."),
    "calendar_away": ("Сотрудника нет по календарю.", "This person is out of office by their calendar."),
    "calendar_busy": ("Сотрудник занят по календарю.", "This person is busy by their calendar."),
    "is_the_caller": ("Это номер самого сотрудника.", "This is the person's own number."),
}  # fmt: skip


def why_refused(language: str, key: str) -> str:
    """The words for a key; one that has none, as of a newer service, is shown itself."""
    russian, english = REFUSED.get(key, (key, key))
    return english if language == "en" else russian
