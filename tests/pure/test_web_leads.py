"""Where a lead may go from its page, and how what happened to it reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_sync.book.leads import EVENT_KINDS
from crm_sync.book.lifecycle import NEXT, SERVICE, STAGES, Fault
from crm_sync.book.revival import RESULTS
from directory.lead_policy import (
    BUILT_IN,
    CALL_TYPES,
    DISQUALIFIED,
    DOES,
    LOST,
    MAKES,
    NO_POLICY,
    OWNER_RULES,
    FunnelStep,
    LeadPolicy,
    LeadRule,
    OwnReason,
)  # fmt: skip
from directory.sections import SectionError, read_text, write_section
from tests.fakes.directories import OFFICE, lead_policies
from web.leads.board import allowed, shown
from web.leads.history import Teller
from web.leads.track import choices, marks, way
from web.leads.wording import age, place_name, reason_name, until
from web.words import has_words

POLICY = LeadPolicy(
    funnel=(FunnelStep(key="meeting", name="Встреча"), FunnelStep(key="contract", name="Договор")),
    rules=(LeadRule(name="night"),),
    disqualified=(OwnReason(key="far", name="Не наш район"),),
)
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def happened(kind: str, **told: Any) -> SimpleNamespace:
    nothing = dict.fromkeys(("before", "after", "reason", "call_id"))
    return SimpleNamespace(**nothing | {"at": NOW, "by": "anna", "kind": kind} | told)


def teller(language: str = "ru") -> Teller:
    return Teller(replace(OFFICE, leads=POLICY), language, ZoneInfo("Europe/Moscow"), NOW)


def test_the_way_goes_through_the_houses_funnel() -> None:
    """The steps stand for the stage in work; a lead before the first, or at one that is gone, comes before them."""
    assert way(POLICY, "new", None) == (
        "new", "qualifying", "qualified", "in_work/meeting", "in_work/contract", "won",
    )  # fmt: skip
    assert way(NO_POLICY, "new", None) == ("new", "qualifying", "qualified", "in_work", "won")
    assert way(POLICY, "in_work", None)[3:5] == ("in_work", "in_work/meeting")
    assert way(POLICY, "in_work", "gone")[3:5] == ("in_work/gone", "in_work/meeting")


@pytest.mark.parametrize(
    "stage, step, following",
    [("new", None, "qualifying"), ("qualifying", None, "qualified"), ("qualified", None, "in_work/meeting"),
     ("in_work", None, "in_work/meeting"), ("in_work", "meeting", "in_work/contract"), ("in_work", "contract", "won"),
     ("won", None, None), ("lost", None, None), ("disqualified", None, None)],
)  # fmt: skip
def test_one_click_leads_to_the_next_place_of_the_way(stage: str, step: str | None, following: str | None) -> None:
    assert choices(POLICY, stage, step, head=False).next == following


def test_only_a_head_is_offered_what_only_a_head_may() -> None:
    """A disqualified or won lead is taken back by heads; a lost one by whoever works on it."""
    assert choices(POLICY, "disqualified", None, head=False).back == ()
    assert choices(POLICY, "disqualified", None, head=True).back == ("in_work", "qualifying")
    assert choices(POLICY, "won", None, head=False).back == ()
    assert choices(POLICY, "lost", None, head=False).back == ("in_work",)


def test_the_board_has_the_houses_funnel_and_whatever_leads_are_left_beside_it() -> None:
    """In work before the first step, or at a step that is gone, is a column of its own while leads are there."""
    assert shown(POLICY, {}) == ["new", "qualifying", "qualified", "in_work/meeting", "in_work/contract"]
    left = shown(POLICY, {"in_work": 2, "in_work/gone": 1, "in_work/meeting": 3})
    assert left[3:] == ["in_work", "in_work/gone", "in_work/meeting", "in_work/contract"]
    assert shown(NO_POLICY, {}) == ["new", "qualifying", "qualified", "in_work"]


def test_the_board_offers_what_the_table_of_transitions_allows() -> None:
    """A head may take back what a manager may not; nobody begins a revival by hand."""
    assert allowed("new", head=False) == "qualifying qualified lost disqualified"
    assert (allowed("won", head=False), allowed("won", head=True)) == ("", "in_work")
    assert "reviving" not in allowed("lost", head=True)


@settings(max_examples=50)
@given(lead_policies([]), st.sampled_from(STAGES), st.booleans())
def test_every_mark_that_opens_is_a_transition_without_a_reason(policy: LeadPolicy, stage: str, head: bool) -> None:
    """No click of the way is refused by the table of transitions, whatever the house's funnel."""
    step = policy.funnel[0].key if stage == "in_work" and policy.funnel else None
    told = marks(policy, stage, step, head=head, may_change=True)
    assert sum(mark.state == "here" for mark in told) == (stage not in {"lost", "disqualified", "reviving"})
    for mark in told:
        needs = NEXT[stage].get(mark.place.partition("/")[0])
        assert not mark.open or (needs is not None and not needs.reason and (head or not needs.head))
    assert not any(mark.open for mark in marks(policy, stage, step, head=head, may_change=False))


def test_what_happened_is_told_in_words() -> None:
    """Stages and steps by their names, the reason of an end, who had it and has it, the rule that decided."""
    words = teller().words
    assert words(happened("stage", before="qualified", after="in_work/meeting")) == "Качественная → Встреча"
    assert words(happened("stage", before="new", after="disqualified", reason="far")).endswith(
        "Отклонена: Не наш район"
    )
    ours = {"by": SERVICE}
    back = happened("stage", before="lost", after="in_work", reason="night", **ours)
    assert words(back).endswith("(по правилу «night»)")
    assert words(happened("owner", before="anna", after=None)) == "Передана: Анна Смирнова → никто"
    given = [happened("owner", after="boris", reason=it, **ours) for it in ("missed/round_robin", "night/answered")]
    assert words(given[0]) == "Ответственный: Борис Козлов (звонок пропущен; по очереди с учётом нагрузки)"
    assert words(given[1]) == "Ответственный: Борис Козлов (по правилу «night»; кто говорил первым)"
    imported = teller().event(happened("owner", after="boris", reason="import"))
    assert (imported.told, imported.text) == ("Ответственный: Борис Козлов (загружено из таблицы)", "")
    by_head = teller().event(happened("owner", before="anna", after="boris", reason="в отпуске до мая"))
    assert (by_head.told, by_head.text) == ("Передана: Анна Смирнова → Борис Козлов", "в отпуске до мая")
    assert words(happened("deadline", after="2026-03-31T15:00:00+00:00")) == "Срок: 18:00"
    assert words(happened("deadline", after="soon")) == "Срок: soon"
    assert teller("en").words(happened("fields", after="project")) == "Details changed: project"


def test_the_newest_is_told_first_and_the_services_own_doing_names_nobody() -> None:
    """Events of one moment keep their order turned round."""
    events = [happened("opened", after="new", by="switchhook"), happened("owner", after="anna", by="switchhook")]
    note = SimpleNamespace(at=NOW + timedelta(minutes=1), by="anna", text="<b>перезвонить</b>", call_id=None)
    told = teller().all(events, [note])
    assert [one.text for one in told] == ["<b>перезвонить</b>", "", ""]
    assert [one.who for one in told] == ["Анна Смирнова", "", ""]
    assert told[-1].told.startswith("Заявка открыта")


def test_every_key_that_a_lead_can_have_has_words() -> None:
    """Stages, reasons, kinds of events, results of revival, rules of owners, faults of a form."""
    keys = [f"stage.{it}" for it in STAGES] + [f"reason.{it}" for it in (*DISQUALIFIED, *LOST)]
    keys += [f"revived.{it}" for it in RESULTS] + [f"wrong.{it}" for it in get_args(Fault)]
    keys += [f"type.{it}" for it in CALL_TYPES] + [f"make.{it}" for it in MAKES] + [f"who.{it}" for it in OWNER_RULES]
    keys += [f"does.{it}" for it in DOES] + [f"rule.{it.name}" for it in BUILT_IN]
    assert [key for key in keys if not has_words(key)] == []
    for kind in EVENT_KINDS:
        assert teller().words(happened(kind, before="a", after="b")) != kind


@pytest.mark.parametrize(
    "seconds, told", [(0, "0 мин"), (2400, "40 мин"), (3600, "1 ч"), (12_000, "3 ч 20 мин"), (200_000, "2 дн.")]
)
def test_an_age_is_told_in_one_or_two_units(seconds: int, told: str) -> None:
    assert age(seconds, "ru") == told


def test_a_deadline_is_told_with_its_age() -> None:
    assert until(NOW + timedelta(minutes=40), NOW, "en") == "40 min left"
    assert until(NOW - timedelta(hours=3), NOW, "ru") == "просрочено на 3 ч"
    seconds = timedelta(seconds=59)
    assert (until(NOW + seconds, NOW, "ru"), until(NOW, NOW, "en")) == ("срок сейчас", "due now")
    assert (until(NOW - seconds, NOW, "ru"), until(NOW - seconds, NOW, "en")) == (
        "только что просрочено",
        "just overdue",
    )


def test_what_the_house_has_no_more_is_told_by_its_key() -> None:
    assert place_name(NO_POLICY, "ru", "in_work/gone") == "gone"
    assert reason_name(NO_POLICY, "en", "gone") == "gone"


@settings(max_examples=25)
@given(lead_policies(["74951234567"]))
def test_a_section_that_is_written_reads_back_to_the_same(policy: LeadPolicy) -> None:
    written = write_section(replace(OFFICE, leads=policy), "leads")
    assert read_text(written, "leads", OFFICE).leads == policy


@pytest.mark.parametrize(
    "text, line, path",
    [("leads:\n  lost_day: 3\n", 2, "leads.lost_day"), ("leads:\n  funnel: [\n", 3, ""),
     ("people: []\n", 1, "people"), ('leads:\n  rules:\n  - {name: a, lines: ["74950000000"]}\n', 3,
      "leads.rules[0].lines[0]")],
)  # fmt: skip
def test_a_fault_of_a_section_names_its_line(text: str, line: int, path: str) -> None:
    """Unknown keys, what is no YAML, other sections, lines that the directory does not have."""
    with pytest.raises(SectionError) as caught:
        read_text(text, "leads", OFFICE)
    assert [(fault.line, fault.path) for fault in caught.value.faults] == [(line, path)]
