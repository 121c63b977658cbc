"""Numbers of people are masked, other numbers stay: whoever says them, however recognition writes them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.masking import MASK_KINDS
from recordings.cards import luhn
from recordings.masking import BEHIND_SECONDS, Masked, kind_of, mask, mask_text, muted_from, muted_json
from recordings.personal_numbers import snils
from recordings.transcript import Word
from tests.fakes.spoken import FILLERS, STYLES, card, said, spoken

SPOKEN = (
    "сорок два семьдесят шесть, тридцать восемь ноль ноль, двенадцать тридцать четыре, пятьдесят шесть семьдесят девять"
)
"""4276 3800 1234 5679: the control digit is right."""


def left(masked: Masked, side: str = "caller") -> str:
    return " ".join(word.text for word in masked.words[side])


def alone(text: str, kinds: tuple[str, ...] = MASK_KINDS, region: str = "RU") -> str:
    return left(mask({"caller": said(text), "staff": ()}, kinds, region))


# --- what must go ---


def test_what_was_written_is_masked_as_what_was_said() -> None:
    """And where nothing is to be masked it stays as it was written."""
    told = "Деньги с карты\n4276 3800 1234 5679 списали дважды, почта ivan@mail.ru"
    assert mask_text(told, ["card"]) == "Деньги с карты [card] списали дважды, почта ivan@mail.ru"
    assert mask_text(told, ["email"]).endswith("почта [email]")
    assert mask_text(told, []) == told
    assert mask_text("Ждал  10 минут\nне дождался", MASK_KINDS) == "Ждал  10 минут\nне дождался"
    assert mask_text("", MASK_KINDS) == ""


@given(
    st.sampled_from(["ru", "en"]),
    st.sampled_from(STYLES),
    st.sampled_from(["4276", "2202", "5469", "6390", "4000", "8600"]),
    st.integers(0, 2**32),
)
@settings(max_examples=300, deadline=None)
def test_no_card_that_is_asked_for_stays_however_it_is_said(language: str, style: str, begins: str, seed: int) -> None:
    """Digits, pairs, fours, words, written, with fillers in between; what is said around stays."""
    random = Random(seed)
    words = spoken(card(random, begins), language, style, random)
    before, after = {
        "ru": ("да записывайте номер карты", "спасибо большое"),
        "en": ("sure my card number is", "thank you very much"),
    }[language]
    told = left(mask({"caller": said(" ".join([before, *words, after])), "staff": ()}, ["card"]))
    assert told.startswith(f"{before} [card]")
    assert told.endswith(f" {after}")
    inside = told.removeprefix(before).removesuffix(after).split()
    assert all(kind_of(word) == "card" or word in FILLERS[language] for word in inside)


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_card_that_nobody_announced_is_found_by_its_check_digit(language: str) -> None:
    """Of 400 cards read in every style at most two stay, where words may mean two numbers."""
    missed = []
    for seed in range(400):
        random = Random(seed)
        words = spoken(card(random), language, STYLES[seed % len(STYLES)], random)
        told = left(mask({"caller": said(" ".join(words)), "staff": ()}, ["card"])).split()
        missed += [(words, told)] * any(kind_of(word) is None and word not in FILLERS[language] for word in told)
    assert len(missed) <= 2, missed


@pytest.mark.parametrize(
    "text, told",
    [
        ("вот 4276 3800 записали? 1234 5679 всё", "вот [card] записали? [card] всё"),
        ("номер карты 4276 3800 так не видно сейчас подождите 1234 567", None),
        ("40, 2, 70, 6, 30, 8, 0, 0, 12, 30, 4, 50, 6, 70, 9", "[card]"),
        ("4000 276 3800 1234 5679", "[card]"),
        ("4276 3800 1234 5678", "[card]"),
        ("card number 4276 3800 1234 567", "card number [card]"),
        ("номер карты 42.76.38.00.12.34.56.79.", "номер карты [card]."),
        ("мояx4276380012345679", "[card]"),
    ],
)
def test_a_card_is_found_where_recognition_or_talk_breaks_it(text: str, told: str | None) -> None:
    """Other words in between, digits heard wrong or joined wrong, one lost behind a cue."""
    found = alone(text, ("card",))
    assert found == told if told else not any(letter.isdigit() for letter in found)


def test_what_the_other_side_repeats_of_a_card_is_masked_too() -> None:
    """Each half said back, and the last four digits a minute later."""
    masked = mask(
        {
            "caller": (*said("4276 3800", 0), *said("1234 5679", 6)),
            "staff": (
                *said("так 4276 3800 ага", 3),
                *said("12 34 дальше", 8),
                *said("значит оканчивается на 5679", 90),
            ),
        },
        ["card"],
    )
    assert left(masked, "staff") == "так [card] ага [card] дальше значит оканчивается на [card]"


@pytest.mark.parametrize(
    "text, told",
    [
        (f"{SPOKEN} срок действия двенадцать двадцать семь код на обороте 123", 3),
        (f"{SPOKEN} expires 12/27 security code one two three", 3),
        ("карта моя, код из смс 4455", 1),
    ],
)
def test_code_and_term_of_a_card_go_with_it(text: str, told: int) -> None:
    found = alone(text, ("card",))
    assert found.count("[card]") >= told
    assert not any(letter.isdigit() for letter in found)
    assert "двадцать" not in found
    assert "three" not in found


@pytest.mark.parametrize(
    "text, kind",
    [
        ("мой телефон восемь девятьсот шестнадцать сто двадцать три сорок пять шестьдесят семь", "phone"),
        ("8, 9, 1, 6, 1, 2, 3, 4, 5, 6, 7", "phone"),
        ("+7 (495) 123-45-67", "phone"),
        ("это 916 123 45 67", "phone"),
        ("телефон 123-45-67", "phone"),
        ("перезвоните на 8 916 123 45 6", "phone"),
        ("8 916 123 45 67 и 8 495 123 45 67", "phone"),
        ("my phone is plus four four two zero seven nine four six oh nine five eight", "phone"),
        ("паспорт серия 45 08 номер 123456", "passport"),
        ("паспорт сорок пять ноль восемь сто двадцать три четыреста пятьдесят шесть", "passport"),
        ("45 08 123456", "passport"),
        ("СНИЛС 112-233-445 95", "snils"),
        ("112-233-445 95", "snils"),
        ("снилс сто двенадцать двести тридцать три четыреста сорок пять девяносто шесть", "snils"),
        ("почта ivan.petrov@mail.ru", "email"),
        ("почта иван точка петров собака мейл точка ру", "email"),
        ("и в а н 25 собака gmail точка com", "email"),
        ("i p petrov собака яндекс ру", "email"),
        ("my email is john smith at gmail dot com", "email"),
        ("john underscore smith at example dot co dot uk", "email"),
    ],
)
def test_numbers_of_people_are_masked_by_their_kind_and_only_by_choice(text: str, kind: str) -> None:
    found = alone(text)
    assert {kind_of(word) for word in found.split()} - {None} == {kind}
    assert not any(letter.isdigit() for letter in found)
    assert alone(text, tuple(other for other in MASK_KINDS if other != kind)) == text


def test_a_national_number_is_one_of_the_companys_country() -> None:
    assert alone("call (212) 555-0123 please", ("phone",), "US") == "call [phone] please"


# --- what must stay ---

KEPT = """
Номер заказа 123456789012 оформлен на завтра
Заказ номер 4000 123 456 готов к выдаче
Сумма две тысячи четыреста пятьдесят рублей за двадцать три штуки
Стоимость 1 250 000 рублей, первый взнос двести тысяч
Встреча пятого мая в четырнадцать тридцать или в пятнадцать ноль ноль
Договор от 12.05.2024 номер 45-17
Один, два, три, четыре, пять, шесть
У меня три вопроса, один про доставку, два про оплату
Наш ИНН 7707083893, КПП 770701001, ОГРН 1027700132195 записали?
Расчётный счёт 40702810900000005555 в банке, БИК 044525225
Трек номер посылки 80094567890123
Карта у меня с собой, а баланс пять тысяч триста двадцать рублей
Карта заканчивается на 4455
С карты списали четыре тысячи двести рублей двадцать пятого числа
Квартира двадцать пять, дом семь, корпус два, этаж девять
В 2019 году было 120 человек, в 2020 уже 350, в 2021 500
Позвоните с 9:00 до 18:00, перерыв с 13:00 до 14:00
Перезвоните через двадцать минут, нас будет пять человек
Паспорт у меня при себе, мне сорок пять лет
Срок договора до 12.25, код города 495
Температура минус двадцать, ветер пять метров в секунду
Собака у меня лает, точка
Артикул 4607001234567, код товара 2000000123455
Дом 5, квартира 12, подъезд 3, этаж 4, домофон 1234
I have two questions, one about delivery and two about payment
The order number is 4500123 and the total is 1,250 dollars
It costs twelve hundred dollars, or fourteen fifty with tax
Meet me at 10:30 on May 5th 2024 in room 215
We had 120 people in 2019, 350 in 2020 and 500 in 2021
My card was charged 4,200 dollars on the 25th
The card ends in 4455
Look at the dot on the map, point one
Order 100200300400 shipped on 12/05/2024
Flight 1234 departs at 14:35 from gate 22
Press one for sales, press two for support, press three for billing
The serial number is 990000862471854
"""


@pytest.mark.parametrize("text", KEPT.strip().splitlines())
def test_sums_dates_orders_and_times_stay(text: str) -> None:
    assert alone(text) == text


def test_long_numbers_that_are_called_what_they_are_are_seldom_taken_for_cards() -> None:
    """Accounts, tax numbers, orders, two phones in one go: at most one of fifty, by its check digit."""
    taken = 0
    for seed in range(500):
        random = Random(seed)
        begins, size, called = random.choice(
            [
                ("40702810", 20, "расчётный счёт"),
                ("77", 12, "наш инн"),
                ("10277", 13, "огрн"),
                ("5", 16, "номер заказа"),
                ("8916", 11, "запишите 84951234567"),
            ]
        )
        number = begins + "".join(random.choices("0123456789", k=size - len(begins)))
        words = spoken(number, random.choice(["ru", "en"]), random.choice(STYLES), random)
        taken += bool(mask({"caller": said(" ".join([called, *words]))}, ["card"]).muted)
    assert taken <= 10


# --- how it is masked ---


def test_masked_words_become_one_with_their_times_and_least_confidence() -> None:
    words = (Word("карта", 0.0, 0.4, 0.9), Word("4276", 1.0, 1.5, 0.8), Word("380012345679.", 1.6, 3.0, 0.6))
    masked = mask({"caller": words}, ["card"])
    assert masked.words["caller"] == (words[0], Word("[card].", 1.0, 3.0, 0.6))


def test_a_long_pause_inside_of_a_number_is_muted_and_parts_its_words() -> None:
    """In a pause there may be a digit that was not heard; the reader still sees the pause."""
    masked = mask({"caller": (*said("4276 3800", 5), *said("1234 5679", 10)), "staff": said("алло", 0)}, ["card"])
    assert left(masked) == "[card] [card]"
    (muted,) = masked.muted
    assert (muted.side, muted.kind) == ("caller", "card")
    assert muted.start < 5
    assert muted.end > 10.76 + BEHIND_SECONDS


def test_silence_around_a_number_is_muted_up_to_the_words_there() -> None:
    """A digit that was not heard lies there; of the words around nothing is lost."""
    words = (*said("номер карты", 0), *said("4276 3800 1234 5679", 2), *said("спасибо", 5))
    (muted,) = mask({"caller": words}, ["card"]).muted
    assert (muted.start, muted.end) == (words[1].end, words[-1].start)


def test_words_between_the_groups_of_a_number_are_heard_when_they_take_their_time() -> None:
    words = (*said("4276 3800", 0), *said("так подождите секунду", 2, each=1.0), *said("1234 5679", 6))
    first, second = mask({"caller": words}, ["card"]).muted
    assert first.end < 2.5
    assert second.start > 4.5


def test_muted_seconds_survive_their_json() -> None:
    muted = mask({"caller": said("вот 4276380012345679 всё", 1)}, ["card"]).muted
    assert muted_json(muted) == [{"side": "caller", "from": 1.1, "to": 2.26, "kind": "card"}]
    assert muted_json(muted_from(muted_json(muted))) == muted_json(muted)


def test_nothing_is_masked_where_the_policy_names_nothing() -> None:
    words = said("карта 4276 3800 1234 5679")
    assert mask({"caller": words}, []) == Masked({"caller": words}, ())


_WORD = st.one_of(
    st.text(max_size=8),
    st.integers(0, 10**17).map(str),
    st.sampled_from(
        [*SPOKEN.split(), *FILLERS["ru"], *FILLERS["en"], "карты", "код", "at", "dot", "com", "собака", "[card]"]
    ),
)
_SIDE = st.lists(st.tuples(_WORD, st.floats(0, 5), st.floats(0, 2)), max_size=25)


def _at_their_times(told: list[tuple[str, float, float]]) -> tuple[Word, ...]:
    words, at = [], 0.0
    for text, pause, lasts in told:
        words.append(Word(text, at + pause, at + pause + lasts, 0.5))
        at += pause + lasts
    return tuple(words)


@given(st.fixed_dictionaries({"caller": _SIDE, "staff": _SIDE}))
@settings(max_examples=150, deadline=None)
def test_every_masked_word_is_muted_and_every_other_word_stays_as_it_was(
    told: dict[str, list[tuple[str, float, float]]],
) -> None:
    """Whatever is said: no failure, times in order, and masking again unmasks nothing."""
    sides = {side: _at_their_times(words) for side, words in told.items()}
    masked = mask(sides, MASK_KINDS)
    for side, words in masked.words.items():
        assert list(words) == sorted(words, key=lambda word: (word.start, word.end))
        for word in words:
            if word in sides[side]:
                continue
            assert kind_of(word.text) is not None
            inside = [
                one for one in masked.muted if one.side == side and one.start <= word.start and word.end <= one.end
            ]
            assert inside
    once = [word for words in masked.words.values() for word in words if kind_of(word.text)]
    again = mask(masked.words, MASK_KINDS)
    assert all(word in again.words["caller"] + again.words["staff"] for word in once)


def test_check_digits_are_those_of_the_standards() -> None:
    """ISO/IEC 7812-1's example, and the SNILS of the pension fund's own instruction."""
    assert luhn("17893729974")
    assert not luhn("17893729975")
    assert snils("11223344595")
    assert not snils("11223344596")
