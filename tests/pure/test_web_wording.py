"""Times, counts and numbers in words; sound as bytes; tries of a password."""

from __future__ import annotations

import re
from array import array
from dataclasses import fields
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.rules import STRATEGIES, When
from directory.script import Step, Topic
from recordings.privacy_tables import ACTIONS
from recordings.talk_facts import measure
from recordings.transcript import Word
from recordings.wav import header
from tests.fakes.story import HOUSE
from web.addresses import client_of
from web.audio import Line, Piece, byte_range, open_piece, peaks
from web.decided import known, passed, rule, spent
from web.talk import lines, shares
from web.told import reason, reasons, why_person
from web.wording import day, duration, phone, within
from web.words import has_words, plural

ROUTING = re.compile(r"""because\(\s*f?"([a-z_]+)\"""")


def test_every_reason_of_routing_has_russian_words() -> None:
    """A reason that routing can give is never shown in English to a Russian reader."""
    keys = set().union(*(ROUTING.findall(path.read_text()) for path in Path("routing").glob("*.py")))
    values = dict.fromkeys(
        ("name", "who", "line", "team", "person", "why", "order", "queue", "how", "absent", "until"), "x"
    )
    assert keys
    for key in keys | {f"team_{strategy}" for strategy in STRATEGIES}:
        text = reason({"key": key, "text": "English", "values": values}, "ru")
        assert text != "English", key


def test_every_action_of_the_audit_has_words() -> None:
    """What is written down can be read on the page."""
    assert [action for action in ACTIONS if not has_words(f"audit.do.{action}")] == []


def test_every_condition_of_a_rule_has_words() -> None:
    """Why a rule was not for a call is told in the reader's language, whichever condition it was."""
    for field in fields(When):
        plan = {"passed": [{"rule": "night", "condition": field.name}]}
        (russian,), (english,) = passed(plan, "ru"), passed(plan, "en")
        assert russian.startswith("night: не ")
        assert english.startswith("night: not ")


def test_a_decision_is_told_with_its_rule_what_was_known_and_the_time_it_took() -> None:
    """The version for the company's own rules, words for ours; what was not kept is not told."""
    plan: dict[str, object] = {
        "rule": "night", "version": 4,
        "facts": {"vip": True, "known": True, "stage": "in_work", "waiting": {"sales": 2},
                  "load": {"anna": {"calls_today": 3, "leads_open": 1, "idle_since": "2026-11-23T09:00:00Z"}}},
        "times": {"gathered": 0.0002, "decided": 0.0011, "handed_over": 0.002},
    }  # fmt: skip
    moscow = ZoneInfo("Europe/Moscow")
    assert rule(plan, "en") == "Rule: night, version 4"
    assert rule({"rule": "outside_hours", "version": 4}, "ru") == "Правило: вне часов работы"
    assert known(plan, HOUSE, moscow, "ru") == [
        "Клиент в списке VIP", "Клиент знаком", "Заявка: в работе", "Команда «Продажи»: ждут 2",
        "Анна Смирнова: разговоров сегодня 3, заявок в работе 1, последний разговор до 12:00",
    ]  # fmt: skip
    assert spent(plan, "ru") == "Факты 0,2 мс, решение 1,1 мс, передача в АТС 2,0 мс"
    assert (rule({}, "ru"), known({}, HOUSE, moscow, "ru"), spent({}, "ru")) == ("", [], "")


def test_what_words_tell_is_told_in_words() -> None:
    """Shares, silence, both sides' measures, steps that were said and that were not, topics, and a doubt about all."""
    said = [
        Word(text, 2 * at, 2 * at + 0.5, 0.4)
        for at, text in enumerate(["Ромашка", "добрый", "день", "сколько", "стоит?"])
    ]
    script = [Step("Приветствие", ("добрый день",)), Step("Прощание", ("до свидания",))]
    told = measure({"staff": said}, script=script, topics=[Topic("Цена", ("стоит",))])
    assert lines(told, "ru") == [
        "Говорили: мы 100 %, клиент 0 %", "Тишина: 71 %, самая долгая 1,5 с",
        "Самый долгий монолог: Мы 0:08, Клиент 0:00",
        "Слов в минуту: Мы —, Клиент —", "Вопросов: Мы 1, Клиент 0", "Перебиваний: Мы 0, Клиент 0",
        "  + Приветствие: сказано 0:02, расслышано неуверенно", "  - Прощание: не сказано, расслышано неуверенно",
        "  Цена: 0:08", "Запись расслышана плохо, эти сведения могут быть неверны.",
    ]  # fmt: skip
    assert lines(told, "en")[1] == "Silence: 71%, the longest 1.5 s"
    assert shares(measure({})) == (0, 0)


def test_a_plan_that_cannot_be_read_gives_no_reasons() -> None:
    """Whatever JSON was stored, the page is shown."""
    plans: tuple[dict[str, object], ...] = ({}, {"reasons": "x"}, {"reasons": [], "steps": {}}, {"steps": [{}]})
    for plan in plans:
        assert reasons(plan, "ru") == passed(plan, "ru") == []
        assert known(plan, HOUSE, ZoneInfo("UTC"), "ru") == []
        assert why_person(plan, "anna", "ru") == []


@pytest.mark.parametrize(
    "count, told",
    [(0, "0 звонков"), (1, "1 звонок"), (2, "2 звонка"), (5, "5 звонков"), (11, "11 звонков"), (112, "112 звонков"),
     (21, "21 звонок"), (104, "104 звонка")],
)  # fmt: skip
def test_russian_counts(count: int, told: str) -> None:
    assert plural("ru", "card.calls", count) == told


def test_days_and_spans_and_numbers() -> None:
    today = date(2026, 11, 24)
    assert day(today, today, "ru") == "Сегодня"
    assert day(date(2026, 11, 23), today, "en") == "Yesterday"
    assert [within(day(at, today, "ru")) for at in (today, date(2026, 11, 21))] == ["сегодня", "21 ноября"]
    assert day(date(2026, 3, 8), today, "ru") == "8 марта"
    assert day(date(2025, 12, 31), today, "en") == "31 December 2025"
    assert [duration(it) for it in (0, 59.9, 61, 3725)] == ["0:00", "0:59", "1:01", "1:02:05"]
    assert [phone(it) for it in ("79161234567", "+79161234567", "101", "anonymous", None)] == [
        "+7 916 123-45-67", "+7 916 123-45-67", "101", "", "",
    ]  # fmt: skip
    assert HOUSE.person("anna") is not None


class Disk:
    """WAV files by name, as the store reads them."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def read(self, name: str, start: int, stop: int) -> bytes:
        """Some bytes of one."""
        return self.files[name][start:stop]

    async def piece(self, samples: list[int], at: int = 0) -> Piece:
        """A side of these samples that sounds from sample `at` on."""
        name, told = str(len(self.files)), array("h", samples).tobytes()
        self.files[name] = header(1, 8000, 2, len(told)) + told
        return await open_piece(self, name, len(self.files[name]), at / 8000)


@given(st.lists(st.integers(-32768, 32767), max_size=40), st.lists(st.integers(-32768, 32767), min_size=1, max_size=40),
       st.integers(0, 220), st.integers(0, 220))  # fmt: skip
async def test_both_sides_are_interleaved_and_any_part_is_that_part(
    caller: list[int], staff: list[int], one: int, other: int
) -> None:
    """The caller is left, staff right, the shorter side silent at its end."""
    disk = Disk()
    stereo = Line([[await disk.piece(caller)] if caller else [], [await disk.piece(staff)]])
    whole = await stereo.read(0, stereo.size_bytes)
    frames = array("h", whole[44:])
    longest = max(len(caller), len(staff))
    assert list(frames[0::2]) == caller + [0] * (longest - len(caller))
    assert list(frames[1::2]) == staff + [0] * (longest - len(staff))
    start, stop = sorted((one, other))
    assert await stereo.read(start, stop) == whole[start:stop]


async def test_several_recordings_of_one_side_sound_where_they_lie() -> None:
    """One after the other, both at once where they overlap, and no louder than sound can be."""
    disk = Disk()
    line = Line(
        [[await disk.piece([1, 2, 30000, 4]), await disk.piece([10, 30000], at=1), await disk.piece([7], at=5)]]
    )
    assert list(array("h", (await line.read(0, line.size_bytes))[44:])) == [1, 12, 32767, 4, 0, 7]


def test_loudness_is_drawn_by_its_peaks(tmp_path: Path) -> None:
    """Where a side sounds on the line, and the louder of two that sound at once."""

    def wav(name: str, samples: list[int]) -> Path:
        told = array("h", samples).tobytes()
        (tmp_path / name).write_bytes(header(1, 8000, 2, len(told)) + told)
        return tmp_path / name

    loud, low = wav("a.wav", [0, 100, -32768, 16384, 1, 2]), wav("b.wav", [3277, 3277, 3277])
    assert peaks([(loud, 0)], 6, 3) == [0.003, 1.0, 0.0]
    assert peaks([(loud, 0), (low, 5)], 8, 4) == [0.003, 1.0, 0.1, 0.1]
    assert peaks([], 6, 3) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    "asked, told",
    [(None, None), ("bytes=0-0", (0, 1)), ("bytes=5-", (5, 10)), ("bytes=-3", (7, 10)), ("bytes=-30", (0, 10)),
     ("bytes=2-90", (2, 10)), ("bytes=", None), ("bytes=-", None), ("bytes=a-b", None), ("bytes=1-2,4-5", None),
     ("items=1-2", None), ("bytes=5-2", None), ("bytes=²-3", None)],
)  # fmt: skip
def test_ranges_are_read_as_the_standard_says(asked: str | None, told: tuple[int, int] | None) -> None:
    assert byte_range(asked, 10) == told


@pytest.mark.parametrize(
    "remote, forwarded, client",
    [
        ("10.0.0.1", ["1.1.1.1, 2.2.2.2"], "2.2.2.2"), ("10.0.0.1", ["1.1.1.1", "2.2.2.2, 10.0.0.9"], "2.2.2.2"),
        ("::ffff:10.0.0.1", ["2.2.2.2"], "2.2.2.2"), ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["10.0.0.2"], "10.0.0.2"),
        ("10.0.0.1", ["2.2.2.2, unknown"], "10.0.0.1"), ("3.3.3.3", ["2.2.2.2"], "3.3.3.3"), ("", ["2.2.2.2"], None),
        (None, [], None), ("fe80::1%eth0", [], "fe80::1"),
    ],
)  # fmt: skip
def test_the_client_is_whom_the_trusted_proxies_speak_for(
    remote: str | None, forwarded: list[str], client: str | None
) -> None:
    told = client_of(remote, forwarded, [ip_network("10.0.0.0/8"), ip_network("fd00::/8")])
    assert told == (ip_address(client) if client else None)
