"""The directory file: what it says survives, and every fault in it is named."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from directory.file import DirectoryError, dumps, load, loads
from directory.masking import Masking
from directory.model import Directory
from tests.fakes.directories import OFFICE, directories

HEAD = "company: {name: Ромашка}\n"
ANNA = "{key: anna, name: Анна, role: manager"


def faults(text: str) -> list[str]:
    with pytest.raises(DirectoryError) as caught:
        loads(text, "office.yaml")
    assert str(caught.value) == "\n".join(caught.value.lines)
    return caught.value.lines


@given(directories())
@settings(max_examples=30)
def test_a_directory_survives_its_file(directory: Directory) -> None:
    assert loads(dumps(directory)) == directory


def test_the_example_of_the_manual_is_good() -> None:
    directory = load(Path(__file__).parents[2] / "examples" / "directory.yaml")
    assert directory.lines
    assert all(directory.members(line.team) for line in directory.lines)


def test_numbers_are_stored_in_one_form() -> None:
    text = (
        HEAD + f"people:\n  - {ANNA}, devices: [{{kind: mobile, address: 8 (916) 000-00-11, trunk: PJSIP/trunk}}]}}\n"
    )
    assert loads(text).people[0].devices[0].address == "79160000011"


def test_every_fault_of_a_file_is_told_at_once_with_line_and_key() -> None:
    text = """\
company: {name: Ромашка, regoin: RU}
people:
  - {key: anna, name: Анна, role: boss}
teams:
  - key: sales
    name: Продажи
    members: [ann]
lines:
  - {number: 123456789, name: Основная, team: sale}
"""
    assert faults(text) == [
        "office.yaml:1: company.regoin: unknown key, did you mean 'region'?",
        "office.yaml:3: people[0].role: unknown value 'boss' (there is: admin, head, manager, operator)",
        "office.yaml:7: teams[0].members[0]: there is no person 'ann' in this directory (there is: anna)",
        "office.yaml:9: lines[0].number: must be a phone number of RU or an international one, got '123456789'",
        "office.yaml:9: lines[0].team: there is no team 'sale' in this directory (there is: sales)",
    ]


@pytest.mark.parametrize(
    "text, fault",
    [
        ("people: []", "1: company: is missing"),
        ("", "1: company: is missing"),
        ("- company", "1: must be keys with values, got a list"),
        ("company: {name: ''}", "1: company.name: must be printable text, got ''"),
        ("company: {name: null}", "1: company.name: is missing"),
        ("company: {name: [a]}", "1: company.name: must be one value, got a list"),
        ("company: {name: a, name: b}", "1: company.name: this key is given twice"),
        (
            "company: {name: a, time_zone: Mars/Base}",
            "1: company.time_zone: there is no such time zone, got 'Mars/Base'",
        ),
        ("company: {name: a, time_zone: /etc/passwd}", "1: company.time_zone: there is no such time zone"),
        ("company: {name: a, region: Russia}", "1: company.region: must be a country code of two letters"),
        ("company: {name: a, language: de}", "1: company.language: unknown value 'de'"),
        ("company: {name: a", "this is not YAML"),
        (HEAD + "\x07", "2: this is not YAML: the character '\\x07' may not stand in it"),
        ("[" * 700, "brackets nest too deep"),
        (HEAD + "hours: {office: {mon: 9-18}}", "2: hours.office.mon: hours must look like 09:00-18:00, got '9-18'"),
        (HEAD + "hours: {office: {mon: }}", "2: hours.office.mon: is missing"),
        (HEAD + "hours: {Office: {mon: '09:00-18:00'}}", "2: hours.Office: must be small letters"),
        (HEAD + f"people: [{ANNA}, hours: late}}]", "2: people[0].hours: there is no hours 'late'"),
        (HEAD + f"people: [{ANNA}}}, {ANNA}}}]", "2: people[1].key: 'anna' is already used by people[0].key"),
        (HEAD + f"people: [{ANNA}, devices: anna-desk}}]", "2: people[0].devices: must be a list, got 'anna-desk'"),
        (
            HEAD + f"people: [{ANNA}, devices: [{{kind: desk, address: anna-desk}}]}}]",
            "2: people[0].devices[0].address: must look like TECH/name, as in PJSIP/anna-desk, got 'anna-desk'",
        ),
        (
            HEAD + f'people: [{ANNA}, devices: [{{kind: desk, address: "PJSIP/a&PJSIP/b"}}]}}]',
            "2: people[0].devices[0].address: must look like TECH/name",
        ),
        (
            HEAD + f"people: [{ANNA}, devices: [{{kind: mobile, address: '916000', trunk: PJSIP/trunk}}]}}]",
            "2: people[0].devices[0].address: must be a phone number of RU",
        ),
        (
            HEAD + f"people: [{ANNA}, devices: [{{kind: mobile, address: '79160000011'}}]}}]",
            "2: people[0].devices[0].trunk: is missing",
        ),
        (
            HEAD + f"people:\n- {ANNA}, devices: [{{kind: desk, address: PJSIP/a}}]}}\n"
            "- {key: boris, name: Борис, role: manager, devices: [{kind: soft, address: PJSIP/a}]}",
            "4: people[1].devices[0].address: 'PJSIP/a' is already used by people[0].devices[0].address",
        ),
        (
            HEAD + f"people:\n- {ANNA}, devices: [{{kind: desk, address: PJSIP/a, number: 101}}]}}\n"
            "- {key: boris, name: Борис, role: manager, devices: [{kind: soft, address: PJSIP/b, number: 101}]}",
            "4: people[1].devices[0].number: '101' is already used by people[0].devices[0].number",
        ),
        (
            HEAD + "teams: [{key: sales, name: Продажи, members: []}]",
            "2: teams[0].members: must name at least one person",
        ),
        (
            HEAD + "teams: [{key: sales, name: П, strategy: random, members: [a]}]",
            "2: teams[0].strategy: unknown value",
        ),
        (
            "company: {name: a, masking: {kinds: [cards]}}",
            "1: company.masking.kinds[0]: unknown value 'cards', did you",
        ),
        ("company: {name: a, masking: {kinds: card}}", "1: company.masking.kinds: must be a list, got 'card'"),
        (
            "company: {name: a, masking: {keep_orignal: true}}",
            "1: company.masking.keep_orignal: unknown key, did you mean",
        ),
        (
            "company: {name: a, masking: {keep_original: ja}}",
            "1: company.masking.keep_original: must be true or false, got 'ja'",
        ),
        ("company: {name: a, masking: {readers: boss}}", "1: company.masking.readers: unknown value 'boss'"),
        (
            "company: {name: a, retention: {audio_days: 0}}",
            "1: company.retention.audio_days: must be a number of days from 1 to 36500, or forever, got '0'",
        ),
        (
            "company: {name: a, retention: {answered: {audio: 9}}}",
            "1: company.retention.answered.audio: unknown key, did you mean 'audio_days'?",
        ),
        (
            HEAD + "lines: [{number: 74951234567, name: Л, team: t, ring_seconds: 1e9}]",
            "must be a whole number from 5 to",
        ),
        (
            HEAD + "lines: [{number: 74951234567, name: Л, team: t, ring_seconds: 3}]",
            "must be a whole number from 5 to",
        ),
        (
            HEAD + "lines: [{number: 74951234567, name: Л, team: t, consent: {refuse: '3'}}]",
            "2: lines[0].consent.prompt: is missing",
        ),
        (
            HEAD + "lines: [{number: 74951234567, name: Л, team: t, consent: {prompt: a, refuse: '#'}}]",
            "2: lines[0].consent.refuse: must be one key, a digit or *, got '#'",
        ),
        (
            HEAD + "lines: [{number: 74951234567, name: Л, team: t, script: [{step: a, phrases: []}]}]",
            "2: lines[0].script[0].phrases: must name at least one word or phrase",
        ),
        (
            HEAD + "lines: [{number: 74951234567, name: Л, team: t, script: [{phrases: [привет]}]}]",
            "2: lines[0].script[0].step: is missing",
        ),
        (
            HEAD + "lines: [{number: 74951234567, name: Л, team: t, script: [{step: a, phrases: ['?!']}]}]",
            "2: lines[0].script[0].phrases[0]: must have a letter or a digit, got '?!'",
        ),
        (
            HEAD + "lines:\n- {number: 74951234567, name: Л, team: t, script:\n"
            "  [{step: a, phrases: [б]},\n  {step: a, phrases: [в]}]}",
            "5: lines[0].script[1].step: 'a' is already used by lines[0].script[0].step",
        ),
        (
            "people: [{key: a, name: А, role: head, notify: [telegram]}]",
            "1: people[0].notify[0]: telegram is asked for, and there is no 'telegram' of this person",
        ),
        (
            "people: [{key: a, name: А, role: head, notify: [emial]}]",
            "1: people[0].notify[0]: unknown value 'emial', did you mean 'email'?",
        ),
        (
            "people: [{key: a, name: А, role: head, notify: [page, page]}]",
            "1: people[0].notify[1]: 'page' is already used by people[0].notify[0]",
        ),
        (
            "people: [{key: a, name: А, role: head, notify: []}]",
            "1: people[0].notify: must name at least one of page, email, telegram, webhook",
        ),
        (
            "people: [{key: a, name: А, role: head, email: 'a@b, c@d'}]",
            "1: people[0].email: must be one e-mail address, as in anna@example.org, got 'a@b, c@d'",
        ),
        (
            "people: [{key: a, name: А, role: head, telegram: '@anna'}]",
            "1: people[0].telegram: must be the number of a chat with our bot, as in 123456789, got '@anna'",
        ),
        (
            "people: [{key: a, name: А, role: head, quiet: 22-8}]",
            "1: people[0].quiet: hours must look like 09:00-18:00, got '22-8'",
        ),
        (
            "people: [{key: a, name: А, role: head, quiet: '00:00-24:00'}]",
            "1: people[0].quiet: must be one time of the day as in 22:00-08:00, or never",
        ),
        ("company: {name: a, topics: [цена]}", "1: company.topics: must be keys with values, got a list"),
        (
            "company: {name: a, topics: {цена: }}",
            "1: company.topics.цена: must name at least one word or phrase",
        ),
    ],
)
def test_a_fault_is_named_by_file_line_key_and_value(text: str, fault: str) -> None:
    assert any(line.startswith("office.yaml:") and fault in line for line in faults(text)), faults(text)


def test_one_extension_may_ring_two_phones_of_one_person() -> None:
    devices = "[{kind: desk, address: PJSIP/a, number: 101}, {kind: soft, address: PJSIP/b, number: 101}]"
    assert loads(HEAD + f"people: [{ANNA}, devices: {devices}}}]").is_staff("101")


def test_a_file_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DirectoryError, match=r"office\.yaml: cannot be read: No such file"):
        load(tmp_path / "office.yaml")


def test_a_file_in_another_encoding_is_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "office.yaml"
    file.write_bytes("company: {name: Ромашка}".encode("cp1251"))
    with pytest.raises(DirectoryError, match="must be UTF-8 text"):
        load(file)


def test_staff_and_lines_are_known_in_any_form() -> None:
    """Their calls never become leads."""
    assert OFFICE.is_staff("101")
    assert OFFICE.is_staff("+7 916 000-00-11")
    assert OFFICE.is_staff("84951234567")
    assert not OFFICE.is_staff("79161234567")
    found = OFFICE.person_of_device("PJSIP/anna-soft")
    assert found is not None
    assert found.key == "anna"
    assert OFFICE.line("4951234567") == OFFICE.lines[0]
    assert OFFICE.is_blocked("89160009999")


def test_holidays_dates_and_calendars_are_read_with_their_faults_named() -> None:
    text = """\
company: {name: Ромашка}
hours:
  office:
    mon-fri: "09:00-18:00"
    holidays: XX
    dates: {"2026-12-31": shut, "2026-02-30": closed, "2027-01-01..2027-01-08": closed}
  munich: {mon: "09:00-18:00", holidays: DE-BAY}
people:
  - {key: anna, name: Анна, role: manager, calendar: "ftp://calendar.example/secret.ics"}
teams:
  - {key: sales, name: Продажи, members: [anna], hours: offices, wrap_up_seconds: 9999}
"""
    assert faults(text) == [
        (
            "office.yaml:5: hours.office.holidays: must be a country code of two letters with known holidays, as in RU,"
            " got 'XX'"
        ),
        "office.yaml:6: hours.office.dates.2026-12-31: hours must look like 09:00-18:00, got 'shut'",
        "office.yaml:6: hours.office.dates.2026-02-30: there is no such date in '2026-02-30'",
        "office.yaml:7: hours.munich.holidays: DE has no region 'BAY' with holidays of its own, did you mean 'BY'?",
        (
            "office.yaml:9: people[0].calendar: must be an address with http:// or https:// and a host"
            " (it is a secret and not shown)"
        ),
        "office.yaml:11: teams[0].wrap_up_seconds: must be a whole number from 0 to 3600, got '9999'",
        "office.yaml:11: teams[0].hours: there is no hours 'offices' in this directory (there is: munich, office)",
    ]


def test_a_calendar_of_webcal_is_one_of_https() -> None:
    text = HEAD + f"people:\n  - {ANNA}, calendar: 'webcal://calendar.example/a.ics'}}\n"
    assert loads(text).people[0].calendar == "https://calendar.example/a.ics"


@pytest.mark.parametrize("address", ["https://[", "https:///a.ics", "https://a b/", "http://h:0/", "h" * 3000, "-"])
def test_an_address_that_is_none_is_refused_without_being_shown(address: str) -> None:
    (fault,) = faults(HEAD + f"people:\n  - {ANNA}, calendar: '{address}'}}\n")
    assert "people[0].calendar: " in fault
    assert address not in fault or address == "-"


def test_a_line_masks_by_its_own_words_and_leaves_the_rest_to_the_company() -> None:
    """Card numbers are masked where nobody said anything; an empty list masks nothing."""
    text = """\
company: {name: Ромашка, masking: {kinds: [card, snils], readers: head}}
people: [{key: anna, name: Анна, role: manager}]
teams: [{key: sales, name: Продажи, members: [anna]}]
lines:
  - {number: "74951234567", name: Л, team: sales, masking: {kinds: [], keep_original: true}}
  - {number: "74951234568", name: М, team: sales}
"""
    directory = loads(text)
    assert directory.masking_of("74951234567") == Masking(kinds=(), keep_original=True, readers="head")
    assert directory.masking_of("74951234568") == Masking(kinds=("card", "snils"), keep_original=False, readers="head")
    assert directory.masking_of(None) == directory.masking_of("74951234568")
    assert loads(HEAD).masking_of(None) == Masking(kinds=("card",), keep_original=False, readers="admin")
