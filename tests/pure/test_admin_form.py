"""Forms of the directory: what is shown is what is sent back, every field can be set and cleared, faults have words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.file import dumps, loads
from directory.lead_policy import LeadPolicy
from directory.masking import Masking
from directory.model import Company, Consent, Device, Directory, FollowUpPolicy, Hours, Line, Person, Team
from directory.outgoing import BY_DEFAULT, Callback, Outgoing, Price
from directory.rule_checks import doubts
from directory.rules import DESTINATIONS, Destination, Rule, TeamLoad, When
from directory.script import Step
from directory.sections import KEYS, SectionError, content, entry, names, put, replaced, write_section
from tests.fakes.directories import OFFICE, directories
from web.admin import form as forms
from web.admin import told
from web.admin.asked import CHOICES, ENTRIES, FORMS, NOTHING, Ask, asks_of
from web.admin.faults import in_words
from web.admin.form import Shown, fold, show, unfold
from web.words import LANGUAGES, has_words, say

NEEDED = {
    "people": ("key", "name", "role"),
    "teams": ("key", "name", "strategy", "members"),
    "lines": ("number", "name", "team"),
    "hours": (),
    "rules": ("name", "then"),
}


def sent_of(shown: list[Shown]) -> Iterator[tuple[str, str]]:
    """What a browser sends of a form as it is shown."""
    for field in shown:
        name = field.ask.name
        for number, row in enumerate(field.rows):
            yield f"{name}.{number}.at", str(number + 1) if any(cell.value for cell in row) else ""
            yield from ((cell.id, cell.value) for cell in row)
        if field.ask.control in {"checks", "ordered"}:
            for at, value in enumerate(field.chosen):
                yield f"{name}:{value}", "on"
                yield f"{name}:{value}:at", str(at + 1)
        elif not field.rows:
            yield field.id, field.value


def sent_over(section: str, told: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The entry that comes of sending the form of `told` where `before` stood."""
    asks = asks_of(section)
    sent = dict(sent_of(show(asks, unfold(section, told), {})))
    if told.get("calendar"):
        sent["calendar"] = told["calendar"]
    elif before.get("calendar"):
        sent["calendar:gone"] = "on"
    made, twice = fold(section, forms.read(asks, sent, unfold(section, before)))
    assert not twice
    return made


def bare(section: str, whole: dict[str, Any]) -> dict[str, Any]:
    """The entry without anything that it need not say."""
    return {name: whole[name] for name in NEEDED[section]}


@settings(max_examples=12)
@given(directories(), st.data())
def test_every_field_can_be_set_and_cleared_by_a_form_and_comes_back_in_the_file(
    house: Directory, data: st.DataObject
) -> None:
    """Of any entry: sent where nothing was told it is the whole entry, and the bare one sent over it is bare again."""
    house = replace(house, rules=house.rules[:1])
    section = data.draw(st.sampled_from([name for name in ENTRIES if getattr(house, name)]))
    name = data.draw(st.sampled_from(names(house, section)))
    whole = entry(house, section, name)
    assert whole is not None
    alone = replace(house, rules=()) if section != "rules" else house
    empty = put(alone, section, name, bare(section, whole))
    little = entry(empty, section, name)
    assert little is not None
    assert loads(dumps(put(empty, section, name, sent_over(section, whole, little)))) == alone
    assert put(alone, section, name, sent_over(section, little, whole)) == empty


@settings(max_examples=6)
@given(directories())
def test_company_and_calls_out_are_set_and_cleared_by_a_form(house: Directory) -> None:
    """From what is by default to any, and back; a role of which nothing is said is none."""
    roles = tuple(reach for reach in house.outgoing.roles if reach.allow or reach.deny)
    house = replace(house, outgoing=replace(house.outgoing, roles=roles))
    plain = replace(house, company=Company(name="Дом"), outgoing=BY_DEFAULT)
    for section in ("company", "outgoing"):
        told, usual = content(house, section), content(plain, section)
        whole = replaced(plain, section, sent_over(section, told, usual))
        assert loads(dumps(whole)) == replace(plain, **{section: getattr(house, section)})
        assert replaced(whole, section, sent_over(section, usual, told)) == plain


def test_no_field_of_the_model_is_without_a_place_in_a_form() -> None:
    """A field that is added to the directory fails here until its form asks for it."""
    for section, model, elsewhere in (
        ("people", Person, {"key"}),
        ("teams", Team, {"key"}),
        ("lines", Line, {"number"}),
        ("company", Company, set()),
        ("outgoing", Outgoing, {"everybody"}),
        ("hours", Hours, {"key", "spans"}),
    ):
        heads = {ask.name.split(".")[0] for ask in asks_of(section)}
        assert {field.name for field in fields(model)} - elsewhere <= heads, section
    inner: tuple[tuple[str, str, Any], ...] = (
        ("lines", "follow_up", FollowUpPolicy), ("lines", "masking", Masking), ("lines", "consent", Consent),
        ("lines", "callback", Callback), ("rules", "when", When), ("rules", "when.team", TeamLoad),
    )  # fmt: skip
    for section, head, part in inner:
        asked = {ask.name.removeprefix(f"{head}.").split(".")[0] for ask in asks_of(section)}
        assert {field.name for field in fields(part)} <= asked, head
    tables: tuple[tuple[str, str, Any], ...] = (
        ("people", "devices", Device), ("lines", "script", Step), ("outgoing", "prices", Price),
        ("rules", "then", Destination),
    )  # fmt: skip
    for section, name, row in tables:
        (ask,) = (one for one in asks_of(section) if one.name == name)
        assert {field.name for field in fields(row)} == {column.name for column in ask.columns}, name


def test_every_field_choice_and_heading_has_words() -> None:
    """What a form shows is never a key of ours."""

    def asks(found: tuple[Ask, ...], begin: str = "") -> Iterator[tuple[Ask, str]]:
        for ask in found:
            yield ask, f"{begin}{ask.name}"
            yield from asks(ask.columns, f"{ask.name}.")

    for section, groups in FORMS.items():
        for group in groups:
            assert has_words(f"group.{group.name}"), group.name
            for ask, name in asks(group.asks):
                assert told.field_name(section, name, "ru") != name, (section, name)
                assert all(has_words(f"option.{ask.source}.{it}") for it in CHOICES.get(ask.source, ())), ask.source
    for kind in DESTINATIONS:
        assert has_words(f"admin.step.{kind}") or kind in {"person", "team", "number", "ring"}, kind


def test_nothing_masked_is_another_thing_than_nothing_said() -> None:
    """The box for nothing is an empty list; no box at all leaves it to the company."""
    (ask,) = (one for one in asks_of("lines") if one.name == "masking.kinds")
    for chosen, expected in ((["card"], ["card"]), ([NOTHING], []), ([], None)):
        shape = forms.read([ask], {f"masking.kinds:{it}": "on" for it in chosen}, {})
        assert forms.get(shape, "masking.kinds") == expected
        (shown,) = show([ask], shape, {})
        assert list(shown.chosen) == chosen


@pytest.mark.parametrize(
    "section, name, wrong, place, russian",
    [
        ("people", "anna", {"devices": [{"kind": "desk", "address": "anna"}]}, "devices[0].address", "«anna»"),
        (
            "people",
            "anna",
            {"email": "anna@"},
            "email",
            "нужен один адрес почты, например anna@example.org, а здесь «anna@»",
        ),
        ("people", "anna", {"hours": "night"}, "hours", "«night» нет в справочнике (есть: office)"),
        ("people", "anna", {"plan": "5000"}, "plan", "нужно целое число от 1 до 1000, а здесь «5000»"),
        ("lines", "74951234567", {"ring_seconds": "2"}, "ring_seconds", "нужно целое число от 5 до 300, а здесь «2»"),
        ("lines", "74951234567", {"time_zone": "Mars"}, "time_zone", "такого часового пояса нет: «Mars»"),
        ("teams", "sales", {"members": []}, "members", "нужен хотя бы один сотрудник"),
        ("hours", "office", {"mon": "9"}, "mon", "часы пишут так: 09:00-18:00, а здесь «9»"),
        ("hours", "office", {"dates": {"2026-13-01": "closed"}}, "dates.2026-13-01", "такой даты нет"),
    ],
)
def test_a_fault_stands_at_its_field_and_names_the_value(
    section: str, name: str, wrong: dict[str, Any], place: str, russian: str
) -> None:
    """In the reader's language, with what was written."""
    before = entry(OFFICE, section, name) or {}
    with pytest.raises(SectionError) as caught:
        put(OFFICE, section, name, before | wrong if section != "hours" else wrong)
    (fault,) = caught.value.faults
    assert fault.path.endswith(f".{place}")
    assert russian in in_words(fault.message, "ru")
    assert in_words(fault.message, "en") == fault.message


def test_why_a_rule_can_never_match_is_told_in_words() -> None:
    """With its reason, and where another rule is first with its name."""
    house = replace(OFFICE, rules=tuple(
        Rule(name=name, when=when, then=(Destination(kind="ring", to="owner"),))
        for name, when in (("all", When(open=None)), ("late", When(open=False)), ("best", When(vip=True)))
    ))  # fmt: skip
    assert [in_words(it.message, "ru") for it in doubts(house)] == [
        "правило «late» не сработает никогда: раньше него всё забирает «all»",
        "правило «best» не сработает никогда: список VIP пуст",
    ]


def test_a_difference_is_told_by_the_names_of_sections_and_fields() -> None:
    """Added, changed, in another order."""
    lines = (
        "~ person anna: email none -> anna@example.org",
        "+ blocked 79160009999 (note спам)",
        "~ rules: order night, vip -> vip, night",
        "~ company: name Ромашка -> Лютик",
    )
    found = [told.change(line, "ru") for line in lines]
    assert [(it.sign, it.what, it.field) for it in found] == [
        ("~", "Сотрудник anna", "Почта"), ("+", "Чёрный список: 79160009999", ""),
        ("~", "Правила звонков", "порядок"), ("~", "Компания", "Название"),
    ]  # fmt: skip
    assert (found[0].was, found[0].now) == ("—", "anna@example.org")
    assert found[1].now == "Заметка: спам"


def test_a_difference_has_the_words_of_the_forms() -> None:
    """What an entry had when it came or went, what is chosen in a form, days of the week, the rules of leads."""
    came = told.change("+ person anna (name Анна, role head, devices desk PJSIP/a, mobile 7916, quiet 22-8)", "ru")
    assert came.now == "Имя: Анна; Роль: Руководитель; Телефоны: desk PJSIP/a, mobile 7916; Не беспокоить: 22-8"
    chosen = told.change("~ person anna: role manager -> head", "en")
    assert (chosen.field, chosen.was, chosen.now) == ("Role", "Manager", "Head")
    assert told.change("~ hours office: mon-fri 09:00-18:00 -> 10:00-18:00", "ru").field == "Понедельник – Пятница"
    usual = told.change("~ person anna: order fixed -> learned", "ru")
    assert (usual.was, usual.now) == (say("ru", "blank.order"), say("ru", "option.order.learned"))
    night = told.change("+ hours night (mon-fri 21:00-23:00, 23:10-23:30)", "ru")
    assert night.now == "Понедельник – Пятница: 21:00-23:00, 23:10-23:30"
    for language in LANGUAGES:
        for field in LeadPolicy.__struct_fields__:
            assert told.field_name("leads", field, language) != field


def test_an_entry_is_put_in_its_place_and_taken_out() -> None:
    """A new one stands behind the others; who is still needed cannot be taken out, and who needs them is named."""
    told = {"key": "dina", "name": "Дина", "role": "manager"}
    more = put(OFFICE, "people", None, told)
    assert names(more, "people") == ("anna", "boris", "vera", "dina")
    assert put(more, "people", "dina", None) == OFFICE
    with pytest.raises(SectionError) as caught:
        put(OFFICE, "people", "anna", None)
    assert {fault.path for fault in caught.value.faults} == {"teams[0].members[0]", "teams[1].members[1]"}
    with pytest.raises(SectionError, match="'anna' is already used"):
        put(OFFICE, "people", None, told | {"key": "anna"})


def test_an_entry_as_text_tells_the_line_of_its_fault() -> None:
    """Lines are those of the text, whatever stands before the entry."""
    text = "key: boris\nname: Борис\nrole: king\n"
    with pytest.raises(SectionError) as caught:
        put(OFFICE, "people", "boris", text)
    (fault,) = caught.value.faults
    assert (fault.line, fault.path) == (3, "people[1].role")
    assert (
        write_section(put(OFFICE, "people", "boris", text.replace("king", "head")), "people").count("role: head") == 2
    )
    assert set(KEYS) & set(ENTRIES) == {"people", "teams", "lines", "rules"}


def test_a_call_back_with_all_as_usual_is_in_the_file() -> None:
    """It is said by being there; a file without a word of it calls nobody back."""
    line = replace(OFFICE.lines[0], callback=Callback())
    house = replace(OFFICE, lines=(line, *OFFICE.lines[1:]))
    assert loads(dumps(house)) == house
