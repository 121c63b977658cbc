"""A report as it is sent: what its subject, its words and its caption say, in both languages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from html import escape, unescape
from typing import Any

import pytest

from directory.hours import read_dates, read_week
from directory.model import Directory, Hours
from reports.pictures import Bars, Days
from reports.report import Action, Audience, DayPoint, Figure, Finding, Kind, Report
from tests.fakes.directories import OFFICE
from tests.fakes.sample_report import BAD_DAY, FINDINGS, QUIET_DAY
from web.reports import chat, mail
from web.reports.drawn import drawn, says
from web.reports.letter import Letter, letter_of

ANNA = OFFICE.people[0]
ACTIONS = tuple(action.link for finding in FINDINGS for action in finding.actions if action.link)


def letter(
    report: Report = BAD_DAY,
    language: str = "ru",
    address: str = "https://calls.example",
    house: Directory = OFFICE,
) -> Letter:
    def whole(path: str) -> str:
        return f"{address}{path}" if address and path else ""

    def path_of(day: date) -> str:
        return f"/reports?kind={report.kind}&date={day}"

    return letter_of(report, house, language, whole, path_of)


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


MONDAY = date(2026, 11, 30)


def _monday(report: Report = QUIET_DAY) -> Report:
    """The report of the Monday after: of a Friday, a Saturday without anything, and a Sunday with one of each."""
    sunday = DayPoint(day=date(2026, 11, 29), calls_in=1, missed=1, leads_in=1, missed_usual=None)
    rest = replace(sunday, day=date(2026, 11, 28), calls_in=0, missed=0, leads_in=0)
    monday = replace(sunday, day=MONDAY, calls_in=90)
    return replace(report, first=MONDAY, last=MONDAY, days=(*report.days, rest, sunday, monday))


_WEEKDAYS = replace(OFFICE, hours=(Hours("office", read_week({"mon-fri": "09:00-18:00"})),))


def test_a_daily_letter_tells_the_days_that_none_before_told_whole_with_where_to_read_of_them() -> None:
    """The last day of work, and days of rest with something: before the figures, and in a caption behind them."""
    told = letter(_monday(), house=_WEEKDAYS)
    lines = mail.text_of(told).splitlines()
    at = lines.index("ПРОШЛЫЕ ДНИ ЦЕЛИКОМ")
    day = "https://calls.example/reports?kind=daily&date=2026-11-"
    friday = "Пт, 27 нояб.: Входящие звонки 96; Пропущенные 17; Новые заявки 31"
    sunday = "Вс, 29 нояб.: Входящие звонки 1; Пропущенные 1; Новые заявки 1"
    assert lines[at + 1 : at + 5] == [f"{friday} → {day}27", f"{sunday} → {day}29", "", "ПОКАЗАТЕЛИ"]
    html, caption = mail.html_of(told, []), chat.caption_of(told)
    lists = "https://calls.example/reports/behind?measure=missed&from=2026-11-27&to=2026-11-27&team=sales"
    assert all(escape(one) in html for one in (f"{day}27", f"{day}29", lists))
    assert f"{day}28" not in html
    *_, first, second, _ = caption.splitlines()
    assert first == f'<a href="{escape(day)}27">Прошлые дни целиком. {friday}</a>'
    assert second == f'<a href="{escape(day)}29">{sunday}</a>'
    assert read(caption).index("Пропущенные: 17") < read(caption).index("Прошлые дни целиком")
    assert "The days before, in full. Fri 27 Nov: Incoming calls 96; Missed 17; New leads 31" in read(
        chat.caption_of(letter(_monday(), "en", house=_WEEKDAYS))
    )


def test_a_day_that_was_told_whole_is_not_told_again() -> None:
    night = replace(OFFICE, hours=(Hours("office", read_week({"mon-fri": "18:00-06:00"})),))
    told = letter(_monday(), house=night).untold
    assert told is not None
    assert [row.name for row in told.rows] == ["Вс, 29 нояб."]
    always = replace(OFFICE, hours=(Hours("office", read_week({"mon-sun": "00:00-24:00"})),))
    assert letter(_monday(), house=always).untold is None


def test_days_are_told_on_which_something_happened_and_that_are_counted() -> None:
    """Leads alone are something, and so is what a person is charged with on a day on which they took no call."""
    nothing = DayPoint(day=date(2026, 11, 29), calls_in=0, missed=0, leads_in=0, missed_usual=None)

    def told(*days: DayPoint) -> bool:
        return letter(replace(_monday(), days=days), house=_WEEKDAYS).untold is not None

    assert told(replace(nothing, calls_in=1))
    assert told(replace(nothing, missed=1))
    assert told(replace(nothing, leads_in=1))
    assert not told()
    assert not told(nothing)
    assert not told(replace(nothing, day=MONDAY, calls_in=1))
    assert not told(replace(nothing, day=date(2026, 11, 26), calls_in=1))


def _after_holidays(report: Report) -> Letter:
    """The Monday after three weeks of days of rest, on each of which something happened."""
    friday = date(2026, 11, 6)
    hours = Hours("office", read_week({"fri": "09:00-18:00"}), dates=read_dates({"2026-11-07..2026-11-29": "closed"}))
    day = DayPoint(day=friday, calls_in=9, missed=9, leads_in=9, missed_usual=None)
    days = tuple(replace(day, day=friday + timedelta(later)) for later in range(24))
    return letter(replace(_monday(report), days=days), house=replace(OFFICE, hours=(hours,)))


def _size(lines: Sequence[str]) -> int:
    return sum(len(line.encode("utf-16-le")) // 2 + 1 for line in lines)


def test_after_long_holidays_a_caption_still_has_half_of_its_room_for_figures() -> None:
    """Of the days before it tells as many as the other half of what findings leave has room for, and how many more."""
    told = _after_holidays(QUIET_DAY)
    *lines, _ = read(chat.caption_of(told)).splitlines()
    at = next(place for place, line in enumerate(lines) if line.startswith("Прошлые дни целиком. Пт, 6 нояб.:"))
    figures, days = lines[3:at], lines[at:]
    left = chat.MOST - _size([*lines[:3], "Открыть отчёт"])
    assert [line[-14:] for line in days[:-1]] == ["Новые заявки 9"] * (len(days) - 1)
    assert days[-1] == f"Остальные ({24 - len(days) + 1}) — на странице."
    assert left / 2 - 70 < _size(days) <= left / 2
    assert figures[0].startswith("Входящие звонки: 96")
    assert len(figures) == len(told.figures)
    assert mail.text_of(told).count("Входящие звонки 9;") == 24


def test_days_before_take_no_room_from_what_was_found_and_is_to_be_done() -> None:
    """However many they are, a caption has the same findings with the same actions as without them."""
    told = _after_holidays(BAD_DAY)
    found = [line for line in chat.caption_of(replace(told, figures=(), untold=None)).splitlines() if line]
    assert chat.caption_of(told).splitlines()[: len(found) - 1] == found[:-1]
    full = replace(told, findings=told.findings * 3)
    assert chat.caption_of(full) == chat.caption_of(replace(full, untold=None))


def test_a_persons_letter_tells_of_days_what_is_theirs() -> None:
    """What they answered, and what is charged to them; each opens its own list."""
    mine = letter(replace(_monday(), audience=Audience("person", "anna"), figures=()), house=_WEEKDAYS)
    assert "Вс, 29 нояб.: Отвеченные 1; Пропущенные на сотруднике 1; Новые заявки 1 →" in mail.text_of(mine)
    html = mail.html_of(mine, [])
    for measure in ("answered", "charged", "leads_in"):
        assert f"measure={measure}&amp;from=2026-11-29&amp;to=2026-11-29&amp;person=anna" in html
    assert "measure=calls_in" not in html


@pytest.mark.parametrize("kind", ["weekly", "monthly"])
def test_letters_of_weeks_and_months_have_all_their_days_and_tell_none_apart(kind: Kind) -> None:
    told = letter(replace(_monday(), kind=kind), house=_WEEKDAYS)
    assert told.untold is None
    for said in (mail.text_of(told), mail.html_of(told, []), chat.caption_of(told)):
        assert "прошлые дни" not in said.casefold()


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
        report, house, "ru", lambda path: f"{address}{path}" if address and path else "", lambda _: "/reports?a=1&b=2"
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
    told = letter_of(BAD_DAY, house, "ru", lambda _: "", lambda _: "/reports")
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


def test_what_is_drawn_of_a_persons_days_is_what_they_answered_and_what_is_charged_to_them() -> None:
    """Drawn too where they answered none of them."""
    mine = replace(BAD_DAY, audience=Audience("person", "anna"), sections=())
    missed = replace(mine, days=tuple(replace(one, calls_in=0) for one in mine.days))
    for report in (mine, missed):
        (days,) = drawn(report, OFFICE, "ru")
        assert isinstance(days, Days)
        assert (days.calls_words, days.missed_words) == ("Отвеченные", "Пропущенные на сотруднике")
        assert days.stacked  # what they missed is none of what they answered, and hides none of it
    assert [one.stacked for one in drawn(BAD_DAY, OFFICE, "ru") if isinstance(one, Days)] == [False]
