"""What the words of a talk tell of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.script import Step, Topic
from recordings.questions import question_count
from recordings.spans import length, minus, union
from recordings.talk_facts import (
    INSIST_SECONDS,
    LOW_SHARE,
    MONOLOGUE_PAUSE_SECONDS,
    OVERLAP_SECONDS,
    UNSURE,
    TalkFacts,
    measure,
)
from recordings.transcript import Word


def said(start: float, text: str, end: float, sure: float = 0.9) -> list[Word]:
    """The words of a text, spread evenly from `start` to `end`."""
    told = text.split()
    each = (end - start) / len(told)
    return [Word(word, start + each * n, start + each * (n + 1), sure) for n, word in enumerate(told)]


def interruptions(facts: TalkFacts) -> list[tuple[str, float]]:
    return [(one.by, one.at) for one in facts.interruptions]


def test_shares_silence_and_answers_are_counted_by_the_clock() -> None:
    """Who spoke for how long, how long nobody did, and how soon staff answered."""
    facts = measure(
        {
            "caller": said(1, "Здравствуйте, сколько стоит квартира?", 3) + said(8, "А парковка есть?", 9),
            "staff": said(4, "Пять миллионов, смотрим на Лесной", 7) + said(9.5, "Есть", 10),
        }
    )
    assert (facts.seconds, facts.caller.seconds, facts.staff.seconds) == (9, 3, 3.5)
    assert (facts.silence_seconds, facts.longest_silence_seconds, facts.longest_silence_at) == (2.5, 1, 3)
    assert facts.response_seconds == 0.75
    assert (facts.caller.questions, facts.staff.questions) == (2, 0)
    assert facts.caller.words_per_minute == 140
    assert facts.interruptions == ()


def test_nobody_spoke() -> None:
    """A talk without words has facts, and all of them are nothing; a step is not said, and that is sure."""
    facts = measure({}, script=[Step("Приветствие", ("добрый день",))], topics=[Topic("Цена", ("цена",))])
    assert (facts.seconds, facts.silence_seconds, facts.longest_silence_at, facts.response_seconds) == (
        0,
        0,
        None,
        None,
    )
    assert [(one.said, one.at, one.unsure) for one in facts.steps] == [(False, None, False)]
    assert facts.topics == ()
    assert not facts.low_confidence


def test_what_is_not_judged_counts_for_nobody() -> None:
    """Music on hold that was heard as words is no talk, and the hold no silence."""
    words = {
        "caller": said(0, "Посмотрите пожалуйста", 2),
        "staff": said(2, "Минуту", 3) + said(33, "Нашла ваш заказ", 35),
    }
    music = {**words, "staff": [*words["staff"], *said(10, "ля ля ля ля", 20)]}
    facts = measure(music, unjudged=[(3, 33)])
    assert facts == measure(words, unjudged=[(3, 33)])
    assert (facts.seconds, facts.silence_seconds, facts.staff.seconds) == (5, 0, 3)
    assert measure(words).silence_seconds == 30


LONG = "мы предлагаем вам отличную квартиру с видом на парк"


@pytest.mark.parametrize(
    "begin, text, end, broke_in",
    [
        (6, "подождите подождите я хочу спросить", 9, True),  # staff fell silent first
        (8 - OVERLAP_SECONDS - 0.1, "нет нет спасибо", 10, True),
        (8 - OVERLAP_SECONDS + 0.1, "нет нет спасибо", 10, False),  # people take turns so
        (3, "а цена какая у неё", 3 + INSIST_SECONDS, True),  # both insist
        (3, "а цена", 3.8, False),  # said aside, staff went on
        (3, "угу", 5, False),  # one word is listening
        (8.2, "понятно спасибо вам", 10, False),  # staff had ended
    ],
)
def test_an_interruption_is_a_turn_that_takes_the_word(begin: float, text: str, end: float, broke_in: bool) -> None:
    """By the time that both are heard at once, and by who yields."""
    facts = measure({"staff": said(0, LONG, 8), "caller": said(begin, text, end)})
    assert interruptions(facts) == ([("caller", round(begin, 2))] if broke_in else [])


def test_a_monologue_bears_listening_and_not_a_turn() -> None:
    """A word of agreement and a breath are part of it; a turn of the other side, or a long silence, ends it."""
    first, second = said(0, LONG, 8), said(9, LONG, 17)
    assert measure({"staff": first + second}).staff.monologue_seconds == 17
    assert measure({"staff": first + second, "caller": said(8.2, "угу", 8.6)}).staff.monologue_seconds == 17
    assert measure({"staff": first + second, "caller": said(8.2, "и что", 8.9)}).staff.monologue_seconds == 8
    late = said(8 + MONOLOGUE_PAUSE_SECONDS + 0.1, "и ещё вот что", 14)
    assert measure({"staff": first + late}).staff.monologue_seconds == 8
    assert measure({"staff": first + second}, unjudged=[(8.1, 8.9)]).staff.monologue_seconds == 8


@pytest.mark.parametrize(
    "text, count",
    [
        ("Сколько стоит? Когда можно приехать?", 2),
        ("Сколько стоит квартира", 1),
        ("А подскажите пожалуйста где вы находитесь", 1),
        ("Можно ли приехать завтра", 1),
        ("Я приеду завтра", 0),
        ("Как я уже сказал, приеду завтра.", 0),
        ("Do you have parking", 1),
        ("You do have parking", 0),
        ("What is it? It is fine.", 1),
        ("«Вы слышите меня?»", 1),
        ("Что?.. Нет.", 0),
        ("", 0),
    ],
)
def test_questions_are_told_by_their_mark_else_by_their_beginning(text: str, count: int) -> None:
    """A sentence that has a mark is what the mark says."""
    assert question_count(said(0, text, 5) if text else []) == count


SCRIPT = [
    Step("Приветствие", ("Компания Ромашка, добрый день", "Ромашка, здравствуйте")),
    Step("Вопрос о бюджете", ("на какой бюджет вы рассчитываете",)),
    Step("Прощание", ("всего доброго", "до свидания")),
]


def steps(text: str, sure: float = 0.9) -> list[str]:
    facts = measure({"staff": said(0, text, 30, sure), "caller": said(40, "до свидания", 41)}, script=SCRIPT)
    return [one.step for one in facts.steps if one.said]


@pytest.mark.parametrize(
    "text, names",
    [
        ("Добрый день, это компания Ромашка, меня зовут Анна", ["Приветствие"]),
        ("Компания, э-э, Ромашка, ну, добрый день", ["Приветствие"]),
        ("Здравствуйте, Ромашка", ["Приветствие"]),
        ("Ромашки здравствуй", ["Приветствие"]),
        ("Рамашка, здраствуйте", ["Приветствие"]),
        ("Добрый вечер", []),
        ("Вы рассчитывали на какой бюджет?", ["Вопрос о бюджете"]),
        ("На какие бюджеты вы примерно рассчитываете", ["Вопрос о бюджете"]),
        ("Какой у вас этаж", []),
        ("Всего вам доброго, до свидания", ["Прощание"]),
        ("", []),
    ],
)
def test_a_step_is_said_in_whatever_form(text: str, names: list[str]) -> None:
    """Endings, order, fillers and small slips of hearing; the caller's words are none of the script."""
    assert steps(text or "-") == names


@pytest.mark.parametrize(
    "phrase, heard, said_so",
    [
        # Prompts of 8 kHz as Whisper base heard them.
        (
            "Пароль неверен. Введите пароль и нажмите решетку.",
            "Пороль не верен. Видите пароль и нажмите решетку.",
            True,
        ),
        ("Вы являетесь первым участником конференции", "Выявляетесь первому участникам конференции.", True),
        ("Переадресация всех вызовов", "Переодресация всех вызов.", True),
        ("Переадресация вызовов, если занято", "Переодресация вызов, если занята.", True),
        ("3D audio enabled", "audio enabled The", True),
        ("the conference will now begin", "conference will now begin.", True),
        (
            "Please enter your password followed by the pound key",
            "Please and your password followed by the pound key.",
            True,
        ),
        ("конференция открыта", "Эта конференция закрыта.", False),
        ("the conference is unlocked", "the conference is now locked", False),
        ("переадресация включена", "Переадресация отключена.", False),
        ("как я могу к вам обращаться", "Введите пароль и нажмите решетку.", False),
    ],
)
def test_what_whisper_hears_is_known_again(phrase: str, heard: str, said_so: bool) -> None:
    """Slips of hearing are borne; what only looks alike was not said."""
    (fact,) = measure({"staff": said(0, heard, 5)}, script=[Step("x", (phrase,))]).steps
    assert fact.said is said_so


def test_the_moment_of_a_step_is_its_first_saying() -> None:
    """Whichever of its phrases it was; one that was heard well comes before one that was not."""
    words = said(2, "до свидания", 3, 0.2) + said(10, "всего доброго", 11) + said(20, "до свидания", 21)
    (fact,) = measure({"staff": words}, script=SCRIPT[2:]).steps
    assert (fact.said, fact.at, fact.unsure) == (True, 10, False)
    (fact,) = measure({"staff": words[:2]}, script=SCRIPT[2:]).steps
    assert (fact.said, fact.at, fact.unsure) == (True, 2, True)


def test_topics_are_the_houses_own_words_of_either_side() -> None:
    """Every mention with its side and moment, in any form; a topic that nobody mentioned is left out."""
    facts = measure(
        {
            "caller": said(0, "а ипотеку вы оформляете", 4),
            "staff": said(5, "ипотека есть, материнским капиталом тоже", 10),
        },
        topics=[Topic("Ипотека", ("ипотека", "материнский капитал")), Topic("Цена", ("цена", "стоимость"))],
    )
    assert [(one.topic, [(it.side, round(it.at)) for it in one.mentions]) for one in facts.topics] == [
        ("Ипотека", [("caller", 1), ("staff", 5), ("staff", 7)])
    ]


def test_what_was_heard_badly_is_marked() -> None:
    """The share of unsure words is told, facts on too many of them are marked, a step that was not said too."""
    sure, unsure = said(0, "один два три", 3), said(4, "четыре пять", 5, UNSURE - 0.01)
    facts = measure({"staff": sure + unsure}, script=SCRIPT[2:])
    assert facts.unsure_share == 0.4 > LOW_SHARE
    assert facts.low_confidence
    assert [(one.said, one.unsure) for one in facts.steps] == [(False, True)]
    assert not measure({"staff": sure}, script=SCRIPT[2:]).steps[0].unsure


# --- promises for any talk --------------------------------------------------------------------------------------------

_TEXTS = st.sampled_from(["да", "нет", "квартира", "сколько?", "что", "well", "парк.", "-", "12"])
_TIMES = st.floats(0, 300, allow_nan=False)
_ANY = st.lists(
    st.builds(lambda text, start, took, sure: Word(text, start, start + took, sure), _TEXTS, _TIMES, st.floats(0, 4),
              st.floats(0, 1)),
    max_size=25,
)  # fmt: skip
_AWAY = st.lists(st.builds(lambda start, took: (start, start + took), _TIMES, st.floats(0, 40)), max_size=3)


@given(_ANY, _ANY, _AWAY)
def test_any_talk_has_facts_that_agree_with_each_other(
    caller: list[Word], staff: list[Word], away: list[tuple[float, float]]
) -> None:
    """Nobody speaks longer than the talk, silence and speech fill it, and no more is counted than there is."""
    facts = measure({"caller": caller, "staff": staff}, unjudged=away, script=SCRIPT, topics=[Topic("x", ("парк",))])
    near = 0.05
    for side in (facts.caller, facts.staff):
        assert 0 <= side.seconds <= facts.seconds + near
        assert side.monologue_seconds <= facts.seconds + near
    spoken = facts.caller.seconds + facts.staff.seconds
    assert (
        max(facts.caller.seconds, facts.staff.seconds) - near <= facts.seconds - facts.silence_seconds <= spoken + near
    )
    assert facts.longest_silence_seconds <= facts.silence_seconds + near
    assert 0 <= facts.unsure_share <= 1
    assert len(facts.steps) == len(SCRIPT)


@given(_ANY, _ANY, _AWAY)
def test_sides_are_measured_alike(caller: list[Word], staff: list[Word], away: list[tuple[float, float]]) -> None:
    """Exchange the sides and the facts are exchanged."""
    facts = measure({"caller": caller, "staff": staff}, unjudged=away)
    other = measure({"caller": staff, "staff": caller}, unjudged=away)
    assert (facts.caller, facts.staff, facts.silence_seconds) == (other.staff, other.caller, other.silence_seconds)


@given(_ANY, st.floats(1, 500))
def test_facts_do_not_depend_on_when_the_talk_began(staff: list[Word], later: float) -> None:
    """The same talk an hour later has the same spans."""
    moved = [replace(word, start=word.start + round(later), end=word.end + round(later)) for word in staff]
    one, other = measure({"staff": staff}), measure({"staff": moved})
    assert one.staff == pytest.approx(other.staff) or abs(one.staff.seconds - other.staff.seconds) < 0.1
    assert one.unsure_share == other.unsure_share


_OTHER_WORDS = "стол окно трамвай зелёный восемь бежать утром рыба кирпич"
_BESIDE = st.lists(st.sampled_from(_OTHER_WORDS.split()), max_size=12)


@given(st.sampled_from([phrase for step in SCRIPT for phrase in step.phrases]), _BESIDE, _BESIDE, st.data())
def test_a_phrase_is_found_wherever_it_stands(
    before: str, left: list[str], right: list[str], data: st.DataObject
) -> None:
    """In any order of its words, with a filler between; and not when it was not said."""
    told = data.draw(st.permutations(before.split()))
    at = data.draw(st.integers(0, len(told)))
    text = [*left, *told[:at], "ну", *told[at:], *right]
    step = Step("x", (before,))
    (fact,) = measure({"staff": said(0, " ".join(text), len(text))}, script=[step]).steps
    assert fact.said
    assert fact.at is not None
    assert len(left) <= fact.at <= len(left) + 1
    (fact,) = measure({"staff": said(0, " ".join([*left, *right, "-"]), 9)}, script=[step]).steps
    assert not fact.said


_SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=6)


@given(_SPANS, _SPANS)
def test_spans_are_sets_of_seconds(some: Sequence[tuple[int, int]], taken: Sequence[tuple[int, int]]) -> None:
    """Union and difference are those of the whole seconds that they cover."""

    def seconds(spans: Sequence[tuple[float, float]]) -> set[int]:
        return {second for start, end in spans for second in range(int(start), int(end))}

    assert seconds(union(some)) == seconds(some)
    assert seconds(minus(some, taken)) == seconds(some) - seconds(taken)
    assert length(some) == len(seconds(some))
