"""What is past its days goes, what is held stays, and who is forgotten is heard and named nowhere."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.retention import Keep
from recordings.privacy_tables import REMOVED
from recordings.retention import Ended, due

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
ALL = frozenset(REMOVED)
KEEP = Keep(audio_days=30, transcript_days=90, party_days=365)


def ended(days: float, there: frozenset[str] = ALL, *, held: bool = False) -> Ended:
    return Ended("74951234567", "answered", NOW - timedelta(days=days), there, held)


@pytest.mark.parametrize(
    "days, kinds",
    [
        (29.9, ()),
        (30, ("audio",)),
        (89.9, ("audio",)),
        (90, ("audio", "transcript")),
        (365, ("audio", "transcript", "party")),
    ],
)
def test_each_kind_goes_when_its_days_are_over(days: float, kinds: tuple[str, ...]) -> None:
    """To the second, from the end of the call."""
    assert due(ended(days), KEEP, NOW) == kinds


def test_who_is_forgotten_is_heard_in_no_sound_and_named_in_no_text() -> None:
    """Both go with them, also where they are kept for ever or for longer."""
    assert due(ended(10), Keep(audio_days=30, party_days=7), NOW) == REMOVED
    assert due(ended(10, frozenset({"audio", "party"})), Keep(party_days=7), NOW) == ("audio", "party")


def test_what_is_held_stays_however_old() -> None:
    """The law comes before the policy."""
    assert due(ended(9999, held=True), KEEP, NOW) == ()


keeps = st.builds(Keep, **{f"{kind}_days": st.none() | st.integers(0, 400) for kind in REMOVED})


@given(keeps, st.floats(0, 500), st.frozensets(st.sampled_from(REMOVED)))
def test_nothing_goes_that_is_not_there_or_that_nobody_ends(keep: Keep, days: float, there: frozenset[str]) -> None:
    """What is kept for ever stays, and what went once is not due again."""
    kinds = set(due(ended(days, there), keep, NOW))
    assert kinds <= there
    assert due(ended(days, there - kinds), keep, NOW) == ()
    assert kinds <= ALL if keep.party_days else kinds <= {kind for kind in ALL if getattr(keep, f"{kind}_days")}
