"""Routing's reasons and a call's events, in words; what is not known here is shown in the English that came with it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from directory.model import DAYS, Directory
from web.names import person_name
from web.refused import REFUSED

_WHO: Final = {
    "the owner of this caller's lead": "ответственный за заявку этого клиента",
    "the last who talked with this caller": "последний, кто говорил с этим клиентом",
    "whom the rule names": "назван в правиле",
}

_RUSSIAN: Final = {
    "not_ready": "служба ещё не знает справочника, решает запасной маршрут",
    "blocked": "номер в чёрном списке",
    "line_unknown": "линии {line} нет в справочнике",
    "open": "линия «{line}» работает",
    "outside_hours": "линия «{line}» сейчас не работает",
    "owner": "{name} — {who}",
    "last_talked": "{name} — {who}",
    "owner_nobody": "ответственного за этого клиента нет",
    "owner_hidden": "номер скрыт, ответственного не найти",
    "owner_left": "ответственного {person} уже нет в справочнике",
    "owner_not_in_time": "ответственного не успели найти",
    "last_talked_nobody": "раньше с этим клиентом никто не говорил",
    "last_talked_hidden": "номер скрыт, прежних разговоров не найти",
    "last_talked_left": "{person}, кто говорил последним, уже не в справочнике",
    "last_talked_not_in_time": "прежние разговоры не успели найти",
    "party_not_in_time": "клиента не успели найти",
    "person": "{name} — {who}",
    "person_left": "{person} из правила уже нет в справочнике",
    "next_device": "следующий телефон: {name}",
    "next_devices": "следующие телефоны",
    "stands_in": "{name} замещает: {absent}",
    "team_ring_all": "звонят все из команды «{team}», кому можно",
    "team_hunt": "команда «{team}», по очереди",
    "came_free": "освободился: {name}",
    "came_free_owner": "освободился ответственный: {name}",
    "emergency": "больше некому: экстренный номер линии «{line}»",
    "team_round_robin": "команда «{team}», чья очередь давнее всех: {order}",
    "team_longest_idle": "команда «{team}», по минутам с последнего разговора за сегодня: {order}",
    "team_fewest_calls": "команда «{team}», у кого сегодня меньше разговоров: {order}",
    "team_weighted": "команда «{team}», у кого меньше заявок в работе на долю плана: {order}",
    "hold": "ждёт команду «{team}»",
    "hold_for_nobody": "ждать некого: в команде «{team}» никого нет",
    "queue": "ждёт в очереди АТС «{queue}»",
    "voicemail": "может оставить сообщение",
    "outside_number": "внешний номер из правила",
    "outside_is_caller": "внешний номер из правила — номер самого клиента",
    "message": "правило включает сообщение",
    "reject": "правило отклоняет звонок: {how}",
    "no_route": "правило никому не звонит",
    "team_closed": "команда «{team}» сейчас не работает",
    "nobody_on_shift": "никого из команды нет на смене",
    "all_busy": "все, кто мог ответить, заняты",
    "do_not_disturb": "стоит «не беспокоить»",
    "device_unreachable": "ни один телефон тех, кто на смене, не доступен",
    # about one device or person
    "no_device": "нет телефона",
    "is_the_caller": "сам звонит",
    "off_shift": "не на смене",
    "absent": "отсутствует",
    "away": "отошёл",
    "wrap_up": "завершает прошлый звонок",
    "calendar_busy": "занят по календарю",
    "calendar_away": "отсутствует по календарю",
    "busy": "говорит по телефону",
    "through_trunk": "через оператора, с подтверждением клавишей 1",
    "unreachable": "не в сети",
    "ringing": "в сети, но уже звонит другой звонок",
    "free": "в сети и свободен",
    "state_unknown": "состояние неизвестно, пробуем",
    "can_be_rung": "на смене и свободен",
    "lacks_skill": "нет нужного навыка",
    "lacks_language": "не говорит на нужном языке",
    "too_late": "план и без него достаточно длинный",
    # in which order somebody's devices ring
    "learned_weekday": "{name}: сначала {device}, принято {answered} из {rang} ({day} с {since} до {until})",
    "learned_hour": "{name}: сначала {device}, принято {answered} из {rang} (с {since} до {until})",
    "learned_ever": "{name}: сначала {device}, принято {answered} из {rang}",
    "learned_few": "{name}: звонков ещё мало, чтобы учиться, порядок как записан",
    # the CRM and its owner
    "crm_late": "CRM не ответила за {ms} мс",
    "crm_failed": "CRM ответила ошибкой",
    "owner_copy_late": "ответственный взят из копии, ей {age}: CRM не ответила за {ms} мс",
    "owner_copy_failed": "ответственный взят из копии, ей {age}: CRM ответила ошибкой",
}  # fmt: skip

_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "who": _WHO,
    "device": {"desk phone": "настольный телефон", "softphone": "софтфон", "mobile": "мобильный"},
    "day": dict(zip(DAYS, ("пн", "вт", "ср", "чт", "пт", "сб", "вс"), strict=True)),
}
_UNITS: Final = {"s": "с", "min": "мин", "h": "ч", "d": "дн."}

_BUT: Final = {
    "off_shift": "не на смене",
    "absent": "отсутствует",
    "away": "отошёл",
    "wrap_up": "завершает прошлый звонок",
    "calendar_busy": "занят по календарю",
    "calendar_away": "отсутствует по календарю",
    "busy": "говорит по телефону",
    "unreachable": "телефон не в сети",
    "do_not_disturb": "просит не беспокоить",
    "no_device": "нет телефона",
    "is_the_caller": "сам звонит",
}


_ENGLISH: Final = {
    "off_shift": "not on shift",
    "absent": "absent",
    "away": "away",
    "wrap_up": "finishing the last call",
    "calendar_busy": "busy by the calendar",
    "calendar_away": "out of office by the calendar",
    "busy": "talking on the phone",
    "unreachable": "not registered, or does not respond",
    "do_not_disturb": "does not want to be disturbed",
    "no_device": "has no device",
    "is_the_caller": "is the caller",
    "lacks_skill": "lacks a skill that was asked for",
    "lacks_language": "does not speak the language that was asked for",
    "too_late": "the plan is long enough without it",
}


@dataclass(frozen=True, slots=True)
class Considered:
    """One device of one person that routing looked at."""

    name: str
    device: str
    kind: str
    taken: bool
    why: str


def reason(told: Mapping[str, Any] | str, language: str) -> str:
    """One reason of a plan in words; a plain text comes back as it is."""
    if isinstance(told, str):
        return told
    key, text, values = str(told.get("key", "")), str(told.get("text", "")), told.get("values") or {}
    if language != "ru":
        return _sentence(text)
    known = defaultdict(str, {name: _in_russian(name, str(value)) for name, value in values.items()})
    for rule in ("owner", "last_talked", "person", "stands_in"):
        if key.startswith(f"{rule}_") and key not in _RUSSIAN:
            but = _BUT.get(key.removeprefix(f"{rule}_"), text)
            return _sentence(f"{_RUSSIAN[rule]}, но {{but}}".format_map(known | {"but": but}))
    if key in _RUSSIAN:
        return _sentence(_RUSSIAN[key].format_map(known))
    return REFUSED[key][0] if key in REFUSED else _sentence(text)


def _in_russian(name: str, value: str) -> str:
    """A value that is a word of ours; names and numbers stay as they are."""
    if name == "age":
        number, _, unit = value.partition(" ")
        return f"{number} {_UNITS.get(unit, unit)}"
    return _VALUES.get(name, {}).get(value, value)


def reasons(plan: Mapping[str, Any], language: str) -> list[str]:
    """Why the whole plan is as it is."""
    return [reason(one, language) for one in _list(plan, "reasons")]


def why_person(plan: Mapping[str, Any], person: str | None, language: str) -> list[str]:
    """Why this person is rung: the reasons of the steps that ring them, then why this device."""
    told = []
    for step in _list(plan, "steps"):
        if any(target.get("person") == person for target in step.get("targets", ())):
            told.append(reason(step.get("reason", ""), language))
            break
    return [line for line in dict.fromkeys(told) if line]


def considered(plan: Mapping[str, Any], directory: Directory, language: str) -> Iterator[Considered]:
    """Everybody whom routing looked at, in its order."""
    for one in _list(plan, "considered"):
        key = str(one.get("key", ""))
        why = _RUSSIAN.get(key) if language == "ru" else None
        device = str(one.get("device", ""))
        name = person_name(directory, one.get("person"))
        text = _sentence(f"{why}{_more(one.get('values') or {})}" if why else str(one.get("why", "")))
        yield Considered(name, device, device_kind(directory, device), bool(one.get("taken")), text)


def _more(values: Mapping[str, str]) -> str:
    """What a Russian reason about a person has besides its words: until when, who stands in, how old a copy is."""
    told = {name: str(values.get(name, "")) for name in ("until", "substitute", "minutes")}
    texts = {"until": " до {}", "substitute": ", замещает {}", "minutes": ", по копии {} мин. назад"}
    return "".join(texts[name].format(value) for name, value in told.items() if value)


def why(key: str, language: str) -> str:
    """Why a person or a device was passed over, by the key of the reason; the key where there are no words."""
    russian, english = _BUT.get(key) or _RUSSIAN.get(key), _ENGLISH.get(key)
    return (russian if language == "ru" else english) or key.replace("_", " ")


def device_kind(directory: Directory, address: str, number: str = "") -> str:
    """Whether a device is a desk phone, a softphone or a mobile; empty when the directory does not know it.

    A mobile is known by its number: its address is the trunk's.
    """
    forms = {address, number, directory.normal(address), directory.normal(number)} - {""}
    owner = directory.person_of_device(address) or directory.person_of_number(number)
    kinds: Iterator[str] = (it.kind for it in owner.devices if forms & {it.address, it.number}) if owner else iter(())
    return next(kinds, "")


def _list(plan: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = plan.get(name)
    return found if isinstance(found, list) else ()


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
