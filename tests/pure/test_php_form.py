"""Forms with names in brackets, as strangers may write them."""

from __future__ import annotations

from typing import Any

import pytest

from crm_sync.bitrix24.words import heard
from crm_sync.errors import PermanentError
from crm_sync.php_form import read_form


def test_names_in_brackets_are_read_sixteen_deep_and_no_deeper() -> None:
    """Whatever a stranger sends is read in a known depth, or is no form."""
    deepest = "a" + "[b]" * 15
    told: Any = read_form(f"{deepest}=1".encode(), 10)
    for name in ("a", *"b" * 15):
        told = told[name]
    assert told == "1"
    for nested in (f"{deepest}[b]", "auth[application_token]" + "[]" * 120_000):
        with pytest.raises(PermanentError, match="no form"):
            read_form(f"{nested}=1".encode(), 10)


@pytest.mark.parametrize("given", [{"": "secret"}, None, 5])
def test_a_token_that_is_no_text_is_nobodys(given: object) -> None:
    """Nor is it written out as text to be compared."""
    with pytest.raises(PermanentError, match="not of our application"):
        heard({"auth": {"application_token": given}}, {}, str(given), "", "RU")
