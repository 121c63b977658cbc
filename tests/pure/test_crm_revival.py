"""Which lost leads are revived how, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.book.revival import chain_of, enters_at, next_at, step_of, words
from directory.lead_policy import LeadPolicy, RevivalChain, RevivalStep

DAY: Final = timedelta(days=1)
LOST_AT: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PARK: Final = RevivalChain(
    name="park",
    steps=(
        RevivalStep(days=3, do="message", text="Здравствуйте, {name}!"),
        RevivalStep(days=10, do="task", text="Позвонить"),
        RevivalStep(days=10, do="message", text="Ждём вас"),
    ),
    reasons=("too_expensive",),
    fields={"project": ("Парк", "Сад")},
)
ANY: Final = RevivalChain(name="any", steps=(RevivalStep(days=30, do="task", text="Позвонить"),))
POLICY: Final = LeadPolicy(revival=(PARK, ANY), lost_days=7)

chains = st.lists(st.integers(0, 90), min_size=1, max_size=5).map(
    lambda days: RevivalChain(
        name="some", steps=tuple(RevivalStep(days=day, do="task", text="x") for day in sorted(days))
    )
)


@pytest.mark.parametrize(
    "reason, fields, name",
    [
        ("too_expensive", {"project": "Парк"}, "park"),
        ("too_expensive", {"project": "Сад", "family": "yes"}, "park"),
        ("too_expensive", {"project": "Берег"}, "any"),
        ("too_expensive", {}, "any"),
        ("no_contact", {"project": "Парк"}, "any"),
    ],
)
def test_the_first_chain_that_fits_by_reason_and_fields_is_taken(
    reason: str, fields: dict[str, str], name: str
) -> None:
    """What the file writes first is asked first."""
    chain = chain_of(POLICY, reason, fields)
    assert chain is not None
    assert chain.name == name


def test_a_lead_enters_when_it_leaves_its_managers_list_or_at_the_first_step() -> None:
    """Whichever is sooner; no chain, no entering."""
    assert enters_at(POLICY, "too_expensive", {"project": "Парк"}, LOST_AT) == LOST_AT + 3 * DAY
    assert enters_at(POLICY, "no_contact", {}, LOST_AT) == LOST_AT + 7 * DAY
    assert enters_at(LeadPolicy(), "no_contact", {}, LOST_AT) is None


@given(chains, st.lists(st.integers(0, 200), min_size=5, max_size=5))
def test_steps_come_in_order_never_early_and_never_nearer_than_written(
    chain: RevivalChain, late_days: list[int]
) -> None:
    """However late each of them is taken."""
    now = LOST_AT
    taken_at: list[datetime] = []
    for taken, step in enumerate(chain.steps):
        due = next_at(chain, taken, LOST_AT, now)
        assert due is not None
        assert due >= max(now, LOST_AT + step.days * DAY)
        if taken:
            assert due - taken_at[-1] >= (step.days - chain.steps[taken - 1].days) * DAY
        now = due + late_days[taken] * DAY
        taken_at.append(now)
    assert next_at(chain, len(chain.steps), LOST_AT, now) is None


def test_a_step_of_a_chain_that_was_taken_away_or_shortened_is_none() -> None:
    """The house changed its mind while leads were in it."""
    assert step_of(POLICY, "park", 2) == PARK.steps[2]
    assert step_of(POLICY, "park", 3) is None
    assert step_of(POLICY, "spring", 0) is None
    assert step_of(POLICY, None, 0) is None


@pytest.mark.parametrize(
    "text, name, told",
    [
        ("Здравствуйте, {name}! Ждём вас.", "Пётр", "Здравствуйте, Пётр! Ждём вас."),
        ("Здравствуйте, {name}! Ждём вас.", None, "Здравствуйте! Ждём вас."),
        ("{name}, ждём вас", "Пётр", "Пётр, ждём вас"),
        ("{name}, ждём вас", None, "Ждём вас"),
        ("{name}{name} {other}", "А", "АА {other}"),
        ("Ждём, {name}", "Пётр\r\nBcc: a@example.org\x00", "Ждём, Пётр Bcc: a@example.org"),
        ("Ждём, {name}", "{name} {0.__class__}", "Ждём, {name} {0.__class__}"),
    ],
)
def test_a_name_is_put_in_as_it_is_and_its_absence_leaves_a_sentence(text: str, name: str | None, told: str) -> None:
    """Names come from outside: nothing in them is read as anything but a name in one line."""
    assert words(text, name) == told
