"""The words that numbers are said with, Russian in every form and English, as speech recognition spells them (pure).

`NUMBERS` tells what a word counts: ("unit", 4), ("teen", 12), ("ten", 40), ("hundred", 200); ("thousand", 1000) after
its number, ("one_thousand", 1000) after one alone; ("times_hundred", 100), English; ("name", 7), a digit that may be
counted ("две семёрки" is 77); ("repeat", 2), how often the next digit stands ("double seven"). Words are in small
letters, with е for ё.
"""

from __future__ import annotations

from typing import Final

Numeral = tuple[str, int]

_RUSSIAN: Final = """
unit 0: ноль нуль ноля нулю нулем нолем нолик нулик
unit 1: один одна одно одну одного одной одному одним одном единица единицу единичка единичку
unit 2: два две двух двум двумя двойка двойку
unit 3: три трех трем тремя тройка тройку
unit 4: четыре четырех четырем четырьмя четверка четверку
unit 5: пять пяти пятью пятерка пятерку
unit 6: шесть шести шестью шестерка шестерку
unit 7: семь семи семью семерка семерку
unit 8: восемь восьми восемью восьмью восьмерка восьмерку
unit 9: девять девяти девятью девятка девятку
teen 10: десять десяти десятью
teen 11: одиннадцать одиннадцати одиннадцатью одинадцать
teen 12: двенадцать двенадцати двенадцатью
teen 13: тринадцать тринадцати тринадцатью
teen 14: четырнадцать четырнадцати четырнадцатью четырнацать
teen 15: пятнадцать пятнадцати пятнадцатью
teen 16: шестнадцать шестнадцати шестнадцатью
teen 17: семнадцать семнадцати семнадцатью
teen 18: восемнадцать восемнадцати восемнадцатью
teen 19: девятнадцать девятнадцати девятнадцатью
ten 20: двадцать двадцати двадцатью
ten 30: тридцать тридцати тридцатью
ten 40: сорок сорока
ten 50: пятьдесят пятидесяти пятьюдесятью пятдесят
ten 60: шестьдесят шестидесяти шестьюдесятью шестдесят шездесят
ten 70: семьдесят семидесяти семьюдесятью семдесят
ten 80: восемьдесят восьмидесяти восемьюдесятью восемдесят
ten 90: девяносто девяноста
hundred 100: сто ста
hundred 200: двести двухсот двумстам двумястами двухстах
hundred 300: триста трехсот тремстам тремястами трехстах
hundred 400: четыреста четырехсот четыремстам четырьмястами четырехстах
hundred 500: пятьсот пятисот пятистам пятьюстами пятистах
hundred 600: шестьсот шестисот шестистам шестьюстами шестистах
hundred 700: семьсот семисот семистам семьюстами семистах
hundred 800: восемьсот восьмисот восьмистам восемьюстами восьмистах
hundred 900: девятьсот девятисот девятистам девятьюстами девятистах
one_thousand 1000: тысяча тысячу
thousand 1000: тысячи тысяч тысяче тысячей тысячью тысячам тыс
name 0: нуля нулей нули ноли нолей нолика нолики ноликов нулика
name 1: единицы единиц единички единичек
name 2: двойки двоек
name 3: тройки троек
name 4: четверки четверок
name 5: пятерки пятерок
name 6: шестерки шестерок
name 7: семерки семерок
name 8: восьмерки восьмерок
name 9: девятки девяток
repeat 2: дважды двойной двойная двойное
repeat 3: трижды тройной тройная тройное
repeat 4: четырежды
"""

_ENGLISH: Final = """
unit 0: zero oh o nought naught nil
unit 1: one
unit 2: two
unit 3: three
unit 4: four
unit 5: five
unit 6: six
unit 7: seven
unit 8: eight
unit 9: nine niner
teen 10: ten
teen 11: eleven
teen 12: twelve
teen 13: thirteen
teen 14: fourteen
teen 15: fifteen
teen 16: sixteen
teen 17: seventeen
teen 18: eighteen
teen 19: nineteen
ten 20: twenty
ten 30: thirty
ten 40: forty fourty
ten 50: fifty
ten 60: sixty
ten 70: seventy
ten 80: eighty
ten 90: ninety
times_hundred 100: hundred hundreds
thousand 1000: thousand thousands
name 0: zeros zeroes noughts ohs
name 1: ones
name 2: twos
name 3: threes
name 4: fours
name 5: fives
name 6: sixes
name 7: sevens
name 8: eights
name 9: nines
repeat 2: double
repeat 3: triple treble
repeat 4: quadruple
"""


def _read(told: str) -> dict[str, Numeral]:
    found: dict[str, Numeral] = {}
    for line in told.split("\n"):
        kind, _, rest = line.partition(" ")
        value, _, words = rest.partition(":")
        found |= {word: (kind, int(value)) for word in words.split()}
    return found


NUMBERS: Final[dict[str, Numeral]] = _read(_RUSSIAN) | _read(_ENGLISH)

_PASSING: Final = """
а ага угу да так и ну вот э эм мм м хм значит потом затем далее дальше еще следующие следующая тире дефис пробел минус
хорошо окей ок записал записала записываю понял поняла верно правильно сейчас секунду секундочку
so and then um uh er erm hmm mm mhm yes yeah yep okay ok right dash hyphen space next to too for the got it go ahead
"""

PASSING: Final = frozenset(_PASSING.split())
"""What is said between the groups of one number, and by itself ends none."""

PLUS: Final = frozenset({"плюс", "plus"})

COUNTED: Final = (
    *("рубл", "копе", "доллар", "процент", "штук", "минут", "недел", "месяц", "метр", "градус", "балл"),
    *("килограмм", "километр", "грамм", "тонн", "человек", "миллион", "миллиард", "январ", "феврал", "апрел"),
    *("июн", "июл", "август", "сентябр", "октябр", "ноябр", "декабр", "dollar", "pound", "percent", "ruble"),
    *("rouble", "minute", "month", "week", "million", "billion", "o'clock"),
)
"""How words begin that make the number before them an amount, a time or a date."""

_COUNTED_WORDS: Final = """
руб р евро год года году годом годов лет день дня дней дню сутки суток час часа часов часу секунда секунды секунд
марта марту марте мая маю мае раз раза кг км г см мм
march april may june july august january february september october november december am pm
day days hour hours second seconds year years euro euros cent cents kg km times items pieces people usd eur rub
"""

COUNTED_WORDS: Final = frozenset(_COUNTED_WORDS.split())
"""Whole words that do the same."""
