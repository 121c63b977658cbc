"""What is wrong with a value of the directory, in the reader's language (pure).

The checks of the directory say it in English, with the value; here are their sentences in Russian. One that is not
known is shown as it came.
"""

from __future__ import annotations

import re
from typing import Final

_RUSSIAN: Final[tuple[tuple[str, str], ...]] = (
    (r"is missing", "не заполнено"),
    (r"is missing; hours look like 09:00-18:00", "не заполнено; часы пишут так: 09:00-18:00"),
    (r"must be printable text, got (.*)", "нужен обычный текст, а здесь {0}"),
    (
        r"must be small letters, digits, - and _, got (.*)",
        "только маленькие латинские буквы, цифры, - и _, а здесь {0}",
    ),
    (r"must look like TECH/name, as in (\S+), got (.*)", "пишется как в Asterisk, например {0}, а здесь {1}"),
    (
        r"must be a phone number of (\w+) or an international one, got (.*)",
        "нужен телефонный номер ({0} или международный), а здесь {1}",
    ),
    (r"must be an internal number of one to six digits, got (.*)", "нужен внутренний номер до шести цифр, а здесь {0}"),
    (r"must be a whole number from (\d+) to (\d+), got (.*)", "нужно целое число от {0} до {1}, а здесь {2}"),
    (r"must be an amount such as 1.50, got (.*)", "нужна сумма, например 1.50, а здесь {0}"),
    (
        r"must be the first digits of international numbers, as in (.*), got (.*)",
        "нужно начало международного номера, например +7, а здесь {1}",
    ),
    (
        r"must be the beginning of an international number, as in (\d+), got (.*)",
        "нужно начало международного номера, например {0}, а здесь {1}",
    ),
    (r"there is no such time zone, got (.*); names look like (\S+)", "такого часового пояса нет: {0}; пишут так: {1}"),
    (
        r"must be a country code of two letters, as in RU, got (.*)",
        "нужен код страны из двух букв, например RU, а здесь {0}",
    ),
    (
        r"must be a country code of two letters with known holidays, as in RU, got (.*)",
        "нужен код страны, праздники которой известны, например RU, а здесь {0}",
    ),
    (r"must be one e-mail address, as in (\S+), got (.*)", "нужен один адрес почты, например {0}, а здесь {1}"),
    (
        r"must be the number of a chat with our bot, as in (\d+), got (.*)",
        "нужен номер чата с нашим ботом, например {0}, а здесь {1}",
    ),
    (
        r"must be one time of the day as in 22:00-08:00, or never, got (.*)",
        "нужно одно время суток, например 22:00-08:00, или never, а здесь {0}",
    ),
    (r"must be a language code, as in en, got (.*)", "нужен код языка, например en, а здесь {0}"),
    (r"must be names of sounds, as in (\S+), got (.*)", "нужны имена звуков АТС, например {0}, а здесь {1}"),
    (r"must be one key, a digit or \*, got (.*)", "нужна одна клавиша: цифра или *, а здесь {0}"),
    (r"must be a queue's name as Asterisk knows it, got (.*)", "нужно имя очереди АТС, а здесь {0}"),
    (r"must be a name, or a mailbox such as (\S+), got (.*)", "нужно имя или ящик, например {0}, а здесь {1}"),
    (
        r"must be a number of days from 1 to (\d+), or forever, got (.*)",
        "нужно число дней от 1 до {0} или forever, а здесь {1}",
    ),
    (r"(.*) is already used by (.*)", "{0} уже занято: {1}"),
    (r"(.*) is a line", "{0} — это номер линии"),
    (r"must be after from, got .*", "конец должен быть позже начала"),
    (r"must be in the future, got .*", "это уже прошло"),
    (r"must be within (\d+) days from now, got .*", "не дальше чем через {0} дней"),
    (r"must be at most (\d+) printable characters, got .*", "не длиннее {0} обычных знаков"),
    (r"(.*) is away then already, .*", "{0} в это время уже отсутствует"),
    (r"(.*) would be a circle", "замещали бы друг друга по кругу: {0}"),
    (r"(.*) has no absence (\d+) that goes on or will come", "такого отсутствия уже нет"),
    (r"(.*) is the name of a built-in rule", "{0} — имя встроенного правила"),
    (r"(.*) is given twice", "{0} встречается дважды"),
    (r"this key is given twice", "такое имя уже есть"),
    (r"there is no (.+?) ('.*') in this directory \(there is: (.*)\)", "{1} нет в справочнике (есть: {2})"),
    (r"must name at least one person", "нужен хотя бы один сотрудник"),
    (r"must name at least one of (.*)", "нужно хотя бы одно из: {0}"),
    (r"must name at least one destination, as in .*", "нужно сказать хотя бы одно «куда»"),
    (r"must have at most (\d+) destinations, got (\d+)", "не больше {0} шагов, а здесь {1}"),
    (r"must name exactly one of .*, got .*", "выберите, куда"),
    (r"must ask for at least one of .*", "нужно хотя бы одно число о загрузке команды"),
    (r"must name days and hours, as in .*", "нужны дни и часы, например mon-fri и 09:00-18:00"),
    (r"is for a mobile only, and this is a \w+", "только для мобильного"),
    (r"is for a team, not for .*", "только для команды"),
    (r"is for hold, queue, voicemail and number, not for .*", "только для ожидания, очереди, голосовой почты и номера"),
    (r"(\w+) is asked for, and there is no '\w+' of this person", "выбрано «{0}», но адреса для него нет"),
    (r"days must look like mon, mon-fri or mon,wed, got (.*)", "дни пишут так: mon, mon-fri или mon,wed, а здесь {0}"),
    (r"hours must look like 09:00-18:00, got (.*)", "часы пишут так: 09:00-18:00, а здесь {0}"),
    (r"dates must look like .*, got (.*)", "даты пишут так: 2026-12-31 или 2027-01-01..2027-01-08, а здесь {0}"),
    (r"there is no such date in (.*)", "такой даты нет: {0}"),
    (r"dates must go on, and for a year at most, got (.*)", "даты идут вперёд и не дольше года, а здесь {0}"),
    (r"a day is given twice in (.*)", "день назван дважды: {0}"),
    (r"(\w+) is given twice, in (.*) and in (.*)", "{0} встречается дважды: {1} и {2}"),
    (r"no such time of day in (.*)", "такого времени нет: {0}"),
    (
        r"opens and closes at one time, (.*); around the clock is 00:00-24:00",
        "начало и конец совпадают: {0}; круглые сутки — 00:00-24:00",
    ),
    (r"(\w+) has no region (.*) with holidays of its own.*", "у {0} нет региона {1} со своими праздниками"),
    (r"spans overlap in (.*)", "промежутки пересекаются: {0}"),
    (r"must have a letter or a digit, got (.*)", "нужна хотя бы одна буква или цифра, а здесь {0}"),
    (r"must name at least one word or phrase", "нужно хотя бы одно слово или фраза"),
    (r"must be at most (\d+) characters, got (\d+)", "не больше {0} знаков, а здесь {1}"),
    (r"unknown value ('.*?'), did you mean ('.*?')\?", "{0} не подходит; может быть, {1}?"),
    (r"unknown value ('.*?') \(there is: (.*)\)", "{0} не подходит (есть: {1})"),
    (r"unknown key, did you mean ('.*?')\?", "такого поля нет; может быть, {0}?"),
    (r"unknown key \(there is: (.*)\)", "такого поля нет (есть: {0})"),
    (r"this is not YAML: (.*)", "это не YAML: {0}"),
    (
        r"must be an address with http:// or https:// and a host \(it is a secret and not shown\)",
        "нужен адрес, который начинается с https:// (он секретный и не показывается)",
    ),
    (r"this is no address \(it is a secret and not shown\)", "это не адрес (он секретный и не показывается)"),
    (
        r"no call can match rule ('.*?'): ('.*?') \(.*\) takes it first",
        "правило {0} не сработает никогда: раньше него всё забирает {1}",
    ),
    (r"no call can match rule ('.*?'): (.*)", "правило {0} не сработает никогда: {1}"),
    (r"no line has this line, campaign and language together", "такой линии с такой кампанией и языком нет"),
    (r"vip: the list of VIPs is empty", "список VIP пуст"),
    (r"blocked: the list of blocked callers is empty", "чёрный список пуст"),
    (r"hours: all of them are also in outside", "часы названы и среди «вне часов»"),
    (r"known: false, and something that only a known caller has", "сказано «не знаком», но спрошено о знакомом"),
    (r"owner: nobody, and owner_is", "сказано «ответственного нет», но он назван"),
    (r"team: no team can be so", "такой загрузки у команды не бывает"),
    (r"(\w+) is never reached: (\w+) ends the call", "до этого шага ({0}) не дойдёт: {1} завершает звонок"),
)
_KNOWN: Final = tuple((re.compile(pattern, re.DOTALL), words) for pattern, words in _RUSSIAN)
_QUOTED: Final = re.compile(r"'([^']*)'")


def in_words(message: str, language: str) -> str:
    """A message of the directory's checks in the reader's language; a reason that is part of it is one, too."""
    if language != "ru":
        return message
    for pattern, words in _KNOWN:
        if found := pattern.fullmatch(message):
            told = words.format(*(in_words(part, language) for part in found.groups()))
            return _QUOTED.sub(r"«\1»", told)
    return message
