"""A report as it is sent: what its subject, its words and its caption say, in both languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape, unescape
from typing import Any

import pytest

from reports.pictures import Bars, Days
from reports.report import Action, Audience, Figure, Finding, Report
from tests.fakes.directories import OFFICE
from tests.fakes.sample_report import BAD_DAY, FINDINGS, QUIET_DAY
from web.reports import chat, mail
from web.reports.drawn import drawn, says
from web.reports.letter import Letter, letter_of

ANNA = OFFICE.people[0]
ACTIONS = tuple(action.link for finding in FINDINGS for action in finding.actions if action.link)


def letter(report: Report = BAD_DAY, language: str = "ru", address: str = "https://calls.example") -> Letter:
    def whole(path: str) -> str:
        return f"{address}{path}" if address and path else ""

    return letter_of(report, OFFICE, language, whole, "/reports?kind=daily")


def read(caption: str) -> str:
    """A caption as it is read."""
    return unescape(re.sub("<[^>]+>", "", caption))


def test_the_subject_says_good_or_bad_and_what_most_of_all() -> None:
    """What is bad comes before what is good, however many clients that is worth."""
    good, quiet = replace(BAD_DAY, findings=FINDINGS[-1:]), QUIET_DAY
    assert letter().subject == "Плохо. Анна Смирнова: пропускает больше звонков, чем коллеги (Продажи, 27 нояб.)"
    assert letter(replace(BAD_DAY, findings=FINDINGS[::-1])).subject.startswith("Плохо. Борис Козлов")
    assert letter(good).subject == "Хорошо. Основная: заявки лучше, чем у других источников (Продажи, 27 нояб.)"
    assert letter(quiet, "en").subject == "All as usual (Продажи, 27 Nov)"


def _changed(report: Report, measure: str, **told: Any) -> Report:
    return replace(
        report, figures=tuple(replace(one, **told) if one.measure == measure else one for one in report.figures)
    )


@pytest.mark.parametrize("told", [{"verdict": "bad"}, {"outlook": "missed"}])
def test_nobody_is_told_that_all_is_as_usual_above_a_figure_that_is_bad(told: dict[str, str]) -> None:
    """Nothing was found that explains it or is to be done, and yet it is worse than usual or planned."""
    worse = letter(_changed(QUIET_DAY, "qualified", **told))
    assert worse.subject == "Хуже обычного или плана: Качественные заявки (Продажи, 27 нояб.)"
    for said in (mail.text_of(worse), mail.html_of(worse, []), chat.caption_of(worse)):
        assert "посмотрите показатели, которые хуже обычного или плана." in said
        assert "Делать ничего не нужно" not in said
    first = letter(_changed(_changed(QUIET_DAY, "calls_in", outlook="missed"), "won", verdict="bad"), "en")
    assert first.subject.startswith("Worse than usual or planned: Won")


def test_while_days_are_still_counted_nobody_is_told_that_there_is_nothing_to_do() -> None:
    """Neither by the subject; what was found or is bad is told all the same."""
    waiting = replace(QUIET_DAY, freshness=replace(QUIET_DAY.freshness, days_waiting=3))
    told = letter(waiting)
    assert told.subject == "Ещё пересчитывается (Продажи, 27 нояб.)"
    for said in (mail.text_of(told), mail.html_of(told, []), chat.caption_of(told)):
        assert "Дни ещё пересчитываются" in said
        assert "Делать ничего не нужно" not in said
    assert letter(replace(waiting, findings=FINDINGS)).subject.startswith("Плохо.")
    assert letter(_changed(waiting, "missed", verdict="bad")).subject.startswith("Хуже")


def test_findings_come_first_with_what_to_do_and_where() -> None:
    lines = mail.text_of(letter()).splitlines()
    assert lines[:2] == ["Продажи: отчёт команды за день", "пятница, 27 ноября 2026"]
    assert lines[4] == "ЧТО СЛУЧИЛОСЬ И ЧТО ДЕЛАТЬ"
    assert lines[5] == "1. [плохо] Анна Смирнова: пропускает больше звонков, чем коллеги"
    assert "   → Перезвонить тем, кто ждёт (7): https://calls.example/missed?team=sales" in lines
    assert "Делать ничего не нужно." in mail.text_of(letter(QUIET_DAY))


def test_only_the_house_report_leads_to_pages_of_administrators() -> None:
    """Who is none would find the door closed; they are told to do it all the same."""
    finding = replace(
        FINDINGS[0], actions=(Action(key="check_phone", values={"person": "anna"}, link="/admin/people/anna"),)
    )
    links = {
        kind: letter(replace(BAD_DAY, findings=(finding,), audience=audience)).findings[0].actions[0].link
        for kind, audience in (("team", BAD_DAY.audience), ("house", Audience("house")))
    }
    assert links == {"team": "", "house": "https://calls.example/admin/people/anna"}


def test_a_figure_says_its_verdict_in_words_with_what_is_usual_and_planned() -> None:
    russian, english = (mail.text_of(letter(language=language)) for language in ("ru", "en"))
    assert "Пропущенные: 17 (плохо, +8,8, обычно 8,2)" in russian
    pace = "548 из 600 за месяц. К концу месяца ожидается 611."
    assert f"Новые заявки: 31 (хорошо, +6,5, обычно 24,5, план 28) {pace}" in russian
    assert "Missed: 17 (bad, +8.8, usually 8.2) Mostly because of Анна Смирнова (+6.5, 74% of the difference)." in (
        english
    )
    assert f"{pace} ✓ по плану" in russian
    assert all(one in mail.html_of(letter(), []) for one in ("✓ по плану", "Больше всего повлияло: Анна Смирнова"))
    assert "Сделки: 2\n" in russian
    assert "Борис Козлов: Отвеченные 45;" in russian
    assert "PJSIP/anna-desk (Анна Смирнова)" in russian


@pytest.mark.parametrize(
    "calls, said", [(1, "1 звонок"), (2, "2 звонка"), (5, "5 звонков"), (21, "21 звонок"), (111, "111 звонков")]
)
def test_numbers_of_things_have_their_plural_forms(calls: int, said: str) -> None:
    found = replace(FINDINGS[0], values={"person": "anna", "calls": calls, "usual": 1234.5})
    text = mail.text_of(letter(replace(BAD_DAY, findings=(found,)))).replace("\xa0", " ")
    assert f"никто не ответил: {said}. У коллег на тех же линиях было бы 1 234." in text


def test_a_figure_that_is_as_usual_is_told_only_where_it_is_a_headline() -> None:
    names = {one.measure for one in letter(QUIET_DAY).figures}
    assert "missed" in names
    assert "never_called_back" not in names
    assert "nps" not in names


def _many(finding: Finding, count: int) -> Sequence[Finding]:
    return tuple(replace(finding, stake=number) for number in range(count))


@pytest.mark.parametrize("name", ["Анна Смирнова", "<b>&amp;" * 60, "👩‍💼" * 200])
@pytest.mark.parametrize("address", ["", "https://calls.example"])
def test_a_caption_is_never_too_long_and_no_name_breaks_out_of_it(name: str, address: str) -> None:
    """As long as Telegram counts it; the link is always there."""
    house = replace(OFFICE, people=(replace(ANNA, name=name), *OFFICE.people[1:]))
    report = replace(BAD_DAY, findings=(*_many(FINDINGS[0], 5), *_many(FINDINGS[1], 5)))
    told = letter_of(
        report, house, "ru", lambda path: f"{address}{path}" if address and path else "", "/reports?a=1&b=2"
    )
    caption = chat.caption_of(told)
    assert len(read(caption).encode("utf-16-le")) // 2 <= chat.MOST
    assert set(re.findall("<[^>]+>", caption)) <= {
        "<b>", "</b>", "</a>", *(f'<a href="{escape(address + path)}">' for path in ("/reports?a=1&b=2", *ACTIONS)),
    }  # fmt: skip
    assert read(caption).endswith("Открыть отчёт") == bool(address)


def test_a_caption_tells_what_is_missing_who_it_was_and_leads_to_what_is_to_be_done() -> None:
    caption = chat.caption_of(letter())
    assert '<a href="https://calls.example/missed?team=sales">→ Перезвонить тем, кто ждёт (7)</a>' in caption
    assert " ".join(letter().lacks) in read(caption)
    assert "Больше всего повлияло: Анна Смирнова" in caption
    assert "план 28, ✓ по плану)" in chat.caption_of(letter(replace(QUIET_DAY, figures=BAD_DAY.figures)))


def test_a_document_stands_alone_and_escapes_what_people_are_called() -> None:
    """No script, no style sheet, nothing from anywhere, and links only where it is known to where."""
    house = replace(OFFICE, people=(replace(ANNA, name="<script>alert(1)</script>"), *OFFICE.people[1:]))
    told = letter_of(BAD_DAY, house, "ru", lambda _: "", "/reports")
    html = mail.html_of(told, [mail.Shown("cid:days", 'Звонки "по дням"')])
    assert "<script" not in html
    assert "<link" not in html
    assert "<style" not in html
    assert "href=" not in html
    assert re.findall('src="([^"]*)"', html) == ["cid:days"]
    assert 'alt="Звонки &#34;по дням&#34;"' in html
    assert "плохо, +8,8" in html


def test_of_many_people_those_with_most_that_is_bad_are_told_and_how_many_more_there_are() -> None:
    people = BAD_DAY.sections[0]
    anna, boris = people.rows
    many = replace(people, rows=(*(replace(boris, key=f"person-{number}") for number in range(30)), anna))
    told = letter(replace(BAD_DAY, sections=(many,)))
    assert told.parts[0].rows[0].name == "Анна Смирнова"
    assert (len(told.parts[0].rows), told.parts[0].left_out) == (25, 6)
    assert all("Остальные (6) — на странице." in one for one in (mail.text_of(told), mail.html_of(told, [])))


def test_what_is_drawn_is_also_said() -> None:
    days, bars = drawn(BAD_DAY, OFFICE, "ru")
    assert isinstance(days, Days)
    assert isinstance(bars, Bars)
    assert says(days) == "Звонки по дням. 27 нояб.: Входящие звонки 96, Пропущенные 17"
    assert says(bars) == "Пропущенные на сотруднике: Анна Смирнова 9, Борис Козлов 3"
    mine = replace(BAD_DAY, audience=Audience("person", "anna"), sections=())
    assert [one.missed_words for one in drawn(mine, OFFICE, "ru") if isinstance(one, Days)] == [
        "Пропущенные на сотруднике"
    ]
    assert not list(drawn(replace(BAD_DAY, days=(), sections=()), OFFICE, "ru"))


def test_a_report_without_anything_is_still_a_letter() -> None:
    empty = replace(QUIET_DAY, figures=(Figure(measure="missed_share", value=None),), days=(), sections=())
    for language in ("ru", "en"):
        told = letter(empty, language, "")
        assert mail.html_of(told, [])
        assert mail.text_of(told)
        assert chat.caption_of(told)
