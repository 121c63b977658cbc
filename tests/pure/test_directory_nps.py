"""The file's `nps:`."""

import pytest

from directory.difference import difference
from directory.file import DirectoryError, dumps, loads
from directory.nps import NO_NPS, NpsPolicy, TalkShare

HOUSE = """
company: {name: Ромашка}
hours: {day: {mon-fri: "10:00-19:00"}}
people: [{key: anna, name: Анна, role: manager}]
teams: [{key: sales, name: Продажи, members: [anna]}]
lines: [{number: "+7 495 123-45-67", name: Основная, team: sales}]
leads: {funnel: [{key: meeting, name: Встреча}]}
"""
NPS = """
nps:
  stages: won
  steps: [meeting]
  talks: [{line: "8 (495) 123-45-67", percent: 20}]
  days_between: 60
  delay_minutes: 0
  hours: day
  prompt: custom/nps
  comment_prompt: vm-intro
"""


def test_a_policy_is_read_and_written_back_the_same() -> None:
    directory = loads(HOUSE + NPS)
    assert directory.nps == NpsPolicy(
        stages=("won",),
        steps=("meeting",),
        talks=(TalkShare(line="74951234567", percent=20),),
        days_between=60,
        delay_minutes=0,
        hours="day",
        prompt="custom/nps",
        comment_prompt="vm-intro",
    )
    assert loads(dumps(directory)) == directory


def test_nobody_is_asked_until_the_house_says_after_what() -> None:
    assert loads(HOUSE).nps == NO_NPS
    assert not NO_NPS.asks
    assert not loads(HOUSE + "nps: {way: link}").nps.asks
    assert "nps" not in dumps(loads(HOUSE))


def test_what_changes_is_told_field_by_field() -> None:
    told = difference(loads(HOUSE), loads(HOUSE + "nps: {way: link, stages: [won, lost]}"))
    assert told == ["~ nps: way none -> link", "~ nps: stages none -> [won, lost]"]


@pytest.mark.parametrize(
    "told, said",
    [
        ("{stages: [won]}", "nps.prompt: is missing: the sound in which the call asks, as custom/nps"),
        ("{stages: [new], way: link}", "nps.stages[0]: unknown value 'new'"),
        ("{stages: [won], way: sms}", "nps.way: unknown value 'sms'"),
        ("{steps: [visit], way: link}", "nps.steps[0]: there is no step of the funnel 'visit'"),
        ("{talks: [{line: '+7 495 999-99-99', percent: 5}], way: link}", "nps.talks[0].line: there is no line"),
        ("{talks: [{line: '+7 495 123-45-67'}], way: link}", "nps.talks[0].percent: is missing"),
        ("{talks: [{line: '+7 495 123-45-67', percent: 101}], way: link}", "nps.talks[0].percent: must be a whole"),
        ("{hours: night, way: link}", "nps.hours: there is no hours 'night'"),
        ("{stages: [won], prompt: 'a b,c'}", "nps.prompt: must be names of sounds"),
        ("{days: 3}", "nps.days: unknown key"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(told: str, said: str) -> None:
    with pytest.raises(DirectoryError) as refused:
        loads(HOUSE + f"nps: {told}")
    assert said in str(refused.value)
