"""Whoever is called from a line hears what its callers hear, by the number that they are shown."""

from __future__ import annotations

from directory.model import Company, Consent, Directory, Line
from service.outgoing import said_when_called

ASKS = Consent(prompt="custom/recorded&custom/press-3", refuse="3")
OWN, SHARED, OTHER = "74951234567", "74951234500", "74951234568"


def test_each_shown_number_has_what_is_said_or_that_nothing_is() -> None:
    """Of several lines that show one number one that asks is enough; a number of the PBX alone is shown to nobody."""
    lines = (
        Line(number=OWN, name="Продажи", team="sales", consent=ASKS, language="ru"),
        Line(number=OTHER, name="Сервис", team="sales", shows=SHARED, consent=Consent(prompt="custom/recorded")),
        Line(number="74951234569", name="Склад", team="sales", shows=SHARED),
        Line(number="74951234570", name="Офис", team="sales"),
        Line(number="600", name="Внутренняя", team="sales", consent=ASKS),
    )
    told = said_when_called(Directory(company=Company(name="Ромашка"), lines=lines))
    assert told == {
        OWN: "custom/recorded&custom/press-3@3@ru",
        SHARED: "custom/recorded@@",
        "74951234570": "none",
    }
